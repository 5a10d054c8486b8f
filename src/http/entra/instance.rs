//! The instance metadata service of virtual machines (IMDS): what a machine can ask of itself [docs].
//! Must not know: managed identities.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::domain::Result;
use crate::domain::error::{RequestError, SignInError};
use crate::domain::world::well_known::{SUBSCRIPTION_ID, TENANT_ID};
use crate::http::call::Call;

/// The machine on which every client of the emulator runs. It is no resource: there are no virtual machines here.
fn machine() -> Value {
    json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud", "customData": "", "evictionPolicy": "", "isHostCompatibilityLayerVm": "false",
            "licenseType": "", "location": "eastus", "name": "acrite", "offer": "",
            "osProfile": {"adminUsername": "", "computerName": "acrite", "disablePasswordAuthentication": "true"},
            "osType": "Linux", "placementGroupId": "", "plan": {"name": "", "product": "", "publisher": ""},
            "platformFaultDomain": "0", "platformUpdateDomain": "0", "priority": "", "provider": "Microsoft.Compute",
            "publicKeys": [], "publisher": "", "resourceGroupName": "acrite",
            "resourceId": format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/acrite/providers/Microsoft.Compute/virtualMachines/acrite"),
            "sku": "", "subscriptionId": SUBSCRIPTION_ID, "tags": "", "tagsList": [], "userData": "", "version": "",
            "vmId": TENANT_ID, "vmScaleSetName": "", "vmSize": "Standard_B2s", "zone": "",
        },
        "network": {"interface": [{
            "ipv4": {"ipAddress": [{"privateIpAddress": "127.0.0.1", "publicIpAddress": ""}], "subnet": [{"address": "127.0.0.0", "prefix": "8"}]},
            "ipv6": {"ipAddress": []}, "macAddress": "000000000000",
        }]},
    })
}

/// Answers `GET /metadata/instance` and what lies below it: the branch or leaf that the path names.
pub(super) fn answer(call: &Call, path: &[&str]) -> Result<Response> {
    super::managed_identity::only_get(call)?;
    super::managed_identity::check_header(call)?;
    if call.query("api-version").is_none_or(|version| version.is_empty()) {
        return Err(RequestError::ApiVersionMissing.into());
    }
    let mut at = machine();
    for step in path {
        let next = match step.parse::<usize>() {
            Ok(index) => at.get_mut(index),
            Err(_) => at.get_mut(*step),
        };
        at = next.ok_or(SignInError::MetadataUnknown)?.take();
    }
    let as_text = call.query("format").is_some_and(|format| format.eq_ignore_ascii_case("text"));
    match at {
        // Leaves are texts, branches JSON [docs].
        Value::String(text) => Ok(plain(text)),
        Value::Object(members) if as_text => {
            let line =
                |(name, value): (&String, &Value)| if value.is_string() { name.clone() } else { format!("{name}/") };
            Ok(plain(members.iter().map(line).collect::<Vec<_>>().join("\n")))
        }
        branch => Ok(Json(branch).into_response()),
    }
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
