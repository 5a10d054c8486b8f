//! What is shown to a registry, who stands behind it, and what that gives.
//! Must not know: HTTP, what a right is (see rights), how tokens are signed (see tokens).

use std::net::IpAddr;
use std::sync::Arc;

use super::children::{self, RegistryToken};
use super::firewall::admit;
use super::rights::{Access, Need, Roles};
use super::tokens::{self, Claims};
use super::{admin, registries};
use crate::app::world::clock;
use crate::app::{App, Cx, access};
use crate::domain::Result;
use crate::domain::access::{Caller, covers};
use crate::domain::directory::applications;
use crate::domain::error::AccessError;
use crate::domain::registry::Registry;
use crate::domain::registry::resource_log::Identity;
use crate::domain::registry::rights::Rights;
use crate::domain::world::crypto;
use crate::domain::world::name::REGISTRIES;
use crate::store;
use crate::store::directory::Who;

/// The user name that says: the password is a token [recorded].
pub const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";
/// What a repository token's `sub` begins with; its row id follows. No object id and no registry begins so.
const TOKEN_SUBJECT: &str = "token:";
/// The same of a run's.
const RUN_SUBJECT: &str = "run:";

/// What a request shows for itself, looked at as far as goes without the database.
#[derive(Debug, Clone)]
pub enum Presented {
    Nothing,
    /// Something that is not good: another registry's token, an old one, none of ours.
    Wrong,
    /// A token of this registry, as bearer or as a password.
    Token(Claims),
    /// A user and a password.
    Password {
        user: String,
        password: String,
    },
}

/// Looks at an `Authorization` header. `registry` is the name in the host.
pub async fn present(app: &Arc<App>, registry: &str, authorization: Option<&str>) -> Result<Presented> {
    let Some((scheme, rest)) = authorization.and_then(|a| a.split_once(' ')) else {
        return Ok(if authorization.is_some() { Presented::Wrong } else { Presented::Nothing });
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(match tokens::verify(app, registry, rest.trim()).await? {
            Some(claims) if !claims.refresh => Presented::Token(claims),
            _ => Presented::Wrong,
        });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(Presented::Wrong);
    }
    let Some((user, password)) = crypto::from_base64(rest.trim())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.split_once(':').map(|(u, p)| (u.to_owned(), p.to_owned())))
    else {
        return Ok(Presented::Wrong);
    };
    present_password(app, registry, user, password).await
}

/// Looks at a user and password.
pub async fn present_password(app: &Arc<App>, registry: &str, user: String, password: String) -> Result<Presented> {
    if user != TOKEN_USER {
        return Ok(Presented::Password { user, password });
    }
    Ok(tokens::verify(app, registry, &password).await?.map_or(Presented::Wrong, Presented::Token))
}

/// Looks at a refresh token.
pub async fn present_refresh(app: &Arc<App>, registry: &str, token: &str) -> Result<Presented> {
    Ok(match tokens::verify(app, registry, token).await? {
        Some(claims) if claims.refresh => Presented::Token(claims),
        _ => Presented::Wrong,
    })
}

/// Who stands behind what was shown.
pub(super) enum Credential {
    /// A principal of the directory.
    Principal(Caller),
    /// The registry's admin user.
    Admin,
    /// A repository token.
    Token(RegistryToken),
    /// A run of the registry's, while it is under way.
    Run(i64),
    /// Nobody in particular, where anonymous pull is on.
    Anonymous,
}

impl Credential {
    /// `sub` of the tokens it gets.
    fn subject(&self, registry: &Registry) -> String {
        match self {
            Self::Principal(caller) => caller.object_id.clone(),
            Self::Admin => registry.name.clone(),
            Self::Token(token) => format!("{TOKEN_SUBJECT}{}", token.id),
            Self::Run(id) => run_subject(*id),
            Self::Anonymous => String::new(),
        }
    }

    /// Who that is in the registry's log.
    fn identity(&self, registry: &Registry) -> Identity {
        match self {
            Self::Principal(caller) => Identity { id: caller.object_id.clone(), name: Some(caller.name.clone()) },
            Self::Token(token) => Identity { id: token.name.clone(), name: None },
            Self::Admin | Self::Run(_) | Self::Anonymous => Identity { id: self.subject(registry), name: None },
        }
    }

    /// The credential a token was issued to, if it is still one.
    async fn of_subject(cx: &mut Cx, registry: &Registry, subject: &str) -> Result<Option<Self>> {
        if subject.is_empty() {
            return Ok(registry.settings().anonymous_pull().then_some(Self::Anonymous));
        }
        if subject == registry.name {
            return Ok(registry.settings().admin_user().then_some(Self::Admin));
        }
        if let Some(id) = subject.strip_prefix(TOKEN_SUBJECT) {
            let Ok(id) = id.parse() else { return Ok(None) };
            let token = children::token_by_id(cx, registry, id).await?;
            return Ok(token.filter(|t| t.enabled).map(Self::Token));
        }
        if let Some(id) = subject.strip_prefix(RUN_SUBJECT) {
            let Ok(id) = id.parse() else { return Ok(None) };
            let run = store::registry::tasks::runs::by_id(&mut cx.tx, id).await?;
            let run = run.filter(|run| run.registry == registry.id && run.status.is_under_way());
            return Ok(run.map(|run| Self::Run(run.id)));
        }
        let Some(standing) = store::directory::standing(&mut cx.tx, Who::Object(subject)).await? else {
            return Ok(None);
        };
        Ok(Caller::of(standing, cx.caller.address).ok().map(Self::Principal))
    }

    /// The credential of a user and password.
    async fn of_password(cx: &mut Cx, registry: &Registry, user: &str, password: &str) -> Result<Option<Self>> {
        if user.eq_ignore_ascii_case(&registry.name) {
            return Ok(admin::accepts(cx, registry, password).await?.then_some(Self::Admin));
        }
        if let Some(token) = children::token_by_name(cx, registry, user).await? {
            let good = token.enabled && token.accepts(password, cx.now);
            return Ok(good.then_some(Self::Token(token)));
        }
        let Some(standing) = store::directory::standing(&mut cx.tx, Who::App(user)).await? else { return Ok(None) };
        let secrets = store::directory::passwords(&mut cx.tx, user).await?;
        if applications::check_secret(user, &secrets, password, cx.now, clock::machine()).is_err() {
            return Ok(None);
        }
        Ok(Caller::of(standing, cx.caller.address).ok().map(Self::Principal))
    }

    /// What it is worth in the registry.
    async fn access(self, cx: &mut Cx, registry: &Registry) -> Result<Access> {
        Ok(match self {
            Self::Admin | Self::Run(_) => Access::Direct(Rights::ALL),
            Self::Anonymous => Access::Direct(Rights::ANONYMOUS),
            Self::Token(token) => Access::Mapped(token.actions),
            Self::Principal(caller) => {
                let roles = Self::roles(caller, cx, registry).await?;
                if roles.conditional() { Access::Roles(Box::new(roles)) } else { Access::Direct(roles.at_most()) }
            }
        })
    }

    /// A principal's roles at the registry and above it.
    pub(super) async fn roles(caller: Caller, cx: &mut Cx, registry: &Registry) -> Result<Roles> {
        let before = cx.act_as(caller);
        let grants = access::grants(cx).await;
        cx.act_as(before);
        let scope = registry.arm_id();
        let grants = grants?.into_iter().filter(|grant| covers(&grant.scope, &scope)).collect();
        Ok(Roles {
            grants,
            scope,
            by_repository: registry.settings().rights_by_repository(),
            environment: access::environment(cx),
        })
    }
}

/// Requires that whoever calls resource management may pull from a repository, as it would be decided at the login
/// server. The refusal is resource management's.
pub(in crate::app) async fn require_pull(cx: &mut Cx, registry: &Registry, repository: &str) -> Result<Access> {
    let caller = cx.caller.clone();
    let roles = Credential::roles(caller.clone(), cx, registry).await?;
    let right = if roles.by_repository { "repositories/content/read" } else { "pull/read" };
    let access = Access::Roles(Box::new(roles));
    if access.holds(&Need::pull(repository)) {
        return Ok(access);
    }
    Err(AccessError::Action { caller, action: format!("{REGISTRIES}/{right}"), scope: registry.arm_id() }.into())
}

/// `/v2/`: requires a good credential and no right.
pub async fn knock(cx: &mut Cx, registry: &str, presented: &Presented) -> Result<()> {
    let registry = registries::by_name(cx, registry).await?;
    require(cx, &registry, presented, &Need::CREDENTIAL).await.map(|_| ())
}

/// Who was let into a registry, and for what.
#[derive(Debug)]
pub struct Admitted {
    /// What it may do there.
    pub access: Access,
    /// Who it is: `sub` of the tokens that it gets.
    pub subject: String,
    /// Who it is in the registry's log.
    pub identity: Identity,
}

/// Requires a right of what was shown. Without it: the challenge that tells clients what to ask for.
pub async fn require(cx: &mut Cx, registry: &Registry, presented: &Presented, need: &Need<'_>) -> Result<Admitted> {
    let_through(registry, presented, cx.caller.address)?;
    let admitted = admitted(cx, registry, presented).await?;
    // What the token's own check says of it, as in Docker's registry: RFC 6750's words [inferred for the second].
    let fault = match (presented, &admitted) {
        (Presented::Nothing | Presented::Password { .. }, _) => None,
        (_, None) => Some("invalid_token"),
        (_, Some(_)) => Some("insufficient_scope"),
    };
    let enough = admitted.filter(|a| need.is_met_by_all() || a.access.holds(need));
    enough.ok_or_else(|| need.refused(&registry.login_server(), fault))
}

/// Lets a request through the registry's firewall. Runs of its tasks may pass it by, if the registry says so [spec].
pub(super) fn let_through(registry: &Registry, presented: &Presented, address: IpAddr) -> Result<()> {
    let of_run = matches!(presented, Presented::Token(claims) if claims.subject.starts_with(RUN_SUBJECT));
    if of_run && registry.settings().tasks_pass_the_firewall() {
        return Ok(());
    }
    admit(registry, address)
}

/// Who it is in the registry's log that a token's subject, or a user name, stands for. Of one who is not there, what was
/// shown.
pub(super) async fn identity_of(cx: &mut Cx, registry: &Registry, shown: String) -> Result<Identity> {
    let credential = Credential::of_subject(cx, registry, &shown).await?;
    Ok(credential.map_or(Identity { id: shown, name: None }, |credential| credential.identity(registry)))
}

/// `sub` of a run's tokens.
pub(super) fn run_subject(id: i64) -> String {
    format!("{RUN_SUBJECT}{id}")
}

/// What stands for nobody in particular, where a registry lets anybody pull.
pub(in crate::app) fn anonymous(registry: &Registry) -> Presented {
    Presented::Token(Claims::of_nobody(registry))
}

pub(super) async fn admitted(cx: &mut Cx, registry: &Registry, presented: &Presented) -> Result<Option<Admitted>> {
    let credential = match presented {
        Presented::Nothing | Presented::Wrong => None,
        Presented::Token(claims) if claims.registry != registry.id => None,
        Presented::Token(claims) => Credential::of_subject(cx, registry, &claims.subject).await?,
        Presented::Password { user, password } => Credential::of_password(cx, registry, user, password).await?,
    };
    let Some(credential) = credential else { return Ok(None) };
    let (subject, identity) = (credential.subject(registry), credential.identity(registry));
    let access = match presented {
        Presented::Token(claims) if !claims.refresh => Access::Token(claims.access.clone()),
        _ => credential.access(cx, registry).await?,
    };
    Ok(Some(Admitted { access, subject, identity }))
}
