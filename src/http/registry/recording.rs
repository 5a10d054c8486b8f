//! What calls of a login server leave in the registry's log. What is written is logged by the verb that writes it; here
//! is how clients ask, and what they are refused.
//! Must not know: how the log is kept.

use std::sync::Arc;

use axum::http::{HeaderValue, Method};

use super::faults::operations;
use super::routes::{self, Of, Route};
use super::{is_data_endpoint, registry_name};
use crate::app::App;
use crate::app::registry::sign_in;
use crate::app::world::clock;
use crate::domain::registry::resource_log::{Asked, Deed, Object};
use crate::http::call::Call;

const CORRELATION: &str = "x-ms-correlation-request-id";

/// The call's correlation id: the client's, else one that the call has from here on.
pub(super) fn correlate(call: &mut Call) -> String {
    if let Some(sent) = call.header(CORRELATION) {
        return sent.to_owned();
    }
    let own = uuid::Uuid::new_v4().to_string();
    if let Ok(value) = HeaderValue::from_str(&own) {
        call.headers.insert(CORRELATION, value);
    }
    own
}

/// How a client asks.
pub(super) fn asked(call: &Call) -> Asked {
    let text = |name: &str| call.header(name).unwrap_or_default().to_owned();
    Asked { address: call.address, client: text("user-agent"), correlation: text(CORRELATION), began: clock::machine() }
}

/// What is to be known of a call if it is refused.
pub(super) struct Refusable {
    registry: String,
    method: Method,
    path: String,
    shown: Option<String>,
    asked: Asked,
}

impl Refusable {
    /// A call that shows nothing is only challenged: it is not yet what is logged.
    pub(super) fn of(call: &Call) -> Option<Self> {
        let login = call.path.starts_with("/oauth2/");
        let shown = call.header("authorization").map(str::to_owned);
        if is_data_endpoint(&call.host) || (shown.is_none() && !login) {
            return None;
        }
        let (registry, method, path) = (registry_name(call).to_owned(), call.method.clone(), call.path.clone());
        Some(Self { registry, method, path, shown, asked: asked(call) })
    }

    /// Tells the registry's log.
    pub(super) async fn refused(self, app: &Arc<App>, status: u16) {
        let Some(deed) = routes::parse(&self.path).ok().and_then(|route| deed(&self.method, route)) else { return };
        let shown = self.shown.as_deref();
        // Of a registry that is not there, there is no log.
        let _ = sign_in::log_refused(app, &self.registry, shown, &self.asked, (deed, status)).await;
    }
}

/// What was to be done, if that is logged.
fn deed(method: &Method, route: Route) -> Option<Deed> {
    let [precise, kind] = operations(method, &route);
    let (repository, of) = match route {
        Route::Exchange | Route::Token => return Some(Deed::Login(None)),
        Route::Repository(name, of) => (name.as_str().to_owned(), of),
        _ => return None,
    };
    let (reference, tag) = match of {
        Of::Manifest(reference) => (Some(reference), None),
        Of::AcrTag(tag) => (None, Some(tag)),
        Of::AcrManifest(digest) => (Some(digest), None),
        Of::Repository => (None, None),
        _ => return None,
    };
    let operation = match (precise, kind) {
        ("Untag", _) => "Untag",
        (_, "Delete") => "Delete",
        (_, "Push") => "Push",
        (_, "Pull") if method == Method::GET => "Pull",
        _ => return None,
    };
    let (digest, named) = reference.map_or((None, None), |reference| {
        if reference.contains(':') { (Some(reference), None) } else { (None, Some(reference)) }
    });
    Some(Deed::Repository(operation, Object { repository, tag: tag.or(named), digest, ..Object::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_has_azures_names() {
        let of = |method: Method, path: &str| match deed(&method, routes::parse(path).unwrap())? {
            Deed::Login(_) => Some("Login".to_owned()),
            Deed::Repository(operation, object) => {
                let parts = [Some(object.repository), object.tag, object.digest];
                Some(format!("{operation} {}", parts.into_iter().flatten().collect::<Vec<_>>().join(" ")))
            }
        };
        let digest = format!("sha256:{}", "a".repeat(64));
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(of(Method::GET, "/v2/a/b/manifests/v1"), said("Pull a/b v1"));
        assert_eq!(of(Method::HEAD, "/v2/a/b/manifests/v1"), None, "it asks whether it is there");
        assert_eq!(of(Method::PUT, &format!("/v2/a/manifests/{digest}")), said(&format!("Push a {digest}")));
        assert_eq!(of(Method::DELETE, "/v2/a/manifests/v1"), said("Untag a v1"));
        assert_eq!(of(Method::DELETE, "/acr/v1/a/_tags/v1"), said("Untag a v1"));
        assert_eq!(of(Method::DELETE, "/acr/v1/a"), said("Delete a"));
        assert_eq!(of(Method::POST, "/oauth2/token"), said("Login"));
        for none in ["/v2/a/blobs/uploads/", "/v2/a/tags/list", "/v2/"] {
            assert_eq!(of(Method::GET, none), None, "{none}");
        }
    }
}
