//! Certificates: none are emulated (table of limits), so there are none, and none can be made.
//! Must not know: keys, secrets.

use super::route::{Route, handler};
use super::{Asked, Reply};
use crate::domain::Result;
use crate::domain::error::{KeyError, RequestError};
use crate::domain::vault::kind::ObjectKind;

/// The rows of certificates.
pub static ROUTES: &[Route] = &[
    Route::new("GET", "certificates/{name}/*", "CertificateGet", handler!(missing)),
    Route::new("GET", "deletedcertificates/{name}/*", "CertificateGet", handler!(missing)),
    Route::new("*", "certificates/{name}/*", "CertificateGet", handler!(refused)),
    Route::new("*", "deletedcertificates/{name}/*", "CertificateGet", handler!(refused)),
    Route::new("*", "certificates", "CertificateList", handler!(refused)),
    Route::new("*", "deletedcertificates", "CertificateList", handler!(refused)),
];

async fn missing(asked: &Asked<'_>) -> Result<Reply> {
    Err(KeyError::NotFound(ObjectKind::Certificate, asked.name.clone()).into())
}

async fn refused(_: &Asked<'_>) -> Result<Reply> {
    Err(RequestError::NotEmulated("Certificates".to_owned()).into())
}
