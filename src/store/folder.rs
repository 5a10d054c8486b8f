//! The data folder as a place on disk, and the secrets kept in it as files.
//! Must not know: what the database holds, what the secrets open.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::domain::{Error, Result};

/// The data folder's master key, made on first use, mode 0600.
pub fn master_key(dir: &Path) -> Result<Zeroizing<[u8; 32]>> {
    let path = dir.join("master.key");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                Error::Internal(format!(
                    "{} is not a master key; restore it or start with another data folder",
                    path.display()
                ))
            })?;
            Ok(Zeroizing::new(key))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0u8; 32]);
            rand::Rng::fill_bytes(&mut rand::rng(), key.as_mut_slice());
            write_secret(&path, key.as_slice()).map_err(|e| Error::Internal(format!("{}: {e}", path.display())))?;
            Ok(key)
        }
        Err(error) => Err(Error::Internal(format!("{}: {error}", path.display()))),
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
