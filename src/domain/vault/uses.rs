//! Whether an algorithm, and the bytes that a request brings, go with a key version. Of the texts the length of a digest
//! and the curve are known [issue]; the others are made after them [inferred].
//! Must not know: how anything is encrypted or signed, who asks.

use super::key::Version;
use super::object::invalid;
use super::wanted::Material;
use crate::domain::error::{Error, KeyError, Result};
use crate::domain::world::crypto::{RsaAlgorithm, SignAlgorithm};

/// A version that is to be used, and by which algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The version's address.
    pub kid: &'a str,
    pub version: &'a Version,
    pub algorithm: &'a str,
}

fn bad(text: String) -> Error {
    KeyError::BadParameter(text).into()
}

impl Use<'_> {
    /// The algorithm that signs a digest. `member` holds it, in the body.
    pub fn signing(&self, member: &str, bytes: usize) -> Result<SignAlgorithm> {
        let algorithm = SignAlgorithm::parse(self.algorithm).ok_or_else(|| invalid("alg"))?;
        let curves = algorithm.curves();
        match self.version.curve() {
            None if !curves.is_empty() => return Err(self.incompatible("signing", "EC")),
            Some(_) if curves.is_empty() => return Err(self.incompatible("signing", "RSA")),
            Some(curve) if !curves.contains(&curve) => {
                let wanted: Vec<String> = curves.iter().map(|curve| format!("'{}'", curve.as_str())).collect();
                return Err(bad(format!(
                    "Key and signing algorithm are incompatible. Key {} uses curve '{}', and algorithm '{}' can only be used with curve {}.",
                    self.kid,
                    curve.as_str(),
                    self.algorithm,
                    wanted.join(" or ")
                )));
            }
            _ => {}
        }
        match algorithm.hash() {
            Some(hash) if bytes != hash.length() => Err(self.length(member, bytes, &hash.length().to_string())),
            None if bytes > RsaAlgorithm::Rsa15.room(self.modulus()) => {
                let most = RsaAlgorithm::Rsa15.room(self.modulus());
                Err(self.length(member, bytes, &format!("at most {most}")))
            }
            _ => Ok(algorithm),
        }
    }

    /// The algorithm that encrypts or wraps a plaintext of so many bytes.
    pub fn encrypting(&self, bytes: usize) -> Result<RsaAlgorithm> {
        let algorithm = self.encryption()?;
        let most = algorithm.room(self.modulus());
        if bytes > most {
            return Err(self.length("value", bytes, &format!("at most {most}")));
        }
        Ok(algorithm)
    }

    /// The algorithm that decrypts or unwraps a ciphertext of so many bytes.
    pub fn decrypting(&self, bytes: usize) -> Result<RsaAlgorithm> {
        let algorithm = self.encryption()?;
        if bytes != self.modulus() {
            return Err(self.length("value", bytes, &self.modulus().to_string()));
        }
        Ok(algorithm)
    }

    fn encryption(&self) -> Result<RsaAlgorithm> {
        let algorithm = RsaAlgorithm::parse(self.algorithm).ok_or_else(|| invalid("alg"))?;
        match self.version.material() {
            Material::Rsa(_) => Ok(algorithm),
            Material::Ec(_) => Err(self.incompatible("encryption", "RSA")),
        }
    }

    /// Bytes of the modulus.
    fn modulus(&self) -> usize {
        match self.version.material() {
            Material::Rsa(bits) => bits / 8,
            Material::Ec(_) => 0,
        }
    }

    fn incompatible(&self, what: &str, wanted: &str) -> Error {
        bad(format!(
            "Key and {what} algorithm are incompatible. Key {} is of type '{}', and algorithm '{}' can only be used with type '{wanted}'.",
            self.kid, self.version.own.kty, self.algorithm
        ))
    }

    fn length(&self, member: &str, bytes: usize, needed: &str) -> Error {
        let algorithm = self.algorithm;
        bad(format!(
            "Invalid length of '{member}': {bytes} bytes. {algorithm} requires {needed} bytes, encoded with base64url."
        ))
    }
}
