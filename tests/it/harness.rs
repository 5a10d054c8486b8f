//! A world to test in: the real binary as a process of its own, reached as clients reach it (through the
//! proxy, with its CA), and people in it who sign in and hold rights.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::leftovers;

pub const TENANT: &str = acrite::domain::world::well_known::TENANT_ID;
pub const SUBSCRIPTION: &str = acrite::domain::world::well_known::SUBSCRIPTION_ID;
pub const GROUP: &str = "rg";
pub const REGISTRY_API: &str = "2025-11-01";

/// One running emulator.
pub struct World {
    process: Child,
    pub url: String,
    pub dir: PathBuf,
    _own_dir: Option<tempfile::TempDir>,
    http: Client,
    /// Reads the log to its end.
    log: Option<JoinHandle<Vec<String>>>,
    /// Parts of errors that the test means to provoke.
    provoked: Mutex<Vec<&'static str>>,
    leaves_uploads: AtomicBool,
    is_damaged: AtomicBool,
}

/// The end of a world fails its test if anything is left that should not be there.
impl Drop for World {
    fn drop(&mut self) {
        // Ended hard: a test that wants a clean end calls `stop`.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let log = self.log.take().map(|log| log.join().unwrap_or_default()).unwrap_or_default();
        if std::thread::panicking() {
            return;
        }
        let provoked = std::mem::take(&mut *self.provoked.lock().unwrap());
        let errors = leftovers::errors(&log, &provoked);
        assert!(errors.is_empty(), "internal errors were logged:\n{}", errors.join("\n"));
        if self.is_damaged.load(Ordering::Relaxed) {
            return;
        }
        let Some(left) = leftovers::of(&self.dir) else { return };
        assert!(left.orphans.is_empty() && left.missing.is_empty(), "files and rows differ: {left:?}");
        assert!(left.miscounted.is_empty(), "counts are wrong: {left:?}");
        let may_leave = self.leaves_uploads.load(Ordering::Relaxed);
        assert!(may_leave || left.uploads.is_empty(), "upload sessions are left: {:?}", left.uploads);
    }
}

impl World {
    /// A world of its own, gone at the end.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A client that goes through the world's proxy.
    pub fn client(&self) -> &Client {
        &self.http
    }

    /// The same with more options for `serve`.
    pub fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let mut world = Self::on(&path, options);
        world._own_dir = Some(dir);
        world
    }

    /// A world on a data folder that is there already, or is to stay.
    pub fn on(dir: &Path, options: &[&str]) -> Self {
        Self::run(dir, &[&["--offline"], options].concat(), &[])
    }

    /// A world that may reach other machines, with an environment that says how.
    pub fn online(env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let mut world = Self::run(&path, &[], env);
        world._own_dir = Some(dir);
        world
    }

    fn run(dir: &Path, options: &[&str], env: &[(&str, &str)]) -> Self {
        // Another build can be held against the same tests.
        let built = std::env::var_os("ACRITE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_acrite").into());
        let mut process = Command::new(built)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .args(options)
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let log = std::thread::spawn(move || log.lines().map_while(Result::ok).inspect(|l| eprintln!("{l}")).collect());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("acrite listening on ").map(str::to_owned))
            .expect("serve prints its address");
        // The rest of its output must go on being read, or the pipe fills.
        std::thread::spawn(move || lines.for_each(drop));
        let ca = std::fs::read(dir.join("ca.pem")).unwrap();
        let http = Client::builder()
            .proxy(reqwest::Proxy::all(&url).unwrap())
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            process,
            url,
            dir: dir.to_owned(),
            _own_dir: None,
            http,
            log: Some(log),
            provoked: Mutex::default(),
            leaves_uploads: AtomicBool::default(),
            is_damaged: AtomicBool::default(),
        }
    }

    /// Says that the test provokes internal errors; their lines hold `part`.
    pub fn provokes(&self, part: &'static str) {
        self.provoked.lock().unwrap().push(part);
    }

    /// Says that the test leaves upload sessions open.
    pub fn leaves_uploads(&self) {
        self.leaves_uploads.store(true, Ordering::Relaxed);
    }

    /// Says that the test spoils the data folder, so that rows and files say nothing.
    pub fn is_damaged(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends the process as Ctrl-C does, and waits for its end.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(self.process.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.process.wait().unwrap();
    }

    /// Ends the process as Ctrl-C does, and returns the lines of its log.
    pub fn log(mut self) -> Vec<String> {
        let pid = rustix::process::Pid::from_raw(self.process.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.process.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        assert_eq!(leftovers::errors(&log, &[]), Vec::<String>::new());
        log
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A client that goes through the proxy and trusts the CA.
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// Moves the clock.
    pub async fn advance(&self, seconds: u64) {
        let answer = Client::builder().no_proxy().build().unwrap();
        let answer = answer.post(format!("{}/acrite/v1/clock", self.url)).json(&json!({ "advance": seconds })).send();
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    }

    /// `acrite status --json`.
    pub async fn status(&self) -> Value {
        let client = Client::builder().no_proxy().build().unwrap();
        client.get(format!("{}/acrite/v1/status", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// The developer: Owner of the subscription.
    pub async fn developer(&self) -> Person<'_> {
        use acrite::domain::world::well_known::DEVELOPER_CLIENT_ID;
        use acrite::domain::world::well_known::DEVELOPER_OBJECT_ID;
        use acrite::domain::world::well_known::DEVELOPER_SECRET;
        Person {
            world: self,
            client_id: DEVELOPER_CLIENT_ID.into(),
            secret: DEVELOPER_SECRET.into(),
            object_id: DEVELOPER_OBJECT_ID.into(),
            tokens: tokio::sync::Mutex::default(),
        }
    }

    /// Somebody new in the directory, without any right.
    pub async fn somebody(&self, name: &str) -> Person<'_> {
        let developer = self.developer().await;
        let app = developer.graph(Method::POST, "applications", json!({ "displayName": name })).await;
        let app = good(app).await;
        let object = app["id"].as_str().unwrap();
        let sp = developer.graph(Method::POST, "servicePrincipals", json!({ "appId": app["appId"] })).await;
        let sp = good(sp).await;
        let password = json!({"passwordCredential": {"displayName": "test"}});
        let secret = developer.graph(Method::POST, &format!("applications/{object}/addPassword"), password).await;
        let secret = good(secret).await;
        Person {
            world: self,
            client_id: app["appId"].as_str().unwrap().into(),
            secret: secret["secretText"].as_str().unwrap().into(),
            object_id: sp["id"].as_str().unwrap().into(),
            tokens: tokio::sync::Mutex::default(),
        }
    }
}

/// Somebody who signs in with a client secret.
pub struct Person<'w> {
    pub world: &'w World,
    pub client_id: String,
    pub secret: String,
    pub object_id: String,
    tokens: tokio::sync::Mutex<std::collections::HashMap<String, String>>,
}

/// The body of an answer that must be a success.
pub async fn good(response: Response) -> Value {
    let status = response.status();
    let url = response.url().clone();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status} {text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

/// Status, code and message of an answer that must be a refusal in ARM's or Key Vault's shape.
pub async fn refused(response: Response) -> (u16, String, String) {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(!status.is_success(), "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {status} {text}"));
    let word = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (status.as_u16(), word("code"), word("message"))
}

pub fn vault_url(vault: &str, path: &str) -> String {
    format!("https://{vault}.vault.azure.net/{path}?api-version=7.4")
}

pub fn group_path(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}{rest}")
}

pub fn registry_path(registry: &str) -> String {
    group_path(&format!("/providers/Microsoft.ContainerRegistry/registries/{registry}"))
}

pub fn vault_path(vault: &str) -> String {
    group_path(&format!("/providers/Microsoft.KeyVault/vaults/{vault}"))
}

pub fn identity_path(identity: &str) -> String {
    group_path(&format!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"))
}

impl Person<'_> {
    /// An access token for a scope such as `https://vault.azure.net`.
    pub async fn token(&self, resource: &str) -> String {
        let mut tokens = self.tokens.lock().await;
        if let Some(token) = tokens.get(resource) {
            return token.clone();
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", &self.secret),
            ("scope", &format!("{resource}/.default")),
        ];
        let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        let answer = good(self.world.http.post(url).form(&form).send().await.unwrap()).await;
        let token = answer["access_token"].as_str().unwrap().to_owned();
        tokens.insert(resource.to_owned(), token.clone());
        token
    }

    async fn send(&self, method: Method, url: &str, resource: &str, body: Value) -> Response {
        let token = self.token(resource).await;
        let mut request = self.world.http.request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// A call to ARM with an api-version.
    pub async fn arm_at(&self, version: &str, method: Method, path: &str, body: Value) -> Response {
        let sep = if path.contains('?') { '&' } else { '?' };
        let url = format!("https://management.azure.com{path}{sep}api-version={version}");
        self.send(method, &url, "https://management.azure.com", body).await
    }

    /// A call to ARM.
    pub async fn arm(&self, method: Method, path: &str, body: Value) -> Response {
        self.arm_at(REGISTRY_API, method, path, body).await
    }

    /// A call to Graph.
    pub async fn graph(&self, method: Method, path: &str, body: Value) -> Response {
        self.send(method, &format!("https://graph.microsoft.com/v1.0/{path}"), "https://graph.microsoft.com", body)
            .await
    }

    /// A call to a vault.
    pub async fn vault(&self, method: Method, vault: &str, path: &str, body: Value) -> Response {
        self.send(method, &vault_url(vault, path), "https://vault.azure.net", body).await
    }

    /// The resource group of the tests.
    pub async fn make_group(&self) {
        good(self.arm(Method::PUT, &group_path(""), json!({"location": "eastus"})).await).await;
    }

    /// A vault: with roles, or with access policies in which this person may do everything.
    pub async fn make_vault(&self, vault: &str, roles: bool) {
        self.make_vault_with(vault, "eastus", roles).await;
    }

    /// A vault in that region, with access policies.
    pub async fn make_vault_in(&self, vault: &str, region: &str) {
        self.make_vault_with(vault, region, false).await;
    }

    async fn make_vault_with(&self, vault: &str, region: &str, roles: bool) {
        let everything = ["all", "purge", "rotate", "release"];
        let body = json!({"location": region, "properties": {
            "tenantId": TENANT, "sku": {"family": "A", "name": "premium"}, "enableRbacAuthorization": roles,
            "accessPolicies": [{"tenantId": TENANT, "objectId": self.object_id, "permissions": {"keys": everything, "secrets": ["all", "purge"]}}],
        }});
        good(self.arm(Method::PUT, &vault_path(vault), body).await).await;
        if roles {
            self.assign(&vault_path(vault), "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", &self.object_id).await;
        }
    }

    /// Gives a role (by GUID) at a scope. Returns the assignment's path.
    pub async fn assign(&self, scope: &str, role: &str, principal: &str) -> String {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        let definition =
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let body = json!({"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}});
        good(self.arm(Method::PUT, &path, body).await).await;
        path
    }

    /// A new RSA key or key version. Returns its identifier.
    pub async fn make_key(&self, vault: &str, key: &str) -> String {
        let made = self
            .vault(Method::POST, vault, &format!("keys/{key}/create"), json!({"kty": "RSA", "key_size": 2048}))
            .await;
        good(made).await["key"]["kid"].as_str().unwrap().to_owned()
    }

    /// A user-assigned identity: its client id and principal id.
    pub async fn make_identity(&self, identity: &str) -> (String, String) {
        let made = good(self.arm(Method::PUT, &identity_path(identity), json!({"location": "eastus"})).await).await;
        let word = |name: &str| made["properties"][name].as_str().unwrap().to_owned();
        (word("clientId"), word("principalId"))
    }

    /// Lets a principal get, wrap and unwrap in a vault with access policies.
    pub async fn allow(&self, vault: &str, principal: &str) {
        self.policy(vault, "add", principal, &["get", "wrapKey", "unwrapKey"]).await;
    }

    /// Changes access policies.
    pub async fn policy(&self, vault: &str, how: &str, principal: &str, permissions: &[&str]) {
        let entry = json!({"tenantId": TENANT, "objectId": principal, "permissions": {"keys": permissions}});
        let path = format!("{}/accessPolicies/{how}", vault_path(vault));
        good(self.arm(Method::PUT, &path, json!({"properties": {"accessPolicies": [entry]}})).await).await;
    }

    /// The body of a registry encrypted with `key` through the identity.
    pub fn cmk_body(key: &str, identity: &str, client_id: &str) -> Value {
        json!({
            "location": "eastus", "sku": {"name": "Premium"},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_path(identity): {}}},
            "properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client_id}}},
        })
    }

    /// A registry on the service-managed key.
    pub async fn make_registry(&self, registry: &str) {
        let body = json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {}});
        good(self.arm(Method::PUT, &registry_path(registry), body).await).await;
    }

    /// `properties.encryption.keyVaultProperties` of a registry.
    pub async fn encryption(&self, registry: &str) -> Value {
        let shown = good(self.arm(Method::GET, &registry_path(registry), Value::Null).await).await;
        shown["properties"]["encryption"]["keyVaultProperties"].clone()
    }

    /// The registry as seen with a token for these actions on a repository.
    pub async fn sign_in(&self, registry: &str, repository: &str) -> Docker<'_> {
        let server = format!("{registry}.azurecr.io");
        let access = self.token("https://management.azure.com").await;
        let form =
            [("grant_type", "access_token"), ("service", &server), ("tenant", TENANT), ("access_token", &access)];
        let http = &self.world.http;
        let answer =
            good(http.post(format!("https://{server}/oauth2/exchange")).form(&form).send().await.unwrap()).await;
        let refresh = answer["refresh_token"].as_str().unwrap();
        let scope = format!("repository:{repository}:pull,push,delete,metadata_read,metadata_write");
        let form =
            [("grant_type", "refresh_token"), ("service", &server), ("scope", &scope), ("refresh_token", refresh)];
        let answer = good(http.post(format!("https://{server}/oauth2/token")).form(&form).send().await.unwrap()).await;
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Docker { http, server, repository: repository.to_owned(), token }
    }
}

/// A signed-in client of one repository.
pub struct Docker<'w> {
    http: &'w Client,
    pub server: String,
    pub repository: String,
    pub token: String,
}

pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", acrite::domain::world::crypto::hex(&acrite::domain::world::crypto::sha256(bytes)))
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The types of manifests that clients take.
pub const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

impl<'w> Docker<'w> {
    /// With a token that is known already.
    pub fn new(world: &'w World, registry: &str, repository: &str, token: &str) -> Self {
        let server = format!("{registry}.azurecr.io");
        Self { http: &world.http, server, repository: repository.to_owned(), token: token.to_owned() }
    }

    /// The client that it calls with.
    pub fn world_http(&self) -> &'w Client {
        self.http
    }

    /// A call below `/acr/v1/{repository}/`.
    pub fn acr(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let url = format!("https://{}/acr/v1/{}/{rest}", self.server, self.repository);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// A call below `/v2/{repository}/`.
    pub fn call(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let reads = method == Method::GET || method == Method::HEAD;
        let call = self
            .http
            .request(method, format!("https://{}/v2/{}/{rest}", self.server, self.repository))
            .bearer_auth(&self.token);
        // As clients do: OCI's manifests are given to those who name them.
        if reads && rest.starts_with("manifests/") { call.header("accept", ACCEPTED) } else { call }
    }

    /// A call to an absolute address, such as an upload's location.
    pub fn absolute(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// Pushes a blob in one piece.
    pub async fn push_blob(&self, bytes: &[u8]) -> Result<String, Response> {
        let begun = self.call(Method::POST, "blobs/uploads/").header("content-length", "0").send().await.unwrap();
        if begun.status() != StatusCode::ACCEPTED {
            return Err(begun);
        }
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let url = if location.starts_with('/') { format!("https://{}{location}", self.server) } else { location };
        let digest = digest(bytes);
        let sep = if url.contains('?') { '&' } else { '?' };
        let put = self.http.put(format!("{url}{sep}digest={digest}")).bearer_auth(&self.token).body(bytes.to_vec());
        let done = put.header("content-type", "application/octet-stream").send().await.unwrap();
        if done.status() == StatusCode::CREATED { Ok(digest) } else { Err(done) }
    }

    /// Pushes an image of one layer under a tag. Returns the manifest's bytes.
    pub async fn push_image(&self, tag: &str, layer: &[u8]) -> Result<Vec<u8>, Response> {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config_digest = self.push_blob(config).await?;
        let layer_digest = self.push_blob(layer).await?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len()}],
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let put =
            self.call(Method::PUT, &format!("manifests/{tag}")).header("content-type", MANIFEST).body(bytes.clone());
        let done = put.send().await.unwrap();
        if done.status() == StatusCode::CREATED { Ok(bytes) } else { Err(done) }
    }

    /// Pulls a manifest and its layer.
    pub async fn pull_image(&self, tag: &str) -> Result<(Vec<u8>, Vec<u8>), Response> {
        let got = self.call(Method::GET, &format!("manifests/{tag}")).header("accept", MANIFEST).send().await.unwrap();
        if got.status() != StatusCode::OK {
            return Err(got);
        }
        let manifest = got.bytes().await.unwrap().to_vec();
        let parsed: Value = serde_json::from_slice(&manifest).unwrap();
        let layer = parsed["layers"][0]["digest"].as_str().unwrap();
        let got = self.call(Method::GET, &format!("blobs/{layer}")).send().await.unwrap();
        if got.status() != StatusCode::OK {
            return Err(got);
        }
        Ok((manifest, got.bytes().await.unwrap().to_vec()))
    }
}
