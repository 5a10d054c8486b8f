//! OCI layouts to read from: a folder, or a tar file of one.
//! Must not know where the image goes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Bytes of a manifest or an index, at most.
const MANIFEST_LIMIT: u64 = 16 * 1024 * 1024;

/// An OCI layout.
pub(super) enum Layout {
    Folder(PathBuf),
    /// A tar file, and where in it each file's bytes are.
    Tar(PathBuf, HashMap<String, (u64, u64)>),
}

impl Layout {
    /// Opens what lies at the path.
    pub fn open(path: &Path) -> Result<Self, String> {
        let layout =
            if path.is_dir() { Self::Folder(path.to_owned()) } else { Self::Tar(path.to_owned(), entries(path)?) };
        layout.place("index.json").map_err(|_| "it has no index.json".to_owned())?;
        Ok(layout)
    }

    /// The file, where its bytes begin, and how many they are.
    fn place(&self, name: &str) -> Result<(File, u64, u64), String> {
        let missing = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        match self {
            Self::Folder(folder) => {
                let file = File::open(folder.join(name)).map_err(|e| missing(&e))?;
                let size = file.metadata().map_err(|e| missing(&e))?.len();
                Ok((file, 0, size))
            }
            Self::Tar(tar, entries) => {
                let (from, size) = entries.get(name).ok_or_else(|| missing(&"it is not in the archive"))?;
                Ok((File::open(tar).map_err(|e| missing(&e))?, *from, *size))
            }
        }
    }

    /// Digest and media type of the image: the one with the tag, or the only one.
    pub fn manifest(&self, tag: &str) -> Result<(String, String), String> {
        let index: Value = serde_json::from_slice(&self.file("index.json")?).map_err(|e| format!("index.json: {e}"))?;
        let all = index["manifests"].as_array().cloned().unwrap_or_default();
        let tagged = all.iter().find(|m| m["annotations"]["org.opencontainers.image.ref.name"] == tag);
        let one = match (tagged, all.as_slice()) {
            (Some(tagged), _) => tagged,
            (None, [one]) => one,
            (None, []) => return Err("index.json names no image".to_owned()),
            (None, _) => return Err(format!("index.json names {} images and none with the tag {tag}", all.len())),
        };
        let word = |name: &str| one[name].as_str().map(str::to_owned);
        let kind = word("mediaType").unwrap_or_else(|| "application/vnd.oci.image.manifest.v1+json".to_owned());
        Ok((word("digest").ok_or("index.json names an image without a digest")?, kind))
    }

    /// The path of a blob within the layout.
    fn blob(digest: &str) -> Result<String, String> {
        let hex = digest.strip_prefix("sha256:").filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        hex.map(|hex| format!("blobs/sha256/{hex}")).ok_or_else(|| format!("`{digest}` is not a sha256 digest"))
    }

    /// A small blob, whole.
    pub fn read(&self, digest: &str) -> Result<Vec<u8>, String> {
        self.file(&Self::blob(digest)?)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        let (mut file, from, size) = self.place(name)?;
        if size > MANIFEST_LIMIT {
            return Err(format!("{name} is larger than a manifest may be"));
        }
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(size).read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|e| format!("{name}: {e}"))
    }

    /// A piece of a blob; empty at its end.
    pub fn piece(&self, digest: &str, at: u64, most: usize) -> Result<Vec<u8>, String> {
        let name = Self::blob(digest)?;
        let (mut file, from, size) = self.place(&name)?;
        let left = size.saturating_sub(at).min(most as u64);
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(from + at)).and_then(|_| file.take(left).read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|e| format!("{name}: {e}"))
    }
}

/// Where the files of a tar archive begin, and their sizes.
fn entries(path: &Path) -> Result<HashMap<String, (u64, u64)>, String> {
    let wrong = |_| "it is neither a folder nor an uncompressed tar file".to_owned();
    let mut archive = tar::Archive::new(File::open(path).map_err(|e| e.to_string())?);
    let mut found = HashMap::new();
    for entry in archive.entries_with_seek().map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            found.insert(name, (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_folder_and_its_tar_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let digest = format!("sha256:{}", "ab".repeat(32));
        std::fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        std::fs::write(folder.path().join("blobs/sha256").join("ab".repeat(32)), b"{\"x\": 1}").unwrap();
        let index = format!("{{\"manifests\": [{{\"digest\": \"{digest}\", \"mediaType\": \"m\"}}]}}");
        std::fs::write(folder.path().join("index.json"), index).unwrap();
        let tar = folder.path().join("image.tar");
        let made = std::process::Command::new("tar")
            .args(["-cf", tar.to_str().unwrap(), "-C", folder.path().to_str().unwrap(), "./index.json", "blobs"])
            .status();
        assert!(made.unwrap().success());
        for path in [folder.path(), &tar] {
            let layout = Layout::open(path).unwrap();
            assert_eq!(layout.manifest("any").unwrap(), (digest.clone(), "m".to_owned()));
            assert_eq!(layout.read(&digest).unwrap(), b"{\"x\": 1}");
            assert_eq!(layout.piece(&digest, 2, 3).unwrap(), b"x\":");
            assert!(layout.piece(&digest, 8, 3).unwrap().is_empty());
        }
        // A name that does not fit into a header has one of its own, in each of the two ways.
        let long = "n".repeat(200);
        std::fs::write(folder.path().join(&long), b"far").unwrap();
        for format in ["gnu", "pax"] {
            let made = std::process::Command::new("tar")
                .args(["-cf", tar.to_str().unwrap(), "-C", folder.path().to_str().unwrap(), "--format", format])
                .args([long.as_str(), "index.json"])
                .status();
            assert!(made.unwrap().success());
            assert_eq!(Layout::open(&tar).unwrap().file(&long).unwrap(), b"far", "{format}");
        }
        let mut file = File::create(&tar).unwrap();
        file.write_all(&[1; 2000]).unwrap();
        assert!(Layout::open(&tar).is_err());
        assert!(Layout::open(Path::new("/nowhere")).is_err());
    }
}
