//! Microsoft's Rust clients for Entra ID and Key Vault, with no option but their ordinary credential.

use azure_identity::ClientSecretCredential;
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm, KeyClientGetKeyOptions, KeyOperationParameters, KeyType,
    SignParameters, SignatureAlgorithm, UpdateKeyPropertiesParameters, VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, ResourceExt as _};
use futures_util::TryStreamExt as _;
use serde_json::json;

use super::arm::{Arm, variable};

const VAULT: &str = "rust-sdk-vault";

/// What a user of the SDK writes.
pub async fn keys_by_the_rust_sdk() {
    Arm::sign_in().await.vault(VAULT, &[]).await;
    let secret = variable("AZURE_CLIENT_SECRET").into();
    let credential =
        ClientSecretCredential::new(&variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"), secret, None).unwrap();
    let client = KeyClient::new(&format!("https://{VAULT}.vault.azure.net/"), credential, None).unwrap();

    let body = CreateKeyParameters { kty: Some(KeyType::Rsa), key_size: Some(2048), ..Default::default() };
    let made = client.create_key("wrapper", body.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    let first = made.resource_id().unwrap().version.unwrap();

    let dek = vec![7u8; 32];
    let asked = |value: Vec<u8>| KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value: Some(value),
        ..Default::default()
    };
    let wrapped = client.wrap_key("wrapper", asked(dek.clone()).try_into().unwrap(), None).await.unwrap();
    let wrapped = wrapped.into_model().unwrap();
    assert_eq!(wrapped.resource_id().unwrap().version.as_deref(), Some(first.as_str()));
    // A newer version does not open what the older one wrapped; the older one still does.
    let body = CreateKeyParameters { kty: Some(KeyType::Rsa), key_size: Some(2048), ..Default::default() };
    client.create_key("wrapper", body.try_into().unwrap(), None).await.unwrap();
    let sealed = wrapped.result.unwrap();
    let opened = client.unwrap_key("wrapper", &first, asked(sealed.clone()).try_into().unwrap(), None).await.unwrap();
    assert_eq!(opened.into_model().unwrap().result, Some(dek));

    let off = json!({"attributes": {"enabled": false}});
    let off: UpdateKeyPropertiesParameters = serde_json::from_value(off).unwrap();
    let options = azure_security_keyvault_keys::models::KeyClientUpdateKeyPropertiesOptions {
        key_version: Some(first.clone()),
        ..Default::default()
    };
    client.update_key_properties("wrapper", off.try_into().unwrap(), Some(options)).await.unwrap();
    let refused = client.unwrap_key("wrapper", &first, asked(sealed).try_into().unwrap(), None).await.unwrap_err();
    assert!(format!("{refused:?}").contains("not allowed on a disabled key"), "{refused:?}");
    let options = KeyClientGetKeyOptions { key_version: Some(first), ..Default::default() };
    let shown = client.get_key("wrapper", Some(options)).await.unwrap().into_model().unwrap();
    assert_eq!(shown.attributes.unwrap().enabled, Some(false), "a disabled key can still be read");

    let body = CreateKeyParameters { kty: Some(KeyType::Ec), curve: Some(CurveName::P256), ..Default::default() };
    let signer = client.create_key("signer", body.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    let version = signer.resource_id().unwrap().version.unwrap();
    let digest = acrite::domain::world::crypto::sha256(b"a message").to_vec();
    let body = SignParameters { algorithm: Some(SignatureAlgorithm::Es256), value: Some(digest.clone()) };
    let signed = client.sign("signer", body.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    let body =
        VerifyParameters { algorithm: Some(SignatureAlgorithm::Es256), digest: Some(digest), signature: signed.result };
    let verdict =
        client.verify("signer", &version, body.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    assert_eq!(verdict.value, Some(true));

    let mut names = Vec::new();
    let mut pager = client.list_key_properties(None).unwrap();
    while let Some(key) = pager.try_next().await.unwrap() {
        names.push(key.resource_id().unwrap().name);
    }
    assert_eq!(names, ["signer", "wrapper"]);
    client.delete_key("signer", None).await.unwrap();
    client.purge_deleted_key("signer", None).await.unwrap();
    let gone = client.get_key("signer", None).await.unwrap_err();
    assert!(format!("{gone:?}").contains("KeyNotFound"), "{gone:?}");
}
