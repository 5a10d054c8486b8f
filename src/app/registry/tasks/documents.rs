//! The whole documents of tasks and task runs, sealed, for they hold secrets; and as they are shown.
//! Must not know: HTTP, what a document may say (see resources).

use serde_json::{Map, Value};

use crate::app::Cx;
use crate::domain::registry::child::Child;
use crate::domain::world::crypto;
use crate::domain::{Error, Result};

/// Where a task's user-assigned identities are kept.
pub(super) const USERS: &str = "userAssignedIdentities";

fn context(child: &Child) -> Vec<u8> {
    let (kind, name) = (child.kind.segment(), child.name.to_ascii_lowercase());
    format!("{kind} {name} of registry {}", child.registry).into_bytes()
}

pub(super) fn opened(cx: &Cx, child: &Child) -> Result<Map<String, Value>> {
    let Some(sealed) = &child.sealed else { return Ok(Map::new()) };
    serde_json::from_slice(&crypto::open(&cx.app.master, &context(child), sealed)?).map_err(Error::internal)
}

pub(super) fn seal(cx: &Cx, child: &mut Child, document: &Map<String, Value>) -> Result<()> {
    let text = Value::Object(document.clone()).to_string();
    child.sealed = Some(crypto::seal(&cx.app.master, &context(child), text.as_bytes(), &mut cx.rng())?);
    Ok(())
}

/// A task's whole `properties`, secrets and all, and what it was found to build on.
pub fn definition(cx: &Cx, task: &Child) -> Result<Map<String, Value>> {
    let mut document = opened(cx, task)?;
    let bases = task.properties.get("step").map(|s| s["baseImageDependencies"].clone()).unwrap_or_default();
    if let (Some(Value::Object(step)), false) = (document.get_mut("step"), bases.is_null()) {
        let context = step.shift_remove("contextPath");
        step.insert("baseImageDependencies".to_owned(), bases);
        if let Some(context) = context {
            step.insert("contextPath".to_owned(), context);
        }
    }
    Ok(document)
}

/// The same without its secrets: of a registry's credentials only its name is shown [recorded].
pub fn shown(cx: &Cx, task: &Child) -> Result<Map<String, Value>> {
    let mut document = definition(cx, task)?;
    if let Some(Value::Object(custom)) = document.get_mut("credentials").and_then(|c| c.get_mut("customRegistries")) {
        custom.values_mut().for_each(|one| *one = Value::Null);
    }
    if let Some(Value::Object(step)) = document.get_mut("step") {
        step.shift_remove("contextAccessToken");
        for list in ["arguments", "values"] {
            for one in step.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if one["isSecret"] == true
                    && let Some(one) = one.as_object_mut()
                {
                    one.shift_remove("value");
                }
            }
        }
    }
    Ok(document)
}

/// The ARM ids of a task's user-assigned identities.
#[must_use]
pub fn user_identities(task: &Child) -> Vec<String> {
    let listed = task.properties.get(USERS).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
}
