//! The only face over the cryptographic crates. `rsa` makes and describes keys; `aws-lc-rs` does the hot private-key
//! operations (9x quicker, see benches).
//! Must not know: what is being protected, or why.

mod algorithms;
mod bytes;
mod ec;
pub mod mac;
mod plain;
mod rsa;
mod seal;
mod sign;

pub use algorithms::{Hash, RsaAlgorithm, SignAlgorithm};
pub use bytes::{Hasher, base64, base64url, from_base64, from_base64url, hex, same_secret, sha1_thumbprint, sha256};
pub use ec::{Curve, generate_ec, import_ec};
pub use rsa::{RSA_SIZES, RsaPrivate, generate_rsa, generate_signing_key, import_rsa, rsa_bits};
pub use seal::{Bulk, NONCE, TAG, open, seal};
pub use sign::PrivateKey;
