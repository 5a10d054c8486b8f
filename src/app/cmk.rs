//! A registry's conversation with its vault: the only verb that crosses from registries to keys, and it
//! goes as the registry's own identity through the gate that everybody passes.
//! **Where a registry blocks when its key is revoked:** [`open`].

use super::Cx;
use crate::domain::envelope::Dek;
use crate::domain::registry::Registry;
use crate::domain::{Error, Result};

/// The registry's data key, if its identity may use the key that wraps it; else
/// `ContentError::KeyForbidden`. Every read or write of content or its metadata begins here.
pub async fn open(_cx: &mut Cx, _registry: &Registry) -> Result<Dek> {
    Err(Error::Internal("not written yet".to_owned()))
}
