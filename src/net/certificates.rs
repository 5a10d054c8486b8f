//! The certificate authority of a data folder, and the leaf certificates it mints per name.
//! Certificates live in machine time, never on the emulator's clock.
//! Must not know which names are emulated: it mints what it is asked for.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::net::site::is_loopback;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const AUTHORITY_LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
const LEAF_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A certificate begins this long before it is made, for containers whose clock is a little behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
/// More names than this are not remembered at once: whoever can connect can ask for any name.
const REMEMBERED: usize = 4096;

/// Why the authority could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        path: String,
        /// Why.
        error: io::Error,
    },
    /// `ca.pem` or `ca.key` does not hold what it should.
    #[error("the certificate authority in {0} cannot be read; delete ca.pem and ca.key there to have a new one made")]
    Unreadable(String),
    /// One of the two is missing, or they do not belong together.
    #[error("the certificate authority in {folder} is not whole: {what}; restore it from a copy of the folder")]
    Incomplete {
        folder: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The cryptography refused.
    #[error("a certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// The same, from the TLS side.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The authority with its certificates; clones share everything.
#[derive(Clone)]
pub struct Certificates(Arc<Authority>);

struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    /// One key serves all leaves. It is made at each start and never leaves memory.
    leaf_key: KeyPair,
    leaf_signer: Arc<dyn SigningKey>,
    minted: Mutex<HashMap<String, Minted>>,
    tls: ServerConfig,
    /// Hosts to whose tunnels HTTP/2 is not offered.
    http1_only: fn(&str) -> bool,
}

struct Minted {
    certificate: Arc<CertifiedKey>,
    renew_at: SystemTime,
}

impl Certificates {
    /// Opens the authority kept in `folder` as `ca.pem` and `ca.key`; makes one if there is none, or only a piece that a
    /// start left which was killed.
    pub fn open(folder: &Path) -> Result<Self, CertificateError> {
        match load(folder)? {
            Found::Whole(certificate, key) => Self::with(folder, certificate, key),
            Found::Nothing | Found::Piece(_) => Self::make(folder),
        }
    }

    /// Opens an authority that clients may trust already: a piece of one is an error. Who wants a new one deletes both.
    pub fn open_kept(folder: &Path) -> Result<Self, CertificateError> {
        match load(folder)? {
            Found::Whole(certificate, key) => Self::with(folder, certificate, key),
            Found::Piece(what) => Err(CertificateError::Incomplete { folder: folder.display().to_string(), what }),
            Found::Nothing => {
                tracing::warn!("there was no certificate authority any more; clients must be given the new ca.pem");
                Self::make(folder)
            }
        }
    }

    fn make(folder: &Path) -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write(&folder.join("ca.key"), key.serialize_pem().as_bytes(), 0o600)?;
        let certificate = write_certificate(folder, &key)?;
        Self::with(folder, certificate, key)
    }

    fn with(folder: &Path, certificate: String, key: KeyPair) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| unreadable(folder))?;
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf_signer = aws_lc_rs::sign::any_ecdsa_type(&PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into())?;
        Ok(Self(Arc::new(Authority {
            issuer: Issuer::from_ca_cert_der(&der, key).map_err(|_| unreadable(folder))?,
            pem: certificate,
            der,
            leaf_key,
            leaf_signer,
            minted: Mutex::default(),
            tls: tls_settings()?,
            http1_only: |_| false,
        })))
    }

    /// The same, which offers no HTTP/2 in tunnels to some hosts.
    #[must_use]
    pub fn speaking_http1(self, http1_only: fn(&str) -> bool) -> Self {
        // Nobody shares it yet where it has just been opened.
        Self(
            Arc::try_unwrap(self.0)
                .map_or_else(|shared| shared, |authority| Arc::new(Authority { http1_only, ..authority })),
        )
    }

    /// The authority's own certificate, as clients put it in their trust stores.
    pub fn authority_pem(&self) -> &str {
        &self.0.pem
    }

    /// The same in DER.
    pub fn authority_der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// TLS for a tunnel that was asked for `host`: that name's certificate, whatever SNI says.
    pub(super) fn tls_for(&self, host: String) -> Arc<ServerConfig> {
        self.tls(Shown { certificates: self.clone(), host, by_sni: false })
    }

    /// TLS for a direct connection: the certificate by SNI, or for `address` if none was sent.
    pub(super) fn tls_by_sni(&self, address: String) -> Arc<ServerConfig> {
        self.tls(Shown { certificates: self.clone(), host: address, by_sni: true })
    }

    fn tls(&self, shown: Shown) -> Arc<ServerConfig> {
        // A clone is a handful of reference counts; sessions and ticket keys stay shared.
        let mut tls = self.0.tls.clone();
        if !shown.by_sni && (self.0.http1_only)(&shown.host) {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        tls.cert_resolver = Arc::new(shown);
        Arc::new(tls)
    }

    fn of(&self, host: &str) -> Result<Arc<CertifiedKey>, rcgen::Error> {
        let now = now();
        let mut minted = self.0.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = minted.get(host)
            && now < found.renew_at
        {
            return Ok(found.certificate.clone());
        }
        if minted.len() >= REMEMBERED {
            minted.clear();
        }
        let leaf = leaf_params(host, now)?.signed_by(&self.0.leaf_key, &self.0.issuer)?;
        let certificate = Arc::new(CertifiedKey::new(vec![leaf.into()], self.0.leaf_signer.clone()));
        let renew_at = now + LEAF_LIFE - 2 * DAY;
        minted.insert(host.to_owned(), Minted { certificate: certificate.clone(), renew_at });
        Ok(certificate)
    }
}

/// Which certificate one connection shows.
struct Shown {
    certificates: Certificates,
    host: String,
    by_sni: bool,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = match hello.server_name() {
            Some(name) if self.by_sni => name.to_ascii_lowercase(),
            _ => self.host.clone(),
        };
        self.certificates
            .of(&host)
            .inspect_err(|error| tracing::warn!(%host, %error, "no certificate could be made"))
            .ok()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("host", &self.host).field("by_sni", &self.by_sni).finish_non_exhaustive()
    }
}

fn tls_settings() -> Result<ServerConfig, rustls::Error> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        // Replaced for each connection.
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(tls)
}

fn authority_params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + AUTHORITY_LIFE).into();
    params.serial_number = Some(serial());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Acrite");
    // Each authority has its own name: trust stores that hold several look them up by it.
    let mark: u32 = rand::random();
    params.distinguished_name.push(DnType::CommonName, format!("Acrite local authority {mark:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(host: &str, now: SystemTime) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> =
        if is_loopback(host) { vec!["localhost".into(), "127.0.0.1".into(), "::1".into()] } else { vec![host.into()] };
    let mut params = CertificateParams::new(names)?;
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LEAF_LIFE).into();
    params.serial_number = Some(serial());
    params.distinguished_name = DistinguishedName::new();
    // A common name holds at most 64 characters; clients read the alternative names anyway.
    params.distinguished_name.push(DnType::CommonName, if host.len() <= 64 { host } else { "acrite" });
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn serial() -> rcgen::SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    // Positive, and of full length: DER drops leading zeros and some clients refuse a negative number.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes.to_vec().into()
}

/// What there is of an authority in a folder.
enum Found {
    Whole(String, KeyPair),
    Piece(&'static str),
    Nothing,
}

fn load(folder: &Path) -> Result<Found, CertificateError> {
    let (certificate, key) = match (read(&folder.join("ca.pem"))?, read(&folder.join("ca.key"))?) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Ok(Found::Piece("ca.key is missing")),
        (None, Some(_)) => return Ok(Found::Piece("ca.pem is missing")),
        (None, None) => return Ok(Found::Nothing),
    };
    let key = KeyPair::from_pem(&key).map_err(|_| unreadable(folder))?;
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| unreadable(folder))?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| unreadable(folder))?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Ok(Found::Piece("ca.pem and ca.key do not belong together"));
    }
    // One that is about to expire is made anew with the same key: a kill leaves the old one or the new one.
    let fresh = parsed.validity().time_to_expiration().is_some_and(|left| left > LEAF_LIFE);
    let certificate = if fresh { certificate } else { write_certificate(folder, &key)? };
    Ok(Found::Whole(certificate, key))
}

/// Certificates are judged by the clocks of machines.
#[expect(clippy::disallowed_methods, reason = "no room below knows the app's clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn write_certificate(folder: &Path, key: &KeyPair) -> Result<String, CertificateError> {
    let certificate = authority_params(now()).self_signed(key)?.pem();
    write(&folder.join("ca.pem"), certificate.as_bytes(), 0o644)?;
    Ok(certificate)
}

fn read(path: &Path) -> Result<Option<String>, CertificateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path, error)),
    }
}

/// Writes the whole file or nothing. It never exists with wider rights than `mode`.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CertificateError> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    let save = || {
        let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
        // Whatever the umask.
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|refused| refused.error)
    };
    save().map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: io::Error) -> CertificateError {
    CertificateError::File { path: path.display().to_string(), error }
}

fn unreadable(folder: &Path) -> CertificateError {
    CertificateError::Unreadable(folder.display().to_string())
}
