//! Secrets on the wire, and the one answer for certificates.
//! Must not know: how rights are decided, how secrets are kept.

use super::route::SecretRoute;
use super::{Asked, Reply};
use crate::domain::Result;
use crate::domain::error::{KeyError, RequestError};

/// Answers what is asked of secrets.
pub async fn answer(_asked: Asked, _route: SecretRoute) -> Result<Reply> {
    Err(RequestError::NotEmulated("Secrets".to_owned()).into())
}

/// Certificates are not emulated (table of limits): there are none, and none can be made.
pub async fn certificates(asked: Asked, name: Option<String>) -> Result<Reply> {
    match name {
        Some(name) if asked.method == axum::http::Method::GET => Err(KeyError::CertificateNotFound(name).into()),
        _ => Err(RequestError::NotEmulated("Certificates".to_owned()).into()),
    }
}
