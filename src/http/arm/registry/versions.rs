//! `api-supported-versions`, as the provider's parts say it [recorded]: the front of the registry repeats the version
//! that was asked for, the services behind it list theirs.
//! Must not know: what differs between versions (see domain::registry).

use axum::http::Method;

use crate::domain::registry::child::Kind;

/// What the services behind a registry's resource speak since 2020 [recorded in 2025; the later ones from acr.md A.0].
const VERSIONS: &[&str] = &[
    "2020-11-01-preview",
    "2021-06-01-preview",
    "2021-08-01-preview",
    "2021-09-01",
    "2021-12-01-preview",
    "2022-02-01-preview",
    "2022-12-01",
    "2023-01-01-preview",
    "2023-06-01-preview",
    "2023-07-01",
    "2023-08-01-preview",
    "2023-11-01-preview",
    "2024-01-01-preview",
    "2024-11-01-preview",
    "2025-03-01-preview",
    "2025-04-01",
    "2025-11-01",
    "2026-03-01-preview",
    "2026-09-01-preview",
];

/// The versions told in the answer to a call of this provider. `path` is in lower case.
pub(in crate::http::arm) fn told(method: &Method, path: &str, asked: &str) -> Option<String> {
    let (scope, below) = path.split_once("/providers/microsoft.containerregistry/registries")?;
    if !scope.contains("/resourcegroups/") {
        return None;
    }
    let mut below = below.split('/').skip(2);
    let since = |first: &str| VERSIONS.iter().filter(|v| **v >= first).copied().collect::<Vec<_>>().join(", ");
    // Tokens were never in that stable version.
    let tokens = || format!("2019-05-01-preview, {}", since("").replace(" 2021-09-01,", ""));
    match below.next() {
        None | Some("operationstatuses" | "listusages" | "listcredentials" | "regeneratecredential") => {
            Some(asked.to_owned())
        }
        Some("importimage") if method == Method::POST => {
            Some(format!("2017-10-01, 2019-05-01, 2019-12-01-preview, {}", since("")))
        }
        Some("generatecredentials") => Some(tokens()),
        Some(kind) => match Kind::parse(kind)? {
            Kind::ScopeMap | Kind::Token => Some(tokens()),
            Kind::Webhook => Some(format!("2019-12-01-preview, {}", since(""))),
            Kind::Replication => Some(since("")),
            Kind::CacheRule | Kind::CredentialSet => Some(since("2023")),
            Kind::PrivateEndpointConnection => Some(asked.to_owned()),
        },
    }
}
