//! `$filter` of OData: the grammar of all front ends. Each says which properties and words it takes; a filter with
//! anything else is none, and the front end refuses it in its own words.
//! Must not know: which objects there are, whose filter it is.

use serde_json::Value;

/// A condition on an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them. A list, for as many may stand beside each other as fit into a request.
    All(Vec<Self>),
    /// One of them.
    One(Vec<Self>),
    Not(Box<Self>),
    /// `property eq value`.
    Equal(String, Value),
    /// `property in ('a','b')`.
    In(String, Vec<Value>),
    /// `startswith(property,'a')`.
    StartsWith(String, String),
    /// `substringof('a',property)`.
    SubstringOf(String, String),
    /// `property/any(x:x eq 'a')`.
    Any(String, Value),
    /// A function of the service's own, by its name in the list of words: `atScope()`, `assignedTo('a')`.
    Call(&'static str, Option<String>),
}

/// What a front end takes in filters of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Language<'a> {
    /// The properties, in their own case.
    pub properties: &'a [&'a str],
    /// What it takes beside `eq` and `and`: operators (`or`, `ne`), functions (`startswith`), the service's own.
    pub words: &'static [&'static str],
}

/// How deep brackets may go: more than any client sends, less than the stack holds.
const DEPTH: usize = 32;

impl Filter {
    /// Parses a filter. `None`: it is none, or has what the language does not.
    #[must_use]
    pub fn parse(text: &str, language: Language<'_>) -> Option<Self> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, language, depth: 0 };
        let filter = parser.either()?;
        (parser.at == tokens.len()).then_some(filter)
    }

    /// Whether an object meets it. Texts are compared without case. Functions of a service's own hold: who takes them
    /// has looked for them.
    #[must_use]
    pub fn holds(&self, object: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(object)),
            Self::One(parts) => parts.iter().any(|part| part.holds(object)),
            Self::Not(a) => !a.holds(object),
            Self::Equal(property, value) => same(&object[property.as_str()], value),
            Self::In(property, values) => values.iter().any(|v| same(&object[property.as_str()], v)),
            Self::StartsWith(property, start) => object[property.as_str()]
                .as_str()
                .is_some_and(|text| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))),
            Self::SubstringOf(part, property) => object[property.as_str()]
                .as_str()
                .is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase())),
            Self::Any(property, value) => {
                object[property.as_str()].as_array().is_some_and(|all| all.iter().any(|v| same(v, value)))
            }
            Self::Call(..) => true,
        }
    }

    /// The text that a property must have, where the filter leaves no other way: lets a list be looked up
    /// and not gone through.
    #[must_use]
    pub fn pinned(&self, name: &str) -> Option<&str> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.pinned(name)),
            Self::Equal(property, value) | Self::Any(property, value) if property == name => value.as_str(),
            Self::One(_)
            | Self::Not(_)
            | Self::Equal(..)
            | Self::In(..)
            | Self::StartsWith(..)
            | Self::SubstringOf(..)
            | Self::Any(..)
            | Self::Call(..) => None,
        }
    }

    /// The text that a property must have, if it says so.
    #[must_use]
    pub fn equal(&self, name: &str) -> Option<&str> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.equal(name)),
            Self::Equal(property, Value::String(value)) if property == name => Some(value),
            Self::Equal(..)
            | Self::One(_)
            | Self::Not(_)
            | Self::In(..)
            | Self::StartsWith(..)
            | Self::SubstringOf(..)
            | Self::Any(..)
            | Self::Call(..) => None,
        }
    }

    /// Whether it says anything of a property.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::All(parts) | Self::One(parts) => parts.iter().any(|part| part.names(name)),
            Self::Not(part) => part.names(name),
            Self::Equal(property, _)
            | Self::In(property, _)
            | Self::StartsWith(property, _)
            | Self::SubstringOf(_, property)
            | Self::Any(property, _) => property == name,
            Self::Call(..) => false,
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '\'' {
            let (text, after) = quoted(&rest[1..])?;
            found.push(Token::Text(text));
            rest = after;
        } else if "(),".contains(first) {
            found.push(Token::Mark(first));
            rest = &rest[1..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "(),'".contains(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Some(found)
}

/// A text up to its closing quote; two quotes inside stand for one.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut from = 0;
    loop {
        let at = from + rest[from..].find('\'')?;
        text.push_str(&rest[from..at]);
        if rest[at + 1..].starts_with('\'') {
            text.push('\'');
            from = at + 2;
        } else {
            return Some((text, &rest[at + 1..]));
        }
    }
}

/// The only part, or all of them as one.
fn joined(mut parts: Vec<Filter>, all: fn(Vec<Filter>) -> Filter) -> Option<Filter> {
    if parts.len() == 1 { parts.pop() } else { Some(all(parts)) }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    language: Language<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn mark(&mut self, mark: char) -> Option<()> {
        (self.next()? == Token::Mark(mark)).then_some(())
    }

    fn word(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) => Some(word),
            Token::Text(_) | Token::Mark(_) => None,
        }
    }

    /// Whether the next token is this word; if so, it is taken.
    fn is(&mut self, word: &str) -> bool {
        let there = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(there);
        there
    }

    /// A word of the language, as it is written there.
    fn known(&self, word: &str) -> Option<&'static str> {
        self.language.words.iter().find(|known| known.eq_ignore_ascii_case(word)).copied()
    }

    /// The same as `is`, for words that not every language has.
    fn takes(&mut self, word: &str) -> bool {
        self.known(word).is_some() && self.is(word)
    }

    fn property(&self, name: &str) -> Option<String> {
        self.language.properties.iter().find(|p| p.eq_ignore_ascii_case(name)).map(|p| (*p).to_owned())
    }

    fn value(&mut self) -> Option<Value> {
        match self.next()? {
            Token::Text(text) => Some(Value::String(text)),
            Token::Word(word) => match word.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                "null" => Some(Value::Null),
                _ => None,
            },
            Token::Mark(_) => None,
        }
    }

    fn either(&mut self) -> Option<Filter> {
        let mut parts = vec![self.both()?];
        while self.takes("or") {
            parts.push(self.both()?);
        }
        joined(parts, Filter::One)
    }

    fn both(&mut self) -> Option<Filter> {
        let mut parts = vec![self.one()?];
        while self.is("and") {
            parts.push(self.one()?);
        }
        joined(parts, Filter::All)
    }

    fn one(&mut self) -> Option<Filter> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let found = self.condition();
        self.depth -= 1;
        found
    }

    fn condition(&mut self) -> Option<Filter> {
        if self.takes("not") {
            return Some(Filter::Not(Box::new(self.one()?)));
        }
        if self.tokens.get(self.at) == Some(&Token::Mark('(')) {
            self.mark('(')?;
            let inner = self.either()?;
            self.mark(')')?;
            return Some(inner);
        }
        if self.takes("startswith") {
            self.mark('(')?;
            let name = self.word()?;
            let property = self.property(&name)?;
            self.mark(',')?;
            let Value::String(start) = self.value()? else { return None };
            self.mark(')')?;
            return Some(Filter::StartsWith(property, start));
        }
        if self.takes("substringof") {
            self.mark('(')?;
            let Value::String(part) = self.value()? else { return None };
            self.mark(',')?;
            let name = self.word()?;
            let property = self.property(&name)?;
            self.mark(')')?;
            return Some(Filter::SubstringOf(part, property));
        }
        let name = self.word()?;
        if self.tokens.get(self.at) == Some(&Token::Mark('(')) && !name.ends_with("/any") {
            let known = self.known(&name)?;
            self.mark('(')?;
            let text = match self.next()? {
                Token::Mark(')') => return Some(Filter::Call(known, None)),
                Token::Text(text) => text,
                Token::Word(_) | Token::Mark(_) => return None,
            };
            self.mark(')')?;
            return Some(Filter::Call(known, Some(text)));
        }
        if let Some(name) = name.strip_suffix("/any") {
            self.known("any")?;
            return self.any(name);
        }
        let property = self.property(&name)?;
        let operator = self.word()?.to_ascii_lowercase();
        if operator != "eq" {
            self.known(&operator)?;
        }
        match operator.as_str() {
            "eq" => Some(Filter::Equal(property, self.value()?)),
            "ne" => Some(Filter::Not(Box::new(Filter::Equal(property, self.value()?)))),
            "in" => {
                self.mark('(')?;
                let mut values = vec![self.value()?];
                while self.tokens.get(self.at) == Some(&Token::Mark(',')) {
                    self.at += 1;
                    values.push(self.value()?);
                }
                self.mark(')')?;
                Some(Filter::In(property, values))
            }
            _ => None,
        }
    }

    /// `(x:x eq 'a')`, written with or without a blank after the colon.
    fn any(&mut self, name: &str) -> Option<Filter> {
        let property = self.property(name)?;
        self.mark('(')?;
        let head = self.word()?;
        let (variable, mut used) = head.split_once(':').map(|(v, u)| (v.to_owned(), u.to_owned()))?;
        if used.is_empty() {
            used = self.word()?;
        }
        if variable != used || !self.is("eq") {
            return None;
        }
        let value = self.value()?;
        self.mark(')')?;
        Some(Filter::Any(property, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIRECTORY: Language<'_> = Language {
        properties: &["displayName", "appId", "servicePrincipalNames", "accountEnabled", "mail"],
        words: &["or", "not", "ne", "in", "startswith", "any"],
    };

    fn holds(filter: &str) -> bool {
        let object = json!({"displayName": "It's me", "appId": "ABC", "servicePrincipalNames": ["abc", "api://x"], "accountEnabled": true, "mail": null});
        Filter::parse(filter, DIRECTORY).unwrap().holds(&object)
    }

    #[test]
    fn the_forms_that_clients_send() {
        assert!(holds("displayName eq 'it''s ME'"));
        assert!(holds("startswith(displayName,'It')") && holds("startsWith(displayName, 'it''s')"));
        assert!(!holds("startswith(displayName,'t')"));
        assert!(
            holds("servicePrincipalNames/any(c:c eq 'API://x')") && holds("servicePrincipalNames/any(c: c eq 'abc')")
        );
        assert!(!holds("servicePrincipalNames/any(c:c eq 'ab')"));
        assert!(holds("appId in ('x', 'abc')") && holds("accountEnabled eq true") && holds("mail eq null"));
        assert!(holds("appId eq 'abc' and startswith(displayName,'It') or appId eq 'no'"));
        assert!(holds("not (appId eq 'no' or displayName eq 'no')") && holds("appId ne 'no'"));
        // A quote inside a text ends nothing.
        assert!(!holds("displayName eq ''' or appId eq ''abc'"));
    }

    #[test]
    fn very_many_conditions_beside_each_other_need_no_deep_stack() {
        let many = |word: &str| vec!["appId eq 'abc'"; 100_000].join(word);
        assert!(holds(&many(" or ")) && holds(&many(" and ")));
        assert!(!holds(&format!("{} and appId eq 'no'", many(" and "))));
    }

    #[test]
    fn what_is_wanted_can_be_looked_up() {
        let pinned = |text: &str| Filter::parse(text, DIRECTORY).unwrap().pinned("appId").map(str::to_owned);
        assert_eq!(pinned("appId eq 'a' and displayName eq 'b'").as_deref(), Some("a"));
        assert_eq!(pinned("appId eq 'a' or displayName eq 'b'"), None);
    }

    #[test]
    fn the_rest_is_refused() {
        let deep = format!("{}appId eq 'a'{}", "(".repeat(1000), ")".repeat(1000));
        let not = format!("{}appId eq 'a'", "not ".repeat(100_000));
        for wrong in [
            "",
            "appId",
            "appId eq",
            "appId eq 'a",
            "appId gt 'a'",
            "secret eq 'a'",
            "appId eq 'a' and",
            "endswith(displayName,'a')",
            "servicePrincipalNames/any(c:d eq 'a')",
            "servicePrincipalNames/all(c:c eq 'a')",
            "(appId eq 'a'",
            "appId eq 'a')",
            "appId in ()",
            "'a' eq appId",
            deep.as_str(),
            not.as_str(),
        ] {
            assert!(Filter::parse(wrong, DIRECTORY).is_none(), "{}", wrong.get(..40).unwrap_or(wrong));
        }
    }

    #[test]
    fn each_language_has_its_words() {
        let language = Language { properties: &["name", "tagName"], words: &["substringof", "atScope", "assignedTo"] };
        let parse = |text: &str| Filter::parse(text, language);
        assert_eq!(parse("ATSCOPE()"), Some(Filter::Call("atScope", None)));
        assert_eq!(
            parse("atScope() and assignedTo('X')"),
            Some(Filter::All(vec![Filter::Call("atScope", None), Filter::Call("assignedTo", Some("X".to_owned()))]))
        );
        let part = parse("substringof('B',name) and tagName eq 'it''s'").unwrap();
        assert!(part.holds(&json!({"name": "abc", "tagName": "IT'S"})) && !part.holds(&json!({"name": "ac"})));
        assert!(part.names("tagName") && part.names("name") && !part.names("location"));
        for wrong in [
            "name ne 'a'",
            "name eq 'a' or name eq 'b'",
            "not (name eq 'a')",
            "startswith(name,'a')",
            "name in ('a')",
            "name/any(n:n eq 'a')",
            "other()",
            "atScope('a','b')",
            "atScope(",
            "substringof(name,'a')",
            "name eq 'this and that",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
