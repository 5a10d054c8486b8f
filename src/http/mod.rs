//! The protocol front ends: decode, call a verb, encode. Which host is which service is said here.
//! Must not know: SQL, how a socket or a certificate works.

pub mod arm;
pub mod call;
pub mod control;
pub mod entra;
mod faults;
pub mod graph;
pub mod inside;
pub mod keyvault;
mod leftover;
pub mod odata;
pub mod outgoing;
pub mod portal;
pub mod registry;
pub mod storage;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::response::Response;
use tower::service_fn;

use crate::app::faults::Fate;
use crate::app::world::{carry, clock};
use crate::app::{App, seen};
use crate::domain::registry::tasks::sas;
use call::{Call, Code, Within};
use leftover::{Leftover, Patience};

/// The names of the emulator itself. What answers there is for clients on this machine.
const OWN: [&str; 4] = ["localhost", "127.0.0.1", "::1", "[::1]"];

/// The portal by Azure's name for it.
const PORTAL: &str = "portal.azure.com";

/// The service that answers for a host (lower case, no port), or `None` where the host is not emulated.
#[must_use]
pub fn service_for(host: &str, app: &Arc<App>) -> Option<Router> {
    if OWN.contains(&host) { Some(front_end(app, Patience::LITTLE, local)) } else { azure(host, app) }
}

/// The same for clients of other machines that did not show the instance's token.
#[must_use]
pub fn service_for_others(host: &str, app: &Arc<App>) -> Option<Router> {
    let own = OWN.contains(&host) || host == PORTAL;
    if own { Some(front_end(app, Patience::LITTLE, control::keep_out)) } else { azure(host, app) }
}

/// The service of Azure that a host is.
fn azure(host: &str, app: &Arc<App>) -> Option<Router> {
    match host {
        "management.azure.com" => Some(front_end(app, Patience::LITTLE, arm::answer)),
        "login.microsoftonline.com" | "login.windows.net" | "login.microsoft.com" | "sts.windows.net" => {
            Some(front_end(app, Patience::LITTLE, entra::answer))
        }
        "169.254.169.254" => Some(front_end(app, Patience::LITTLE, entra::managed_identity)),
        PORTAL => Some(front_end(app, Patience::LITTLE, portal::answer)),
        "graph.microsoft.com" => Some(front_end(app, Patience::LITTLE, graph::answer)),
        _ if is_below(host, "vault.azure.net") => Some(front_end(app, Patience::LITTLE, keyvault::answer)),
        _ if is_below(host, "azurecr.io") => Some(front_end(app, Patience::MUCH, registry::answer)),
        _ if host == sas::host() => Some(front_end(app, Patience::MUCH, storage::answer)),
        _ => None,
    }
}

/// The target of the log's lines that tell each request; they are not written unless it is asked for.
pub const REQUESTS: &str = "requests";

/// Whether a host offers no HTTP/2. The login servers of Azure answer clients that offer it by HTTP/1.1, and scripts look
/// for their headers by case, which HTTP/2 does not have [docs, recorded]. Clients that pull do so over several
/// connections in either version.
#[must_use]
pub fn speaks_http1(host: &str) -> bool {
    is_below(host, "azurecr.io")
}

/// The path of `IDENTITY_ENDPOINT` on the emulator's own host.
pub const IDENTITY_PATH: &str = "/acrite/v1/msi/token";

/// The path of the managed identity endpoint of virtual machines, there and on the emulator's own host: for clients
/// that ask an address of their own configuration, past every proxy.
pub const IMDS_PATH: &str = "/metadata/identity/oauth2/token";

/// The emulator's own host: the portal, the control API, and the managed identity endpoints.
async fn local(app: Arc<App>, call: Call) -> Response {
    if call.path == IDENTITY_PATH {
        entra::app_service_token(app, call).await
    } else if call.path.starts_with("/metadata/") {
        entra::managed_identity(app, call).await
    } else if portal::is_asked(&call) {
        portal::answer(app, call).await
    } else {
        control::answer(app, call).await
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).and_then(|h| h.strip_suffix('.')).is_some_and(|name| !name.is_empty())
}

/// One front end as a router: every request becomes a [`Call`] and gets an answer; refusals are rendered
/// inside, each in its own dialect, so nothing here can fail.
fn front_end<F, A>(app: &Arc<App>, patience: Patience, answer: F) -> Router
where
    F: Fn(Arc<App>, Call) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let app = app.clone();
    Router::new().fallback_service(service_fn(move |request: Request| {
        let (app, answer) = (app.clone(), answer.clone());
        async move {
            let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
            // What the portal reads to show a page is not what its visitors want to see.
            let reads_within = request.extensions().get::<Within>().is_some() && request.method() == Method::GET;
            let (request, leftover) = Leftover::of(request);
            let fate = if app.faults().any_at_all() { Fate::open() } else { Fate::default() };
            let mut call = Call::new(request, address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            call.fate = fate.clone();
            // The emulator's own host has other names too: the addresses by which it is reached.
            let own_path = ["/portal/", "/acrite/"].iter().any(|own| call.path.starts_with(own));
            let own = own_path || OWN.contains(&call.host.as_str()) || call.host == PORTAL;
            // Neither query nor headers: those hold tokens and signatures.
            let (method, host, path) = (call.method.clone(), call.host.clone(), call.path.clone());
            let (seen, began) = (app.clone(), clock::machine());
            // A client that hangs up does not undo half of a write.
            let answer = faults::ended(&fate, carry::carried(answer(app, call)).await);
            let (status, code) = (answer.status().as_u16(), answer.extensions().get::<Code>());
            let (at, code) = (clock::machine(), code.map_or("-", |code| &code.0));
            let took = at.0 - began.0;
            // Whoever follows the log asks for it, and would wake himself.
            if !path.starts_with("/acrite/v1/logs") {
                tracing::info!(target: REQUESTS, status, code, %method, host, path, ms = took / 1000, "answered");
            }
            if status >= 400 {
                tracing::debug!(status, code, %method, host, path, "refused");
            }
            if !own && !reads_within {
                let (method, code) = (method.to_string(), code.trim_start_matches('-').to_owned());
                seen.seen().put(seen::Request { number: 0, at, method, host, path, status, code, took });
            }
            Ok::<_, Infallible>(leftover.settle(patience, answer).await)
        }
    }))
}
