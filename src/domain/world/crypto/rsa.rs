//! RSA: keys made, imported and described; encryption and decryption.
//! Must not know: what is encrypted.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::RsaKeyPair;
use rand::CryptoRng;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::algorithms::RsaAlgorithm;
use super::bytes::{base64url, jwk_number};
use super::plain::Plain;
use crate::domain::error::{Error, Result};

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

/// Bits of RSA keys that are made [docs].
pub const RSA_SIZES: [usize; 3] = [2048, 3072, 4096];

/// Bits of RSA keys that are taken: one of 1024 too [recorded 2024]. No arithmetic is done with any other: how long it
/// takes, and how deep it goes into the stack, grows with the number.
const IMPORTED_SIZES: [usize; 4] = [1024, 2048, 3072, 4096];

/// The bits of an RSA key in a JWK, told by the length of its modulus. `None`: no key of that size is taken.
#[must_use]
pub fn rsa_bits(jwk: &Value) -> Option<usize> {
    let modulus = jwk_number(jwk, "n")?;
    let top = modulus.first().filter(|byte| **byte >= 0x80).map(|_| modulus.len() * 8);
    top.filter(|bits| IMPORTED_SIZES.contains(bits))
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

/// An RSA private key, ready for use.
pub struct RsaPrivate {
    /// None for a size that `aws-lc-rs` does not take.
    pub(super) quick: Option<Quick>,
    der: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for RsaPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaPrivate(…)")
    }
}

impl RsaPrivate {
    /// From PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let quick = Quick::from_pkcs8(der);
        if let Err(error) = &quick
            && Plain::from_pkcs8(der).is_err()
        {
            return Err(error.clone());
        }
        Ok(Self { quick: quick.ok(), der: Zeroizing::new(der.to_vec()) })
    }

    /// The same key for what `aws-lc-rs` does not do.
    pub(super) fn plain(&self) -> Option<Plain> {
        Plain::from_pkcs8(&self.der).ok()
    }

    /// Encrypts or wraps. `None` when the plaintext does not fit the key and algorithm.
    #[must_use]
    pub fn encrypt(&self, algorithm: RsaAlgorithm, plaintext: &[u8]) -> Option<Vec<u8>> {
        match &self.quick {
            Some(quick) => quick.encrypt(algorithm, plaintext),
            None => self.plain()?.encrypt(algorithm, plaintext),
        }
    }

    /// Decrypts or unwraps. `None` when the ciphertext is not of this key and algorithm.
    #[must_use]
    pub fn decrypt(&self, algorithm: RsaAlgorithm, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match &self.quick {
            Some(quick) => quick.decrypt(algorithm, ciphertext),
            None => self.plain()?.decrypt(algorithm, ciphertext),
        }
    }
}

fn oaep(algorithm: RsaAlgorithm) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        RsaAlgorithm::Rsa15 => None,
        RsaAlgorithm::Oaep => Some(&OAEP_SHA1_MGF1SHA1),
        RsaAlgorithm::Oaep256 => Some(&OAEP_SHA256_MGF1SHA256),
    }
}

/// A key as `aws-lc-rs` takes it.
pub(super) struct Quick {
    pub(super) signing: RsaKeyPair,
    oaep: OaepPrivateDecryptingKey,
    oaep_public: OaepPublicEncryptingKey,
    pkcs1: Pkcs1PrivateDecryptingKey,
    pkcs1_public: Pkcs1PublicEncryptingKey,
}

impl Quick {
    fn from_pkcs8(der: &[u8]) -> Result<Self> {
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

    fn encrypt(&self, algorithm: RsaAlgorithm, plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0u8; self.oaep_public.ciphertext_size()];
        let written = match oaep(algorithm) {
            Some(oaep) => self.oaep_public.encrypt(oaep, plaintext, &mut out, None).ok()?.len(),
            None => self.pkcs1_public.encrypt(plaintext, &mut out).ok()?.len(),
        };
        out.truncate(written);
        Some(out)
    }

    fn decrypt(&self, algorithm: RsaAlgorithm, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0u8; self.oaep.min_output_size()]);
        let written = match oaep(algorithm) {
            Some(oaep) => self.oaep.decrypt(oaep, ciphertext, &mut out, None).ok()?.len(),
            None => self.pkcs1.decrypt(ciphertext, &mut out).ok()?.len(),
        };
        out.truncate(written);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::from_base64url;
    use super::*;

    #[test]
    fn rsa_round_trips_with_each_algorithm() {
        for bits in [1024, 2048] {
            let (der, jwk) = generate_rsa(bits, &mut rand::rng()).unwrap();
            assert_eq!(jwk["e"], "AQAB");
            assert_eq!(from_base64url(jwk["n"].as_str().unwrap()).unwrap().len(), bits / 8);
            let key = RsaPrivate::from_pkcs8(&der).unwrap();
            for algorithm in [RsaAlgorithm::Rsa15, RsaAlgorithm::Oaep, RsaAlgorithm::Oaep256] {
                let most = vec![9; algorithm.room(bits / 8)];
                let wrapped = key.encrypt(algorithm, &most).unwrap();
                assert_eq!(key.decrypt(algorithm, &wrapped).unwrap().as_slice(), most);
                assert!(key.decrypt(algorithm, &wrapped[1..]).is_none());
                assert!(key.encrypt(algorithm, &[most, vec![9]].concat()).is_none());
            }
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
        for wrong in [0, 1, 64, 127, 192, 255, 257, 513, 25_000, 3_000_000] {
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
    }
}
