//! What a client asks to deploy: read from its JSON, and planned.
//! Must not know: how a deployment is carried out, kept or shown.

use std::sync::Arc;

use serde_json::{Value, json};

use super::deploy::Deployer;
use super::on_error::OnError;
use crate::app::Cx;
use crate::app::resources::groups;
use crate::app::world::work;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::region;
use crate::domain::resources::template::{
    self, DEPLOYMENTS, Document, Facts, Held, Invalid, Places, Program, Source, Spent, get, take,
};
use crate::domain::world::json::Unread;
use crate::domain::world::name;
use crate::domain::world::well_known::{SUBSCRIPTION_ID, SUBSCRIPTION_NAME, TENANT_ID};
use crate::domain::{Error, Result};
use crate::http::arm::wire::check_tags;
use crate::http::arm::{Arm, Templates};
use crate::http::call::BODY_LIMIT;

/// Memory that a template may take once it is read, with its parameters.
pub(super) const TEMPLATE_LIMIT: usize = 32 * 1024 * 1024;
/// Templates within each other at most. [inferred]
pub(super) const NESTING_LIMIT: usize = 20;

/// Where and how a client asks to deploy.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The id of the group or subscription.
    pub(super) scope: String,
    pub(super) group: Option<String>,
    pub(super) name: String,
    pub(super) location: Option<String>,
    pub(super) tags: Value,
    pub(super) complete: bool,
    pub(super) on_error: Option<OnError>,
    /// The template as it is kept and shown.
    pub(super) text: Arc<str>,
}

/// What a client asks to deploy, read. It is planned once.
#[derive(Debug)]
pub(super) struct Read {
    template: Value,
    parameters: Value,
    places: Places,
    /// The memory of all this.
    held: Held,
}

impl Asked {
    pub(super) fn id(&self) -> String {
        format!("{}/providers/{DEPLOYMENTS}/{}", self.scope, self.name)
    }

    pub(super) fn mode(&self) -> &'static str {
        if self.complete { "Complete" } else { "Incremental" }
    }
}

pub(super) fn too_large() -> Error {
    RequestError::TooLarge { limit: BODY_LIMIT }.into()
}

/// JSON in which az has pasted the text of a template (acr.md A.6), and the memory that it holds.
fn parsed(text: &str, templates: &Templates) -> Result<(Document, Held)> {
    let limit = TEMPLATE_LIMIT.min(templates.budget.left());
    let document = template::json::parse(text, limit).map_err(|unread| match unread {
        Unread::TooLarge => too_large(),
        Unread::Malformed(why) => RequestError::Malformed(why).into(),
    })?;
    let held = templates.budget.hold(document.size).map_err(|Spent| too_large())?;
    Ok((document, held))
}

/// Reads the body.
pub(super) async fn asked(arm: &mut Arm, scope: String, group: Option<&str>, name: String) -> Result<(Asked, Read)> {
    if arm.templates.level > NESTING_LIMIT {
        let message = format!("templates are nested deeper than {NESTING_LIMIT} levels");
        return Err(RequestError::InvalidValue { property: "properties.template".to_owned(), message }.into());
    }
    let bytes = arm.call.bytes(BODY_LIMIT).await?;
    let templates = arm.templates.clone();
    let read = move || {
        let text = std::str::from_utf8(&bytes).map_err(|e| Error::from(RequestError::Malformed(e.to_string())))?;
        parsed(text, &templates)
    };
    let (Document { mut value, places, .. }, held) = work::run(read).await??;
    if !name::is_deployment(&name) {
        return Err(ResourceError::NameInvalid { name, kind: DEPLOYMENTS.to_owned() }.into());
    }
    let location = get(&value, "location").and_then(Value::as_str);
    if let Some(location) = location {
        region::require(location, DEPLOYMENTS)?;
    }
    let location = location.map(name::location);
    if group.is_none() && location.is_none() {
        return Err(ResourceError::LocationMissing.into());
    }
    if let Some(group) = group {
        let mut cx = arm.app.read(arm.caller.clone()).await?;
        groups::get(&mut cx, group).await?;
    }
    let tags = take(&mut value, "tags").unwrap_or_default();
    check_tags(Some(&tags))?;
    let properties = take(&mut value, "properties").unwrap_or_default();
    let (asked, read) = asked_for(scope, name, properties, places, held, &arm.templates)?;
    if asked.complete && asked.group.is_none() {
        let message = "complete mode is for deployments to resource groups".to_owned();
        return Err(RequestError::InvalidValue { property: "properties.mode".to_owned(), message }.into());
    }
    Ok((Asked { location, tags, ..asked }, read))
}

/// The same of a deployment's properties.
pub(super) fn asked_for(
    scope: String,
    name: String,
    mut properties: Value,
    places: Places,
    held: Held,
    templates: &Templates,
) -> Result<(Asked, Read)> {
    let mode = get(&properties, "mode").and_then(Value::as_str).unwrap_or("Incremental");
    let complete = mode.eq_ignore_ascii_case("Complete");
    if !complete && !mode.eq_ignore_ascii_case("Incremental") {
        let message = format!("'{mode}' is neither 'Incremental' nor 'Complete'");
        return Err(RequestError::InvalidValue { property: "properties.mode".to_owned(), message }.into());
    }
    let on_error = OnError::read(&properties)?;
    for link in ["templateLink", "parametersLink"] {
        if get(&properties, link).is_some_and(|l| !l.is_null()) {
            return Err(RequestError::NotEmulated(format!("A deployment by {link}")).into());
        }
    }
    let (template, held) = match take(&mut properties, "template") {
        // Older clients send the template as a string.
        Some(Value::String(text)) => {
            let (document, held) = parsed(&text, templates)?;
            (document.value, held)
        }
        other => (other.unwrap_or_default(), held),
    };
    let group = scope.to_ascii_lowercase().rfind("/resourcegroups/").map(|at| scope[at + 16..].to_owned());
    let parameters = take(&mut properties, "parameters").unwrap_or_default();
    let text = template.to_string().into();
    let asked = Asked { scope, group, name, location: None, tags: Value::Null, complete, on_error, text };
    Ok((asked, Read { template, parameters, places, held }))
}

pub(super) fn template_hash(template: &str) -> String {
    template::hash(template.to_uppercase().as_bytes()).to_string()
}

async fn facts(cx: &mut Cx, asked: &Asked, parameters: &Value) -> Result<Facts> {
    let group = match &asked.group {
        Some(group) => {
            let found = groups::get(cx, group).await?;
            json!({
                "id": name::group_id(&found.name), "name": found.name, "type": "Microsoft.Resources/resourceGroups",
                "location": found.location, "tags": found.tags, "properties": {"provisioningState": "Succeeded"},
            })
        }
        None => Value::Null,
    };
    let mut deployment = json!({
        "name": asked.name,
        "properties": {
            "templateHash": template_hash(&asked.text), "mode": asked.mode(), "provisioningState": "Accepted",
        },
    });
    if let Some(location) = &asked.location {
        deployment["location"] = json!(location);
    }
    Ok(Facts {
        subscription: json!({
            "id": name::subscription_id(), "subscriptionId": SUBSCRIPTION_ID, "tenantId": TENANT_ID, "displayName": SUBSCRIPTION_NAME,
        }),
        group,
        tenant: json!({
            "countryCode": "US", "displayName": SUBSCRIPTION_NAME, "id": format!("/tenants/{TENANT_ID}"), "tenantId": TENANT_ID,
        }),
        deployment,
        template: Some(asked.text.clone()),
        parameters: Some(parameters.to_string().into()),
        environment: super::subscriptions::environment(),
        deployer: json!({"objectId": cx.caller.object_id, "tenantId": TENANT_ID, "userPrincipalName": ""}),
        now: cx.now.0,
    })
}

/// Plans what was read. The inner error is one of the template.
pub(super) async fn plan(
    cx: &mut Cx,
    asked: &Asked,
    read: Read,
    templates: &Templates,
) -> Result<std::result::Result<Arc<Program>, Invalid>> {
    let facts = facts(cx, asked, &read.parameters).await?;
    let guids = cx.guids();
    let (scope, budget) = (asked.scope.clone(), templates.budget.clone());
    work::run(move || {
        let Read { template, parameters, places, held } = read;
        // From here on it is held by what is made of it.
        drop(held);
        let source = Source {
            template,
            parameters,
            places: &places,
            scope: &scope,
            facts: &facts,
            guids: &guids,
            budget: &budget,
        };
        Program::read(source).map(Arc::new)
    })
    .await
}

/// Deploys as the caller.
pub(super) fn deployer(arm: &Arm) -> Deployer {
    Deployer {
        app: arm.app.clone(),
        caller: arm.caller.clone(),
        authority: arm.call.authority.clone(),
        address: arm.call.address,
        templates: arm.templates.clone(),
    }
}
