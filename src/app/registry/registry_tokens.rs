//! Sign-in to a registry: who shows what, and the registry's own tokens (acr.md C.2). A right is decided when a token is
//! issued, as on Azure; a token stops being good when its subject goes.
//! Must not know: HTTP, what a right is worth (see rights), what lies in a registry.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::children::{self, RegistryToken};
use super::firewall::admit;
use super::rights::{Access, Need, QUARANTINE_ROLES, Rights, Roles, Scope};
use super::{admin, registries};
use crate::app::directory::tokens;
use crate::app::world::clock;
use crate::app::{App, Cx, access};
use crate::domain::Result;
use crate::domain::access::{Caller, covers};
use crate::domain::directory::applications;
use crate::domain::error::{AccessError, TokenError};
use crate::domain::registry::Registry;
use crate::domain::registry::tasks::run::Run;
use crate::domain::world::crypto;
use crate::domain::world::name::REGISTRIES;
use crate::domain::world::well_known::TENANT_ID;
use crate::store;
use crate::store::directory::Who;

/// The user name that says: the password is a token [recorded].
pub const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";
/// The issuer of registries' tokens [recorded].
const ISSUER: &str = "Azure Container Registry";
/// Seconds that a refresh token lasts [docs].
const REFRESH_LIFETIME: i64 = 3 * 3600;
/// Seconds that what a run signs in with lasts: no run takes longer.
const RUN_LIFETIME: i64 = 9 * 3600;
/// Seconds that an access token lasts [recorded].
const ACCESS_LIFETIME: i64 = 4500;
/// What a repository token's `sub` begins with; its row id follows. No object id and no registry begins so.
const TOKEN_SUBJECT: &str = "token:";
/// The same of a run's.
const RUN_SUBJECT: &str = "run:";
/// The claim that names the registry by its row id: a token is none of another registry that has its name later.
/// It is the emulator's own.
const REGISTRY_CLAIM: &str = "acrite_registry";

/// A registry's own token, verified.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The row id of the registry that gave it.
    registry: i64,
    pub subject: String,
    refresh: bool,
    access: Vec<Scope>,
    /// Seconds of machine time at which it is no longer good.
    expires: i64,
}

impl Claims {
    /// Whether it has not expired.
    #[must_use]
    pub fn lasts(&self) -> bool {
        clock::machine().seconds() < self.expires
    }
}

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
        return Ok(match verify(app, registry, rest.trim()).await? {
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
    Ok(verify(app, registry, &password).await?.map_or(Presented::Wrong, Presented::Token))
}

/// Looks at a refresh token.
pub async fn present_refresh(app: &Arc<App>, registry: &str, token: &str) -> Result<Presented> {
    Ok(match verify(app, registry, token).await? {
        Some(claims) if claims.refresh => Presented::Token(claims),
        _ => Presented::Wrong,
    })
}

fn login_server(registry: &str) -> String {
    format!("{}.azurecr.io", registry.to_ascii_lowercase())
}

/// The claims of a token of this registry; `None` where it is not one or not good any more.
async fn verify(app: &Arc<App>, registry: &str, token: &str) -> Result<Option<Claims>> {
    let Ok(claims) = app.signer().await?.verify(token, clock::machine()) else { return Ok(None) };
    if claims["iss"] != ISSUER || claims["aud"].as_str() != Some(&login_server(registry)) {
        return Ok(None);
    }
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let roles = claims["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let quarantine = roles.filter_map(|role| {
        let (_, actions) = QUARANTINE_ROLES.iter().find(|(name, _)| *name == role)?;
        let actions = actions.iter().map(|a| (*a).to_owned()).collect();
        Some(Scope { kind: "registry".to_owned(), name: "quarantine".to_owned(), actions })
    });
    let access = claims["access"].as_array().into_iter().flatten().map(|scope| Scope {
        kind: text(scope, "type"),
        name: text(scope, "name"),
        actions: scope["actions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    });
    Ok(Some(Claims {
        // No registry has the id 0.
        registry: claims[REGISTRY_CLAIM].as_i64().unwrap_or(0),
        subject: text(&claims, "sub"),
        refresh: claims["grant_type"] == "refresh_token",
        access: access.chain(quarantine).collect(),
        expires: claims["exp"].as_i64().unwrap_or(0),
    }))
}

/// Who stands behind what was shown.
enum Credential {
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
            Self::Run(id) => format!("{RUN_SUBJECT}{id}"),
            Self::Anonymous => String::new(),
        }
    }

    /// The credential a token was issued to, if it is still one.
    async fn of_subject(cx: &mut Cx, registry: &Registry, subject: &str) -> Result<Option<Self>> {
        if subject.is_empty() {
            return Ok(registry.flag("anonymousPullEnabled").then_some(Self::Anonymous));
        }
        if subject == registry.name {
            return Ok(registry.flag("adminUserEnabled").then_some(Self::Admin));
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
                if roles.conditional() { Access::Roles(Box::new(roles)) } else { Access::Direct(roles.worth(None)) }
            }
        })
    }

    /// A principal's roles at the registry and above it.
    async fn roles(caller: Caller, cx: &mut Cx, registry: &Registry) -> Result<Roles> {
        let before = cx.act_as(caller);
        let grants = access::grants(cx).await;
        cx.act_as(before);
        let scope = registry.arm_id();
        let grants = grants?.into_iter().filter(|grant| covers(&grant.scope, &scope)).collect();
        let mode = registry.properties.get("roleAssignmentMode").and_then(Value::as_str);
        Ok(Roles {
            grants,
            scope,
            abac: mode == Some("AbacRepositoryPermissions"),
            environment: access::environment(cx),
        })
    }
}

/// Requires that whoever calls resource management may pull from a repository, as it would be decided at the login
/// server. The refusal is resource management's.
pub(in crate::app) async fn require_pull(cx: &mut Cx, registry: &Registry, repository: &str) -> Result<Access> {
    let caller = cx.caller.clone();
    let roles = Credential::roles(caller.clone(), cx, registry).await?;
    let right = if roles.abac { "repositories/content/read" } else { "pull/read" };
    let access = Access::Roles(Box::new(roles));
    if access.holds(&Need::pull(repository)) {
        return Ok(access);
    }
    Err(AccessError::Action { caller, action: format!("{REGISTRIES}/{right}"), scope: registry.arm_id() }.into())
}

/// `/v2/`: requires a good credential and no right.
pub async fn knock(cx: &mut Cx, registry: &str, presented: &Presented) -> Result<()> {
    let registry = registries::by_name(cx, registry).await?;
    let need = Need::registry("", "", &[]);
    require(cx, &registry, presented, &need).await.map(|_| ())
}

/// Who was let into a registry, and for what.
#[derive(Debug)]
pub struct Admitted {
    /// What it may do there.
    pub access: Access,
    /// Who it is: `sub` of the tokens that it gets.
    pub subject: String,
}

/// Requires a right of what was shown. Without it: the challenge that tells clients what to ask for.
pub async fn require(cx: &mut Cx, registry: &Registry, presented: &Presented, need: &Need<'_>) -> Result<Admitted> {
    let_through(registry, presented, cx.caller.address)?;
    let admitted = admitted(cx, registry, presented).await?;
    let enough = admitted.filter(|a| need.any.is_empty() || a.access.holds(need));
    enough.ok_or_else(|| need.refused(&registry.login_server(), matches!(presented, Presented::Wrong)))
}

/// Lets a request through the registry's firewall. Runs of its tasks may pass it by, if the registry says so [spec].
fn let_through(registry: &Registry, presented: &Presented, address: IpAddr) -> Result<()> {
    let of_run = matches!(presented, Presented::Token(claims) if claims.subject.starts_with(RUN_SUBJECT));
    let options = registry.properties.get("networkRuleBypassOptions").and_then(Value::as_str);
    let trusted = !options.is_some_and(|o| o.eq_ignore_ascii_case("None"));
    if of_run && trusted && registry.flag("networkRuleBypassAllowedForTasks") {
        return Ok(());
    }
    admit(registry, address)
}

/// What stands for nobody in particular, where a registry lets anybody pull.
pub(in crate::app) fn anonymous(registry: &Registry) -> Presented {
    let subject = String::new();
    Presented::Token(Claims { registry: registry.id, subject, refresh: true, access: Vec::new(), expires: i64::MAX })
}

async fn admitted(cx: &mut Cx, registry: &Registry, presented: &Presented) -> Result<Option<Admitted>> {
    let credential = match presented {
        Presented::Nothing | Presented::Wrong => None,
        Presented::Token(claims) if claims.registry != registry.id => None,
        Presented::Token(claims) => Credential::of_subject(cx, registry, &claims.subject).await?,
        Presented::Password { user, password } => Credential::of_password(cx, registry, user, password).await?,
    };
    let Some(credential) = credential else { return Ok(None) };
    let subject = credential.subject(registry);
    let access = match presented {
        Presented::Token(claims) if !claims.refresh => Access::Token(claims.access.clone()),
        _ => credential.access(cx, registry).await?,
    };
    Ok(Some(Admitted { access, subject }))
}

/// Exchanges an Entra ID access token for a refresh token. Who has no right in the registry gets none.
pub async fn exchange(app: &Arc<App>, registry: &str, entra: Option<&str>, address: IpAddr) -> Result<String> {
    let mut cx = app.read(Caller::system()).await?;
    let found = registries::by_name(&mut cx, registry).await?;
    drop(cx);
    admit(&found, address)?;
    let mut audiences = tokens::REGISTRY.to_vec();
    if found.policy_enabled("azureADAuthenticationAsArmPolicy") {
        audiences.extend(tokens::ARM);
    }
    let caller = tokens::authenticate(app, entra, &audiences, address).await?;
    let mut cx = app.read(caller.clone()).await?;
    let subject = caller.object_id.clone();
    let rights = Credential::roles(caller, &mut cx, &found).await?.at_most();
    if rights == Rights::default() {
        return Err(TokenError::Missing.into());
    }
    let extra = json!({
        "version": "1.0",
        "grant_type": "refresh_token",
        "tenant": TENANT_ID,
        "permissions": {"actions": rights.words(), "notActions": Value::Null},
        "roles": [],
    });
    let claims = claims(&cx, &found, &subject, REFRESH_LIFETIME, &extra);
    drop(cx);
    app.signer().await?.sign(&claims)
}

/// Gives an access token for the scopes asked, narrowed to what is allowed. Nothing shown is an anonymous
/// request, which registries with anonymous pull answer.
pub async fn issue(
    app: &Arc<App>,
    registry: &str,
    presented: &Presented,
    scopes: &[Scope],
    address: IpAddr,
) -> Result<String> {
    let mut cx = app.read(Caller { address, ..Caller::system() }).await?;
    let found = registries::by_name(&mut cx, registry).await?;
    let_through(&found, presented, address)?;
    let nobody = anonymous(&found);
    let presented = match presented {
        Presented::Wrong => return Err(TokenError::Malformed("not a token of this registry".to_owned()).into()),
        Presented::Nothing if found.flag("anonymousPullEnabled") => &nobody,
        other => other,
    };
    let Admitted { access, subject } = admitted(&mut cx, &found, presented).await?.ok_or(TokenError::Missing)?;
    let given = scopes.iter().filter_map(|asked| access.narrow(asked));
    let given: Vec<Value> = given.map(|s| json!({"type": s.kind, "name": s.name, "actions": s.actions})).collect();
    let holds = |actions: &[&str]| actions.iter().all(|action| access.allows("registry", "quarantine", action));
    let role = QUARANTINE_ROLES.iter().find(|(_, actions)| holds(actions)).map(|(role, _)| *role);
    let roles: Vec<&str> = role.into_iter().collect();
    let extra = json!({"version": "1.0", "access": given, "roles": roles, "grant_type": "access_token"});
    let claims = claims(&cx, &found, &subject, ACCESS_LIFETIME, &extra);
    drop(cx);
    app.signer().await?.sign(&claims)
}

/// What a run signs in to its registry with: good for as long as it is under way.
pub(in crate::app) async fn for_run(app: &Arc<App>, registry: &Registry, run: &Run) -> Result<String> {
    refresh_token(app, registry, &format!("{RUN_SUBJECT}{}", run.id)).await
}

/// What a managed identity signs in to a registry with.
pub(in crate::app) async fn for_identity(app: &Arc<App>, registry: &Registry, object_id: &str) -> Result<String> {
    refresh_token(app, registry, object_id).await
}

async fn refresh_token(app: &Arc<App>, registry: &Registry, subject: &str) -> Result<String> {
    let cx = app.read(Caller::system()).await?;
    let extra = json!({"version": "1.0", "grant_type": "refresh_token", "tenant": TENANT_ID, "roles": []});
    let claims = claims(&cx, registry, subject, RUN_LIFETIME, &extra);
    drop(cx);
    app.signer().await?.sign(&claims)
}

/// The claims every token of a registry has [recorded sample]. Times are machine time.
fn claims(cx: &Cx, registry: &Registry, subject: &str, lifetime: i64, extra: &Value) -> Value {
    let now = clock::machine().seconds();
    let mut claims = json!({
        "jti": cx.guid(),
        "sub": subject,
        "nbf": now,
        "exp": now + lifetime,
        "iat": now,
        "iss": ISSUER,
        "aud": registry.login_server(),
        REGISTRY_CLAIM: registry.id,
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

#[cfg(test)]
mod tests;
