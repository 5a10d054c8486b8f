//! The clock bar's form: moves time as `acrite clock` does.
//! Must not know: what becomes due.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::frame::seconds;
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit};
use crate::app::timeline::{self, Change};

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let clock = &v.clock;
    let facts = [
        (l::NOW, html! { (seconds(clock.now)) }),
        (l::NEXT_DUE, html! { (clock.next_due.map_or("-".to_owned(), seconds)) }),
        (l::RATE, html! { @if clock.frozen { (v.t(l::FROZEN)) } @else { (clock.rate) "x" } }),
    ];
    Ok(super::form::facts(v, &facts))
}

pub(super) async fn act(v: &mut Visit, _: &Target) -> Answer<Next> {
    let (change, az, body) = asked(v)?;
    (v.clock, _) = timeline::change(&v.app, change).await?;
    v.az(format!("acrite clock {az}"));
    v.note = format!("POST /acrite/v1/clock {body}");
    Ok(Next::To(super::back(v)))
}

fn asked(v: &Visit) -> Answer<(Change, String, Value)> {
    Ok(match v.typed("do") {
        "freeze" => (Change::Freeze, "freeze".to_owned(), json!({"freeze": true})),
        "resume" => (Change::Resume, "resume".to_owned(), json!({"resume": true})),
        "due" => {
            let due = v.clock.next_due.ok_or_else(|| Refusal::new(409, "NothingDue", "Nothing is due."))?;
            (Change::Set(due), format!("set {}", due.zulu7()), json!({"set": due.zulu7()}))
        }
        "rate" => {
            let typed = v.typed("rate").trim_end_matches('x');
            let wrong = || Refusal::new(400, "BadRequest", format!("'{typed}' is not a rate such as 60."));
            let rate: f64 = typed.parse().map_err(|_| wrong())?;
            (Change::Rate(rate), format!("rate {rate}x"), json!({"rate": rate}))
        }
        "advance" => {
            let by = v.typed("by");
            let seconds = duration(by).ok_or_else(|| {
                Refusal::new(400, "BadRequest", format!("'{by}' is not a duration such as 90s, 15m, 1h or 30d."))
            })?;
            (Change::Advance(seconds.saturating_mul(1_000_000)), format!("advance {by}"), json!({"advance": seconds}))
        }
        other => return Err(Refusal::new(400, "BadRequest", format!("'{other}' is nothing that the clock does."))),
    })
}

/// `90s`, `15m`, `1h`, `30d`, or seconds.
fn duration(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("90s", Some(90)), ("1h", Some(3600)), ("2 d", Some(172_800)), ("5", Some(5))] {
            assert_eq!(duration(text), seconds, "{text}");
        }
        for bad in ["", "h", "-1h", "1y", "99999999999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
