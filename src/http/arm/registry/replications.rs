//! Replications over ARM.
//! Must not know: which region serves whom.

use serde_json::{Map, Value, json};

use super::children::{ChildType, Shown, asked};
use crate::app::Cx;
use crate::app::registry::replications;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::Request;

pub(super) struct Replications;

impl ChildType for Replications {
    const KIND: Kind = Kind::REPLICATION;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        replications::put(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(_: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let mut status = json!({});
        if state != "Creating" {
            status["displayStatus"] = json!("Ready");
        }
        status["timestamp"] = json!(child.modified_at.zulu7());
        let mut shown = Shown::default();
        shown.put("provisioningState", json!(state));
        shown.put("status", status);
        shown.own(child, "regionEndpointEnabled");
        shown.own(child, "zoneRedundancy");
        Ok(shown.0)
    }

    async fn remove(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Option<Child>> {
        replications::remove(cx, registry, name).await
    }

    fn result_of_deletion(registry: &Registry, gone: &Child) -> Option<String> {
        Some(gone.location.clone().unwrap_or_else(|| registry.location.clone()))
    }
}
