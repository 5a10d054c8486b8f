//! What the clients' tests begin with, by plain HTTP requests: there is no stable Rust client of resource management.

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A variable of `acrite exec`.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Resource management as the developer, in a group `rg`.
pub struct Arm {
    http: Client,
    token: String,
    group: String,
}

impl Arm {
    pub async fn sign_in() -> Self {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(variable("ACRITE_CA")).unwrap()).unwrap();
        let http = Client::builder().tls_certs_only([ca]).build().unwrap();
        let token = token(&http, "https://management.azure.com").await;
        let group = format!("/subscriptions/{}/resourceGroups/rg", variable("AZURE_SUBSCRIPTION_ID"));
        let arm = Self { http, token, group };
        arm.call(Method::PUT, "", json!({"location": "eastus"})).await;
        arm
    }

    /// A call below the group, which must succeed.
    pub async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("https://management.azure.com{}{path}?api-version=2023-07-01", self.group);
        let sent = self.http.request(method, url).bearer_auth(&self.token).json(&body).send().await.unwrap();
        let (status, text) = (sent.status(), sent.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A vault in which the developer may do everything with keys, and others wrap and unwrap.
    pub async fn vault(&self, name: &str, others: &[&str]) {
        let tenant = variable("AZURE_TENANT_ID");
        let may =
            |who: &str, what: &[&str]| json!({"tenantId": tenant, "objectId": who, "permissions": {"keys": what}});
        let mut policies = vec![may(acrite::domain::world::well_known::DEVELOPER_OBJECT_ID, &["all", "purge"])];
        policies.extend(others.iter().map(|who| may(who, &["get", "wrapKey", "unwrapKey"])));
        let sku = json!({"family": "A", "name": "standard"});
        let properties = json!({"tenantId": tenant, "sku": sku, "accessPolicies": policies});
        let path = format!("/providers/Microsoft.KeyVault/vaults/{name}");
        self.call(Method::PUT, &path, json!({"location": "eastus", "properties": properties})).await;
    }

    /// Enables or disables a version of a key, named by its URL.
    pub async fn switch_key(&self, version: &str, enabled: bool) {
        let token = token(&self.http, "https://vault.azure.net").await;
        let body = json!({"attributes": {"enabled": enabled}});
        let url = format!("{version}?api-version=7.4");
        let sent = self.http.patch(url).bearer_auth(token).json(&body).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    }

    /// A refresh token of a registry: what `az acr login --expose-token` prints.
    pub async fn registry_password(&self, registry: &str) -> String {
        let service = format!("{registry}.azurecr.io");
        let entra = token(&self.http, "https://containerregistry.azure.net").await;
        let form = [("grant_type", "access_token"), ("service", &service), ("access_token", &entra)];
        let url = format!("https://{service}/oauth2/exchange");
        let answer: Value = self.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["refresh_token"].as_str().unwrap().to_owned()
    }
}

async fn token(http: &Client, resource: &str) -> String {
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", variable("AZURE_CLIENT_ID")),
        ("client_secret", variable("AZURE_CLIENT_SECRET")),
        ("scope", format!("{resource}/.default")),
    ];
    let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", variable("AZURE_TENANT_ID"));
    let answer: Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}
