//! The audit log: what is told to it costs its teller one message; a thread of its own makes records of it,
//! keeps the newest in memory for readers, and appends all to files.
//! Must not know: HTTP; who reads.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::Cx;
use crate::domain::audit::{Call, Event, Happening};
use crate::domain::key::{Key, Version};
use crate::domain::{Error, Result};
use crate::store;
use crate::store::journal::{Journal, tail};

/// Entries kept in memory.
const KEPT: usize = 4096;
/// Bytes of the file that are read at start: about as many entries.
const TAIL: u64 = 3 * 1024 * 1024;

/// One record, as readers get it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number since this process started; those from before have numbers too, the older the lower.
    pub number: u64,
    /// The caller's display name, where it was known.
    pub caller: Option<String>,
    /// The record as one line of JSON: an AuditEvent, or an event of Event Grid.
    pub line: Arc<str>,
}

enum Message {
    Call(Box<Call>),
    Event(Box<Event>),
    /// Answered when all that was sent before is with the readers and in the files.
    Flush(oneshot::Sender<()>),
}

/// The log of one emulator.
#[derive(Debug)]
pub struct Log {
    sender: Mutex<Option<Sender<Message>>>,
    kept: Arc<Mutex<VecDeque<Entry>>>,
    newest: watch::Receiver<u64>,
    closing: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Begins a log that goes on in `file`, and in `copy` too if there is one.
    pub(super) fn open(file: PathBuf, copy: Option<PathBuf>) -> Result<Self> {
        let mut journals = vec![Journal::open(&file, true)?];
        if let Some(copy) = copy {
            journals.push(Journal::open(&copy, false)?);
        }
        let (sender, messages) = channel();
        let (told, newest) = watch::channel(0);
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let mut keeper = Keeper { kept: kept.clone(), told, journals, number: 0 };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                for line in tail(&file, TAIL) {
                    keeper.keep(None, line.into());
                }
                keeper.run(&messages);
            })
            .map_err(Error::internal)?;
        Ok(Self {
            sender: Mutex::new(Some(sender)),
            kept,
            newest,
            closing: watch::Sender::new(false),
            thread: Mutex::new(Some(thread)),
        })
    }

    fn send(&self, message: Message) {
        // After the end nobody listens any more, and nothing is left to be told.
        if let Some(sender) = &*locked(&self.sender) {
            let _ = sender.send(message);
        }
    }

    /// Tells of a call.
    pub fn call(&self, call: Call) {
        self.send(Message::Call(Box::new(call)));
    }

    /// Tells of an event.
    pub fn event(&self, event: Event) {
        self.send(Message::Event(Box::new(event)));
    }

    /// The entries after number `after`, oldest first. With `wait`, if there is none yet, waits for one, or for
    /// the end of the emulator.
    pub async fn after(&self, after: u64, wait: bool) -> Vec<Entry> {
        let (done, flushed) = oneshot::channel();
        self.send(Message::Flush(done));
        let _ = flushed.await;
        let mut newest = self.newest.clone();
        let mut closing = self.closing.subscribe();
        loop {
            newest.mark_unchanged();
            let found: Vec<Entry> = locked(&self.kept).iter().filter(|e| e.number > after).cloned().collect();
            if !found.is_empty() || !wait || *closing.borrow_and_update() {
                return found;
            }
            // Either way the next turn sees what it was.
            tokio::select! {
                _ = newest.changed() => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Lets those go who wait for entries: the emulator is about to stop.
    pub fn let_go(&self) {
        self.closing.send_replace(true);
    }

    /// Ends the log when all that it was told is in the files.
    pub(super) fn close(&self) {
        self.let_go();
        drop(locked(&self.sender).take());
        if let Some(thread) = locked(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the audit log's thread failed");
        }
    }
}

/// The thread's side.
struct Keeper {
    kept: Arc<Mutex<VecDeque<Entry>>>,
    told: watch::Sender<u64>,
    journals: Vec<Journal>,
    number: u64,
}

impl Keeper {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            // Only when nothing more is coming at once are the files and the readers given what there is.
            let message = match messages.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let Ok(message) = messages.recv() else { return };
                    message
                }
                Err(TryRecvError::Disconnected) => return self.flush(),
            };
            match message {
                Message::Call(call) => self.add(call.caller.as_ref().map(|c| c.name.clone()), &call.record()),
                Message::Event(event) => self.add(None, &event.record()),
                Message::Flush(done) => {
                    self.flush();
                    let _ = done.send(());
                }
            }
        }
    }

    fn add(&mut self, caller: Option<String>, record: &Value) {
        let line: Arc<str> = record.to_string().into();
        self.journals.retain_mut(|journal| kept_up(journal.add(&line)));
        self.keep(caller, line);
    }

    fn keep(&mut self, caller: Option<String>, line: Arc<str>) {
        self.number += 1;
        let mut kept = locked(&self.kept);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Entry { number: self.number, caller, line });
    }

    fn flush(&mut self) {
        self.journals.retain_mut(|journal| kept_up(journal.flush()));
        self.told.send_replace(self.number);
    }
}

/// A file that can no longer be written is given up, said once: the emulator goes on without it.
fn kept_up(done: Result<()>) -> bool {
    if let Err(error) = &done {
        tracing::error!("the audit log is no longer written: {error}");
    }
    done.is_ok()
}

impl Cx {
    /// Has an event told when the transaction's changes last.
    pub(super) async fn happened(&mut self, what: Happening, key: &Key, version: &Version) -> Result<()> {
        if let Some(vault) = store::vaults::find_by_id(&mut self.tx, key.vault).await? {
            let event = Event::new(self.guid(), self.now, what, vault, key, version);
            self.happenings.push(event);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Caller;

    fn call(operation: &'static str) -> Call {
        Call {
            time: crate::domain::Timestamp(0),
            operation,
            caller: Some(Caller::system()),
            address: [127, 0, 0, 1].into(),
            vault_id: String::new(),
            decision: None,
            id: None,
            key: None,
            client: String::new(),
            uri: String::new(),
            version: String::new(),
            status: (200, "OK"),
            refusal: None,
            correlation: String::new(),
            took: 0,
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_and_a_restart_remembers() {
        let dir = tempfile::tempdir().unwrap();
        let (file, copy) = (dir.path().join("audit.jsonl"), dir.path().join("copy"));
        let log = Log::open(file.clone(), Some(copy.clone())).unwrap();
        for _ in 0..500 {
            log.call(call("KeyWrap"));
        }
        assert_eq!(log.after(0, false).await.len(), 500);
        assert_eq!(log.after(499, false).await.len(), 1);
        log.call(call("KeyGet"));
        log.close();
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 501);
        assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap());

        let log = Log::open(file, None).unwrap();
        let kept = log.after(0, false).await;
        assert_eq!((kept.len(), kept[500].number), (501, 501));
        assert!(kept[500].line.contains("KeyGet"));
        let log = Arc::new(log);
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.after(501, true).await }
        });
        log.call(call("KeySign"));
        assert!(waiting.await.unwrap()[0].line.contains("KeySign"));
        // Nobody waits for ever: a stop lets them go.
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.after(502, true).await }
        });
        tokio::task::yield_now().await;
        log.close();
        assert!(waiting.await.unwrap().is_empty());
    }
}
