//! Signatures over digests, by keys of either kind.
//! Must not know: what was digested.

use aws_lc_rs::digest::{self, Digest as AwsDigest};
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaEncoding, RsaParameters, UnparsedPublicKey};

use super::algorithms::{Hash, SignAlgorithm};
use super::ec::Curve;
use super::rsa::{Quick, RsaPrivate};
use crate::domain::error::{Error, Result};

/// A digest that was made elsewhere; `None` where its length is not the hash's.
fn imported(hash: Hash, bytes: &[u8]) -> Option<AwsDigest> {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    AwsDigest::import_less_safe(bytes, algorithm).ok()
}

fn pkcs1(hash: Hash) -> (&'static dyn RsaEncoding, &'static RsaParameters) {
    match hash {
        Hash::Sha256 => (&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
        Hash::Sha384 => (&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
        Hash::Sha512 => (&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
    }
}

fn pss(hash: Hash) -> (&'static dyn RsaEncoding, &'static RsaParameters) {
    match hash {
        Hash::Sha256 => (&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
        Hash::Sha384 => (&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
        Hash::Sha512 => (&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
    }
}

impl Quick {
    fn sign(&self, (encoding, _): (&'static dyn RsaEncoding, &RsaParameters), digest: &AwsDigest) -> Option<Vec<u8>> {
        let mut out = vec![0; self.signing.public_modulus_len()];
        self.signing.sign_digest(encoding, digest, &mut out).ok()?;
        Some(out)
    }

    fn verify(
        &self,
        (_, how): (&dyn RsaEncoding, &'static RsaParameters),
        digest: &AwsDigest,
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(how, self.signing.public_key().as_ref()).verify_digest(digest, signature).is_ok()
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

    /// The key, where it is of RSA.
    #[must_use]
    pub fn rsa(&self) -> Option<&RsaPrivate> {
        match self {
            Self::Rsa(key) => Some(key),
            Self::Ec(..) => None,
        }
    }

    /// Signs a digest. `None` when key, algorithm and the digest's length do not go together.
    #[must_use]
    pub fn sign(&self, algorithm: SignAlgorithm, digest: &[u8]) -> Option<Vec<u8>> {
        match (self, algorithm) {
            (Self::Rsa(key), SignAlgorithm::RsaNull) => key.plain()?.sign(None, digest),
            (Self::Rsa(key), SignAlgorithm::Rsa(hash)) => {
                let imported = imported(hash, digest)?;
                match &key.quick {
                    Some(quick) => quick.sign(pkcs1(hash), &imported),
                    None => key.plain()?.sign(Some(hash), digest),
                }
            }
            (Self::Rsa(key), SignAlgorithm::RsaPss(hash)) => {
                let imported = imported(hash, digest)?;
                match &key.quick {
                    Some(quick) => quick.sign(pss(hash), &imported),
                    None => key.plain()?.sign_pss(hash, digest),
                }
            }
            (Self::Ec(curve, key), _) if algorithm.curves().contains(curve) => {
                Some(key.sign_digest(&imported(algorithm.hash()?, digest)?).ok()?.as_ref().to_vec())
            }
            _ => None,
        }
    }

    /// Whether a signature over a digest is this key's. `None` when key, algorithm and the digest's length
    /// do not go together.
    #[must_use]
    pub fn verify(&self, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> Option<bool> {
        match (self, algorithm) {
            (Self::Rsa(key), SignAlgorithm::RsaNull) => Some(key.plain()?.verify(None, digest, signature)),
            (Self::Rsa(key), SignAlgorithm::Rsa(hash)) => {
                let imported = imported(hash, digest)?;
                Some(match &key.quick {
                    Some(quick) => quick.verify(pkcs1(hash), &imported, signature),
                    None => key.plain()?.verify(Some(hash), digest, signature),
                })
            }
            (Self::Rsa(key), SignAlgorithm::RsaPss(hash)) => {
                let imported = imported(hash, digest)?;
                Some(match &key.quick {
                    Some(quick) => quick.verify(pss(hash), &imported, signature),
                    None => key.plain()?.verify_pss(hash, digest, signature),
                })
            }
            (Self::Ec(curve, key), _) if algorithm.curves().contains(curve) => {
                let public = UnparsedPublicKey::new(curve.verifying(), key.public_key().as_ref());
                Some(public.verify_digest(&imported(algorithm.hash()?, digest)?, signature).is_ok())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{generate_ec, generate_rsa};
    use super::*;

    #[test]
    fn each_algorithm_signs_and_only_its_signature_verifies() {
        let digest = [7u8; 64];
        let check = |key: &PrivateKey, name: &str| {
            let algorithm = SignAlgorithm::parse(name).unwrap();
            let digest = &digest[..algorithm.hash().unwrap().length()];
            let signature = key.sign(algorithm, digest).unwrap();
            assert_eq!(key.verify(algorithm, digest, &signature), Some(true), "{name}");
            let other = vec![8u8; digest.len()];
            assert_eq!(key.verify(algorithm, &other, &signature), Some(false), "{name}");
            assert!(key.sign(algorithm, &digest[1..]).is_none(), "{name}: a digest of another length");
        };
        let rsa = |bits| PrivateKey::from_pkcs8(&generate_rsa(bits, &mut rand::rng()).unwrap().0, None).unwrap();
        let small = rsa(1024);
        for name in ["RS256", "RS384", "RS512", "PS256", "PS384"] {
            check(&small, name);
        }
        let rsa = rsa(2048);
        for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            check(&rsa, name);
        }
        for (curve, name) in [
            (Curve::P256, "ES256"),
            (Curve::P256, "ECDSA256"),
            (Curve::P256K, "ES256K"),
            (Curve::Secp256k1, "ECDSA256"),
            (Curve::P384, "ES384"),
            (Curve::P521, "ES512"),
        ] {
            let key = PrivateKey::from_pkcs8(&generate_ec(curve).unwrap().0, Some(curve)).unwrap();
            check(&key, name);
            assert!(rsa.sign(SignAlgorithm::Ecdsa(curve), &digest[..32]).is_none());
        }
        let k = PrivateKey::from_pkcs8(&generate_ec(Curve::P256K).unwrap().0, Some(Curve::P256K)).unwrap();
        assert!(k.sign(SignAlgorithm::Ecdsa256, &digest[..32]).is_none(), "of the curve's older name alone [issue]");
    }

    /// The bytes that RS256 signs are the digest behind the name of its hash.
    #[test]
    fn a_digest_that_names_its_hash_is_signed_as_it_is() {
        let rsa = PrivateKey::from_pkcs8(&generate_rsa(2048, &mut rand::rng()).unwrap().0, None).unwrap();
        let digest = [7u8; 32];
        let info =
            [&b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"[..], &digest].concat();
        let signature = rsa.sign(SignAlgorithm::RsaNull, &info).unwrap();
        assert_eq!(rsa.verify(SignAlgorithm::Rsa(Hash::Sha256), &digest, &signature), Some(true));
        assert_eq!(rsa.verify(SignAlgorithm::RsaNull, &info, &signature), Some(true));
        assert_eq!(rsa.verify(SignAlgorithm::RsaNull, &digest, &signature), Some(false));
        assert!(rsa.sign(SignAlgorithm::RsaNull, &[1; 246]).is_none(), "longer than the key has room for");
    }
}
