//! Conditions of role assignments: the language of version 2.0 [docs: conditions-format], read and evaluated.
//! Must not know: which actions there are, where attributes come from.

use super::role::matches;
use crate::domain::world::time::Timestamp;

/// Longest condition, in bytes [docs: 8 KB].
const LONGEST: usize = 8 * 1024;
/// How deep parentheses and negations may be nested. [inferred]
const DEEPEST: usize = 64;

/// Where an attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What is asked for: `@Request`.
    Request,
    /// What it is asked of: `@Resource`.
    Resource,
    /// Who asks: `@Principal`.
    Principal,
    /// When and how: `@Environment`.
    Environment,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In quotes: text, and times too.
    Text(String),
    Number(i64),
    /// `true` or `false`.
    Bool(bool),
    /// Without quotes, as GUIDs stand.
    Guid(String),
}

/// What is known of an attempt: attributes by where they stand. What is not named is not known.
#[derive(Debug, Clone, Default)]
pub struct Attributes(Vec<(Source, String, Vec<Value>)>);

impl Attributes {
    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, source: Source, name: &str, values: Vec<Value>) -> Self {
        self.0.push((source, name.to_owned(), values));
        self
    }

    /// With one more attribute of one text.
    #[must_use]
    pub fn text(self, source: Source, name: &str, value: &str) -> Self {
        self.with(source, name, vec![Value::Text(value.to_owned())])
    }

    fn of(&self, source: Source, name: &str) -> Option<&[Value]> {
        let found = self.0.iter().find(|(s, n, _)| *s == source && n.eq_ignore_ascii_case(name));
        found.map(|(_, _, values)| values.as_slice())
    }
}

/// A condition, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Expression);

impl Condition {
    /// Reads a condition; the error says what is wrong with it and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let expression = parser.expression()?;
        match parser.tokens.get(parser.at) {
            None => Ok(Self(expression)),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    /// One that never holds: for what cannot be read.
    #[must_use]
    pub fn never() -> Self {
        Self(Expression::Unknown)
    }

    /// Whether it holds for an attempt at `action`. What cannot be told, because an attribute is not known or is of
    /// another kind than the operator wants, does not hold, and neither does its negation. [inferred]
    #[must_use]
    pub fn holds(&self, action: &str, attributes: &Attributes) -> bool {
        self.0.evaluate(action, attributes) == Some(true)
    }

    /// The first instant after `now` at which it may turn, to hold or not to hold, because time has passed. `None`: all
    /// that follows is alike.
    #[must_use]
    pub fn turns_after(&self, now: Timestamp) -> Option<Timestamp> {
        let mut instants = Vec::new();
        if !self.0.instants(&mut instants) {
            return Some(now.plus(1));
        }
        instants.into_iter().filter(|at| *at > now).min()
    }
}

/// The attribute of [`Source::Environment`] that says what time it is.
pub const UTC_NOW: &str = "UtcNow";

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// `ActionMatches{'pattern'}`.
    Action(String),
    /// `SubOperationMatches{'name'}`: only storage has them, so none matches here.
    SubOperation,
    /// `Exists @…[…]`.
    Exists(Source, String),
    Compare(Operand, Operator, Operand),
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Attribute(Source, String),
    Values(Vec<Value>),
}

/// A comparison, and how it is spread over several values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Operator {
    relation: Relation,
    negated: bool,
    /// Every value on the left has to satisfy it, not just one; then the same on the right. `None`: one value each.
    every: Option<(bool, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    Text(Text, bool),
    Number(Order),
    Time(Order),
    Bool,
    Guid,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Text {
    Equals,
    StartsWith,
    Like,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "equals" => Self::Equal,
            "lessthan" => Self::Less,
            "lessthanequals" => Self::LessOrEqual,
            "greaterthan" => Self::Greater,
            "greaterthanequals" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

impl Operator {
    /// `ForAnyOfAnyValues:StringNotEqualsIgnoreCase`, case aside.
    fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let (every, word) = match word.split_once(':') {
            None => (None, word.as_str()),
            Some((spread, rest)) => {
                let every = match spread {
                    "foranyofanyvalues" => (false, false),
                    "forallofanyvalues" => (true, false),
                    "foranyofallvalues" => (false, true),
                    "forallofallvalues" => (true, true),
                    _ => return None,
                };
                (Some(every), rest)
            }
        };
        let not = |rest: &'_ str| rest.strip_prefix("not").map_or((false, rest.to_owned()), |r| (true, r.to_owned()));
        let (negated, relation) = if let Some(rest) = word.strip_prefix("string") {
            let (negated, rest) = not(rest);
            let (kind, ignore_case) = rest.strip_suffix("ignorecase").map_or((rest.as_str(), false), |r| (r, true));
            let kind = match kind {
                "equals" => Text::Equals,
                "startswith" => Text::StartsWith,
                "like" => Text::Like,
                _ => return None,
            };
            (negated, Relation::Text(kind, ignore_case))
        } else if let Some(rest) = word.strip_prefix("numeric") {
            let (negated, rest) = not(rest);
            (negated, Relation::Number(Order::parse(&rest).filter(|o| !negated || *o == Order::Equal)?))
        } else if let Some(rest) = word.strip_prefix("datetime") {
            let (negated, rest) = not(rest);
            (negated, Relation::Time(Order::parse(&rest).filter(|o| !negated || *o == Order::Equal)?))
        } else if let Some(rest) = word.strip_prefix("bool") {
            let (negated, rest) = not(rest);
            (negated, (rest == "equals").then_some(Relation::Bool)?)
        } else {
            let (negated, rest) = not(word.strip_prefix("guid")?);
            (negated, (rest == "equals").then_some(Relation::Guid)?)
        };
        Some(Self { relation, negated, every })
    }

    /// Of two values; `None` where they are not what the operator compares.
    fn compare(self, left: &Value, right: &Value) -> Option<bool> {
        let word = |value: &Value| match value {
            Value::Text(text) | Value::Guid(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => None,
        };
        let time = |value: &Value| word(value).and_then(|text| Timestamp::parse(&text)).map(|t| t.0);
        let number = |value: &Value| if let Value::Number(number) = value { Some(*number) } else { None };
        let truth = |value: &Value| if let Value::Bool(truth) = value { Some(*truth) } else { None };
        let holds = match self.relation {
            Relation::Text(kind, ignore_case) => {
                let (mut left, mut right) = (word(left)?, word(right)?);
                if ignore_case {
                    (left, right) = (left.to_lowercase(), right.to_lowercase());
                }
                match kind {
                    Text::Equals => left == right,
                    Text::StartsWith => left.starts_with(&right),
                    Text::Like => like(&left, &right),
                }
            }
            Relation::Number(order) => order.holds(number(left)?, number(right)?),
            Relation::Time(order) => order.holds(time(left)?, time(right)?),
            Relation::Bool => truth(left)? == truth(right)?,
            Relation::Guid => word(left)?.eq_ignore_ascii_case(&word(right)?),
        };
        Some(holds != self.negated)
    }

    fn evaluate(self, left: &[Value], right: &[Value]) -> Option<bool> {
        let Some((every_left, every_right)) = self.every else {
            let ([left], [right]) = (left, right) else { return None };
            return self.compare(left, right);
        };
        let of = |l: &Value| spread(every_right, right.iter().map(|r| self.compare(l, r)));
        spread(every_left, left.iter().map(of))
    }
}

/// All of them or any of them, where some may not be known.
fn spread(every: bool, mut of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    // The first that decides does; without one, what is not known leaves all open.
    of.try_fold(Some(every), |so_far, one| match one {
        Some(one) if one != every => Err(Some(one)),
        Some(_) => Ok(so_far),
        None => Ok(None),
    })
    .unwrap_or_else(|decided| decided)
}

/// `*` stands for any text, `?` for one character, a backslash takes either's meaning away [docs].
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // Position by position: which beginnings of the text the pattern so far can be.
    let mut reached: Vec<bool> = std::iter::once(true).chain(text.iter().map(|_| false)).collect();
    let mut at = 0;
    while at < pattern.len() {
        let escaped = pattern[at] == '\\' && matches!(pattern.get(at + 1), Some('*' | '?' | '\\'));
        at += usize::from(escaped);
        let wanted = pattern[at];
        at += 1;
        let mut next = vec![false; text.len() + 1];
        if wanted == '*' && !escaped {
            let first = reached.iter().position(|r| *r).unwrap_or(next.len());
            next[first..].fill(true);
        } else {
            for (i, c) in text.iter().enumerate() {
                next[i + 1] = reached[i] && (*c == wanted || (wanted == '?' && !escaped));
            }
        }
        reached = next;
    }
    reached[text.len()]
}

impl Expression {
    /// `None`: it cannot be told.
    fn evaluate(&self, action: &str, attributes: &Attributes) -> Option<bool> {
        match self {
            Self::All(parts) => spread(true, parts.iter().map(|p| p.evaluate(action, attributes))),
            Self::Any(parts) => spread(false, parts.iter().map(|p| p.evaluate(action, attributes))),
            Self::Not(inner) => inner.evaluate(action, attributes).map(|holds| !holds),
            Self::Action(pattern) => Some(matches(pattern, action)),
            Self::SubOperation => Some(false),
            Self::Exists(source, name) => Some(attributes.of(*source, name).is_some()),
            Self::Compare(left, operator, right) => {
                operator.evaluate(left.values(attributes)?, right.values(attributes)?)
            }
            Self::Unknown => None,
        }
    }
}

impl Expression {
    /// Notes the instants at which a comparison with the time turns. `false`: one of them may turn at any instant.
    fn instants(&self, noted: &mut Vec<Timestamp>) -> bool {
        let (left, operator, right) = match self {
            Self::All(parts) | Self::Any(parts) => return parts.iter().all(|part| part.instants(noted)),
            Self::Not(inner) => return inner.instants(noted),
            Self::Compare(left, operator, right) => (left, operator, right),
            Self::Action(_) | Self::SubOperation | Self::Exists(..) | Self::Unknown => return true,
        };
        let compared = match (left.is_time(), right.is_time()) {
            (false, false) => return true,
            (true, false) => right,
            (false, true) => left,
            (true, true) => return false,
        };
        let (Relation::Time(_), Operand::Values(values)) = (operator.relation, compared) else { return false };
        for value in values {
            if let Value::Text(text) | Value::Guid(text) = value
                && let Some(at) = Timestamp::parse(text)
            {
                // `Greater` and `Equal` turn just after it.
                noted.extend([at, at.plus(1)]);
            }
        }
        true
    }
}

impl Operand {
    fn is_time(&self) -> bool {
        matches!(self, Self::Attribute(Source::Environment, name) if name.eq_ignore_ascii_case(UTC_NOW))
    }

    fn values<'a>(&'a self, attributes: &'a Attributes) -> Option<&'a [Value]> {
        match self {
            Self::Attribute(source, name) => attributes.of(*source, name),
            Self::Values(values) => Some(values),
        }
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
        if found == *token { Ok(()) } else { Err(format!("{token:?} was expected, not {found:?}")) }
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
            other => Err(format!("a value was expected, not {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READ: &str = "Microsoft.ContainerRegistry/registries/repositories/content/read";
    const NAME: &str = "Microsoft.ContainerRegistry/registries/repositories:name";

    fn repository(name: &str) -> Attributes {
        Attributes::default().text(Source::Request, NAME, name)
    }

    fn holds(condition: &str, action: &str, attributes: &Attributes) -> bool {
        Condition::parse(condition).unwrap().holds(action, attributes)
    }

    #[test]
    fn a_simple_condition_narrows_its_action_only() {
        let condition = format!(
            "(\n (\n  !(ActionMatches{{'{READ}'}})\n )\n OR \n (\n  @Request[{NAME}] StringStartsWithIgnoreCase 'team-a/'\n )\n)"
        );
        assert!(holds(&condition, READ, &repository("team-a/app")));
        assert!(holds(&condition, &READ.to_uppercase(), &repository("Team-A/app")));
        assert!(!holds(&condition, READ, &repository("team-b/app")));
        assert!(holds(&condition, "Microsoft.ContainerRegistry/registries/catalog/read", &Attributes::default()));
        assert!(!holds(&condition, READ, &Attributes::default()), "what is not known does not hold");
        let negated = format!("!({condition})");
        assert!(!holds(&negated, READ, &Attributes::default()), "and neither does its negation");
        assert!(holds(&negated, READ, &repository("team-b/app")));
    }

    #[test]
    fn each_operator() {
        let cases = [
            ("StringEquals 'a/B'", true),
            ("stringEquals 'a/B'", true),
            ("StringEquals 'a/b'", false),
            ("StringEqualsIgnoreCase 'A/b'", true),
            ("StringNotEquals 'a/b'", true),
            ("StringNotEqualsIgnoreCase 'A/b'", false),
            ("StringStartsWith 'a/'", true),
            ("StringStartsWith 'A/'", false),
            ("StringStartsWithIgnoreCase 'A/'", true),
            ("StringNotStartsWith 'A/'", true),
            ("StringNotStartsWithIgnoreCase 'A/'", false),
            ("StringLike 'a*'", true),
            ("StringLike '?/?'", true),
            ("StringLike 'A*'", false),
            ("StringLike '*b'", false),
            ("StringLikeIgnoreCase '*b'", true),
            ("StringLike 'a\\*'", false),
            ("StringNotLike 'x*'", true),
            ("StringNotLikeIgnoreCase 'A*'", false),
            ("ForAnyOfAnyValues:StringEquals {'x', 'a/B'}", true),
            ("ForAnyOfAllValues:StringNotEquals {'x', 'y'}", true),
            ("ForAnyOfAllValues:StringNotEquals {'x', 'a/B'}", false),
            ("NumericEquals 3", false),
        ];
        for (test, wanted) in cases {
            assert_eq!(holds(&format!("@Request[{NAME}] {test}"), READ, &repository("a/B")), wanted, "{test}");
        }
    }

    #[test]
    fn the_examples_of_the_documentation() {
        let cases = [
            ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'blue', 'green'}", true),
            ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'orange', 'green'}", false),
            ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'orange', 'red', 'blue'}", true),
            ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'red', 'green'}", false),
            ("{10, 20} ForAnyOfAllValues:NumericLessThan {15, 18}", true),
            ("{10, 20} ForAllOfAllValues:NumericLessThan {5, 15, 18}", false),
            ("{10, 20} ForAllOfAllValues:NumericLessThan {25, 30}", true),
            ("{10, 20} ForAllOfAllValues:NumericLessThan {15, 25, 30}", false),
            ("'abcd' StringLike 'a*c?'", true),
            ("'abcd' StringLike 'A*C?'", false),
            ("'abcd' StringLike 'a*c'", false),
            ("ActionMatches{'Microsoft.Authorization/roleAssignments/*'}", true),
            ("ActionMatches{'Microsoft.Authorization/roleDefinitions/*'}", false),
        ];
        for (condition, wanted) in cases {
            let action = "Microsoft.Authorization/roleAssignments/write";
            assert_eq!(holds(condition, action, &Attributes::default()), wanted, "{condition}");
        }
    }

    #[test]
    fn other_kinds_of_values() {
        let at = Attributes::default()
            .text(Source::Environment, "UtcNow", "2026-05-01T12:00:00Z")
            .with(Source::Environment, "isPrivateLink", vec![Value::Bool(false)])
            .text(Source::Request, "x:RoleDefinitionId", "8E3AF657-a8ff-443c-a75c-2fe8c4bcb635");
        let cases = [
            ("@Environment[UtcNow] DateTimeGreaterThan '2026-05-01T11:00:00Z'", true),
            ("@Environment[UtcNow] DateTimeLessThanEquals '2026-05-01T11:00:00Z'", false),
            ("@Environment[isPrivateLink] BoolEquals true", false),
            ("@Environment[isPrivateLink] BoolNotEquals true", true),
            (
                "@Request[x:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {8e3af657-a8ff-443c-a75c-2fe8c4bcb635, b24988ac-6180-42a0-ab88-20f7382dd24c}",
                true,
            ),
            (
                "@Request[x:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {8e3af657-a8ff-443c-a75c-2fe8c4bcb635}",
                false,
            ),
            ("Exists @Environment[UtcNow] && NotExists @Principal[x:y]", true),
            ("Exists @Principal[x:y] || SubOperationMatches{'Blob.Read'}", false),
            ("@Principal[x:y] StringEquals 'z'", false),
            ("NOT @Principal[x:y] StringEquals 'z'", false),
        ];
        for (condition, wanted) in cases {
            assert_eq!(holds(condition, "any", &at), wanted, "{condition}");
        }
    }

    #[test]
    fn a_condition_knows_when_it_turns() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let utc = |at: Timestamp| Attributes::default().text(Source::Environment, UTC_NOW, &at.zulu7());
        let (early, first, second) = ("2026-01-01T00:00:00Z", "2026-05-01T11:00:00Z", "2026-06-01T00:00:00Z");
        for order in ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"] {
            let condition = Condition::parse(&format!(
                "!(@Environment[utcnow] DateTime{order} '{first}') AND '{second}' DateTimeGreaterThan @Environment[UtcNow]"
            ))
            .unwrap();
            // From one turn to the next it is the same throughout.
            let mut from = at(early);
            let mut turns = 0;
            while let Some(until) = condition.turns_after(from) {
                assert!(until > from && turns < 5, "{order}");
                let holds = |at| condition.holds("any", &utc(at));
                assert_eq!(holds(from), holds(until.plus(-1)), "{order} from {from:?}");
                (from, turns) = (until, turns + 1);
            }
            assert_eq!(condition.holds("any", &utc(from)), condition.holds("any", &utc(from.plus(1 << 50))), "{order}");
            assert_eq!(turns, 4);
        }
        let turns = |text: &str| Condition::parse(text).unwrap().turns_after(at(early));
        assert_eq!(turns("@Request[a] StringEquals 'b' OR Exists @Environment[UtcNow]"), None);
        assert_eq!(turns("@Environment[UtcNow] DateTimeLessThan 'no time'"), None);
        // What is read of the time as text, or beside what is not known before, may turn at once.
        for any in
            ["@Environment[UtcNow] StringStartsWith '2026-05'", "@Environment[UtcNow] DateTimeEquals @Request[a]"]
        {
            assert_eq!(turns(any), Some(at(early).plus(1)), "{any}");
        }
    }

    #[test]
    fn what_is_no_condition() {
        let deep = format!("{}ActionMatches{{'x'}}{}", "(".repeat(100), ")".repeat(100));
        let long = format!("'{}' StringEquals 'x'", "y".repeat(LONGEST));
        for condition in [
            "",
            "true",
            "'a'",
            "ActionMatches{}",
            "ActionMatches('x')",
            "ActionMatches{'x'",
            "(ActionMatches{'x'}",
            "ActionMatches{'x'})",
            "ActionMatches{'x'} ActionMatches{'y'}",
            "ActionMatches{'x'} AND ActionMatches{'y'} OR ActionMatches{'z'}",
            "@Request[a] StringIs 'x'",
            "@Request[a] StringEquals x",
            "@Request[a] StringEquals {'x', 'y'}",
            "@Request[a] StringEquals 'x",
            "@Request[] StringEquals 'x'",
            "@Request[a StringEquals 'x'",
            "@Nowhere[a] StringEquals 'x'",
            "@Request[a] NumericNotLessThan 3",
            "@Request[a] ForEveryValue:StringEquals {'x'}",
            "ActionMatches{'x'} & ActionMatches{'y'}",
            deep.as_str(),
            long.as_str(),
        ] {
            assert!(Condition::parse(condition).is_err(), "{condition}");
        }
        assert!(!Condition::never().holds("x", &Attributes::default()));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(text in "[@()\\[\\]{}'!&|a-zA-Z:, \\\\é-]{0,60}") {
            let _ = Condition::parse(&text);
        }

        #[test]
        fn a_text_is_like_itself(text in "[a-z/]{0,20}", rest in "[a-z/]{0,5}") {
            prop_assert!(like(&text, &text));
            let (longer, pattern) = (text.clone() + &rest, text + "*");
            prop_assert!(like(&longer, &pattern));
        }
    }
}
