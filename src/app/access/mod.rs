//! The one gate: may this caller do this here? Every protocol and every registry acting by itself
//! passes through it.
//! Must not know: what is done once the gate opens.

pub mod roles;

use crate::app::Cx;
use crate::domain::Result;
use crate::domain::access::built_in;
use crate::domain::access::condition::{Attributes, Condition, Source, UTC_NOW, Value};
use crate::domain::access::role::Role;
use crate::domain::access::{Grant, Permission, Plane, allowed, policy_permits};
use crate::domain::error::AccessError;
use crate::domain::vault::Vault;
use crate::domain::world::name;
use crate::store;

/// All roles the caller holds, by itself or by its groups.
pub async fn grants(cx: &mut Cx) -> Result<Vec<Grant>> {
    let mut principals = vec![cx.caller.object_id.clone()];
    principals.extend(cx.caller.groups.iter().cloned());
    let mut grants = Vec::new();
    for principal in principals {
        for assignment in store::access::of_principal(&mut cx.tx, &principal).await? {
            if let Some(role) = role_by_id(cx, &assignment.role_id).await? {
                let condition = assignment.condition().map(|text| {
                    // It was read when it was written; one that is not read any more gives nothing.
                    Condition::parse(text).unwrap_or_else(|_| Condition::never())
                });
                if let Some(turns) = condition.as_ref().and_then(|condition| condition.turns_after(cx.now)) {
                    cx.holds_until(turns);
                }
                grants.push(Grant { scope: assignment.scope, role, condition });
            }
        }
    }
    Ok(grants)
}

/// A role, built in or custom.
pub async fn role_by_id(cx: &mut Cx, id: &str) -> Result<Option<Role>> {
    match built_in::find(id) {
        Some(role) => Ok(Some(role)),
        None => Ok(store::access::custom_role_by_id(&mut cx.tx, id).await?.map(|c| c.role)),
    }
}

/// What conditions may ask of any attempt: there are no private networks here.
pub fn environment(cx: &Cx) -> Attributes {
    Attributes::default().text(Source::Environment, UTC_NOW, &cx.now.zulu7()).with(
        Source::Environment,
        "isPrivateLink",
        vec![Value::Bool(false)],
    )
}

/// Whether the caller may do an action at a scope.
pub async fn may(cx: &mut Cx, plane: Plane, action: &str, scope: &str) -> Result<bool> {
    let known = environment(cx);
    Ok(allowed(&grants(cx).await?, plane, action, scope, &known))
}

/// Requires a control-plane action at a scope.
pub async fn require(cx: &mut Cx, action: &str, scope: &str) -> Result<()> {
    let known = environment(cx);
    require_knowing(cx, action, scope, &known).await
}

/// Requires a control-plane action at a scope, where conditions may ask for more than the [`environment`].
pub async fn require_knowing(cx: &mut Cx, action: &str, scope: &str, known: &Attributes) -> Result<()> {
    if allowed(&grants(cx).await?, Plane::Control, action, scope, known) {
        return Ok(());
    }
    Err(AccessError::Action { caller: cx.caller.clone(), action: action.to_owned(), scope: scope.to_owned() }.into())
}

/// Requires a data-plane permission in a vault: first the network, then access policies or roles,
/// whichever the vault uses (keyvault.md D.1). `object` is the key or secret asked for.
pub async fn require_in_vault(cx: &mut Cx, vault: &Vault, permission: Permission, object: Option<&str>) -> Result<()> {
    vault.admits(&cx.caller)?;
    if !vault.uses_roles() {
        if policy_permits(vault.policies(), &cx.caller, permission) {
            return Ok(());
        }
        let refusal = AccessError::Policy {
            caller: cx.caller.clone(),
            kind: permission.kind,
            permission: permission.policy,
            vault: vault.place(),
        };
        return Err(refusal.into());
    }
    let action = format!("{}/{}", name::VAULTS, permission.action);
    let scope = match object {
        Some(object) => format!("{}/{}/{object}", vault.arm_id(), permission.kind),
        None => vault.arm_id(),
    };
    if may(cx, Plane::Data, &action, &scope).await? {
        return Ok(());
    }
    let refusal = AccessError::Role {
        caller: cx.caller.clone(),
        action,
        resource: scope.to_ascii_lowercase(),
        vault: vault.place(),
    };
    Err(refusal.into())
}
