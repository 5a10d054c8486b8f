//! The data folder as a place on disk: what belongs in it and who may read it, the lock of the process that uses it,
//! what a killed start left in it, whether it is still there, and the secrets kept in it as files.
//! Must not know: what the database holds, what the secrets open.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::domain::error::Unavailable;
use crate::domain::{Error, Result};
use crate::store::world::trouble::file;

/// The file whose lock is held by the process that uses the folder.
pub(in crate::store) const LOCK: &str = "lock";
const DATABASE: &str = "acrite.db";
const WRITE_AHEAD: &str = "acrite.db-wal";
pub(in crate::store) const MASTER_KEY: &str = "master.key";
/// Says that the folder is ours, and to git that nothing in it is to be committed.
const MARK: &str = ".gitignore";
const MARKED: &str = "# Made by acrite. This folder holds private keys: nothing in it belongs in a repository.\n*\n";
/// What clients may read where the certificates are shared.
const PUBLIC: [&str; 3] = [AUTHORITY, "ca-bundle.pem", "ca-bundle.jks"];
/// Everything else that is kept in the folder.
const PRIVATE: [&str; 15] = [
    DATABASE,
    "acrite.db-journal",
    "acrite.db-shm",
    WRITE_AHEAD,
    "audit.jsonl",
    "audit.jsonl.1",
    "azure",
    "blobs",
    "ca.key",
    "clients",
    "instance.json",
    LOCK,
    MASTER_KEY,
    "snapshots",
    "uploads",
];
/// The certificate of the authority, which clients trust.
const AUTHORITY: &str = "ca.pem";
/// How every database of SQLite begins.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Why a folder cannot be used as a data folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder that cannot be read or written.
    #[error("{} cannot be used: {error}", path.display())]
    File {
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A piece of the world in it is missing or spoilt.
    #[error("{0}")]
    Broken(String),
}

/// For `map_err`: says which path an error is about.
pub(in crate::store) fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |error| FolderError::File { path, error }
}

/// A data folder that this process uses, and no other.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes a folder for this process, and makes it if it is not there. What is in it is for this user alone, but the
    /// certificates of the authority if they are `shared`. `None`: another process uses it.
    pub fn take(path: &Path, shared: bool) -> std::result::Result<Option<Self>, FolderError> {
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(at(above))?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
        let path = path.canonicalize().map_err(at(path))?;
        let Some(lock) = lock(&path, true)? else { return Ok(None) };
        // A mark says that the folder goes with its process. This one stays.
        lock.set_len(0).map_err(at(&path))?;
        Self::tidied(path, lock, shared).map(Some)
    }

    /// A folder whose lock is held already.
    pub(in crate::store) fn tidied(path: PathBuf, lock: File, shared: bool) -> std::result::Result<Self, FolderError> {
        tidy(&path, shared).map_err(at(&path))?;
        // SQLite gives its other files the rights of this one.
        let database = path.join(DATABASE);
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&database);
        made.map_err(at(&database))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a world in it. One of which the database is missing is an error, and is not begun anew: a start
    /// makes the database first and the master key afterwards, so no killed start leaves the key alone.
    pub fn has_world(&self) -> std::result::Result<bool, FolderError> {
        let path = self.path.join(DATABASE);
        let mut header = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut header));
        read.map_err(at(&path))?;
        let broken = |what: &str| {
            let folder = self.path.display();
            Err(FolderError::Broken(format!("{folder} {what}; restore acrite.db from a copy of the folder")))
        };
        match header.as_slice() {
            [] if self.path.join(MASTER_KEY).exists() => broken("holds keys of a world whose database is gone"),
            [] => Ok(false),
            begin if begin == HEADER => Ok(true),
            _ => broken("holds an acrite.db that is no database"),
        }
    }
}

/// Takes the lock of a folder; `make`: also where there is no file for it yet. `None`: somebody else holds it.
pub(in crate::store) fn lock(folder: &Path, make: bool) -> std::result::Result<Option<File>, FolderError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(make).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = options.open(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
    }
    // Whoever held it before may have removed the folder and all that is in it.
    let same = || Ok(identity(&file.metadata()?) == identity(&fs::symlink_metadata(&path)?));
    match same().map_err(at(&path))? {
        true => Ok(Some(file)),
        false => Err(at(&path)(io::ErrorKind::NotFound.into())),
    }
}

/// Which file it is, whatever its name.
fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

/// Sets everybody's rights, and removes what starts that were killed left behind.
fn tidy(folder: &Path, shared: bool) -> io::Result<()> {
    if is_ours(folder)? {
        // Others may pass through to what they know by name, and see nothing else.
        set_mode(folder, if shared { 0o711 } else { 0o700 });
        if !folder.join(MARK).exists() {
            fs::write(folder.join(MARK), MARKED)?;
            set_mode(&folder.join(MARK), 0o600);
        }
    } else {
        tracing::warn!("{} holds other things too: only the files of its world are made private", folder.display());
    }
    for entry in fs::read_dir(folder)?.chain(fs::read_dir(folder.join("azure")).into_iter().flatten()) {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_file() && is_leftover(&path) {
            fs::remove_file(&path)?;
        } else if path.parent() != Some(folder) || kind.is_symlink() {
            continue;
        } else if named(&path, &PUBLIC) && kind.is_file() {
            set_mode(&path, 0o644);
        } else if named(&path, &PRIVATE) {
            set_mode(&path, if kind.is_dir() { 0o700 } else { 0o600 });
        }
    }
    Ok(())
}

/// Whether nobody else keeps anything in the folder, so that its rights are ours to set. What bears our mark is ours
/// whatever else was put there later.
fn is_ours(folder: &Path) -> io::Result<bool> {
    if fs::read(folder.join(MARK)).is_ok_and(|text| text == MARKED.as_bytes()) {
        return Ok(true);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // The last is what a new disk begins with.
        if !(named(&path, &PUBLIC) || named(&path, &PRIVATE) || is_leftover(&path) || named(&path, &["lost+found"])) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn named(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}

/// Files are written under such a name, and get their own when they are whole.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(".tmp").is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Sets what others may, and gives the owner no more than there was. Where that cannot be set, as on some mounted
/// folders, the rights are as its owner set them.
fn set_mode(path: &Path, mode: u32) {
    let now = fs::symlink_metadata(path).map_or(mode, |found| found.permissions().mode() & 0o777);
    let mode = mode & (now | 0o077);
    if now == mode {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!("the rights of {} stay {now:o} instead of {mode:o}: {error}", path.display());
    }
}

/// Whether a path leads to one of the files of a data folder, by whatever name or link.
#[must_use]
pub fn is_own(folder: &Path, path: &Path) -> bool {
    let resolved = path.canonicalize().or_else(|_| {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        above.canonicalize().map(|above| above.join(path.file_name().unwrap_or_default()))
    });
    let (Ok(folder), Ok(path)) = (folder.canonicalize(), resolved) else { return false };
    let inside = path.strip_prefix(&folder).ok().and_then(|rest| rest.components().next());
    if inside.is_some_and(|first| {
        let first = Path::new(first.as_os_str());
        named(first, &PUBLIC) || named(first, &PRIVATE) || named(first, &[MARK])
    }) {
        return true;
    }
    let Ok(found) = path.metadata() else { return false };
    let own = PUBLIC.iter().chain(&PRIVATE).filter_map(|name| folder.join(name).metadata().ok());
    own.map(|own| identity(&own)).any(|own| own == identity(&found))
}

/// Notices when the files that writes go to are no longer those that others find in the folder: what is written then
/// is lost with this process.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    files: Vec<(PathBuf, (u64, u64))>,
}

impl Watch {
    /// Begins to watch a folder whose database is open.
    #[must_use]
    pub fn over(folder: &Path) -> Self {
        let files = [DATABASE, LOCK].map(|name| folder.join(name)).into_iter();
        // There is no lock in unit tests.
        let files = files.filter_map(|path| path.metadata().ok().map(|found| (path, identity(&found)))).collect();
        Self { folder: folder.to_owned(), files }
    }

    /// Refuses where the folder was deleted, moved, replaced or made read-only, or where its lock was deleted so that
    /// another process could take it. Asked within a write before its commit it refuses the write; asked after it, it
    /// tells whether what was committed lasts. Costs a few system calls.
    pub fn still_there(&self) -> Result<()> {
        let is_same = |(path, known): &(PathBuf, _)| path.metadata().is_ok_and(|found| identity(&found) == *known);
        // SQLite makes this one anew when it opens its first connection again; while one is open it is there.
        if !self.files.iter().all(is_same) || !self.folder.join(WRITE_AHEAD).exists() {
            return Err(Error::Unavailable(Unavailable::Gone));
        }
        match accessat(CWD, &self.folder, Access::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::Unavailable(Unavailable::ReadOnly)),
        }
    }
}

/// The certificate that clients trust, as PEM.
pub fn authority(dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(AUTHORITY);
    fs::read(&path).map_err(|error| file(&path, &error))
}

/// Makes a folder for this user alone, marked as a data folder is, where there is none yet.
pub fn make_marked(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::write(folder.join(MARK), MARKED)
}

/// The data folder's master key, mode 0600. Made where nothing was `sealed` under it yet.
pub fn master_key(dir: &Path, sealed: bool) -> Result<Zeroizing<[u8; 32]>> {
    let path = dir.join(MASTER_KEY);
    let failure = |what: String| Error::Internal(format!("{}: {what}", path.display()));
    match fs::read(&path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let wrong = |_| failure(format!("a master key has 32 bytes, not {}; restore it from a copy", bytes.len()));
            Ok(Zeroizing::new(bytes.as_slice().try_into().map_err(wrong)?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && sealed => Err(failure(
            "it is missing, and without it nothing in the database can be opened; restore it from a copy".into(),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0u8; 32]);
            rand::Rng::fill_bytes(&mut rand::rng(), key.as_mut_slice());
            write_secret(&path, key.as_slice()).map_err(|error| failure(error.to_string()))?;
            Ok(key)
        }
        Err(error) => Err(failure(error.to_string())),
    }
}

/// Writes a file that only its owner may read, so that it is there whole or not at all.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // tempfile makes files with mode 0600.
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn loosen(path: &Path) {
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn take(path: &Path) -> Folder {
        Folder::take(path, false).unwrap().unwrap()
    }

    #[test]
    fn a_folder_of_any_age_is_made_private() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("above/folder");
        drop(take(&path));
        assert!(fs::read_to_string(path.join(MARK)).unwrap().ends_with("\n*\n"));
        for name in ["blobs", "azure"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        for name in ["ca.pem", "ca.key", ".tmpAb12Cd", "azure/.tmpAb12Cd", ".tmp-other", "notes"] {
            fs::write(path.join(name), "x").unwrap();
        }
        for name in ["", "blobs", "azure", "ca.pem", "ca.key", "acrite.db", "notes"] {
            loosen(&path.join(name));
        }
        drop(take(&path));
        let mode = |name: &str| mode(&path.join(name));
        assert_eq!((mode(""), mode("blobs"), mode("azure")), (0o700, 0o700, 0o700));
        assert_eq!((mode("ca.key"), mode("acrite.db"), mode("ca.pem")), (0o600, 0o600, 0o644));
        assert!(!path.join(".tmpAb12Cd").exists() && !path.join("azure/.tmpAb12Cd").exists());
        assert_eq!((mode("notes"), path.join(".tmp-other").exists()), (0o666, true), "what is not ours is left alone");
        drop(Folder::take(&path, true).unwrap().unwrap());
        assert_eq!(mode(""), 0o711);
        fs::set_permissions(path.join("ca.key"), Permissions::from_mode(0o444)).unwrap();
        drop(take(&path));
        assert_eq!(mode("ca.key"), 0o400, "its owner may no more than before");
    }

    #[test]
    fn a_folder_with_other_things_in_it_keeps_its_rights() {
        let home = TempDir::new().unwrap();
        fs::write(home.path().join("main.rs"), "").unwrap();
        loosen(home.path());
        for _ in 0..2 {
            drop(take(home.path()));
            assert_eq!((mode(home.path()), home.path().join(MARK).exists()), (0o777, false));
        }
        // One of before there were marks holds nothing else.
        fs::remove_file(home.path().join("main.rs")).unwrap();
        drop(take(home.path()));
        assert_eq!((mode(home.path()), home.path().join(MARK).exists()), (0o700, true));
    }

    #[test]
    fn one_process_at_a_time() {
        let home = TempDir::new().unwrap();
        let first = take(home.path());
        assert!(Folder::take(home.path(), false).unwrap().is_none());
        drop(first);
        take(home.path());
    }

    #[test]
    fn a_world_without_its_database_is_not_begun_anew() {
        let home = TempDir::new().unwrap();
        let folder = take(home.path());
        assert!(!folder.has_world().unwrap());
        let key = master_key(home.path(), false).unwrap();
        assert_eq!(master_key(home.path(), true).unwrap(), key);
        assert!(folder.has_world().unwrap_err().to_string().contains("whose database is gone"));
        fs::write(home.path().join(DATABASE), "no").unwrap();
        assert!(folder.has_world().unwrap_err().to_string().contains("no database"));
        fs::write(home.path().join(DATABASE), b"SQLite format 3\0 and so on").unwrap();
        assert!(folder.has_world().unwrap());

        fs::write(home.path().join(MASTER_KEY), "short").unwrap();
        assert!(master_key(home.path(), true).unwrap_err().to_string().contains("32 bytes, not 5"));
        fs::remove_file(home.path().join(MASTER_KEY)).unwrap();
        assert!(master_key(home.path(), true).unwrap_err().to_string().contains("it is missing"));
        assert!(!home.path().join(MASTER_KEY).exists());
    }

    #[test]
    fn what_is_not_there_any_more_is_noticed() {
        let home = TempDir::new().unwrap();
        let (path, elsewhere) = (home.path().join("folder"), home.path().join("elsewhere"));
        let _folder = take(&path);
        fs::write(path.join("acrite.db-wal"), "").unwrap();
        let watch = Watch::over(&path);
        let gone = || matches!(watch.still_there(), Err(Error::Unavailable(Unavailable::Gone)));
        assert!(watch.still_there().is_ok());
        fs::rename(&path, &elsewhere).unwrap();
        assert!(gone(), "moved");
        let _other = take(&path);
        assert!(gone(), "replaced");
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        assert!(watch.still_there().is_ok(), "and back");
        for name in [LOCK, WRITE_AHEAD, DATABASE] {
            let (here, aside) = (path.join(name), home.path().join("aside"));
            fs::rename(&here, &aside).unwrap();
            assert!(gone(), "{name} deleted");
            fs::write(&here, "").unwrap();
            assert_eq!(gone(), name != WRITE_AHEAD, "{name} replaced");
            fs::rename(&aside, &here).unwrap();
            assert!(watch.still_there().is_ok(), "{name}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o500)).unwrap();
        // The superuser may write all the same.
        let refused = matches!(watch.still_there(), Err(Error::Unavailable(Unavailable::ReadOnly)));
        assert!(refused || rustix::process::geteuid().is_root());
    }

    #[test]
    fn own_files_are_known_by_whatever_path() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("folder");
        let _folder = take(&path);
        fs::create_dir(path.join("azure")).unwrap();
        std::os::unix::fs::symlink(path.join(DATABASE), home.path().join("soft")).unwrap();
        fs::hard_link(path.join(DATABASE), home.path().join("hard")).unwrap();
        for own in ["folder/audit.jsonl", "folder/../folder/acrite.db", "folder/azure/config", "soft", "hard"] {
            assert!(is_own(&path, &home.path().join(own)), "{own}");
        }
        for other in ["folder/copy.jsonl", "audit.jsonl", "none/audit.jsonl"] {
            assert!(!is_own(&path, &home.path().join(other)), "{other}");
        }
    }
}
