//! Cache rules and credential sets over ARM.
//! Must not know: how anything is fetched.

use serde_json::{Map, Value, json};

use super::children::{ChildType, Shown, asked, in_capitals};
use super::versions;
use crate::app::Cx;
use crate::app::registry::copying::cache_rules;
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::{Request, Supported};

pub(super) struct CacheRules;

impl ChildType for CacheRules {
    const KIND: Kind = Kind::CACHE_RULE;
    const SUPPORTED: Supported = versions::caching;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        if !request.body["identity"].is_null() {
            return Err(RequestError::NotEmulated("A cache rule with an identity of its own".to_owned()).into());
        }
        cache_rules::put_rule(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(_: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let mut shown = Shown::default();
        for name in ["credentialSetResourceId", "sourceRepository", "targetRepository"] {
            shown.own(child, name);
        }
        shown.put("creationDate", json!(child.created_at.offset7()));
        shown.put("provisioningState", json!(state));
        Ok(shown.0)
    }

    fn result_of_deletion(registry: &Registry, _: &Child) -> Option<String> {
        in_capitals(registry)
    }
}

pub(super) struct CredentialSets;

impl ChildType for CredentialSets {
    const KIND: Kind = Kind::CREDENTIAL_SET;
    const SUPPORTED: Supported = versions::caching;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        cache_rules::put_set(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(cx: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let credentials = cache_rules::credentials(cx, child).await?;
        let mut shown = Shown::default();
        shown.own(child, "loginServer");
        shown.put("authCredentials", json!(credentials));
        shown.put("creationDate", json!(child.created_at.offset7()));
        shown.put("provisioningState", json!(state));
        Ok(shown.0)
    }

    fn result_of_deletion(registry: &Registry, _: &Child) -> Option<String> {
        in_capitals(registry)
    }
}
