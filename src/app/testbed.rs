//! For tests of this crate's own rooms: an emulator in a temporary folder with vaults, callers and their
//! tokens. Tests through the real front ends use tests/it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::timeline::{self, Change};
use crate::app::world::clock;
use crate::app::{App, Options, status};
use crate::domain::access::Caller;
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::directory::token;
use crate::domain::vault::{Vault, settle};
use crate::domain::world::time::{DAY, Timestamp};
use crate::domain::world::{name, well_known};
use crate::store;
use crate::store::access::Assignment;

/// An emulator whose folder goes with it.
pub struct Bed {
    /// The emulator.
    pub app: Arc<App>,
    _dir: tempfile::TempDir,
}

/// A service principal and its token for vaults.
pub struct Person {
    pub object_id: String,
    /// Application id.
    pub app_id: String,
    /// Bearer token.
    pub token: String,
}

impl Bed {
    /// A new world whose clock stands still.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = clock::Start { at: Timestamp::parse("2026-01-01T00:00:00Z"), rate: 1.0, frozen: true };
        let options = Options {
            data_dir: dir.path().to_owned(),
            ephemeral: true,
            revocation_delay: 0,
            replication_delay: 0,
            clock: Some(start),
            audit_log: None,
            diagnostics: None,
        };
        Self { app: App::open(options).await.unwrap(), _dir: dir }
    }

    /// Makes a vault in group `g`, or replaces its properties.
    pub async fn vault(&self, vault: &str, properties: Value) {
        let mut asked = json!({"sku": {"name": "standard"}, "accessPolicies": [], "softDeleteRetentionInDays": 7});
        for (name, value) in properties.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let settled = settle(None, asked.as_object().unwrap(), false).unwrap();
        let mut cx = self.app.write_now(Caller::system()).await.unwrap();
        match store::vault::vaults::find(&mut cx.tx, vault).await.unwrap() {
            Some(mut existing) => {
                existing.properties = settled;
                store::vault::vaults::update(&mut cx.tx, &existing).await.unwrap();
            }
            None => {
                let made = Vault {
                    id: 0,
                    name: vault.to_owned(),
                    group: "g".to_owned(),
                    location: "eastus".to_owned(),
                    tags: json!({}),
                    properties: settled,
                    created_by: String::new(),
                    created_at: cx.now,
                    modified_by: String::new(),
                    modified_at: cx.now,
                    deleted: None,
                };
                store::vault::vaults::insert(&mut cx.tx, &made).await.unwrap();
            }
        }
        cx.commit().await.unwrap();
    }

    /// A new service principal with claims besides the usual ones.
    pub async fn person(&self, claims: Value) -> Person {
        let mut cx = self.app.write_now(Caller::system()).await.unwrap();
        let (object_id, app_id) = (cx.guid(), cx.guid());
        let principal = Principal {
            object_id: object_id.clone(),
            app_id: Some(app_id.clone()),
            kind: PrincipalKind::Application,
            display_name: "person".to_owned(),
            resource_id: None,
            created_at: cx.now,
            doc: json!({}),
        };
        store::directory::insert(&mut cx.tx, &principal).await.unwrap();
        cx.commit().await.unwrap();
        let now = clock::machine().seconds();
        let mut all = json!({"aud": "https://vault.azure.net", "iss": token::issuer(), "oid": object_id,
            "appid": app_id, "tid": well_known::TENANT_ID, "nbf": now, "exp": now + 3600});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let token = self.app.signer().await.unwrap().sign(&all).unwrap();
        Person { object_id, app_id, token }
    }

    /// Gives a built-in role at a scope.
    pub async fn role(&self, person: &Person, role: &str, scope: &str) -> String {
        self.role_if(&person.object_id, role, scope, json!({})).await
    }

    /// Gives a built-in role at a scope with what an assignment holds besides, such as a condition.
    pub async fn role_if(&self, principal: &str, role: &str, scope: &str, doc: Value) -> String {
        let mut cx = self.app.write_now(Caller::system()).await.unwrap();
        let assignment = Assignment {
            name: cx.guid(),
            scope: scope.to_owned(),
            role_id: role.to_owned(),
            principal_id: principal.to_owned(),
            principal_type: "ServicePrincipal".to_owned(),
            created_by: String::new(),
            created_at: cx.now,
            updated_at: cx.now,
            doc,
        };
        store::access::save(&mut cx.tx, &assignment).await.unwrap();
        cx.commit().await.unwrap();
        assignment.name
    }

    /// Takes a role away.
    pub async fn unrole(&self, assignment: &str, scope: &str) {
        let mut cx = self.app.write_now(Caller::system()).await.unwrap();
        store::access::delete(&mut cx.tx, scope, assignment).await.unwrap();
        cx.commit().await.unwrap();
    }

    /// Lets days pass, and all that is due with them.
    pub async fn pass(&self, days: i64) {
        self.advance(days * DAY).await;
    }

    /// Lets microseconds pass, and all that is due with them.
    pub async fn advance(&self, by: i64) {
        Self::advance_app(&self.app, by).await;
    }

    /// The same for a task of its own.
    pub async fn advance_app(app: &Arc<App>, by: i64) {
        timeline::change(app, Change::Advance(by)).await.unwrap();
    }

    /// How many writes were committed.
    pub fn commits(&self) -> u64 {
        let one = store::Store::generation_after(0);
        self.app.store.settled_generation() / one
    }

    /// How many looks for new key versions were made one by one.
    pub async fn looks_made(&self) -> u64 {
        self.app.poll.looks_made().await
    }

    /// What the emulator knows of its registries.
    pub async fn status(&self) -> Vec<status::RegistryStatus> {
        let mut cx = self.app.read(Caller::system()).await.unwrap();
        status::registries(&mut cx).await.unwrap()
    }

    /// An access token for somebody in the directory.
    pub async fn token(&self, object_id: &str, audience: &str) -> String {
        let now = clock::machine().seconds();
        let claims = json!({"aud": audience, "iss": token::issuer(), "oid": object_id, "appid": object_id,
            "tid": well_known::TENANT_ID, "nbf": now, "exp": now + 3600});
        self.app.signer().await.unwrap().sign(&claims).unwrap()
    }

    /// Lets time pass as a running clock does: nothing is written.
    pub fn run(&self, by: i64) {
        self.app.clock.run(by);
    }

    /// A vault's ARM id.
    pub fn vault_id(&self, vault: &str) -> String {
        name::vault_id("g", vault)
    }
}
