//! A registry's conversation with its vault: the only verb that crosses from registries to keys, and it
//! goes as the registry's own identity through the gate that everybody passes.
//! **Where a registry blocks when its key is revoked:** [`open`].

use super::Cx;
use crate::domain::Result;
use crate::domain::envelope::Dek;
use crate::domain::registry::Registry;

/// The registry's data key, if its identity may use the key that wraps it; else
/// `ContentError::KeyForbidden`. Every read or write of content or its metadata begins here.
pub async fn open(cx: &mut Cx, registry: &Registry) -> Result<Dek> {
    // A stand-in that knows the platform key only.
    if registry.cmk.is_some() {
        return Err(crate::domain::error::ContentError::KeyForbidden.into());
    }
    let dek = crate::domain::crypto::open(&cx.app.master, b"dek", &registry.wrapped_dek)?;
    Dek::from_unwrapped(&dek)
}
