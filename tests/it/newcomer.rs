//! What somebody meets who has just come: each stumbling block says what to do, or is not there any more.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use axum::routing::get;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{World, good, refused, vault_path};
use crate::process::{Serving, acrite, err, out, run};
use crate::stage;

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A command for the instance at `url`, from within a test that has a runtime.
fn ask(home: &Path, url: &str, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| acrite(home, arguments).env("ACRITE_URL", url).output().unwrap())
}

#[test]
fn an_image_to_begin_with_is_built_in() {
    let home = TempDir::new().unwrap();
    let template = fixture("cmk.json");
    let script = "acrite status --json";
    let image = ["--image", "acritecmk/app:v1=hello", "--", "sh", "-c", script];
    let ran = run(home.path(), &[&["exec", "--offline", "--template", &template], &image[..]].concat());
    assert!(ran.status.success(), "{}", err(&ran));
    let unknown = ["exec", "--offline", "--template", &template, "--image", "acritecmk/app:v1=./hello", "--", "true"];
    let unknown = run(home.path(), &unknown);
    assert!(err(&unknown).contains("`hello`, which is built in"), "{}", err(&unknown));
}

/// An instance in a container: its data folder is nowhere on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_shell_is_pointed_at_an_instance_whose_folder_is_not_here() {
    let home = TempDir::new().unwrap();
    let world = World::new();
    let served = good(world.http().get(format!("{}/acrite/v1/ca", world.url)).send().await.unwrap()).await;
    let certificate = fs::read_to_string(world.dir.join("ca.pem")).unwrap();
    assert_eq!(served["ca"], certificate);

    let health = json!({"status": "ok", "version": "0", "data_dir": "/nowhere/data"});
    let router = Router::new()
        .route("/acrite/v1/health", get(async move || Json(health)))
        .route("/acrite/v1/ca", get(async move || Json(served)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let env = tokio::task::block_in_place(|| {
        acrite(home.path(), &["env"]).env("ACRITE_URL", &url).env("ACRITE_TOKEN", "secret").output().unwrap()
    });
    assert!(env.status.success(), "{}", err(&env));
    let text = out(&env);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap_or_else(|| panic!("{name} is not set: {text}")).to_owned()
    };
    assert_eq!(fs::read_to_string(value("ACRITE_CA")).unwrap(), certificate);
    assert!(fs::read_to_string(value("SSL_CERT_FILE")).unwrap().contains(certificate.trim()));
    assert!(Path::new(&value("AZURE_CONFIG_DIR")).join("azureProfile.json").exists());
    assert_eq!((value("HTTPS_PROXY"), value("ACRITE_TOKEN")), (url, "secret".to_owned()));
    assert!(!text.contains("ACRITE_DATA_DIR"), "no data folder of this machine is meant: {text}");
    assert!(home.path().join(".acrite/.gitignore").exists(), "git does not see it");
    // The folder serves an instance of its own all the same.
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0"]);
    assert_eq!(serving.end("TERM"), Some(0));
}

#[test]
fn a_container_says_where_to_listen_and_the_arguments_stay_free() {
    let home = TempDir::new().unwrap();
    let mut child = acrite(home.path(), &["serve", "--ephemeral", "--offline"])
        .env("ACRITE_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.starts_with("acrite listening on http://127.0.0.1:") && !line.contains(":4443"), "{line}");
    crate::process::send("TERM", child.id());
    assert!(child.wait().unwrap().success());

    let wrong = acrite(home.path(), &["serve", "--ephemeral"]).env("ACRITE_LISTEN", "nowhere").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("ACRITE_LISTEN") && err(&wrong).contains("env -u ACRITE_LISTEN"), "{}", err(&wrong));
    // A private instance beside it is not meant.
    let exec = acrite(home.path(), &["exec", "--", "true"]).env("ACRITE_LISTEN", "nowhere").output().unwrap();
    assert!(exec.status.success(), "{}", err(&exec));
}

#[test]
fn a_script_does_not_go_on_to_azure_when_there_is_no_instance() {
    let home = TempDir::new().unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_acrite"));
    for arguments in ["--data-dir none", "--data-dir none --wait 1ms", "--no-such-option", "--shell nonsense"] {
        let script = format!("set -e; eval \"$({} env {arguments})\"; echo went on", own.display());
        let ran = Command::new("sh").args(["-c", &script]).current_dir(home.path()).env_clear().output().unwrap();
        assert!(!ran.status.success() && !out(&ran).contains("went on"), "{arguments}: {}", out(&ran));
    }
    let fish = run(home.path(), &["env", "--data-dir", "none", "--shell", "powershell"]);
    assert!(out(&fish).starts_with("throw "), "{}", out(&fish));
    assert_eq!(out(&run(home.path(), &["env", "--data-dir", "none", "--shell", "dotenv"])), "");
}

#[test]
fn env_waits_for_an_instance_that_is_only_just_started() {
    let home = TempDir::new().unwrap();
    let waiting =
        acrite(home.path(), &["env", "--wait", "60s", "--data-dir", "later"]).stdout(Stdio::piped()).spawn().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--data-dir", "later"]);
    let env = waiting.wait_with_output().unwrap();
    assert!(env.status.success() && out(&env).contains(serving.url()), "{}", out(&env));
    assert_eq!(serving.end("TERM"), Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificates_leaves_a_line_with_the_cure() {
    let world = World::new();
    let client = reqwest::Client::builder().proxy(reqwest::Proxy::all(&world.url).unwrap()).build().unwrap();
    assert!(client.get("https://management.azure.com/").send().await.is_err());
    drop(client);
    let log = world.log();
    let line = log.iter().find(|line| line.contains("does not trust the certificate of management.azure.com"));
    assert!(line.is_some_and(|line| line.contains("acrite env") && line.contains("ca.pem")), "{log:?}");
}

#[tokio::test]
async fn a_caller_without_a_role_on_a_vault_is_told_in_the_log_what_cures_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let body = json!({"location": "eastus", "properties": {"tenantId": crate::harness::TENANT,
        "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": true}});
    good(me.arm(Method::PUT, &vault_path("vault1"), body).await).await;
    let made = me.vault(Method::POST, "vault1", "keys/k/create", json!({"kty": "RSA"})).await;
    assert_eq!(refused(made).await.0, 403);
    let id = me.object_id.clone();
    drop(me);
    let log = world.log().join("\n");
    let assign = format!(
        "az role assignment create --role 'Key Vault Crypto Officer' --assignee-object-id {id} \
         --assignee-principal-type ServicePrincipal --scope \"$(az keyvault show --name vault1 --query id --output tsv)\""
    );
    assert!(log.contains(&assign), "{log}");
    assert!(log.contains("az keyvault update --name vault1 --enable-rbac-authorization false"), "{log}");
}

#[test]
fn the_version_names_the_commit() {
    let home = TempDir::new().unwrap();
    let said = out(&run(home.path(), &["--version"]));
    let (version, commit) = said.trim().strip_prefix("acrite ").unwrap().split_once(" (").unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(commit.ends_with(')') && commit.len() > 7, "{said}");
    let mut child = acrite(home.path(), &["serve", "--ephemeral", "--offline", "--listen", ":0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let greeting: Vec<String> = lines.take(4).map(Result::unwrap).collect();
    assert!(greeting[3].contains(&format!("version       {version} ({commit}")), "{greeting:?}");
    crate::process::send("TERM", child.id());
    child.wait().unwrap();
}

#[tokio::test]
async fn requests_are_logged_on_demand_and_as_json_on_demand() {
    let asked = async |options: &[&str]| {
        let world = World::with(options);
        let me = world.developer().await;
        me.make_group().await;
        drop(me);
        world.log()
    };
    assert!(!asked(&[]).await.iter().any(|line| line.contains("answered")));
    let log = asked(&["--log-requests"]).await;
    let line = log.iter().find(|line| line.contains("method=PUT")).unwrap();
    assert!(line.contains("status=201") && line.contains("host=\"management.azure.com\""), "{line}");
    assert!(!log.iter().any(|line| line.contains("Bearer") || line.contains("api-version")), "{log:?}");
    for line in asked(&["--log-requests", "--log-format", "json"]).await {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_left_out_of_the_audit_unless_asked_for() {
    let home = TempDir::new().unwrap();
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let challenged = world.http().get(crate::harness::vault_url("vault1", "keys")).send().await.unwrap();
    assert_eq!(challenged.status(), 401);
    let wrong =
        world.http().get(crate::harness::vault_url("vault1", "keys")).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    me.make_key("vault1", "key").await;
    let shown = out(&ask(home.path(), &world.url, &["audit"]));
    assert!(
        shown.contains("KeyCreate") && shown.ends_with("1 challenges are not shown; --all shows them\n"),
        "{shown}"
    );
    assert_eq!(shown.matches("Unauthorized").count(), 1, "a token that is no good is no challenge: {shown}");
    let all = out(&ask(home.path(), &world.url, &["audit", "--all"]));
    assert_eq!(all.matches("Unauthorized").count(), 2, "{all}");
    let json = out(&ask(home.path(), &world.url, &["audit", "--json"]));
    assert_eq!(json.matches("Unauthorized").count(), 2, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_time_pass_tells_what_happened() {
    let home = TempDir::new().unwrap();
    let world = World::new();
    let me = world.developer().await;
    stage::registry(&me, false).await;
    let newer = me.make_key("vault1", "key").await;
    let passed = out(&ask(home.path(), &world.url, &["clock", "advance", "61m"]));
    assert!(passed.contains(&format!("registry reg01 is rotated to {newer}\n")), "{passed}");
    let passed = out(&ask(home.path(), &world.url, &["clock", "advance", "61m"]));
    assert!(passed.ends_with("happened      nothing\n"), "{passed}");

    let actions = json!([{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}]);
    good(me.vault(Method::PUT, "vault1", "keys/key/rotationpolicy", json!({"lifetimeActions": actions})).await).await;
    me.make_key("vault1", "gone").await;
    good(me.vault(Method::DELETE, "vault1", "keys/gone", Value::Null).await).await;
    let passed = out(&ask(home.path(), &world.url, &["clock", "advance", "100d", "--json"]));
    let passed: Value = serde_json::from_str(&passed).unwrap();
    let told: Vec<&str> = passed["happened"].as_array().unwrap().iter().map(|n| n["what"].as_str().unwrap()).collect();
    let count = |words: &str| told.iter().filter(|what| what.contains(words)).count();
    assert_eq!(count("key key of vault vault1 has a new version by its rotation policy"), 3, "{told:?}");
    assert_eq!(count("registry reg01 is rotated to"), 3, "{told:?}");
    assert_eq!(count("deleted keys are purged: 1"), 1, "{told:?}");
    let times: Vec<&str> = passed["happened"].as_array().unwrap().iter().map(|n| n["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn what_is_not_compiled_yet_is_told_with_the_command_that_compiles_it() {
    let home = TempDir::new().unwrap();
    for file in ["main.bicep", "main.bicepparam"] {
        fs::File::create(home.path().join(file)).unwrap().write_all(b"param x string").unwrap();
    }
    let ran = run(home.path(), &["exec", "--template", "main.bicep", "--", "true"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(err(&ran).ends_with(": az bicep build --file main.bicep\n"), "{}", err(&ran));
    let template = fixture("cmk.json");
    let ran = run(home.path(), &["exec", "--template", &template, "--parameters", "main.bicepparam", "--", "true"]);
    assert!(err(&ran).ends_with(": az bicep build-params --file main.bicepparam\n"), "{}", err(&ran));
}

#[test]
fn words_of_other_programs_lead_to_ours() {
    let home = TempDir::new().unwrap();
    for (arguments, meant) in [
        (&["serve", "--port", "8080", "--offline"][..], "serve --offline --listen 8080"),
        (&["serve", "--port=8080"], "serve --listen 8080"),
        (&["--bind", "0.0.0.0:1"], " --listen 0.0.0.0:1"),
        (&["exec", "--port", "0", "--", "curl", "--port", "0"], "exec --listen 0 -- curl --port 0"),
    ] {
        let ran = run(home.path(), arguments);
        assert_eq!(ran.status.code(), Some(2));
        let text = err(&ran);
        let line = text.lines().find(|line| line.starts_with("Did you mean --listen? "));
        assert!(line.is_some_and(|line| line.ends_with(meant)), "{text}");
    }
    assert!(!err(&run(home.path(), &["serve", "--nonsense"])).contains("--listen"));
}

#[test]
fn certificates_that_the_user_needs_are_kept() {
    let home = TempDir::new().unwrap();
    let read = |instance: &Path, name: &str| fs::read_to_string(instance.join(name)).unwrap();
    // Somebody else's authority; that of an instance will do.
    let other = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--data-dir", "other"]);
    let corporate = home.path().join("corporate.pem");
    fs::copy(home.path().join("other/ca.pem"), &corporate).unwrap();
    assert_eq!(other.end("TERM"), Some(0));
    let certificate = fs::read_to_string(&corporate).unwrap();
    let own = |text: &str| text.contains(certificate.trim());

    for name in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let script = "cat \"$NODE_EXTRA_CA_CERTS\" \"$ACRITE_CA\" > node; cat \"$SSL_CERT_FILE\" > all; \
                      acrite env > again; echo \"$NODE_EXTRA_CA_CERTS\" > first";
        let ran = acrite(home.path(), &["exec", "--", "sh", "-c", script]).env(name, &corporate).output().unwrap();
        assert!(ran.status.success(), "{name}: {}", err(&ran));
        // Node has roots of its own and reads the others' variables not.
        assert!(own(&read(home.path(), "node")) == (name == "NODE_EXTRA_CA_CERTS"), "{name}");
        assert!(own(&read(home.path(), "all")), "{name}");
        let all = read(home.path(), "all");
        let ca = read(home.path(), "node").rsplit_once("-----BEGIN").unwrap().1.trim().to_owned();
        assert!(all.contains(&ca), "{name}: the emulator's authority is there too");
        // Pointed at it once more, the same file.
        let again = format!("export NODE_EXTRA_CA_CERTS={}", read(home.path(), "first"));
        assert!(read(home.path(), "again").contains(&again), "{name}");
    }
    // From one instance to the next, the other instance's authority is left behind.
    let script = "acrite exec -- sh -c 'cat \"$SSL_CERT_FILE\"' > inner; cat \"$ACRITE_CA\" > outer";
    let ran =
        acrite(home.path(), &["exec", "--", "sh", "-c", script]).env("SSL_CERT_FILE", &corporate).output().unwrap();
    assert!(ran.status.success(), "{}", err(&ran));
    let inner = read(home.path(), "inner");
    assert!(own(&inner) && !inner.contains(read(home.path(), "outer").trim()));
}
