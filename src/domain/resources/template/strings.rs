//! The functions that make strings of strings, and the conversions from and to them.
//! Must not know: templates, resources, deployments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::json as reader;
use super::values::{List, Result, Text, VALUE_LIMIT, expects, int, list, member_of, shown, text, too_large};
use crate::domain::world::json::Unread;

/// What `uriComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn base64(a: &[Value]) -> Result {
    encoded("", text(&a[0])?)
}

pub(super) fn data_uri(a: &[Value]) -> Result {
    encoded("data:text/plain;charset=utf8;base64,", text(&a[0])?)
}

fn encoded(prefix: &str, plain: &str) -> Result {
    if plain.len() > VALUE_LIMIT / 4 * 3 {
        return Err(too_large());
    }
    let mut made = Text::default();
    made.push(prefix)?;
    made.push(&BASE64.encode(plain))?;
    made.done()
}

pub(super) fn from_base64(value: &Value) -> Result<String> {
    decoded(text(value)?)
}

fn decoded(encoded: &str) -> Result<String> {
    let bytes = BASE64.decode(encoded.trim()).map_err(|_| "the input is not a valid base-64 string".to_owned())?;
    let mut made = Text::default();
    made.push_bytes(&bytes)?;
    made.text()
}

fn unescaped(escaped: &str) -> Result {
    let bytes: Vec<u8> = percent_decode_str(escaped).collect();
    let mut made = Text::default();
    made.push_bytes(&bytes)?;
    made.done()
}

pub(super) fn from_data_uri(a: &[Value]) -> Result {
    let wrong = || "the input is not a data URI".to_owned();
    let (kind, data) = text(&a[0])?.strip_prefix("data:").and_then(|rest| rest.split_once(',')).ok_or_else(wrong)?;
    if kind.len() >= 7 && kind.as_bytes()[kind.len() - 7..].eq_ignore_ascii_case(b";base64") {
        return decoded(data).map(Value::from);
    }
    unescaped(data)
}

pub(super) fn uri_component(a: &[Value]) -> Result {
    let mut made = Text::default();
    utf8_percent_encode(text(&a[0])?, COMPONENT).try_for_each(|part| made.push(part))?;
    made.done()
}

pub(super) fn from_uri_component(a: &[Value]) -> Result {
    unescaped(text(&a[0])?)
}

pub(super) fn parse_json(text: &str) -> Result {
    reader::value(text, VALUE_LIMIT).map_err(|unread| match unread {
        Unread::TooLarge => too_large(),
        Unread::Malformed(why) => why,
    })
}

pub(super) fn to_bool(value: &Value) -> Result {
    let known = match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => n.as_i64().map(|n| n != 0),
        Value::String(t) if t.eq_ignore_ascii_case("true") || t == "1" => Some(true),
        Value::String(t) if t.eq_ignore_ascii_case("false") || t == "0" => Some(false),
        _ => None,
    };
    known.map(Value::from).ok_or_else(|| "the value cannot be converted to a boolean".to_owned())
}

pub(super) fn to_int(value: &Value) -> Result {
    let number = match value {
        Value::Number(n) => n.as_i64(),
        Value::String(t) => t.trim().parse().ok(),
        _ => None,
    };
    number.map(Value::from).ok_or_else(|| "the value cannot be converted to an integer".to_owned())
}

pub(super) fn to_float(value: &Value) -> Result {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|t| t.trim().parse().ok()));
    number.filter(|n| n.is_finite()).map(Value::from).ok_or_else(|| expects("an integer or a string", value))
}

/// The arguments of `guid` and `uniqueString`: strings, joined by dashes.
pub(super) fn joined(arguments: &[Value]) -> Result<String> {
    let mut made = Text::default();
    for (at, part) in arguments.iter().enumerate() {
        let part = text(part).map_err(|_| "all parameters must be string literals".to_owned())?;
        made.push(if at == 0 { "" } else { "-" })?;
        made.push(part)?;
    }
    made.text()
}

pub(super) fn join(a: &[Value]) -> Result {
    let (parts, between) = (list(&a[0])?, text(&a[1])?);
    let mut made = Text::default();
    for (at, part) in parts.iter().enumerate() {
        made.push(if at == 0 { "" } else { between })?;
        made.show(part)?;
    }
    made.done()
}

pub(super) fn replace(a: &[Value]) -> Result {
    let (from, to) = (text(&a[1])?, text(&a[2])?);
    if from.is_empty() {
        return Err("the string to replace is empty".to_owned());
    }
    let mut made = Text::default();
    for (at, part) in text(&a[0])?.split(from).enumerate() {
        made.push(if at == 0 { "" } else { to })?;
        made.push(part)?;
    }
    made.done()
}

/// Character by character, as .NET does without a culture.
pub(super) fn lower(value: &Value) -> Result<String> {
    let mut made = Text::default();
    text(value)?.chars().flat_map(char::to_lowercase).try_for_each(|c| made.push_char(c))?;
    made.text()
}

pub(super) fn upper(value: &Value) -> Result {
    let mut made = Text::default();
    text(value)?.chars().flat_map(char::to_uppercase).try_for_each(|c| made.push_char(c))?;
    made.done()
}

/// Where a string stands in another, case aside [docs], in characters.
pub(super) fn position(all: &Value, wanted: &Value, last: bool) -> Result<Option<usize>> {
    let (all, wanted) = (lower(all)?, lower(wanted)?);
    let at = if last { all.rfind(&wanted) } else { all.find(&wanted) };
    Ok(at.map(|byte| all[..byte].chars().count()))
}

pub(super) fn pad_left(a: &[Value]) -> Result {
    let plain = match &a[0] {
        Value::String(_) | Value::Number(_) => shown(&a[0])?,
        other => return Err(expects("a string or an integer", other)),
    };
    let fill = a.get(2).map(text).transpose()?.unwrap_or(" ");
    let mut characters = fill.chars();
    let (Some(_), None) = (characters.next(), characters.next()) else {
        return Err("the padding must be a single character".to_owned());
    };
    let missing = usize::try_from(int(&a[1])?).unwrap_or(0).saturating_sub(plain.chars().count());
    let mut made = Text::default();
    (0..missing).try_for_each(|_| made.push(fill))?;
    made.push(&plain)?;
    made.done()
}

/// The first characters of a string, or those after them.
pub(super) fn slice(all: &str, count: usize, take: bool) -> Result {
    let at = all.char_indices().nth(count).map_or(all.len(), |(at, _)| at);
    let mut made = Text::default();
    made.push(if take { &all[..at] } else { &all[at..] })?;
    made.done()
}

pub(super) fn substring(a: &[Value]) -> Result {
    let all = text(&a[0])?;
    let out = || "the index and length parameters must refer to a location within the string".to_owned();
    let byte_of = |from: usize, characters: &Value| -> Result<usize> {
        let wanted = usize::try_from(int(characters)?).map_err(|_| out())?;
        let mut starts = all[from..].char_indices().map(|(at, _)| at).chain([all.len() - from]);
        starts.nth(wanted).map(|at| from + at).ok_or_else(out)
    };
    let start = byte_of(0, &a[1])?;
    let end = a.get(2).map_or(Ok(all.len()), |length| byte_of(start, length))?;
    let mut made = Text::default();
    made.push(&all[start..end])?;
    made.done()
}

/// The strings at which `split` splits.
pub(super) fn delimiters(value: &Value) -> Result<Vec<&str>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

pub(super) fn split(a: &[Value]) -> Result {
    let all = text(&a[0])?;
    let delimiters = delimiters(&a[1])?;
    let mut parts = List::new();
    let mut rest = all;
    let mut from = 0;
    while from < rest.len() {
        let hit = delimiters.iter().find(|d| !d.is_empty() && rest[from..].starts_with(**d));
        match hit {
            Some(delimiter) => {
                parts.push(json!(&rest[..from]))?;
                rest = &rest[from + delimiter.len()..];
                from = 0;
            }
            None => from += rest[from..].chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(json!(rest))?;
    Ok(parts.done())
}

/// .NET's composite format, as far as templates use it: `{0}`, `{0,5}`, `{0:D3}`, `{0:N2}`, `{0:X}`, `{{`.
pub(super) fn format_text(a: &[Value]) -> Result {
    let bad = || "the format string is not valid".to_owned();
    let mut made = Text::default();
    let mut rest = text(&a[0])?;
    while let Some(at) = rest.find(['{', '}']) {
        made.push(&rest[..at])?;
        let sign = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(sign) {
            made.push(sign)?;
            rest = &rest[1..];
            continue;
        }
        if sign == "}" {
            return Err(bad());
        }
        let (hole, after) = rest.split_once('}').ok_or_else(bad)?;
        rest = after;
        let (hole, style) = hole.split_once(':').unwrap_or((hole, ""));
        let (index, width) = hole.split_once(',').unwrap_or((hole, "0"));
        let index: usize = index.trim().parse().map_err(|_| bad())?;
        let value = index
            .checked_add(1)
            .and_then(|i| a.get(i))
            .ok_or_else(|| "the index of a format item must be less than the number of arguments".to_owned())?;
        let shown = styled(value, style)?.ok_or_else(bad)?;
        let width: i16 = width.trim().parse().map_err(|_| bad())?;
        let missing = usize::from(width.unsigned_abs()).saturating_sub(shown.chars().count());
        let padding = " ".repeat(missing);
        let (before, after) = if width < 0 { (shown, padding) } else { (padding, shown) };
        made.push(&before)?;
        made.push(&after)?;
    }
    made.push(rest)?;
    made.done()
}

fn styled(value: &Value, style: &str) -> Result<Option<String>> {
    match value.as_i64().filter(|_| !style.is_empty()) {
        Some(number) => Ok(number_styled(number, style)),
        None => shown(value).map(Some),
    }
}

fn number_styled(number: i64, style: &str) -> Option<String> {
    let kind = style.chars().next()?;
    let digits = style.get(kind.len_utf8()..)?;
    let places: usize = if digits.is_empty() { usize::MAX } else { digits.parse().ok().filter(|p| *p < 100)? };
    let sign = if number < 0 { "-" } else { "" };
    let plain = number.unsigned_abs().to_string();
    let decimals = |default: usize| match if places == usize::MAX { default } else { places } {
        0 => String::new(),
        places => format!(".{}", "0".repeat(places)),
    };
    match kind.to_ascii_uppercase() {
        'D' => Some(format!("{sign}{plain:0>places$}", places = if places == usize::MAX { 0 } else { places })),
        'X' => {
            let places = if places == usize::MAX { 0 } else { places };
            Some(if kind == 'X' { format!("{number:0>places$X}") } else { format!("{number:0>places$x}") })
        }
        'N' => {
            let grouped: Vec<&str> =
                plain.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
            Some(format!("{sign}{}{}", grouped.join(","), decimals(2)))
        }
        'F' => Some(format!("{sign}{plain}{}", decimals(2))),
        'G' => Some(format!("{sign}{plain}")),
        _ => None,
    }
}

/// Combines as the page of `uri` describes.
pub(super) fn uri(a: &[Value]) -> Result {
    let (base, relative) = (text(&a[0])?, text(&a[1])?);
    let mut made = Text::default();
    if !relative.contains("://") {
        let host_at = base.find("://").map_or(0, |at| at + 3);
        match base[host_at..].rfind('/') {
            Some(at) => made.push(&base[..=host_at + at])?,
            None => {
                made.push(base)?;
                made.push("/")?;
            }
        }
        made.push(relative.trim_start_matches('/'))?;
        return made.done();
    }
    made.push(relative)?;
    made.done()
}

pub(super) fn parse_uri(text: &str) -> Result {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| "the input is not an absolute URI".to_owned())?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = json!({"scheme": scheme, "host": host, "path": if path.is_empty() { "/" } else { path }});
    if let Ok(port) = port.parse::<u16>() {
        parts["port"] = json!(port);
    }
    if !query.is_empty() {
        parts["query"] = json!(query);
    }
    Ok(parts)
}

pub(super) fn build_uri(parts: &Value) -> Result {
    let word = |name: &str| member_of(parts, &json!(name)).map_or_else(|| Ok(String::new()), shown);
    let (scheme, host, port, path, query) =
        (word("scheme")?, word("host")?, word("port")?, word("path")?, word("query")?);
    if scheme.is_empty() || host.is_empty() {
        return Err("the properties 'scheme' and 'host' are required".to_owned());
    }
    let between = |sign: &'static str, missing: bool| if missing { "" } else { sign };
    let mut made = Text::default();
    let (colon, mark) = (between(":", port.is_empty()), between("?", query.is_empty()));
    let slash = between("/", path.starts_with('/'));
    let parts = [scheme.as_str(), "://", &host, colon, &port, slash, &path, mark, &query];
    parts.into_iter().try_for_each(|part| made.push(part))?;
    made.done()
}

pub(super) fn length(value: &Value) -> Result<usize> {
    match value {
        Value::Null => Ok(0),
        Value::String(text) => Ok(text.chars().count()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(map) => Ok(map.len()),
        other => Err(expects("an array, an object, or a string", other)),
    }
}
