//! `acrite clock`: shows and moves the emulator's time.
//! Must not know how the clock works; it sends wishes and prints what came of them.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::{print, table};
use crate::cli::{At, moment};

const PATH: &str = "/acrite/v1/clock";

#[derive(Subcommand)]
pub(super) enum Change {
    /// Show the time
    Show,
    /// Let time pass at once: 61m, 1h30m, 2d
    // Said by hand, for of a forgotten argument clap's own would tell without [OPTIONS].
    #[command(override_usage = "acrite clock advance [OPTIONS] DURATION")]
    Advance {
        /// How long
        #[arg(value_parser = moment::duration, value_name = "DURATION")]
        by: Duration,
    },
    /// Jump to a time: 2026-01-31T12:00:00Z
    #[command(override_usage = "acrite clock set [OPTIONS] TIME")]
    Set {
        /// In RFC 3339, not before the emulator's present
        #[arg(value_parser = moment::instant, value_name = "TIME")]
        to: Timestamp,
    },
    /// Let time stand still
    Freeze,
    /// Let time run again
    Resume,
    /// Let time run faster or slower: 60x
    #[command(override_usage = "acrite clock rate [OPTIONS] RATE")]
    Rate {
        /// Seconds of the emulator in one of the machine
        #[arg(value_parser = moment::rate, value_name = "RATE")]
        rate: f64,
    },
}

pub(super) async fn run(change: Change, at: At, json: bool) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let clock = match wish(&change) {
        None => control.get(PATH).await?,
        Some(wish) => control.post(PATH, &wish).await?,
    };
    let passed = matches!(change, Change::Advance { .. } | Change::Set { .. });
    let what = if passed { happened(&clock["happened"]) } else { String::new() };
    print(&if json { format!("{clock:#}\n") } else { shown(&clock) + &what })?;
    Ok(ExitCode::SUCCESS)
}

/// What happened by itself while time passed.
fn happened(notes: &Value) -> String {
    let word = |note: &Value, name: &str| note[name].as_str().unwrap_or("-").to_owned();
    let rows: Vec<_> =
        notes.as_array().into_iter().flatten().map(|note| vec![word(note, "at"), word(note, "what")]).collect();
    if rows.is_empty() { "happened      nothing\n".to_owned() } else { format!("happened\n{}", table(&rows)) }
}

fn wish(change: &Change) -> Option<Value> {
    match change {
        Change::Show => None,
        Change::Advance { by } if by.subsec_nanos() == 0 => Some(json!({ "advance": by.as_secs() })),
        Change::Advance { by } => Some(json!({ "advance": by.as_secs_f64() })),
        Change::Set { to } => Some(json!({ "set": to.to_string() })),
        Change::Freeze => Some(json!({ "freeze": true })),
        Change::Resume => Some(json!({ "resume": true })),
        Change::Rate { rate } => Some(json!({ "rate": rate })),
    }
}

/// The clock for people; `status` ends with it too.
pub(super) fn shown(clock: &Value) -> String {
    let text = |name: &str| clock[name].as_str().unwrap_or("-").to_owned();
    let pace = match (clock["frozen"].as_bool(), clock["rate"].as_f64()) {
        (Some(true), _) => "frozen".to_owned(),
        (_, Some(rate)) => format!("running at {rate}x"),
        _ => "-".to_owned(),
    };
    table(&[
        vec!["now".into(), text("now"), pace],
        vec!["next due".into(), text("next_due")],
        vec!["machine time".into(), text("machine")],
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_said_as_the_control_api_reads_them() {
        assert_eq!(wish(&Change::Show), None);
        assert_eq!(wish(&Change::Advance { by: Duration::from_secs(3660) }), Some(json!({"advance": 3660})));
        assert_eq!(wish(&Change::Advance { by: Duration::from_millis(1500) }), Some(json!({"advance": 1.5})));
        let to = "2026-01-31T12:00:00Z".parse().unwrap();
        assert_eq!(wish(&Change::Set { to }), Some(json!({"set": "2026-01-31T12:00:00Z"})));
        assert_eq!(wish(&Change::Rate { rate: 60.0 }), Some(json!({"rate": 60.0})));
    }

    #[test]
    fn people_read_a_small_table() {
        let clock = json!({"now": "2026-01-31T12:00:00Z", "rate": 60.0, "frozen": false, "machine": "2025-01-01T00:00:00Z", "next_due": null});
        assert_eq!(
            shown(&clock),
            "now           2026-01-31T12:00:00Z  running at 60x\nnext due      -\nmachine time  2025-01-01T00:00:00Z\n"
        );
    }
}
