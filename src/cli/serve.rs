//! `acrite serve`: an instance until somebody stops it.
//! Must not know how an instance is made.

use std::process::ExitCode;

use crate::cli::failure::{Failure, sh_path};
use crate::cli::instance::{DEFAULT_FOLDER, Instance};
use crate::cli::options::Options;
use crate::cli::output::output;
use crate::cli::signals::Signals;

pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    // Before anything is made, so that no signal can leave it behind.
    let signals = Signals::hear()?;
    super::log("acrite=info", &options)?;
    let instance = tokio::select! {
        biased;
        started = Instance::start(&options, &signals) => started?,
        _ = signals.asked() => return Ok(ExitCode::SUCCESS),
    };
    output().put(greeting(&options, &instance).as_bytes());
    signals.asked().await;
    instance.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// The first line is for scripts, the others for people.
fn greeting(options: &Options, instance: &Instance) -> String {
    let folder = instance.place.folder.display();
    let found_anyway = !options.ephemeral
        && options.data_dir.is_none()
        && instance.place.folder.file_name().is_some_and(|name| name == DEFAULT_FOLDER);
    let at = if found_anyway { String::new() } else { format!(" --data-dir {}", sh_path(&instance.place.folder)) };
    let token = instance.token.as_ref().map_or(String::new(), |token| {
        format!("  token         {token}   with it, other machines may use what is this machine's own\n")
    });
    format!(
        "acrite listening on {}\n  data folder   {folder}{}\n  point a shell at it   eval \"$(acrite env{at})\"\n{token}  version       {}\n  portal        {}/portal/\n",
        instance.place.url,
        if options.ephemeral { " (removed at the end)" } else { "" },
        env!("ACRITE_VERSION"),
        instance.place.url,
    )
}
