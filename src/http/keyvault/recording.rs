//! What a call leaves in the audit log: who asked for what of which vault, and what came of it.
//! Must not know: how the log is kept.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;

use super::Reply;
use super::dialect::Said;
use crate::app::App;
use crate::app::vault::vaults;
use crate::app::world::clock;
use crate::domain::Error;
use crate::domain::access::Caller;
use crate::domain::audit;
use crate::domain::vault::key::Version;
use crate::http::call::Call;

/// What a reply tells of itself besides its body.
#[derive(Default)]
pub struct About {
    /// The object's identifier with the version that was used, where the path does not say it.
    pub id: Option<String>,
    /// `keyProperties`.
    pub key: Option<Value>,
}

impl About {
    /// A key version that was used (`changed`: made or changed).
    pub fn version(id: Option<String>, version: &Version, changed: bool) -> Self {
        Self { id, key: Some(audit::key_properties(version, changed)) }
    }
}

/// A call as it is known so far.
pub struct Recording {
    began: i64,
    call: audit::Call,
    vault: String,
}

impl Recording {
    /// Begins with what the request itself says.
    pub fn new(app: &App, call: &Call, vault: &str) -> Self {
        let correlation = call.header("x-ms-client-request-id").map(str::to_owned);
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        Self {
            began: clock::machine().0,
            vault: vault.to_owned(),
            call: audit::Call {
                time: app.now(),
                operation: "Authentication",
                caller: None,
                address: call.address,
                vault_id: String::new(),
                decision: None,
                id: addressed(&call.authority, &call.path),
                key: None,
                client: call.header("user-agent").unwrap_or_default().to_owned(),
                uri: format!("https://{}{}{query}", call.authority, call.path),
                version: call.query("api-version").unwrap_or_default(),
                status: (200, "OK"),
                refusal: None,
                correlation: correlation.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
                took: 0,
            },
        }
    }

    /// The token was good: this is who asks.
    pub fn caller(&mut self, caller: &Caller) {
        self.call.caller = Some(caller.clone());
    }

    /// The path says what is asked for.
    pub fn operation(&mut self, operation: &'static str) {
        self.call.operation = operation;
    }

    /// The record of a call that is answered.
    pub fn done(&self, reply: &Reply) -> audit::Call {
        audit::Call {
            status: if reply.body.is_some() { (200, "OK") } else { (204, "No Content") },
            id: reply.about.id.clone().or_else(|| self.call.id.clone()),
            key: reply.about.key.clone(),
            vault_id: reply.vault_id.clone(),
            decision: Some((reply.roles, true)),
            took: self.took(),
            ..self.call.clone()
        }
    }

    fn took(&self) -> i64 {
        clock::machine().0 - self.began
    }

    /// Tells of a call that was refused. Of a vault that does not exist there is no log.
    pub async fn refused(mut self, app: &Arc<App>, error: &Error, said: &Said) {
        let Ok(mut cx) = app.read(Caller::system()).await else { return };
        let Ok(vault) = vaults::living(&mut cx, &self.vault).await else { return };
        drop(cx);
        self.call.vault_id = vault.arm_id();
        self.call.status = (said.status.as_u16(), reason(said.status));
        self.call.refusal = Some(said.message().to_owned());
        if self.call.caller.is_some() {
            self.call.decision = Some((vault.uses_roles(), !matches!(error, Error::Access(_))));
        }
        self.call.took = self.took();
        app.audit().call(self.call);
    }
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

/// `https://v/keys/name[/version]` of a path, as it was addressed; nothing for lists [recorded].
fn addressed(authority: &str, path: &str) -> Option<String> {
    let mut parts = path.split('/').filter(|p| !p.is_empty());
    let (collection, name) = (parts.next()?, parts.next()?);
    let version = parts.next().filter(|v| crate::domain::world::name::is_key_version(v));
    let version = version.map(|v| format!("/{v}")).unwrap_or_default();
    let is_object = !name.eq_ignore_ascii_case("restore");
    is_object.then(|| format!("https://{authority}/{collection}/{name}{version}"))
}

#[cfg(test)]
mod tests {
    use super::addressed;

    #[test]
    fn the_id_is_what_was_addressed() {
        let version = "0".repeat(32);
        let id = |path: &str| addressed("v.vault.azure.net", path);
        assert_eq!(id("/keys/k/wrapkey").as_deref(), Some("https://v.vault.azure.net/keys/k"));
        let whole = format!("https://v.vault.azure.net/keys/k/{version}");
        assert_eq!(id(&format!("/keys/k/{version}/sign")), Some(whole));
        assert_eq!(id("/deletedkeys/k").as_deref(), Some("https://v.vault.azure.net/deletedkeys/k"));
        for none in ["/keys", "/keys/", "/keys/restore", "/rng"] {
            assert_eq!(id(none), None);
        }
    }
}
