//! The control API's own description: OpenAPI 3.0, made from the types that its answers and requests are written from.
//! Must not know: how a call is answered.

use axum::http::Method;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::LONGEST_MARK;
use super::shapes;
use crate::app::snapshot::Snapshot;
use crate::domain::fault::{Counted, Rule};

/// What a refusal says.
#[derive(Serialize, JsonSchema)]
struct Refusal {
    error: Why,
}

#[derive(Serialize, JsonSchema)]
struct Why {
    code: String,
    message: String,
}

/// What is sent with a call.
enum Sent {
    Nothing,
    Json(Value),
    Archive,
}

/// What comes back.
enum Back {
    Json(Value),
    Archive,
}

/// One thing that can be asked.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Parameters of the query, by name and schema.
    query: Vec<(&'static str, Value)>,
    sent: Sent,
    back: Back,
    /// Status codes of refusals.
    refusals: &'static [u16],
}

/// What moves time.
fn change() -> Value {
    json!({
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
        "properties": {
            "advance": {"type": "number", "description": "Seconds to let pass at once"},
            "set": {"type": "string", "format": "date-time", "description": "A time to jump to, not before now"},
            "freeze": {"description": "Let time stand still"},
            "resume": {"description": "Let it run again"},
            "rate": {"type": "number", "description": "Seconds of the emulator in one of the machine"},
        },
    })
}

fn status(registry: Value, vault: Value, clock: Value) -> Value {
    json!({
        "type": "object", "required": ["registries", "vaults", "clock"],
        "properties": {
            "registries": {"type": "array", "items": registry}, "vaults": {"type": "array", "items": vault}, "clock": clock,
        },
    })
}

fn health() -> Value {
    json!({
        "type": "object", "required": ["status", "version", "data_dir"],
        "properties": {"status": {"type": "string"}, "version": {"type": "string"}, "data_dir": {"type": "string"}},
    })
}

/// A page of the audit log.
fn entries() -> Value {
    let entry = json!({
        "type": "object", "required": ["number"],
        "properties": {
            "number": {"type": "integer"}, "caller": {"type": "string", "nullable": true},
            "audit": {"type": "object", "description": "A record in Azure Monitor's shape"},
            "registry": {"type": "object", "description": "What a registry logs, in Azure Monitor's shape"},
            "event": {"type": "object", "description": "An event in Event Grid's shape"},
        },
    });
    json!({
        "type": "object", "required": ["next", "entries"],
        "properties": {"next": {"type": "integer"}, "entries": {"type": "array", "items": entry}},
    })
}

/// A page of the log's own lines.
fn lines() -> Value {
    let line = json!({
        "type": "object", "required": ["number", "line"],
        "properties": {"number": {"type": "integer"}, "line": {"type": "string"}},
    });
    json!({
        "type": "object", "required": ["next", "entries"],
        "properties": {"next": {"type": "integer"}, "entries": {"type": "array", "items": line}},
    })
}

/// A body that says a name.
fn named(pattern: Option<&str>) -> Value {
    let name = match pattern {
        Some(pattern) => json!({"type": "string", "pattern": pattern}),
        None => json!({"type": "string", "minLength": 1, "maxLength": LONGEST_MARK}),
    };
    json!({"type": "object", "required": ["name"], "properties": {"name": name}})
}

/// All of it, with the schemas by `types`.
fn operations(types: &mut SchemaGenerator) -> Vec<Operation> {
    let of = |method, path, summary, sent, back, refusals| Operation {
        method,
        path,
        summary,
        query: Vec::new(),
        sent,
        back: Back::Json(back),
        refusals,
    };
    let clock = schema::<shapes::Clock>(types);
    let (registry, vault) = (schema::<shapes::Registry>(types), schema::<shapes::Vault>(types));
    let status = status(registry, vault, clock.clone());
    let (rule, fault, faults) = (schema::<Rule>(types), schema::<Counted>(types), schema::<shapes::Faults>(types));
    let (snapshot, snapshots) = (schema::<Snapshot>(types), schema::<shapes::Snapshots>(types));
    let differences = schema::<shapes::Differences>(types);
    let anything = || json!({"type": "object"});
    let mut audited = of("get", "/acrite/v1/audit", "The audit log", Sent::Nothing, entries(), &[400]);
    audited.query = vec![
        ("after", json!({"type": "integer", "minimum": 0, "description": "Only entries after this number"})),
        ("since", json!({"type": "string", "description": "Only entries after this mark"})),
        ("wait", json!({"type": "boolean", "description": "Wait for the next entry if there is none"})),
    ];
    let mut logs = of("get", "/acrite/v1/logs", "The last lines of its own log", Sent::Nothing, lines(), &[400]);
    logs.query = audited.query.iter().filter(|(name, _)| *name != "since").cloned().collect();
    let at = "/acrite/v1/snapshots/{name}/diff";
    let mut diff = of("get", at, "What differs from now, in sentences", Sent::Nothing, differences, &[400, 404, 422]);
    diff.query = vec![("with", json!({"type": "string", "description": "Another snapshot instead of now"}))];
    let at = "/acrite/v1/snapshots/{name}/export";
    let mut export = of("get", at, "The snapshot as one file", Sent::Nothing, Value::Null, &[400, 404, 422]);
    export.back = Back::Archive;
    let at = "/acrite/v1/snapshots/{name}/import";
    let import = of("post", at, "Take a file in", Sent::Archive, snapshot.clone(), &[400, 409, 422, 503]);
    let (one, load) = ("/acrite/v1/snapshots/{name}", "/acrite/v1/snapshots/{name}/load");
    vec![
        of("get", "/acrite/v1/health", "Whether it answers", Sent::Nothing, health(), &[]),
        of("get", "/acrite/v1/ca", "The certificate that clients must trust", Sent::Nothing, anything(), &[]),
        of("get", "/acrite/v1/clock", "The time", Sent::Nothing, clock.clone(), &[]),
        of("post", "/acrite/v1/clock", "Move time", Sent::Json(change()), clock, &[400, 413]),
        of("get", "/acrite/v1/status", "Registries and keys, locked or open, and why", Sent::Nothing, status, &[]),
        audited,
        logs,
        of(
            "post",
            "/acrite/v1/marks",
            "Give this point of the log a name",
            Sent::Json(named(None)),
            anything(),
            &[400, 413],
        ),
        of("get", "/acrite/v1/faults", "All faults, with their counts", Sent::Nothing, faults.clone(), &[]),
        of("post", "/acrite/v1/faults", "Make calls fail", Sent::Json(rule), fault, &[400, 413]),
        of("delete", "/acrite/v1/faults", "Make nothing fail", Sent::Nothing, faults.clone(), &[]),
        of("delete", "/acrite/v1/faults/{id}", "Take one fault away", Sent::Nothing, faults, &[404]),
        of("get", "/acrite/v1/snapshots", "All snapshots", Sent::Nothing, snapshots, &[]),
        of(
            "post",
            "/acrite/v1/snapshots",
            "Save the world",
            Sent::Json(named(Some(NAME))),
            snapshot.clone(),
            &[400, 409, 413, 503],
        ),
        of("get", one, "One snapshot", Sent::Nothing, snapshot.clone(), &[400, 404, 422]),
        of("delete", one, "Delete a snapshot", Sent::Nothing, anything(), &[400, 404, 422]),
        of("post", load, "Put it in the place of the world", Sent::Nothing, snapshot, &[400, 404, 422, 503]),
        diff,
        export,
        import,
        of("post", "/acrite/v1/reset", "Put the world back as it began", Sent::Nothing, anything(), &[422, 503]),
        of("get", "/acrite/v1/openapi.json", "This description", Sent::Nothing, anything(), &[]),
    ]
}

/// What names of snapshots look like.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

fn schema<T: JsonSchema>(types: &mut SchemaGenerator) -> Value {
    types.subschema_for::<T>().to_value()
}

/// The whole description.
pub(super) fn description() -> Value {
    let mut types = SchemaSettings::openapi3().into_generator();
    let refusal = schema::<Refusal>(&mut types);
    let mut paths = Map::new();
    for operation in operations(&mut types) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let method = operation.method;
        path[method] = described(operation, &refusal);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "acrite", "version": env!("CARGO_PKG_VERSION"),
            "description": "Drives the emulator: time, faults, snapshots, evidence. Clients of other machines show the instance's token.",
            "license": {"name": "Apache-2.0 OR MIT"},
        },
        "paths": paths,
        "components": {"schemas": types.take_definitions(true)},
    })
}

fn described(operation: Operation, refusal: &Value) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if operation.path.contains("{name}") {
        let schema = json!({"type": "string", "pattern": NAME});
        parameters.push(json!({"name": "name", "in": "path", "required": true, "schema": schema}));
    }
    if operation.path.contains("{id}") {
        let schema = json!({"type": "integer", "minimum": 1});
        parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": schema}));
    }
    parameters
        .extend(operation.query.iter().map(|(name, schema)| json!({"name": name, "in": "query", "schema": schema})));
    let binary = json!({"schema": {"type": "string", "format": "binary"}});
    let back = match operation.back {
        Back::Json(schema) => json!({"application/json": {"schema": schema}}),
        Back::Archive => json!({"application/x-tar": binary.clone()}),
    };
    let mut responses = Map::from_iter([("200".to_owned(), json!({"description": "Done", "content": back}))]);
    for status in operation.refusals {
        let content = json!({"application/json": {"schema": refusal}});
        responses.insert(status.to_string(), json!({"description": "Refused, and why", "content": content}));
    }
    let mut shown = json!({"summary": operation.summary, "parameters": parameters, "responses": responses});
    match operation.sent {
        Sent::Nothing => {}
        Sent::Json(schema) => {
            shown["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        }
        // A file is sent as what it is: bytes.
        Sent::Archive => {
            shown["requestBody"] = json!({"required": true, "content": {"application/octet-stream": binary}});
        }
    }
    shown
}

/// The methods of a path, for `Allow`.
pub(super) fn allowed(path: &[&str]) -> String {
    let is = |template: &str| {
        let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
        parts.len() == path.len() && parts.iter().zip(path).all(|(part, found)| part.starts_with('{') || part == found)
    };
    let mut types = SchemaSettings::openapi3().into_generator();
    let all = operations(&mut types).into_iter().filter(|operation| is(operation.path));
    let methods: Vec<String> = all.map(|operation| operation.method.to_ascii_uppercase()).collect();
    if methods.is_empty() { Method::GET.to_string() } else { methods.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_can_be_found_again() {
        assert_eq!(allowed(&["acrite", "v1", "faults"]), "GET, POST, DELETE");
        assert_eq!(allowed(&["acrite", "v1", "snapshots", "x", "load"]), "POST");
        let described = description();
        assert!(described["components"]["schemas"]["Rule"]["properties"]["retry_after"].is_object(), "{described:#}");
        let text = described.to_string();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = text[at + 21..].split('"').next().unwrap();
            assert!(described["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
