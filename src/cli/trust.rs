//! Trust stores for clients: the system's roots plus this instance's authority, as PEM and for Java.
//! Owns the two formats; must not know who reads them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha1::{Digest, Sha1};

use crate::cli::failure::Failure;
use crate::cli::files::{self, PUBLIC};

/// The bundle's name in the data folder.
pub(super) const BUNDLE: &str = "ca-bundle.pem";
/// The authority's own certificate.
pub(super) const AUTHORITY: &str = "ca.pem";
/// Variables by which users name certificates that their own networks need.
const USERS: [&str; 6] =
    ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT"];
/// The Java trust store's.
pub(super) const JAVA_STORE: &str = "ca-bundle.jks";
/// Java's customary password for stores of public certificates. It protects nothing; it is a checksum.
pub(super) const JAVA_PASSWORD: &str = "changeit";

/// Writes both into `folder`.
pub(super) fn write_stores(folder: &Path, authority: &CertificateDer<'_>) -> Result<(), Failure> {
    // Certificates that cannot be read are left out, as every other client leaves them out.
    let mut roots = rustls_native_certs::load_native_certs().certs;
    // Within another instance's `exec` they are that one's bundle, whose authority is no root of the system.
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from).unwrap_or_default();
    if is_ours(&named) {
        let other = certificates(&named.with_file_name(AUTHORITY));
        roots.retain(|root| !other.iter().any(|certificate| certificate == root.as_ref()));
    }
    let all: Vec<&CertificateDer<'_>> = std::iter::once(authority).chain(&roots).collect();
    files::write(&folder.join(BUNDLE), pem(&all).as_bytes(), PUBLIC)?;
    files::write(&folder.join(JAVA_STORE), &java_store(&all), PUBLIC)
}

/// The bundle for clients with these variables: where the user named certificates of their own, one with those too.
pub(super) fn bundle(folder: &Path, inherited: impl Fn(&str) -> Option<String>) -> Result<PathBuf, Failure> {
    let usual = folder.join(BUNDLE);
    let known: BTreeSet<Vec<u8>> = certificates(&usual).into_iter().collect();
    let named: BTreeSet<String> = USERS.iter().filter_map(|name| inherited(name)).collect();
    let own: BTreeSet<Vec<u8>> = named.iter().flat_map(|file| of_user(Path::new(file))).collect();
    let own: Vec<&Vec<u8>> = own.difference(&known).collect();
    if own.is_empty() {
        return Ok(usual);
    }
    let all: Vec<CertificateDer<'_>> =
        known.iter().chain(own.iter().copied()).map(|der| CertificateDer::from(der.as_slice())).collect();
    let mut digest = Sha1::new();
    own.iter().for_each(|certificate| digest.update(certificate));
    let name: String = digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(format!("{PREFIX}-{name}.pem"));
    files::write(&path, pem(&all.iter().collect::<Vec<_>>()).as_bytes(), PUBLIC)?;
    Ok(path)
}

/// How the names of bundles begin.
const PREFIX: &str = "ca-bundle";

/// The certificates in a file that are the user's own: of a bundle that an instance made, all but its authority's.
fn of_user(file: &Path) -> Vec<Vec<u8>> {
    let not = if is_ours(file) { certificates(&file.with_file_name(AUTHORITY)) } else { Vec::new() };
    certificates(file).into_iter().filter(|certificate| !not.contains(certificate)).collect()
}

/// Whether an instance made the file: for its clients, in its data folder.
fn is_ours(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (name == AUTHORITY || name.starts_with(PREFIX))
        && [BUNDLE, AUTHORITY].iter().all(|beside| file.with_file_name(beside).exists())
}

/// The certificates of a file; of one that cannot be read, none.
pub(super) fn certificates(file: &Path) -> Vec<Vec<u8>> {
    let found = CertificateDer::pem_file_iter(file).into_iter().flatten();
    found.filter_map(|certificate| Some(certificate.ok()?.to_vec())).collect()
}

fn pem(certificates: &[&CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
            text.extend(line.iter().map(|&byte| char::from(byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// A Java key store ("JKS") of trusted certificates: the one format that every Java reads,
/// and simple enough to be written down here.
#[expect(clippy::disallowed_methods, reason = "when the file was made")]
fn java_store(certificates: &[&CertificateDer<'_>]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let mut store = Vec::new();
    store.extend(0xfeed_feed_u32.to_be_bytes());
    store.extend(2_u32.to_be_bytes()); // version
    store.extend((certificates.len() as u32).to_be_bytes());
    for (index, certificate) in certificates.iter().enumerate() {
        let alias = if index == 0 { "acrite".to_owned() } else { format!("root-{index}") };
        store.extend(2_u32.to_be_bytes()); // a trusted certificate
        text(&mut store, &alias);
        store.extend(now.to_be_bytes());
        text(&mut store, "X.509");
        store.extend((certificate.len() as u32).to_be_bytes());
        store.extend(certificate.as_ref());
    }
    let mut checksum = Sha1::new();
    checksum.update(JAVA_PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    checksum.update(b"Mighty Aphrodite");
    checksum.update(&store);
    store.extend(checksum.finalize());
    store
}

/// Java's "modified UTF-8"; for ASCII the same as UTF-8.
fn text(store: &mut Vec<u8>, ascii: &str) {
    store.extend((ascii.len() as u16).to_be_bytes());
    store.extend(ascii.as_bytes());
}
