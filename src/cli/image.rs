//! OCI layouts to read from: a folder, a tar file of one, or the one that is built in.
//! Must not know where the image goes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Bytes of a manifest or an index, at most.
const MANIFEST_LIMIT: u64 = 16 * 1024 * 1024;

/// The path that means the layout that is built in. A folder of this name is `./hello`.
const BUILT_IN: &str = "hello";

/// The files of `fixtures/hello`: an image of one layer with one file.
const HELLO: [(&str, &[u8]); 4] = [
    ("index.json", include_bytes!("../../fixtures/hello/index.json")),
    (
        "blobs/sha256/1861ca85da53f8261b6b740f640b397662149374073507942b9d9c93ca734cc0",
        include_bytes!(
            "../../fixtures/hello/blobs/sha256/1861ca85da53f8261b6b740f640b397662149374073507942b9d9c93ca734cc0"
        ),
    ),
    (
        "blobs/sha256/1f383743b3a078517ca0ffb94dca4c7153c2bbf7f3331cef58a1a271d93ef867",
        include_bytes!(
            "../../fixtures/hello/blobs/sha256/1f383743b3a078517ca0ffb94dca4c7153c2bbf7f3331cef58a1a271d93ef867"
        ),
    ),
    (
        "blobs/sha256/a8fa6509fb497a1274a580e42660db1719a9e23236b12e5bd15f389493f9e090",
        include_bytes!(
            "../../fixtures/hello/blobs/sha256/a8fa6509fb497a1274a580e42660db1719a9e23236b12e5bd15f389493f9e090"
        ),
    ),
];

/// A file of a layout.
enum Place {
    /// Within a file on disk: where its bytes begin, and how many they are.
    File(File, u64, u64),
    Here(&'static [u8]),
}

impl Place {
    fn size(&self) -> u64 {
        match self {
            Self::File(_, _, size) => *size,
            Self::Here(bytes) => bytes.len() as u64,
        }
    }

    /// At most `most` bytes from `at`.
    fn read(self, at: u64, most: u64) -> std::io::Result<Vec<u8>> {
        let length = self.size().saturating_sub(at).min(most);
        let mut bytes = Vec::new();
        match self {
            Self::File(mut file, from, _) => {
                file.seek(SeekFrom::Start(from + at)).and_then(|_| file.take(length).read_to_end(&mut bytes))?;
            }
            Self::Here(all) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(all.len());
                let to = from + usize::try_from(length).unwrap_or(0);
                bytes.extend_from_slice(&all[from..to]);
            }
        }
        Ok(bytes)
    }
}

/// An OCI layout.
pub(super) enum Layout {
    BuiltIn,
    Folder(PathBuf),
    /// A tar file, and where in it each file's bytes are.
    Tar(PathBuf, HashMap<String, (u64, u64)>),
}

impl Layout {
    /// Opens what lies at the path.
    pub fn open(path: &Path) -> Result<Self, String> {
        let layout = match path {
            path if path == Path::new(BUILT_IN) => Self::BuiltIn,
            path if path.is_dir() => Self::Folder(path.to_owned()),
            path => Self::Tar(path.to_owned(), entries(path)?),
        };
        layout.place("index.json").map_err(|_| "it has no index.json".to_owned())?;
        Ok(layout)
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        let missing = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        match self {
            Self::BuiltIn => {
                let found = HELLO.iter().find(|(file, _)| *file == name);
                found.map(|(_, bytes)| Place::Here(bytes)).ok_or_else(|| missing(&"it is not built in"))
            }
            Self::Folder(folder) => {
                let file = File::open(folder.join(name)).map_err(|e| missing(&e))?;
                let size = file.metadata().map_err(|e| missing(&e))?.len();
                Ok(Place::File(file, 0, size))
            }
            Self::Tar(tar, entries) => {
                let (from, size) = entries.get(name).ok_or_else(|| missing(&"it is not in the archive"))?;
                Ok(Place::File(File::open(tar).map_err(|e| missing(&e))?, *from, *size))
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
        let place = self.place(name)?;
        if place.size() > MANIFEST_LIMIT {
            return Err(format!("{name} is larger than a manifest may be"));
        }
        place.read(0, u64::MAX).map_err(|e| format!("{name}: {e}"))
    }

    /// A piece of a blob; empty at its end.
    pub fn piece(&self, digest: &str, at: u64, most: usize) -> Result<Vec<u8>, String> {
        let name = Self::blob(digest)?;
        self.place(&name)?.read(at, most as u64).map_err(|e| format!("{name}: {e}"))
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

    #[test]
    fn what_is_built_in_is_the_fixture() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
        let (built_in, fixture) = (Layout::open(Path::new("hello")).unwrap(), Layout::open(&folder).unwrap());
        let (manifest, kind) = built_in.manifest("any").unwrap();
        assert_eq!((manifest.clone(), kind), fixture.manifest("any").unwrap());
        let parsed: Value = serde_json::from_slice(&built_in.read(&manifest).unwrap()).unwrap();
        for digest in [
            manifest.as_str(),
            parsed["config"]["digest"].as_str().unwrap(),
            parsed["layers"][0]["digest"].as_str().unwrap(),
        ] {
            let bytes = built_in.read(digest).unwrap();
            assert_eq!(bytes, fixture.read(digest).unwrap());
            assert_eq!(
                digest,
                format!("sha256:{}", crate::domain::world::crypto::hex(&crate::domain::world::crypto::sha256(&bytes)))
            );
            assert_eq!(built_in.piece(digest, 3, 5).unwrap(), bytes[3..8]);
            assert!(built_in.piece(digest, bytes.len() as u64, 5).unwrap().is_empty());
        }
    }
}
