//! Webhooks: who is told about pushes and deletions, and the telling, after the commit and beside requests.
//! Must not know: how a request goes out (see outgoing), what lies in a registry.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::outgoing::{Message, Outgoing};
use super::registry_children::{begin, missing, save, status_word};
use super::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry_child::{Child, Kind};
use crate::domain::{Error, Result, crypto, name};
use crate::store;

/// What a webhook may be told about [spec]. `chart_push` and `chart_delete` never happen: they tell of the store that
/// `az acr helm` wrote to, which is retired; a chart pushed as an OCI artifact is a `push` [docs].
const ACTIONS: [&str; 5] = ["push", "delete", "quarantine", "chart_push", "chart_delete"];
/// Events that may wait to be sent. Beyond that they are lost, and the log says so.
const WAITING: usize = 1000;
/// Requests on the way at a time.
const AT_ONCE: usize = 8;
/// How often an event is tried.
const ATTEMPTS: u32 = 3;
/// The pause after the first failed attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of an answer that are kept.
const BODY: usize = 64 * 1024;
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
        Self { action: "push", repository: repository.to_owned(), tag: tag.map(str::to_owned), target, method: "PUT" }
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
        Self { action: "quarantine", repository, tag, target, method: "PUT" }
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
        Self { action: "delete", repository: repository.to_owned(), tag: None, target, method: "DELETE" }
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

/// An event for a webhook, ready to go.
#[derive(Debug)]
struct Ready {
    webhook: Child,
    content: Value,
}

#[derive(Debug)]
enum Job {
    /// Tells all webhooks of a registry that want to know.
    Happened(Box<(Registry, Event)>),
    /// Tells one.
    One(Box<Ready>),
}

/// The events that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue(OnceLock<mpsc::Sender<Job>>);

impl Queue {
    fn add(&self, job: Job) {
        // An emulator without a way out (a unit test's) sends nothing.
        let Some(sender) = self.0.get() else { return };
        if sender.try_send(job).is_err() {
            tracing::warn!("too many webhook events wait to be sent; one is lost");
        }
    }

    /// To be called once what happened is committed.
    pub(super) fn committed(&self, happened: Vec<(Registry, Event)>) {
        happened.into_iter().for_each(|h| self.add(Job::Happened(Box::new(h))));
    }
}

/// Notes what happened in a registry: its webhooks are told when, and only if, the context is committed.
pub fn happened(cx: &mut Cx, registry: &Registry, event: Event) {
    cx.happened.push((registry.clone(), event));
}

/// Begins to send. Ends with the app.
pub fn start(app: &Arc<App>, outgoing: Arc<dyn Outgoing>) {
    let (sender, mut jobs) = mpsc::channel(WAITING);
    if app.webhooks.0.set(sender).is_err() {
        return;
    }
    let app = Arc::downgrade(app);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    tokio::spawn(async move {
        while let Some(job) = jobs.recv().await {
            let Some(app) = app.upgrade() else { return };
            let ready = match job {
                Job::One(ready) => vec![*ready],
                Job::Happened(happened) => match wanting(&app, &happened.0, &happened.1).await {
                    Ok(ready) => ready,
                    Err(error) => {
                        tracing::error!(%error, "a webhook event could not be prepared");
                        continue;
                    }
                },
            };
            for ready in ready {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let (app, outgoing) = (app.clone(), outgoing.clone());
                tokio::spawn(async move {
                    let webhook = ready.webhook.name.clone();
                    if let Err(error) = deliver(&app, outgoing.as_ref(), ready).await {
                        tracing::error!(%webhook, %error, "a webhook event could not be kept");
                    }
                    drop(place);
                });
            }
        }
    });
}

/// The webhooks of a registry that want to know of an event.
async fn wanting(app: &Arc<App>, registry: &Registry, event: &Event) -> Result<Vec<Ready>> {
    let mut cx = app.read_now(Caller::system()).await?;
    let webhooks = store::registry_children::list(&mut cx.tx, registry.id, Kind::Webhook).await?;
    let wants = |hook: &Child| {
        let actions = hook.properties.get("actions").and_then(Value::as_array);
        hook.enabled()
            && actions.is_some_and(|a| a.iter().any(|a| a.as_str() == Some(event.action)))
            && event.within(hook.text("scope"))
    };
    let ready = webhooks.into_iter().filter(wants).map(|webhook| {
        let content = json!({
            "id": cx.guid(), "timestamp": cx.now.zulu7(), "action": event.action, "target": event.target,
            "request": {
                "id": cx.guid(), "host": registry.login_server(), "method": event.method, "useragent": "",
            },
        });
        Ready { webhook, content }
    });
    Ok(ready.collect())
}

/// Sends, at most [`ATTEMPTS`] times, and keeps what was sent and what came back last.
async fn deliver(app: &Arc<App>, outgoing: &dyn Outgoing, ready: Ready) -> Result<()> {
    let config = config_of(app, &ready.webhook)?;
    let body = ready.content.to_string();
    let uri = config["serviceUri"].as_str().unwrap_or_default().to_owned();
    let mut headers = vec![("User-Agent".to_owned(), "AzureContainerRegistry/1.0".to_owned())];
    for (name, value) in config["customHeaders"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    headers.push(("traceparent".to_owned(), traceparent()));
    headers.push(("X-Forwarded-For".to_owned(), "true".to_owned())); // [recorded]
    headers.push(("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()));
    headers.push(("Content-Length".to_owned(), body.len().to_string()));
    let message = Message { method: "POST", uri: uri.clone(), headers: headers.clone(), body };
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
            tracing::info!(webhook = %ready.webhook.name, %why, "a webhook's target did not answer");
            json!({"content": why, "headers": {}, "reasonPhrase": "Bad Gateway", "statusCode": "502", "version": "1.1"})
        }
    };
    let event = json!({
        "eventRequestMessage": {
            "content": ready.content, "headers": document(&headers), "method": "POST", "requestUri": whole(&uri),
            "version": "1.1",
        },
        "eventResponseMessage": response, "id": ready.content["id"],
    });
    let mut cx = app.write_now(Caller::system()).await?;
    let sealed = crypto::seal(&app.master, EVENT, event.to_string().as_bytes(), &mut cx.rng())?;
    store::registry_children::add_event(&mut cx.tx, ready.webhook.id, &sealed, KEPT).await?;
    cx.commit().await
}

/// An address with the path that it stands for [recorded: `http://host` is told as `http://host/`].
fn whole(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    if rest.contains('/') { uri.to_owned() } else { format!("{uri}/") }
}

const EVENT: &[u8] = b"webhook event";

fn document(headers: &[(String, String)]) -> Value {
    Value::Object(headers.iter().map(|(n, v)| (n.clone(), json!(v))).collect())
}

fn traceparent() -> String {
    let mut bytes = [0; 24];
    rand::Rng::fill_bytes(&mut super::rng(), &mut bytes);
    format!("00-{}-{}-01", crypto::hex(&bytes[..16]), crypto::hex(&bytes[16..]))
}

fn config_context(webhook: &Child) -> Vec<u8> {
    format!("webhook {} of registry {}", webhook.name.to_ascii_lowercase(), webhook.registry).into_bytes()
}

/// A webhook's address and custom headers: `{"serviceUri", "customHeaders"}`. No other answer shows them.
pub fn config_of(app: &App, webhook: &Child) -> Result<Value> {
    let Some(sealed) = &webhook.sealed else { return Ok(json!({})) };
    let opened = crypto::open(&app.master, &config_context(webhook), sealed)?;
    serde_json::from_slice(&opened).map_err(Error::internal)
}

/// Saves a webhook from the document of a PUT or a PATCH. `true`: it is new.
pub async fn put(cx: &mut Cx, registry: &Registry, webhook: &str, body: &Value) -> Result<(Child, bool)> {
    let (mut hook, new) = begin(cx, registry, Kind::Webhook, webhook).await?;
    let asked = body["properties"].as_object().cloned().unwrap_or_default();
    let wrong = |property: &str, message: String| RequestError::InvalidValue { property: property.to_owned(), message };
    let location = body["location"].as_str().map_or_else(|| registry.location.clone(), name::location);
    if new {
        hook.location = Some(location);
        hook.properties = Map::from_iter([
            ("status".to_owned(), json!("enabled")),
            ("scope".to_owned(), json!("")),
            ("actions".to_owned(), json!([])),
        ]);
    }
    if let Some(tags) = body.get("tags").filter(|t| t.is_object()) {
        hook.tags = tags.clone();
    }
    if let Some(status) = asked.get("status").filter(|s| !s.is_null()) {
        hook.properties.insert("status".to_owned(), json!(status_word(status)?));
    }
    if let Some(scope) = asked.get("scope").and_then(Value::as_str) {
        hook.properties.insert("scope".to_owned(), json!(scope));
    }
    if let Some(actions) = asked.get("actions").and_then(Value::as_array) {
        let known = |a: &Value| ACTIONS.iter().any(|known| a.as_str().is_some_and(|a| a.eq_ignore_ascii_case(known)));
        if let Some(unknown) = actions.iter().find(|a| !known(a)) {
            return Err(wrong("actions", format!("{unknown} is not one of {ACTIONS:?}")).into());
        }
        let actions: Vec<String> = actions.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
        hook.properties.insert("actions".to_owned(), json!(actions));
    }
    if hook.properties["actions"].as_array().is_none_or(Vec::is_empty) {
        return Err(missing("actions"));
    }
    let mut config = config_of(&cx.app, &hook)?;
    if let Some(uri) = asked.get("serviceUri").and_then(Value::as_str) {
        let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
        if rest.is_none_or(|r| r.is_empty() || r.starts_with('/')) {
            return Err(wrong("serviceUri", format!("'{uri}' is not an address of http or https")).into());
        }
        config["serviceUri"] = json!(uri);
    }
    if let Some(headers) = asked.get("customHeaders").filter(|h| h.is_object()) {
        config["customHeaders"] = headers.clone();
    }
    if config["serviceUri"].as_str().is_none() {
        return Err(missing("serviceUri"));
    }
    let sealed = crypto::seal(&cx.app.master, &config_context(&hook), config.to_string().as_bytes(), &mut cx.rng())?;
    hook.sealed = Some(sealed);
    Ok((save(cx, hook).await?, new))
}

/// Sends a ping. Returns the event's id.
pub fn ping(cx: &Cx, webhook: Child) -> String {
    let id = cx.guid();
    let content = json!({"id": id, "timestamp": cx.now.zulu7(), "action": "ping"});
    cx.app.webhooks.add(Job::One(Box::new(Ready { webhook, content })));
    id
}

/// What a webhook sent and what came back, newest first.
pub async fn events(cx: &mut Cx, webhook: &Child) -> Result<Vec<Value>> {
    let sealed = store::registry_children::events(&mut cx.tx, webhook.id).await?;
    let open = |sealed: Vec<u8>| {
        let opened = crypto::open(&cx.app.master, EVENT, &sealed)?;
        serde_json::from_slice(&opened).map_err(Error::internal)
    };
    sealed.into_iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
