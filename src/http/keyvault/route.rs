//! Paths of the data plane, read tolerantly (keyvault.md A.1): empty segments, trailing slashes and the case
//! of words do not matter.
//! Must not know: what the operations do.

use axum::http::Method;

use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::vault::key::Operation;
use crate::http::call::{Call, decode};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// Keys, living or deleted.
    Keys(KeyRoute),
    /// Secrets, living or deleted.
    Secrets(SecretRoute),
    /// `POST /rng`.
    Random,
    /// Anything about certificates: the name, or none for lists.
    Certificates(Option<String>),
}

type Version = Option<String>;

/// What is asked of keys.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyRoute {
    /// `GET /keys`.
    List,
    /// `POST /keys/restore`.
    Restore,
    /// `POST /keys/{n}/create`.
    Create(String),
    /// `PUT /keys/{n}`.
    Import(String),
    /// `GET /keys/{n}[/{v}]`.
    Get(String, Version),
    /// `GET /keys/{n}/versions`.
    Versions(String),
    /// `PATCH /keys/{n}[/{v}]`.
    Update(String, Version),
    /// `DELETE /keys/{n}`.
    Delete(String),
    /// `POST /keys/{n}/backup`.
    Backup(String),
    /// `POST /keys/{n}/rotate`.
    Rotate(String),
    /// `GET /keys/{n}/rotationpolicy`.
    Policy(String),
    /// `PUT /keys/{n}/rotationpolicy`.
    SetPolicy(String),
    /// `POST /keys/{n}[/{v}]/{operation}`.
    Use(String, Version, Operation),
    /// `POST /keys/{n}[/{v}]/release`.
    Release(String, Version),
    /// `GET /keys/{n}[/{v}]/attestation`.
    Attestation(String, Version),
    /// `GET /deletedkeys`.
    ListDeleted,
    /// `GET /deletedkeys/{n}`.
    GetDeleted(String),
    /// `POST /deletedkeys/{n}/recover`.
    Recover(String),
    /// `DELETE /deletedkeys/{n}`.
    Purge(String),
}

/// What is asked of secrets.
#[derive(Debug, PartialEq, Eq)]
pub enum SecretRoute {
    /// `GET /secrets`.
    List,
    /// `POST /secrets/restore`.
    Restore,
    /// `PUT /secrets/{n}`.
    Set(String),
    /// `GET /secrets/{n}[/{v}]`.
    Get(String, Version),
    /// `GET /secrets/{n}/versions`.
    Versions(String),
    /// `PATCH /secrets/{n}[/{v}]`.
    Update(String, Version),
    /// `DELETE /secrets/{n}`.
    Delete(String),
    /// `POST /secrets/{n}/backup`.
    Backup(String),
    /// `GET /deletedsecrets`.
    ListDeleted,
    /// `GET /deletedsecrets/{n}`.
    GetDeleted(String),
    /// `POST /deletedsecrets/{n}/recover`.
    Recover(String),
    /// `DELETE /deletedsecrets/{n}`.
    Purge(String),
}

impl Route {
    /// What the audit log calls it [docs; for certificates and random bytes inferred].
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Keys(route) => route.operation(),
            Self::Secrets(route) => route.operation(),
            Self::Random => "RandomBytesGet",
            Self::Certificates(Some(_)) => "CertificateGet",
            Self::Certificates(None) => "CertificateList",
        }
    }
}

impl KeyRoute {
    fn operation(&self) -> &'static str {
        match self {
            Self::List => "KeyList",
            Self::Restore => "KeyRestore",
            Self::Create(_) => "KeyCreate",
            Self::Import(_) => "KeyImport",
            Self::Get(..) | Self::Attestation(..) => "KeyGet",
            Self::Versions(_) => "KeyListVersions",
            Self::Update(..) => "KeyUpdate",
            Self::Delete(_) => "KeyDelete",
            Self::Backup(_) => "KeyBackup",
            Self::Rotate(_) => "KeyRotate",
            Self::Policy(_) => "KeyRotationPolicyGet",
            Self::SetPolicy(_) => "KeyRotationPolicySet",
            Self::Use(_, _, operation) => crate::app::vault::keys::audited(*operation),
            Self::Release(..) => "KeyRelease",
            Self::ListDeleted => "KeyListDeleted",
            Self::GetDeleted(_) => "KeyGetDeleted",
            Self::Recover(_) => "KeyRecover",
            Self::Purge(_) => "KeyPurge",
        }
    }
}

impl SecretRoute {
    fn operation(&self) -> &'static str {
        match self {
            Self::List => "SecretList",
            Self::Restore => "SecretRestore",
            Self::Set(_) => "SecretSet",
            Self::Get(..) => "SecretGet",
            Self::Versions(_) => "SecretListVersions",
            Self::Update(..) => "SecretUpdate",
            Self::Delete(_) => "SecretDelete",
            Self::Backup(_) => "SecretBackup",
            Self::ListDeleted => "SecretListDeleted",
            Self::GetDeleted(_) => "SecretGetDeleted",
            Self::Recover(_) => "SecretRecover",
            Self::Purge(_) => "SecretPurge",
        }
    }
}

/// The method meant: `X-HTTP-METHOD` on a POST stands for it [docs].
pub fn method(call: &Call) -> Method {
    let meant = call.header("x-http-method").and_then(|m| m.to_ascii_uppercase().parse().ok());
    if call.method == Method::POST { meant.unwrap_or(Method::POST) } else { call.method.clone() }
}

/// Reads a path.
pub fn parse(method: &Method, path: &str) -> Result<Route> {
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decode).collect();
    let lower: Vec<String> = segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let get = method == Method::GET;
    let put = method == Method::PUT;
    let post = method == Method::POST;
    let patch = method == Method::PATCH;
    let delete = method == Method::DELETE;
    // Names keep their case; words do not.
    let named = |at: usize| segments.get(at).cloned().unwrap_or_default();
    let version = |at: usize| segments.get(at).cloned();

    let route = match words.as_slice() {
        ["rng"] if post => Some(Route::Random),
        ["certificates" | "deletedcertificates", rest @ ..] => {
            return Ok(Route::Certificates(rest.first().map(|_| named(1))));
        }
        ["keys", rest @ ..] => match rest {
            [] if get => Some(KeyRoute::List),
            ["restore"] if post => Some(KeyRoute::Restore),
            [_] if get => Some(KeyRoute::Get(named(1), None)),
            [_] if put => Some(KeyRoute::Import(named(1))),
            [_] if patch => Some(KeyRoute::Update(named(1), None)),
            [_] if delete => Some(KeyRoute::Delete(named(1))),
            [_, "create"] if post => Some(KeyRoute::Create(named(1))),
            [_, "backup"] if post => Some(KeyRoute::Backup(named(1))),
            [_, "rotate"] if post => Some(KeyRoute::Rotate(named(1))),
            [_, "versions"] if get => Some(KeyRoute::Versions(named(1))),
            [_, "rotationpolicy"] if get => Some(KeyRoute::Policy(named(1))),
            [_, "rotationpolicy"] if put => Some(KeyRoute::SetPolicy(named(1))),
            [_, "release"] if post => Some(KeyRoute::Release(named(1), None)),
            [_, _, "release"] if post => Some(KeyRoute::Release(named(1), version(2))),
            [_, "attestation"] if get => Some(KeyRoute::Attestation(named(1), None)),
            [_, _, "attestation"] if get => Some(KeyRoute::Attestation(named(1), version(2))),
            [_, word] if post => Operation::parse(word).map(|o| KeyRoute::Use(named(1), None, o)),
            [_, _, word] if post => Operation::parse(word).map(|o| KeyRoute::Use(named(1), version(2), o)),
            [_, _] if get => Some(KeyRoute::Get(named(1), version(2))),
            [_, _] if patch => Some(KeyRoute::Update(named(1), version(2))),
            _ => None,
        }
        .map(Route::Keys),
        ["deletedkeys", rest @ ..] => match rest {
            [] if get => Some(KeyRoute::ListDeleted),
            [_] if get => Some(KeyRoute::GetDeleted(named(1))),
            [_] if delete => Some(KeyRoute::Purge(named(1))),
            [_, "recover"] if post => Some(KeyRoute::Recover(named(1))),
            _ => None,
        }
        .map(Route::Keys),
        ["secrets", rest @ ..] => match rest {
            [] if get => Some(SecretRoute::List),
            ["restore"] if post => Some(SecretRoute::Restore),
            [_] if get => Some(SecretRoute::Get(named(1), None)),
            [_] if put => Some(SecretRoute::Set(named(1))),
            [_] if patch => Some(SecretRoute::Update(named(1), None)),
            [_] if delete => Some(SecretRoute::Delete(named(1))),
            [_, "backup"] if post => Some(SecretRoute::Backup(named(1))),
            [_, "versions"] if get => Some(SecretRoute::Versions(named(1))),
            [_, _] if get => Some(SecretRoute::Get(named(1), version(2))),
            [_, _] if patch => Some(SecretRoute::Update(named(1), version(2))),
            _ => None,
        }
        .map(Route::Secrets),
        ["deletedsecrets", rest @ ..] => match rest {
            [] if get => Some(SecretRoute::ListDeleted),
            [_] if get => Some(SecretRoute::GetDeleted(named(1))),
            [_] if delete => Some(SecretRoute::Purge(named(1))),
            [_, "recover"] if post => Some(SecretRoute::Recover(named(1))),
            _ => None,
        }
        .map(Route::Secrets),
        _ => None,
    };
    route.ok_or_else(|| {
        // A path that another method has is answered 405, any other 404.
        let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let elsewhere = known.iter().any(|m| m != method && exists(m, &words));
        match elsewhere {
            true => RequestError::MethodNotAllowed { method: method.to_string(), path: path.to_owned() }.into(),
            false => RequestError::RouteUnknown(path.to_owned()).into(),
        }
    })
}

/// Whether a method has this path. The shapes alone are asked, so this cannot recurse more than once.
fn exists(method: &Method, words: &[&str]) -> bool {
    let Some((collection, rest)) = words.split_first() else { return false };
    let crypto = |word: &str| Operation::parse(word).is_some() || word == "release";
    let by_method: &[&Method] = match (*collection, rest) {
        ("rng", []) => &[&Method::POST],
        ("keys" | "secrets" | "deletedkeys" | "deletedsecrets", []) => &[&Method::GET],
        ("keys" | "secrets", [_]) => &[&Method::GET, &Method::PUT, &Method::PATCH, &Method::DELETE],
        ("deletedkeys" | "deletedsecrets", [_]) => &[&Method::GET, &Method::DELETE],
        ("deletedkeys" | "deletedsecrets", [_, "recover"]) => &[&Method::POST],
        ("keys", [_, "rotationpolicy"]) => &[&Method::GET, &Method::PUT],
        ("keys", [_, "create" | "backup" | "rotate"]) | ("secrets", [_, "backup"]) => &[&Method::POST],
        ("keys", [_, word] | [_, _, word]) if crypto(word) => &[&Method::POST],
        ("keys", [_, _, "attestation"]) => &[&Method::GET],
        ("keys" | "secrets", [_, _]) => &[&Method::GET, &Method::PATCH],
        _ => &[],
    };
    by_method.contains(&method)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(method: &Method, path: &str) -> KeyRoute {
        match parse(method, path).unwrap() {
            Route::Keys(route) => route,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn slashes_and_case_do_not_matter() {
        let n = || "My-Key".to_owned();
        for path in ["/keys/My-Key", "/keys/My-Key/", "//keys/My-Key//", "/KEYS/My-Key"] {
            assert_eq!(keys(&Method::GET, path), KeyRoute::Get(n(), None), "{path}");
        }
        assert_eq!(keys(&Method::PATCH, "/keys/My-Key/"), KeyRoute::Update(n(), None));
        for path in ["/keys/My-Key/wrapkey", "/keys/My-Key/wrapKey", "/keys/My-Key//wrapKey", "/keys/My-Key/WRAPKEY/"] {
            assert_eq!(keys(&Method::POST, path), KeyRoute::Use(n(), None, Operation::WrapKey), "{path}");
        }
        let versioned = keys(&Method::POST, "/keys/My-Key/abc/unwrapkey");
        assert_eq!(versioned, KeyRoute::Use(n(), Some("abc".into()), Operation::UnwrapKey));
    }

    #[test]
    fn what_is_not_there_and_what_has_another_method() {
        let refusal = |method: &Method, path: &str| parse(method, path).unwrap_err();
        assert!(matches!(
            refusal(&Method::PUT, "/keys/k/create"),
            crate::domain::Error::Request(RequestError::MethodNotAllowed { .. })
        ));
        assert!(matches!(
            refusal(&Method::GET, "/nothing/here"),
            crate::domain::Error::Request(RequestError::RouteUnknown(_))
        ));
        assert!(matches!(
            refusal(&Method::POST, "/keys/k/explode"),
            crate::domain::Error::Request(RequestError::MethodNotAllowed { .. } | RequestError::RouteUnknown(_))
        ));
    }
}
