//! JSON as Azure's reader takes it from templates: comments, unquoted names, single quotes, line breaks
//! within strings; and where in the text each object stood.
//! Must not know: what a template means.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Objects and arrays within each other, at most.
const DEPTH_LIMIT: usize = 100;

/// Where objects begin: line and column, from 1, by the path that Azure's messages use
/// (`properties.template.resources[0]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(HashMap<String, (usize, usize)>);

impl Places {
    /// Where the object at `path` begins. What was not read from text stands at line 1, column 1.
    #[must_use]
    pub fn of(&self, path: &str) -> (usize, usize) {
        self.0.get(path).copied().unwrap_or((1, 1))
    }
}

/// A document and the places of its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where it says it.
    pub places: Places,
}

/// Reads a document. The error is a sentence with path, line and position.
pub fn parse(text: &str) -> Result<Document, String> {
    let mut reader = Reader { text, at: 0, path: String::new(), places: HashMap::new(), depth: 0, mark: (0, 1, 1) };
    reader.gap()?;
    let value = reader.value()?;
    reader.gap()?;
    match reader.peek() {
        None => Ok(Document { value, places: Places(reader.places) }),
        Some(c) => Err(reader.wrong(&format!("Additional text encountered after finished reading JSON content: {c}."))),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    path: String,
    places: HashMap<String, (usize, usize)>,
    depth: usize,
    /// An offset with its line and column, so that each place is counted from the one before.
    mark: (usize, usize, usize),
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Line and column of the next character, from 1.
    fn place(&mut self) -> (usize, usize) {
        let (from, mut line, mut column) = if self.mark.0 <= self.at { self.mark } else { (0, 1, 1) };
        for c in self.text[from..self.at].chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        self.mark = (self.at, line, column);
        (line, column)
    }

    fn wrong(&mut self, what: &str) -> String {
        let (line, column) = self.place();
        format!("{what} Path '{}', line {line}, position {column}.", self.path)
    }

    fn unexpected(&mut self) -> String {
        match self.peek() {
            None => self.wrong("Unexpected end when reading JSON."),
            Some(c) => self.wrong(&format!("Unexpected character encountered while parsing value: {c}.")),
        }
    }

    /// Skips white space and comments.
    fn gap(&mut self) -> Result<(), String> {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err(self.wrong("Unexpected end while parsing comment."));
                };
                self.at += end + 2;
            } else if let Some(c) = rest.chars().next().filter(|c| c.is_whitespace() || *c == '\u{feff}') {
                self.at += c.len_utf8();
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some('"' | '\'') => self.string().map(Value::String),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number(),
            Some(c) if c.is_ascii_alphabetic() => {
                let word = self.word();
                match word.as_str() {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "null" | "undefined" => Ok(Value::Null),
                    _ => {
                        self.at -= word.len();
                        Err(self.unexpected())
                    }
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, String>) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.wrong(&format!("The reader's MaxDepth of {DEPTH_LIMIT} has been exceeded.")));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, String> {
        let place = self.place();
        self.places.insert(self.path.clone(), place);
        self.next();
        let mut map = Map::new();
        loop {
            self.gap()?;
            let name = match self.peek() {
                Some('}') => {
                    self.next();
                    return Ok(Value::Object(map));
                }
                Some('"' | '\'') => self.string()?,
                Some(c) if c.is_alphanumeric() || c == '_' || c == '$' => self.word(),
                None => return Err(self.wrong("Unexpected end when reading JSON.")),
                Some(c) => {
                    return Err(self.wrong(&format!("Invalid property identifier character: {c}.")));
                }
            };
            self.gap()?;
            if self.next() != Some(':') {
                return Err(
                    self.wrong(&format!("Invalid character after parsing property name '{name}'. Expected ':'."))
                );
            }
            self.gap()?;
            let length = self.path.len();
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&name);
            let value = self.value()?;
            self.separator('}')?;
            self.path.truncate(length);
            map.insert(name, value);
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.gap()?;
            if self.peek() == Some(']') {
                self.next();
                return Ok(Value::Array(items));
            }
            let length = self.path.len();
            self.path.push_str(&format!("[{}]", items.len()));
            items.push(self.value()?);
            self.separator(']')?;
            self.path.truncate(length);
        }
    }

    /// A comma, or nothing before the closing character, which stays. A comma before it is allowed.
    fn separator(&mut self, closing: char) -> Result<(), String> {
        self.gap()?;
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            Some(c) if c == closing => Ok(()),
            Some(c) => Err(self.wrong(&format!("After parsing a value an unexpected character was encountered: {c}."))),
            None => Err(self.wrong("Unexpected end when reading JSON.")),
        }
    }

    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = &rest[..end];
        let number = match word.parse::<i64>() {
            Ok(integer) => Some(Value::from(integer)),
            Err(_) => word.parse::<f64>().ok().filter(|f| f.is_finite()).map(Value::from),
        };
        let number = number.ok_or_else(|| self.wrong(&format!("Input string '{word}' is not a valid number.")))?;
        self.at += end;
        Ok(number)
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.wrong("Unterminated string. Expected delimiter: \".")),
                c if c == quote => return Ok(text),
                Some('\\') => self.escape(&mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), String> {
        let plain = match self.next() {
            Some(c @ ('"' | '\'' | '\\' | '/')) => c,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let high = self.unit()?;
                let mut units = vec![high];
                if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    units.push(self.unit()?);
                }
                text.push_str(&String::from_utf16_lossy(&units));
                return Ok(());
            }
            Some(c) => return Err(self.wrong(&format!("Bad JSON escape sequence: \\{c}."))),
            None => return Err(self.wrong("Unterminated string. Expected delimiter: \".")),
        };
        text.push(plain);
        Ok(())
    }

    fn unit(&mut self) -> Result<u16, String> {
        let digits = self.text.get(self.at..self.at + 4);
        let unit = digits.and_then(|d| u16::from_str_radix(d, 16).ok());
        let unit = unit.ok_or_else(|| self.wrong("Could not convert Unicode escape to a character."))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_az_pastes_is_read() {
        let text = "{\"properties\": {\"mode\": \"Incremental\", template:{\n  // a comment\n  \"a\": 'x', /* more */\n  \"b\": [1, -2.5, true, null,],\n  \"c\": \"two\nlines\"\n}}}";
        let read = parse(text).unwrap();
        assert_eq!(
            read.value["properties"]["template"],
            json!({"a": "x", "b": [1, -2.5, true, null], "c": "two\nlines"})
        );
        assert_eq!(read.places.of("properties"), (1, 16));
    }

    #[test]
    fn errors_say_where() {
        let error = parse("{\n  \"a\": [1, 2\n").unwrap_err();
        assert!(error.contains("Path 'a[1]', line 3"), "{error}");
        assert!(parse("{\"a\": flase}").unwrap_err().contains("parsing value: f. Path 'a', line 1, position 7."));
        for bad in
            ["", "{", "[", "\"", "{a", "{a:", "{\"a\" 1}", "\"\\u12\"", "\"\\x\"", "1 2", "/*", "é", "-", "1e999"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&"[".repeat(100_000)).unwrap_err().contains("MaxDepth"));
    }

    #[test]
    fn surrogates_become_one_character() {
        assert_eq!(parse(r#""\ud83d\ude00 \u00e9""#).unwrap().value, json!("😀 é"));
    }
}
