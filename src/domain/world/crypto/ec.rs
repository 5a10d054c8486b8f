//! Elliptic curves: keys made, imported and described.
//! Must not know: what is signed.

use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::bytes::{base64url, jwk_number};
use crate::domain::error::{Error, Result};

/// A named curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// secp256k1.
    P256K,
    /// The same curve under the name of its preview: a key keeps the name that it was made with [recorded 2023].
    Secp256k1,
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
            Self::Secp256k1 => "SECP256K1",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::P256, Self::P256K, Self::Secp256k1, Self::P384, Self::P521];
        all.into_iter().find(|curve| curve.as_str() == name)
    }

    /// The bits of its numbers, by which sizes name it.
    #[must_use]
    pub fn bits(self) -> u64 {
        match self {
            Self::P256 | Self::P256K | Self::Secp256k1 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// Bytes of a coordinate.
    fn size(self) -> usize {
        match self {
            Self::P256 | Self::P256K | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(super) fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P256K | Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    pub(super) fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P256K | Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_FIXED,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwk_becomes_the_same_key() {
        // RFC 7515 A.3.
        let jwk = json!({"crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"});
        let (_, public) = import_ec(&jwk).unwrap();
        assert_eq!((&public["x"], &public["y"]), (&jwk["x"], &jwk["y"]));
        let mut wrong = jwk.clone();
        wrong["x"] = jwk["y"].clone();
        assert!(import_ec(&wrong).is_none());
    }

    #[test]
    fn numbers_longer_than_the_curve_are_refused_by_their_length() {
        let number = |bytes: usize| json!(base64url(&vec![0xff; bytes]));
        let long = json!({"crv": "P-256", "x": number(33), "y": number(32), "d": number(3_000_000)});
        assert!(import_ec(&long).is_none());
    }
}
