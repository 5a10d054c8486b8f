//! The envelope around a registry's data: a random data encryption key (DEK) seals the data, a key
//! encryption key wraps the DEK. Only this file makes a [`Sealed`], and only from a [`Dek`].
//! Must not know: where the key encryption key lives or who may use it.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::crypto;
use super::error::{Error, Result};

/// A registry's data encryption key: AES-256.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dek([u8; 32]);

impl std::fmt::Debug for Dek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dek(…)")
    }
}

/// Bytes that only a DEK can open again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The bytes, to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that were stored.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Dek {
    /// A new random one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// From the bytes that a key encryption key unwrapped.
    pub fn from_unwrapped(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::Internal("an unwrapped DEK is not 32 bytes long".to_owned()))
    }

    /// The bytes, for wrapping only.
    #[must_use]
    pub fn to_wrap(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// Seals a small thing (a manifest, an upload's tail). `context` says what it is, so that one sealed
    /// thing cannot stand in for another.
    pub fn seal(&self, context: &str, plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Sealed> {
        crypto::seal(&self.0, context.as_bytes(), plaintext, rng).map(Sealed)
    }

    /// Opens it again.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        crypto::open(&self.0, context.as_bytes(), &sealed.0)
    }
}
