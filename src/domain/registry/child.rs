//! Child resources of registries: their kinds, names and documents; what a scope map lets a token do.
//! Must not know: who asks, what lies in a registry.

use serde_json::{Map, Value, json};

use super::Registry;
use crate::domain::error::{RegistryError, RequestError, Result};
use crate::domain::world::name::REGISTRIES;
use crate::domain::world::time::Timestamp;

/// What the children of a kind have in common, in any registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The resource type, which begins with that of registries.
    pub name: &'static str,
    /// How names of operations on it begin, where that is not its segment in lower case.
    pub operation: Option<&'static str>,
    /// Characters of a name at least and at most.
    pub length: (usize, usize),
    /// What names may hold beside letters and digits.
    pub marks: &'static str,
    /// Whether only the SKU Premium has it.
    pub premium: bool,
    /// How many a registry of the SKUs Premium, Standard and Basic may have; `None`: as many as one likes.
    pub limits: Option<[usize; 3]>,
}

impl Kind {
    /// A kind whose names have 5 to 50 letters and digits, as most [spec].
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, operation: None, length: (5, 50), marks: "", premium: false, limits: None }
    }

    /// A list of rights in repositories.
    pub const SCOPE_MAP: Self = Self {
        operation: Some("scopemap"),
        marks: "-_",
        limits: Some([50_000, 500, 100]),
        ..Self::new("Microsoft.ContainerRegistry/registries/scopeMaps")
    };
    /// A user of the registry with passwords of its own.
    pub const TOKEN: Self = Self {
        operation: Some("token"),
        marks: "-",
        limits: Some([50_000, 500, 100]),
        ..Self::new("Microsoft.ContainerRegistry/registries/tokens")
    };
    /// Who is told about pushes and deletions.
    pub const WEBHOOK: Self =
        Self { limits: Some([500, 10, 2]), ..Self::new("Microsoft.ContainerRegistry/registries/webhooks") };
    /// Another region.
    pub const REPLICATION: Self =
        Self { premium: true, ..Self::new("Microsoft.ContainerRegistry/registries/replications") };
    /// A repository that is filled from another registry.
    pub const CACHE_RULE: Self = Self {
        marks: "-",
        limits: Some([1000, 1000, 1000]),
        ..Self::new("Microsoft.ContainerRegistry/registries/cacheRules")
    };
    /// How to sign in to another registry.
    pub const CREDENTIAL_SET: Self =
        Self { marks: "-", ..Self::new("Microsoft.ContainerRegistry/registries/credentialSets") };
    /// A private endpoint's end here.
    pub const PRIVATE_ENDPOINT_CONNECTION: Self = Self {
        length: (1, 80),
        marks: "-_.",
        premium: true,
        limits: Some([200, 0, 0]),
        ..Self::new("Microsoft.ContainerRegistry/registries/privateEndpointConnections")
    };
    /// What runs again and again.
    pub const TASK: Self = Self { marks: "-_", ..Self::new("Microsoft.ContainerRegistry/registries/tasks") };
    /// A run as a resource of its own.
    pub const TASK_RUN: Self = Self { marks: "-_", ..Self::new("Microsoft.ContainerRegistry/registries/taskRuns") };
    /// Agents that are kept for a registry's runs.
    pub const AGENT_POOL: Self =
        Self { length: (3, 20), marks: "-", ..Self::new("Microsoft.ContainerRegistry/registries/agentPools") };

    /// The segment in ARM ids, and the last part of the resource type.
    #[must_use]
    pub const fn segment(self) -> &'static str {
        self.name.split_at(REGISTRIES.len() + 1).1
    }

    /// How names of operations on it begin [recorded: tokens, replications, cache rules, credential sets].
    #[must_use]
    pub fn operation(self) -> String {
        self.operation.map_or_else(|| self.segment().to_ascii_lowercase(), str::to_owned)
    }

    /// Whether one of the kind may have a name. Names that Azure itself makes begin with an underscore and are no
    /// client's to give.
    #[must_use]
    pub fn may_be_named(self, name: &str) -> bool {
        let (least, most) = self.length;
        (least..=most).contains(&name.len())
            && !name.starts_with('_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || self.marks.as_bytes().contains(&b))
    }

    /// How many a SKU allows; `None`: no limit [recorded: Premium, Standard; docs: Basic].
    #[must_use]
    pub fn limit(self, sku: &str) -> Option<usize> {
        let [premium, standard, basic] = self.limits?;
        Some(match sku {
            "Premium" => premium,
            "Standard" => standard,
            _ => basic,
        })
    }

    /// Refuses a registry whose SKU does not have the kind.
    pub fn require_sku(self, registry: &Registry) -> Result<()> {
        if self.premium && !registry.premium() {
            return Err(RegistryError::lacking(&registry.sku, self.segment()).into());
        }
        Ok(())
    }
}

/// A child resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Row id; 0 for one that Azure itself provides and nobody stored.
    pub id: i64,
    /// Its registry's row id.
    pub registry: i64,
    pub kind: Kind,
    /// Name, as first written.
    pub name: String,
    /// Region, of kinds that have one.
    pub location: Option<String>,
    pub tags: Value,
    /// The ARM `properties`, less what is computed.
    pub properties: Map<String, Value>,
    /// Object id of the system-assigned identity.
    pub principal: Option<String>,
    /// What never comes back in answers, sealed.
    pub sealed: Option<Vec<u8>>,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Who changed it last.
    pub modified_by: String,
    pub modified_at: Timestamp,
}

impl Child {
    /// A child with nothing in it yet, made by somebody at some time; not stored.
    #[must_use]
    pub fn new(registry: &Registry, kind: Kind, name: &str, by: &str, at: Timestamp) -> Self {
        Self {
            id: 0,
            registry: registry.id,
            kind,
            name: name.to_owned(),
            location: None,
            tags: json!({}),
            properties: Map::new(),
            principal: None,
            sealed: None,
            created_by: by.to_owned(),
            created_at: at,
            modified_by: by.to_owned(),
            modified_at: at,
        }
    }

    /// Its ARM id.
    #[must_use]
    pub fn arm_id(&self, registry: &Registry) -> String {
        child_id(registry, self.kind, &self.name)
    }

    /// The actions of a scope map, or those that a webhook wants to know of.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.list("actions").iter().filter_map(Value::as_str)
    }

    /// The ARM id of a token's scope map; empty where it has none.
    #[must_use]
    pub fn scope_map(&self) -> &str {
        self.text("scopeMapId")
    }

    /// Which repositories and tags a webhook is for.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.text("scope")
    }

    /// Whether a replication's region is served.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.properties.get("regionEndpointEnabled") != Some(&json!(false))
    }

    /// The repository elsewhere that a cache rule fills from, with its host.
    #[must_use]
    pub fn source_repository(&self) -> &str {
        self.text("sourceRepository")
    }

    /// The repository here that a cache rule fills.
    #[must_use]
    pub fn target_repository(&self) -> &str {
        self.text("targetRepository")
    }

    /// The ARM id of the credential set that a cache rule signs in with.
    #[must_use]
    pub fn credential_set(&self) -> Option<&str> {
        Some(self.text("credentialSetResourceId")).filter(|id| !id.is_empty())
    }

    /// The login server that a credential set is for.
    #[must_use]
    pub fn login_server(&self) -> &str {
        self.text("loginServer")
    }

    /// Where a credential set finds its user and password.
    #[must_use]
    pub fn auth_credentials(&self) -> &[Value] {
        self.list("authCredentials")
    }

    fn list(&self, name: &str) -> &[Value] {
        self.properties.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn text(&self, name: &str) -> &str {
        self.properties.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The id of a task run's run; empty before it has one.
    #[must_use]
    pub fn run(&self) -> &str {
        self.text("run")
    }

    /// Whether `status` is `disabled`; a task without one is not.
    #[must_use]
    pub fn disabled(&self) -> bool {
        self.text("status").eq_ignore_ascii_case("disabled")
    }

    /// Whether `status` is `enabled`.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.text("status").eq_ignore_ascii_case("enabled")
    }
}

/// The ARM id of a registry's child.
#[must_use]
pub fn child_id(registry: &Registry, kind: Kind, name: &str) -> String {
    format!("{}/{}/{name}", registry.arm_id(), kind.segment())
}

/// The name of a registry's child in its ARM id; `None` where the id is another registry's or kind's.
#[must_use]
pub fn child_name<'a>(registry: &Registry, kind: Kind, id: &'a str) -> Option<&'a str> {
    let prefix = child_id(registry, kind, "");
    let name = id.get(prefix.len()..).filter(|n| !n.is_empty() && !n.contains('/'))?;
    id[..prefix.len()].eq_ignore_ascii_case(&prefix).then_some(name)
}

/// The scope maps that every registry has: name, description, actions [docs].
pub const SYSTEM_SCOPE_MAPS: [(&str, &str, &[&str]); 5] = [
    (
        "_repositories_admin",
        "Can perform all read, write and delete operations on the registry",
        &["metadata/read", "metadata/write", "content/read", "content/write", "content/delete"],
    ),
    ("_repositories_pull", "Can pull any repository of the registry", &["content/read"]),
    (
        "_repositories_pull_metadata_read",
        "Can perform all read operations on the registry",
        &["content/read", "metadata/read"],
    ),
    ("_repositories_push", "Can push to any repository of the registry", &["content/read", "content/write"]),
    (
        "_repositories_push_metadata_write",
        "Can perform all read and write operations on the registry",
        &["metadata/read", "metadata/write", "content/read", "content/write"],
    ),
];

/// The scope maps that every registry has, as resources.
#[must_use]
pub fn system_scope_maps(registry: &Registry) -> Vec<Child> {
    let maps = SYSTEM_SCOPE_MAPS.into_iter().map(|(name, description, rights)| {
        let actions: Vec<String> = rights.iter().map(|right| format!("repositories/*/{right}")).collect();
        let mut properties = Map::new();
        properties.insert("description".to_owned(), json!(description));
        properties.insert("type".to_owned(), json!("SystemDefined"));
        properties.insert("actions".to_owned(), json!(actions));
        let map = Child::new(registry, Kind::SCOPE_MAP, name, &registry.created_by, registry.created_at);
        Child { properties, ..map }
    });
    maps.collect()
}

/// The rights that an action of a scope map may name.
const RIGHTS: [&str; 5] = ["content/read", "content/write", "content/delete", "metadata/read", "metadata/write"];

/// Checks the `actions` of a scope map: `repositories/{name}/{right}`, where the name may be `*` or end in
/// `/*`; `gateway/{name}/…` belongs to connected registries and is kept.
pub fn check_actions(actions: &[String]) -> Result<()> {
    let wrong = |text: String| RequestError::InvalidValue { property: "actions".to_owned(), message: text };
    for text in actions {
        let repository = text.strip_prefix("repositories/").and_then(|rest| {
            RIGHTS.iter().find_map(|right| rest.strip_suffix(right).and_then(|r| r.strip_suffix('/')))
        });
        let named = repository.is_some_and(|name| {
            let plain = name.strip_suffix("/*").unwrap_or(name);
            name == "*" || crate::domain::registry::content::is_repository(plain)
        });
        if !named && !text.starts_with("gateway/") {
            return Err(wrong(format!("'{text}' is not an action")).into());
        }
    }
    Ok(())
}

/// Whether actions of a scope map give a right, such as `content/read`, in a repository. `*` is any
/// repository, `a/*` any below `a/`.
#[must_use]
pub fn actions_allow(actions: &[String], repository: &str, right: &str) -> bool {
    actions.iter().any(|action| {
        let pattern = action
            .strip_prefix("repositories/")
            .and_then(|rest| rest.strip_suffix(right))
            .and_then(|rest| rest.strip_suffix('/'));
        pattern.is_some_and(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) if prefix.is_empty() || prefix.ends_with('/') => repository.starts_with(prefix),
            _ => pattern == repository,
        })
    })
}

/// The same in all repositories, and so in the registry as a whole.
#[must_use]
pub fn actions_allow_everywhere(actions: &[String], right: &str) -> bool {
    actions.iter().any(|action| action.strip_prefix("repositories/*/") == Some(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_give_rights_in_the_repositories_they_name() {
        let actions = ["repositories/a/b/content/read", "repositories/team/*/content/write"].map(str::to_owned);
        assert!(actions_allow(&actions, "a/b", "content/read"));
        assert!(!actions_allow(&actions, "a/b", "content/write"));
        assert!(!actions_allow(&actions, "a/bc", "content/read"));
        assert!(actions_allow(&actions, "team/x/y", "content/write"));
        assert!(!actions_allow(&actions, "teams", "content/write"));
        assert!(actions_allow(&["repositories/*/metadata/read".to_owned()], "x", "metadata/read"));
    }

    #[test]
    fn actions_out_of_grammar_are_refused() {
        for good in ["repositories/a/content/read", "repositories/*/metadata/write", "repositories/a/*/content/delete"]
        {
            assert!(check_actions(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["repositories/a/content/fly", "repositories//content/read", "a", "repositories/A/content/read"] {
            assert!(check_actions(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn names() {
        assert!(Kind::SCOPE_MAP.may_be_named("acr-token-scope-map") && !Kind::SCOPE_MAP.may_be_named("_mine_"));
        assert!(Kind::WEBHOOK.may_be_named("hook01") && !Kind::WEBHOOK.may_be_named("my-hook"));
        assert!(!Kind::TOKEN.may_be_named("abcd"));
    }

    #[test]
    fn segments_and_operations() {
        assert_eq!(Kind::PRIVATE_ENDPOINT_CONNECTION.segment(), "privateEndpointConnections");
        assert_eq!(Kind::CACHE_RULE.operation(), "cacherules");
        assert_eq!(Kind::TOKEN.operation(), "token");
    }
}
