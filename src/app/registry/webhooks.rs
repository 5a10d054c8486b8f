//! Webhooks: who is told about pushes and deletions, and the telling, after the commit and beside requests. What is
//! to be told lies in the outbox until it was: an event outlives the process, and is recorded exactly once.
//! Must not know: how a request goes out (see outgoing), what lies in a registry.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, Semaphore};
use url::Url;

use super::children::{Asked, begin, missing, save, status_word};
use super::replications;
use crate::app::world::outgoing::{Errand, Message, Outgoing};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::error::{RegistryError, RequestError};
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::{crypto, name};
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// What a webhook may be told about [spec]. `chart_push` and `chart_delete` never happen: they tell of the store that
/// `az acr helm` wrote to, which is retired; a chart pushed as an OCI artifact is a `push` [docs].
const ACTIONS: [&str; 5] = ["push", "delete", "quarantine", "chart_push", "chart_delete"];
/// Events that are taken from the outbox at a time.
const BATCH: i64 = 64;
/// Requests on the way at a time.
const AT_ONCE: usize = 8;
/// How often an event is tried.
const ATTEMPTS: u32 = 3;
/// The pause after the first failed attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause before what was sent is recorded again, where it could not be. Machine time: the disk is the machine's.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of an answer that are kept.
const BODY: usize = 64 * 1024;
/// Bytes of a webhook's address at most. [inferred]
const ADDRESS: usize = 2048;
/// Bytes of a webhook's custom headers at most. [inferred: what servers take of a request's head]
const HEADERS: usize = 16 * 1024;
/// Bytes of a list of events at most: the newest are told.
const EVENTS: usize = 4 * 1024 * 1024;
/// Events kept for each webhook.
const KEPT: i64 = 100;

/// Something that happened in a registry.
#[derive(Debug, Clone)]
pub struct Event {
    action: &'static str,
    repository: String,
    tag: Option<String>,
    target: Value,
    method: &'static str,
    /// The region where it happened. `None`: it counts in all of them at once.
    region: Option<Arc<str>>,
}

impl Event {
    /// A manifest was pushed [docs: payload].
    #[must_use]
    pub fn push(repository: &str, tag: Option<&str>, digest: &str, media_type: &str, size: usize) -> Self {
        let mut target = json!({
            "mediaType": media_type, "size": size, "digest": digest, "length": size, "repository": repository,
        });
        if let Some(tag) = tag {
            target["tag"] = json!(tag);
        }
        Self {
            action: "push",
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            target,
            method: "PUT",
            region: None,
        }
    }

    /// The same while it waits in quarantine, for scanners; every push is one of these too, whatever the policy
    /// [docs: the preview's].
    #[must_use]
    pub fn quarantine(repository: &str, tag: Option<&str>, digest: &str, size: usize) -> Self {
        let mut target = json!({"size": size, "digest": digest, "length": size, "repository": repository});
        if let Some(tag) = tag {
            target["tag"] = json!(tag);
        }
        let (repository, tag) = (repository.to_owned(), tag.map(str::to_owned));
        Self { action: "quarantine", repository, tag, target, method: "PUT", region: None }
    }

    /// A manifest was deleted, by itself or with its repository. Untagging is no event [docs].
    #[must_use]
    pub fn delete(repository: &str, digest: &str, media_type: Option<&str>) -> Self {
        let mut target = json!({});
        if let Some(media_type) = media_type {
            target["mediaType"] = json!(media_type);
        }
        target["digest"] = json!(digest);
        target["repository"] = json!(repository);
        Self { action: "delete", repository: repository.to_owned(), tag: None, target, method: "DELETE", region: None }
    }

    /// The same as it happened in one region, which others learn of later.
    #[must_use]
    pub fn in_region(self, region: Option<Arc<str>>) -> Self {
        Self { region, ..self }
    }

    /// The repository, tag and digest of an image that was pushed under a tag.
    pub(in crate::app) fn pushed(&self) -> Option<(&str, &str, &str)> {
        let tag = self.tag.as_deref().filter(|_| self.action == "push")?;
        Some((&self.repository, tag, self.target["digest"].as_str()?))
    }

    /// Whether a webhook wants to know of it.
    fn is_for(&self, webhook: &Child) -> bool {
        webhook.enabled() && webhook.actions().any(|action| action == self.action) && self.within(webhook.scope())
    }

    /// Whether a webhook's scope covers it: `a:*` all of `a`, `a:b` one tag, `a` is `a:latest`, nothing is
    /// everything [docs]. Deletions have no tag; any scope of their repository covers them.
    fn within(&self, scope: &str) -> bool {
        if scope.is_empty() || scope == "*" {
            return true;
        }
        let (repository, tag) = scope.split_once(':').unwrap_or((scope, "latest"));
        let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(prefix) => text.starts_with(prefix),
            None => pattern == text,
        };
        fits(repository, &self.repository) && self.tag.as_deref().is_none_or(|t| fits(tag, t))
    }
}

/// Wakes who sends what lies in the outbox.
#[derive(Debug, Default)]
pub(in crate::app) struct Sender(Arc<Notify>);

impl Drop for Sender {
    fn drop(&mut self) {
        // So that who waits finds that there is no app any more.
        self.0.notify_one();
    }
}

/// Notes what happened in a registry: its webhooks are told when, and only if, the context is committed.
pub fn note(cx: &mut Cx, registry: &Registry, event: Event) {
    cx.events.push((registry.clone(), event));
}

/// Writes the context's events into the outbox, one for each webhook that wants to know.
pub(in crate::app) async fn write_out(cx: &mut Cx) -> Result<()> {
    for (registry, event) in std::mem::take(&mut cx.events) {
        for webhook in store::registry::children::list(&mut cx.tx, registry.id, Kind::WEBHOOK).await? {
            if !event.is_for(&webhook) {
                continue;
            }
            let content = json!({
                "id": cx.guid(), "timestamp": cx.now.zulu7(), "action": event.action, "target": event.target,
                "request": {
                    "id": cx.guid(), "host": registry.login_server(), "method": event.method, "useragent": "",
                },
            });
            let elsewhere = event.region.as_deref().is_some_and(|at| webhook.location.as_deref() != Some(at));
            let due = elsewhere.then(|| cx.replicated_at());
            post(cx, &webhook, &content, due).await?;
        }
    }
    Ok(())
}

/// Has the events sent that lie in the outbox, once the context is committed.
pub(in crate::app) fn send_soon(cx: &mut Cx) {
    let app = cx.app.clone();
    cx.tx.then(move || app.webhooks.0.notify_one());
}

/// Puts an event for one webhook into the outbox; it is sent once the context is committed, or when it is due.
async fn post(cx: &mut Cx, webhook: &Child, content: &Value, due: Option<Timestamp>) -> Result<()> {
    let sealed = crypto::seal(&cx.app.master, EVENT, content.to_string().as_bytes(), &mut cx.rng())?;
    store::world::outbox::add_event(&mut cx.tx, webhook.id, &sealed, due).await?;
    send_soon(cx);
    Ok(())
}

/// Begins to send what lies in the outbox, and what will. Ends with the app.
pub fn start(app: &Arc<App>, outgoing: Arc<dyn Outgoing>) {
    let wake = app.webhooks.0.clone();
    let app = Arc::downgrade(app);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    tokio::spawn(async move {
        let mut last = 0;
        loop {
            let Some(app) = app.upgrade() else { return };
            let events = match take(&app, last).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::error!("the events of webhooks cannot be read: {error}");
                    Vec::new()
                }
            };
            let Some(newest) = events.last().map(|event| event.id) else {
                drop(app);
                wake.notified().await;
                continue;
            };
            last = newest;
            for event in events {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let (app, outgoing) = (app.clone(), outgoing.clone());
                tokio::spawn(async move {
                    if let Err(error) = deliver(&app, outgoing.as_ref(), &event).await {
                        tracing::error!("an event of a webhook could not be recorded: {error}");
                    }
                    drop(place);
                });
            }
        }
    });
}

async fn take(app: &Arc<App>, after: i64) -> Result<Vec<store::world::outbox::Event>> {
    let mut cx = app.read_now(Caller::system()).await?;
    store::world::outbox::events(&mut cx.tx, after, BATCH).await
}

/// Sends, at most [`ATTEMPTS`] times, and records what was sent and what came back last.
async fn deliver(app: &Arc<App>, outgoing: &dyn Outgoing, event: &store::world::outbox::Event) -> Result<()> {
    let mut cx = app.read_now(Caller::system()).await?;
    // A webhook that was deleted meanwhile took its events along.
    let found = store::registry::children::by_id(&mut cx.tx, Kind::WEBHOOK, event.webhook).await?;
    drop(cx);
    let Some(webhook) = found else { return Ok(()) };
    let config = open_config(app, &webhook)?;
    let content: Value = open_event(app, &event.sealed)?;
    let body = content.to_string();
    let uri = config["serviceUri"].as_str().unwrap_or_default().to_owned();
    let mut headers = vec![("User-Agent".to_owned(), "AzureContainerRegistry/1.0".to_owned())];
    for (name, value) in config["customHeaders"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    headers.push(("traceparent".to_owned(), traceparent()));
    headers.push(("X-Forwarded-For".to_owned(), "true".to_owned())); // [recorded]
    headers.push(("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()));
    headers.push(("Content-Length".to_owned(), body.len().to_string()));
    let asker = asker_of(&config);
    let message =
        Message { errand: Errand::Webhook, method: "POST", uri: uri.clone(), headers: headers.clone(), body, asker };
    let mut pause = PAUSE;
    let mut attempt = 1;
    let reply = loop {
        let reply = outgoing.send(message.clone()).await;
        let good = reply.as_ref().is_ok_and(|r| r.status < 500 && r.status != 429);
        if good || attempt == ATTEMPTS {
            break reply;
        }
        attempt += 1;
        // Machine time: the receiver is a program outside, which the user's clock does not hurry.
        tokio::time::sleep(pause).await;
        pause *= 2;
    };
    let response = match reply {
        Ok(reply) => json!({
            "headers": document(&reply.headers), "reasonPhrase": reply.reason,
            "statusCode": reply.status.to_string(), "version": "1.1", "content": reply.text(BODY).await,
        }),
        Err(why) => {
            tracing::info!(webhook = %webhook.name, %why, "a webhook's target did not answer");
            json!({"content": why, "headers": {}, "reasonPhrase": "Bad Gateway", "statusCode": "502", "version": "1.1"})
        }
    };
    let record = json!({
        "id": content["id"], "eventRequestMessage": {
            "content": content, "headers": document(&headers), "method": "POST", "requestUri": whole(&uri),
            "version": "1.1",
        },
        "eventResponseMessage": response, ASKER: asker,
    });
    let sealed = crypto::seal(&app.master, EVENT, record.to_string().as_bytes(), &mut crate::app::rng())?;
    // It was sent, and must not be sent again: what cannot be written now is tried until it can.
    while let Err(error) = told(app, event, &sealed).await {
        if !matches!(error, Error::Unavailable(_)) {
            return Err(error);
        }
        tokio::time::sleep(RETRY).await;
    }
    Ok(())
}

/// Moves an event from the outbox to what its webhook has sent.
async fn told(app: &Arc<App>, event: &store::world::outbox::Event, sealed: &[u8]) -> Result<()> {
    let mut cx = app.write_now(Caller::system()).await?;
    if store::world::outbox::forget_event(&mut cx.tx, event.id).await? {
        store::registry::children::add_event(&mut cx.tx, event.webhook, sealed, KEPT).await?;
    }
    cx.commit().await
}

fn open_event(app: &App, sealed: &[u8]) -> Result<Value> {
    serde_json::from_slice(&crypto::open(&app.master, EVENT, sealed)?).map_err(Error::internal)
}

/// An address with the path that it stands for [recorded: `http://host` is told as `http://host/`].
fn whole(uri: &str) -> String {
    Url::parse(uri).map_or_else(|_| uri.to_owned(), String::from)
}

const EVENT: &[u8] = b"webhook event";

fn document(headers: &[(String, String)]) -> Value {
    Value::Object(headers.iter().map(|(n, v)| (n.clone(), json!(v))).collect())
}

fn traceparent() -> String {
    let mut bytes = [0; 24];
    rand::Rng::fill_bytes(&mut crate::app::rng(), &mut bytes);
    format!("00-{}-{}-01", crypto::hex(&bytes[..16]), crypto::hex(&bytes[16..]))
}

fn config_context(webhook: &Child) -> Vec<u8> {
    format!("webhook {} of registry {}", webhook.name.to_ascii_lowercase(), webhook.registry).into_bytes()
}

/// The field of what is sealed that says from where came who chose a webhook's address and headers. It is for us alone.
const ASKER: &str = "asker";

/// Unspecified where it was not kept.
fn asker_of(sealed: &Value) -> IpAddr {
    let kept = sealed[ASKER].as_str().and_then(|address| address.parse().ok());
    kept.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// A webhook's address and custom headers: `{"serviceUri", "customHeaders"}`. No other answer shows them.
pub fn config_of(cx: &Cx, webhook: &Child) -> Result<Value> {
    let mut config = open_config(&cx.app, webhook)?;
    if let Some(config) = config.as_object_mut() {
        config.shift_remove(ASKER);
    }
    Ok(config)
}

fn open_config(app: &App, webhook: &Child) -> Result<Value> {
    let Some(sealed) = &webhook.sealed else { return Ok(json!({})) };
    let opened = crypto::open(&app.master, &config_context(webhook), sealed)?;
    serde_json::from_slice(&opened).map_err(Error::internal)
}

/// What can be asked of a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Webhook {
    status: Option<String>,
    scope: Option<String>,
    actions: Option<Vec<String>>,
    service_uri: Option<String>,
    custom_headers: Option<Map<String, Value>>,
}

/// Saves a webhook. `true`: it is new.
pub async fn put(cx: &mut Cx, registry: &Registry, webhook: &str, asked: Asked<Webhook>) -> Result<(Child, bool)> {
    let (mut hook, new) = begin(cx, registry, Kind::WEBHOOK, webhook).await?;
    let Asked { location, tags, properties: asked } = asked;
    let wrong = |property: &str, message: String| RequestError::InvalidValue { property: property.to_owned(), message };
    let location = location.map_or_else(|| registry.location.clone(), |location| name::location(&location));
    if new {
        // The services of a region know the registries that are there [issue].
        if !replications::regions(cx, registry).await?.contains(&location) {
            return Err(RegistryError::NotInRegion(registry.name.clone()).into());
        }
        hook.location = Some(location);
        hook.properties = Map::from_iter([
            ("status".to_owned(), json!("enabled")),
            ("scope".to_owned(), json!("")),
            ("actions".to_owned(), json!([])),
        ]);
    }
    if let Some(tags) = tags {
        hook.tags = Value::Object(tags);
    }
    if let Some(status) = asked.status {
        hook.properties.insert("status".to_owned(), json!(status_word(&status)?));
    }
    if let Some(scope) = asked.scope {
        hook.properties.insert("scope".to_owned(), json!(scope));
    }
    if let Some(actions) = asked.actions {
        let known = |action: &&String| ACTIONS.iter().any(|known| action.eq_ignore_ascii_case(known));
        if let Some(unknown) = actions.iter().find(|action| !known(action)) {
            return Err(wrong("actions", format!("\"{unknown}\" is not one of {}", ACTIONS.join(", "))).into());
        }
        let actions: Vec<String> = actions.iter().map(|action| action.to_ascii_lowercase()).collect();
        hook.properties.insert("actions".to_owned(), json!(actions));
    }
    if hook.actions().next().is_none() {
        return Err(missing("actions"));
    }
    let mut config = open_config(&cx.app, &hook)?;
    if let Some(uri) = asked.service_uri {
        let parsed = Url::parse(&uri).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        if uri.len() > ADDRESS || parsed.is_none() {
            let uri: String = uri.chars().take(ADDRESS).collect();
            return Err(wrong("serviceUri", format!("'{uri}' is not an address of http or https")).into());
        }
        config["serviceUri"] = json!(uri);
        config[ASKER] = json!(cx.caller.address);
    }
    if let Some(headers) = asked.custom_headers.map(Value::Object) {
        if headers.to_string().len() > HEADERS {
            return Err(wrong("customHeaders", format!("they are longer than {HEADERS} bytes")).into());
        }
        config["customHeaders"] = headers;
        config[ASKER] = json!(cx.caller.address);
    }
    if config["serviceUri"].as_str().is_none() {
        return Err(missing("serviceUri"));
    }
    let sealed = crypto::seal(&cx.app.master, &config_context(&hook), config.to_string().as_bytes(), &mut cx.rng())?;
    hook.sealed = Some(sealed);
    Ok((save(cx, hook).await?, new))
}

/// Sends a ping once the context is committed. Returns the event's id.
pub async fn ping(cx: &mut Cx, webhook: &Child) -> Result<String> {
    let id = cx.guid();
    let content = json!({"id": id, "timestamp": cx.now.zulu7(), "action": "ping"});
    post(cx, webhook, &content, None).await?;
    Ok(id)
}

/// What a webhook sent and what came back, newest first, as JSON: as many as [`EVENTS`] allows, at least one.
pub async fn events(cx: &mut Cx, webhook: &Child) -> Result<Vec<String>> {
    let mut events = Vec::new();
    let mut size = 0;
    for id in store::registry::children::event_ids(&mut cx.tx, webhook.id).await? {
        let Some(sealed) = store::registry::children::event(&mut cx.tx, id).await? else { continue };
        let event = shown(open_event(&cx.app, &sealed)?, &cx.caller).to_string();
        size += event.len();
        if size > EVENTS && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

/// An event as a caller sees it. What came back to a webhook of this machine's own is for callers of this machine: its
/// address may be one that nobody else reaches.
fn shown(mut event: Value, caller: &Caller) -> Value {
    let own = asker_of(&event).is_loopback();
    if let Some(event) = event.as_object_mut() {
        event.shift_remove(ASKER);
    }
    if own && !caller.address.is_loopback() {
        event["eventResponseMessage"]["content"] = json!("");
        event["eventResponseMessage"]["headers"] = json!({});
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_whole() {
        for (uri, told) in [
            ("http://host", "http://host/"),
            ("http://host?x", "http://host/?x"),
            ("http://host#x", "http://host/#x"),
            ("https://user:word@host:8443/a?b=/c", "https://user:word@host:8443/a?b=/c"),
            ("http://[::1]:5000", "http://[::1]:5000/"),
        ] {
            assert_eq!(whole(uri), told);
        }
    }

    #[test]
    fn scopes_cover_what_the_documentation_says() {
        let push = Event::push("team/app", Some("v1"), "sha256:0", "m", 1);
        for (scope, covered) in [
            ("", true),
            ("team/app:*", true),
            ("team/app:v1", true),
            ("team/*:*", true),
            ("team/app", false),
            ("team/app:v2", false),
            ("other:*", false),
        ] {
            assert_eq!(push.within(scope), covered, "{scope}");
        }
        assert!(Event::push("a", Some("latest"), "sha256:0", "m", 1).within("a"));
        assert!(Event::delete("a", "sha256:0", None).within("a:v1"));
        assert!(!Event::delete("a", "sha256:0", None).within("b:*"));
    }
}
