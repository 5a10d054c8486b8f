//! A journal of JSON lines: written by a thread of its own, read back as its tail. The file is bounded: when
//! full it becomes `NAME.1`, and the one before that goes.
//! Must not know: what the lines say.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::trouble::file as failed;
use crate::domain::{Error, Result};

/// Bytes after which the file is put aside.
const FULL: u64 = 16 * 1024 * 1024;
/// Bytes kept in memory before they are written.
const BATCH: usize = 64 * 1024;
/// Bytes that may wait in memory while the file cannot be written.
const WAITING: usize = 8 * 1024 * 1024;

/// A file that lines are appended to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    /// The file ends with a piece of a line; the batch begins with the rest of it.
    torn: bool,
    limit: Option<u64>,
    batch: Vec<u8>,
    /// Lines that found no place in the batch while the file could not be written.
    lost: u64,
}

impl Journal {
    /// Opens or creates the file, for its owner alone. `bounded`: it is put aside when it is full. One that is not
    /// belongs to the user, and others may write to it too: nothing in it is ever taken away.
    pub fn open(path: &Path, bounded: bool) -> Result<Self> {
        let open = || -> std::io::Result<(File, u64, bool)> {
            let mut options = OpenOptions::new();
            options.create(true).read(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            let (mut length, whole) = lengths(&mut file)?;
            if bounded && whole < length {
                file.set_len(whole)?;
                length = whole;
            }
            Ok((file, length, whole < length))
        };
        let (file, length, torn) = open().map_err(|e| failed(path, &e))?;
        // The piece of somebody's line is none of ours, nor is what comes after it theirs.
        let batch = if torn { b"\n".to_vec() } else { Vec::new() };
        Ok(Self { path: path.to_owned(), file, length, torn, limit: bounded.then_some(FULL), batch, lost: 0 })
    }

    /// Adds a line. It is in the file after [`Journal::flush`]. `false`: there was no place for it.
    pub fn add(&mut self, line: &str) -> bool {
        if self.batch.len() >= BATCH {
            // The next flush says if it failed.
            let _ = self.write();
        }
        if self.batch.len() + line.len() >= WAITING {
            self.lost += 1;
            return false;
        }
        self.batch.extend_from_slice(line.as_bytes());
        self.batch.push(b'\n');
        true
    }

    /// Writes what was added; `sync`: so that it survives power loss. Where that fails, it stays added.
    pub fn flush(&mut self, sync: bool) -> Result<()> {
        self.write()?;
        if sync {
            self.file.sync_data().map_err(|e| failed(&self.path, &e))?;
        }
        match std::mem::take(&mut self.lost) {
            0 => Ok(()),
            lost => Err(Error::Internal(format!("{lost} lines were lost while the file could not be written"))),
        }
    }

    fn write(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if self.limit.is_some_and(|limit| self.length >= limit) && !self.torn {
            std::fs::rename(&self.path, aside(&self.path)).map_err(|e| failed(&self.path, &e))?;
            *self = Self { batch: std::mem::take(&mut self.batch), lost: self.lost, ..Self::open(&self.path, true)? };
        }
        let (mut done, mut outcome) = (0, Ok(()));
        while let Some(rest) = self.batch.get(done..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => outcome = Err(std::io::ErrorKind::WriteZero.into()),
                Ok(length) => done += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
            if outcome.is_err() {
                break;
            }
        }
        if let Some(last) = done.checked_sub(1) {
            self.torn = self.batch.get(last) != Some(&b'\n');
        }
        self.length += done as u64;
        self.batch.drain(..done);
        outcome.map_err(|error| failed(&self.path, &error))
    }

    /// Which of these lines are in neither the file nor the one put aside, in their order.
    pub fn missing<'a>(&self, lines: Vec<&'a str>) -> Vec<&'a str> {
        if lines.is_empty() {
            return lines;
        }
        let mut wanted: HashSet<&str> = lines.iter().copied().collect();
        for path in [self.path.clone(), aside(&self.path)] {
            let Ok(file) = File::open(path) else { continue };
            for line in BufReader::new(file).lines().map_while(std::result::Result::ok) {
                wanted.remove(line.as_str());
            }
        }
        lines.into_iter().filter(|line| wanted.contains(line)).collect()
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut aside = path.to_owned().into_os_string();
    aside.push(".1");
    aside.into()
}

/// Bytes of the file, and of its whole lines: a process that was killed may have left a piece of one.
fn lengths(file: &mut File) -> std::io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(WAITING as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut last = Vec::new();
    file.read_to_end(&mut last)?;
    let whole = match last.iter().rposition(|b| *b == b'\n') {
        Some(end) => from + end as u64 + 1,
        // No line of ours is that long.
        None if from > 0 => length,
        None => 0,
    };
    Ok((length, whole))
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
            journal.add(line);
        }
        journal.flush(false).unwrap();
        assert_eq!(tail(&path, 1000), ["one", "two", "three"]);
        assert_eq!(tail(&path, 8), ["three"]);
        journal.add("four");
        journal.flush(true).unwrap();
        assert_eq!(tail(&path, 1000), ["four"]);
        assert_eq!(tail(&dir.path().join("j.1"), 1000), ["one", "two", "three"]);
        assert!(tail(&dir.path().join("none"), 1000).is_empty());
        // What was put aside is there; a piece of a line, left by a process that was killed, goes.
        assert_eq!(journal.missing(vec!["five", "one", "four"]), ["five"]);
        std::fs::write(&path, "four\nfi").unwrap();
        let mut journal = Journal::open(&path, true).unwrap();
        journal.add("five");
        journal.flush(false).unwrap();
        assert_eq!(tail(&path, 1000), ["four", "five"]);
    }

    #[test]
    fn what_others_wrote_to_a_file_of_the_user_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        std::fs::write(&path, "theirs\nand a piece").unwrap();
        let mut one = Journal::open(&path, false).unwrap();
        one.add("one");
        one.flush(false).unwrap();
        let mut two = Journal::open(&path, false).unwrap();
        for (journal, line) in [(&mut two, "two"), (&mut one, "three")] {
            journal.add(line);
            journal.flush(true).unwrap();
        }
        assert_eq!(tail(&path, 1000), ["theirs", "and a piece", "one", "two", "three"]);
    }
}
