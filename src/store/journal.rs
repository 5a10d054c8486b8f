//! A journal of JSON lines: written by a thread of its own, read back as its tail. The file is bounded: when
//! full it becomes `NAME.1`, and the one before that goes.
//! Must not know: what the lines say.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};

/// Bytes after which the file is put aside.
const FULL: u64 = 16 * 1024 * 1024;
/// Bytes kept in memory before they are written.
const BATCH: usize = 64 * 1024;

/// A file that lines are appended to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    limit: Option<u64>,
    batch: Vec<u8>,
}

impl Journal {
    /// Opens or creates the file, for its owner alone. `bounded`: it is put aside when it is full.
    pub fn open(path: &Path, bounded: bool) -> Result<Self> {
        let failed = |error| Error::Internal(format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), file, length, limit: bounded.then_some(FULL), batch: Vec::new() })
    }

    /// Adds a line. It is in the file after [`Journal::flush`].
    pub fn add(&mut self, line: &str) -> Result<()> {
        self.batch.extend_from_slice(line.as_bytes());
        self.batch.push(b'\n');
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what was added.
    pub fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let failed = |path: &Path, error| Error::Internal(format!("{}: {error}", path.display()));
        if self.limit.is_some_and(|limit| self.length >= limit) {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            std::fs::rename(&self.path, aside).map_err(|e| failed(&self.path, e))?;
            *self = Self { batch: std::mem::take(&mut self.batch), ..Self::open(&self.path, true)? };
        }
        self.file.write_all(&self.batch).map_err(|e| failed(&self.path, e))?;
        self.length += self.batch.len() as u64;
        self.batch.clear();
        Ok(())
    }
}

/// The last whole lines of a file, `bytes` of it at most. A file that is not there has none.
#[must_use]
pub fn tail(path: &Path, bytes: u64) -> Vec<String> {
    let read = || -> std::io::Result<(bool, Vec<u8>)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(bytes);
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((from > 0, text))
    };
    let Ok((cut, text)) = read() else { return Vec::new() };
    let text = String::from_utf8_lossy(&text).into_owned();
    // The first line of a tail is a piece of one.
    text.lines().skip(usize::from(cut)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_a_full_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path, true).unwrap();
        journal.limit = Some(10);
        for line in ["one", "two", "three"] {
            journal.add(line).unwrap();
        }
        journal.flush().unwrap();
        assert_eq!(tail(&path, 1000), ["one", "two", "three"]);
        assert_eq!(tail(&path, 8), ["three"]);
        journal.add("four").unwrap();
        journal.flush().unwrap();
        assert_eq!(tail(&path, 1000), ["four"]);
        assert_eq!(tail(&dir.path().join("j.1"), 1000), ["one", "two", "three"]);
        assert!(tail(&dir.path().join("none"), 1000).is_empty());
    }
}
