//! The command line: what each command takes, and how its end is told to people and to shells.
//! One file per command; this one owns the arguments, the errors and the runtime.
//! Must not know about SQL, HTTP routes or the rules of Azure.

mod audit;
mod az;
mod clock;
mod control;
mod env;
mod exec;
mod failure;
mod fault;
mod files;
mod image;
mod instance;
mod moment;
mod output;
mod seed;
mod serve;
mod signals;
mod snapshot;
mod status;
mod trust;
mod variables;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use failure::{Failure, program};
use instance::Options;

/// A local Azure Container Registry with customer-managed keys, Key Vault, ARM and Entra ID.
#[derive(Parser)]
#[command(name = "acrite", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run until Ctrl-C (what `acrite` alone does too)
    Serve(Options),
    /// Run COMMAND against a private instance with everything set, then stop it
    #[command(override_usage = "acrite exec [OPTIONS] -- COMMAND...")]
    Exec {
        #[command(flatten)]
        options: Options,
        /// Also set IDENTITY_ENDPOINT and IDENTITY_HEADER, as inside an Azure service with a managed identity
        #[arg(long)]
        identity_endpoint: bool,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Become COMMAND, and end with PARENT (how `exec` starts its command)
    #[command(hide = true)]
    Become {
        parent: u32,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Print the variables that point a shell at the running instance
    Env {
        #[command(flatten)]
        at: At,
        /// How to write them
        #[arg(long, value_enum, default_value_t)]
        shell: env::Shell,
        /// Also set IDENTITY_ENDPOINT and IDENTITY_HEADER
        #[arg(long)]
        identity_endpoint: bool,
    },
    /// Show registries and keys: what protects what, locked or open, and why
    Status {
        #[command(flatten)]
        at: At,
        /// Print the JSON that the instance answered
        #[arg(long)]
        json: bool,
    },
    /// Show who used which key for what, and what was refused
    Audit {
        #[command(flatten)]
        at: At,
        /// Go on until interrupted, showing what happens
        #[arg(long)]
        follow: bool,
        /// Show events instead: new key versions, and keys near their end
        #[arg(long)]
        events: bool,
        /// Print each record as one line of JSON, in Azure Monitor's shape (events: Event Grid's)
        #[arg(long)]
        json: bool,
    },
    /// Make calls fail on purpose: counted, and in each service's own words
    Fault {
        #[command(subcommand)]
        action: fault::Action,
        #[command(flatten)]
        at: At,
        /// Print the JSON that the instance answered
        #[arg(long, global = true)]
        json: bool,
    },
    /// Save the whole world under a name, load it again, and say what changed
    Snapshot {
        #[command(subcommand)]
        action: snapshot::Action,
        #[command(flatten)]
        at: At,
        /// Print the JSON that the instance answered
        #[arg(long, global = true)]
        json: bool,
    },
    /// Put the world back as it began: as it was seeded, or else empty
    Reset {
        #[command(flatten)]
        at: At,
    },
    /// Show or move the emulator's time
    Clock {
        #[command(subcommand)]
        change: Option<clock::Change>,
        #[command(flatten)]
        at: At,
        /// Print the JSON that the instance answered
        #[arg(long, global = true)]
        json: bool,
    },
}

/// Which instance a command is for.
#[derive(Args)]
struct At {
    /// The data folder of the instance [default: the one ACRITE_URL names, else .acrite]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
}

/// Parses the arguments, runs the command, and says what went wrong if something did.
pub fn main() -> ExitCode {
    let code = match Cli::try_parse().map(|cli| cli.command.unwrap_or(Command::Serve(cli.serve))) {
        Err(refused) => usage(&refused),
        Ok(Command::Become { parent, command }) => tell(&exec::become_command(parent, &command)),
        Ok(command) => match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => {
                let code = runtime.block_on(run(command)).unwrap_or_else(|failure| tell(&failure));
                // Nothing is left to wait for; a blocking task that hangs must not hold up the exit.
                runtime.shutdown_background();
                code
            }
            Err(error) => tell(&Failure::of_machine(format!("the runtime could not start: {error}"))),
        },
    };
    output::finish();
    code
}

fn tell(failure: &Failure) -> ExitCode {
    let (text, code) = failure.told();
    if let Some(text) = text {
        output::error().put(text.as_bytes());
    }
    code
}

/// Says what is wrong with the arguments, or what was asked for with --help or --version.
fn usage(refused: &clap::Error) -> ExitCode {
    if !refused.use_stderr() {
        // Nothing depends on whether it is read.
        let _ = refused.print();
        return ExitCode::SUCCESS;
    }
    let text = refused.render();
    let text = if std::io::stderr().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    let text = text.split("For more information").next().unwrap_or_default().trim_end();
    let mut help = program();
    let mut command = Cli::command();
    for word in std::env::args_os().skip(1) {
        let Some(inner) = command.find_subcommand(&word) else { break };
        help = format!("{help} {}", inner.get_name());
        command = inner.clone();
    }
    output::error().put(format!("{text}\n\nFor more information: {help} --help\n").as_bytes());
    ExitCode::from(2)
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(options) => serve::run(options).await,
        Command::Exec { options, identity_endpoint, command } => exec::run(options, identity_endpoint, command).await,
        Command::Become { parent, command } => Err(exec::become_command(parent, &command)),
        Command::Env { at, shell, identity_endpoint } => env::run(at, shell, identity_endpoint).await,
        Command::Status { at, json } => status::run(at, json).await,
        Command::Audit { at, follow, events, json } => audit::run(at, follow, events, json).await,
        Command::Fault { action, at, json } => fault::run(action, at, json).await,
        Command::Snapshot { action, at, json } => snapshot::run(action, at, json).await,
        Command::Reset { at } => snapshot::reset(at).await,
        Command::Clock { change, at, json } => clock::run(change.unwrap_or(clock::Change::Show), at, json).await,
    }
}

/// Logs to standard error what `ACRITE_LOG` asks for, or else `usual`. Panics are logged too: like every other line
/// theirs must not wait for a reader.
fn log(usual: &str) -> Result<(), Failure> {
    use tracing_subscriber::EnvFilter;
    let asked = std::env::var("ACRITE_LOG").ok().filter(|asked| !asked.is_empty());
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or(usual)).map_err(|error| {
        let what = format!("ACRITE_LOG says {:?}: {error}", asked.unwrap_or_default());
        Failure::new(what, "to log what is refused", "export ACRITE_LOG=acrite=debug").with_code(2)
    })?;
    // A second subscriber in one process (in tests) is no reason to fail.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(output::error)
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}\n{}", std::backtrace::Backtrace::capture())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_dashes_belongs_to_the_command() {
        let cli = Cli::try_parse_from(["acrite", "exec", "--offline", "--", "az", "--version"]).unwrap();
        let Some(Command::Exec { options, command, .. }) = cli.command else { panic!() };
        assert!(options.offline);
        assert_eq!(command, ["az", "--version"]);
        assert!(Cli::try_parse_from(["acrite", "exec"]).is_err());
        assert!(Cli::try_parse_from(["acrite", "--offline"]).unwrap().command.is_none());
    }
}
