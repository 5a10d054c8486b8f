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

use super::bytes::{base64url, from_base64url};
use crate::domain::error::{Error, Result};

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
pub(super) fn jwk_number(jwk: &Value, name: &str) -> Option<Zeroizing<Vec<u8>>> {
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

/// An RSA private key, ready for use.
pub struct RsaPrivate {
    pub(super) signing: RsaKeyPair,
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
