//! The last requests that were answered, for those who watch: never a query, a header or a body, for those hold tokens.
//! Must not know: HTTP; who reads.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::Timestamp;

/// Requests kept.
const KEPT: usize = 200;
/// Bytes of a path that are kept.
const LONGEST: usize = 300;

/// A request and what came of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number since the process started.
    pub number: u64,
    /// Machine time at which it was answered.
    pub at: Timestamp,
    pub method: String,
    pub host: String,
    pub path: String,
    pub status: u16,
    /// Of a refusal.
    pub code: String,
    /// Machine microseconds.
    pub took: i64,
}

/// The last requests of one emulator.
#[derive(Debug)]
pub struct Seen {
    kept: Mutex<VecDeque<Request>>,
    newest: watch::Sender<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { kept: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Seen {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request; its number is given here.
    pub fn put(&self, mut request: Request) {
        if request.path.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| request.path.is_char_boundary(*at)).unwrap_or_default();
            request.path.truncate(end);
            request.path.push('…');
        }
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        request.number = *self.newest.borrow() + 1;
        let number = request.number;
        kept.push_back(request);
        self.newest.send_replace(number);
    }

    /// The number of the newest; 0 before the first.
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> Vec<Request> {
        self.kept().iter().cloned().collect()
    }

    /// Those after a number, when there is one.
    pub async fn after(&self, number: u64) -> Vec<Request> {
        let mut newest = self.newest.subscribe();
        // The sender is this one: it is not gone.
        let _ = newest.wait_for(|newest| *newest > number).await;
        self.kept().iter().filter(|r| r.number > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request {
        let (method, host, code) = ("GET".to_owned(), "h".to_owned(), String::new());
        Request { number: 0, at: Timestamp(0), method, host, path: path.to_owned(), status: 200, code, took: 1 }
    }

    #[tokio::test]
    async fn the_newest_are_kept_and_numbered() {
        let seen = Seen::default();
        for number in 0..KEPT + 5 {
            seen.put(request(&format!("/{number}")));
        }
        let all = seen.all();
        assert_eq!((all.len(), all[0].number, seen.newest()), (KEPT, 6, KEPT as u64 + 5));
        assert_eq!(seen.after(KEPT as u64 + 4).await.len(), 1);
        seen.put(request(&"é".repeat(LONGEST)));
        assert!(seen.all().last().unwrap().path.len() <= LONGEST + "…".len());
    }
}
