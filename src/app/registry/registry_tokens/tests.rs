//! What tokens of registries give, and when they end.

#![allow(clippy::unwrap_used)]

use serde_json::Map;

use super::*;
use crate::app::change::Admission;
use crate::app::registry::content;
use crate::app::resources::groups;
use crate::app::testbed::Bed;
use crate::domain::world::time::DAY;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
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
    };
    let me = Admission::of(&Caller::system());
    bed.app.change(&me, &wanted, |cx, wanted| Box::pin(registries::put(cx, wanted))).await.unwrap();
    let mut cx = bed.app.write(Caller::system()).await.unwrap();
    let registry = registries::by_name(&mut cx, "reg01").await.unwrap();
    let map = format!("{}/scopeMaps/robots", registry.arm_id());
    children::put_scope_map(&mut cx, &registry, "robots", &object(json!({"actions": actions}))).await.unwrap();
    children::put_token(&mut cx, &registry, "robot", &object(json!({"scopeMapId": map}))).await.unwrap();
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
    let token = issue(&bed.app, "reg01", &presented, &scopes, HERE).await.ok()?;
    let claims = verify(&bed.app, "reg01", &token).await.unwrap().unwrap();
    let written = |s: &Scope| format!("{}:{}", s.name, s.actions.iter().cloned().collect::<Vec<_>>().join(","));
    Some(claims.access.iter().map(written).collect())
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
    let token = issue(&bed.app, "reg01", &presented, &scopes, HERE).await.unwrap();
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
    let disabled = object(json!({"status": "disabled"}));
    children::put_token(&mut cx, &registry, "robot", &disabled).await.unwrap();
    cx.commit().await.unwrap();
    assert_eq!(given(&bed, &long, &asked).await, None);
    assert!(!enters().await, "what is remembered does not outlive the change");
}
