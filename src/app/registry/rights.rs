//! What a credential gives in a registry: by roles, by scope maps, by the scopes of a registry's own tokens.
//! Must not know: whose credential it is, how tokens are made (see tokens).

use std::borrow::Cow;

use crate::domain::Error;
use crate::domain::access::condition::{Attributes, Source};
use crate::domain::access::{Grant, allowed};
use crate::domain::error::ContentError;
use crate::domain::registry::child::{actions_allow, actions_allow_everywhere};
use crate::domain::registry::rights::{Right, Rights, Scope};

/// Rights asked for.
#[derive(Debug, Clone)]
pub struct Need<'a> {
    /// In which repository; `None`: in the registry as a whole.
    repository: Option<Cow<'a, str>>,
    /// What the challenge says: what clients then ask a token for.
    challenge: &'static [Right],
    /// Any of these is enough. None of them: any good credential is.
    any: &'static [Right],
}

impl<'a> Need<'a> {
    /// Nothing but a good credential.
    pub const CREDENTIAL: Need<'static> = Need { repository: None, challenge: &[], any: &[] };

    /// Any of some rights in a repository.
    #[must_use]
    pub const fn repository(name: &'a str, challenge: &'static [Right], any: &'static [Right]) -> Self {
        Self { repository: Some(Cow::Borrowed(name)), challenge, any }
    }

    /// The one right in a repository.
    #[must_use]
    pub const fn only(name: &'a str, right: &'static [Right; 1]) -> Self {
        Self::repository(name, right, right)
    }

    /// A right in the registry as a whole.
    #[must_use]
    pub const fn registry(right: &'static [Right; 1]) -> Self {
        Self { repository: None, challenge: right, any: right }
    }

    /// To pull from a repository.
    #[must_use]
    pub const fn pull(repository: &'a str) -> Self {
        Self::only(repository, &[Right::Pull])
    }

    /// To push to a repository. Clients are told to ask for both: they read what they write.
    #[must_use]
    pub const fn push(repository: &'a str) -> Self {
        Self::repository(repository, &[Right::Pull, Right::Push], &[Right::Push])
    }

    /// Whether any good credential is enough.
    pub(super) fn is_met_by_all(&self) -> bool {
        self.any.is_empty()
    }

    /// The refusal that tells clients what to ask for. `fault`: what is wrong with the token that was shown.
    pub(super) fn refused(&self, service: &str, fault: Option<&'static str>) -> Error {
        let whole = self.challenge.first().and_then(|right| right.whole()).unwrap_or_default();
        let actions: Vec<&str> = self.challenge.iter().map(|right| right.action()).collect();
        ContentError::Unauthorized {
            service: service.to_owned(),
            kind: if self.repository.is_some() { "repository" } else { "registry" },
            name: self.repository.as_deref().unwrap_or(whole).to_owned(),
            actions: actions.join(","),
            fault,
        }
        .into()
    }

    /// The same, to be asked again later.
    #[must_use]
    pub fn to_keep(&self) -> Need<'static> {
        let repository = self.repository.as_ref().map(|name| Cow::Owned(name.clone().into_owned()));
        Need { repository, challenge: self.challenge, any: self.any }
    }
}

/// A principal's roles, where conditions make them worth something else in each repository.
#[derive(Debug, Clone)]
pub struct Roles {
    pub(super) grants: Vec<Grant>,
    /// The registry's ARM id.
    pub(super) scope: String,
    /// The role assignment mode is `AbacRepositoryPermissions`.
    pub(super) by_repository: bool,
    pub(super) environment: Attributes,
}

/// What conditions call a repository. [docs] name it an attribute of the request; that it may be asked of the
/// resource too is [inferred] from what people write.
const REPOSITORY: &str = "Microsoft.ContainerRegistry/registries/repositories:name";

impl Roles {
    pub(super) fn conditional(&self) -> bool {
        self.grants.iter().any(|grant| grant.condition.is_some())
    }

    /// All that they could be worth, whatever is asked for: without their conditions.
    pub(super) fn at_most(&self) -> Rights {
        let bare = |grant: &Grant| Grant { condition: None, ..grant.clone() };
        let bare = Self { grants: self.grants.iter().map(bare).collect(), ..self.clone() };
        bare.worth(None).or(bare.worth(Some("")))
    }

    /// What they are worth in a repository, or in the registry as a whole.
    pub(super) fn worth(&self, repository: Option<&str>) -> Rights {
        let mut known = self.environment.clone();
        if let Some(name) = repository {
            known = known.text(Source::Request, REPOSITORY, name).text(Source::Resource, REPOSITORY, name);
        }
        Rights::given(repository.is_some(), |right| {
            right.roles(self.by_repository).iter().any(|(plane, action)| {
                let action = format!("Microsoft.ContainerRegistry/registries/{action}");
                allowed(&self.grants, *plane, &action, &self.scope, &known)
            })
        })
    }
}

/// The roles by which tokens carry rights in quarantine, strongest first. [inferred: `roles` of a token's claims is
/// there in samples, always empty]
pub(super) const QUARANTINE_ROLES: [(&str, Rights); 2] = [
    ("AcrQuarantineWriter", Rights::NONE.with(Right::QuarantineRead).with(Right::QuarantineWrite)),
    ("AcrQuarantineReader", Rights::NONE.with(Right::QuarantineRead)),
];

/// What a request may do.
#[derive(Debug, Clone)]
pub enum Access {
    /// What an access token holds.
    Token(Vec<Scope>),
    /// What the credential shown with the call itself is worth, in any repository.
    Direct(Rights),
    /// The same of roles with conditions.
    Roles(Box<Roles>),
    /// The same of a repository token: the actions of its scope map.
    Mapped(Vec<String>),
}

impl Access {
    /// What it gives in a repository, or in the registry as a whole.
    pub(super) fn rights(&self, repository: Option<&str>) -> Rights {
        match self {
            Self::Token(scopes) => {
                let here = scopes.iter().filter(|scope| scope.repository.as_deref() == repository);
                here.fold(Rights::NONE, |rights, scope| rights.or(scope.rights))
            }
            Self::Direct(rights) => *rights,
            Self::Roles(roles) => roles.worth(repository),
            Self::Mapped(actions) => Rights::given(repository.is_some(), |right| {
                right.mapped().is_some_and(|mapped| match repository {
                    Some(name) => actions_allow(actions, name, mapped),
                    None => actions_allow_everywhere(actions, mapped),
                })
            }),
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
        let rights = self.rights(need.repository.as_deref());
        need.any.iter().any(|right| rights.has(*right))
    }

    /// What of a scope asked for is allowed.
    pub(super) fn narrow(&self, asked: &Scope) -> Scope {
        Scope { rights: asked.rights.and(self.rights(asked.repository.as_deref())), ..asked.clone() }
    }
}
