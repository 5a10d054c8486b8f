//! One visit: who asks for which page in which language, what was typed, and the calls made for it, which go to
//! Azure's own front ends as whom the visitor chose to be.
//! Must not know: any page.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::labels::{Label, Lang};
use super::refusal::Refusal;
use crate::app::App;
use crate::app::directory::sign_in;
use crate::app::timeline::Shown;
use crate::domain::world::well_known::{SUBSCRIPTION_ID, TENANT_ID};
use crate::http::inside::{self, Reply};

/// The api-version of the calls to resource management.
pub(super) const API: &str = "2025-11-01";
const VAULT_API: &str = "7.4";
const ARM: &str = "https://management.azure.com";
/// How many items are offered to choose from.
const CHOICES: usize = 1000;
/// Bytes of a body that an exchange shows.
const SHOWN_BODY: usize = 6000;
/// Members whose values are secrets.
const SECRETS: [&str; 14] = [
    "logLink",
    "uploadUrl",
    "passwords",
    "password",
    "secretText",
    "access_token",
    "refresh_token",
    "token",
    "d",
    "p",
    "q",
    "dp",
    "dq",
    "qi",
];

/// Whom the visitor acts as.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) object_id: String,
    pub(super) name: String,
}

/// One call and what came of it, without tokens and secrets.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) sent: String,
    pub(super) status: u16,
    pub(super) answer: String,
}

/// What an action did.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) az: Vec<String>,
    pub(super) exchanges: Vec<Exchange>,
    /// What is shown once, such as a copied value.
    pub(super) note: String,
}

pub(super) struct Visit {
    pub(super) app: Arc<App>,
    pub(super) lang: Lang,
    pub(super) who: Who,
    pub(super) form_token: String,
    /// The page's path and query.
    pub(super) here: String,
    pub(super) query: Vec<(String, String)>,
    /// Of a form that was sent.
    pub(super) typed: Vec<(String, String)>,
    pub(super) posted: bool,
    pub(super) problem: Option<Refusal>,
    pub(super) clock: Shown,
    pub(super) done: Option<Arc<Done>>,
    pub(super) exchanges: Vec<Exchange>,
    /// The az lines of what was done or shown.
    pub(super) az: Vec<String>,
    pub(super) note: String,
    tokens: HashMap<&'static str, String>,
}

pub(super) type Answer<T = Value> = Result<T, Refusal>;

impl Visit {
    pub(super) fn new(app: Arc<App>, lang: Lang, who: Who, form_token: String, clock: Shown) -> Self {
        Self {
            app,
            lang,
            who,
            form_token,
            here: String::new(),
            query: Vec::new(),
            typed: Vec::new(),
            posted: false,
            problem: None,
            clock,
            done: None,
            exchanges: Vec::new(),
            az: Vec::new(),
            note: String::new(),
            tokens: HashMap::new(),
        }
    }

    pub(super) fn t(&self, label: Label) -> &'static str {
        label.in_language(self.lang)
    }

    /// A query parameter; empty where it is not there.
    pub(super) fn asked(&self, name: &str) -> &str {
        found(&self.query, name).unwrap_or_default()
    }

    /// What was typed into a field, without blanks around it.
    pub(super) fn typed(&self, name: &str) -> &str {
        found(&self.typed, name).unwrap_or_default().trim()
    }

    pub(super) fn typed_all(&self, name: &str) -> Vec<&str> {
        self.typed.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// What a field holds: what was typed, else what the address asks for, else `usual`.
    pub(super) fn value<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        let from = if self.posted { &self.typed } else { &self.query };
        found(from, name).unwrap_or(if self.posted { "" } else { usual })
    }

    /// The same of boxes that may be ticked.
    pub(super) fn ticked(&self, name: &str, value: &str, usual: &[String]) -> bool {
        let from = if self.posted { &self.typed } else { &self.query };
        let given = self.posted || from.iter().any(|(n, _)| n == name);
        if given { from.iter().any(|(n, v)| n == name && v == value) } else { usual.iter().any(|u| u == value) }
    }

    pub(super) fn az(&mut self, line: impl Into<String>) {
        self.az.push(line.into());
    }

    /// A call to resource management. The path may hold a query.
    pub(super) async fn arm(&mut self, method: &str, path: &str, body: Value) -> Answer {
        self.arm_at(method, path, API, body).await
    }

    pub(super) async fn arm_at(&mut self, method: &str, path: &str, version: &str, body: Value) -> Answer {
        let and = if path.contains('?') { '&' } else { '?' };
        let url = format!("{ARM}{}{and}api-version={version}", encode_path(path));
        self.json("https://management.azure.com", method, &url, body).await
    }

    /// A list with all its pages, for choices; it ends after [`CHOICES`].
    pub(super) async fn whole(&mut self, path: &str) -> Answer {
        let mut list = self.arm("GET", path, Value::Null).await?;
        while let Some(next) = list["nextLink"].as_str().map(str::to_owned) {
            if items(&list).count() >= CHOICES {
                break;
            }
            let mut page = self.follow(&next).await?;
            let mut all = std::mem::take(&mut list["value"]);
            if let (Value::Array(all), Value::Array(more)) = (&mut all, page["value"].take()) {
                all.extend(more);
            }
            page["value"] = all;
            list = page;
        }
        Ok(list)
    }

    /// A page of a list: the first, or the one that the address asks for.
    pub(super) async fn page(&mut self, path: &str) -> Answer {
        match self.asked("after").to_owned() {
            after if after.is_empty() => self.arm("GET", path, Value::Null).await,
            after => self.follow(&after).await,
        }
    }

    /// The next page of a list, by its own link.
    pub(super) async fn follow(&mut self, link: &str) -> Answer {
        let audience = if link.contains(".vault.azure.net") { VAULT } else { ARM };
        let own = link.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#', ':']).next());
        let ours = own.is_some_and(|host| host == "management.azure.com" || host.ends_with(".vault.azure.net"));
        if !ours || link.contains('@') {
            return Err(Refusal::new(400, "BadRequest", "This link leads to no list."));
        }
        self.json(audience, "GET", link, Value::Null).await
    }

    /// What lies behind a signed link of the tasks' account, as text. Links are not shown: whoever has one may read.
    pub(super) async fn linked(&self, link: &str) -> Answer<String> {
        let reply = inside::ask(&self.app, "GET", link, &[("x-ms-version", "2019-12-12")], "").await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let missing = || Refusal::new(reply.status, "LogNotAvailable", "The log of this run is not available.");
        if reply.status == 200 { Ok(text) } else { Err(missing()) }
    }

    /// A call to a vault's data plane.
    pub(super) async fn vault(&mut self, vault: &str, method: &str, path: &str, body: Value) -> Answer {
        // It becomes part of a host: what cannot stand there names no vault.
        if vault.is_empty() || !vault.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Refusal::new(404, "VaultNotFound", format!("There is no vault '{vault}'.")));
        }
        let and = if path.contains('?') { '&' } else { '?' };
        let url = format!("https://{vault}.vault.azure.net/{}{and}api-version={VAULT_API}", encode_path(path));
        self.json(VAULT, method, &url, body).await
    }

    /// A call to Graph.
    pub(super) async fn graph(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let url = format!("https://graph.microsoft.com/v1.0/{path}");
        self.json("https://graph.microsoft.com", method, &url, body).await
    }

    /// A call to a registry, with a token for `scope`. The answer whole: lists go on by a header.
    pub(super) async fn registry(&mut self, server: &str, scope: &str, path: &str, accept: &str) -> Answer<Reply> {
        self.registry_call(server, scope, "GET", path, accept).await
    }

    pub(super) async fn registry_call(
        &mut self,
        server: &str,
        scope: &str,
        method: &str,
        path: &str,
        accept: &str,
    ) -> Answer<Reply> {
        let entra = self.token("https://management.azure.com").await?;
        let form =
            |pairs: &[(&str, &str)]| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let exchange = form(&[("grant_type", "access_token"), ("service", server), ("access_token", &entra)]);
        let refresh = self.registry_token(server, "exchange", exchange, "refresh_token").await?;
        let asked =
            [("grant_type", "refresh_token"), ("service", server), ("scope", scope), ("refresh_token", &refresh)];
        let access = self.registry_token(server, "token", form(&asked), "access_token").await?;
        let url = format!("https://{server}{path}");
        let bearer = format!("Bearer {access}");
        let reply = inside::ask(&self.app, method, &url, &[("authorization", &bearer), ("accept", accept)], "").await?;
        let body = read(&reply.body);
        self.exchanged(method, &url, &Value::Null, reply.status, &body);
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(Refusal::read(reply.status, &body)) }
    }

    async fn registry_token(&mut self, server: &str, path: &str, form: String, member: &str) -> Answer<String> {
        let url = format!("https://{server}/oauth2/{path}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = inside::ask(&self.app, "POST", &url, &headers, form).await?;
        let body = read(&reply.body);
        match body[member].as_str() {
            Some(token) if reply.status == 200 => Ok(token.to_owned()),
            _ => {
                self.exchanged("POST", &url, &Value::Null, reply.status, &body);
                Err(Refusal::read(reply.status, &body))
            }
        }
    }

    async fn json(&mut self, audience: &'static str, method: &str, url: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {}", self.token(audience).await?);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let sent = if body.is_null() { String::new() } else { body.to_string() };
        let reply = inside::ask(&self.app, method, url, &headers, sent).await?;
        let answer = read(&reply.body);
        self.exchanged(method, url, &body, reply.status, &answer);
        if (200..300).contains(&reply.status) { Ok(answer) } else { Err(Refusal::read(reply.status, &answer)) }
    }

    async fn token(&mut self, audience: &'static str) -> Answer<String> {
        if let Some(token) = self.tokens.get(audience) {
            return Ok(token.clone());
        }
        let token = sign_in::on_behalf_of(&self.app, &self.who.object_id, audience).await?;
        self.tokens.insert(audience, token.clone());
        Ok(token)
    }

    fn exchanged(&mut self, method: &str, url: &str, sent: &Value, status: u16, answer: &Value) {
        self.exchanges.push(Exchange {
            method: method.to_owned(),
            url: url.to_owned(),
            sent: shown(sent),
            status,
            answer: shown(answer),
        });
    }
}

const VAULT: &str = "https://vault.azure.net";

fn found<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// A body as an exchange shows it.
fn shown(body: &Value) -> String {
    if body.is_null() {
        return String::new();
    }
    let mut body = body.clone();
    hide(&mut body);
    let mut text = format!("{body:#}");
    if text.len() > SHOWN_BODY {
        let end = (0..=SHOWN_BODY).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str("\n…");
    }
    text
}

/// Takes the values of secrets out of a body.
fn hide(body: &mut Value) {
    match body {
        Value::Object(members) => {
            // Symmetric keys and the contents of secrets.
            for (name, value) in members.iter_mut() {
                if SECRETS.contains(&name.as_str()) || (name == "k" && value.is_string()) {
                    *value = json!("***");
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// What a path and query hold beyond visible ASCII, quoted; what is quoted already stays.
pub(super) fn encode_path(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const UNSAFE: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'`')
        .add(b'#')
        .add(b'\\')
        .add(b'{')
        .add(b'}')
        .add(b'|')
        .add(b'^');
    utf8_percent_encode(path, UNSAFE).to_string()
}

/// A query that holds values as they were typed, quoted; its `&` and `=` stay.
pub(super) fn encode_query(query: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'&')
        .remove(b'=')
        .remove(b'$')
        .remove(b'-')
        .remove(b'(')
        .remove(b')')
        .remove(b',')
        .remove(b'\'');
    utf8_percent_encode(query, UNSAFE).to_string()
}

/// One segment of a path, quoted.
pub(super) fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// A word of a command line, quoted where a shell would read it otherwise.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,[]".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

pub(super) fn subscription() -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}")
}

pub(super) fn group_id(group: &str) -> String {
    format!("{}/resourceGroups/{}", subscription(), segment(group))
}

pub(super) fn tenant() -> &'static str {
    TENANT_ID
}

/// The items of a list.
pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["value"].as_array().into_iter().flatten()
}

/// A member as text; empty where it is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_hold_no_secrets() {
        let body = json!({"username": "u", "passwords": [{"name": "password", "value": "s3cret"}],
            "key": {"kty": "RSA", "d": "s3cret", "n": "abc"}, "refresh_token": "s3cret"});
        let shown = shown(&body);
        assert!(!shown.contains("s3cret") && shown.contains("abc"), "{shown}");
    }

    #[test]
    fn words_are_quoted_for_shells() {
        assert_eq!(word("my-registry"), "my-registry");
        assert_eq!(word("a b'c"), r"'a b'\''c'");
        assert_eq!(word(""), "''");
    }
}
