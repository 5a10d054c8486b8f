//! The only face over the cryptographic crates: AES-256-GCM, RSA, elliptic curves, SHA-256, random bytes' shapes.
//! `rsa` makes and describes keys; `aws-lc-rs` does the hot private-key operations (9x quicker, see benches).
//! Must not know: what is being protected, or why.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::aead::{self, AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use aws_lc_rs::digest::{self, Digest as AwsDigest};
use aws_lc_rs::hkdf;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _, RsaEncoding, RsaKeyPair,
    RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::CryptoRng;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::domain::error::{Error, Result};

/// Bytes of a GCM nonce.
pub const NONCE: usize = 12;
/// Bytes of a GCM tag.
pub const TAG: usize = 16;

/// Seals `plaintext` under a 256-bit key: nonce, ciphertext, tag. `context` is bound but not kept.
pub fn seal(key: &[u8; 32], context: &[u8], plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>> {
    let mut nonce = [0u8; NONCE];
    rng.fill_bytes(&mut nonce);
    let cipher = Aes256Gcm::new(key.into());
    let body = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: context })
        .map_err(|_| Error::Internal("AES-GCM refused to seal".to_owned()))?;
    let mut sealed = Vec::with_capacity(NONCE + body.len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// Opens what [`seal`] made. Fails closed: a wrong key, context or byte gives an error and no plaintext.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let broken = || Error::Internal("sealed data does not open: wrong key or changed on disk".to_owned());
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or_else(broken)?;
    let cipher = Aes256Gcm::new(key.into());
    let plaintext = cipher.decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: context }).map_err(|_| broken())?;
    Ok(Zeroizing::new(plaintext))
}

/// AES-256-GCM for bulk data: one derived key, many small pieces. `aws-lc-rs`, because it seals about four
/// times as fast as `aes-gcm` (`cargo bench --bench seal`).
pub struct Bulk(LessSafeKey);

impl std::fmt::Debug for Bulk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bulk(…)")
    }
}

struct Key256;

impl hkdf::KeyType for Key256 {
    fn len(&self) -> usize {
        32
    }
}

impl Bulk {
    /// HKDF-SHA256 over `secret` with a salt and a purpose.
    pub fn derive(secret: &[u8; 32], salt: &[u8], purpose: &[&[u8]]) -> Result<Self> {
        let refused = |_| Error::Internal("HKDF refused".to_owned());
        let mut key = Zeroizing::new([0u8; 32]);
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
        prk.expand(purpose, Key256).and_then(|okm| okm.fill(key.as_mut_slice())).map_err(refused)?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(|k| Self(LessSafeKey::new(k))).map_err(refused)
    }

    /// Appends the ciphertext and tag of `plaintext` to `out`. A nonce must never come twice.
    pub fn seal_onto(&self, nonce: [u8; NONCE], context: &[u8], plaintext: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), &mut out[start..]);
        let tag = tag.map_err(|_| Error::Internal("AES-GCM refused to seal".to_owned()))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Appends the plaintext of `sealed` to `out`; on failure `out` is as it was.
    pub fn open_onto(&self, nonce: [u8; NONCE], context: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(sealed);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut out[start..]).map(|plain| plain.len());
        out.truncate(start + opened.as_ref().copied().unwrap_or(0));
        opened
            .map(|_| ())
            .map_err(|_| Error::Internal("sealed data does not open: wrong key or changed on disk".to_owned()))
    }
}

/// A digest in the making. A copy of it is a point to come back to.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Hasher(sha256)",
            Self::Sha512(_) => "Hasher(sha512)",
        })
    }
}

impl Hasher {
    /// SHA-256 of nothing yet.
    #[must_use]
    pub fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    /// SHA-512 of nothing yet.
    #[must_use]
    pub fn sha512() -> Self {
        Self::Sha512(Sha512::new())
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest, as hex.
    #[must_use]
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(h) => hex(&h.finalize()),
            Self::Sha512(h) => hex(&h.finalize()),
        }
    }
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-1: for thumbprints of certificates only, which name and prove nothing.
#[must_use]
pub fn sha1_thumbprint(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Base64url without padding, as JWK, JWT and Key Vault write bytes.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url, padded or not.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// Standard base64, as `Authorization: Basic` carries it.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Whether two secrets are equal, in time that does not depend on where they differ.
#[must_use]
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// How RSA encrypts and wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaAlgorithm {
    /// PKCS#1 v1.5.
    Rsa15,
    /// OAEP with SHA-1 and MGF1-SHA-1.
    Oaep,
    /// OAEP with SHA-256 for both.
    Oaep256,
}

impl RsaAlgorithm {
    /// From the JWA name, case aside.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [("RSA1_5", Self::Rsa15), ("RSA-OAEP", Self::Oaep), ("RSA-OAEP-256", Self::Oaep256)]
            .into_iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, a)| a)
    }

    fn oaep(self) -> Option<&'static OaepAlgorithm> {
        match self {
            Self::Rsa15 => None,
            Self::Oaep => Some(&OAEP_SHA1_MGF1SHA1),
            Self::Oaep256 => Some(&OAEP_SHA256_MGF1SHA256),
        }
    }
}

/// A new RSA key: PKCS#8 DER, and its public half as JWK members. Takes about 0.1 s for 2048 bits and
/// seconds for 4096: call it outside of transactions and off the request threads.
pub fn generate_rsa(bits: usize, rng: &mut impl CryptoRng) -> Result<(Zeroizing<Vec<u8>>, Value)> {
    let key = rsa::PrivateKey::new(rng, bits).map_err(Error::internal)?;
    described(&key)
}

/// PKCS#8 DER of an RSA key, and its public half as JWK members.
fn described(key: &rsa::PrivateKey) -> Result<(Zeroizing<Vec<u8>>, Value)> {
    let der = key.to_pkcs8_der().map_err(Error::internal)?;
    Ok((Zeroizing::new(der.as_bytes().to_vec()), public_members(key)))
}

/// The public half of an RSA key as JWK members.
fn public_members(key: &rsa::PrivateKey) -> Value {
    json!({
        "n": base64url(&key.n().to_be_bytes_trimmed_vartime()),
        "e": base64url(&key.e().to_be_bytes_trimmed_vartime()),
    })
}

/// Bits of RSA keys [docs]. No arithmetic is done with any other: how long it takes, and how deep it goes into the
/// stack, grows with the number.
pub const RSA_SIZES: [usize; 3] = [2048, 3072, 4096];

/// The bits of an RSA key in a JWK, told by the length of its modulus. `None`: none of [`RSA_SIZES`].
#[must_use]
pub fn rsa_bits(jwk: &Value) -> Option<usize> {
    let modulus = jwk_number(jwk, "n")?;
    let top = modulus.first().filter(|byte| **byte >= 0x80).map(|_| modulus.len() * 8);
    top.filter(|bits| RSA_SIZES.contains(bits))
}

/// A number of a JWK: its bytes, without zeros in front, which some clients write.
fn jwk_number(jwk: &Value, name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = jwk[name].as_str()?;
    // Longer than any number of the largest key, told before it is decoded.
    if text.len() > 1024 {
        return None;
    }
    let mut bytes = Zeroizing::new(from_base64url(text)?);
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}

/// An RSA key from the members of a JWK (`n`, `e`, `d`, and the primes `p`, `q` where they are given).
/// `None` when they do not make a key. Takes long: call it outside of transactions and off the request threads.
pub fn import_rsa(jwk: &Value) -> Option<(Zeroizing<Vec<u8>>, Value)> {
    let most = rsa_bits(jwk)? / 8;
    let number = |name: &str| {
        let bytes = jwk_number(jwk, name).filter(|bytes| (1..=most).contains(&bytes.len()))?;
        let bits = u32::try_from(bytes.len() * 8).ok()?;
        rsa::BoxedUint::from_be_slice(&bytes, bits).ok()
    };
    let primes = match (number("p"), number("q")) {
        (Some(p), Some(q)) => vec![p, q],
        _ => Vec::new(),
    };
    let key = rsa::PrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes).ok()?;
    key.validate().ok()?;
    described(&key).ok()
}

/// A new RSA key for signing tokens: PKCS#1 DER and JWK members.
pub fn generate_signing_key(rng: &mut impl CryptoRng) -> Result<(Zeroizing<Vec<u8>>, Value)> {
    let key = rsa::PrivateKey::new(rng, 2048).map_err(Error::internal)?;
    let der = key.to_pkcs1_der().map_err(Error::internal)?;
    Ok((Zeroizing::new(der.as_bytes().to_vec()), public_members(&key)))
}

/// A named curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// secp256k1.
    P256K,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// As JWK and Key Vault call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P256K => "P-256K",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// From its name. `SECP256K1` is its name in api-version 2016-10-01 [unverified].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SECP256K1" => Some(Self::P256K),
            _ => [Self::P256, Self::P256K, Self::P384, Self::P521].into_iter().find(|c| c.as_str() == name),
        }
    }

    /// Bytes of a coordinate.
    fn size(self) -> usize {
        match self {
            Self::P256 | Self::P256K => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P256K => &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P256K => &signature::ECDSA_P256K1_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// A new key on a curve: PKCS#8 DER, and its public half as JWK members.
pub fn generate_ec(curve: Curve) -> Result<(Zeroizing<Vec<u8>>, Value)> {
    described_ec(curve, &EcdsaKeyPair::generate(curve.signing()).map_err(Error::internal)?)
}

fn described_ec(curve: Curve, key: &EcdsaKeyPair) -> Result<(Zeroizing<Vec<u8>>, Value)> {
    let der = key.to_pkcs8v1().map_err(Error::internal)?;
    // The public key is an uncompressed point: 0x04, x, y.
    let point = key.public_key().as_ref();
    let (x, y) = point.get(1..).unwrap_or_default().split_at(curve.size());
    let jwk = json!({"crv": curve.as_str(), "x": base64url(x), "y": base64url(y)});
    Ok((Zeroizing::new(der.as_ref().to_vec()), jwk))
}

/// A key on a curve from the members of a JWK (`crv`, `x`, `y`, `d`). `None` when they do not make a key.
#[must_use]
pub fn import_ec(jwk: &Value) -> Option<(Zeroizing<Vec<u8>>, Value)> {
    let curve = Curve::parse(jwk["crv"].as_str()?)?;
    // JWK writes full-length numbers.
    let number = |name: &str| {
        let bytes = jwk_number(jwk, name)?;
        let missing = curve.size().checked_sub(bytes.len())?;
        let mut full = Zeroizing::new(vec![0; missing]);
        full.extend_from_slice(&bytes);
        Some(full)
    };
    let point = [&[4][..], &number("x")?, &number("y")?].concat();
    let key = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &number("d")?, &point).ok()?;
    described_ec(curve, &key).ok()
}

/// What a signature is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> Option<AwsDigest> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        AwsDigest::import_less_safe(bytes, algorithm).ok()
    }
}

/// How a digest is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    Rsa(Hash),
    /// RSASSA-PSS, with a salt as long as the digest.
    RsaPss(Hash),
    /// ECDSA on a curve, with the hash that belongs to it. Signatures are r and s, one after the other.
    Ecdsa(Curve),
}

impl SignAlgorithm {
    /// From the JWA name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rsa(Hash::Sha256),
            "RS384" => Self::Rsa(Hash::Sha384),
            "RS512" => Self::Rsa(Hash::Sha512),
            "PS256" => Self::RsaPss(Hash::Sha256),
            "PS384" => Self::RsaPss(Hash::Sha384),
            "PS512" => Self::RsaPss(Hash::Sha512),
            "ES256" => Self::Ecdsa(Curve::P256),
            // `ECDSA256` is its name in api-version 2016-10-01 [unverified].
            "ES256K" | "ECDSA256" => Self::Ecdsa(Curve::P256K),
            "ES384" => Self::Ecdsa(Curve::P384),
            "ES512" => Self::Ecdsa(Curve::P521),
            _ => return None,
        })
    }

    /// The hash whose digest is signed.
    #[must_use]
    pub fn hash(self) -> Hash {
        match self {
            Self::Rsa(hash) | Self::RsaPss(hash) => hash,
            Self::Ecdsa(Curve::P256 | Curve::P256K) => Hash::Sha256,
            Self::Ecdsa(Curve::P384) => Hash::Sha384,
            Self::Ecdsa(Curve::P521) => Hash::Sha512,
        }
    }

    fn rsa(self) -> Option<(&'static dyn RsaEncoding, &'static RsaParameters)> {
        Some(match self {
            Self::Rsa(Hash::Sha256) => (&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rsa(Hash::Sha384) => (&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rsa(Hash::Sha512) => (&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
            Self::RsaPss(Hash::Sha256) => (&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
            Self::RsaPss(Hash::Sha384) => (&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
            Self::RsaPss(Hash::Sha512) => (&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
            Self::Ecdsa(_) => return None,
        })
    }
}

/// A private key of either kind, ready for use.
#[derive(Debug)]
pub enum PrivateKey {
    Rsa(Box<RsaPrivate>),
    Ec(Curve, EcdsaKeyPair),
}

impl PrivateKey {
    /// From PKCS#8 DER. `curve`: of which curve, or RSA.
    pub fn from_pkcs8(der: &[u8], curve: Option<Curve>) -> Result<Self> {
        Ok(match curve {
            None => Self::Rsa(Box::new(RsaPrivate::from_pkcs8(der)?)),
            Some(curve) => Self::Ec(curve, EcdsaKeyPair::from_pkcs8(curve.signing(), der).map_err(Error::internal)?),
        })
    }

    /// Signs a digest. `None` when key, algorithm and the digest's length do not go together.
    #[must_use]
    pub fn sign(&self, algorithm: SignAlgorithm, digest: &[u8]) -> Option<Vec<u8>> {
        let digest = algorithm.hash().digest(digest)?;
        match (self, algorithm) {
            (Self::Rsa(key), SignAlgorithm::Rsa(_) | SignAlgorithm::RsaPss(_)) => {
                let (encoding, _) = algorithm.rsa()?;
                let mut out = vec![0; key.signing.public_modulus_len()];
                key.signing.sign_digest(encoding, &digest, &mut out).ok()?;
                Some(out)
            }
            (Self::Ec(curve, key), SignAlgorithm::Ecdsa(wanted)) if *curve == wanted => {
                Some(key.sign_digest(&digest).ok()?.as_ref().to_vec())
            }
            _ => None,
        }
    }

    /// Whether a signature over a digest is this key's. `None` when key, algorithm and the digest's length
    /// do not go together.
    #[must_use]
    pub fn verify(&self, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> Option<bool> {
        let digest = algorithm.hash().digest(digest)?;
        match (self, algorithm) {
            (Self::Rsa(key), SignAlgorithm::Rsa(_) | SignAlgorithm::RsaPss(_)) => {
                let (_, parameters) = algorithm.rsa()?;
                let public = UnparsedPublicKey::new(parameters, key.signing.public_key().as_ref());
                Some(public.verify_digest(&digest, signature).is_ok())
            }
            (Self::Ec(curve, key), SignAlgorithm::Ecdsa(wanted)) if *curve == wanted => {
                let public = UnparsedPublicKey::new(curve.verifying(), key.public_key().as_ref());
                Some(public.verify_digest(&digest, signature).is_ok())
            }
            _ => None,
        }
    }
}

/// An RSA private key, ready for use.
pub struct RsaPrivate {
    signing: RsaKeyPair,
    oaep: OaepPrivateDecryptingKey,
    oaep_public: OaepPublicEncryptingKey,
    pkcs1: Pkcs1PrivateDecryptingKey,
    pkcs1_public: Pkcs1PublicEncryptingKey,
}

impl std::fmt::Debug for RsaPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RsaPrivate({} bytes)", self.oaep.key_size_bytes())
    }
}

impl RsaPrivate {
    /// From PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(Error::internal)?;
        let public = key.public_key();
        Ok(Self {
            signing: RsaKeyPair::from_pkcs8(der).map_err(Error::internal)?,
            oaep: OaepPrivateDecryptingKey::new(key.clone()).map_err(Error::internal)?,
            oaep_public: OaepPublicEncryptingKey::new(public.clone()).map_err(Error::internal)?,
            pkcs1: Pkcs1PrivateDecryptingKey::new(key).map_err(Error::internal)?,
            pkcs1_public: Pkcs1PublicEncryptingKey::new(public).map_err(Error::internal)?,
        })
    }

    /// Encrypts or wraps. `None` when the plaintext does not fit the key and algorithm.
    #[must_use]
    pub fn encrypt(&self, algorithm: RsaAlgorithm, plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0u8; self.oaep_public.ciphertext_size()];
        let written = match algorithm.oaep() {
            Some(oaep) => self.oaep_public.encrypt(oaep, plaintext, &mut out, None).ok()?.len(),
            None => self.pkcs1_public.encrypt(plaintext, &mut out).ok()?.len(),
        };
        out.truncate(written);
        Some(out)
    }

    /// Decrypts or unwraps. `None` when the ciphertext is not of this key and algorithm.
    #[must_use]
    pub fn decrypt(&self, algorithm: RsaAlgorithm, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0u8; self.oaep.min_output_size()]);
        let written = match algorithm.oaep() {
            Some(oaep) => self.oaep.decrypt(oaep, ciphertext, &mut out, None).ok()?.len(),
            None => self.pkcs1.decrypt(ciphertext, &mut out).ok()?.len(),
        };
        out.truncate(written);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_context() {
        let mut rng = rand::rng();
        let sealed = seal(&[7; 32], b"here", b"text", &mut rng).unwrap();
        assert_eq!(open(&[7; 32], b"here", &sealed).unwrap().as_slice(), b"text");
        assert!(open(&[7; 32], b"there", &sealed).is_err());
        assert!(open(&[8; 32], b"here", &sealed).is_err());
        assert!(open(&[7; 32], b"here", &sealed[..5]).is_err());
    }

    #[test]
    fn rsa_round_trips_with_each_algorithm() {
        let (der, jwk) = generate_rsa(2048, &mut rand::rng()).unwrap();
        assert_eq!(jwk["e"], "AQAB");
        assert_eq!(from_base64url(jwk["n"].as_str().unwrap()).unwrap().len(), 256);
        let key = RsaPrivate::from_pkcs8(&der).unwrap();
        for algorithm in [RsaAlgorithm::Rsa15, RsaAlgorithm::Oaep, RsaAlgorithm::Oaep256] {
            let wrapped = key.encrypt(algorithm, &[9; 32]).unwrap();
            assert_eq!(key.decrypt(algorithm, &wrapped).unwrap().as_slice(), &[9; 32]);
            assert!(key.decrypt(algorithm, &wrapped[1..]).is_none());
        }
        assert!(key.encrypt(RsaAlgorithm::Oaep256, &[0; 256]).is_none());
    }

    #[test]
    fn each_algorithm_signs_and_only_its_signature_verifies() {
        let digest = [7u8; 64];
        let length = |a: SignAlgorithm| match a.hash() {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        let check = |key: &PrivateKey, name: &str| {
            let algorithm = SignAlgorithm::parse(name).unwrap();
            let digest = &digest[..length(algorithm)];
            let signature = key.sign(algorithm, digest).unwrap();
            assert_eq!(key.verify(algorithm, digest, &signature), Some(true), "{name}");
            let other = vec![8u8; digest.len()];
            assert_eq!(key.verify(algorithm, &other, &signature), Some(false), "{name}");
            assert!(key.sign(algorithm, &digest[1..]).is_none(), "{name}: a digest of another length");
        };
        let rsa = PrivateKey::from_pkcs8(&generate_rsa(2048, &mut rand::rng()).unwrap().0, None).unwrap();
        for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            check(&rsa, name);
        }
        for (curve, name) in
            [(Curve::P256, "ES256"), (Curve::P256K, "ES256K"), (Curve::P384, "ES384"), (Curve::P521, "ES512")]
        {
            let key = PrivateKey::from_pkcs8(&generate_ec(curve).unwrap().0, Some(curve)).unwrap();
            check(&key, name);
            assert!(rsa.sign(SignAlgorithm::Ecdsa(curve), &digest[..32]).is_none());
        }
    }

    #[test]
    fn numbers_of_a_size_that_no_key_has_are_refused_by_their_length() {
        let number = |bytes: usize| json!(base64url(&vec![0xff; bytes]));
        let jwk = |n: usize, d: usize, e: usize| json!({"n": number(n), "d": number(d), "e": number(e)});
        assert_eq!(rsa_bits(&jwk(256, 1, 1)), Some(2048));
        assert_eq!(
            rsa_bits(&json!({"n": base64url(&[&[0, 0][..], &[0xff; 512]].concat())})),
            Some(4096),
            "zeros before"
        );
        for wrong in [0, 1, 255, 257, 513, 25_000, 3_000_000] {
            assert_eq!(rsa_bits(&jwk(wrong, 1, 1)), None, "{wrong}");
            assert!(import_rsa(&jwk(wrong, 256, 3)).is_none(), "{wrong}");
            if wrong > 256 {
                assert!(import_rsa(&jwk(256, wrong, 3)).is_none(), "d of {wrong}");
                assert!(import_rsa(&jwk(256, 256, wrong)).is_none(), "e of {wrong}");
            }
        }
        // Numbers of the right size that are no key.
        let zero = json!("AA");
        for (d, e) in
            [(number(256), number(3)), (json!("AQ"), json!("AQ")), (json!("AQ"), zero.clone()), (zero, json!("AQAB"))]
        {
            let mut wrong = json!({"n": number(256), "d": d, "e": e});
            assert!(import_rsa(&wrong).is_none(), "{wrong}");
            for (p, q) in [(number(256), number(256)), (json!("Ag"), json!("Ag")), (json!("AQ"), number(256))] {
                (wrong["p"], wrong["q"]) = (p, q);
                assert!(import_rsa(&wrong).is_none(), "{wrong}");
            }
        }
        let long = json!({"crv": "P-256", "x": number(33), "y": number(32), "d": number(3_000_000)});
        assert!(import_ec(&long).is_none());
    }

    #[test]
    fn a_jwk_becomes_the_same_key() {
        use rsa::pkcs8::DecodePrivateKey as _;
        use rsa::traits::PrivateKeyParts as _;
        let (der, public) = generate_rsa(2048, &mut rand::rng()).unwrap();
        let key = rsa::PrivateKey::from_pkcs8_der(&der).unwrap();
        let number = |n: &rsa::BoxedUint| json!(base64url(&n.to_be_bytes()));
        let mut jwk = public.clone();
        jwk["d"] = number(key.d());
        let (_, without_primes) = import_rsa(&jwk).unwrap();
        assert_eq!(without_primes, public);
        jwk["d"] = json!("AQAB");
        assert!(import_rsa(&jwk).is_none(), "an exponent of another key");

        // RFC 7515 A.3.
        let jwk = json!({"crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"});
        let (_, public) = import_ec(&jwk).unwrap();
        assert_eq!((&public["x"], &public["y"]), (&jwk["x"], &jwk["y"]));
        let mut wrong = jwk.clone();
        wrong["x"] = jwk["y"].clone();
        assert!(import_ec(&wrong).is_none());
    }
}
