//! The log of a run while it goes on: lines are taken in as they come and kept twice a second, sealed. Whoever keeps them
//! asks each time whether the run is still to go on.
//! Must not know: what says the lines.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::blobs;
use crate::app::App;
use crate::app::registry::cmk;
use crate::domain::access::Caller;
use crate::domain::registry::tasks::run::{Run, Status};
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// Machine time: whoever follows a log waits for it.
const PAUSE: Duration = Duration::from_millis(500);
/// Bytes that are kept at once, about.
const BATCH: usize = 64 * 1024;
/// Bytes of a log at most; what comes after them is not kept. [inferred: a bound of the emulator's own]
const LIMIT: usize = 64 * 1024 * 1024;
/// Lines on the way.
const LINES: usize = 1024;

/// What a line begins with that only says what is not to be seen from here on.
pub(super) const HIDE: &str = "\u{0}hide ";

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub status: Status,
    pub message: Option<String>,
}

impl End {
    pub(super) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: Some(message.into()) }
    }
}

/// A log that grows.
pub(super) struct Log {
    run: i64,
    lines: Receiver<String>,
    /// Taken in, and not kept yet.
    text: Vec<u8>,
    size: usize,
    /// The store's generation at which it was asked last whether the run is to go on.
    asked: u64,
    secrets: Vec<String>,
}

/// A line as the service writes it [recorded logs in docs].
pub(super) fn stamped(now: Timestamp, text: &str) -> String {
    let at = now.zulu();
    format!("{} {} {text}", at[..10].replace('-', "/"), &at[11..19])
}

impl Log {
    pub(super) fn new(run: i64) -> (Self, Sender<String>) {
        let (said, lines) = mpsc::channel(LINES);
        (Self { run, lines, text: Vec::new(), size: 0, asked: 0, secrets: Vec::new() }, said)
    }

    /// What is not to be seen in it.
    pub(super) fn hide(&mut self, secrets: Vec<String>) {
        self.secrets.extend(secrets.into_iter().filter(|s| !s.is_empty()));
        // A secret that holds another one is hidden whole.
        self.secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }

    pub(super) fn take(&mut self, line: &str) {
        if let Some(secret) = line.strip_prefix(HIDE) {
            self.hide(vec![secret.to_owned()]);
            return;
        }
        if self.size > LIMIT {
            return;
        }
        let mut line = line.trim_end_matches(['\r', '\n']).to_owned();
        for secret in &self.secrets {
            line = line.replace(secret.as_str(), "***");
        }
        self.size += line.len() + 2;
        if self.size > LIMIT {
            "The log is full: what comes from here on is not kept.".clone_into(&mut line);
        }
        self.text.extend_from_slice(line.as_bytes());
        // What az shows line by line [cli].
        self.text.extend_from_slice(b"\r\n");
    }

    /// Keeps what is said, for as long as the run is to go on. Returns why it is not.
    pub(super) async fn follow(&mut self, app: &Arc<App>) -> End {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(line) = self.lines.recv() => {
                    self.take(&line);
                    if self.text.len() < BATCH {
                        continue;
                    }
                }
                _ = tick.tick() => {}
            }
            match self.keep(app).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(Error::Unavailable(_)) => {}
                Err(error) if error.is_failure() => {
                    tracing::error!("the log of a run cannot be kept: {error}");
                    return End::new(Status::Error, "The run was ended: its log cannot be kept.");
                }
                Err(refusal) => return End::new(Status::Failed, super::reason::reason(&refusal)),
            }
        }
    }

    /// What was not kept when the run ended.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        while let Ok(line) = self.lines.try_recv() {
            self.take(&line);
        }
        std::mem::take(&mut self.text)
    }

    async fn keep(&mut self, app: &Arc<App>) -> Result<Option<End>> {
        let generation = app.generation();
        if self.text.is_empty() {
            if generation == self.asked {
                return Ok(None);
            }
            let mut cx = app.read(Caller::system()).await?;
            let generation = app.generation();
            let run = store::registry::tasks::runs::by_id(&mut cx.tx, self.run).await?;
            let Some(run) = run.filter(|r| r.status.is_under_way()) else { return Ok(Some(gone())) };
            let registry = store::registry::registries::by_id(&mut cx.tx, run.registry).await?;
            let Some(registry) = registry else { return Ok(Some(gone())) };
            cmk::open(&mut cx, &registry).await?;
            self.asked = generation;
            return Ok(None);
        }
        let mut cx = app.write(Caller::system()).await?;
        let run: Option<Run> = store::registry::tasks::runs::by_id(&mut cx.tx, self.run).await?;
        let Some(run) = run.filter(|r| r.status.is_under_way()) else { return Ok(Some(gone())) };
        let registry = store::registry::registries::by_id(&mut cx.tx, run.registry).await?;
        let Some(registry) = registry else { return Ok(Some(gone())) };
        blobs::append_log(&mut cx, &registry, &run, &self.text, None).await?;
        cx.commit().await?;
        self.text.clear();
        Ok(None)
    }
}

/// Somebody has cancelled it, or deleted its registry.
fn gone() -> End {
    End { status: Status::Canceled, message: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_lines_end_as_az_wants_them() {
        let (mut log, said) = Log::new(1);
        log.hide(vec!["pass".into(), "password".into(), String::new()]);
        said.try_send("the password is pass\n".into()).unwrap();
        said.try_send("second".into()).unwrap();
        assert_eq!(log.rest(), b"the *** is ***\r\nsecond\r\n");
        assert_eq!(stamped(Timestamp(0), "x"), "1970/01/01 00:00:00 x");
    }

    #[test]
    fn a_log_is_bounded() {
        let (mut log, _said) = Log::new(1);
        let line = "x".repeat(1024 * 1024);
        for _ in 0..80 {
            log.take(&line);
        }
        assert!(log.text.len() <= LIMIT + line.len());
        assert!(log.text.ends_with(b"is not kept.\r\n"));
    }
}
