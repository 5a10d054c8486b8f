//! Child resources as ARM shows them; the order of keys is Azure's [recorded].
//! Must not know: routes.

use serde_json::{Map, Value, json};

use super::task_shown;
use crate::app::Cx;
use crate::app::registry::children;
use crate::app::registry::copying::cache_rules;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name::REGISTRIES;
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Result, Timestamp};
use crate::http::arm::wire::system_data;

/// A child with its `provisioningState`.
pub(super) async fn shown(cx: &mut Cx, registry: &Registry, child: &Child, state: &str) -> Result<Value> {
    let mut value = json!({"type": format!("{REGISTRIES}/{}", child.kind.segment())});
    if let Some(identity) = task_shown::identity(cx, child).await? {
        value["identity"] = identity;
    } else if let Some(principal) = &child.principal {
        value["identity"] = json!({"principalId": principal, "tenantId": TENANT_ID, "type": "systemAssigned"});
    }
    value["id"] = json!(child.arm_id(registry));
    value["name"] = json!(child.name);
    if let Some(location) = &child.location {
        value["location"] = json!(location);
        // Tasks show none where they have none [recorded].
        if child.kind != Kind::Task || child.tags.as_object().is_some_and(|tags| !tags.is_empty()) {
            value["tags"] = child.tags.clone();
        }
    }
    value["systemData"] =
        system_data(&child.created_by, child.created_at, &child.modified_by, child.modified_at, Timestamp::offset7);
    value["properties"] = Value::Object(match child.kind {
        Kind::Task | Kind::TaskRun | Kind::AgentPool => task_shown::properties(cx, registry, child, state).await?,
        _ => properties(cx, child, state).await?,
    });
    Ok(value)
}

async fn properties(cx: &mut Cx, child: &Child, state: &str) -> Result<Map<String, Value>> {
    let mut shown = Map::new();
    let created = json!(child.created_at.offset7());
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            shown.insert(name.to_owned(), value);
        }
    };
    let own = |name: &str| child.properties.get(name).cloned().unwrap_or(Value::Null);
    match child.kind {
        Kind::ScopeMap => {
            put("description", own("description"));
            put("type", own("type"));
            put("creationDate", created);
            put("provisioningState", json!(state));
            put("actions", own("actions"));
        }
        Kind::Token => {
            let mut passwords = Vec::new();
            for password in children::passwords(cx, child).await? {
                let mut one = json!({"creationTime": password.created_at.offset7()});
                if let Some(expires_at) = password.expires_at {
                    one["expiry"] = json!(expires_at.offset7());
                }
                one["name"] = json!(password.name);
                passwords.push(one);
            }
            let mut credentials = json!({});
            if !own("certificates").is_null() {
                credentials["certificates"] = own("certificates");
            }
            credentials["passwords"] = json!(passwords);
            put("creationDate", created);
            put("provisioningState", json!(state));
            put("scopeMapId", own("scopeMapId"));
            put("credentials", credentials);
            put("status", own("status"));
        }
        Kind::Webhook => {
            for name in ["status", "scope", "actions"] {
                put(name, own(name));
            }
            put("provisioningState", json!(state));
        }
        Kind::Replication => {
            let mut status = json!({});
            if state != "Creating" {
                status["displayStatus"] = json!("Ready");
            }
            status["timestamp"] = json!(child.modified_at.zulu7());
            put("provisioningState", json!(state));
            put("status", status);
            put("regionEndpointEnabled", own("regionEndpointEnabled"));
            put("zoneRedundancy", own("zoneRedundancy"));
        }
        Kind::CacheRule => {
            for name in ["credentialSetResourceId", "sourceRepository", "targetRepository"] {
                put(name, own(name));
            }
            put("creationDate", created);
            put("provisioningState", json!(state));
        }
        Kind::CredentialSet => {
            let credentials = cache_rules::credentials(cx, child).await?;
            put("loginServer", own("loginServer"));
            put("authCredentials", json!(credentials));
            put("creationDate", created);
            put("provisioningState", json!(state));
        }
        Kind::PrivateEndpointConnection | Kind::Task | Kind::TaskRun | Kind::AgentPool => {
            for (name, value) in &child.properties {
                put(name, value.clone());
            }
            put("provisioningState", json!(state));
        }
    }
    Ok(shown)
}
