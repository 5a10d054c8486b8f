//! Why a run does not go on, in the words that its registry has for it.
//! Must not know: what a run does.

use crate::domain::Error;
use crate::domain::error::ContentError;

/// Why a run does not go on, as its registry would say it.
#[must_use]
pub fn reason(refusal: &Error) -> String {
    match refusal {
        Error::Content(ContentError::KeyForbidden) => {
            "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk".to_owned()
        }
        Error::Content(ContentError::IdentityInactive) => "The identity associated with the registry is inactive. This could be due to attempted removal of the identity. Reassign the identity manually".to_owned(),
        other if other.is_failure() => crate::domain::error::INTERNAL.to_owned(),
        other => other.to_string(),
    }
}
