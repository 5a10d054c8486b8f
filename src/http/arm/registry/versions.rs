//! `api-supported-versions`, as the provider's parts say it [recorded]: the front of the registry repeats the version
//! that was asked for, the services behind it list theirs.
//! Must not know: what differs between versions (see domain::registry).

/// What the services behind a registry's resource speak since 2020 [recorded in 2025; the later ones from acr.md A.0].
pub(super) const VERSIONS: &[&str] = &[
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

/// The front of the registry.
pub(super) fn as_asked(asked: &str) -> Option<String> {
    Some(asked.to_owned())
}

pub(super) fn all(_: &str) -> Option<String> {
    Some(VERSIONS.join(", "))
}

pub(super) fn imports(_: &str) -> Option<String> {
    Some(format!("2017-10-01, 2019-05-01, 2019-12-01-preview, {}", VERSIONS.join(", ")))
}

/// Tokens and scope maps, which were never in one stable version.
pub(super) fn tokens(_: &str) -> Option<String> {
    let versions: Vec<&str> = VERSIONS.iter().copied().filter(|v| *v != "2021-09-01").collect();
    Some(format!("2019-05-01-preview, {}", versions.join(", ")))
}

pub(super) fn webhooks(_: &str) -> Option<String> {
    Some(format!("2019-12-01-preview, {}", VERSIONS.join(", ")))
}

/// Cache rules and credential sets.
pub(super) fn caching(_: &str) -> Option<String> {
    let versions: Vec<&str> = VERSIONS.iter().copied().filter(|v| *v >= "2023").collect();
    Some(versions.join(", "))
}
