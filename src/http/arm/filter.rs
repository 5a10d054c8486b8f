//! Filters of lists in the form that ARM's services share: `field eq 'value'`, joined by `and`.
//! Must not know: which fields a list has.

use crate::domain::Error;
use crate::domain::error::RequestError;

/// The fields, in lower case, and the values that they must have. In a value a quote is written twice. `None`: the
/// filter has another form.
pub(super) fn clauses(filter: &str) -> Option<Vec<(String, String)>> {
    let mut clauses = Vec::new();
    let mut rest = filter.trim();
    while !rest.is_empty() {
        let (field, after) = rest.split_once(" eq ")?;
        let (value, after) = quoted(after.trim_start())?;
        clauses.push((field.trim().to_ascii_lowercase(), value));
        rest = match after.trim_start() {
            "" => "",
            after => {
                let (and, more) = after.split_at_checked(4)?;
                (and.eq_ignore_ascii_case("and ") && !more.trim().is_empty()).then(|| more.trim_start())?
            }
        };
    }
    Some(clauses)
}

/// A value in quotes at the start of a text, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        let Some(more) = after.strip_prefix('\'') else { return Some((value, after)) };
        value.push('\'');
        rest = more;
    }
}

/// The refusal of a filter that a list does not take.
pub(super) fn unsupported(filter: &str) -> Error {
    let message = format!("'{filter}' is not supported");
    RequestError::InvalidValue { property: "$filter".to_owned(), message }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_value_by_value() {
        let clause = |field: &str, value: &str| (field.to_owned(), value.to_owned());
        assert_eq!(clauses(""), Some(Vec::new()));
        assert_eq!(clauses("name eq 'this and that'"), Some(vec![clause("name", "this and that")]));
        assert_eq!(clauses("name eq 'a eq b'"), Some(vec![clause("name", "a eq b")]));
        assert_eq!(
            clauses("Name eq 'it''s' AND location eq ''"),
            Some(vec![clause("name", "it's"), clause("location", "")])
        );
        for wrong in ["name", "name eq a", "name eq 'a", "name eq 'a' and", "name eq 'a' or name eq 'b'"] {
            assert_eq!(clauses(wrong), None, "{wrong}");
        }
    }
}
