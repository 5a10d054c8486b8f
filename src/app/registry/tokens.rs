//! A registry's own tokens (acr.md C.2): what they say, how they are signed and verified.
//! Must not know: HTTP, whose they are (see credentials), when one is given (see sign_in).

use std::sync::Arc;

use serde_json::{Value, json};

use super::rights::QUARANTINE_ROLES;
use crate::app::world::clock;
use crate::app::{App, Cx};
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::rights::Scope;
use crate::domain::world::well_known::TENANT_ID;

/// The issuer of registries' tokens [recorded].
const ISSUER: &str = "Azure Container Registry";
/// Seconds that a refresh token lasts [docs].
const REFRESH_LIFETIME: i64 = 3 * 3600;
/// Seconds that what a run signs in with lasts: no run takes longer.
const RUN_LIFETIME: i64 = 9 * 3600;
/// Seconds that an access token lasts [recorded].
const ACCESS_LIFETIME: i64 = 4500;
/// The claim that names the registry by its row id: a token is none of another registry that has its name later.
/// It is the emulator's own.
const REGISTRY_CLAIM: &str = "acrite_registry";

/// A token, verified.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The row id of the registry that gave it.
    pub(super) registry: i64,
    /// Whose it is. Empty: nobody's in particular.
    pub subject: String,
    pub(super) refresh: bool,
    pub(super) access: Vec<Scope>,
    /// Seconds of machine time at which it is no longer good.
    expires: i64,
}

impl Claims {
    /// Whether it has not expired.
    #[must_use]
    pub fn lasts(&self) -> bool {
        clock::machine().seconds() < self.expires
    }

    /// What stands for nobody in particular, where a registry lets anybody pull.
    pub(super) fn of_nobody(registry: &Registry) -> Self {
        let subject = String::new();
        Self { registry: registry.id, subject, refresh: true, access: Vec::new(), expires: i64::MAX }
    }
}

fn login_server(registry: &str) -> String {
    format!("{}.azurecr.io", registry.to_ascii_lowercase())
}

/// The claims of a token of this registry; `None` where it is not one or not good any more.
pub(super) async fn verify(app: &Arc<App>, registry: &str, token: &str) -> Result<Option<Claims>> {
    let Ok(claims) = app.signer().await?.verify(token, clock::machine()) else { return Ok(None) };
    if claims["iss"] != ISSUER || claims["aud"].as_str() != Some(&login_server(registry)) {
        return Ok(None);
    }
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let roles = list(&claims["roles"]);
    let quarantine = roles.iter().filter_map(Value::as_str).filter_map(|role| {
        let (_, rights) = QUARANTINE_ROLES.iter().find(|(name, _)| *name == role)?;
        Some(Scope { repository: None, rights: *rights })
    });
    let scopes = list(&claims["access"]);
    let access = scopes.iter().filter_map(|scope| {
        let actions = list(&scope["actions"]);
        Scope::of(&text(scope, "type"), &text(scope, "name"), actions.iter().filter_map(Value::as_str))
    });
    Ok(Some(Claims {
        // No registry has the id 0.
        registry: claims[REGISTRY_CLAIM].as_i64().unwrap_or(0),
        subject: text(&claims, "sub"),
        refresh: claims["grant_type"] == "refresh_token",
        access: access.chain(quarantine).collect(),
        expires: claims["exp"].as_i64().unwrap_or(0),
    }))
}

/// The claims of a refresh token. `permissions`: what it may be worth.
pub(super) fn refresh(cx: &Cx, registry: &Registry, subject: &str, permissions: &[&str]) -> Value {
    let extra = json!({
        "version": "1.0",
        "grant_type": "refresh_token",
        "tenant": TENANT_ID,
        "permissions": {"actions": permissions, "notActions": Value::Null},
        "roles": [],
    });
    claims(cx, registry, subject, REFRESH_LIFETIME, &extra)
}

/// The claims of a refresh token of a run, or of an identity that a run uses.
pub(super) fn of_run(cx: &Cx, registry: &Registry, subject: &str) -> Value {
    let extra = json!({"version": "1.0", "grant_type": "refresh_token", "tenant": TENANT_ID, "roles": []});
    claims(cx, registry, subject, RUN_LIFETIME, &extra)
}

/// The claims of an access token.
pub(super) fn access(cx: &Cx, registry: &Registry, subject: &str, scopes: &[Scope], role: Option<&str>) -> Value {
    let written = scopes.iter().flat_map(Scope::written);
    let written: Vec<Value> =
        written.map(|(kind, name, actions)| json!({"type": kind, "name": name, "actions": actions})).collect();
    let roles: Vec<&str> = role.into_iter().collect();
    let extra = json!({"version": "1.0", "access": written, "roles": roles, "grant_type": "access_token"});
    claims(cx, registry, subject, ACCESS_LIFETIME, &extra)
}

/// The claims every token of a registry has [recorded sample]. Times are machine time.
fn claims(cx: &Cx, registry: &Registry, subject: &str, lifetime: i64, extra: &Value) -> Value {
    let now = clock::machine().seconds();
    let mut claims = json!({
        "jti": cx.guid(),
        "sub": subject,
        "nbf": now,
        "exp": now + lifetime,
        "iat": now,
        "iss": ISSUER,
        "aud": registry.login_server(),
        REGISTRY_CLAIM: registry.id,
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}
