//! `acrite serve`: an instance until somebody stops it.
//! Must not know how an instance is made.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::instance::{DEFAULT_FOLDER, Instance, Options};
use super::output::print;

pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    super::log("acrite=info");
    // Before anything is made, so that no signal can leave it behind.
    let unheard = |error| Failure::new(format!("signals cannot be heard: {error}"), "please report this");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let instance = Instance::start(&options).await?;
    print(&greeting(&options, &instance));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    instance.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// The first line is for scripts, the others for people.
fn greeting(options: &Options, instance: &Instance) -> String {
    let folder = instance.place.folder.display();
    let found_anyway = !options.ephemeral
        && options.data_dir.is_none()
        && instance.place.folder.file_name().is_some_and(|name| name == DEFAULT_FOLDER);
    let at =
        if found_anyway { String::new() } else { format!(" --data-dir {}", super::env::sh_word(&folder.to_string())) };
    format!(
        "acrite listening on {}\n  data folder   {folder}{}\n  point a shell at it   eval \"$(acrite env{at})\"\n",
        instance.place.url,
        if options.ephemeral { " (removed at the end)" } else { "" },
    )
}
