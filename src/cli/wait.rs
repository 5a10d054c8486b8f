//! `acrite wait`: lets time pass, from one instant at which something is due to the next, until a registry is as wanted.
//! Must not know what becomes due, nor why a registry is blocked.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cli::control::Control;
use crate::cli::failure::{Failure, program};
use crate::cli::output::print;
use crate::cli::{At, moment};

/// What is waited for.
#[derive(Args)]
pub(super) struct Wish {
    /// The registry's name
    registry: String,
    /// How it is to be
    #[arg(value_enum)]
    state: State,
    /// How much of the emulator's time may pass
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = moment::duration)]
    within: Duration,
    /// Print the JSON that `status` has for the registry
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Open,
    Blocked,
    /// Under another key version than when the wait began
    Rotated,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Rotated => "rotated",
        }
    }
}

pub(super) async fn run(at: At, wish: Wish) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let first = look(&control, &wish.registry).await?;
    let within = SignedDuration::try_from(wish.within).unwrap_or(SignedDuration::MAX);
    let end = first.now.checked_add(within).unwrap_or(Timestamp::MAX);
    let mut seen = look(&control, &wish.registry).await?;
    loop {
        if is(&seen.registry, wish.state, &first.registry) {
            print(&sentence(&seen, &wish))?;
            return Ok(ExitCode::SUCCESS);
        }
        if seen.now >= end {
            return Err(not_so(&seen, &wish));
        }
        let to = seen.next_due.filter(|due| *due < end).unwrap_or(end);
        // Times are told to the millisecond, cut short: the next one is surely reached.
        let by = to.duration_since(seen.now).as_secs_f64().max(0.0) + 0.001;
        control.post("/acrite/v1/clock", &json!({ "advance": by })).await?;
        seen = look(&control, &wish.registry).await?;
    }
}

/// A registry and the clock, as `status` tells them.
struct Seen {
    registry: Value,
    now: Timestamp,
    next_due: Option<Timestamp>,
}

async fn look(control: &Control, name: &str) -> Result<Seen, Failure> {
    let status = control.get("/acrite/v1/status").await?;
    let time = |name: &str| status["clock"][name].as_str().and_then(|at| at.parse().ok());
    let mut registries = status["registries"].as_array().into_iter().flatten();
    let found = registries.find(|r| r["name"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name)));
    let registry = found.cloned().ok_or_else(|| {
        let what = format!("there is no registry {name}");
        Failure::new(what, "see which there are", &format!("{} status", program()))
    })?;
    Ok(Seen { registry, now: time("now").unwrap_or(Timestamp::MIN), next_due: time("next_due") })
}

fn is(registry: &Value, wanted: State, before: &Value) -> bool {
    match wanted {
        State::Open => registry["state"] == "open",
        State::Blocked => registry["state"] == "locked",
        State::Rotated => registry["key"] != before["key"],
    }
}

fn sentence(seen: &Seen, wish: &Wish) -> String {
    if wish.json {
        return format!("{:#}\n", seen.registry);
    }
    let why = seen.registry["why"].as_str().map_or(String::new(), |why| format!(": {why}"));
    let key = seen.registry["key"].as_str().filter(|_| wish.state == State::Rotated);
    let key = key.map_or(String::new(), |key| format!(" to {key}"));
    format!("{} is {}{key} at {}{why}\n", wish.registry, wish.state.word(), seen.now)
}

fn not_so(seen: &Seen, wish: &Wish) -> Failure {
    let word = |name: &str| seen.registry[name].as_str().unwrap_or("-").to_owned();
    let why = seen.registry["why"].as_str().map_or(String::new(), |why| format!(" ({why})"));
    let what = format!(
        "{} was not {} by {}: it is {}{why}, under {}",
        wish.registry,
        wish.state.word(),
        seen.now,
        word("state"),
        seen.registry["key"].as_str().unwrap_or("the service's own key"),
    );
    Failure::new(what, "see who used which key, and what was refused", &format!("{} audit", program()))
}
