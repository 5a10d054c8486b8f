//! The identities of a registry: what a write asks for, and the principal of its own one.
//! Must not know: what they are used for.

use serde_json::Value;

use crate::app::Cx;
use crate::app::directory::identities;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::registry::Registry;
use crate::domain::world::name::{self, IDENTITIES, ResourceId};
use crate::store;

/// The identities that a write leaves a registry.
pub(super) struct Wanted {
    /// ARM ids of the user-assigned ones.
    pub users: Vec<String>,
    /// Whether it has one of its own.
    pub system: bool,
    /// The write says which identities there are to be.
    pub sent: bool,
}

/// Reads `identity` of a write: type and user-assigned identities, which must exist (acr.md A.3).
pub(super) async fn wanted(cx: &mut Cx, registry: &Registry, identity: Option<&Value>) -> Result<Wanted> {
    let Some(identity) = identity.filter(|i| !i.is_null()) else {
        return Ok(Wanted {
            users: registry.user_identities.clone(),
            system: registry.system_principal.is_some(),
            sent: false,
        });
    };
    let refused =
        |message: &str| ResourceError::IdentityOperation { resource: registry.arm_id(), message: message.to_owned() };
    let kind = identity["type"].as_str().unwrap_or("None").to_ascii_lowercase();
    let words: Vec<&str> = kind.split(',').map(str::trim).collect();
    if let Some(unknown) = words.iter().find(|w| !["none", "systemassigned", "userassigned", ""].contains(w)) {
        return Err(refused(&format!("The identity type '{unknown}' is not valid.")).into());
    }
    let system = words.contains(&"systemassigned");
    let named: Vec<String> = identity["userAssignedIdentities"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null() || kind.contains("userassigned"))
        .map(|(id, _)| id.clone())
        .collect();
    if !words.contains(&"userassigned") {
        if !named.is_empty() {
            let text = "The request format was unexpected, a non-UserAssigned identity type should not contain: userAssignedIdentities";
            return Err(refused(text).into());
        }
        return Ok(Wanted { users: Vec::new(), system, sent: true });
    }
    if named.is_empty() {
        return Err(refused("The request format was unexpected : Request requires identities to be assigned.").into());
    }
    let mut users: Vec<String> = Vec::new();
    for id in named {
        let known = registry.user_identities.iter().find(|k| k.eq_ignore_ascii_case(&id)).cloned();
        let parsed = ResourceId::parse(&id).filter(|p| p.is(IDENTITIES));
        let found = match &parsed {
            Some(p) => identities::find(cx, &p.group, &p.name).await?,
            None => None,
        };
        // One that is attached already may have been deleted since; it stays until it is taken off.
        match (known, found) {
            (Some(known), _) => users.push(known),
            (None, Some(found)) => users.push(name::identity_id(&found.group, &found.name)),
            (None, None) => return Err(refused(&format!("The identity '{id}' could not be found.")).into()),
        }
    }
    users.sort();
    users.dedup();
    Ok(Wanted { users, system, sent: true })
}

/// Makes or removes the system-assigned identity's principal. Returns its object id.
pub(super) async fn system(cx: &mut Cx, registry: &Registry, wanted: bool) -> Result<Option<String>> {
    match (&registry.system_principal, wanted) {
        (Some(id), true) => Ok(Some(id.clone())),
        (Some(id), false) => {
            store::directory::delete(&mut cx.tx, id).await?;
            Ok(None)
        }
        (None, true) => Ok(Some(identities::add_managed(cx, &registry.name, &registry.arm_id()).await?.object_id)),
        (None, false) => Ok(None),
    }
}
