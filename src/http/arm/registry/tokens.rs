//! Tokens of a registry over ARM.
//! Must not know: how their passwords are made and kept.

use serde_json::{Map, Value, json};

use super::children::{ChildType, Shown, asked};
use super::versions;
use crate::app::Cx;
use crate::app::registry::children;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::{Request, Supported};

pub(super) struct Tokens;

impl ChildType for Tokens {
    const KIND: Kind = Kind::TOKEN;
    const SUPPORTED: Supported = versions::tokens;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        children::put_token(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(cx: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let mut passwords = Vec::new();
        for password in children::passwords(cx, child).await? {
            let mut one = json!({"creationTime": password.created_at.offset7()});
            if let Some(expires_at) = password.expires_at {
                one["expiry"] = json!(expires_at.offset7());
            }
            one["name"] = json!(password.name);
            passwords.push(one);
        }
        let mut credentials = Shown::default();
        credentials.own(child, "certificates");
        credentials.put("passwords", json!(passwords));
        let mut shown = Shown::default();
        shown.put("creationDate", json!(child.created_at.offset7()));
        shown.put("provisioningState", json!(state));
        shown.own(child, "scopeMapId");
        shown.put("credentials", Value::Object(credentials.0));
        shown.own(child, "status");
        Ok(shown.0)
    }
}
