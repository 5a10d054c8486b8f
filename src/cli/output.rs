//! Standard output and standard error. Owns the decision that a reader who left costs the lines and nothing else,
//! and that `serve` and `exec` never wait for a reader.
//! Must not know what is printed.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::cli::failure::Failure;

/// Lines that wait for a reader, at most. What comes while so many wait is lost.
const WAITING: usize = 4096;
/// How often, and after which pauses, the end of the program looks whether all is written.
const LAST_LOOKS: (u32, Duration) = (100, Duration::from_millis(10));

static OUTPUT: OnceLock<Stream> = OnceLock::new();
static ERROR: OnceLock<Stream> = OnceLock::new();

/// Standard output of a process that must not wait for its reader.
pub(super) fn output() -> &'static Stream {
    OUTPUT.get_or_init(|| Stream::start(io::stdout()))
}

/// Standard error, for failures and for the log.
pub(super) fn error() -> &'static Stream {
    ERROR.get_or_init(|| Stream::start(io::stderr()))
}

/// Waits a moment for what is still to be written. Called once, at the end of the program.
pub(super) fn finish() {
    for stream in [&OUTPUT, &ERROR].into_iter().filter_map(OnceLock::get) {
        stream.drain();
    }
}

/// A standard stream that a thread of its own writes: who puts a line there never waits.
pub(super) struct Stream {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// Answered when all that was put before is written.
    Written(SyncSender<()>),
}

impl Stream {
    fn start(to: impl AsFd + Send + 'static) -> Self {
        let (queue, messages) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let missed = lost.clone();
        // Without the thread everything is lost: the program is not there for its log.
        let _ = thread::Builder::new().name("output".into()).spawn(move || run(&to, &messages, &missed));
        Self { queue, lost }
    }

    /// Has a line written when its turn comes.
    pub fn put(&self, line: &[u8]) {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn drain(&self) {
        let (written, done) = sync_channel(1);
        let (looks, pause) = LAST_LOOKS;
        for _ in 0..looks {
            match self.queue.try_send(Message::Written(written.clone())) {
                Ok(()) => {
                    let _ = done.recv_timeout(pause * looks);
                    return;
                }
                Err(TrySendError::Full(_)) => thread::sleep(pause),
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

/// For `tracing`, which hands over each line in one call.
impl Write for &Stream {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(to: &impl AsFd, messages: &Receiver<Message>, lost: &AtomicU64) {
    let tell_missing = || match lost.swap(0, Ordering::Relaxed) {
        0 => Ok(()),
        missing => write(to, format!("acrite: {missing} lines are missing here: nobody read them\n").as_bytes()),
    };
    for message in messages {
        // A reader who left is gone for good, or was replaced: the next line is tried all the same.
        let _ = tell_missing();
        match message {
            Message::Line(line) => drop(write(to, &line)),
            Message::Written(done) => drop(done.try_send(())),
        }
    }
    let _ = tell_missing();
}

/// Writes all of it. Streams are shared with other programs, which may have made them non-blocking.
fn write(to: &impl AsFd, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match rustix::io::write(to, text) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => text = text.get(length..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Prints what a command was asked for, and waits until it is read. It ends its own lines.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match write(&io::stdout(), text.as_bytes()) {
        Ok(()) => Ok(()),
        // `acrite status | head -1` is not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::nobody_reads()),
        Err(error) => {
            Err(Failure::new(format!("standard output cannot be written: {error}"), "look for room", "df -h"))
        }
    }
}

/// Whether a stream shows colours: it is a terminal, and nobody asked for none (no-color.org).
pub(super) fn is_coloured(stream: &impl IsTerminal) -> bool {
    let says = |name: &str, what: &str| std::env::var(name).is_ok_and(|value| value == what);
    let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !none && !says("TERM", "dumb")
}

/// How a word is to strike the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Red,
    Bold,
}

/// Text in a colour, for a stream that shows them.
pub(super) fn coloured(text: &str, colour: Colour, shows: bool) -> String {
    let code = match colour {
        Colour::Green => 32,
        Colour::Red => 31,
        Colour::Bold => 1,
    };
    if shows { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// How far something is that takes long: one line of a terminal, which goes when it is done. Files and pipes get nothing.
pub(super) struct Progress {
    what: String,
    total: u64,
    done: u64,
    /// How much was done when it was told last. `None`: nobody looks.
    told: Option<u64>,
}

/// Bytes between two lines of progress.
const TOLD_EACH: u64 = 1024 * 1024;

impl Progress {
    /// `total`: bytes; 0 where that is not known.
    pub fn new(what: impl Into<String>, total: u64) -> Self {
        let told = io::stderr().is_terminal().then_some(0);
        let progress = Self { what: what.into(), total, done: 0, told };
        progress.tell();
        progress
    }

    /// So many bytes more are done.
    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.told.is_some_and(|told| self.done >= told + TOLD_EACH) {
            self.told = Some(self.done);
            self.tell();
        }
    }

    fn tell(&self) {
        if self.told.is_some() {
            error().put(format!("\r\x1b[K{}", progress_line(&self.what, self.done, self.total)).as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told.is_some() {
            error().put(b"\r\x1b[K");
        }
    }
}

fn progress_line(what: &str, done: u64, total: u64) -> String {
    let tenths = |bytes: u64| bytes * 10 / (1024 * 1024);
    let mib = |bytes: u64| format!("{}.{}", tenths(bytes) / 10, tenths(bytes) % 10);
    match total {
        0 if done == 0 => what.to_owned(),
        0 => format!("{what}: {} MiB", mib(done)),
        _ => format!("{what}: {} of {} MiB, {} %", mib(done), mib(total), done.min(total) * 100 / total),
    }
}

/// Lines up columns that are two spaces apart; the first row is the heading.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn progress_is_told_in_mebibytes() {
        assert_eq!(progress_line("loading", 0, 0), "loading");
        assert_eq!(progress_line("pushing", 1_572_864, 0), "pushing: 1.5 MiB");
        assert_eq!(progress_line("pushing", 1_572_864, 3 * 1_048_576), "pushing: 1.5 of 3.0 MiB, 50 %");
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["NAME", "STATE", "WHY"]), row(["longer", "open", ""])]);
        assert_eq!(text, "NAME    STATE  WHY\nlonger  open\n");
    }

    #[test]
    fn a_reader_who_comes_late_is_told_how_much_is_missing() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stream = Stream::start(writer);
        let line = [b'x'; 1023].into_iter().chain([b'\n']).collect::<Vec<u8>>();
        // More than a pipe and the queue hold together.
        let put = 2 * WAITING;
        (0..put).for_each(|_| stream.put(&line));
        let reading = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        // The end of the queue is the end of the thread, and so of the pipe.
        drop(stream);
        let text = reading.join().unwrap();
        let read = text.lines().filter(|line| line.starts_with('x')).count();
        let notices = text.lines().filter_map(|line| line.strip_prefix("acrite: ")?.split_once(" lines are missing"));
        let missing: usize = notices.map(|(number, _)| number.parse::<usize>().unwrap()).sum();
        assert!(missing > 0 && read >= WAITING, "{missing} of {put} are missing");
        assert_eq!(read + missing, put);
    }
}
