//! RSA by the `rsa` crate, slower: keys of 1024 bits, and signatures over bytes that are no digest. `aws-lc-rs` does
//! neither.
//! Must not know: what is encrypted or signed.

use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::{PaddingScheme, SignatureScheme};
use rsa::{Oaep, Pkcs1v15Encrypt, Pkcs1v15Sign, Pss};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::algorithms::{Hash, RsaAlgorithm};
use crate::domain::error::{Error, Result};

/// A private key.
pub(super) struct Plain(rsa::PrivateKey);

impl Plain {
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self> {
        rsa::PrivateKey::from_pkcs8_der(der).map(Self).map_err(Error::internal)
    }

    pub(super) fn encrypt(&self, algorithm: RsaAlgorithm, plaintext: &[u8]) -> Option<Vec<u8>> {
        match algorithm {
            RsaAlgorithm::Rsa15 => self.encrypt_by(Pkcs1v15Encrypt, plaintext),
            RsaAlgorithm::Oaep => self.encrypt_by(Oaep::<Sha1>::new(), plaintext),
            RsaAlgorithm::Oaep256 => self.encrypt_by(Oaep::<Sha256>::new(), plaintext),
        }
    }

    fn encrypt_by(&self, scheme: impl PaddingScheme, plaintext: &[u8]) -> Option<Vec<u8>> {
        self.0.to_public_key().encrypt(&mut rand::rng(), scheme, plaintext).ok()
    }

    /// What is not this key's gives nothing; by PKCS#1 v1.5, bytes that mean nothing.
    pub(super) fn decrypt(&self, algorithm: RsaAlgorithm, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let plaintext = match algorithm {
            RsaAlgorithm::Rsa15 => self.0.decrypt(Pkcs1v15Encrypt, ciphertext),
            RsaAlgorithm::Oaep => self.0.decrypt(Oaep::<Sha1>::new(), ciphertext),
            RsaAlgorithm::Oaep256 => self.0.decrypt(Oaep::<Sha256>::new(), ciphertext),
        };
        plaintext.ok().map(Zeroizing::new)
    }

    /// PKCS#1 v1.5 over a digest; without a hash over the bytes as they are.
    pub(super) fn sign(&self, hash: Option<Hash>, bytes: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(scheme(hash), bytes).ok()
    }

    pub(super) fn verify(&self, hash: Option<Hash>, bytes: &[u8], signature: &[u8]) -> bool {
        self.0.to_public_key().verify(scheme(hash), bytes, signature).is_ok()
    }

    /// PSS over a digest, with a salt as long as the digest.
    pub(super) fn sign_pss(&self, hash: Hash, digest: &[u8]) -> Option<Vec<u8>> {
        match hash {
            Hash::Sha256 => self.sign_by(Pss::<Sha256>::new(), digest),
            Hash::Sha384 => self.sign_by(Pss::<Sha384>::new(), digest),
            Hash::Sha512 => self.sign_by(Pss::<Sha512>::new(), digest),
        }
    }

    fn sign_by(&self, scheme: impl SignatureScheme, digest: &[u8]) -> Option<Vec<u8>> {
        self.0.sign_with_rng(&mut rand::rng(), scheme, digest).ok()
    }

    pub(super) fn verify_pss(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        let key = self.0.to_public_key();
        let verdict = match hash {
            Hash::Sha256 => key.verify(Pss::<Sha256>::new(), digest, signature),
            Hash::Sha384 => key.verify(Pss::<Sha384>::new(), digest, signature),
            Hash::Sha512 => key.verify(Pss::<Sha512>::new(), digest, signature),
        };
        verdict.is_ok()
    }
}

fn scheme(hash: Option<Hash>) -> Pkcs1v15Sign {
    match hash {
        None => Pkcs1v15Sign::new_unprefixed(),
        Some(Hash::Sha256) => Pkcs1v15Sign::new::<Sha256>(),
        Some(Hash::Sha384) => Pkcs1v15Sign::new::<Sha384>(),
        Some(Hash::Sha512) => Pkcs1v15Sign::new::<Sha512>(),
    }
}
