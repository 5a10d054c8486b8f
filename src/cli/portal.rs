//! `acrite portal`: the portal of a running instance in the user's browser.
//! Must not know what the portal shows.

use std::process::{Command, ExitCode, Stdio};

use crate::cli::At;
use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::output::print;

/// What opens an address on this system.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

pub(super) async fn run(at: At, only_print: bool) -> Result<ExitCode, Failure> {
    let url = format!("{}/portal/", Control::find(&at).await?.url());
    print(&format!("{url}\n"))?;
    if only_print {
        return Ok(ExitCode::SUCCESS);
    }
    let quiet = || Stdio::null();
    let opened = Command::new(OPENER).arg(&url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    match opened {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let what = format!("no browser could be opened with {OPENER}: {error}");
            Err(Failure::new(what, "open the address yourself", &format!("curl {url}")))
        }
    }
}
