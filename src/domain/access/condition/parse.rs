//! Reads a condition's text.
//! Must not know: whether it holds.

use std::fmt;

use super::operator::Operator;
use super::{Expression, Operand, Source, Value};

/// Longest condition, in bytes [docs: 8 KB].
pub(super) const LONGEST: usize = 8 * 1024;
/// How deep parentheses and negations may be nested. [inferred]
const DEEPEST: usize = 64;

/// Reads the text of a condition; the error says what is wrong with it and where.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    if text.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.expression()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some(token) => Err(format!("unexpected {token}")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    Not,
    And,
    Or,
    Attribute(Source, String),
    Quoted(String),
    /// Names of operators and functions, numbers, `true` and `false`, GUIDs.
    Word(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("'('"),
            Self::Close => f.write_str("')'"),
            Self::OpenSet => f.write_str("'{'"),
            Self::CloseSet => f.write_str("'}'"),
            Self::Comma => f.write_str("','"),
            Self::Not => f.write_str("NOT"),
            Self::And => f.write_str("AND"),
            Self::Or => f.write_str("OR"),
            Self::Attribute(_, name) => write!(f, "the attribute [{name}]"),
            Self::Quoted(text) => write!(f, "the text '{text}'"),
            Self::Word(word) => write!(f, "'{word}'"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let mut twice = |c: char| chars.next_if(|(_, n)| *n == c).ok_or_else(|| format!("a single '{c}' at {at}"));
        tokens.push(match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '{' => Token::OpenSet,
            '}' => Token::CloseSet,
            ',' => Token::Comma,
            '!' => Token::Not,
            '&' => twice('&').map(|_| Token::And)?,
            '|' => twice('|').map(|_| Token::Or)?,
            '\'' => {
                let mut quoted = String::new();
                loop {
                    match chars.next().ok_or_else(|| format!("the quote at {at} is not closed"))? {
                        (_, '\'') => break,
                        // [inferred] The only way that leaves backslashes for `Like` alone.
                        (_, '\\') if chars.next_if(|(_, n)| *n == '\'').is_some() => quoted.push('\''),
                        (_, c) => quoted.push(c),
                    }
                }
                Token::Quoted(quoted)
            }
            '@' => {
                let rest = &text[at + 1..];
                let (source, inside) = rest.split_once('[').ok_or_else(|| format!("no '[' after the '@' at {at}"))?;
                let (name, _) = inside.split_once(']').ok_or_else(|| format!("no ']' after the '@' at {at}"))?;
                let end = at + 1 + source.len() + 1 + name.len();
                while chars.next_if(|(i, _)| *i <= end).is_some() {}
                let known = ["request", "resource", "principal", "environment"];
                let kinds = [Source::Request, Source::Resource, Source::Principal, Source::Environment];
                let kind = known.iter().position(|k| k.eq_ignore_ascii_case(source.trim()));
                let kind = kind.map(|k| kinds[k]).ok_or_else(|| format!("'@{source}' at {at} is no source"))?;
                if name.trim().is_empty() {
                    return Err(format!("no name of an attribute at {at}"));
                }
                Token::Attribute(kind, name.trim().to_owned())
            }
            c if c.is_ascii_alphanumeric() || c == '-' => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, ':' | '-')) {
                    word.push(c);
                }
                match word.to_ascii_lowercase().as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    _ => Token::Word(word),
                }
            }
            other => return Err(format!("unexpected '{other}' at {at}")),
        });
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Result<Token, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("it ends too early")?;
        self.at += 1;
        Ok(token)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let there = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        let found = self.next()?;
        if found == *token { Ok(()) } else { Err(format!("{token} was expected, not {found}")) }
    }

    /// Terms with `AND` or `OR` between them; both only with parentheses [docs].
    fn expression(&mut self) -> Result<Expression, String> {
        let first = self.term()?;
        let and = match self.tokens.get(self.at) {
            Some(Token::And) => true,
            Some(Token::Or) => false,
            _ => return Ok(first),
        };
        let (word, other) = if and { (Token::And, Token::Or) } else { (Token::Or, Token::And) };
        let mut parts = vec![first];
        while self.eat(&word) {
            parts.push(self.term()?);
        }
        if self.tokens.get(self.at) == Some(&other) {
            return Err("AND and OR beside each other need parentheses".to_owned());
        }
        Ok(if and { Expression::All(parts) } else { Expression::Any(parts) })
    }

    fn term(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST}"));
        }
        let term = if self.eat(&Token::Not) {
            Expression::Not(Box::new(self.term()?))
        } else if self.eat(&Token::Open) {
            let inner = self.expression()?;
            self.expect(&Token::Close)?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(term)
    }

    /// A function or a comparison.
    fn test(&mut self) -> Result<Expression, String> {
        if let Some(Token::Word(word)) = self.tokens.get(self.at) {
            let function = word.to_ascii_lowercase();
            if ["actionmatches", "suboperationmatches", "exists", "notexists"].contains(&function.as_str()) {
                self.at += 1;
                return self.function(&function);
            }
        }
        let left = self.operand()?;
        let Token::Word(word) = self.next()? else { return Err("an operator was expected".to_owned()) };
        let operator = Operator::parse(&word).ok_or_else(|| format!("'{word}' is no operator"))?;
        let right = self.operand()?;
        let several = |operand: &Operand| matches!(operand, Operand::Values(values) if values.len() > 1);
        if operator.every.is_none() && (several(&left) || several(&right)) {
            return Err(format!("'{word}' compares one value; For…Of…Values: compares several"));
        }
        Ok(Expression::Compare(left, operator, right))
    }

    fn function(&mut self, function: &str) -> Result<Expression, String> {
        if function.ends_with("exists") {
            let Token::Attribute(source, name) = self.next()? else {
                return Err("an attribute was expected".to_owned());
            };
            let exists = Expression::Exists(source, name);
            return Ok(if function == "exists" { exists } else { Expression::Not(Box::new(exists)) });
        }
        self.expect(&Token::OpenSet)?;
        let Token::Quoted(pattern) = self.next()? else { return Err("a name in quotes was expected".to_owned()) };
        self.expect(&Token::CloseSet)?;
        Ok(if function == "actionmatches" { Expression::Action(pattern) } else { Expression::SubOperation })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next()? {
            Token::Attribute(source, name) => Ok(Operand::Attribute(source, name)),
            Token::OpenSet => {
                let mut values = vec![self.value()?];
                while self.eat(&Token::Comma) {
                    values.push(self.value()?);
                }
                self.expect(&Token::CloseSet)?;
                Ok(Operand::Values(values))
            }
            _ => {
                self.at -= 1;
                self.value().map(|value| Operand::Values(vec![value]))
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.next()? {
            Token::Quoted(text) => Ok(Value::Text(text)),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            Token::Word(word) => match word.parse() {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) if uuid::Uuid::try_parse(&word).is_ok() => Ok(Value::Guid(word)),
                Err(_) => Err(format!("'{word}' is no value; text stands in quotes")),
            },
            other => Err(format!("a value was expected, not {other}")),
        }
    }
}
