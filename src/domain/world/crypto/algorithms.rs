//! The algorithms of keys by their JWA names, and what each goes with.
//! Must not know: how any of them is done.

use super::ec::Curve;

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

    /// Bytes of a plaintext at most, with a key of so many bytes.
    #[must_use]
    pub fn room(self, modulus: usize) -> usize {
        modulus.saturating_sub(match self {
            Self::Rsa15 => 11,
            Self::Oaep => 2 + 2 * 20,
            Self::Oaep256 => 2 + 2 * 32,
        })
    }
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
    /// Bytes of a digest.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How a digest is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    Rsa(Hash),
    /// The same over bytes that already say which hash they are of.
    RsaNull,
    /// RSASSA-PSS, with a salt as long as the digest.
    RsaPss(Hash),
    /// ECDSA on a curve, with the hash that belongs to it. Signatures are r and s, one after the other.
    Ecdsa(Curve),
    /// `ECDSA256`, from the preview of elliptic curves.
    Ecdsa256,
}

impl SignAlgorithm {
    /// From the JWA name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rsa(Hash::Sha256),
            "RS384" => Self::Rsa(Hash::Sha384),
            "RS512" => Self::Rsa(Hash::Sha512),
            "RSNULL" => Self::RsaNull,
            "PS256" => Self::RsaPss(Hash::Sha256),
            "PS384" => Self::RsaPss(Hash::Sha384),
            "PS512" => Self::RsaPss(Hash::Sha512),
            "ES256" => Self::Ecdsa(Curve::P256),
            "ES256K" => Self::Ecdsa(Curve::P256K),
            "ES384" => Self::Ecdsa(Curve::P384),
            "ES512" => Self::Ecdsa(Curve::P521),
            "ECDSA256" => Self::Ecdsa256,
            _ => return None,
        })
    }

    /// The hash whose digest is signed.
    #[must_use]
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Rsa(hash) | Self::RsaPss(hash) => Some(hash),
            Self::RsaNull => None,
            Self::Ecdsa(Curve::P256 | Curve::P256K | Curve::Secp256k1) | Self::Ecdsa256 => Some(Hash::Sha256),
            Self::Ecdsa(Curve::P384) => Some(Hash::Sha384),
            Self::Ecdsa(Curve::P521) => Some(Hash::Sha512),
        }
    }

    /// The curves it can be used with [issue]; none: it is for RSA.
    #[must_use]
    pub fn curves(self) -> &'static [Curve] {
        match self {
            Self::Rsa(_) | Self::RsaNull | Self::RsaPss(_) => &[],
            Self::Ecdsa(Curve::P256) => &[Curve::P256],
            Self::Ecdsa(Curve::P256K) => &[Curve::P256K],
            Self::Ecdsa(Curve::Secp256k1) => &[Curve::Secp256k1],
            Self::Ecdsa(Curve::P384) => &[Curve::P384],
            Self::Ecdsa(Curve::P521) => &[Curve::P521],
            Self::Ecdsa256 => &[Curve::P256, Curve::Secp256k1],
        }
    }
}
