//! Why a command failed, and the command that helps. Owns how it is told, and the user's own command line.
//! Must not know what the commands do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a command failed: one line for what happened, one for what to do about it.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    next: String,
    code: u8,
}

impl Failure {
    /// `advice` leads to `command`, which works when it is pasted.
    pub fn new(what: impl Into<String>, advice: &str, command: &str) -> Self {
        Self { what: what.into(), next: format!("{advice}: {command}"), code: 1 }
    }

    /// The end of a command whose output nobody reads any more: no failure, and nothing to be said.
    pub fn nobody_reads() -> Self {
        Self { what: String::new(), next: String::new(), code: 0 }
    }

    /// A failure of ours, or of a machine that has nothing left to give.
    pub fn of_machine(what: impl Into<String>) -> Self {
        Self::new(what, "look at what this shell may use", "ulimit -a")
    }

    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// What is to be said of it, if anything, and the code to end with.
    pub fn shown(&self) -> (Option<String>, ExitCode) {
        let text = (!self.what.is_empty()).then(|| format!("acrite: {}\n        {}\n", self.what, self.next));
        (text, ExitCode::from(self.code))
    }
}

/// This program as the user named it.
pub(super) fn program() -> String {
    sh_word(&std::env::args_os().next().unwrap_or_else(|| "acrite".into()).to_string_lossy())
}

/// The command line of this process with options changed.
pub(super) fn again(changes: &[(&str, &str)]) -> String {
    changed(std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(), changes)
}

fn changed(words: Vec<String>, changes: &[(&str, &str)]) -> String {
    let (own, command) = words.split_at(words.iter().position(|word| word == "--").unwrap_or(words.len()));
    let mut text = Vec::new();
    let mut own = own.iter();
    while let Some(word) = own.next() {
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if changes.iter().any(|(changed, _)| *changed == name) {
            if value.is_none() {
                own.next();
            }
        // The two exclude each other.
        } else if name != "--ephemeral" || !changes.iter().any(|(changed, _)| *changed == "--data-dir") {
            text.push(sh_word(word));
        }
    }
    text.extend(changes.iter().flat_map(|(name, value)| [(*name).to_owned(), sh_word(value)]));
    text.extend(command.iter().map(|word| sh_word(word)));
    text.join(" ")
}

/// The command line of this process in which the option `right` stands for `wrong`, which there is not; with the value
/// that this has, or else `usual`.
pub(super) fn meaning(wrong: &str, right: &str, usual: &str) -> String {
    meant(std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(), wrong, right, usual)
}

fn meant(words: Vec<String>, wrong: &str, right: &str, usual: &str) -> String {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (mut kept, mut value) = (Vec::new(), None);
    let mut words = words.into_iter().enumerate();
    while let Some((at, word)) = words.next() {
        match word.split_once('=') {
            Some((name, given)) if name == wrong && at < end => value = Some(given.to_owned()),
            _ if word == wrong && at < end => {
                value = words.next().map(|(_, word)| word);
            }
            _ => kept.push(word),
        }
    }
    changed(kept, &[(right, value.as_deref().unwrap_or(usual))])
}

/// The name of a folder that is not there yet, beside one that cannot be used.
pub(super) fn beside(folder: &Path) -> String {
    let name = |n: u32| {
        let mut path = folder.as_os_str().to_owned();
        path.push(format!("-{n}"));
        PathBuf::from(path)
    };
    let free = (2..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(2));
    free.to_string_lossy().into_owned()
}

/// One word for a POSIX shell.
pub(super) fn sh_word(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A path as one word.
pub(super) fn sh_path(path: &Path) -> String {
    sh_word(&path.to_string_lossy())
}

/// Whether no shell reads anything into it.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_changed_wherever_it_stands() {
        let again =
            |line: &str, changes: &[(&str, &str)]| changed(line.split(' ').map(str::to_owned).collect(), changes);
        let free = [("--listen", "127.0.0.1:0")];
        assert_eq!(again("acrite", &free), "acrite --listen 127.0.0.1:0");
        assert_eq!(again("acrite serve --listen=:1 --offline", &free), "acrite serve --offline --listen 127.0.0.1:0");
        assert_eq!(
            again("acrite exec --listen :1 -- sh --listen $x", &free),
            "acrite exec --listen 127.0.0.1:0 -- sh --listen '$x'"
        );
        assert_eq!(again("acrite --ephemeral", &[("--data-dir", "a b")]), "acrite --data-dir 'a b'");
        let meant = |line: &str| meant(line.split(' ').map(str::to_owned).collect(), "--port", "--listen", "4443");
        assert_eq!(meant("acrite exec --port=0 -- curl --port 0"), "acrite exec --listen 0 -- curl --port 0");
        assert_eq!(meant("acrite serve --port"), "acrite serve --listen 4443");
    }
}
