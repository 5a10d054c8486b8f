//! Microsoft's Rust clients for Entra ID and Key Vault, with no option but their ordinary credential. They are
//! configured by the environment alone, so this program runs itself again inside `acrite exec`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::process::{Command, ExitCode};

use azure_identity::ClientSecretCredential;
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm, KeyClientGetKeyOptions, KeyOperationParameters, KeyType,
    SignParameters, SignatureAlgorithm, UpdateKeyPropertiesParameters, VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, ResourceExt as _};
use futures_util::TryStreamExt as _;
use serde_json::json;

const VAULT: &str = "rust-sdk-vault";

fn main() -> ExitCode {
    if std::env::var_os("ACRITE_URL").is_some() {
        tokio::runtime::Runtime::new().unwrap().block_on(inside());
        println!(
            "test keys_by_the_rust_sdk ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
        );
        return ExitCode::SUCCESS;
    }
    // As `cargo test NAME` asks for tests of that name only.
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if !filters.is_empty() && !filters.iter().any(|f| "keys_by_the_rust_sdk".contains(f.as_str())) {
        println!("\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out");
        return ExitCode::SUCCESS;
    }
    let own = std::env::current_exe().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_acrite")).args(["exec", "--offline", "--"]).arg(own).status().unwrap();
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a user of the SDK writes.
async fn inside() {
    let variable = |name: &str| std::env::var(name).unwrap();
    make_vault(&variable).await;
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
    let digest = acrite::domain::crypto::sha256(b"a message").to_vec();
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

/// The vault, by plain HTTP requests: there is no stable Rust client of resource management.
async fn make_vault(variable: &impl Fn(&str) -> String) {
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(variable("ACRITE_CA")).unwrap()).unwrap()])
        .build()
        .unwrap();
    let tenant = variable("AZURE_TENANT_ID");
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", variable("AZURE_CLIENT_ID")),
        ("client_secret", variable("AZURE_CLIENT_SECRET")),
        ("scope", "https://management.azure.com/.default".to_owned()),
    ];
    let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
    let answer: serde_json::Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let group =
        format!("https://management.azure.com/subscriptions/{}/resourceGroups/rg", variable("AZURE_SUBSCRIPTION_ID"));
    let put = async |path: &str, body: serde_json::Value| {
        let sent =
            http.put(format!("{group}{path}?api-version=2023-07-01")).bearer_auth(token).json(&body).send().await;
        let sent = sent.unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    };
    put("", json!({"location": "eastus"})).await;
    let everything = json!({"keys": ["all", "purge"]});
    let me = acrite::domain::well_known::DEVELOPER_OBJECT_ID;
    let policies = json!([{"tenantId": tenant, "objectId": me, "permissions": everything}]);
    let properties =
        json!({"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": policies});
    let vault = format!("/providers/Microsoft.KeyVault/vaults/{VAULT}");
    put(&vault, json!({"location": "eastus", "properties": properties})).await;
}
