//! Scope maps over ARM.
//! Must not know: what their actions allow.

use serde_json::{Map, Value, json};

use super::children::{ChildType, Shown, asked};
use super::versions;
use crate::app::Cx;
use crate::app::registry::children;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::{Request, Supported};

pub(super) struct ScopeMaps;

impl ChildType for ScopeMaps {
    const KIND: Kind = Kind::SCOPE_MAP;
    const SUPPORTED: Supported = versions::tokens;
    const LONG: bool = false;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        children::put_scope_map(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(_: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let mut shown = Shown::default();
        shown.own(child, "description");
        shown.own(child, "type");
        shown.put("creationDate", json!(child.created_at.offset7()));
        shown.put("provisioningState", json!(state));
        shown.own(child, "actions");
        Ok(shown.0)
    }
}
