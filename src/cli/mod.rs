//! The command line: what each command takes, and how its end is told to people and to shells.
//! One file per command; this one owns the arguments, the errors and the runtime.
//! Must not know about SQL, HTTP routes or the rules of Azure.

mod audit;
mod az;
mod clock;
mod control;
mod doctor;
mod env;
mod exec;
mod expect;
mod failure;
mod fault;
mod files;
mod image;
mod instance;
mod logs;
mod moment;
mod options;
mod output;
mod pages;
mod portal;
mod seed;
mod serve;
mod signals;
mod snapshot;
mod status;
mod trust;
mod variables;
mod wait;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches as _, Parser, Subcommand};

use crate::app::world::lines::lines;
use crate::http::REQUESTS;
use failure::{Failure, program};
use options::{LogFormat, Options};

/// A local Azure Container Registry with customer-managed keys, Key Vault, ARM and Entra ID.
#[derive(Parser)]
#[command(name = "acrite", version = env!("ACRITE_VERSION"), args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run until Ctrl-C (what `acrite` alone does too)
    #[command(
        after_help = "Examples:\n  acrite serve\n  acrite serve --template fixtures/cmk.json --image acritecmk/app:v1=hello\n  acrite serve --ephemeral --offline --listen 127.0.0.1:0"
    )]
    Serve(Options),
    /// Run COMMAND against a private instance with everything set, then stop it
    #[command(
        override_usage = "acrite exec [OPTIONS] -- COMMAND...",
        after_help = "Examples:\n  acrite exec -- pytest\n  acrite exec --template fixtures/cmk.json -- az acr show --name acritecmk"
    )]
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
    /// Run COMMAND, and end it with all that came of it when standard input ends (how runs of tasks start processes)
    #[command(hide = true)]
    Supervise {
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Print the variables that point a shell at the running instance
    #[command(after_help = "Examples:\n  eval \"$(acrite env)\"\n  acrite env --shell github >> \"$GITHUB_ENV\"")]
    Env {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        options: env::Options,
    },
    /// Show registries and keys: what protects what, locked or open, and why
    #[command(after_help = "Examples:\n  acrite status\n  acrite status --watch")]
    Status {
        #[command(flatten)]
        at: At,
        /// Go on, showing each change
        #[arg(long)]
        watch: bool,
        /// Print the JSON that the instance answered
        #[arg(long)]
        json: bool,
    },
    /// Let time pass until a registry is open, blocked or rotated
    #[command(
        after_help = "Examples:\n  acrite wait myregistry rotated\n  acrite wait myregistry blocked --within 30d"
    )]
    Wait {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        wish: wait::Wish,
    },
    /// Give the present place in the audit log a name, for `audit --since`
    #[command(after_help = "Example:\n  acrite mark before-push")]
    Mark {
        #[command(flatten)]
        at: At,
        name: String,
        /// Print the JSON that the instance answered
        #[arg(long)]
        json: bool,
    },
    /// Look whether this shell and its clients are really pointed at the instance; say what mends what is wrong
    #[command(after_help = "Example:\n  acrite doctor")]
    Doctor {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        options: doctor::Options,
    },
    /// Print what lets a shell complete command lines
    #[command(after_help = "Example:\n  acrite completions bash > ~/.local/share/bash-completion/completions/acrite")]
    Completions {
        #[arg(value_enum)]
        shell: pages::Shell,
    },
    /// Print the manual page, or write all pages into a folder
    #[command(after_help = "Examples:\n  acrite man | man -l -\n  acrite man ~/.local/share/man/man1")]
    Man { folder: Option<PathBuf> },
    /// Open the portal of the running instance in a browser
    #[command(after_help = "Example:\n  acrite portal --print")]
    Portal {
        #[command(flatten)]
        at: At,
        /// Print its address, open nothing
        #[arg(long)]
        print: bool,
    },
    /// Show who used which key for what, and what was refused
    #[command(
        after_help = "Examples:\n  acrite audit --follow\n  acrite audit --expect 'KeyUnwrap myvault/mykey >= 1' --since before-push"
    )]
    Audit {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        options: audit::Options,
    },
    /// Show the last lines of the running instance's log
    #[command(after_help = "Examples:\n  acrite logs --follow\n  acrite serve --log-requests & acrite logs")]
    Logs {
        #[command(flatten)]
        at: At,
        /// Go on until interrupted, showing what comes
        #[arg(long)]
        follow: bool,
        /// Print each line as one line of JSON, with its number
        #[arg(long)]
        json: bool,
    },
    /// Make calls fail on purpose: counted, and in each service's own words
    #[command(
        after_help = "Examples:\n  acrite fault add keyvault KeyUnwrap --status 429 --times 3\n  acrite fault list"
    )]
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
    #[command(after_help = "Examples:\n  acrite snapshot save before-push\n  acrite snapshot load before-push")]
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
    #[command(after_help = "Examples:\n  acrite reset")]
    Reset {
        #[command(flatten)]
        at: At,
        /// Print the JSON that the instance answered
        #[arg(long)]
        json: bool,
    },
    /// Show or move the emulator's time
    #[command(after_help = "Examples:\n  acrite clock advance 61m\n  acrite clock freeze")]
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
    let parsed = definition().try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let code = match parsed.map(|cli| cli.command.unwrap_or(Command::Serve(cli.serve))) {
        Err(refused) => usage(&refused),
        Ok(Command::Become { parent, command }) => tell(&exec::become_command(parent, &command)),
        Ok(Command::Supervise { command }) => crate::builder::supervisor::run(&command),
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
    let (text, code) = failure.shown();
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
    let text = if output::is_coloured(&std::io::stderr()) { text.ansi().to_string() } else { text.to_string() };
    let text = text.split("For more information").next().unwrap_or_default().trim_end();
    let mut help = program();
    let mut command = Cli::command();
    for word in std::env::args_os().skip(1) {
        let Some(inner) = command.find_subcommand(&word) else { break };
        help = format!("{help} {}", inner.get_name());
        command = inner.clone();
    }
    if std::env::args_os().nth(1).is_some_and(|word| word == "env") {
        // Nobody may read it, and the failure is told all the same.
        let _ = output::print(env::refusal(env::Shell::Sh));
    }
    let meant = meant(refused).map_or(String::new(), |meant| format!("Did you mean --listen? {meant}\n"));
    output::error().put(format!("{text}\n\n{meant}For more information: {help} --help\n").as_bytes());
    ExitCode::from(2)
}

/// The command line with the address where other programs of its kind want a port.
fn meant(refused: &clap::Error) -> Option<String> {
    let word = match refused.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if refused.kind() == ErrorKind::UnknownArgument => word,
        _ => return None,
    };
    let name = word.split(['=', ' ']).next().unwrap_or_default();
    if !["--port", "-p", "--bind", "--address", "--addr", "--host"].contains(&name) {
        return None;
    }
    Some(failure::meaning(name, "--listen", &instance::DEFAULT_PORT.to_string()))
}

/// What the manual and the help say besides the commands.
const NOTES: &str = "\
Examples:
  acrite exec -- pytest                             a private instance around a command
  acrite serve & eval \"$(acrite env --wait)\"        one that stays, and this shell pointed at it
  acrite wait myregistry blocked --within 30d       let time pass until it is so
  acrite audit --expect 'KeyUnwrap myvault/mykey >= 1'

Exit codes: 0 done, or as expected; 1 failed, or not as expected; 2 wrong arguments.
exec ends with its command's code; 126 if that may not run, 127 if it is not there, 128 and a signal's number.
Options of `serve` may stand without it: acrite serve --help";

/// The whole command line. The options of `serve` that may stand without it are told once, by its own help.
fn definition() -> clap::Command {
    Cli::command().mut_args(|argument| argument.hide(true)).after_help(NOTES)
}

async fn mark(at: At, name: &str, json: bool) -> Result<ExitCode, Failure> {
    let marked =
        control::Control::find(&at).await?.post("/acrite/v1/marks", &serde_json::json!({ "name": name })).await?;
    output::print(&if json {
        format!("{marked:#}\n")
    } else {
        format!("{name} is after record {}\n", marked["number"])
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(options) => serve::run(options).await,
        Command::Exec { options, identity_endpoint, command } => exec::run(options, identity_endpoint, command).await,
        Command::Become { parent, command } => Err(exec::become_command(parent, &command)),
        Command::Supervise { command } => Ok(crate::builder::supervisor::run(&command)),
        Command::Env { at, options } => env::run(at, options).await,
        Command::Status { at, watch, json } => status::run(at, json, watch).await,
        Command::Wait { at, wish } => wait::run(at, wish).await,
        Command::Mark { at, name, json } => mark(at, &name, json).await,
        Command::Doctor { at, options } => doctor::run(at, options).await,
        Command::Completions { shell } => pages::completions(definition(), shell),
        Command::Man { folder } => pages::manual(definition(), folder),
        Command::Portal { at, print } => portal::run(at, print).await,
        Command::Audit { at, options } => audit::run(at, options).await,
        Command::Logs { at, follow, json } => logs::run(at, follow, json).await,
        Command::Fault { action, at, json } => fault::run(action, at, json).await,
        Command::Snapshot { action, at, json } => snapshot::run(action, at, json).await,
        Command::Reset { at, json } => snapshot::reset(at, json).await,
        Command::Clock { change, at, json } => clock::run(change.unwrap_or(clock::Change::Show), at, json).await,
    }
}

/// Logs to standard error what `ACRITE_LOG` asks for, or else `usual`. Panics are logged too: like every other line
/// theirs must not wait for a reader.
fn log(usual: &str, options: &Options) -> Result<(), Failure> {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let asked = std::env::var("ACRITE_LOG").ok().filter(|asked| !asked.is_empty());
    let requests = if options.log_requests { format!(",{REQUESTS}=info") } else { String::new() };
    let filter = format!("{}{requests}", asked.as_deref().unwrap_or(usual));
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        let what = format!("ACRITE_LOG says {:?}: {error}", asked.unwrap_or_default());
        Failure::new(what, "to log what is refused", "export ACRITE_LOG=acrite=debug").with_code(2)
    })?;
    let shown = layer(output::error, output::is_coloured(&std::io::stderr()), options.log_format);
    let kept = layer(lines, false, options.log_format);
    // A second subscriber in one process (in tests) is no reason to fail.
    let _ = tracing_subscriber::registry().with(filter).with(shown).with(kept).try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}\n{}", std::backtrace::Backtrace::capture())));
    Ok(())
}

/// What writes the log's lines to one place.
fn layer<S, W>(to: W, coloured: bool, format: LogFormat) -> Box<dyn tracing_subscriber::Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    use tracing_subscriber::Layer as _;
    let layer = tracing_subscriber::fmt::layer();
    let layer = layer.with_writer(to).log_internal_errors(false).with_ansi(coloured).with_target(false);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        definition().debug_assert();
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
