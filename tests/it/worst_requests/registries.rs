//! The data plane of registries.

use super::*;

pub fn registries() -> Vec<Case> {
    vec![
        ("registry: 160,000 scopes", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                let scopes = vec!["repository:a:pull"; 160_000].join("+");
                let form = format!(
                    "grant_type=password&service=reg01.azurecr.io&username=x&password={}&scope={scopes}",
                    docker.token
                );
                sent(
                    world
                        .http()
                        .post("https://reg01.azurecr.io/oauth2/token")
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(form),
                )
                .await
            })
        }),
        ("registry: a form of many fields", a_registry, |world| {
            Box::pin(async {
                let form = format!("grant_type=refresh_token{}", "&a".repeat(60_000));
                sent(
                    world
                        .http()
                        .post("https://reg01.azurecr.io/oauth2/token")
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(form),
                )
                .await
            })
        }),
        ("registry: a manifest of very many layers", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                let mut layers = String::from("[");
                for i in 0..30_000 {
                    write!(
                        layers,
                        "{}{{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"{}\"}}",
                        if i == 0 { "" } else { "," },
                        digest(&[u8::try_from(i % 251).unwrap(), u8::try_from(i / 251).unwrap()])
                    )
                    .unwrap();
                }
                push(&docker, "many", manifest(&format!("{layers}]"), "")).await
            })
        }),
        ("registry: a dense manifest", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                push(
                    &docker,
                    "dense",
                    manifest("[]", &format!(",\"annotations\":{{\"a\":{}}}", dense("{\"\":0},", 4 * MB - 1000))),
                )
                .await
            })
        }),
        ("registry: a manifest as dense as may be", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                docker.push_blob(CONFIG).await.unwrap();
                push(
                    &docker,
                    "dense",
                    manifest("[]", &format!(",\"annotations\":{{\"a\":{}}}", dense("{\"\":0},", 220_000))),
                )
                .await
            })
        }),
        ("registry: annotations of 4 MB", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                docker.push_blob(CONFIG).await.unwrap();
                push(
                    &docker,
                    "long",
                    manifest("[]", &format!(",\"annotations\":{{\"a\":\"{}\"}}", "x".repeat(4 * MB - 1000))),
                )
                .await
            })
        }),
        ("registry: 30 referrers, 4 MB each", thirty_referrers, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                sent(docker.call(Method::GET, &format!("referrers/{}", digest(b"subject")))).await
            })
        }),
        ("registry: a list of these manifests", thirty_referrers, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                let list = world
                    .http()
                    .get("https://reg01.azurecr.io/acr/v1/app/_manifests?n=1000")
                    .bearer_auth(&docker.token);
                sent(list).await
            })
        }),
        ("registry: a manifest of 4 MB pulled", thirty_referrers, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                sent(docker.call(Method::GET, "manifests/r1")).await
            })
        }),
        ("registry: a dense change of attributes", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                let change = world.http().patch("https://reg01.azurecr.io/acr/v1/app").bearer_auth(&docker.token);
                sent(change.body(format!("{{\"a\":{}}}", dense("[],", 4 * MB - 100)))).await
            })
        }),
        ("registry: a blob of 64 MB in one piece", a_registry, |world| {
            Box::pin(async {
                let me = world.developer().await;
                let docker = me.sign_in("reg01", "app").await;
                u16::from(docker.push_blob(&vec![7; 64 * MB]).await.is_ok())
            })
        }),
    ]
}
