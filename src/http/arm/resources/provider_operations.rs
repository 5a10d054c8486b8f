//! `providerOperations`: what roles can give, provider by provider and type by type, as the rows say it.
//! Must not know: any resource type.

use serde_json::{Value, json};

use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::http::arm::TYPES;
use crate::http::arm::table::{self, Asks, On, Operation, Place, Request, Run, Type, handler};
use crate::http::arm::wire::Answer;

const NAME: &str = "Microsoft.Authorization/providerOperations";

pub(super) const TYPE: Type = Type {
    name: NAME,
    operations: &[
        Operation::new("GET", On::All, Asks::Nothing, Run::Read(handler!(list))),
        Operation::new("GET", On::One, Asks::Nothing, Run::Read(handler!(get))),
    ],
    ..Type::new(Place::Anywhere, &["2018-01-01-preview", "2022-04-01"])
};

/// An action as operations of providers are listed.
pub(super) fn shown(action: &str, namespace: &str) -> Value {
    let (kind, word) = action.strip_suffix("/action").unwrap_or(action).rsplit_once('/').unwrap_or_default();
    json!({
        "name": action, "isDataAction": false, "origin": "user,system",
        "display": {"provider": namespace, "resource": kind, "operation": word, "description": action},
    })
}

/// The actions of a row, each once.
pub(super) fn actions(row: &Type) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for action in row.operations().filter_map(|operation| operation.action(row)) {
        if !all.contains(&action) {
            all.push(action);
        }
    }
    all
}

/// A provider with the operations of each of its types [spec].
fn provider(namespace: &str) -> Value {
    let mut kinds = Vec::new();
    for row in table::rows(TYPES).filter(|row| row.namespace() == namespace) {
        let operations: Vec<Value> = actions(row)
            .iter()
            .map(|action| {
                json!({
                    "name": action, "displayName": action, "description": action, "origin": "user,system",
                    "isDataAction": false,
                })
            })
            .collect();
        let name = row.name.split_once('/').map_or(row.name, |(_, kind)| kind);
        if !operations.is_empty() {
            kinds.push(json!({"name": name, "displayName": name, "operations": operations}));
        }
    }
    json!({
        "id": format!("/providers/{NAME}/{namespace}"), "name": namespace, "displayName": namespace, "type": NAME,
        "resourceTypes": kinds, "operations": [],
    })
}

fn namespaces() -> Vec<&'static str> {
    let mut all: Vec<&str> = table::rows(TYPES).map(Type::namespace).collect();
    all.sort_unstable();
    all.dedup();
    all
}

async fn list(_: &mut Cx, _: &Request) -> Result<Answer> {
    Ok(Answer::list(namespaces().into_iter().map(provider).collect()))
}

async fn get(_: &mut Cx, request: &Request) -> Result<Answer> {
    let found = namespaces().into_iter().find(|namespace| namespace.eq_ignore_ascii_case(request.name()));
    let namespace = found.ok_or_else(|| ResourceError::ProviderNotFound(request.name().to_owned()))?;
    Ok(Answer::ok(provider(namespace)))
}
