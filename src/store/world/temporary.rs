//! Data folders that go with their process, and the removal of those whose process was killed.
//! Must not know: what is in them.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::folder::{Folder, FolderError, LOCK, at, lock};

/// How their names begin.
const PREFIX: &str = "acrite-";

/// A data folder that goes with its owner.
#[derive(Debug)]
pub struct Temporary {
    folder: Folder,
}

impl Temporary {
    /// Makes one in `parent`; `shared`: as [`Folder::take`] says.
    pub fn make(parent: &Path, shared: bool) -> Result<Self, FolderError> {
        let private = Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent);
        let path = made.map_err(at(parent))?.keep();
        let filled = || {
            let lock = marked(&path).map_err(at(&path))?;
            Folder::tidied(path.clone(), lock, shared)
        };
        filled().map(|folder| Self { folder }).inspect_err(|_| {
            let _ = remove(&path);
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = remove(self.folder.path()) {
            tracing::warn!("{} was not removed and holds keys: {error}", self.folder.path().display());
        }
    }
}

/// Takes the lock of a new folder and marks it. Those who sweep may be looking at it, which takes no time; they remove
/// nothing that is not marked.
fn marked(folder: &Path) -> io::Result<File> {
    let mut lock = File::options().create_new(true).read(true).write(true).mode(0o600).open(folder.join(LOCK))?;
    lock.lock()?;
    lock.write_all(mark(folder).as_bytes())?;
    Ok(lock)
}

/// What the lock of such a folder says. The name is part of it, so that a copy is not one.
fn mark(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{name} goes with its process\n")
}

/// Removes such a folder. The lock goes last: what is left of a removal that was cut off is still known by it.
pub fn remove(folder: &Path) -> io::Result<()> {
    let once = || -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            gone(removed)?;
        }
        gone(fs::remove_file(folder.join(LOCK)))?;
        gone(fs::remove_dir(folder))
    };
    // Somebody who is about to end may still write.
    gone(once().or_else(|_| once()).or_else(|_| once()))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes the folders in `parent` whose process is gone. A folder is one of ours if this user owns it and its lock says
/// so; its process is gone if the lock can be taken, and nobody else removes it or takes it while we hold that.
pub fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && let Some(_lock) = abandoned(&path)
        {
            match remove(&path) {
                Ok(()) => tracing::debug!("removed {}, whose process is gone", path.display()),
                Err(error) => tracing::warn!("{} was not removed and holds keys: {error}", path.display()),
            }
        }
    }
}

/// The lock of a folder that nobody needs any more.
fn abandoned(folder: &Path) -> Option<File> {
    let found = fs::symlink_metadata(folder).ok()?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let mut lock = lock(folder, false).ok()??;
    let mut said = String::new();
    io::Read::by_ref(&mut lock).take(1024).read_to_string(&mut said).ok()?;
    (said == mark(folder)).then_some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder as a kill leaves it: with a lock that nobody holds.
    fn left(path: &Path, mark: &str) {
        fs::create_dir_all(path.join("blobs")).unwrap();
        for (name, text) in [(LOCK, mark), ("master.key", "secret"), ("blobs/1", "")] {
            fs::write(path.join(name), text).unwrap();
        }
    }

    #[test]
    fn only_what_a_killed_process_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let within = |name: &str| parent.path().join(name);
        let running = Temporary::make(parent.path(), false).unwrap();
        left(&within("acrite-killed"), &mark(&within("acrite-killed")));
        left(&within("acrite-copied"), &mark(&within("acrite-killed")));
        left(&within("acrite-stays"), "");
        left(&within("other"), &mark(&within("other")));
        fs::create_dir(within("acrite-empty")).unwrap();
        left(&within("elsewhere/acrite-link"), &mark(&within("acrite-link")));
        std::os::unix::fs::symlink(within("elsewhere/acrite-link"), within("acrite-link")).unwrap();
        // It was temporary once, and was then made to stay.
        left(&within("acrite-taken"), &mark(&within("acrite-taken")));
        drop(Folder::take(&within("acrite-taken"), false).unwrap().unwrap());

        sweep(parent.path());
        assert!(!within("acrite-killed").exists());
        for stays in ["acrite-copied", "acrite-stays", "other", "elsewhere/acrite-link", "acrite-taken"] {
            assert!(within(stays).join("blobs/1").exists(), "{stays}");
        }
        assert!(within("acrite-empty").exists());
        let path = running.folder().path().to_owned();
        assert!(path.exists());
        drop(running);
        assert!(!path.exists());
    }

    #[test]
    fn makers_and_sweepers_at_once_get_along() {
        let parent = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    sweep(parent.path());
                }
            });
            for _ in 0..200 {
                let made = Temporary::make(parent.path(), false).unwrap();
                fs::write(made.folder().path().join("master.key"), "secret").unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
