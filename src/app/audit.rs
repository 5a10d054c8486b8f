//! The audit log: what is reported to it costs one message; a thread of its own makes records of it,
//! keeps the newest in memory for readers, and appends all to files. Records of a write are written by its own
//! transaction first (the outbox), so that each is in the files exactly once whenever the process ends.
//! Must not know: HTTP; who reads.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::app::Cx;
use crate::domain::audit::{Call, Event, Happening};
use crate::domain::registry::resource_log;
use crate::domain::vault::key::{Key, Version};
use crate::domain::{Error, Result};
use crate::store;
use crate::store::world::diagnostics::{Diagnostics, Route};
use crate::store::world::journal::{Journal, tail};
use crate::store::world::outbox;

/// Entries kept in memory.
const KEPT: usize = 8192;
/// Bytes of their lines at most: a line tells the whole address of a call.
const KEPT_SIZE: usize = 8 * 1024 * 1024;
/// Bytes of the file that are read at start: about as many entries.
const TAIL: u64 = 3 * 1024 * 1024;
/// Marks that are kept.
const MARKS: usize = 1000;
/// The pause before files that could not be written are tried again. Machine time: the disk is the machine's.
const RETRY: Duration = Duration::from_secs(1);

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

/// A record that a write leaves, to be reported when it is committed.
#[derive(Debug)]
pub(super) struct Record {
    caller: Option<String>,
    line: String,
}

enum Message {
    Call(Box<Call>),
    /// A record of what wrote nothing.
    Record(Box<Record>),
    /// Records of a committed write: they are in the outbox.
    Written(Vec<outbox::Record>),
    /// Where resources have their records written from now on.
    Routes(Vec<Route>),
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
    written: Arc<AtomicI64>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Names that were given to places in the log: the number of the last entry before each.
    marks: Mutex<BTreeMap<String, u64>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Begins a log that goes on in `file`, and in `copy` too if there is one. `unwritten` are the records in the outbox.
    pub(super) fn open(
        file: PathBuf,
        copy: Option<PathBuf>,
        diagnostics: Diagnostics,
        unwritten: Vec<outbox::Record>,
    ) -> Result<Self> {
        let mut journals = vec![Journal::open(&file, true)?];
        if let Some(copy) = copy {
            journals.push(Journal::open(&copy, false)?);
        }
        let (sender, messages) = channel();
        let (newest_number, newest) = watch::channel(0);
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let written = Arc::new(AtomicI64::new(0));
        let (kept_too, written_too) = (kept.clone(), written.clone());
        let mut keeper = Keeper {
            kept: kept_too,
            newest: newest_number,
            journals,
            diagnostics,
            number: 0,
            size: 0,
            written: written_too,
            last: 0,
            trouble: false,
            behind: false,
        };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                keeper.recover(&file, &unwritten);
                keeper.run(&messages);
            })
            .map_err(Error::internal)?;
        Ok(Self {
            sender: Mutex::new(Some(sender)),
            kept,
            newest,
            closing: watch::Sender::new(false),
            written,
            thread: Mutex::new(Some(thread)),
            marks: Mutex::default(),
        })
    }

    fn send(&self, message: Message) {
        // After the end nobody listens any more, and nothing is left to be written.
        if let Some(sender) = &*locked(&self.sender) {
            let _ = sender.send(message);
        }
    }

    /// Tells of a call.
    pub fn call(&self, call: Call) {
        self.send(Message::Call(Box::new(call)));
    }

    /// Records what a registry logs of what wrote nothing.
    pub fn logged(&self, log: &resource_log::Record<'_>) {
        let (caller, line) = (log.identity.name.clone(), log.shown().to_string());
        self.send(Message::Record(Box::new(Record { caller, line })));
    }

    /// Has what is recorded from now on go by these routes.
    pub(super) fn follow(&self, routes: Vec<Route>) {
        self.send(Message::Routes(routes));
    }

    /// The record in the outbox up to which all are in the files, if there is one.
    pub(super) fn forgettable(&self) -> Option<i64> {
        Some(self.written.load(Ordering::Acquire)).filter(|id| *id > 0)
    }

    /// The entries after number `after`, oldest first. With `wait`, if there is none yet, waits for one, or for
    /// the end of the emulator.
    pub async fn after(&self, after: u64, wait: bool) -> Vec<Entry> {
        let mut newest = self.newest.clone();
        let mut closing = self.closing.subscribe();
        self.settled().await;
        loop {
            newest.mark_unchanged();
            let last = *closing.borrow_and_update();
            if last {
                // What was reported before the end is still to be seen.
                self.settled().await;
            }
            let found: Vec<Entry> = locked(&self.kept).iter().filter(|e| e.number > after).cloned().collect();
            if !found.is_empty() || !wait || last {
                return found;
            }
            // Either way the next turn sees what it was.
            tokio::select! {
                _ = newest.changed() => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Gives the place after all that was reported so far a name. Returns the number of the last entry before it.
    pub async fn mark(&self, name: &str) -> u64 {
        self.settled().await;
        let number = *self.newest.borrow();
        let mut marks = locked(&self.marks);
        while marks.len() >= MARKS && !marks.contains_key(name) {
            marks.pop_first();
        }
        marks.insert(name.to_owned(), number);
        number
    }

    /// The number of the last entry before the place of this name.
    pub fn marked(&self, name: &str) -> Option<u64> {
        locked(&self.marks).get(name).copied()
    }

    /// Waits until all that was reported so far is with the readers.
    async fn settled(&self) {
        let (done, flushed) = oneshot::channel();
        self.send(Message::Flush(done));
        let _ = flushed.await;
    }

    /// Lets those go who wait for entries: the emulator is about to stop.
    pub fn let_go(&self) {
        self.closing.send_replace(true);
    }

    /// Ends the log when all that was reported is in the files.
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
    newest: watch::Sender<u64>,
    journals: Vec<Journal>,
    diagnostics: Diagnostics,
    number: u64,
    /// Bytes of the lines in memory.
    size: usize,
    /// Of the outbox: the last record that is in all files, and the last that was given to them.
    written: Arc<AtomicI64>,
    last: i64,
    /// A file could not be written; this was said.
    trouble: bool,
    /// A line found no place while a file could not be written. If it was a write's, the next start tells it.
    behind: bool,
}

impl Keeper {
    /// Begins where the process before ended: with the newest records, and those of writes that it did not tell.
    fn recover(&mut self, file: &std::path::Path, unwritten: &[outbox::Record]) {
        let mut recent = tail(file, TAIL);
        for journal in &mut self.journals {
            let lost = journal.missing(unwritten.iter().map(|r| r.line.as_str()).collect());
            for line in lost {
                journal.add(line);
            }
        }
        for record in unwritten {
            self.diagnostics.add_missing(&record.line);
        }
        recent
            .extend(unwritten.iter().map(|r| r.line.clone()).filter(|line| !recent.contains(line)).collect::<Vec<_>>());
        for line in recent {
            self.keep(None, line.into());
        }
        self.last = unwritten.last().map_or(0, |r| r.id);
    }

    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            // Only when nothing more is coming at once are the files and the readers given what there is.
            let message = match messages.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let next = match self.trouble {
                        true => messages.recv_timeout(RETRY),
                        false => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    };
                    match next {
                        Ok(message) => message,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return self.flush(),
                    }
                }
                Err(TryRecvError::Disconnected) => return self.flush(),
            };
            match message {
                Message::Call(call) => {
                    self.add(call.caller.as_ref().map(|c| c.name.clone()), call.record().to_string())
                }
                Message::Record(record) => self.add(record.caller, record.line),
                Message::Routes(routes) => self.diagnostics.follow(routes),
                Message::Written(records) => {
                    for record in records {
                        self.last = record.id;
                        self.add(record.caller, record.line);
                    }
                }
                Message::Flush(done) => {
                    self.flush();
                    let _ = done.send(());
                }
            }
        }
    }

    fn add(&mut self, caller: Option<String>, line: String) {
        for journal in &mut self.journals {
            self.behind |= !journal.add(&line);
        }
        self.behind |= !self.diagnostics.add(&line);
        self.keep(caller, line.into());
    }

    fn keep(&mut self, caller: Option<String>, line: Arc<str>) {
        self.number += 1;
        let mut kept = locked(&self.kept);
        self.size += line.len();
        while kept.len() >= KEPT || self.size > KEPT_SIZE {
            let Some(oldest) = kept.pop_front() else { break };
            self.size -= oldest.line.len();
        }
        kept.push_back(Entry { number: self.number, caller, line });
    }

    /// Gives the files and the readers what there is. What a file does not take is tried again later.
    fn flush(&mut self) {
        let must_last = self.last > self.written.load(Ordering::Acquire);
        let mut failed = None;
        for journal in &mut self.journals {
            if let Err(error) = journal.flush(must_last) {
                failed = Some(error);
            }
        }
        if let Err(error) = self.diagnostics.flush(must_last) {
            failed = Some(error);
        }
        match (&failed, self.trouble) {
            (Some(error), false) => tracing::error!("the audit log cannot be written and will be tried again: {error}"),
            (None, true) => tracing::info!("the audit log is written again"),
            _ => {}
        }
        self.trouble = failed.is_some();
        if failed.is_none() && !self.behind {
            self.written.store(self.last, Ordering::Release);
        }
        self.newest.send_replace(self.number);
    }
}

/// Writes the context's records into the outbox, and has them reported when it is committed.
pub(super) async fn write_out(cx: &mut Cx) -> Result<()> {
    if cx.records.is_empty() {
        return Ok(());
    }
    if let Some(written) = cx.app.audit.forgettable() {
        outbox::forget_records(&mut cx.tx, written).await?;
    }
    let mut written = Vec::new();
    for Record { caller, line } in std::mem::take(&mut cx.records) {
        let id = outbox::add_record(&mut cx.tx, caller.as_deref(), &line).await?;
        written.push(outbox::Record { id, caller, line });
    }
    let app = cx.app.clone();
    cx.tx.then(move || app.audit.send(Message::Written(written)));
    Ok(())
}

impl Cx {
    /// Has a call recorded when, and only if, the transaction's changes last.
    pub fn record(&mut self, call: &Call) {
        let caller = call.caller.as_ref().map(|c| c.name.clone());
        self.records.push(Record { caller, line: call.record().to_string() });
    }

    /// Has a record of the emulator's own reported when the transaction's changes last.
    pub(super) fn note(&mut self, record: &serde_json::Value) {
        self.records.push(Record { caller: None, line: record.to_string() });
    }

    /// Has what a registry logs of a write recorded when, and only if, its changes last.
    pub(super) fn log(&mut self, log: &resource_log::Record<'_>) {
        self.records.push(Record { caller: log.identity.name.clone(), line: log.shown().to_string() });
    }

    /// Has an event reported when the transaction's changes last.
    pub(super) async fn announce(&mut self, what: Happening, key: &Key, version: &Version) -> Result<()> {
        if let Some(vault) = store::vault::vaults::find_by_id(&mut self.tx, key.vault).await? {
            let event = Event::new(self.guid(), self.now, what, vault, key, version);
            self.records.push(Record { caller: None, line: event.record().to_string() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Caller;

    fn nowhere() -> Diagnostics {
        Diagnostics::new(PathBuf::new(), Vec::new())
    }

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
        let log = Log::open(file.clone(), Some(copy.clone()), nowhere(), Vec::new()).unwrap();
        for _ in 0..500 {
            log.call(call("KeyWrap"));
        }
        assert_eq!(log.after(0, false).await.len(), 500);
        assert_eq!(log.after(499, false).await.len(), 1);
        log.call(call("KeyGet"));
        log.close();
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 501);
        assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap());

        let log = Log::open(file, None, nowhere(), Vec::new()).unwrap();
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
