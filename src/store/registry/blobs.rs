//! Sealed bytes on disk: `uploads/` while they grow, `blobs/` when they are whole. Nothing but [`Sealed`]
//! can be written here. All calls block: they belong on the blocking threads.
//! Must not know: what is sealed, under which key, whose it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::error::{ContentError, Unavailable};
use crate::domain::fault::{End, Faults, Service, Touch};
use crate::domain::registry::envelope::Sealed;
use crate::domain::{Error, Result};
use crate::store::world::trouble::file as failed;

/// The folder of files under upload.
pub const UPLOADS: &str = "uploads";
/// The folder of whole blobs.
pub const BLOBS: &str = "blobs";

/// A file under upload that cannot be opened or moved. One that is gone went with its session, which ended meanwhile:
/// that is no trouble of the disk, unless the folder is gone too.
fn lost(path: &Path, name: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound if path.parent().is_some_and(Path::exists) => {
            tracing::warn!("upload {name} ended meanwhile");
            ContentError::UploadUnknown(name.to_owned()).into()
        }
        _ => failed(path, error),
    }
}

/// The two folders.
#[derive(Debug, Clone)]
pub struct Blobs {
    dir: PathBuf,
    durable: bool,
    faults: Arc<Faults>,
}

impl Blobs {
    /// Opens the folders, or makes them. `durable`: survive power loss, not only the end of the process.
    pub fn open(dir: &Path, durable: bool) -> Result<Self> {
        for folder in [UPLOADS, BLOBS] {
            let path = dir.join(folder);
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|e| failed(&path, &e))?;
        }
        Ok(Self { dir: dir.to_owned(), durable, faults: Arc::default() })
    }

    /// The same on a disk that fails as a test asks for.
    #[must_use]
    pub fn failing(self, faults: Arc<Faults>) -> Self {
        Self { faults, ..self }
    }

    fn path(&self, folder: &str, name: &str) -> PathBuf {
        self.dir.join(folder).join(name)
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        let path = self.dir.join(folder);
        File::open(&path).and_then(|f| f.sync_all()).map_err(|e| failed(&path, &e))
    }

    /// A new upload's file, or the one that is there, begun anew.
    pub fn begin(&self, name: &str, header: &Sealed) -> Result<Growing> {
        let path = self.path(UPLOADS, name);
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(|e| failed(&path, &e))?;
        let mut growing =
            Growing { file, path, new_in: Some(self.clone()), durable: self.durable, faults: self.faults.clone() };
        growing.append(header)?;
        Ok(growing)
    }

    /// An upload's file, cut back to the bytes that were answered for.
    pub fn resume(&self, name: &str, length: u64) -> Result<Growing> {
        let path = self.path(UPLOADS, name);
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "shorter than what was answered for"));
            }
            file.set_len(length)?;
            io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|e| lost(&path, name, &e))?;
        Ok(Growing { file, path, new_in: None, durable: self.durable, faults: self.faults.clone() })
    }

    /// Moves a whole, synced upload to the blobs.
    pub fn keep(&self, name: &str) -> Result<()> {
        let from = self.path(UPLOADS, name);
        std::fs::rename(&from, self.path(BLOBS, name)).map_err(|e| lost(&from, name, &e))?;
        self.sync_folder(BLOBS)?;
        self.sync_folder(UPLOADS)
    }

    /// Moves a blob that no row came to name back to the uploads. `false`: there is none.
    pub fn take_back(&self, name: &str) -> Result<bool> {
        let from = self.path(BLOBS, name);
        match std::fs::rename(&from, self.path(UPLOADS, name)) {
            Ok(()) => self.sync_folder(UPLOADS).map(|()| true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(failed(&from, &e)),
        }
    }

    /// Whether there is a file under upload.
    #[must_use]
    pub fn is_upload(&self, name: &str) -> bool {
        self.path(UPLOADS, name).exists()
    }

    /// Opens a whole blob.
    pub fn read(&self, name: &str) -> Result<Stored> {
        let path = self.path(BLOBS, name);
        let file = File::open(&path).map_err(|e| failed(&path, &e))?;
        Ok(Stored { file, faults: self.faults.clone() })
    }

    /// Opens a file under upload.
    pub fn read_upload(&self, name: &str) -> Result<Stored> {
        let path = self.path(UPLOADS, name);
        let file = File::open(&path).map_err(|e| lost(&path, name, &e))?;
        Ok(Stored { file, faults: self.faults.clone() })
    }

    /// Names of all files under upload.
    pub fn uploads(&self) -> Result<Vec<String>> {
        let path = self.dir.join(UPLOADS);
        let list = || -> io::Result<Vec<String>> {
            std::fs::read_dir(&path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        list().map_err(|e| failed(&path, &e))
    }

    /// Removes a file by its path below the data folder. It may be gone already. Who reads it reads on.
    pub fn remove(&self, path: &str) -> Result<()> {
        let path = self.dir.join(path);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(&path, &e)),
            _ => Ok(()),
        }
    }
}

/// A file that sealed bytes are appended to.
#[derive(Debug)]
pub struct Growing {
    file: File,
    path: PathBuf,
    new_in: Option<Blobs>,
    durable: bool,
    faults: Arc<Faults>,
}

impl Growing {
    /// Appends.
    pub fn append(&mut self, sealed: &Sealed) -> Result<()> {
        meet(&self.faults, "WriteBlob")?;
        self.file.write_all(sealed.as_bytes()).map_err(|e| failed(&self.path, &e))
    }

    /// Makes all that was appended last.
    pub fn sync(&mut self) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        self.file.sync_data().map_err(|e| failed(&self.path, &e))?;
        match self.new_in.take() {
            Some(blobs) => blobs.sync_folder(UPLOADS),
            None => Ok(()),
        }
    }
}

/// A file of sealed bytes, for reading.
#[derive(Debug)]
pub struct Stored {
    file: File,
    faults: Arc<Faults>,
}

impl Stored {
    /// `length` bytes from `offset`.
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        meet(&self.faults, "ReadBlob")?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(|e| Error::Internal(format!("reading a blob: {e}")))?;
        Ok(bytes)
    }
}

/// Meets the fault that a test asked for, if it did: the disk is slow, or full.
fn meet(faults: &Faults, operation: &str) -> Result<()> {
    let Some(strike) = faults.strike(&Touch::of(Service::Disk, &[operation])) else { return Ok(()) };
    std::thread::sleep(strike.latency);
    if strike.end == Some(End::Full) { Err(Error::Unavailable(Unavailable::Full)) } else { Ok(()) }
}
