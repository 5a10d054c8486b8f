//! What vaults report: audit records in Azure Monitor's shape (keyvault.md G.1) and events in Event Grid's (G.2).
//! Must not know: where records are kept, who reads them.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::domain::access::Caller;
use crate::domain::directory::identity::PrincipalKind;
use crate::domain::error::{AccessError, Error, KeyError};
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Key, Version};
use crate::domain::world::time::Timestamp;

/// One call of a vault's data plane, as it ended.
#[derive(Debug, Clone)]
pub struct Call {
    /// Simulated time.
    pub time: Timestamp,
    /// `KeyWrap`, `SecretGet`, …; `Authentication` for a call whose token was no good.
    pub operation: &'static str,
    /// Who; `None` where nobody could be made out.
    pub caller: Option<Caller>,
    /// Where the call came from.
    pub address: IpAddr,
    /// The vault's ARM id.
    pub vault_id: String,
    /// What decided: `isRbacAuthorized` or `isAccessPolicyMatch`, and whether it let the caller through.
    pub decision: Option<(bool, bool)>,
    /// The object, with the version that was used; absent for lists.
    pub id: Option<String>,
    /// `keyProperties`, where a key was found.
    pub key: Option<Value>,
    /// `User-Agent`.
    pub client: String,
    /// What was requested, with its query.
    pub uri: String,
    /// `api-version`.
    pub version: String,
    /// Status code and its name.
    pub status: (u16, &'static str),
    /// Why it was refused.
    pub refusal: Option<String>,
    /// `x-ms-client-request-id`, or one of our own.
    pub correlation: String,
    /// Machine microseconds that the answer took.
    pub took: i64,
}

impl Call {
    /// The AuditEvent record [recorded 2024]. `resultType` is `Success` whatever came of the call. What a local
    /// emulator cannot know is left out: `tlsVersion`, and the claims of people.
    #[must_use]
    pub fn record(&self) -> Value {
        let mut properties = json!({});
        if let Some(id) = &self.id {
            properties["id"] = json!(id);
        }
        properties["clientInfo"] = json!(self.client);
        properties["httpStatusCode"] = json!(self.status.0);
        properties["requestUri"] = json!(self.uri);
        if let Some((roles, through)) = self.decision {
            properties[if roles { "isRbacAuthorized" } else { "isAccessPolicyMatch" }] = json!(through);
        }
        if let Some(key) = &self.key {
            properties["keyProperties"] = key.clone();
        }
        let mut record = json!({
            "time": self.time.zulu7(), "category": "AuditEvent", "operationName": self.operation, "resultType": "Success",
        });
        if let Some(refusal) = &self.refusal {
            // Of a refusal by roles only the first line is told [recorded].
            record["resultDescription"] = json!(refusal.split("\r\n").next().unwrap_or_default());
        }
        record["correlationId"] = json!(self.correlation);
        record["callerIpAddress"] = json!(self.address.to_string());
        record["identity"] = match &self.caller {
            Some(caller) => json!({"claim": claims(caller)}),
            None => json!({}),
        };
        record["properties"] = properties;
        record["resourceId"] = json!(self.vault_id.to_ascii_uppercase());
        record["operationVersion"] = json!(self.version);
        record["resultSignature"] = json!(self.status.1);
        record["durationMs"] = json!((self.took / 1000).to_string());
        record
    }
}

/// The claims of an application's token. `appidacr` tells how it signed in: "2" for managed identities; whether
/// another one came with a secret or a certificate is not kept, so it is said to be a secret.
fn claims(caller: &Caller) -> Value {
    let managed = caller.kind == PrincipalKind::ManagedIdentity;
    let mut claims =
        json!({"oid": caller.object_id, "appid": caller.app_id, "appidacr": if managed { "2" } else { "1" }});
    if let Some(id) = caller.resource_id.as_ref().filter(|_| managed) {
        claims["xms_mirid"] = json!(id);
    }
    claims
}

/// `keyProperties` [recorded]: what a key is, and where it was changed also what it is now.
#[must_use]
pub fn key_properties(version: &Version, changed: bool) -> Value {
    let mut attributes = json!({});
    if changed {
        attributes["enabled"] = json!(version.enabled);
        if let Some(expires) = version.expires {
            attributes["exp"] = json!(expires);
        }
    }
    attributes["hsmPlatform"] = json!(if version.is_hsm() { "2" } else { "0" });
    let mut shown = json!({"type": version.own.kty});
    if changed {
        shown["operations"] = json!(version.own.key_ops);
    }
    shown["attributes"] = attributes;
    shown
}

/// Status and reason of a refusal that a vault gave to a service inside the emulator, which sees no HTTP.
#[must_use]
pub fn refused(error: &Error) -> ((u16, &'static str), String) {
    let forbidden = (403, "Forbidden");
    match error {
        Error::Key(KeyError::NotFound(kind, name)) => {
            let kind = kind.noun();
            ((404, "Not Found"), format!("A {kind} with (name/id) {name} was not found in this key vault."))
        }
        Error::Vault(_) => ((404, "Not Found"), "The vault was not found.".to_owned()),
        Error::Key(KeyError::Disabled(kind, operation)) => {
            (forbidden, format!("Operation {operation} is not allowed on a disabled {}.", kind.noun()))
        }
        Error::Key(KeyError::Expired(operation)) => {
            (forbidden, format!("Operation {operation} is not allowed on an expired key."))
        }
        Error::Key(KeyError::NotYetValid(operation)) => {
            (forbidden, format!("Operation {operation} is not allowed on a key that is not yet valid."))
        }
        Error::Key(KeyError::OperationForbidden(operation)) => {
            (forbidden, format!("Operation {operation} is not permitted on this key."))
        }
        Error::Access(access) => (forbidden, denied(access)),
        other => (forbidden, other.to_string()),
    }
}

fn denied(error: &AccessError) -> String {
    match error {
        AccessError::Policy { kind, permission, vault, .. } => {
            let place = format!("{};location={}", vault.name, vault.location);
            format!("The caller does not have {kind} {permission} permission on key vault '{place}'.")
        }
        AccessError::Role { .. } | AccessError::Action { .. } => {
            "Caller is not authorized to perform action on resource.".to_owned()
        }
        AccessError::Firewall { .. } => {
            "Client address is not authorized and caller is not a trusted service.".to_owned()
        }
        AccessError::PublicNetwork { .. } => {
            "Public network access is disabled and request is not from a trusted service.".to_owned()
        }
    }
}

/// What happened to a key version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// It was made.
    NewVersion,
    /// Its end is near.
    NearExpiry,
}

/// An event of Event Grid about a key version.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    /// Simulated time.
    pub time: Timestamp,
    /// What happened.
    pub what: Happening,
    pub vault: Vault,
    /// The key's name.
    pub key: String,
    pub version: String,
    /// `nbf`, seconds.
    pub not_before: Option<i64>,
    /// `exp`, seconds.
    pub expires: Option<i64>,
}

impl Event {
    /// About a version.
    #[must_use]
    pub fn new(id: String, time: Timestamp, what: Happening, vault: Vault, key: &Key, version: &Version) -> Self {
        Self {
            id,
            time,
            what,
            vault,
            key: key.name.clone(),
            version: version.version.clone(),
            not_before: version.not_before,
            expires: version.expires,
        }
    }

    /// In Event Grid's own schema [docs]; NBF and EXP are numbers, as the property table has them.
    #[must_use]
    pub fn record(&self) -> Value {
        let kind = match self.what {
            Happening::NewVersion => "Microsoft.KeyVault.KeyNewVersionCreated",
            Happening::NearExpiry => "Microsoft.KeyVault.KeyNearExpiry",
        };
        json!({
            "id": self.id, "topic": self.vault.arm_id(), "subject": self.key, "eventType": kind,
            "eventTime": self.time.zulu7(),
            "data": {
                "Id": format!("{}/keys/{}/{}", self.vault.uri(), self.key, self.version),
                "VaultName": self.vault.name, "ObjectType": "Key", "ObjectName": self.key, "Version": self.version,
                "NBF": self.not_before, "EXP": self.expires,
            },
            "dataVersion": "1", "metadataVersion": "1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_azure_monitors_shape() {
        let call = Call {
            time: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            operation: "KeyUnwrap",
            caller: Some(Caller::system()),
            address: IpAddr::from([127, 0, 0, 1]),
            vault_id: "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v".to_owned(),
            decision: Some((true, false)),
            id: Some("https://v.vault.azure.net/keys/k".to_owned()),
            key: None,
            client: "test".to_owned(),
            uri: "https://v.vault.azure.net/keys/k/unwrapkey?api-version=7.4".to_owned(),
            version: "7.4".to_owned(),
            status: (403, "Forbidden"),
            refusal: Some("Caller is not authorized to perform action on resource.\r\nIf role".to_owned()),
            correlation: "c".to_owned(),
            took: 12_345,
        };
        let record = call.record();
        let names: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "time",
                "category",
                "operationName",
                "resultType",
                "resultDescription",
                "correlationId",
                "callerIpAddress",
                "identity",
                "properties",
                "resourceId",
                "operationVersion",
                "resultSignature",
                "durationMs"
            ]
        );
        assert_eq!(record["time"], "2026-01-01T00:00:00.0000000Z");
        assert_eq!(record["resultType"], "Success", "whatever came of it [recorded]");
        assert_eq!(record["resultDescription"], "Caller is not authorized to perform action on resource.");
        assert_eq!(record["resourceId"], "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V");
        assert_eq!(record["properties"]["isRbacAuthorized"], false);
        assert_eq!(record["durationMs"], "12");
    }
}
