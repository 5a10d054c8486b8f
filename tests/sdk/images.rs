//! The registry client of Rust, `oci-client`, as its users write it: nothing set but user and password.

use oci_client::client::{Config, ImageLayer};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::IMAGE_LAYER_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use reqwest::Method;
use serde_json::json;

use super::arm::Arm;

/// The user that goes with a token [docs].
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

fn image(registry: &str, rest: &str) -> Reference {
    format!("{registry}.azurecr.io/{rest}").parse().unwrap()
}

/// Pushes two layers, pulls them again by tag and by digest, and lists the tags.
async fn round(client: &Client, registry: &str, user: &RegistryAuth) {
    let layers = [b"the first layer".to_vec(), vec![7; 300_000]];
    let sent = layers.clone().map(|data| ImageLayer::new(data, IMAGE_LAYER_MEDIA_TYPE.to_owned(), None));
    let config = || Config::oci_v1(b"{\"architecture\": \"amd64\", \"os\": \"linux\"}".to_vec(), None);
    let tagged = image(registry, "team/app:v1");
    let pushed = client.push(&tagged, &sent, config(), user, None).await.unwrap();
    assert!(pushed.manifest_url.contains(&format!("https://{registry}.azurecr.io/v2/team/app/manifests/")));
    client.push(&image(registry, "team/app:v2"), &sent, config(), user, None).await.unwrap();

    let digest = client.fetch_manifest_digest(&tagged, user).await.unwrap();
    for name in [tagged.clone(), image(registry, &format!("team/app@{digest}"))] {
        let pulled = client.pull(&name, user, vec![IMAGE_LAYER_MEDIA_TYPE]).await.unwrap();
        assert_eq!(pulled.digest.as_deref(), Some(digest.as_str()));
        // It gives layers as they come in, and they come in side by side.
        let mut sizes: Vec<usize> = pulled.layers.iter().map(|l| l.data.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [15, 300_000]);
        assert!(pulled.layers.iter().all(|got| layers.iter().any(|layer| *layer == got.data)), "other bytes came back");
    }
    // It asks for the right to pull alone, which lists no tags on Azure either [issue].
    let listed = client.list_tags(&tagged, user, None, None).await;
    assert!(matches!(listed, Err(OciDistributionError::UnauthorizedError { .. })), "{listed:?}");
}

/// The first error of the registry's answer: its code and message.
fn said(error: &OciDistributionError) -> (String, String) {
    let OciDistributionError::RegistryError { envelope, .. } = error else { panic!("{error:?}") };
    (format!("{:?}", envelope.errors[0].code), envelope.errors[0].message.clone())
}

pub async fn images_by_the_rust_oci_client() {
    let arm = Arm::sign_in().await;
    let identity = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1";
    let identity = arm.call(Method::PUT, identity, json!({"location": "eastus"})).await;
    arm.vault("rust-oci-vault", &[identity["properties"]["principalId"].as_str().unwrap()]).await;
    let key = "/providers/Microsoft.KeyVault/vaults/rust-oci-vault/keys/key";
    let key = arm.call(Method::PUT, key, json!({"properties": {"kty": "RSA"}})).await;
    let registry = async |name: &str, body: serde_json::Value| {
        let mut whole = json!({"location": "eastus", "sku": {"name": "Premium"}});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        arm.call(Method::PUT, &format!("/providers/Microsoft.ContainerRegistry/registries/{name}"), whole).await;
    };
    registry("rustplain", json!({})).await;
    let id = identity["id"].as_str().unwrap();
    let properties = json!({"encryption": {"status": "enabled", "keyVaultProperties": {
        "keyIdentifier": key["properties"]["keyUri"], "identity": identity["properties"]["clientId"],
    }}});
    let identity = json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}});
    registry("rustcmk", json!({"identity": identity, "properties": properties})).await;

    let client = Client::default();
    for name in ["rustplain", "rustcmk"] {
        let user = RegistryAuth::Basic(TOKEN_USER.to_owned(), arm.registry_password(name).await);
        round(&client, name, &user).await;
    }

    // Without a password, or with a wrong one, there is nothing to be had.
    for user in [RegistryAuth::Anonymous, RegistryAuth::Basic("rustplain".to_owned(), "wrong".to_owned())] {
        let stranger = Client::default();
        let refused = stranger.pull(&image("rustplain", "team/app:v1"), &user, vec![IMAGE_LAYER_MEDIA_TYPE]).await;
        let refused = refused.err().unwrap();
        let wanted = matches!(
            refused,
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. }
        );
        assert!(wanted, "{refused:?}");
    }

    // The key disabled: sign-in works, nothing else does, and the client tells why.
    let version = key["properties"]["keyUriWithVersion"].as_str().unwrap().replace(":443/", "/");
    let switch = async |on: bool| arm.switch_key(&version, on).await;
    switch(false).await;
    let blocked = Client::default();
    let user = RegistryAuth::Basic(TOKEN_USER.to_owned(), arm.registry_password("rustcmk").await);
    let name = image("rustcmk", "team/app:v1");
    let layer = ImageLayer::new(b"unseen".to_vec(), IMAGE_LAYER_MEDIA_TYPE.to_owned(), None);
    let config = Config::oci_v1(b"{}".to_vec(), None);
    let pulled = blocked.pull(&name, &user, vec![IMAGE_LAYER_MEDIA_TYPE]).await.err().unwrap();
    let pushed = blocked.push(&image("rustcmk", "new:v1"), &[layer], config, &user, None).await.err().unwrap();
    let read = blocked.pull_manifest(&name, &user).await.err().unwrap();
    let wanted = "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk";
    for refused in [pulled, read] {
        assert_eq!(said(&refused), ("Denied".to_owned(), wanted.to_owned()));
    }
    assert!(pushed.to_string().contains("403") || pushed.to_string().contains(wanted), "{pushed:?}");
    let other = RegistryAuth::Basic(TOKEN_USER.to_owned(), arm.registry_password("rustplain").await);
    round(&client, "rustplain", &other).await;
    switch(true).await;
    round(&blocked, "rustcmk", &user).await;
}
