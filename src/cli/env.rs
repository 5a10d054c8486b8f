//! `acrite env`: the variables of a running instance, written for a shell.
//! Owns quoting; must not know what the variables mean.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::At;
use crate::cli::control::Control;
use crate::cli::failure::Failure;
use crate::cli::failure::{is_plain, sh_word};
use crate::cli::output::print;
use crate::cli::variables::{REMOVED, variables};
use crate::cli::{moment, trust};

/// What is to be printed, and when.
#[derive(Args)]
pub(super) struct Options {
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    shell: Shell,
    /// The same as --shell json
    #[arg(long, conflicts_with = "shell")]
    json: bool,
    /// Also set IDENTITY_ENDPOINT and IDENTITY_HEADER
    #[arg(long)]
    identity_endpoint: bool,
    /// Wait until the instance answers and holds what it was to begin with, for DURATION at most
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30s", value_parser = moment::duration)]
    wait: Option<Duration>,
}

/// Who reads the variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// sh, bash, zsh: eval "$(acrite env)"
    #[default]
    Sh,
    /// acrite env --shell fish | source
    Fish,
    /// acrite env --shell powershell | Out-String | Invoke-Expression
    Powershell,
    /// A .env file
    Dotenv,
    /// acrite env --shell github >> "$GITHUB_ENV"
    Github,
    /// One object of strings
    Json,
}

pub(super) async fn run(at: At, options: Options) -> Result<ExitCode, Failure> {
    let Options { shell, identity_endpoint, wait, json } = options;
    let shell = if json { Shell::Json } else { shell };
    let text = match exports(&at, shell, identity_endpoint, wait).await {
        Ok(text) => text,
        Err(failure) => {
            print(refusal(shell))?;
            return Err(failure);
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a shell that evaluates the output of a failed `env` is to stumble over: with nothing to evaluate it would go on,
/// to the real Azure.
pub(super) fn refusal(shell: Shell) -> &'static str {
    match shell {
        Shell::Sh | Shell::Fish => "false\n",
        Shell::Powershell => "throw 'acrite env failed'\n",
        Shell::Dotenv | Shell::Github | Shell::Json => "",
    }
}

async fn exports(at: &At, shell: Shell, identity_endpoint: bool, wait: Option<Duration>) -> Result<String, Failure> {
    let control = match wait {
        None => Control::find(at).await?,
        Some(wait) => Control::wait(at, wait).await?,
    };
    let place = control.place(at).await?;
    let header = control.identity_header().filter(|_| identity_endpoint);
    let inherited = |name: &str| std::env::var(name).ok();
    let all = variables(&place, &trust::bundle(&place.folder, inherited)?, header, inherited);
    if shell == Shell::Json {
        let all: serde_json::Map<String, Value> =
            all.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        return Ok(format!("{:#}\n", Value::Object(all)));
    }
    let removed =
        REMOVED.into_iter().filter(|name| std::env::var_os(name).is_some() && !all.iter().any(|(set, _)| set == name));
    let mut text: String = removed.map(|name| unset(shell, name)).collect();
    text.extend(all.iter().filter(|(name, _)| is_for(shell, name)).map(|(name, value)| set(shell, name, value)));
    Ok(text)
}

/// A file is read on other machines and in containers, where this one's `PATH` would do harm.
fn is_for(shell: Shell, name: &str) -> bool {
    shell != Shell::Dotenv || name != "PATH"
}

fn set(shell: Shell, name: &str, value: &str) -> String {
    match shell {
        Shell::Sh => format!("export {name}={}\n", sh_word(value)),
        Shell::Fish => {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            format!("set -gx {name} '{value}';\n")
        }
        Shell::Powershell => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
        Shell::Dotenv => format!("{name}={}\n", dotenv_value(value)),
        Shell::Github | Shell::Json => format!("{name}={value}\n"),
    }
}

fn unset(shell: Shell, name: &str) -> String {
    match shell {
        Shell::Sh => format!("unset {name}\n"),
        Shell::Fish => format!("set -e {name};\n"),
        Shell::Powershell => format!("Remove-Item Env:{name}\n"),
        // Files can only add; an empty value comes nearest.
        Shell::Dotenv | Shell::Github | Shell::Json => format!("{name}=\n"),
    }
}

/// Readers of such files agree on plain values, mostly on single quotes, and on little else.
fn dotenv_value(value: &str) -> String {
    if is_plain(value) {
        value.to_owned()
    } else if value.contains('\'') {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
    } else {
        format!("'{value}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_reads_back_what_was_meant() {
        let value = r#"it's "a" $HOME\x"#;
        assert_eq!(set(Shell::Sh, "A", value), "export A='it'\\''s \"a\" $HOME\\x'\n");
        assert_eq!(set(Shell::Fish, "A", value), "set -gx A 'it\\'s \"a\" $HOME\\\\x';\n");
        assert_eq!(set(Shell::Powershell, "A", value), "$env:A = 'it''s \"a\" $HOME\\x'\n");
        assert_eq!(set(Shell::Dotenv, "A", value), "A=\"it's \\\"a\\\" \\$HOME\\\\x\"\n");
        assert_eq!(set(Shell::Dotenv, "A", "b c"), "A='b c'\n");
        assert_eq!(set(Shell::Github, "A", "b c"), "A=b c\n");
        assert_eq!(set(Shell::Sh, "A", "http://127.0.0.1:4443"), "export A=http://127.0.0.1:4443\n");
        assert_eq!(sh_word(""), "''");
    }

    #[test]
    fn a_real_shell_agrees() {
        let value = "a'b\"c$d\\e `f` {g} *";
        let script = format!("{}printf %s \"$A\"", set(Shell::Sh, "A", value));
        let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), value);
    }
}
