//! JSON as Azure's reader takes it from templates: comments, unquoted names, single quotes, line breaks
//! within strings; and where in the text each object stood.
//! Must not know: what a template means.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::values::clipped;
use crate::domain::world::json::{DEPTH_LIMIT, Full, Meter, Unread};

/// Where objects begin: line and column, from 1, by the hash of the path that Azure's messages use
/// (`properties.template.resources[0]`). The paths themselves may be as long as the text, for each object of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(HashMap<u64, (usize, usize)>);

/// What a place takes in memory, with the room that a table leaves free.
const PLACE: usize = 56;

impl Places {
    /// Where the object at `path` begins. What was not read from text stands at line 1, column 1.
    #[must_use]
    pub fn of(&self, path: &str) -> (usize, usize) {
        self.0.get(&hashed(START, path)).copied().unwrap_or((1, 1))
    }
}

/// A document and the places of its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub value: Value,
    pub places: Places,
    /// What both take in memory.
    pub size: usize,
}

/// What the hash of a path begins with.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, which goes on where it ended: a path grows at its end.
fn hashed(from: u64, text: &str) -> u64 {
    text.bytes().fold(from, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Reads a document that may take `limit` bytes of memory. The error is a sentence with path, line and position.
pub fn parse(text: &str, limit: usize) -> Result<Document, Unread> {
    let mut reader = Reader::new(text, limit, Some(HashMap::new()));
    let value = reader.all()?;
    Ok(Document { value, size: limit - reader.meter.left(), places: Places(reader.places.unwrap_or_default()) })
}

/// The same of a text whose places are of no use.
pub fn value(text: &str, limit: usize) -> Result<Value, Unread> {
    Reader::new(text, limit, None).all()
}

fn too_large(_: Full) -> Unread {
    Unread::TooLarge
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    path: String,
    /// The hash of `path`.
    hash: u64,
    places: Option<HashMap<u64, (usize, usize)>>,
    meter: Meter,
    depth: usize,
    /// An offset with its line and column, so that each place is counted from the one before.
    mark: (usize, usize, usize),
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, limit: usize, places: Option<HashMap<u64, (usize, usize)>>) -> Self {
        let meter = Meter::new(limit);
        Self { text, at: 0, path: String::new(), hash: START, places, meter, depth: 0, mark: (0, 1, 1) }
    }

    fn all(&mut self) -> Result<Value, Unread> {
        self.gap()?;
        let value = self.value()?;
        self.gap()?;
        match self.peek() {
            None => Ok(value),
            Some(c) => {
                Err(self.wrong(&format!("Additional text encountered after finished reading JSON content: {c}.")))
            }
        }
    }

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

    fn wrong(&mut self, what: &str) -> Unread {
        let (line, column) = self.place();
        let path = clipped(self.path.clone());
        Unread::Malformed(format!("{what} Path '{path}', line {line}, position {column}."))
    }

    fn unexpected(&mut self) -> Unread {
        match self.peek() {
            None => self.wrong("Unexpected end when reading JSON."),
            Some(c) => self.wrong(&format!("Unexpected character encountered while parsing value: {c}.")),
        }
    }

    /// Skips white space and comments.
    fn gap(&mut self) -> Result<(), Unread> {
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

    fn value(&mut self) -> Result<Value, Unread> {
        match self.peek() {
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some('"' | '\'') => {
                let text = self.string()?;
                self.meter.text(text.len()).map_err(too_large)?;
                Ok(Value::String(text))
            }
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

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Unread>) -> Result<Value, Unread> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.wrong(&format!("The reader's MaxDepth of {DEPTH_LIMIT} has been exceeded.")));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, Unread> {
        if self.places.is_some() {
            self.meter.take(PLACE).map_err(too_large)?;
            let place = self.place();
            self.places.as_mut().map(|places| places.insert(self.hash, place));
        }
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
                let name = clipped(name);
                return Err(
                    self.wrong(&format!("Invalid character after parsing property name '{name}'. Expected ':'."))
                );
            }
            self.gap()?;
            self.meter.entry(map.len(), &name).map_err(too_large)?;
            let before = (self.path.len(), self.hash);
            self.step(if self.path.is_empty() { "" } else { "." });
            self.step(&name);
            let value = self.value()?;
            self.separator('}')?;
            self.back(before);
            map.insert(name, value);
        }
    }

    fn array(&mut self) -> Result<Value, Unread> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.gap()?;
            if self.peek() == Some(']') {
                self.next();
                self.meter.finish(&mut items);
                return Ok(Value::Array(items));
            }
            let before = (self.path.len(), self.hash);
            self.step(&format!("[{}]", items.len()));
            let item = self.value()?;
            self.meter.push(&mut items, item).map_err(too_large)?;
            self.separator(']')?;
            self.back(before);
        }
    }

    /// Goes on in the path.
    fn step(&mut self, part: &str) {
        self.path.push_str(part);
        self.hash = hashed(self.hash, part);
    }

    /// Goes back in the path.
    fn back(&mut self, (length, hash): (usize, u64)) {
        self.path.truncate(length);
        self.hash = hash;
    }

    /// A comma, or nothing before the closing character, which stays. A comma before it is allowed.
    fn separator(&mut self, closing: char) -> Result<(), Unread> {
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

    fn number(&mut self) -> Result<Value, Unread> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = &rest[..end];
        let number = match word.parse::<i64>() {
            Ok(integer) => Some(Value::from(integer)),
            Err(_) => word.parse::<f64>().ok().filter(|f| f.is_finite()).map(Value::from),
        };
        let number = number.ok_or_else(|| {
            self.wrong(&format!("Input string '{}' is not a valid number.", clipped(word.to_owned())))
        })?;
        self.at += end;
        Ok(number)
    }

    fn string(&mut self) -> Result<String, Unread> {
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

    fn escape(&mut self, text: &mut String) -> Result<(), Unread> {
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

    fn unit(&mut self) -> Result<u16, Unread> {
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
        let read = parse(text, 100_000).unwrap();
        assert_eq!(
            read.value["properties"]["template"],
            json!({"a": "x", "b": [1, -2.5, true, null], "c": "two\nlines"})
        );
        assert_eq!(read.places.of("properties"), (1, 16));
    }

    #[test]
    fn errors_say_where() {
        let wrong = |text: &str| match parse(text, 100_000) {
            Err(Unread::Malformed(why)) => why,
            other => panic!("{text}: {other:?}"),
        };
        let error = wrong("{\n  \"a\": [1, 2\n");
        assert!(error.contains("Path 'a[1]', line 3"), "{error}");
        assert!(wrong("{\"a\": flase}").contains("parsing value: f. Path 'a', line 1, position 7."));
        for bad in
            ["", "{", "[", "\"", "{a", "{a:", "{\"a\" 1}", "\"\\u12\"", "\"\\x\"", "1 2", "/*", "é", "-", "1e999"]
        {
            wrong(bad);
        }
        assert!(wrong(&"[".repeat(100_000)).contains("MaxDepth"));
    }

    #[test]
    fn surrogates_become_one_character() {
        assert_eq!(parse(r#""\ud83d\ude00 \u00e9""#, 1000).unwrap().value, json!("😀 é"));
    }

    #[test]
    fn places_and_messages_do_not_grow_with_the_names_above_them() {
        let name = "n".repeat(100_000);
        let text = format!("{{\"{name}\": [{}0]}}", "{},".repeat(3_000));
        let read = parse(&text, 2_000_000).unwrap();
        assert_eq!(read.places.of(&format!("{name}[1]")), (1, name.len() + 10));
        assert!(read.size < 2_000_000 && read.size > 3_000 * PLACE);
        let Err(Unread::Malformed(why)) = parse(&text[..text.len() - 2], 2_000_000) else { panic!("it is not whole") };
        assert!(why.len() < 20_000, "{}", why.len());
        assert_eq!(parse(&text, 500_000).unwrap_err(), Unread::TooLarge);
        assert_eq!(value("[[],[],[]]", 100).unwrap_err(), Unread::TooLarge);
    }
}
