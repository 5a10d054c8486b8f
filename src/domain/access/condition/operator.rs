//! Comparisons of a condition: their names, and whether one holds of values.
//! Must not know: where the values come from.

use super::Value;
use crate::domain::world::time::Timestamp;

/// A comparison, and how it is spread over several values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Operator {
    pub(super) relation: Relation,
    negated: bool,
    /// Every value on the left has to satisfy it, not just one; then the same on the right. `None`: one value each.
    pub(super) every: Option<(bool, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Relation {
    Text(Text, bool),
    Number(Order),
    Time(Order),
    Bool,
    Guid,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Text {
    Equals,
    StartsWith,
    Like,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
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
    pub(super) fn parse(word: &str) -> Option<Self> {
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
            Relation::Guid => guid(&word(left)?) == guid(&word(right)?),
        };
        Some(holds != self.negated)
    }

    pub(super) fn evaluate(self, left: &[Value], right: &[Value]) -> Option<bool> {
        let Some((every_left, every_right)) = self.every else {
            let ([left], [right]) = (left, right) else { return None };
            return self.compare(left, right);
        };
        let of = |l: &Value| spread(every_right, right.iter().map(|r| self.compare(l, r)));
        spread(every_left, left.iter().map(of))
    }
}

/// All of them or any of them, where some may not be known.
pub(super) fn spread(every: bool, mut of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    // The first that decides does; without one, what is not known leaves all open.
    of.try_fold(Some(every), |so_far, one| match one {
        Some(one) if one != every => Err(Some(one)),
        Some(_) => Ok(so_far),
        None => Ok(None),
    })
    .unwrap_or_else(|decided| decided)
}

/// As GUIDs are written most often: built-in roles leave the dashes out.
fn guid(text: &str) -> String {
    uuid::Uuid::try_parse(text).map_or_else(|_| text.to_ascii_lowercase(), |guid| guid.to_string())
}

/// `*` stands for any text, `?` for one character, a backslash takes either's meaning away [docs].
pub(super) fn like(text: &str, pattern: &str) -> bool {
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
