//! The instance's token: who shows it counts as a client on this machine.
//! Must not know who hands it out, nor what it opens.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

/// The token of an instance that others than this machine can reach.
pub struct Token(String);

impl Token {
    /// A token that fits into a header: visible ASCII, and some of it.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// Whether a request shows it: as a bearer token, or as the password of whatever user, which is what proxy
    /// variables (`http://acrite:TOKEN@host:4443`) and browsers can say.
    pub(super) fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let shown = [PROXY_AUTHORIZATION, AUTHORIZATION].into_iter().flat_map(|name| headers.get_all(name));
        shown.filter_map(|value| value.to_str().ok()).any(|value| self.is_in(value))
    }

    fn is_in(&self, value: &str) -> bool {
        let Some((scheme, shown)) = value.split_once(' ') else { return false };
        let shown = shown.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(shown.as_bytes());
        }
        let decoded = STANDARD.decode(shown).unwrap_or_default();
        let colon = decoded.iter().position(|byte| *byte == b':');
        scheme.eq_ignore_ascii_case("basic") && colon.is_some_and(|at| self.is(&decoded[at + 1..]))
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_clients_can() {
        let token = Token::new("s3cret".to_owned()).unwrap();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for name in [AUTHORIZATION, PROXY_AUTHORIZATION] {
            for (value, good) in [
                ("Bearer s3cret".to_owned(), true),
                ("bearer  s3cret".to_owned(), true),
                (basic("acrite:s3cret"), true),
                (basic(":s3cret"), true),
                (basic("s3cret:"), false),
                (basic("s3cret"), false),
                (basic("a:b:s3cret"), false),
                ("Bearer s3cre".to_owned(), false),
                ("Bearer s3cret1".to_owned(), false),
                ("Bearer".to_owned(), false),
                ("Basic s3cret".to_owned(), false),
                ("s3cret".to_owned(), false),
            ] {
                let headers = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
                assert_eq!(token.is_shown_in(&headers), good, "{value}");
            }
        }
        for bad in ["", "a b", "a\n", "ä"] {
            assert!(Token::new(bad.to_owned()).is_none(), "{bad:?}");
        }
    }
}
