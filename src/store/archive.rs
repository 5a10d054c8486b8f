//! A snapshot as one file, to be taken elsewhere: a tar archive of its folder and of the key that all of it is sealed
//! under. Whoever has the file has that world's keys. All calls block.
//! Must not know: what a snapshot is for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

use super::registry::blobs::BLOBS;
use super::snapshot::{DATABASE, make_folder};
use super::world::folder::MASTER_KEY;
use super::world::trouble::file as failed;
use crate::domain::Result;

/// What tells of a snapshot, in its folder.
pub const ABOUT: &str = "snapshot.json";

/// Writes a snapshot as an archive.
pub fn write(snapshot: &Path, data_dir: &Path, to: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    archive.mode(tar::HeaderMode::Deterministic);
    archive.append_path_with_name(snapshot.join(ABOUT), ABOUT)?;
    archive.append_path_with_name(data_dir.join(MASTER_KEY), MASTER_KEY)?;
    archive.append_path_with_name(snapshot.join(DATABASE), DATABASE)?;
    for entry in fs::read_dir(snapshot.join(BLOBS))? {
        let path = entry?.path();
        if let Some(name) = path.file_name() {
            archive.append_path_with_name(&path, Path::new(BLOBS).join(name))?;
        }
    }
    archive.into_inner()?.flush()
}

/// Reads an archive into a new folder. `Err` of the inner kind says what is wrong with the archive.
pub fn read(from: impl Read, folder: &Path) -> Result<std::result::Result<(), String>> {
    make_folder(&folder.join(BLOBS))?;
    let mut archive = tar::Archive::new(from);
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let name = match entry.path() {
            Ok(name) => name.into_owned(),
            Err(error) => return Ok(Err(error.to_string())),
        };
        if !is_ours(&name) || !entry.header().entry_type().is_file() {
            return Ok(Err(format!("{} does not belong in it", name.display())));
        }
        let path = folder.join(&name);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let mut file = file.map_err(|e| failed(&path, &e))?;
        if let Err(error) = copy(&mut entry, &mut file) {
            return match error {
                Broken::Archive(why) => Ok(Err(why.to_string())),
                Broken::Disk(why) => Err(failed(&path, &why)),
            };
        }
    }
    Ok(Ok(()))
}

/// The key in the folder that an archive was read into, which is taken out of it. `None`: the archive is not whole.
pub fn take_key(folder: &Path) -> Result<Option<Vec<u8>>> {
    if ![ABOUT, DATABASE, MASTER_KEY].iter().all(|name| folder.join(name).is_file()) {
        return Ok(None);
    }
    let path = folder.join(MASTER_KEY);
    let key = fs::read(&path).map_err(|e| failed(&path, &e))?;
    fs::remove_file(&path).map_err(|e| failed(&path, &e))?;
    Ok(Some(key))
}

enum Broken {
    Archive(io::Error),
    Disk(io::Error),
}

fn copy(from: &mut impl Read, to: &mut File) -> std::result::Result<(), Broken> {
    let mut part = vec![0; 256 * 1024];
    loop {
        match from.read(&mut part).map_err(Broken::Archive)? {
            0 => return to.sync_all().map_err(Broken::Disk),
            read => to.write_all(&part[..read]).map_err(Broken::Disk)?,
        }
    }
}

/// Whether a path is one of those that an archive holds: nothing leads out of the folder.
fn is_ours(name: &Path) -> bool {
    let parts: Vec<_> = name.components().collect();
    match parts.as_slice() {
        [Component::Normal(file)] => [ABOUT, MASTER_KEY, DATABASE].iter().any(|known| *file == *known),
        [Component::Normal(folder), Component::Normal(_)] => *folder == BLOBS,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_holds_nothing_that_leads_elsewhere() {
        for name in ["snapshot.json", "master.key", "acrite.db", "blobs/x"] {
            assert!(is_ours(Path::new(name)), "{name}");
        }
        for name in ["../x", "/etc/passwd", "blobs", "blobs/../x", "blobs/a/b", "ca.key", "", "blobs/.."] {
            assert!(!is_ours(Path::new(name)), "{name}");
        }
    }
}
