//! Principals of the directory and the managed identities among them.
//! Must not know: tokens, what rights anybody holds.

use crate::domain::world::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of principal, in Entra ID's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// A service principal of an app registration.
    Application,
    /// A service principal of a managed identity.
    ManagedIdentity,
    /// A person.
    User,
    Group,
}

impl PrincipalKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::ManagedIdentity => "ManagedIdentity",
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Application, Self::ManagedIdentity, Self::User, Self::Group].into_iter().find(|k| k.as_str() == text)
    }

    /// As role assignments call it: `principalType`.
    #[must_use]
    pub fn principal_type(self) -> &'static str {
        match self {
            Self::Application | Self::ManagedIdentity => "ServicePrincipal",
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// An object of the directory that can hold rights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    pub object_id: String,
    /// Application id, where it has one.
    pub app_id: Option<String>,
    pub kind: PrincipalKind,
    pub display_name: String,
    /// For managed identities: the ARM id of the identity, or of the resource whose system identity it is.
    pub resource_id: Option<String>,
    pub created_at: Timestamp,
    /// What Graph clients sent besides.
    pub doc: serde_json::Value,
}

/// A principal as the directory has it now: all that decides whether it may act, and as whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub principal: Principal,
    /// Ids of the groups it is in, by itself or through groups that are in groups.
    pub groups: Vec<String>,
    /// The document of the application behind it, where there is one.
    pub application: Option<serde_json::Value>,
}

/// Why a principal may not act: it is disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Application id, where it has one.
    pub client_id: String,
    pub name: String,
}

impl Standing {
    /// Refuses a principal that is disabled: its account (`accountEnabled`), or its application by the owner
    /// (`isDisabled`) or by Microsoft (`disabledByMicrosoftStatus`) [docs: deactivate an app registration, which names
    /// these ways]. It gets no token, and the tokens that it has are refused too: on Azure these last until they expire
    /// or the service is told; here a revocation counts at once, as everywhere [inferred]. That the tenant's
    /// administrator can write what only Microsoft writes is so that tests can have it.
    pub fn check(&self) -> Result<(), Disabled> {
        let Principal { doc, app_id, display_name, .. } = &self.principal;
        let application = self.application.as_ref();
        let by_microsoft =
            |doc: &serde_json::Value| doc["disabledByMicrosoftStatus"] == "DisabledDueToViolationOfServicesAgreement";
        let disabled = doc["accountEnabled"] == false
            || by_microsoft(doc)
            || application.is_some_and(|application| application["isDisabled"] == true || by_microsoft(application));
        if !disabled {
            return Ok(());
        }
        let client_id = app_id.clone().unwrap_or_default();
        Err(Disabled { client_id, name: display_name.clone() })
    }
}

/// A user-assigned managed identity, as an ARM resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub group: String,
    pub name: String,
    pub location: String,
    pub tags: serde_json::Value,
    /// Client-set properties (`isolationScope`, …).
    pub properties: serde_json::Value,
    /// Object id of its service principal.
    pub principal_id: String,
    pub client_id: String,
    pub created_by: String,
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn any_way_of_disabling_is_enough() {
        let standing = |doc: Value, application: Option<Value>| {
            let principal = Principal {
                object_id: "o".to_owned(),
                app_id: Some("a".to_owned()),
                kind: PrincipalKind::Application,
                display_name: "n".to_owned(),
                resource_id: None,
                created_at: Timestamp(0),
                doc,
            };
            Standing { principal, groups: Vec::new(), application }.check()
        };
        let by_microsoft = json!({"disabledByMicrosoftStatus": "DisabledDueToViolationOfServicesAgreement"});
        for (doc, application) in [
            (json!({}), None),
            (json!({"accountEnabled": true}), Some(json!({"isDisabled": false}))),
            (json!({"accountEnabled": null}), Some(json!({"disabledByMicrosoftStatus": "NotDisabled"}))),
        ] {
            assert_eq!(standing(doc.clone(), application.clone()), Ok(()), "{doc} {application:?}");
        }
        for (doc, application) in [
            (json!({"accountEnabled": false}), None),
            (json!({}), Some(json!({"isDisabled": true}))),
            (json!({}), Some(by_microsoft.clone())),
            (by_microsoft, None),
        ] {
            let disabled = Disabled { client_id: "a".to_owned(), name: "n".to_owned() };
            assert_eq!(standing(doc.clone(), application.clone()), Err(disabled), "{doc} {application:?}");
        }
    }
}
