//! Webhooks over ARM.
//! Must not know: how events are sent.

use serde_json::{Map, Value, json};

use super::children::{ChildType, Shown, asked, named};
use super::versions;
use crate::app::Cx;
use crate::app::registry::webhooks;
use crate::domain::Result;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::http::arm::table::{Operation, Request, Run, Supported, handler};
use crate::http::arm::wire::Answer;

pub(super) struct Webhooks;

impl ChildType for Webhooks {
    const KIND: Kind = Kind::WEBHOOK;
    const SUPPORTED: Supported = versions::webhooks;
    const OPERATIONS: &'static [Operation] = &[
        Operation::post("ping", Run::Change(handler!(ping))),
        Operation::post("getCallbackConfig", Run::Read(handler!(callback_config))),
        Operation::post("listEvents", Run::Read(handler!(events))),
    ];
    const LONG: bool = false;

    async fn write(cx: &mut Cx, registry: &Registry, request: &Request) -> Result<(Child, bool)> {
        webhooks::put(cx, registry, request.name(), asked(request)?).await
    }

    async fn properties(_: &mut Cx, _: &Registry, child: &Child, state: &str) -> Result<Map<String, Value>> {
        let mut shown = Shown::default();
        for name in ["status", "scope", "actions"] {
            shown.own(child, name);
        }
        shown.put("provisioningState", json!(state));
        Ok(shown.0)
    }
}

async fn ping(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (_, webhook) = named::<Webhooks>(cx, request).await?;
    Ok(Answer::ok(json!({"id": webhooks::ping(cx, &webhook).await?})))
}

async fn callback_config(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (_, webhook) = named::<Webhooks>(cx, request).await?;
    webhooks::config_of(cx, &webhook).map(Answer::ok)
}

async fn events(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (_, webhook) = named::<Webhooks>(cx, request).await?;
    Ok(Answer::texts(&webhooks::events(cx, &webhook).await?, None))
}
