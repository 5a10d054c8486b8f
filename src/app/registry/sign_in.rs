//! Sign-in to a registry: which token is given for what was shown (acr.md C.2). A right is decided when a token is
//! given, as on Azure; a token stops being good when its subject goes.
//! Must not know: HTTP, how tokens are signed (see tokens), what lies in a registry.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::cmk::REGISTRY_ADDRESS;
use super::credentials::{
    Admitted, Credential, Presented, admitted, anonymous, identity_of, let_through, present, run_subject,
};
use super::firewall::admit;
use super::rights::QUARANTINE_ROLES;
use super::{registries, tokens};
use crate::app::App;
use crate::app::directory::tokens as entra;
use crate::app::world::clock;
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::error::TokenError;
use crate::domain::registry::Registry;
use crate::domain::registry::resource_log::{Asked, Deed, Identity, Record};
use crate::domain::registry::rights::{Rights, Scope};
use crate::domain::registry::tasks::run::Run;

/// A token that was given.
#[derive(Debug, Clone)]
pub struct Given {
    pub token: String,
    /// Its `jti`.
    pub id: String,
    pub registry: Registry,
    /// Whom it was given to.
    pub identity: Identity,
}

impl Given {
    async fn sign(app: &Arc<App>, registry: Registry, identity: Identity, claims: &Value) -> Result<Self> {
        let id = claims["jti"].as_str().unwrap_or_default().to_owned();
        Ok(Self { token: app.signer().await?.sign(claims)?, id, registry, identity })
    }

    /// Tells the registry's log.
    pub fn log(&self, app: &App, asked: &Asked) {
        let took = clock::machine().0 - asked.began.0;
        let (registry, identity, deed) = (&self.registry, &self.identity, Deed::Login(Some(self.id.clone())));
        app.audit().logged(&Record {
            time: app.now(),
            registry,
            identity,
            asked: Some(asked),
            deed,
            status: 200,
            took,
        });
    }
}

/// Tells a registry's log of what was refused to a client. `shown` is what came as its credential. Of a registry that is
/// not there, there is no log.
pub async fn log_refused(
    app: &Arc<App>,
    registry: &str,
    shown: Option<&str>,
    asked: &Asked,
    (deed, status): (Deed, u16),
) -> Result<()> {
    let id = match present(app, registry, shown).await? {
        Presented::Nothing | Presented::Wrong => String::new(),
        Presented::Token(claims) => claims.subject,
        Presented::Password { user, .. } => user,
    };
    let mut cx = app.read(Caller::nobody(asked.address)).await?;
    let found = registries::by_name(&mut cx, registry).await?;
    let identity = identity_of(&mut cx, &found, id).await?;
    drop(cx);
    let took = clock::machine().0 - asked.began.0;
    let (registry, identity, asked) = (&found, &identity, Some(asked));
    app.audit().logged(&Record { time: app.now(), registry, identity, asked, deed, status, took });
    Ok(())
}

/// Exchanges an Entra ID access token for a refresh token. Who has no right in the registry gets none.
pub async fn exchange(app: &Arc<App>, registry: &str, token: Option<&str>, address: IpAddr) -> Result<Given> {
    let mut cx = app.read(Caller::nobody(address)).await?;
    let found = registries::by_name(&mut cx, registry).await?;
    drop(cx);
    admit(&found, address)?;
    let mut audiences = entra::REGISTRY.to_vec();
    if found.settings().management_tokens() {
        audiences.extend(entra::ARM);
    }
    let caller = entra::authenticate(app, token, &audiences, address).await?;
    let mut cx = app.read(caller.clone()).await?;
    let subject = caller.object_id.clone();
    let identity = Identity { id: subject.clone(), name: Some(caller.name.clone()) };
    let rights = Credential::roles(caller, &mut cx, &found).await?.at_most();
    if rights == Rights::NONE {
        return Err(TokenError::Missing.into());
    }
    let claims = tokens::refresh(&cx, &found, &subject, &rights.permissions());
    drop(cx);
    Given::sign(app, found, identity, &claims).await
}

/// Gives an access token for the scopes asked, narrowed to what is allowed. Nothing shown is an anonymous
/// request, which registries with anonymous pull answer.
pub async fn issue(
    app: &Arc<App>,
    registry: &str,
    presented: &Presented,
    scopes: &[Scope],
    address: IpAddr,
) -> Result<Given> {
    let mut cx = app.read(Caller::nobody(address)).await?;
    let found = registries::by_name(&mut cx, registry).await?;
    let_through(&found, presented, address)?;
    let nobody = anonymous(&found);
    let presented = match presented {
        Presented::Wrong => return Err(TokenError::Malformed("not a token of this registry".to_owned()).into()),
        Presented::Nothing if found.settings().anonymous_pull() => &nobody,
        other => other,
    };
    let Admitted { access, subject, identity } =
        admitted(&mut cx, &found, presented).await?.ok_or(TokenError::Missing)?;
    let given: Vec<Scope> = scopes.iter().map(|asked| access.narrow(asked)).collect();
    let whole = access.rights(None);
    let role = QUARANTINE_ROLES.iter().find(|(_, rights)| whole.and(*rights) == *rights).map(|(role, _)| *role);
    let claims = tokens::access(&cx, &found, &subject, &given, role);
    drop(cx);
    Given::sign(app, found, identity, &claims).await
}

/// What a run signs in to its registry with: good for as long as it is under way.
pub(in crate::app) async fn for_run(app: &Arc<App>, registry: &Registry, run: &Run) -> Result<String> {
    refresh_token(app, registry, &run_subject(run.id)).await
}

/// What a managed identity signs in to a registry with.
pub(in crate::app) async fn for_identity(app: &Arc<App>, registry: &Registry, object_id: &str) -> Result<String> {
    refresh_token(app, registry, object_id).await
}

async fn refresh_token(app: &Arc<App>, registry: &Registry, subject: &str) -> Result<String> {
    let cx = app.read(Caller::nobody(REGISTRY_ADDRESS)).await?;
    let claims = tokens::of_run(&cx, registry, subject);
    drop(cx);
    app.signer().await?.sign(&claims)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::app::change::Admission;
    use crate::app::registry::credentials::present_password;
    use crate::app::registry::rights::Need;
    use crate::app::registry::tokens::verify;
    use crate::app::registry::{children, content};
    use crate::app::resources::groups;
    use crate::app::testbed::Bed;
    use crate::domain::world::time::DAY;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn properties<P: serde::de::DeserializeOwned + Default>(asked: Value) -> children::Asked<P> {
        children::Asked { properties: serde_json::from_value(asked).unwrap(), ..Default::default() }
    }

    /// A world with the registry `reg01` and a repository token `robot`, whose first password lasts a day.
    async fn with_token(actions: Value) -> (Bed, Registry, String, String) {
        let bed = Bed::new().await;
        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        groups::put(&mut cx, "g", Some("eastus"), None).await.unwrap();
        cx.commit().await.unwrap();
        let wanted = registries::Wanted {
            group: "g".into(),
            name: "reg01".into(),
            location: Some("eastus".into()),
            sku: Some("Premium".into()),
            tags: None,
            identity: None,
            properties: Map::new(),
            version: "2026-09-01-preview".into(),
        };
        let me = Admission::of(&Caller::system());
        bed.app.change(&me, &wanted, |cx, wanted| Box::pin(registries::put(cx, wanted))).await.unwrap();
        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        let registry = registries::by_name(&mut cx, "reg01").await.unwrap();
        let map = format!("{}/scopeMaps/robots", registry.arm_id());
        children::put_scope_map(&mut cx, &registry, "robots", properties(json!({"actions": actions}))).await.unwrap();
        children::put_token(&mut cx, &registry, "robot", properties(json!({"scopeMapId": map}))).await.unwrap();
        let id = format!("{}/tokens/robot", registry.arm_id());
        let ends = cx.now.plus(DAY);
        let mut one = async |name: &str, ends: Option<_>| {
            let made = children::generate_credentials(&mut cx, &registry, &id, Some(name), ends).await;
            made.unwrap().1.remove(0).1
        };
        let short = one("password1", Some(ends)).await;
        let long = one("password2", None).await;
        cx.commit().await.unwrap();
        (bed, registry, short, long)
    }

    /// What `robot` gets of the scopes it asks for: `None` where it does not get in.
    async fn given(bed: &Bed, password: &str, scopes: &[&str]) -> Option<Vec<String>> {
        let scopes: Vec<Scope> = scopes.iter().filter_map(|s| Scope::parse(s)).collect();
        let presented = present_password(&bed.app, "reg01", "robot".into(), password.into()).await.unwrap();
        let token = issue(&bed.app, "reg01", &presented, &scopes, HERE).await.ok()?.token;
        let claims = verify(&bed.app, "reg01", &token).await.unwrap().unwrap();
        let written = claims.access.iter().flat_map(Scope::written);
        Some(written.map(|(_, name, actions)| format!("{name}:{}", actions.join(","))).collect())
    }

    #[tokio::test]
    async fn repository_tokens_get_what_their_scope_map_says() {
        let actions = json!([
            "repositories/a/content/read",
            "repositories/a/metadata/read",
            "repositories/team/*/content/write",
            "repositories/team/*/content/read",
            "repositories/b/content/delete",
        ]);
        let (bed, _, _, password) = with_token(actions).await;
        let all = "pull,push,delete,metadata_read,metadata_write";
        let asked = [
            &format!("repository:a:{all}"),
            &format!("repository:team/x/y:{all}"),
            &format!("repository:b:{all}"),
            &format!("repository:c:{all}"),
            "registry:catalog:*",
        ];
        let wanted = ["a:metadata_read,pull", "team/x/y:pull,push", "b:delete"];
        assert_eq!(given(&bed, &password, &asked).await.unwrap(), wanted);
        assert_eq!(given(&bed, "wrong", &asked).await, None);
    }

    #[tokio::test]
    async fn expired_passwords_and_disabled_tokens_are_refused() {
        let (bed, registry, short, long) = with_token(json!(["repositories/*/content/read"])).await;
        let asked = ["repository:any/where:pull,push"];
        assert_eq!(given(&bed, &short, &asked).await.unwrap(), ["any/where:pull"]);
        // An access token that was given goes on while its subject may.
        let presented = present_password(&bed.app, "reg01", "robot".into(), long.clone()).await.unwrap();
        let scopes = [Scope::parse(asked[0]).unwrap()];
        let token = issue(&bed.app, "reg01", &presented, &scopes, HERE).await.unwrap().token;
        let bearer = format!("Bearer {token}");
        let need = Need::pull("any/where");
        let enters = async || content::enter(&bed.app, Caller::system(), "reg01", Some(&bearer), &need).await.is_ok();
        assert!(enters().await);
        assert!(enters().await, "as remembered");

        bed.pass(2).await;
        assert_eq!(given(&bed, &short, &asked).await, None, "its day is over");
        assert!(given(&bed, &long, &asked).await.is_some());
        assert!(enters().await);

        let mut cx = bed.app.write(Caller::system()).await.unwrap();
        let disabled = properties(json!({"status": "disabled"}));
        children::put_token(&mut cx, &registry, "robot", disabled).await.unwrap();
        cx.commit().await.unwrap();
        assert_eq!(given(&bed, &long, &asked).await, None);
        assert!(!enters().await, "what is remembered does not outlive the change");
    }
}
