//! Signatures over digests, by keys of either kind.
//! Must not know: what was digested.

use aws_lc_rs::digest::{self, Digest as AwsDigest};
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaEncoding, RsaParameters, UnparsedPublicKey};

use super::ec::Curve;
use super::rsa::RsaPrivate;
use crate::domain::error::{Error, Result};

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

#[cfg(test)]
mod tests {
    use super::super::{generate_ec, generate_rsa};
    use super::*;

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
}
