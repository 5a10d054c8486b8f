//! Why a template is not valid, in Azure's words.
//! Must not know: how a template is read.

use super::budget::Spent;
use super::resource::Place;
use super::scope::Stop;
use super::values::clipped;

/// What `InvalidTemplate` says, and about which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub message: String,
    /// The resource it is about.
    pub place: Place,
}

/// A wrong template.
pub(super) fn validation(message: impl AsRef<str>) -> Invalid {
    let message = format!("Deployment template validation failed: '{}'.", clipped(message.as_ref().to_owned()));
    Invalid { message, place: nowhere() }
}

/// No object of the template.
pub(super) fn nowhere() -> Place {
    (0, 0, "".into())
}

/// A failed evaluation as a message about the thing it was for.
pub(super) fn about(what: &str, place: &Place, stop: Stop) -> Invalid {
    let (line, column, _) = place;
    let (what, why) = (clipped(what.to_owned()), stop.why());
    let message = format!(
        "Deployment template validation failed: '{what} at line '{line}' and column '{column}' is not valid: {why}.. Please see https://aka.ms/arm-functions for usage details.'."
    );
    Invalid { message, place: place.clone() }
}

impl From<Spent> for Invalid {
    fn from(spent: Spent) -> Self {
        validation(Stop::from(spent).why())
    }
}
