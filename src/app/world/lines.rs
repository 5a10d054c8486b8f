//! The last lines of this process's own log, for those who ask for them. One log for the process, as it has one standard
//! error.
//! Must not know: what is logged, who reads.

use std::collections::VecDeque;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Lines kept.
const KEPT: usize = 2000;
/// Bytes of them at most.
const KEPT_SIZE: usize = 1024 * 1024;

static LINES: LazyLock<Lines> = LazyLock::new(Lines::default);

/// The log of this process.
#[must_use]
pub fn lines() -> &'static Lines {
    &LINES
}

/// A line, and its number since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub number: u64,
    pub text: String,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    size: usize,
    number: u64,
}

#[derive(Debug)]
pub struct Lines {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { kept: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Lines {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &str) {
        let mut kept = self.kept();
        kept.number += 1;
        kept.size += text.len();
        while kept.lines.len() >= KEPT || kept.size > KEPT_SIZE {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.size -= oldest.text.len();
        }
        let number = kept.number;
        kept.lines.push_back(Line { number, text: text.to_owned() });
        drop(kept);
        self.newest.send_replace(number);
    }

    /// The lines after number `after`, oldest first. With `wait`, if there is none yet, waits for one, or for
    /// [`Lines::let_go`].
    pub async fn after(&self, after: u64, wait: bool) -> Vec<Line> {
        let mut newest = self.newest.subscribe();
        let found = || -> Vec<Line> { self.kept().lines.iter().filter(|line| line.number > after).cloned().collect() };
        let there = found();
        if !there.is_empty() || !wait {
            return there;
        }
        let _ = newest.changed().await;
        found()
    }

    /// Lets those go who wait for a line: the emulator is about to stop.
    pub fn let_go(&self) {
        self.newest.send_modify(|_| {});
    }
}

/// For `tracing`, which hands over each line in one call.
impl io::Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(String::from_utf8_lossy(line).trim_end_matches('\n'));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn the_newest_lines_are_kept_and_who_waits_gets_the_next() {
        let lines = Arc::new(Lines::default());
        for number in 0..KEPT + 10 {
            (&*lines).write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        let kept = lines.after(0, true).await;
        assert_eq!((kept.len(), kept[0].text.as_str(), kept[0].number), (KEPT, "10", 11));
        let last = kept.last().unwrap().number;
        assert!(lines.after(last, false).await.is_empty());
        let waiting = tokio::spawn({
            let lines = lines.clone();
            async move { lines.after(last, true).await }
        });
        tokio::task::yield_now().await;
        (&*lines).write_all(b"next\n").unwrap();
        assert_eq!(waiting.await.unwrap(), [Line { number: last + 1, text: "next".to_owned() }]);
        (&*lines).write_all(&vec![b'x'; 2 * KEPT_SIZE]).unwrap();
        assert_eq!(lines.after(0, false).await.len(), 1, "a large one pushes the others out");
    }
}
