//! What may be done in a registry: by roles, by scope maps, by the scopes of its own tokens.
//! Must not know: who asks, how tokens are made (see registry_tokens).

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::domain::Error;
use crate::domain::access::condition::{Attributes, Source};
use crate::domain::access::{Grant, Plane, allowed};
use crate::domain::error::ContentError;
use crate::domain::registry::child::actions_allow;

/// Bytes of a repository's name at most (OCI distribution 1.1).
const NAME_LIMIT: usize = 255;
/// A right asked for, as the challenge names it.
#[derive(Debug, Clone)]
pub struct Need<'a> {
    /// `repository` or `registry`.
    pub kind: &'static str,
    /// The repository, or `catalog`.
    pub name: Cow<'a, str>,
    /// What the challenge says, comma-separated: what clients then ask a token for.
    pub challenge: &'static str,
    /// Any of these is enough.
    pub any: &'static [&'static str],
}

impl<'a> Need<'a> {
    /// In a repository.
    #[must_use]
    pub const fn repository(name: &'a str, challenge: &'static str, any: &'static [&'static str]) -> Self {
        Self { kind: "repository", name: Cow::Borrowed(name), challenge, any }
    }

    /// In the registry as a whole.
    #[must_use]
    pub const fn registry(name: &'a str, challenge: &'static str, any: &'static [&'static str]) -> Self {
        Self { kind: "registry", name: Cow::Borrowed(name), challenge, any }
    }

    /// To pull from a repository.
    #[must_use]
    pub const fn pull(repository: &'a str) -> Self {
        Self::repository(repository, "pull", &["pull"])
    }

    /// The refusal that tells clients what to ask for. `invalid_token`: a token was shown, and was none.
    pub(super) fn refused(&self, service: &str, invalid_token: bool) -> Error {
        ContentError::Unauthorized {
            service: service.to_owned(),
            kind: self.kind,
            name: self.name.clone().into_owned(),
            actions: self.challenge.to_owned(),
            invalid_token,
        }
        .into()
    }

    /// The same, to be asked again later.
    #[must_use]
    pub fn to_keep(&self) -> Need<'static> {
        let (kind, name) = (self.kind, Cow::Owned(self.name.clone().into_owned()));
        Need { kind, name, challenge: self.challenge, any: self.any }
    }
}

/// `repository:{name}:{actions}`, as tokens hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `repository` or `registry`.
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    pub actions: BTreeSet<String>,
}

impl Scope {
    /// Parses what clients write. `None`: not a scope; it gives nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        if name.len() > NAME_LIMIT {
            return None;
        }
        let kind = if kind == "artifact-repository" { "repository" } else { kind };
        let actions = actions.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect();
        Some(Self { kind: kind.to_owned(), name: name.to_owned(), actions })
    }
}

/// What a credential is worth in the whole registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    pull: bool,
    push: bool,
    delete: bool,
    metadata_read: bool,
    metadata_write: bool,
    catalog: bool,
    deleted_read: bool,
    deleted_restore: bool,
    quarantine_read: bool,
    quarantine_write: bool,
}

impl Rights {
    /// All but seeing what is in quarantine, for which there are roles of their own.
    pub(super) const ALL: Self = Self {
        pull: true,
        push: true,
        delete: true,
        metadata_read: true,
        metadata_write: true,
        catalog: true,
        deleted_read: true,
        deleted_restore: true,
        quarantine_read: false,
        quarantine_write: false,
    };

    /// What nobody in particular may do where anonymous pull is on.
    pub(super) const ANONYMOUS: Self = Self {
        pull: true,
        metadata_read: true,
        push: false,
        delete: false,
        metadata_write: false,
        catalog: false,
        deleted_read: false,
        deleted_restore: false,
        quarantine_read: false,
        quarantine_write: false,
    };

    fn allows(self, kind: &str, name: &str, action: &str) -> bool {
        match (kind, name, action) {
            ("repository", _, "pull") => self.pull,
            ("repository", _, "push") => self.push,
            ("repository", _, "delete") => self.delete,
            ("repository", _, "metadata_read") => self.metadata_read,
            ("repository", _, "metadata_write") => self.metadata_write,
            ("repository", _, "deleted_read") => self.deleted_read,
            ("repository", _, "deleted_restore") => self.deleted_restore,
            ("registry", "catalog", "*") => self.catalog,
            ("registry", "deleted_catalog", "*") => self.deleted_read,
            ("registry", "quarantine", "read") => self.quarantine_read,
            ("registry", "quarantine", "write") => self.quarantine_write,
            _ => false,
        }
    }

    /// The words of a refresh token's `permissions` [recorded sample].
    pub(super) fn words(self) -> Vec<&'static str> {
        let words = [
            (self.pull, "read"),
            (self.push, "write"),
            (self.delete, "delete"),
            (self.metadata_read, "metadata/read"),
            (self.metadata_write, "metadata/write"),
            (self.deleted_read, "deleted/read"),
            (self.deleted_restore, "deleted/restore/action"),
        ];
        words.into_iter().filter(|(given, _)| *given).map(|(_, word)| word).collect()
    }
}

/// A principal's roles, where conditions make them worth something else in each repository.
#[derive(Debug, Clone)]
pub struct Roles {
    pub(super) grants: Vec<Grant>,
    /// The registry's ARM id.
    pub(super) scope: String,
    /// `roleAssignmentMode` is `AbacRepositoryPermissions`.
    pub(super) abac: bool,
    pub(super) environment: Attributes,
}

/// What conditions call a repository. [docs] name it an attribute of the request; that it may be asked of the
/// resource too is [inferred] from what people write.
const REPOSITORY: &str = "Microsoft.ContainerRegistry/registries/repositories:name";

impl Roles {
    pub(super) fn conditional(&self) -> bool {
        self.grants.iter().any(|grant| grant.condition.is_some())
    }

    /// What they could be worth, whatever is asked for: without their conditions.
    pub(super) fn at_most(&self) -> Rights {
        let bare = |grant: &Grant| Grant { condition: None, ..grant.clone() };
        Self { grants: self.grants.iter().map(bare).collect(), ..self.clone() }.worth(None)
    }

    /// What they are worth in a repository, or in the registry as a whole.
    pub(super) fn worth(&self, repository: Option<&str>) -> Rights {
        let mut known = self.environment.clone();
        if let Some(name) = repository {
            known = known.text(Source::Request, REPOSITORY, name).text(Source::Resource, REPOSITORY, name);
        }
        let plane = if self.abac { Plane::Data } else { Plane::Control };
        let may = |action: &str| {
            let action = format!("Microsoft.ContainerRegistry/registries/{action}");
            allowed(&self.grants, plane, &action, &self.scope, &known)
        };
        let quarantined = |right: &str| {
            let action = format!("Microsoft.ContainerRegistry/registries/quarantinedArtifacts/{right}");
            allowed(&self.grants, Plane::Data, &action, &self.scope, &known)
        };
        if self.abac {
            return Rights {
                pull: may("repositories/content/read"),
                push: may("repositories/content/write"),
                delete: may("repositories/content/delete"),
                metadata_read: may("repositories/metadata/read"),
                metadata_write: may("repositories/metadata/write"),
                catalog: may("catalog/read"),
                deleted_read: may("repositories/metadata/read"),
                deleted_restore: may("repositories/content/write"),
                quarantine_read: quarantined("read"),
                quarantine_write: quarantined("write"),
            };
        }
        let pull = may("pull/read");
        let push = may("push/write");
        Rights {
            pull,
            push,
            delete: may("artifacts/delete"),
            // AcrPull names neither, and yet lists tags and repositories [docs: role table].
            metadata_read: pull || may("metadata/read"),
            catalog: pull || may("catalog/read"),
            // [inferred] AcrPush may lock what it may overwrite.
            metadata_write: push || may("metadata/write"),
            deleted_read: may("deleted/read"),
            deleted_restore: may("deleted/restore/action"),
            quarantine_read: quarantined("read"),
            quarantine_write: quarantined("write"),
        }
    }
}

/// To see what is in quarantine.
pub const SEE_QUARANTINED: Need<'static> = Need::registry("quarantine", "", &["read"]);
/// To say what is to leave it.
pub const JUDGE_QUARANTINED: Need<'static> = Need::registry("quarantine", "", &["write"]);

/// The roles by which tokens carry these rights, strongest first. [inferred: `roles` of a token's claims is there
/// in samples, always empty]
pub(super) const QUARANTINE_ROLES: [(&str, &[&str]); 2] =
    [("AcrQuarantineWriter", &["read", "write"]), ("AcrQuarantineReader", &["read"])];

/// What a request may do.
#[derive(Debug, Clone)]
pub enum Access {
    /// What an access token holds.
    Token(Vec<Scope>),
    /// What the credential shown with the call itself is worth.
    Direct(Rights),
    /// The same of roles with conditions.
    Roles(Box<Roles>),
    /// The same of a repository token: the actions of its scope map. It never lists the catalog [docs].
    Mapped(Vec<String>),
}

/// The action of a scope map that gives an action of a token. [inferred for the soft-deleted bin]
fn mapped(action: &str) -> Option<&'static str> {
    match action {
        "pull" => Some("content/read"),
        "push" | "deleted_restore" => Some("content/write"),
        "delete" => Some("content/delete"),
        "metadata_read" | "deleted_read" => Some("metadata/read"),
        "metadata_write" => Some("metadata/write"),
        _ => None,
    }
}

impl Access {
    pub(super) fn allows(&self, kind: &str, name: &str, action: &str) -> bool {
        match self {
            Self::Token(scopes) => scopes
                .iter()
                .any(|s| s.kind == kind && s.name == name && s.actions.iter().any(|a| a == action || a == "*")),
            Self::Direct(rights) => rights.allows(kind, name, action),
            Self::Roles(roles) => roles.worth((kind == "repository").then_some(name)).allows(kind, name, action),
            Self::Mapped(actions) => {
                kind == "repository" && mapped(action).is_some_and(|right| actions_allow(actions, name, right))
            }
        }
    }

    /// What an import may do in the registries that resource management let it into.
    pub(in crate::app) fn everything() -> Self {
        Self::Direct(Rights::ALL)
    }

    /// Whether it may be kept for another request: conditions may ask what time it is.
    pub(in crate::app) fn keeps(&self) -> bool {
        !matches!(self, Self::Roles(_))
    }

    /// Whether it gives one of the rights needed.
    #[must_use]
    pub fn holds(&self, need: &Need<'_>) -> bool {
        need.any.iter().any(|action| self.allows(need.kind, &need.name, action))
    }

    /// What of a scope asked for is allowed.
    pub(super) fn narrow(&self, asked: &Scope) -> Option<Scope> {
        let mut wanted = asked.actions.clone();
        if asked.kind == "repository" && wanted.remove("*") {
            let all = ["pull", "push", "delete", "metadata_read", "metadata_write"];
            wanted.extend(all.map(str::to_owned));
        }
        // Roles are worth the same for each of the actions: their conditions are looked at once.
        let worth;
        let access = match self {
            Self::Roles(roles) => {
                worth = Self::Direct(roles.worth((asked.kind == "repository").then_some(&asked.name)));
                &worth
            }
            other => other,
        };
        wanted.retain(|action| access.allows(&asked.kind, &asked.name, action));
        (!wanted.is_empty()).then(|| Scope { actions: wanted, ..asked.clone() })
    }
}
