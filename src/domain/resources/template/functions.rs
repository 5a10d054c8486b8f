//! The table of the template functions whose value follows from their arguments alone.
//! Must not know: templates, resources, deployments.

use serde_json::{Value, json};

use super::hash::unique;
use super::values::{Result, boolean, clipped, copy, equal, int, measured, order, shown, text};
use super::{cidr, dates, lists, strings};

type Function = fn(&[Value]) -> Result;

/// Name, fewest and most arguments, what it does.
const TABLE: &[(&str, usize, usize, Function)] = &[
    ("add", 2, 2, |a| arithmetic(a, i64::checked_add)),
    ("array", 1, 1, lists::array),
    ("base64", 1, 1, strings::base64),
    ("base64ToJson", 1, 1, |a| strings::parse_json(&strings::from_base64(&a[0])?)),
    ("base64ToString", 1, 1, |a| strings::from_base64(&a[0]).map(Value::from)),
    ("bool", 1, 1, |a| strings::to_bool(&a[0])),
    ("buildUri", 1, 1, |a| strings::build_uri(&a[0])),
    ("cidrHost", 2, 2, |a| cidr::host(text(&a[0])?, int(&a[1])?).map(Value::from)),
    ("cidrSubnet", 3, 3, |a| cidr::subnet(text(&a[0])?, int(&a[1])?, int(&a[2])?).map(Value::from)),
    ("concat", 1, usize::MAX, lists::concat),
    ("contains", 2, 2, lists::contains),
    ("createArray", 0, usize::MAX, lists::create_array),
    ("createObject", 0, usize::MAX, lists::create_object),
    ("dataUri", 1, 1, strings::data_uri),
    ("dataUriToString", 1, 1, strings::from_data_uri),
    ("dateTimeAdd", 2, 3, |a| dates::add(text(&a[0])?, text(&a[1])?, a.get(2).map(text).transpose()?).map(Value::from)),
    ("dateTimeFromEpoch", 1, 1, |a| dates::from_epoch(int(&a[0])?).map(Value::from)),
    ("dateTimeToEpoch", 1, 1, |a| dates::to_epoch(text(&a[0])?).map(Value::from)),
    ("div", 2, 2, |a| match int(&a[1])? {
        0 => Err("the divisor is zero".to_owned()),
        _ => arithmetic(a, i64::checked_div),
    }),
    ("empty", 1, 1, |a| strings::length(&a[0]).map(|n| json!(n == 0))),
    ("endsWith", 2, 2, lists::ends),
    ("equals", 2, 2, |a| Ok(json!(equal(&a[0], &a[1])))),
    ("false", 0, 0, |_| Ok(json!(false))),
    ("first", 1, 1, |a| lists::end_of(&a[0], false)),
    ("flatten", 1, 1, lists::flatten),
    ("float", 1, 1, |a| strings::to_float(&a[0])),
    ("format", 1, usize::MAX, strings::format_text),
    ("greater", 2, 2, |a| order(a).map(|o| json!(o.is_gt()))),
    ("greaterOrEquals", 2, 2, |a| order(a).map(|o| json!(o.is_ge()))),
    ("guid", 1, usize::MAX, |a| {
        let namespace = uuid::Uuid::from_u128(0x11fb06fb_712d_4ddd_98c7_e71bbd588830);
        Ok(json!(uuid::Uuid::new_v5(&namespace, strings::joined(a)?.as_bytes()).to_string()))
    }),
    ("indexFromEnd", 2, 2, |a| match lists::from_end(a)? {
        Some(item) => copy(item),
        None => {
            Err(format!("the array index '{}' is out of bounds", lists::length(&a[0])?.saturating_sub(int(&a[1])?)))
        }
    }),
    ("indexOf", 2, 2, |a| lists::index_of(&a[0], &a[1], false)),
    ("int", 1, 1, |a| strings::to_int(&a[0])),
    ("intersection", 2, usize::MAX, lists::intersection),
    ("items", 1, 1, lists::items),
    ("join", 2, 2, strings::join),
    ("json", 1, 1, |a| strings::parse_json(text(&a[0])?)),
    ("last", 1, 1, |a| lists::end_of(&a[0], true)),
    ("lastIndexOf", 2, 2, |a| lists::index_of(&a[0], &a[1], true)),
    ("length", 1, 1, |a| strings::length(&a[0]).map(Value::from)),
    ("less", 2, 2, |a| order(a).map(|o| json!(o.is_lt()))),
    ("lessOrEquals", 2, 2, |a| order(a).map(|o| json!(o.is_le()))),
    ("max", 1, usize::MAX, |a| lists::extreme(a, Iterator::max)),
    ("min", 1, usize::MAX, |a| lists::extreme(a, Iterator::min)),
    ("mod", 2, 2, |a| match int(&a[1])? {
        0 => Err("the divisor is zero".to_owned()),
        _ => arithmetic(a, i64::checked_rem),
    }),
    ("mul", 2, 2, |a| arithmetic(a, i64::checked_mul)),
    ("not", 1, 1, |a| boolean(&a[0]).map(|b| json!(!b))),
    ("null", 0, 0, |_| Ok(Value::Null)),
    ("objectKeys", 1, 1, lists::keys),
    ("padLeft", 2, 3, strings::pad_left),
    ("parseCidr", 1, 1, |a| cidr::parse(text(&a[0])?)),
    ("parseUri", 1, 1, |a| strings::parse_uri(text(&a[0])?)),
    ("range", 2, 2, lists::range),
    ("replace", 3, 3, strings::replace),
    ("shallowMerge", 1, 1, lists::shallow_merge),
    ("skip", 2, 2, |a| lists::slice(&a[0], int(&a[1])?, false)),
    ("split", 2, 2, strings::split),
    ("startsWith", 2, 2, lists::starts),
    ("string", 1, 1, |a| shown(&a[0]).map(Value::from)),
    ("sub", 2, 2, |a| arithmetic(a, i64::checked_sub)),
    ("substring", 2, 3, strings::substring),
    ("take", 2, 2, |a| lists::slice(&a[0], int(&a[1])?, true)),
    ("toLower", 1, 1, |a| strings::lower(&a[0]).map(Value::from)),
    ("toUpper", 1, 1, |a| strings::upper(&a[0])),
    ("trim", 1, 1, |a| Ok(json!(text(&a[0])?.trim()))),
    ("true", 0, 0, |_| Ok(json!(true))),
    ("tryGet", 2, usize::MAX, lists::try_get),
    ("tryIndexFromEnd", 2, 2, |a| copy(lists::from_end(a)?.unwrap_or(&Value::Null))),
    ("union", 2, usize::MAX, lists::union),
    ("uniqueString", 1, usize::MAX, |a| Ok(json!(unique(&strings::joined(a)?)))),
    ("uri", 2, 2, strings::uri),
    ("uriComponent", 1, 1, strings::uri_component),
    ("uriComponentToString", 1, 1, strings::from_uri_component),
    ("xor", 2, 2, |a| Ok(json!(boolean(&a[0])? != boolean(&a[1])?))),
];

/// The names of these functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name)
}

/// Calls a function, name in any case. What it gives is no larger and no deeper than a value may be. `None`: there is
/// no such function here.
pub fn call(name: &str, arguments: &[Value]) -> Option<Result> {
    let (name, fewest, most, function) = TABLE.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name))?;
    if let Err(error) = check_count(name, arguments.len(), *fewest, *most) {
        return Some(Err(error));
    }
    let done = function(arguments).and_then(|value| measured(&value).map(|_| value));
    Some(done.map_err(|why| format!("Unable to evaluate template language function '{name}': {}", clipped(why))))
}

/// Steps that a call takes beyond looking once at its arguments, which take so many bytes.
pub fn steps(name: &str, arguments: &[Value], bytes: usize) -> usize {
    match arguments {
        // Each delimiter is looked for at each character.
        [Value::String(all), Value::Array(delimiters)] if name.eq_ignore_ascii_case("split") => {
            all.len().saturating_mul(delimiters.len()) / 8
        }
        // What came before is gone through again for each argument.
        _ if name.eq_ignore_ascii_case("union") => bytes.saturating_mul(arguments.len()) / 32,
        _ => 0,
    }
}

/// The error of a call with a wrong number of arguments, in Azure's words.
pub fn check_count(name: &str, given: usize, fewest: usize, most: usize) -> Result<()> {
    if (fewest..=most).contains(&given) {
        return Ok(());
    }
    let expected = match (fewest, most) {
        (fewest, usize::MAX) => format!("at least '{fewest}'"),
        (fewest, most) if fewest == most => format!("exactly '{fewest}'"),
        (fewest, most) => format!("'{fewest}' to '{most}'"),
    };
    Err(format!(
        "Unable to evaluate template language function '{name}': the function expects {expected} parameter(s) and was invoked with '{given}'"
    ))
}

fn arithmetic(a: &[Value], by: fn(i64, i64) -> Option<i64>) -> Result {
    by(int(&a[0])?, int(&a[1])?).map(Value::from).ok_or_else(|| "the result is not a 64-bit integer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_numbers_break_no_function() {
        let ends =
            [json!(i64::MIN), json!(i64::MIN + 1), json!(i64::MAX), json!(u64::MAX), json!(-1), json!(0), json!(1)];
        let others = [
            json!(["a", i64::MIN, i64::MAX]),
            json!("10.0.0.0/0"),
            json!("::/0"),
            json!("2026-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:59Z"),
            json!("-P9223372036854775807D"),
            json!("{0:X} {0:D99} {0:N99} {0,-32768}"),
            json!(f64::MIN),
        ];
        let all: Vec<Value> = ends.iter().chain(&others).cloned().collect();
        for name in names() {
            for a in &all {
                let _ = call(name, std::slice::from_ref(a));
                for b in &all {
                    let _ = call(name, &[a.clone(), b.clone()]);
                    for c in &ends {
                        let _ = call(name, &[a.clone(), b.clone(), c.clone()]);
                    }
                }
            }
        }
        let said = |name: &str, a: &[Value]| call(name, a).unwrap().unwrap_err();
        for (name, by) in [("sub", 1), ("div", -1), ("mod", -1), ("mul", 2)] {
            assert!(said(name, &[json!(i64::MIN), json!(by)]).contains("not a 64-bit integer"), "{name}");
        }
        assert!(said("indexFromEnd", &[json!([1]), json!(i64::MIN)]).contains("out of bounds"));
    }
}
