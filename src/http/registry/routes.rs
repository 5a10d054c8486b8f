//! Paths of a login server, read from the right, because repository names have any depth. Pure.
//! Must not know: methods, what a path leads to.

use percent_encoding::percent_decode_str;

use crate::domain::Result;
use crate::domain::error::{ContentError, RequestError};
use crate::domain::registry::content::{is_repository, is_tag};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`.
    Base,
    /// `/oauth2/exchange`.
    Exchange,
    /// `/oauth2/token`.
    Token,
    /// `/v2/_catalog`.
    Catalog,
    /// `/acr/v1/_catalog`.
    AcrCatalog,
    /// `/acr/v1/_deleted/_catalog`.
    DeletedCatalog,
    /// Anything of a repository.
    Repository(String, Of),
}

/// What of a repository. Digests, tags and ids are as sent, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// `tags/list`.
    TagList,
    /// `referrers/{digest}`.
    Referrers(String),
    /// `manifests/{tag or digest}`.
    Manifest(String),
    /// `blobs/{digest}`.
    Blob(String),
    /// `blobs/uploads/`.
    Uploads,
    /// `blobs/uploads/{uuid}`.
    Upload(String),
    /// `/acr/v1/{repository}`.
    Repository,
    /// `/acr/v1/{repository}/_tags`.
    AcrTags,
    /// `/acr/v1/{repository}/_tags/{tag}`.
    AcrTag(String),
    /// `/acr/v1/{repository}/_manifests`.
    AcrManifests,
    /// `/acr/v1/{repository}/_manifests/{digest}`.
    AcrManifest(String),
    /// `/acr/v1/_deleted/{repository}/_tags`.
    DeletedTags,
    /// `/acr/v1/_deleted/{repository}/_manifests`.
    DeletedManifests,
    /// `/acr/v1/_deleted/{repository}/_manifests/{digest}`.
    DeletedManifest(String),
}

/// Reads a path as sent, still percent-encoded. It is decoded once, then parted: clients write the slashes
/// of a repository's name and the colon of a digest either way.
pub fn parse(path: &str) -> Result<Route> {
    let unknown = || RequestError::RouteUnknown(path.to_owned());
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| unknown())?;
    if decoded.chars().any(|c| c.is_control() || c == '\\') {
        return Err(unknown().into());
    }
    let segments: Vec<&str> = decoded.strip_prefix('/').ok_or_else(unknown)?.split('/').collect();
    match segments.as_slice() {
        ["v2"] | ["v2", ""] => Ok(Route::Base),
        ["v2", "_catalog"] => Ok(Route::Catalog),
        ["v2", rest @ ..] => distribution(rest).ok_or_else(unknown)?,
        ["acr", "v1", "_catalog"] => Ok(Route::AcrCatalog),
        ["acr", "v1", "_deleted", "_catalog"] => Ok(Route::DeletedCatalog),
        ["acr", "v1", "_deleted", rest @ ..] => deleted(rest).ok_or_else(unknown)?,
        ["acr", "v1", rest @ ..] => azure(rest).ok_or_else(unknown)?,
        ["oauth2", "exchange"] => Ok(Route::Exchange),
        ["oauth2", "token"] => Ok(Route::Token),
        _ => Err(unknown().into()),
    }
}

fn distribution(segments: &[&str]) -> Option<Result<Route>> {
    let (name, of) = match segments {
        [name @ .., "tags", "list"] => (name, Of::TagList),
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => (name, Of::Uploads),
        [name @ .., "blobs", "uploads", uuid] => (name, Of::Upload((*uuid).to_owned())),
        // What cannot be a tag is no route [issue]; what is meant as a digest is told so where it is read (OCI).
        [name @ .., "manifests", reference] if is_tag(reference) || reference.contains(':') => {
            (name, Of::Manifest((*reference).to_owned()))
        }
        [name @ .., "blobs", digest] => (name, Of::Blob((*digest).to_owned())),
        [name @ .., "referrers", digest] => (name, Of::Referrers((*digest).to_owned())),
        _ => return None,
    };
    repository(name, of)
}

/// Whether a path belongs to what Azure's registries have, or had, and this one has not: artifact streaming, and
/// the store of Helm charts that Azure took away in 2025. Both are paths that lead nowhere [inferred].
pub fn is_not_emulated(path: &str) -> bool {
    path.starts_with("/helm/") || (path.starts_with("/acr/v1/") && STREAMING.iter().any(|s| path.contains(s)))
}

/// Segments of artifact streaming [cli].
const STREAMING: [&str; 2] = ["/_streaming", "/_operations/"];

fn azure(segments: &[&str]) -> Option<Result<Route>> {
    let (name, of) = match segments {
        [_, .., "_streaming"] | [_, .., "_streaming" | "_operations", _] => return None,
        [name @ .., "_tags"] => (name, Of::AcrTags),
        [name @ .., "_tags", tag] => (name, Of::AcrTag((*tag).to_owned())),
        [name @ .., "_manifests"] => (name, Of::AcrManifests),
        [name @ .., "_manifests", digest] => (name, Of::AcrManifest((*digest).to_owned())),
        name => (name, Of::Repository),
    };
    repository(name, of)
}

fn deleted(segments: &[&str]) -> Option<Result<Route>> {
    let (name, of) = match segments {
        [name @ .., "_tags"] => (name, Of::DeletedTags),
        [name @ .., "_manifests"] => (name, Of::DeletedManifests),
        [name @ .., "_manifests", digest] => (name, Of::DeletedManifest((*digest).to_owned())),
        _ => return None,
    };
    repository(name, of)
}

fn repository(segments: &[&str], of: Of) -> Option<Result<Route>> {
    if segments.is_empty() {
        return None;
    }
    let name = segments.join("/");
    if is_repository(&name) {
        return Some(Ok(Route::Repository(name, of)));
    }
    // A name in upper case is no route at all on Azure (acr.md C.1) [recorded].
    if is_repository(&name.to_ascii_lowercase()) {
        return None;
    }
    Some(Err(ContentError::NameInvalid(name).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(path: &str) -> Option<(String, Of)> {
        match parse(path) {
            Ok(Route::Repository(name, of)) => Some((name, of)),
            _ => None,
        }
    }

    #[test]
    fn tags_that_cannot_be_are_no_routes() {
        for tag in ["1.0+2", ".x", "-x", "a%20b", "ä"] {
            let path = format!("/v2/m/manifests/{tag}");
            assert_eq!(parse(&path), Err(RequestError::RouteUnknown(path.clone()).into()));
        }
        assert_eq!(of("/v2/m/manifests/sha256:abc"), Some(("m".to_owned(), Of::Manifest("sha256:abc".into()))));
    }

    #[test]
    fn names_of_any_depth() {
        let some = |name: &str, of: Of| Some((name.to_owned(), of));
        assert_eq!(of("/v2/a/manifests/latest"), some("a", Of::Manifest("latest".into())));
        assert_eq!(of("/v2/a/b/c/d/blobs/sha256:ab"), some("a/b/c/d", Of::Blob("sha256:ab".into())));
        assert_eq!(of("/v2/a%2Fb/blobs/sha256%3Aab"), some("a/b", Of::Blob("sha256:ab".into())));
        assert_eq!(of("/v2/a/blobs/uploads/"), some("a", Of::Uploads));
        assert_eq!(of("/v2/a/blobs/uploads"), some("a", Of::Uploads));
        assert_eq!(of("/v2/blobs/uploads/blobs/uploads/x"), some("blobs/uploads", Of::Upload("x".into())));
        assert_eq!(of("/v2/manifests/manifests/manifests"), some("manifests", Of::Manifest("manifests".into())));
        assert_eq!(of("/v2/tags/list/tags/list"), some("tags/list", Of::TagList));
        assert_eq!(of("/acr/v1/library%2Fbusybox"), some("library/busybox", Of::Repository));
        assert_eq!(of("/acr/v1/a/b/_tags/t"), some("a/b", Of::AcrTag("t".into())));
        assert_eq!(of("/acr/v1/a/_manifests/sha256%3Aab"), some("a", Of::AcrManifest("sha256:ab".into())));
        assert_eq!(of("/acr/v1/_deleted/a/b/_tags"), some("a/b", Of::DeletedTags));
        assert_eq!(parse("/v2/"), Ok(Route::Base));
        assert_eq!(parse("/v2/_catalog"), Ok(Route::Catalog));
    }

    #[test]
    fn tricks_are_refused() {
        for path in [
            "/v2/../a/manifests/x",
            "/v2/a/../b/manifests/x",
            "/v2/%2e%2e/manifests/x",
            "/v2/a%00/manifests/x",
            "/v2//manifests/x",
            "/v2/a//b/manifests/x",
            "/v2/a%5Cb/manifests/x",
            "/v2/a%252Fb/manifests/x",
            "/v2/a%2F%2Fb/manifests/x",
            "/v2/A/manifests/x",
            "/v2/manifests/x",
            "/v2/a",
            "/v1/",
            "",
            "/",
            "/v2/a%ff/manifests/x",
            "/acr/v1/",
            "/acr/v1/a/_streaming",
            "/acr/v1/a/_streaming/sha256:ab",
            "/acr/v1/a/b/_operations/x:cancel",
            "/acr/v1/_deleted/x",
            "/v2/a /tags/list",
        ] {
            assert!(parse(path).is_err(), "{path}");
        }
        let nowhere = "/acr/v1/a/_streaming";
        assert_eq!(parse(nowhere), Err(RequestError::RouteUnknown(nowhere.into()).into()));
        assert!(is_not_emulated(nowhere) && is_not_emulated("/helm/v1/repo/_charts"));
        assert!(!is_not_emulated("/acr/v1/a/_tags") && !is_not_emulated("/v2/helm/tags/list"));
        assert_eq!(parse("/v2/A/tags/list"), Err(RequestError::RouteUnknown("/v2/A/tags/list".into()).into()));
        assert_eq!(parse("/v2/a..b/tags/list"), Err(ContentError::NameInvalid("a..b".into()).into()));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_gives_a_lawful_name_or_an_error(path in "[/a-z0-9%._:A-F\\\\ -]{0,60}") {
            if let Ok(Route::Repository(name, _)) = parse(&format!("/v2/{path}")) {
                prop_assert!(is_repository(&name));
                prop_assert!(name.split('/').all(|part| part != ".." && !part.is_empty()));
            }
        }

        #[test]
        fn encoded_or_not_is_the_same(name in "[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,4}", reference in "[a-z0-9]{1,8}") {
            let plain = parse(&format!("/v2/{name}/manifests/{reference}"));
            let encoded = parse(&format!("/v2/{}/manifests/{reference}", name.replace('/', "%2F")));
            prop_assert_eq!(&plain, &encoded);
            prop_assert_eq!(plain, Ok(Route::Repository(name, Of::Manifest(reference))));
        }
    }
}
