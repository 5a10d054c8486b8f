//! `acrite completions` and `acrite man`: what shells and manuals say of the command line, from its own definition.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Command, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::files;
use crate::cli::output::print;

/// Shells that complete a command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

pub(super) fn completions(mut command: Command, shell: Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    clap_complete::generate(shell, &mut command, "acrite", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// The page of the program, or with a folder all pages, into it.
pub(super) fn manual(command: Command, folder: Option<PathBuf>) -> Result<ExitCode, Failure> {
    match folder {
        Some(folder) => {
            let made = std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(command, &folder));
            made.map_err(|error| files::unwritable(&folder, &error))?;
        }
        None => {
            let mut text = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut text);
            rendered.map_err(|error| Failure::of_machine(format!("the page could not be made: {error}")))?;
            print(&String::from_utf8_lossy(&text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
