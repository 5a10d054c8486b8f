//! What lies in a registry: the grammar of repository names, tags and digests, how a manifest is read, what
//! can be locked.
//! Must not know: where content is stored, who may see it.

use serde_json::{Map, Value, json};

use crate::domain::error::{ContentError, Error, Result};
use crate::domain::world::crypto::Hasher;
use crate::domain::world::json::{self, Unread};
use crate::domain::world::time::DAY;
use std::collections::HashSet;

pub use super::attributes::{Attributes, Quarantine};

/// How long a blob stays that no manifest names: a push sends blobs first. [inferred: Azure tells no number]
pub const GRACE: i64 = DAY;
/// How long an upload session stays. [inferred: as CNCF distribution]
pub const UPLOAD_AGE: i64 = 7 * DAY;
/// Bytes of a manifest at most (acr.md C.4) [docs].
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// Memory that a manifest may take while it is read: enough for 16,000 layers.
const DOCUMENT_LIMIT: usize = 2 * json::DOCUMENT_LIMIT;

/// Repositories: path components of lower-case letters and digits, parted by `.`, `_`, `__` or hyphens; at
/// most 255 characters in all (OCI distribution 1.1).
#[must_use]
pub fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(plain) || !bytes.last().is_some_and(plain) {
        return false;
    }
    bytes.split(plain).all(|separator| match separator {
        b"" | b"." | b"_" | b"__" => true,
        hyphens => hyphens.iter().all(|b| *b == b'-'),
    })
}

/// Tags: 1 to 128 letters, digits, `_`, `.`, `-`; no `.` or `-` first (OCI distribution 1.1).
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && !tag.starts_with(['.', '-'])
}

/// A digest: `sha256:` or `sha512:` and lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Parses a digest.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || ContentError::DigestInvalid(text.to_owned());
        let (algorithm, hex) = text.split_once(':').ok_or_else(wrong)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err(wrong().into()),
        };
        let well_formed = hex.len() == length && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(wrong().into()) }
    }

    /// The SHA-256 digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", crate::domain::world::crypto::hex(&crate::domain::world::crypto::sha256(bytes))))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is SHA-256, which uploads compute as they go.
    #[must_use]
    pub fn is_sha256(&self) -> bool {
        self.0.starts_with("sha256:")
    }

    /// A hasher of its algorithm.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        if self.is_sha256() { Hasher::sha256() } else { Hasher::sha512() }
    }

    /// Whether a hasher of its algorithm came to this digest.
    #[must_use]
    pub fn is_of(&self, hasher: Hasher) -> bool {
        self.0.split_once(':').is_some_and(|(_, hex)| hex == hasher.finish())
    }

    /// Whether it is the digest of these bytes.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        self.is_of(hasher)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a manifest is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    /// Parses a tag or digest.
    pub fn parse(text: &str) -> Result<Self> {
        if text.contains(':') {
            return Digest::parse(text).map(Self::Digest);
        }
        if is_tag(text) {
            Ok(Self::Tag(text.to_owned()))
        } else {
            Err(ContentError::TagInvalid(text.to_owned()).into())
        }
    }
}

/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of manifests.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI's image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Whether a manifest is one of OCI's.
#[must_use]
pub fn is_oci(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | OCI_INDEX)
}

/// Why a manifest is not given to a client that accepts only these types, as its `Accept` headers name them. OCI's are
/// given only to who names them, wildcards aside; Docker's to everybody [issue, docs]. A recording of 2024 in which one
/// was turned into the type before it stands alone.
#[must_use]
pub fn refused_by_accept<'a>(media_type: &str, mut accepted: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let why = match media_type {
        OCI_MANIFEST => "OCI manifest found, but accept header does not support OCI manifests",
        OCI_INDEX => "OCI index found, but accept header does not support OCI indexes",
        _ => return None,
    };
    let named = |header: &str| {
        header.split(',').any(|one| one.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type))
    };
    (!accepted.any(named)).then_some(why)
}

/// A manifest, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub media_type: String,
    /// The blobs it names that must be there: config and layers, but not those that lie elsewhere.
    pub blobs: Vec<Digest>,
    /// What an index names: manifests, or blobs [issue: caches of BuildKit].
    pub manifests: Vec<Digest>,
    /// The manifest it refers to.
    pub subject: Option<Digest>,
    /// The config blob, of an image, and how large it says that is.
    pub config: Option<(Digest, u64)>,
    /// The bytes of all that it names directly. [inferred: how Azure counts `imageSize` is not known]
    pub image_size: u64,
    /// What lists of manifests tell about it: artifactType, annotations, configMediaType, references.
    pub about: Map<String, Value>,
}

fn invalid(why: impl Into<String>) -> Error {
    ContentError::ManifestInvalid(why.into()).into()
}

/// Digest and size of a descriptor. One without a size is taken [file: samples of Microsoft's own client], as Docker's
/// registry takes it, and a size that is no whole number is not [inferred from the same].
fn descriptor(value: &Value) -> Result<(Digest, u64)> {
    let digest = value["digest"].as_str().ok_or_else(|| invalid("a descriptor has no digest"))?;
    let digest = Digest::parse(digest).map_err(|_| invalid(format!("not a digest: {digest}")))?;
    let size = match &value["size"] {
        Value::Null => 0,
        size => size.as_u64().ok_or_else(|| invalid("the size of a descriptor is not a whole number"))?,
    };
    Ok((digest, size))
}

/// A list of a manifest. Its absence is an empty one [recorded Aug 2024: of an index].
fn list<'v>(document: &'v Value, name: &str) -> Result<&'v [Value]> {
    match &document[name] {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        _ => Err(invalid(format!("{name} is not a list"))),
    }
}

/// A document that could be read as another kind of manifest is none (as in Docker's registry, for CVE-2021-41190).
fn refuse_fields(document: &Value, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| !document[**name].is_null()) {
        Some(name) => Err(invalid(format!("{name} belongs to another kind of manifest"))),
        None => Ok(()),
    }
}

/// Layers that may lie elsewhere: they carry `urls`, or their type says so.
fn lies_elsewhere(layer: &Value) -> bool {
    let media_type = layer["mediaType"].as_str().unwrap_or_default();
    layer["urls"].as_array().is_some_and(|urls| !urls.is_empty())
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
        || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
}

impl Manifest {
    /// Reads a manifest. `content_type` is the header it came with.
    pub fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Self> {
        let mut document = json::read(bytes, DOCUMENT_LIMIT).map_err(|unread| match unread {
            Unread::TooLarge => Error::from(ContentError::TooLarge),
            Unread::Malformed(why) => invalid(why),
        })?;
        if document["schemaVersion"].as_u64() != Some(2) {
            return Err(invalid("schemaVersion is not 2"));
        }
        let said = content_type
            .and_then(|c| c.split(';').next())
            .map(str::trim)
            .filter(|c| c.contains("manifest") || c.contains("index"));
        let own = document["mediaType"].as_str();
        if let (Some(said), Some(own)) = (said, own)
            && said != own
        {
            return Err(invalid(format!("Content-Type is {said}, mediaType is {own}")));
        }
        // A document without a type is told by its shape, as OCI asks of registries.
        let by_shape = if document["manifests"].is_array() { OCI_INDEX } else { OCI_MANIFEST };
        let media_type = said.or(own).unwrap_or(by_shape);
        let mut manifest = Self {
            media_type: media_type.to_owned(),
            blobs: Vec::new(),
            manifests: Vec::new(),
            subject: None,
            config: None,
            image_size: 0,
            about: Map::new(),
        };
        // A Docker manifest says what it is in its body too [recorded Apr 2024].
        if matches!(media_type, DOCKER_MANIFEST | DOCKER_LIST) && own.is_none() {
            return Err(invalid("mediaType is missing"));
        }
        match media_type {
            DOCKER_MANIFEST | OCI_MANIFEST => manifest.read_image(&document)?,
            DOCKER_LIST | OCI_INDEX => manifest.read_index(&document)?,
            other => return Err(invalid(format!("unknown media type {other}"))),
        }
        // Docker's own manifests refer to nothing [issue].
        if is_oci(media_type) && !document["subject"].is_null() {
            manifest.subject = Some(descriptor(&document["subject"])?.0);
        }
        if let Some(artifact_type) = document["artifactType"].as_str().filter(|t| !t.is_empty()) {
            manifest.about.insert("artifactType".into(), json!(artifact_type));
        }
        if document["annotations"].is_object() {
            manifest.about.insert("annotations".into(), document["annotations"].take());
        }
        Ok(manifest)
    }

    fn read_image(&mut self, document: &Value) -> Result<()> {
        refuse_fields(document, &["manifests"])?;
        let config = &document["config"];
        let (digest, size) = descriptor(config)?;
        self.config = Some((digest.clone(), size));
        self.blobs.push(digest);
        self.image_size = size;
        if let Some(media_type) = config["mediaType"].as_str() {
            self.about.insert("configMediaType".into(), json!(media_type));
            // What an image is an artifact of, unless it says more: the type of its config (OCI image 1.1).
            self.about.insert("artifactType".into(), json!(media_type));
        }
        let mut known: HashSet<Digest> = self.blobs.iter().cloned().collect();
        for layer in list(document, "layers")? {
            let (digest, size) = descriptor(layer)?;
            self.image_size = self.image_size.saturating_add(size);
            if !lies_elsewhere(layer) && known.insert(digest.clone()) {
                self.blobs.push(digest);
            }
        }
        Ok(())
    }

    fn read_index(&mut self, document: &Value) -> Result<()> {
        refuse_fields(document, &["config", "layers"])?;
        let mut references = Vec::new();
        let mut known = HashSet::new();
        for entry in list(document, "manifests")? {
            let (digest, _) = descriptor(entry)?;
            let mut reference = json!({"digest": digest.as_str()});
            for name in ["architecture", "os"] {
                if let Some(text) = entry["platform"][name].as_str() {
                    reference[name] = json!(text);
                }
            }
            references.push(reference);
            if known.insert(digest.clone()) {
                self.manifests.push(digest);
            }
        }
        self.about.insert("references".into(), Value::Array(references));
        Ok(())
    }
}

/// What an image's config says of its platform.
#[must_use]
pub fn platform(config: &[u8]) -> Map<String, Value> {
    const NAMES: [&str; 2] = ["architecture", "os"];
    let document = json::members(config, &NAMES, 4096).unwrap_or_default();
    let text = |name: &str| {
        document.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(|t| (name.to_owned(), json!(t)))
    };
    NAMES.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "library/busybox", "a/b/c/d/e", "a.b", "a_b", "a__b", "a---b", "0/1"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "A", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "a._b", "..", "a/../b", "a b", "a\0", "ä"]
        {
            assert!(!is_repository(bad), "{bad}");
        }
        assert!(is_repository(&"a".repeat(255)) && !is_repository(&"a".repeat(256)));
        assert!(is_tag("latest") && is_tag("_1.0-x") && is_tag("A"));
        assert!(!is_tag("") && !is_tag(".a") && !is_tag("-a") && !is_tag("a:b") && !is_tag(&"a".repeat(129)));
    }

    #[test]
    fn digests() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(Digest::parse(empty).unwrap().matches(b""));
        assert!(!Digest::parse(empty).unwrap().matches(b"x"));
        assert_eq!(Digest::of(b"").as_str(), empty);
        let long = format!("sha512:{}", "a".repeat(128));
        assert!(!Digest::parse(&long).unwrap().matches(b""));
        for bad in ["", "sha256:", "sha256:E3B0", "md5:d41d8cd98f00b204e9800998ecf8427e", &empty.to_uppercase()] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }

    fn digest(of: &str) -> String {
        Digest::of(of.as_bytes()).to_string()
    }

    #[test]
    fn a_manifest_names_its_blobs_but_not_those_elsewhere() {
        let document = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "x/y",
            "config": {"mediaType": "c", "digest": digest("c"), "size": 1},
            "layers": [
                {"mediaType": "l", "digest": digest("l"), "size": 2},
                {"mediaType": "l", "digest": digest("f"), "size": 4, "urls": ["https://elsewhere"]},
                {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest("g"), "size": 8},
            ],
            "subject": {"mediaType": OCI_MANIFEST, "digest": digest("s"), "size": 1},
            "annotations": {"k": "v"},
        });
        let read = Manifest::read(document.to_string().as_bytes(), Some(OCI_MANIFEST)).unwrap();
        assert_eq!(read.blobs, [Digest::of(b"c"), Digest::of(b"l")]);
        assert_eq!(read.subject, Some(Digest::of(b"s")));
        assert_eq!(read.image_size, 15);
        assert_eq!(read.about["artifactType"], "x/y");
        assert!(Manifest::read(document.to_string().as_bytes(), Some(OCI_INDEX)).is_err());
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2,"config":{}}"#,
            r#"{"schemaVersion":2,"config":{"digest":"x","size":1},"layers":[]}"#,
        ] {
            assert!(Manifest::read(bad.as_bytes(), None).is_err(), "{bad}");
        }
        assert!(Manifest::read(br#"{"schemaVersion":2,"manifests":[]}"#, None).is_ok());
    }

    #[test]
    fn attributes_change_one_by_one() {
        let locked = Attributes::default().patched(&json!({"writeEnabled": false})).unwrap();
        assert!(!locked.write && locked.delete && locked.read && locked.list);
        assert_eq!(Attributes::from_bits(locked.bits()), locked);
        assert!(locked.patched(&json!({"writeEnabled": "yes"})).is_err());
    }
}
