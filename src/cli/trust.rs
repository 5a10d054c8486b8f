//! Trust stores for clients: the system's roots plus this instance's authority, as PEM and for Java.
//! Owns the two formats; must not know who reads them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use sha1::{Digest, Sha1};

use crate::cli::failure::Failure;
use crate::cli::files::{self, PUBLIC};

/// The bundle's name in the data folder.
pub(super) const BUNDLE: &str = "ca-bundle.pem";
/// The Java trust store's.
pub(super) const JAVA_STORE: &str = "ca-bundle.jks";
/// Java's customary password for stores of public certificates. It protects nothing; it is a checksum.
pub(super) const JAVA_PASSWORD: &str = "changeit";

/// Writes both into `folder`.
pub(super) fn write_stores(folder: &Path, authority: &CertificateDer<'_>) -> Result<(), Failure> {
    // Certificates that cannot be read are left out, as every other client leaves them out.
    let roots = rustls_native_certs::load_native_certs().certs;
    let all: Vec<&CertificateDer<'_>> = std::iter::once(authority).chain(&roots).collect();
    files::write(&folder.join(BUNDLE), pem(&all).as_bytes(), PUBLIC)?;
    files::write(&folder.join(JAVA_STORE), &java_store(&all), PUBLIC)
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
