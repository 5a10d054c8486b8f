//! Archives with the source of a run: taken in bounded, and unpacked so that nothing lies or leads out of its folder.
//! Must not know: where they come from.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

/// Bytes of an archive at most, and of what is in it.
pub(super) const PACKED: u64 = 1024 * 1024 * 1024;
const UNPACKED: u64 = 2 * 1024 * 1024 * 1024;
/// Files and folders in an archive at most.
const ENTRIES: usize = 200_000;

/// Reads no more than so many bytes; more is an error.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other("the archive holds too much"))?;
        Ok(read)
    }
}

/// Unpacks an archive into a folder that is there.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<(), String> {
    let broken = |e: io::Error| format!("the archive cannot be read: {e}");
    let mut file = File::open(archive).map_err(broken)?;
    let mut magic = [0; 2];
    let read = file.read(&mut magic).map_err(broken)?;
    file.rewind().map_err(broken)?;
    let file = BufReader::new(file);
    let inner: Box<dyn Read> = match (read, magic) {
        (2, [0x1f, 0x8b]) => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut archive = Archive::new(Bounded { inner, left: UNPACKED });
    let mut count = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        count += 1;
        if count > ENTRIES {
            return Err(format!("the archive holds more than {ENTRIES} files"));
        }
        put(&mut entry, folder)?;
    }
    Ok(())
}

/// A path of an archive, without what is not a name. `None`: it leads out.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Whether a link at a path leads to somewhere in the folder: up first, and then down, but not further than to the top.
fn leads_inside(at: &Path, target: &Path) -> bool {
    let mut depth = at.parent().map_or(0, |p| p.components().count());
    let mut down = false;
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if !down && depth > 0 => depth -= 1,
            Component::Normal(_) => down = true,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn put<R: Read>(entry: &mut Entry<'_, R>, folder: &Path) -> Result<(), String> {
    let name = entry.path().map_err(|e| format!("a name in the archive cannot be read: {e}"))?.into_owned();
    let refused = |why: &str| format!("the archive is refused: {} {why}", name.display());
    let failed = |e: io::Error| format!("{} cannot be unpacked: {e}", name.display());
    let kind = entry.header().entry_type();
    // az calls the folder itself so.
    let is_top = kind.is_dir() && name == Path::new("/");
    if is_top || matches!(kind, EntryType::XGlobalHeader) {
        return Ok(());
    }
    let path = inside(&name).ok_or_else(|| refused("leads out of it"))?;
    let at = folder.join(&path);
    if path.as_os_str().is_empty() {
        return if kind.is_dir() { Ok(()) } else { Err(refused("has no name")) };
    }
    let parents = path.parent().into_iter().flat_map(Path::components);
    let mut parent = folder.to_owned();
    for part in parents {
        parent.push(part);
        match fs::symlink_metadata(&parent) {
            Ok(found) if found.is_dir() => {}
            // Through a link nothing is put anywhere.
            Ok(_) => return Err(refused("lies below what is no folder")),
            Err(_) => fs::create_dir(&parent).map_err(failed)?,
        }
    }
    let there = fs::symlink_metadata(&at).ok();
    match (kind.is_dir(), there) {
        (true, Some(found)) if found.is_dir() => return Ok(()),
        (_, Some(found)) if found.is_dir() => return Err(refused("is a folder and something else")),
        (_, Some(_)) => fs::remove_file(&at).map_err(failed)?,
        (_, None) => {}
    }
    let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
    match kind {
        EntryType::Directory => fs::create_dir(&at).map_err(failed),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut file = File::create_new(&at).map_err(failed)?;
            io::copy(entry, &mut file).map_err(failed)?;
            file.set_permissions(fs::Permissions::from_mode(mode | 0o600)).map_err(failed)
        }
        EntryType::Symlink => {
            let target = entry.link_name().ok().flatten().ok_or_else(|| refused("is a link to nothing"))?;
            if !leads_inside(&path, &target) {
                return Err(refused("is a link out of it"));
            }
            std::os::unix::fs::symlink(&target, &at).map_err(failed)
        }
        EntryType::Link => {
            let target = entry.link_name().ok().flatten().ok_or_else(|| refused("is a link to nothing"))?;
            let target = folder.join(inside(&target).ok_or_else(|| refused("is a link out of it"))?);
            let real = target.canonicalize().map_err(failed)?;
            let own = folder.canonicalize().map_err(failed)?;
            if !real.starts_with(own) || !fs::symlink_metadata(&target).is_ok_and(|m| m.is_file()) {
                return Err(refused("is a link to what is no file of it"));
            }
            fs::hard_link(&real, &at).map_err(failed)
        }
        _ => Err(refused("is neither a file nor a folder nor a link")),
    }
}

/// A path below a folder, which has to be there, and not to lead out of it.
pub(super) fn contained(folder: &Path, path: &str) -> Result<PathBuf, String> {
    let missing = || format!("{path} is not in the source");
    let clean = inside(Path::new(path)).ok_or_else(missing)?;
    let own = folder.canonicalize().map_err(|e| e.to_string())?;
    let real = folder.join(clean).canonicalize().map_err(|_| missing())?;
    if real.starts_with(own) { Ok(real) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: EntryType, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o755);
        header
    }

    /// Unpacks an archive of these: kind, name, content or target. Names are written as they are.
    fn unpacked(entries: &[(EntryType, &str, &str)]) -> Result<tempfile::TempDir, String> {
        let dir = tempfile::tempdir().unwrap();
        let mut packed = Vec::new();
        {
            let mut builder = tar::Builder::new(&mut packed);
            for (kind, name, text) in entries {
                let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
                let mut header = header(*kind, if is_link { 0 } else { text.len() });
                let bytes = header.as_old_mut();
                bytes.name[..name.len()].copy_from_slice(name.as_bytes());
                if is_link {
                    bytes.linkname[..text.len()].copy_from_slice(text.as_bytes());
                }
                header.set_cksum();
                builder.append(&header, if is_link { &[][..] } else { text.as_bytes() }).unwrap();
            }
            builder.finish().unwrap();
        }
        let archive = dir.path().join("archive");
        fs::write(&archive, &packed).unwrap();
        let folder = dir.path().join("source");
        fs::create_dir(&folder).unwrap();
        unpack(&archive, &folder).map(|()| dir)
    }

    #[test]
    fn files_folders_and_links_are_unpacked() {
        let dir = unpacked(&[
            (EntryType::Directory, "/", ""),
            (EntryType::Directory, "a/", ""),
            (EntryType::Regular, "a/b/c.txt", "text"),
            (EntryType::Symlink, "a/link", "b/c.txt"),
            (EntryType::Symlink, "a/b/up", "../../Dockerfile"),
            (EntryType::Regular, "./Dockerfile", "FROM scratch"),
            (EntryType::Link, "hard", "Dockerfile"),
            (EntryType::Regular, "a/b/c.txt", "newer"),
        ])
        .unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join("source").join(name)).unwrap();
        assert_eq!(
            (read("a/link"), read("a/b/up"), read("hard")),
            ("newer".into(), "FROM scratch".into(), "FROM scratch".into())
        );
        let source = dir.path().join("source");
        assert!(contained(&source, "a/b").is_ok() && contained(&source, ".").is_ok());
        for out in ["..", "a/../..", "/etc/passwd", "missing"] {
            assert!(contained(&source, out).is_err(), "{out}");
        }
    }

    #[test]
    fn what_leads_out_is_refused() {
        for entries in [
            &[(EntryType::Regular, "../out", "x")][..],
            &[(EntryType::Regular, "/tmp/out", "x")],
            &[(EntryType::Regular, "a/../../out", "x")],
            &[(EntryType::Symlink, "l", "/etc")],
            &[(EntryType::Symlink, "l", "../etc")],
            &[(EntryType::Symlink, "a/b", "../../etc")],
            &[(EntryType::Symlink, "a", "b/../../etc")],
            &[(EntryType::Symlink, "a", "b"), (EntryType::Regular, "a/x", "x")],
            &[(EntryType::Symlink, "a/b", "."), (EntryType::Symlink, "a/b/b/l", "../../..")],
            &[(EntryType::Link, "h", "/etc/passwd")],
            &[(EntryType::Link, "h", "../archive")],
            &[(EntryType::Link, "h", "missing")],
            &[(EntryType::Char, "null", "")],
            &[(EntryType::Block, "disk", "")],
            &[(EntryType::Fifo, "pipe", "")],
            &[(EntryType::Regular, "a", "x"), (EntryType::Regular, "a/b", "x")],
        ] {
            assert!(unpacked(entries).is_err(), "{entries:?}");
        }
    }

    #[test]
    fn what_is_no_archive_or_grows_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, folder) = (dir.path().join("archive"), dir.path().join("source"));
        fs::create_dir(&folder).unwrap();
        fs::write(&archive, b"\x1f\x8bnot gzip").unwrap();
        assert!(unpack(&archive, &folder).is_err());
        fs::write(&archive, [b'x'; 2048]).unwrap();
        assert!(unpack(&archive, &folder).is_err());
        let mut bounded = Bounded { inner: io::repeat(0), left: 100_000 };
        assert!(io::copy(&mut bounded, &mut io::sink()).is_err());
    }
}
