//! Key Vault's data plane: `NAME.vault.azure.net`. Who may, then what is asked, then the answer, all in Key
//! Vault's own dialect. Source of the wire facts: reference keyvault.md A.
//! Must not know: registries exist; how a key is kept.

mod api;
mod body;
mod certificates;
mod dialect;
mod keys;
mod objects;
mod paging;
mod recording;
mod route;
mod secrets;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::app::change::{Admission, Attempt};
use crate::app::directory::tokens;
use crate::app::vault::{object, vaults};
use crate::app::{App, Cx, faults};
use crate::domain::access::{Caller, Permission};
use crate::domain::directory::identity::PrincipalKind;
use crate::domain::error::{AccessError, RequestError};
use crate::domain::fault::{Service, Touch};
use crate::domain::vault::Vault;
use crate::domain::vault::object::check_name;
use crate::domain::{Error, Result};
use crate::http::call::{Call, Code};
use recording::{About, Recording};
use route::Route;

/// All that can be asked of a vault. A row's words come before the names and versions of later rows.
const TABLE: &[&[Route]] = &[keys::ROUTES, secrets::ROUTES, certificates::ROUTES];

/// What the rows are called in the audit log.
#[must_use]
pub fn operations() -> BTreeSet<&'static str> {
    TABLE.iter().flat_map(|rows| rows.iter()).map(|row| row.operation).collect()
}

/// What a handler works with: the request after its token was found good.
struct Asked<'a> {
    app: Arc<App>,
    recording: &'a Recording,
    caller: Caller,
    /// The store's generation from before the caller was looked up.
    generation: u64,
    /// The vault's name: the host's first label.
    vault: String,
    /// The object's name; empty where none is asked for.
    name: String,
    version: Option<String>,
    api: api::Api,
    host: String,
    port: u16,
    path: String,
    most: Option<String>,
    token: Option<String>,
    /// The body as JSON. Whether it is good is told only after the gate (keyvault.md D.1), so what came of
    /// reading it is kept until then.
    body: Result<Value>,
}

/// What a handler gives: a body (none is 204), and what the headers and the audit log tell of the vault.
struct Reply {
    body: Option<Value>,
    region: String,
    vault_id: String,
    roles: bool,
    about: About,
    /// Its audit record was written with what the call changed.
    recorded: bool,
}

impl Reply {
    fn new(vault: &Vault, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(vault) }
    }

    fn empty(vault: &Vault) -> Self {
        Self {
            body: None,
            region: vault.location.clone(),
            vault_id: vault.arm_id(),
            roles: vault.uses_roles(),
            about: About::default(),
            recorded: false,
        }
    }

    fn about(self, about: About) -> Self {
        Self { about, ..self }
    }
}

/// Answers a call.
pub async fn answer(app: Arc<App>, call: Call) -> Response {
    let frame = Frame::new(&call);
    // Private link diagnostics ask for it without a token [docs]; the body is inferred from its length.
    if call.path.eq_ignore_ascii_case("/healthstatus") {
        return frame.response(StatusCode::OK, Some("true".to_owned()), None);
    }
    let mut recording = Recording::new(&app, &call, vault_of(&call));
    match handle(app.clone(), call, &mut recording).await {
        Ok(reply) => {
            if !reply.recorded {
                app.audit().call(recording.done(&reply));
            }
            match reply.body {
                Some(body) => frame.response(StatusCode::OK, Some(body.to_string()), Some(&reply.region)),
                None => frame.response(StatusCode::NO_CONTENT, None, Some(&reply.region)),
            }
        }
        Err(error) => {
            let said = dialect::say(&error);
            recording.refused(&app, &error, &said).await;
            log(&error);
            let mut response = frame.response(said.status, Some(said.body().to_string()), None);
            response.extensions_mut().insert(Code(said.code().to_owned()));
            if said.status == StatusCode::UNAUTHORIZED
                && let Ok(challenge) = HeaderValue::from_str(&dialect::challenge(frame.port))
            {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// Notes in the log what a client cannot see the reason of, or the cure.
fn log(error: &Error) {
    match error {
        failure if failure.is_trouble() => tracing::error!("{failure}"),
        Error::Request(RequestError::NotEmulated(what)) => tracing::warn!("not emulated: Key Vault, {what}"),
        Error::Access(refused) => {
            let AccessError::Role { caller, action, vault, .. } = &**refused else { return };
            let role =
                if action.contains("/secrets/") { "Key Vault Secrets Officer" } else { "Key Vault Crypto Officer" };
            let kind = if caller.kind == PrincipalKind::User { "User" } else { "ServicePrincipal" };
            let (name, id) = (&vault.name, &caller.object_id);
            tracing::warn!(
                "vault {name} decides by roles, and {caller} has none that gives {action}. Give it one: \
                 az role assignment create --role '{role}' --assignee-object-id {id} --assignee-principal-type {kind} \
                 --scope \"$(az keyvault show --name {name} --query id --output tsv)\" ; or go over to access policies: \
                 az keyvault update --name {name} --enable-rbac-authorization false"
            );
        }
        _ => {}
    }
}

/// The vault's name: the host's first label.
fn vault_of(call: &Call) -> &str {
    call.host.split('.').next().unwrap_or_default()
}

async fn handle(app: Arc<App>, mut call: Call, recording: &mut Recording) -> Result<Reply> {
    // From before the first read, so that nothing is remembered that was true only then.
    let generation = app.generation();
    let vault = vault_of(&call).to_owned();
    // A client that followed the challenge on another port asks for a token for that very resource.
    let resource = dialect::resource(port(&call));
    let audiences = [tokens::VAULT, &[resource.as_str()]].concat();
    let caller = match tokens::authenticate(&app, call.bearer(), &audiences, call.address).await {
        Ok(caller) => caller,
        Err(refusal) => {
            // On Azure the name of a vault that does not exist does not resolve: say that first.
            let mut cx = app.read(Caller::system()).await?;
            vaults::living(&mut cx, &vault).await?;
            return Err(refusal);
        }
    };
    recording.caller(&caller);
    recording.operation("InvalidRequest");
    let version = call.query("api-version").filter(|v| !v.is_empty()).ok_or(RequestError::ApiVersionMissing)?;
    let api = api::Api::read(version)?;
    let segments = route::segments(&call.path);
    let (route, place) = route::find(TABLE, &route::method(&call), &call.path, &segments)?;
    recording.operation(route.operation);
    // A name is judged before the object is looked for [issue], and before the gate [inferred].
    place.name.map_or(Ok(()), check_name)?;
    meet_fault(&app, &mut call, route, place.name.unwrap_or_default(), &caller, &vault).await?;
    let body = call.json().await;
    let asked = Asked {
        app,
        recording,
        caller,
        generation,
        vault,
        name: place.name.unwrap_or_default().to_owned(),
        version: place.version.map(str::to_owned),
        api,
        port: port(&call),
        most: call.query("maxresults"),
        token: call.query("$skiptoken"),
        host: call.host,
        path: call.path,
        body,
    };
    (route.handler)(&asked).await
}

/// Meets the fault that a test asked for this operation, if it did.
async fn meet_fault(
    app: &App,
    call: &mut Call,
    route: &Route,
    object: &str,
    caller: &Caller,
    vault: &str,
) -> Result<()> {
    if !app.faults().any(Service::KeyVault) {
        return Ok(());
    }
    let (operations, callers) = ([route.operation], faults::names(caller));
    let touch = Touch { vault, key: object, callers: &callers, ..Touch::of(Service::KeyVault, &operations) };
    faults::meet(app, &call.fate, &touch).await
}

/// The port of the request's authority; 443 where it has none.
fn port(call: &Call) -> u16 {
    call.authority.strip_prefix(&call.host).and_then(|rest| rest.strip_prefix(':')?.parse().ok()).unwrap_or(443)
}

/// What every answer carries.
struct Frame {
    client_request_id: Option<HeaderValue>,
    address: IpAddr,
    port: u16,
}

impl Frame {
    fn new(call: &Call) -> Self {
        Self {
            client_request_id: call.headers.get("x-ms-client-request-id").cloned(),
            address: call.address,
            port: port(call),
        }
    }

    /// An answer with Key Vault's headers [recorded 2022-2023].
    fn response(&self, status: StatusCode, body: Option<String>, region: Option<&str>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(header::EXPIRES, HeaderValue::from_static("-1"));
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        if let Some(region) = region.and_then(|r| HeaderValue::from_str(r).ok()) {
            headers.insert("x-ms-keyvault-region", region);
        }
        if let Some(id) = &self.client_request_id {
            headers.insert("x-ms-client-request-id", id.clone());
        }
        if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
            headers.insert("x-ms-request-id", id);
        }
        headers.insert("x-ms-keyvault-service-version", HeaderValue::from_static("1.9.1054.1"));
        let (kind, family) = match self.address {
            IpAddr::V4(_) => ("Ipv4", "InterNetwork"),
            IpAddr::V6(_) => ("Ipv6", "InterNetworkV6"),
        };
        let network = format!("conn_type={kind};addr={};act_addr_fam={family};", self.address);
        if let Ok(network) = HeaderValue::from_str(&network) {
            headers.insert("x-ms-keyvault-network-info", network);
        }
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000;includeSubDomains"));
        if let Some(body) = body {
            *response.body_mut() = Body::from(body);
        }
        response
    }
}

impl Asked<'_> {
    /// The version asked for; `None`: the newest.
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// A context that reads.
    async fn reading(&self) -> Result<Cx> {
        self.app.read(self.caller.clone()).await
    }

    /// A context that writes.
    async fn write(&self) -> Result<Cx> {
        self.app.write_for(&Admission::of(&self.caller)).await
    }

    /// Makes a change of which a part takes long, and commits it together with its audit record.
    async fn change<I: Sync>(
        &self,
        asked: &I,
        verb: impl for<'a> Fn(&'a mut Cx, &'a I) -> Attempt<'a, Reply> + Send + Sync,
    ) -> Result<Reply> {
        self.app.change(&Admission::of(&self.caller), asked, verb).await
    }

    /// Commits what a call changed together with its audit record.
    async fn commit(&self, mut cx: Cx, reply: Reply) -> Result<Reply> {
        let reply = self.recorded(&mut cx, reply);
        cx.commit().await?;
        Ok(reply)
    }

    /// Has the audit record of a call left with what it changed.
    fn recorded(&self, cx: &mut Cx, reply: Reply) -> Reply {
        cx.record(&self.recording.done(&reply));
        Reply { recorded: true, ..reply }
    }

    /// Reads the body.
    fn read<T>(&self, read: impl FnOnce(&Value) -> Result<T>) -> Result<T> {
        read(self.body.as_ref().map_err(Clone::clone)?)
    }

    /// Reads the body for what needs a permission.
    async fn body<T>(&self, permission: Permission, read: impl FnOnce(&Value) -> Result<T>) -> Result<T> {
        self.gated(permission, self.read(read)).await
    }

    /// Lets a wrong request be told only to those who may make a good one (keyvault.md D.1 step 8).
    async fn gated<T>(&self, permission: Permission, read: Result<T>) -> Result<T> {
        if read.is_err() {
            let object = Some(self.name.as_str()).filter(|name| !name.is_empty());
            object::admit(&mut self.reading().await?, &self.vault, permission, object).await?;
        }
        read
    }

    /// `https://NAME.vault.azure.net`, with the port under which the client sees it.
    fn base(&self) -> String {
        match self.port {
            443 => format!("https://{}", self.host),
            port => format!("https://{}:{port}", self.host),
        }
    }
}
