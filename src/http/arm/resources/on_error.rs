//! `onErrorDeployment`: the earlier deployment that is deployed again where one fails.
//! Must not know: how a template is planned, how its resources are created.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::deploy::Deployer;
use crate::app::Cx;
use crate::app::resources::deployments::{self, Part};
use crate::domain::error::{DeploymentError, RequestError};
use crate::domain::resources::template::{DEPLOYMENTS, get};
use crate::domain::{Error, Result};

/// What is to be done where a deployment fails [spec].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OnError {
    LastSuccessful,
    Specific(String),
}

impl OnError {
    /// Reads the member of a deployment's properties; `None`: it is absent.
    pub(super) fn read(properties: &Value) -> Result<Option<Self>> {
        let Some(sent) = get(properties, "onErrorDeployment").filter(|sent| !sent.is_null()) else { return Ok(None) };
        let text = |name: &str| get(sent, name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let wrong = |message: String| -> Error {
            RequestError::InvalidValue { property: "properties.onErrorDeployment".to_owned(), message }.into()
        };
        let (kind, name) = (text("type"), text("deploymentName"));
        match (kind.to_ascii_lowercase().as_str(), name.is_empty()) {
            ("lastsuccessful", true) => Ok(Some(Self::LastSuccessful)),
            ("lastsuccessful", false) => Err(wrong("'LastSuccessful' goes without a name".to_owned())),
            ("specificdeployment", false) => Ok(Some(Self::Specific(name))),
            ("specificdeployment", true) => Err(wrong("'SpecificDeployment' needs a name".to_owned())),
            _ => Err(wrong(format!("'{kind}' is neither 'LastSuccessful' nor 'SpecificDeployment'"))),
        }
    }

    fn shown(&self, found: &str) -> Value {
        let kind = match self {
            Self::LastSuccessful => "LastSuccessful",
            Self::Specific(_) => "SpecificDeployment",
        };
        json!({"type": kind, "deploymentName": found})
    }
}

/// An earlier deployment, to be deployed again if need be.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    scope: String,
    name: String,
    body: String,
    /// As the deployment shows it.
    pub(super) shown: Value,
}

/// The name of the newest deployment in the scope that succeeded, but for `own`.
async fn last_successful(cx: &mut Cx, scope: &str, own: &str) -> Result<String> {
    let succeeded = |state: &str| state == "Succeeded";
    let name = |shown: &String| serde_json::from_str::<Value>(shown).ok()?["name"].as_str().map(str::to_owned);
    let mut after = None;
    loop {
        let (page, next) = deployments::page(cx, scope, after.as_deref(), Some(2), &succeeded).await?;
        if let Some(found) = page.iter().filter_map(name).find(|name| !name.eq_ignore_ascii_case(own)) {
            return Ok(found);
        }
        after = Some(next.ok_or_else(|| DeploymentError::NotFound("LastSuccessful".to_owned()))?);
    }
}

/// Finds the earlier deployment in the scope. One that is not there, or did not succeed, is refused; so is the one that is
/// to take its name `own`.
pub(super) async fn earlier(cx: &mut Cx, scope: &str, own: &str, wanted: &OnError) -> Result<Earlier> {
    let name = match wanted {
        OnError::Specific(name) if name.eq_ignore_ascii_case(own) => {
            return Err(DeploymentError::NotFound(name.clone()).into());
        }
        OnError::Specific(name) => name.clone(),
        OnError::LastSuccessful => last_successful(cx, scope, own).await?,
    };
    let read = |text: String| serde_json::from_str::<Value>(&text).map_err(Error::internal);
    let shown = read(deployments::get(cx, scope, &name, Part::Shown).await?)?;
    if shown["properties"]["provisioningState"] != "Succeeded" {
        return Err(DeploymentError::NotFound(name).into());
    }
    let template = read(deployments::get(cx, scope, &name, Part::Template).await?)?;
    let mut parameters = Map::new();
    for (name, parameter) in shown["properties"]["parameters"].as_object().into_iter().flatten() {
        // Values of secure ones are not kept: a template that needs them cannot be deployed again.
        if let Some(value) = parameter.get("value") {
            parameters.insert(name.clone(), json!({ "value": value }));
        }
    }
    let mode = shown["properties"]["mode"].clone();
    let mut body = json!({"properties": {"mode": mode, "template": template, "parameters": parameters}});
    if let Some(location) = shown.get("location") {
        body["location"] = location.clone();
    }
    let name = shown["name"].as_str().unwrap_or(&name).to_owned();
    Ok(Earlier { scope: scope.to_owned(), body: body.to_string(), shown: wanted.shown(&name), name })
}

/// Deploys it again. Returns what the failed deployment shows of that.
pub(super) async fn roll_back(deployer: &Deployer, earlier: &Earlier) -> Value {
    let id = format!("{}/providers/{DEPLOYMENTS}/{}", earlier.scope, earlier.name);
    let version = "2022-09-01";
    let sent = deployer.call(Method::PUT, &id, version, Some(earlier.body.clone())).await;
    let mut state = json!("Failed");
    if sent.is_ok_and(|(status, _): (StatusCode, Value)| status.is_success())
        && let Ok((_, ended)) = deployer.call(Method::GET, &id, version, None).await
    {
        state = ended["properties"]["provisioningState"].clone();
    }
    let mut shown = earlier.shown.clone();
    shown["provisioningState"] = state;
    shown
}
