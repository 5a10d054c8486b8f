//! Conditions of role assignments: the language of version 2.0 [docs: conditions-format], and whether one holds.
//! Must not know: which actions there are, where attributes come from.

mod operator;
mod parse;

use super::role::matches;
use crate::domain::world::time::Timestamp;
use operator::{Operator, Relation, spread};

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
        parse::parse(text).map(Self)
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

#[cfg(test)]
mod tests {
    use super::operator::like;
    use super::parse::LONGEST;
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
