//! A row of the data plane's table, and how a request finds its row. Paths are read tolerantly (keyvault.md A.1): empty
//! segments, trailing slashes and the case of words do not matter.
//! Must not know: what the operations do.

use std::pin::Pin;

use axum::http::Method;

use super::{Asked, Reply};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::http::call::{Call, decode};

/// What a handler does.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;

pub type Handler = for<'a> fn(&'a Asked<'a>) -> Handling<'a>;

/// One thing that can be asked of a vault.
pub struct Route {
    /// `*`: any.
    method: &'static str,
    /// Words, and `{name}`, `{version}` (which may be left out), `*` (anything, or nothing, from there on).
    path: &'static str,
    /// What the audit log calls it [docs; for certificates and random bytes inferred].
    pub operation: &'static str,
    pub handler: Handler,
}

/// The handler of a row from an async function, with what it takes beside the request.
macro_rules! handler {
    ($function:expr $(, $argument:expr)*) => {
        |asked| Box::pin($function(asked $(, $argument)*))
    };
}
pub(super) use handler;

/// What a path says beside its words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    pub name: Option<&'a str>,
    pub version: Option<&'a str>,
}

impl Route {
    pub const fn new(method: &'static str, path: &'static str, operation: &'static str, handler: Handler) -> Self {
        Self { method, path, operation, handler }
    }

    fn takes(&self, method: &Method) -> bool {
        self.method == "*" || self.method == method.as_str()
    }

    fn place<'a>(&self, segments: &'a [String]) -> Option<Place<'a>> {
        self.place_with(segments, true).or_else(|| self.place_with(segments, false))
    }

    fn place_with<'a>(&self, segments: &'a [String], version: bool) -> Option<Place<'a>> {
        let mut place = Place::default();
        let mut segments = segments.iter();
        for word in self.path.split('/') {
            match word {
                "*" => return Some(place),
                "{version}" if !version => {}
                "{version}" => place.version = Some(segments.next()?),
                "{name}" => place.name = Some(segments.next()?),
                word if word.eq_ignore_ascii_case(segments.next()?) => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(place)
    }
}

/// The method meant: `X-HTTP-METHOD` on a POST stands for it [docs].
pub fn method(call: &Call) -> Method {
    let meant = call.header("x-http-method").and_then(|m| m.to_ascii_uppercase().parse().ok());
    if call.method == Method::POST { meant.unwrap_or(Method::POST) } else { call.method.clone() }
}

/// The segments of a path.
pub fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|s| !s.is_empty()).map(decode).collect()
}

/// The row of a request: the first one that fits. A path that only another method has is answered 405, any other 404.
pub fn find<'a>(
    table: &[&'static [Route]],
    method: &Method,
    path: &str,
    segments: &'a [String],
) -> Result<(&'static Route, Place<'a>)> {
    let rows = || table.iter().flat_map(|rows| rows.iter());
    let found = rows().filter(|row| row.takes(method)).find_map(|row| Some((row, row.place(segments)?)));
    found.ok_or_else(|| match rows().any(|row| row.place(segments).is_some()) {
        true => RequestError::MethodNotAllowed { method: method.to_string(), path: path.to_owned() }.into(),
        false => RequestError::RouteUnknown(path.to_owned()).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Error;
    use crate::http::keyvault::TABLE;

    /// The operation of a request, the name and the version.
    fn found(method: &Method, path: &str) -> Result<(&'static str, Option<String>, Option<String>)> {
        let segments = segments(path);
        let (row, place) = find(TABLE, method, path, &segments)?;
        Ok((row.operation, place.name.map(str::to_owned), place.version.map(str::to_owned)))
    }

    #[test]
    fn slashes_and_case_do_not_matter() {
        let name = || Some("My-Key".to_owned());
        for path in ["/keys/My-Key", "/keys/My-Key/", "//keys/My-Key//", "/KEYS/My-Key"] {
            assert_eq!(found(&Method::GET, path).unwrap(), ("KeyGet", name(), None), "{path}");
        }
        assert_eq!(found(&Method::PATCH, "/keys/My-Key/").unwrap(), ("KeyUpdate", name(), None));
        for path in ["/keys/My-Key/wrapkey", "/keys/My-Key/wrapKey", "/keys/My-Key//wrapKey", "/keys/My-Key/WRAPKEY/"] {
            assert_eq!(found(&Method::POST, path).unwrap(), ("KeyWrap", name(), None), "{path}");
        }
        let versioned = found(&Method::POST, "/keys/My-Key/abc/unwrapkey").unwrap();
        assert_eq!(versioned, ("KeyUnwrap", name(), Some("abc".to_owned())));
    }

    #[test]
    fn words_of_a_path_are_no_versions_and_no_names() {
        for (path, operation) in [
            ("/keys/k/versions", "KeyListVersions"),
            ("/keys/k/rotationpolicy", "KeyRotationPolicyGet"),
            ("/keys/k/v/attestation", "KeyGet"),
            ("/keys/k/v", "KeyGet"),
            ("/secrets/s/versions", "SecretListVersions"),
            ("/deletedsecrets", "SecretListDeleted"),
            ("/certificates/c/versions", "CertificateGet"),
        ] {
            assert_eq!(found(&Method::GET, path).unwrap().0, operation, "{path}");
        }
        assert_eq!(found(&Method::POST, "/keys/restore").unwrap(), ("KeyRestore", None, None));
    }

    #[test]
    fn what_is_not_there_and_what_has_another_method() {
        let refusal = |method: &Method, path: &str| found(method, path).unwrap_err();
        for (method, path) in [
            (Method::PUT, "/keys/k/create"),
            (Method::DELETE, "/keys"),
            (Method::POST, "/keys/k/explode"),
            (Method::PUT, "/deletedkeys/k"),
            (Method::GET, "/rng"),
        ] {
            let refused = refusal(&method, path);
            assert!(matches!(refused, Error::Request(RequestError::MethodNotAllowed { .. })), "{method} {path}");
        }
        for path in ["/nothing/here", "/", "/keys/k/v/sign/more", "/storage/x"] {
            let refused = refusal(&Method::GET, path);
            assert!(matches!(refused, Error::Request(RequestError::RouteUnknown(_))), "{path}");
        }
    }
}
