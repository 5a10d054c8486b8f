//! Cache rules: which repositories they fill and from where, and how login servers are written.
//! Must not know: how a rule is kept (see child), how anything is fetched.

use std::net::IpAddr;

use super::child::Child;
use crate::domain::error::{RequestError, Result};

/// What a cache rule says: which repositories it fills, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    pub name: String,
    /// A repository here; ends in `*` for all below.
    target: String,
    /// A repository of another registry, with its host; ends in `*` where the target does.
    source: String,
    /// The ARM id of the credential set to sign in there with.
    pub credentials: Option<String>,
}

impl CacheRule {
    /// Reads the rule out of its resource.
    #[must_use]
    pub fn of(child: &Child) -> Self {
        Self {
            name: child.name.clone(),
            target: child.target_repository().to_owned(),
            source: child.source_repository().to_owned(),
            credentials: child.credential_set().map(str::to_owned),
        }
    }

    /// The repository that it fills a repository here from, with its host.
    fn source_of(&self, repository: &str) -> Option<String> {
        let Some(below) = self.target.strip_suffix('*') else {
            return (self.target == repository).then(|| self.source.clone());
        };
        let rest = repository.strip_prefix(below)?;
        Some(format!("{}{rest}", self.source.strip_suffix('*')?))
    }
}

/// The rule that fills a repository, and the repository it is filled from, with its host. A rule without a
/// wildcard comes before one with, and the longer target before the shorter [docs].
#[must_use]
pub fn cached_from<'a>(rules: &'a [CacheRule], repository: &str) -> Option<(&'a CacheRule, String)> {
    let fitting = rules.iter().filter_map(|rule| Some((rule, rule.source_of(repository)?)));
    fitting.max_by_key(|(rule, _)| (!rule.target.ends_with('*'), rule.target.len()))
}

/// Checks where a cache rule leads: `host/repository` to `repository`. Both may end in `/*`, or be all of a
/// registry: then both must [docs].
pub fn check_cache_rule(source: &str, target: &str) -> Result<()> {
    let wrong = |property: &str, message: String| -> Result<()> {
        Err(RequestError::InvalidValue { property: property.to_owned(), message }.into())
    };
    let named = |text: &str| {
        text == "*" || crate::domain::registry::content::is_repository(text.strip_suffix("/*").unwrap_or(text))
    };
    if !named(target) {
        return wrong("targetRepository", format!("'{target}' is not the name of a repository"));
    }
    let host_and_repository = source.split_once('/');
    let good = host_and_repository.is_some_and(|(host, repository)| is_registry_host(host) && named(repository));
    if !good {
        return wrong("sourceRepository", format!("'{source}' is not a repository with its registry's login server"));
    }
    if source.ends_with('*') != target.ends_with('*') {
        return wrong("targetRepository", "a wildcard must stand in both repositories or in none".to_owned());
    }
    Ok(())
}

/// Whether a text can be a registry's login server: a host name with a dot or a port, or this machine's.
#[must_use]
pub fn is_registry_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    text.bytes().all(allowed) && (text == "localhost" || text.contains(['.', ':']))
}

/// A login server as it is asked and compared: in lower case, without the dot and the port that go without saying,
/// Docker Hub by one name of its several. Of an address and of this machine, which is asked by plain HTTP, the port
/// stays.
#[must_use]
pub fn login_server(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let named = |name: &str| name != "localhost" && !name.starts_with('[') && name.parse::<IpAddr>().is_err();
    let bare = host.strip_suffix(":443").filter(|name| named(name)).unwrap_or(&host).trim_end_matches('.');
    let bare = if matches!(bare, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { bare };
    bare.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_cache_rule_counts() {
        let rule = |name: &str, source: &str, target: &str| CacheRule {
            name: name.into(),
            target: target.into(),
            source: source.into(),
            credentials: None,
        };
        let rules = [
            rule("all", "mcr.microsoft.com/*", "*"),
            rule("below", "docker.io/library/*", "hub/*"),
            rule("one", "quay.io/x/y", "hub/special"),
        ];
        let found =
            |repository: &str| cached_from(&rules, repository).map(|(rule, source)| (rule.name.as_str(), source));
        assert_eq!(found("hub/ubuntu"), Some(("below", "docker.io/library/ubuntu".into())));
        assert_eq!(found("hub/a/b"), Some(("below", "docker.io/library/a/b".into())));
        assert_eq!(found("hub/special"), Some(("one", "quay.io/x/y".into())));
        assert_eq!(found("hub"), Some(("all", "mcr.microsoft.com/hub".into())));
        assert_eq!(cached_from(&rules[1..], "hubs/x"), None);
    }

    #[test]
    fn cache_rules_out_of_grammar_are_refused() {
        for (source, target) in [
            ("docker.io/library/ubuntu", "ubuntu"),
            ("docker.io/library/*", "hub/*"),
            ("mcr.microsoft.com/*", "*"),
            ("localhost:5000/a", "a"),
            ("127.0.0.1:5000/a/*", "a/*"),
        ] {
            assert!(check_cache_rule(source, target).is_ok(), "{source} {target}");
        }
        for (source, target) in [
            ("library/ubuntu", "ubuntu"),
            ("docker.io", "ubuntu"),
            ("docker.io/library/ubuntu:22.04", "ubuntu"),
            ("docker.io/library/*", "hub"),
            ("docker.io/library/ubuntu", "hub/*"),
            ("docker.io/u*", "u*"),
            ("user@docker.io/x", "x"),
        ] {
            assert!(check_cache_rule(source, target).is_err(), "{source} {target}");
        }
    }

    #[test]
    fn login_servers_are_known_however_they_are_written() {
        for (written, meant) in [
            ("MyReg.AzureCR.io", "myreg.azurecr.io"),
            ("myreg.azurecr.io:443", "myreg.azurecr.io"),
            ("myreg.azurecr.io.", "myreg.azurecr.io"),
            ("myreg.azurecr.io.:443", "myreg.azurecr.io"),
            ("Index.Docker.io", "docker.io"),
            ("registry-1.docker.io:443", "docker.io"),
            ("quay.io:8443", "quay.io:8443"),
            ("localhost:443", "localhost:443"),
            ("127.0.0.1:443", "127.0.0.1:443"),
            ("[::1]:443", "[::1]:443"),
        ] {
            assert_eq!(login_server(written), meant, "{written}");
        }
    }
}
