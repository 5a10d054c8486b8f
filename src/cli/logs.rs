//! `acrite logs`: the last lines of the running instance's own log.
//! Must not know how they are kept.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::At;
use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::print;

pub(super) async fn run(at: At, follow: bool, json: bool) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let (mut next, mut wait) = (0, false);
    loop {
        let answer = match control.get(&format!("/acrite/v1/logs?after={next}&wait={wait}")).await {
            Ok(answer) => answer,
            // It answered before, so it has ended since.
            Err(_) if wait => return Ok(ExitCode::SUCCESS),
            Err(failure) => return Err(failure),
        };
        for entry in answer["entries"].as_array().into_iter().flatten() {
            let line = if json { entry.to_string() } else { text(&entry["line"]) };
            print(&format!("{line}\n"))?;
        }
        next = answer["next"].as_u64().unwrap_or(next);
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        // Only the first look does not wait: what is there is shown at once.
        wait = true;
    }
}

fn text(line: &Value) -> String {
    line.as_str().unwrap_or_default().to_owned()
}
