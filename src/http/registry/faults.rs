//! Which operation of a login server a call is, as rules for faults name it.
//! Must not know: what an operation does.

use std::sync::Arc;

use axum::http::Method;

use super::routes::{self, Of, Route};
use super::{is_data_endpoint, registry_name};
use crate::app::registry::credentials::{self, Presented};
use crate::app::registry::replications;
use crate::app::{App, faults};
use crate::domain::Result;
use crate::domain::fault::{Service, Touch};
use crate::http::call::Call;

/// Meets the fault that a test asked for this operation, if it did. A call that shows nothing is only challenged: it is
/// not yet the operation.
pub(super) async fn meet(app: &Arc<App>, call: &mut Call) -> Result<()> {
    if !app.faults().any(Service::Registry) {
        return Ok(());
    }
    let Ok(route) = routes::parse(&call.path) else { return Ok(()) };
    let login = matches!(route, Route::Exchange | Route::Token);
    if !login && !is_data_endpoint(&call.host) && call.header("authorization").is_none() {
        return Ok(());
    }
    let registry = registry_name(call).to_owned();
    let callers = if app.faults().ask_for_callers(Service::Registry) {
        callers(app, &registry, call.header("authorization").map(str::to_owned)).await?
    } else {
        Vec::new()
    };
    let callers: Vec<&str> = callers.iter().map(String::as_str).collect();
    let repository = match &route {
        Route::Repository(name, _) => name.as_str(),
        _ => "",
    };
    let operations = operations(&call.method, &route);
    let of = Touch::of(Service::Registry, &operations);
    let region = match app.faults().ask_for_regions() {
        true => replications::region_of(app, &registry, &call.host).await?,
        false => String::new(),
    };
    let (registry, region, callers) = (&registry, &region, &callers);
    faults::meet(app, &call.fate, &Touch { registry, repository, region, callers, ..of }).await
}

/// All names by which a rule may mean whoever shows this.
async fn callers(app: &Arc<App>, registry: &str, authorization: Option<String>) -> Result<Vec<String>> {
    let subject = match credentials::present(app, registry, authorization.as_deref()).await? {
        Presented::Nothing | Presented::Wrong => return Ok(Vec::new()),
        Presented::Token(claims) => claims.subject,
        Presented::Password { user, .. } => user,
    };
    let known = faults::named(app, Service::Registry, &subject).await?;
    let names = known.iter().flat_map(faults::names).map(str::to_owned);
    Ok(names.chain([subject.clone()]).collect())
}

/// The operation, and what it is one of: the word that the registry's log has for it, where it has one.
pub(super) fn operations(method: &Method, route: &Route) -> [&'static str; 2] {
    let Route::Repository(_, of) = route else {
        return match route {
            Route::Base => ["Ping", "Ping"],
            Route::Exchange | Route::Token => ["Login", "Login"],
            _ => ["ListRepositories", "List"],
        };
    };
    let reads = method == Method::GET || method == Method::HEAD;
    match of {
        Of::Manifest(_) if reads => ["PullManifest", "Pull"],
        Of::Manifest(reference) if method == Method::DELETE && !reference.contains(':') => ["Untag", "Delete"],
        Of::Manifest(_) | Of::AcrManifest(_) if method == Method::DELETE => ["DeleteManifest", "Delete"],
        Of::Manifest(_) => ["PushManifest", "Push"],
        Of::Blob(_) if reads => ["PullBlob", "Pull"],
        Of::Blob(_) => ["DeleteBlob", "Delete"],
        Of::Uploads | Of::Upload(_) => ["PushBlob", "Push"],
        Of::Repository if method == Method::DELETE => ["DeleteRepository", "Delete"],
        Of::AcrTag(_) if method == Method::DELETE => ["Untag", "Delete"],
        Of::DeletedManifest(_) if !reads => ["RestoreManifest", "Write"],
        Of::TagList | Of::AcrTags | Of::DeletedTags => ["ListTags", "List"],
        Of::AcrManifests | Of::DeletedManifests => ["ListManifests", "List"],
        Of::Referrers(_) => ["ListReferrers", "List"],
        Of::Repository | Of::AcrTag(_) | Of::AcrManifest(_) | Of::DeletedManifest(_) if reads => {
            ["ReadMetadata", "Read"]
        }
        Of::Repository | Of::AcrTag(_) | Of::AcrManifest(_) | Of::DeletedManifest(_) => ["WriteMetadata", "Write"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_names_of_the_log() {
        for (method, path, names) in [
            (Method::HEAD, "/v2/a/b/manifests/v1", ["PullManifest", "Pull"]),
            (Method::PUT, "/v2/a/manifests/v1", ["PushManifest", "Push"]),
            (Method::DELETE, "/v2/a/manifests/sha256:ab", ["DeleteManifest", "Delete"]),
            (Method::DELETE, "/v2/a/manifests/v1", ["Untag", "Delete"]),
            (Method::PATCH, "/v2/a/blobs/uploads/u", ["PushBlob", "Push"]),
            (Method::GET, "/v2/a/blobs/sha256:ab", ["PullBlob", "Pull"]),
            (Method::GET, "/acr/v1/a/_tags", ["ListTags", "List"]),
            (Method::PATCH, "/acr/v1/a/_tags/v1", ["WriteMetadata", "Write"]),
            (Method::POST, "/oauth2/token", ["Login", "Login"]),
        ] {
            assert_eq!(operations(&method, &routes::parse(path).unwrap()), names, "{path}");
        }
    }
}
