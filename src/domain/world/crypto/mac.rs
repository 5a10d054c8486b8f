//! Message authentication: HMAC-SHA256.
//! Must not know: what is signed.

use aws_lc_rs::hmac;

/// The signature of a message.
#[must_use]
pub fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// Whether a signature is a message's, in constant time.
#[must_use]
pub fn is_signed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::world::crypto::hex;

    #[test]
    fn signs_as_rfc_4231_does() {
        let signed = sign(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&signed), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(is_signed(b"Jefe", b"what do ya want for nothing?", &signed));
        assert!(!is_signed(b"Jefe", b"what do ya want for something?", &signed));
    }
}
