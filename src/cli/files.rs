//! Writing files whole or not at all, with the rights they should have from their first moment.
//! Must not know what is in them.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::failure::{Failure, sh_path};

/// For anything that holds a secret.
pub(super) const PRIVATE: u32 = 0o600;
/// For what every process of the machine may read.
pub(super) const PUBLIC: u32 = 0o644;

/// Writes `bytes` to `path` so that a reader sees the old file or the new one.
/// Not forced to disk: everything written here is made anew at the next start.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let save = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        // Whatever the umask.
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    save().map_err(|error| unwritable(path, &error))
}

/// Makes a folder for this user alone.
pub(super) fn make_private_folder(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| unwritable(path, &error))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let what = format!("{} cannot be written: {error}", path.display());
    Failure::new(what, "make it writable, or choose another folder with --data-dir", &look_at(path))
}

/// The command that shows whose a path is, or what there is of it.
pub(super) fn look_at(path: &Path) -> String {
    let there = path.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    format!("ls -ld {}", sh_path(there))
}
