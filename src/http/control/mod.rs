//! The emulator's own API on localhost: health, clock, status, audit log.
//! Must not know: Azure's protocols.

mod faults;
#[cfg(test)]
mod jumps;
mod openapi;
mod shapes;
mod snapshots;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use url::{Host, Url};

use crate::app::audit::Entry;
use crate::app::directory::sign_in;
use crate::app::timeline::{self, Change, Note, Shown};
use crate::app::world::lines::lines;
use crate::app::{App, folder, status};
use crate::domain::access::Caller;
use crate::domain::error::{INTERNAL, RequestError};
use crate::domain::registry::resource_log;
use crate::domain::world::json;
use crate::domain::{Error, Result, Timestamp};
use crate::http::call::{Call, pairs};

/// How long a client may wait for audit records before it is told that there are none.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Bytes of a mark's name.
const LONGEST_MARK: usize = 200;

/// Answers a call.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    answered(&app, &mut call).await.unwrap_or_else(|error| {
        let (status, body) = refusal(&error);
        let mut answer = answer_of(status, body.to_string());
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let segments = call.segments();
            let path: Vec<&str> = segments.iter().map(String::as_str).collect();
            if let Ok(allowed) = HeaderValue::from_str(&openapi::allowed(&path)) {
                answer.headers_mut().insert(header::ALLOW, allowed);
            }
        }
        answer
    })
}

fn answer_of(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// Answers a client of another machine that did not show the token. A browser asks its user for it.
pub async fn keep_out(_: Arc<App>, _: Call) -> Response {
    let message = "this is for clients on the machine that acrite runs on, and for those who show the token that it \
                   printed at its start: as a bearer token, or as the password of any user";
    let body = json!({"error": {"code": "Unauthorized", "message": message}});
    let mut response = answer_of(StatusCode::UNAUTHORIZED, body.to_string());
    let challenge = HeaderValue::from_static("Basic realm=\"acrite\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

async fn answered(app: &Arc<App>, call: &mut Call) -> Result<Response> {
    if is_foreign(call) {
        return Err(RequestError::InvalidValue {
            property: "origin".to_owned(),
            message: "web pages of other sites may not use the control API".to_owned(),
        }
        .into());
    }
    if let Some(name) = given_twice(call) {
        let message = format!("{name} is given more than once");
        return Err(RequestError::InvalidValue { property: name, message }.into());
    }
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    if path == ["acrite", "v1", "audit"] && call.method == Method::GET {
        return audit(app, call).await.map(|text| answer_of(StatusCode::OK, text));
    }
    let (status, body) = match (path.as_slice(), &call.method) {
        (["acrite", "v1", "snapshots", name, "export"], &Method::GET) => return snapshots::export(app, name).await,
        (["acrite", "v1", "snapshots", rest @ ..], _) => snapshots::answer(app, call, rest).await?,
        (["acrite", "v1", "reset"], &Method::POST) => snapshots::reset(app).await?,
        _ => (StatusCode::OK, dispatch(app, call, &path).await?),
    };
    Ok(answer_of(status, body.to_string()))
}

async fn dispatch(app: &Arc<App>, call: &mut Call, path: &[&str]) -> Result<Value> {
    let method = call.method.clone();
    match (path, &method) {
        ([] | ["acrite", "v1", "health"], &Method::GET) => Ok(json!({
            "status": if app.is_ready() { "ok" } else { "starting" },
            "version": env!("ACRITE_VERSION"),
            "data_dir": app.data_dir(),
            "identity_header": sign_in::identity_header(app),
        })),
        // For clients that do not see the data folder.
        (["acrite", "v1", "ca"], &Method::GET) => {
            Ok(json!({"ca": String::from_utf8_lossy(&folder::authority(app.data_dir())?)}))
        }
        (["acrite", "v1", "clock"], &Method::GET) => timeline::show(app).await.map(|s| shown_clock(&s)),
        (["acrite", "v1", "clock"], &Method::POST) => {
            let change = clock_change(&call.json().await?)?;
            let (clock, happened) = timeline::change(app, change).await?;
            let note = |note: &Note| json!({"at": note.at.zulu3(), "what": note.what});
            let mut shown = shown_clock(&clock);
            shown["happened"] = happened.iter().map(note).collect();
            Ok(shown)
        }
        (["acrite", "v1", "logs"], &Method::GET) => logs(call).await,
        (["acrite", "v1", "openapi.json"], &Method::GET) => Ok(openapi::description()),
        (["acrite", "v1", "status"], &Method::GET) => {
            let clock = timeline::show(app).await?;
            let mut cx = app.read(Caller::system()).await?;
            let registries = status::registries(&mut cx).await?;
            let vaults = status::vaults(&mut cx, &registries).await?;
            Ok(json!({
                "registries": registries.iter().map(shown_registry).collect::<Vec<_>>(),
                "vaults": vaults.iter().map(shown_vault).collect::<Vec<_>>(),
                "clock": shown_clock(&clock),
            }))
        }
        (["acrite", "v1", "marks"], &Method::POST) => {
            let asked = call.json().await?;
            let name = asked["name"].as_str().filter(|name| (1..=LONGEST_MARK).contains(&name.chars().count()));
            let name = name.ok_or_else(|| RequestError::InvalidValue {
                property: "name".to_owned(),
                message: format!("a mark has a name, of {LONGEST_MARK} characters at most"),
            })?;
            Ok(json!({"name": name, "number": app.audit().mark(name).await}))
        }
        (["acrite", "v1", "faults", rest @ ..], _) if rest.len() <= 1 => faults::answer(app, call, rest).await,
        (
            []
            | [
                "acrite",
                "v1",
                "health" | "ca" | "clock" | "status" | "audit" | "logs" | "marks" | "reset" | "openapi.json",
            ],
            _,
        ) => Err(RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into()),
        _ => Err(RequestError::RouteUnknown(call.path.clone()).into()),
    }
}

fn wrong(property: &str, message: &str) -> Error {
    let (property, message) = (property.to_owned(), message.to_owned());
    RequestError::InvalidValue { property, message }.into()
}

/// The number of the entry that the client has already.
fn after(call: &Call) -> Result<u64> {
    let number = call.query("after").map(|number| number.parse());
    number.transpose().map(Option::unwrap_or_default).map_err(|_| wrong("after", "after is the number of an entry"))
}

/// Whether the client waits for the next entry if there is none.
fn waits(call: &Call) -> Result<bool> {
    match call.query("wait").map(|wait| wait.to_ascii_lowercase()).as_deref() {
        Some("true") => Ok(true),
        None | Some("false") => Ok(false),
        Some(_) => Err(wrong("wait", "wait is true or false")),
    }
}

/// The log's own lines.
async fn logs(call: &mut Call) -> Result<Value> {
    let (after, wait) = (after(call)?, waits(call)?);
    let lines = tokio::time::timeout(LONGEST_WAIT, lines().after(after, wait)).await.unwrap_or_default();
    let next = lines.last().map_or(after, |line| line.number);
    let lines: Vec<Value> = lines.iter().map(|line| json!({"number": line.number, "line": line.text})).collect();
    Ok(json!({"next": next, "entries": lines}))
}

/// The entries of the audit log after a number. They are JSON already, and many.
async fn audit(app: &Arc<App>, call: &mut Call) -> Result<String> {
    let after = match call.query("since") {
        None => after(call)?,
        Some(mark) => app.audit().marked(&mark).ok_or_else(|| {
            let message =
                format!("there is no mark '{mark}'; marks last as long as the process that they were made in");
            wrong("since", &message)
        })?,
    };
    let wait = waits(call)?;
    // A waiting client may be gone without a sign of it; the others ask again.
    let entries = tokio::time::timeout(LONGEST_WAIT, app.audit().after(after, wait)).await.unwrap_or_default();
    let next = entries.last().map_or(after, |e| e.number);
    // The oldest are forgotten.
    let complete = entries.first().is_none_or(|e| e.number == after + 1);
    let mut text = format!("{{\"next\":{next},\"complete\":{complete},\"entries\":[");
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&shown_entry(entry));
    }
    text.push_str("]}");
    Ok(text)
}

/// The first query option that is there twice: nobody can tell which of them is meant.
fn given_twice(call: &Call) -> Option<String> {
    let mut seen = HashSet::new();
    pairs(&call.query).into_iter().map(|(name, _)| name.to_ascii_lowercase()).find(|name| !seen.insert(name.clone()))
}

/// A browser says which page sends a request. Pages of other sites must not move the clock.
fn is_foreign(call: &Call) -> bool {
    let Some(origin) = call.headers.get(header::ORIGIN) else { return false };
    !origin.to_str().is_ok_and(|origin| is_own_page(origin, &call.authority))
}

/// Whether an origin is a page of this machine, or of the host that was asked. Written otherwise than browsers write
/// it, it is none.
fn is_own_page(origin: &str, authority: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let own = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let same = origin.split_once("://").is_some_and(|(_, host)| host == authority);
    matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == origin && (own || same)
}

fn clock_change(body: &Value) -> Result<Change> {
    let wrong = |message: &str| {
        Error::from(RequestError::InvalidValue { property: "clock".to_owned(), message: message.to_owned() })
    };
    let Some((name, value)) = body.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next()) else {
        return Err(wrong("send one of advance, set, freeze, resume, rate"));
    };
    match name.as_str() {
        "advance" => {
            let seconds = value.as_f64().ok_or_else(|| wrong("advance takes seconds"))?;
            #[allow(clippy::cast_possible_truncation)]
            Ok(Change::Advance((seconds * 1e6) as i64))
        }
        "set" => {
            let at = value.as_str().and_then(Timestamp::parse);
            at.map(Change::Set).ok_or_else(|| wrong("set takes a time in RFC 3339, such as 2026-01-31T12:00:00Z"))
        }
        "freeze" => Ok(Change::Freeze),
        "resume" => Ok(Change::Resume),
        "rate" => value.as_f64().map(Change::Rate).ok_or_else(|| wrong("rate takes a number")),
        other => Err(wrong(&format!("'{other}' is not one of advance, set, freeze, resume, rate"))),
    }
}

fn shown_clock(clock: &Shown) -> Value {
    json!(shapes::Clock {
        now: clock.now.zulu3(),
        rate: clock.rate,
        frozen: clock.frozen,
        machine: clock.machine.zulu3(),
        next_due: clock.next_due.map(Timestamp::zulu3),
    })
}

/// The record stands under its own kind: `audit` of vaults, `registry`, or `event`.
fn shown_entry(entry: &Entry) -> String {
    let names = ["eventType", "category"];
    let record = json::members(entry.line.as_bytes(), &names, entry.line.len() + 1024).unwrap_or_default();
    let kind = match record.get("category").and_then(Value::as_str) {
        _ if record.contains_key("eventType") => "event",
        Some(resource_log::LOGIN | resource_log::REPOSITORY) => "registry",
        _ => "audit",
    };
    format!("{{\"number\":{},\"caller\":{},\"{kind}\":{}}}", entry.number, json!(entry.caller), entry.line)
}

fn shown_registry(r: &status::RegistryStatus) -> Value {
    let cmk = r.registry.cmk.as_ref();
    json!(shapes::Registry {
        name: r.registry.name.clone(),
        login_server: r.registry.login_server(),
        sku: r.registry.sku.clone(),
        encryption: if cmk.is_some() { "customer-managed" } else { "service-managed" },
        key: cmk.map(|c| c.versioned().to_string()),
        rotation: cmk.map(|c| if c.follows_new_versions() { "automatic" } else { "manual" }),
        identity: cmk.map(|c| c.identity.as_str().to_owned()),
        identity_name: r.identity.clone(),
        state: if r.blocked.is_some() { "locked" } else { "open" },
        why: r.blocked.as_ref().map(ToString::to_string),
        identity_expires: cmk.and_then(|c| c.identity_expires).map(Timestamp::zulu3),
        last_rotation: cmk.and_then(|c| c.rotated_at).map(Timestamp::zulu3),
        next_poll: r.next_look.map(Timestamp::zulu3),
    })
}

fn shown_vault(vault: &status::VaultStatus) -> Value {
    let version = |v: &status::VersionStatus| shapes::Version {
        version: v.version.clone(),
        enabled: v.enabled,
        state: v.state,
        protects: v.protects.clone(),
    };
    let key = |k: &status::KeyStatus| shapes::Key {
        name: k.name.clone(),
        deleted: k.deleted,
        versions: k.versions.iter().map(version).collect(),
    };
    let keys = vault.keys.iter().map(key).collect();
    json!(shapes::Vault { name: vault.name.clone(), deleted: vault.deleted, keys })
}

fn refusal(error: &Error) -> (StatusCode, Value) {
    let (status, code) = match error {
        Error::Request(RequestError::RouteUnknown(_)) => (StatusCode::NOT_FOUND, "NotFound"),
        Error::Request(RequestError::MethodNotAllowed { .. }) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        Error::Request(RequestError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal"),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
        Error::Request(_)
        | Error::Token(_)
        | Error::SignIn(_)
        | Error::Access(_)
        | Error::Resource(_)
        | Error::Neighbour(_)
        | Error::Directory(_)
        | Error::Vault(_)
        | Error::Key(_)
        | Error::Registry(_)
        | Error::Content(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
    };
    let message = match error {
        Error::Request(RequestError::InvalidValue { message, .. }) => message.clone(),
        Error::Request(RequestError::RouteUnknown(path)) => {
            format!(
                "{path} is not part of the control API; Azure's own hosts are reached by their names, through this port as a proxy"
            )
        }
        Error::Internal(_) => INTERNAL.to_owned(),
        other => other.to_string(),
    };
    (status, json!({"error": {"code": code, "message": message}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_told_from_others() {
        for own in [
            "http://localhost",
            "http://localhost:3000",
            "https://127.0.0.1:1",
            "http://[::1]:4443",
            "http://10.0.0.1:4443",
        ] {
            assert!(is_own_page(own, "10.0.0.1:4443"), "{own}");
        }
        for other in [
            "",
            "null",
            "localhost",
            "http://localhost:80@evil.example",
            "http://localhost@evil.example",
            "http://evil.example/http://localhost",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost:4443/",
            "http://LOCALHOST",
            "http://localhost:80",
            "http://localhost evil.example",
            "ftp://localhost",
            "file://localhost",
            "http://10.0.0.1:4444",
            "http://u@localhost:4443",
            "http://localhost#x",
            "//localhost",
            "http://[::2]",
        ] {
            assert!(!is_own_page(other, "10.0.0.1:4443"), "{other}");
        }
    }
}
