//! ACR Tasks through real sockets: sources, runs, logs, triggers and what time does to them. A script stands for the
//! builder, so that nothing but this program is needed; real builders are asked by the suites of tests/clients.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Person, World, good, refused, registry_path};

const API: &str = "2025-03-01-preview";

/// What stands for buildah: of a build it carries out the lines of the Dockerfile that begin with `#do`.
const BUILDER: &str = r##"#!/bin/sh
shift 6
what=$1
digest= file=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
    --digestfile) digest=$2 ;;
    -f) file=$2 ;;
  esac
  last=$1
  shift
done
case $what in
  bud)
    echo "STEP 1: FROM scratch"
    sed -n 's/^#do //p' "$file" >"$TMPDIR/do.sh"
    . "$TMPDIR/do.sh"
    echo "COMMIT"
    ;;
  push) printf 'sha256:%064d' 7 >"$digest" ;;
  from) echo working-container ;;
  inspect) echo '{"OCIv1":{"config":{"Cmd":["true"]}}}' ;;
  run) shift; exec "$@" ;;
esac
"##;

/// A script that stands for the builder, and a folder for what it leaves.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("buildah");
        std::fs::write(&path, BUILDER).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    fn program(&self) -> String {
        self.dir.path().join("buildah").display().to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn world(&self) -> World {
        World::with(&["--builder", &self.program()])
    }

    fn world_on(&self, dir: &Path) -> World {
        World::on(dir, &["--builder", &self.program()])
    }
}

async fn arm(me: &Person<'_>, method: Method, path: &str, body: Value) -> reqwest::Response {
    me.arm_at(API, method, path, body).await
}

/// A gzipped archive of these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(packer);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

async fn upload_url(me: &Person<'_>, registry: &str) -> (String, String) {
    let path = format!("{}/listBuildSourceUploadUrl", registry_path(registry));
    let answer = good(arm(me, Method::POST, &path, Value::Null).await).await;
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("uploadUrl"), text("relativePath"))
}

async fn put(me: &Person<'_>, url: &str, bytes: Vec<u8>) -> reqwest::Response {
    let request = me.world.http().put(url).header("x-ms-blob-type", "BlockBlob").header("x-ms-version", "2021-12-02");
    request.body(bytes).send().await.unwrap()
}

async fn upload(me: &Person<'_>, registry: &str, files: &[(&str, &str)]) -> String {
    let (url, path) = upload_url(me, registry).await;
    assert_eq!(put(me, &url, archive(files)).await.status(), StatusCode::CREATED);
    path
}

async fn schedule(me: &Person<'_>, registry: &str, body: Value) -> String {
    let path = format!("{}/scheduleRun", registry_path(registry));
    let run = good(arm(me, Method::POST, &path, body).await).await;
    run["name"].as_str().unwrap().to_owned()
}

async fn run(me: &Person<'_>, registry: &str, run: &str) -> Value {
    let path = format!("{}/runs/{run}", registry_path(registry));
    good(arm(me, Method::GET, &path, Value::Null).await).await["properties"].clone()
}

/// A run once it has one of these states.
async fn until(me: &Person<'_>, registry: &str, name: &str, states: &[&str]) -> Value {
    loop {
        let found = run(me, registry, name).await;
        if states.iter().any(|s| found["status"] == *s) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

const FINAL: [&str; 5] = ["Succeeded", "Failed", "Canceled", "Error", "Timeout"];

async fn ended(me: &Person<'_>, registry: &str, name: &str) -> Value {
    until(me, registry, name, &FINAL).await
}

async fn log_link(me: &Person<'_>, registry: &str, name: &str) -> reqwest::Response {
    arm(me, Method::POST, &format!("{}/runs/{name}/listLogSasUrl", registry_path(registry)), Value::Null).await
}

async fn log(me: &Person<'_>, registry: &str, name: &str) -> String {
    let link = good(log_link(me, registry, name).await).await["logLink"].as_str().unwrap().to_owned();
    let answer = me.world.http().get(link).send().await.unwrap();
    assert!(answer.headers().contains_key("x-ms-meta-complete"), "the log says that it is complete");
    answer.text().await.unwrap()
}

fn docker(source: &str, image: &str) -> Value {
    json!({
        "type": "DockerBuildRequest", "imageNames": [image], "isPushEnabled": true, "dockerFilePath": "Dockerfile",
        "platform": {"os": "linux", "architecture": "amd64"}, "sourceLocation": source,
    })
}

fn encoded(text: &str) -> Value {
    let content = acrite::domain::world::crypto::base64(text.as_bytes());
    json!({"type": "EncodedTaskRunRequest", "encodedTaskContent": content, "platform": {"os": "linux"}})
}

async fn build(me: &Person<'_>, registry: &str, dockerfile: &str) -> String {
    let source = upload(me, registry, &[("Dockerfile", dockerfile)]).await;
    schedule(me, registry, docker(&source, "app:{{.Run.ID}}")).await
}

/// The registries `plain` and `cmk`; whom the vault of the latter knows.
async fn stage(me: &Person<'_>) -> String {
    me.make_group().await;
    me.make_vault("vault1", false).await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("vault1", &principal).await;
    let kid = me.make_key("vault1", "key").await;
    let kid = kid.rsplit_once('/').unwrap().0;
    good(me.arm(Method::PUT, &registry_path("cmkreg"), Person::cmk_body(kid, "id1", &client)).await).await;
    me.make_registry("plain").await;
    principal
}

#[tokio::test]
async fn a_build_is_carried_out_logged_and_told() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let name = build(&me, "reg01", "FROM scratch\n#do echo hello from the build\n").await;
    assert_eq!(name, "cf1");
    let run = ended(&me, "reg01", &name).await;
    assert_eq!(run["status"], "Succeeded", "{run}");
    assert_eq!(
        run["outputImages"],
        json!([{"registry": "reg01.azurecr.io", "repository": "app", "tag": "cf1", "digest": format!("sha256:{:064}", 7)}])
    );
    assert_eq!((&run["runType"], &run["platform"]["os"]), (&json!("QuickBuild"), &json!("linux")));
    let text = log(&me, "reg01", &name).await;
    for said in [
        "hello from the build\r\n",
        "Successfully pushed image: reg01.azurecr.io/app:cf1",
        "Run ID: cf1 was successful",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    // Lists, the newest first.
    let failed = build(&me, "reg01", "#do exit 3\n").await;
    assert_eq!(ended(&me, "reg01", &failed).await["status"], "Failed");
    assert!(log(&me, "reg01", &failed).await.contains("ended with exit code 3"));
    let list = async |query: &str| {
        let path = format!("{}/runs{query}", registry_path("reg01"));
        let found = good(arm(&me, Method::GET, &path, Value::Null).await).await;
        found["value"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["cf2", "cf1"]);
    assert_eq!(list("?$top=1").await, ["cf2"]);
    assert_eq!(list("?$filter=Status eq 'Succeeded'").await, ["cf1"]);
    let image = format!("?$filter=contains(OutputImageManifests, 'app@sha256:{:064}')", 7);
    assert_eq!(list(&image).await, ["cf1"]);
    let path = format!("{}/runs?$filter=Colour eq 'red'", registry_path("reg01"));
    assert_eq!(refused(arm(&me, Method::GET, &path, Value::Null).await).await.0, 400);
}

#[tokio::test]
async fn task_files_run_their_steps_in_order_and_hide_secrets() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let text = "version: v1.1.0\nsteps:\n  - id: b\n    when: [a]\n    cmd: img sh -c 'echo second $ID {{.Values.word}} {{.Values.hidden}}'\n  - id: a\n    when: ['-']\n    cmd: img echo first\n  - id: c\n    when: [b]\n    cmd: img false\n    ignoreErrors: true\n";
    let mut body = encoded(text);
    body["values"] =
        json!([{"name": "word", "value": "shown"}, {"name": "hidden", "value": "s3cret", "isSecret": true}]);
    let name = schedule(&me, "reg01", body).await;
    let run = ended(&me, "reg01", &name).await;
    let text = log(&me, "reg01", &name).await;
    assert_eq!(run["status"], "Succeeded", "{text}");
    let (first, second) = (text.find("first\r\n").unwrap(), text.find("second cf1 shown ***\r\n").unwrap());
    assert!(first < second && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn wrong_task_files_and_sources_fail_with_their_reason() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    for (body, why) in [
        (encoded("steps: ["), "yaml"),
        (encoded("steps: [{cmd: a, colour: red}]"), "field colour not found"),
        (encoded("steps: [{cmd: a, id: x, when: [y]}, {cmd: b, id: y, when: [x]}]"), "circle"),
        (docker("source/none.tar.gz", "a:1"), "there is no such source"),
    ] {
        let name = schedule(&me, "reg01", body).await;
        let run = ended(&me, "reg01", &name).await;
        assert_eq!(run["status"], "Failed");
        assert!(log(&me, "reg01", &name).await.contains(why), "{why}");
    }
    // Out of the source.
    let source = upload(&me, "reg01", &[("a", "b")]).await;
    for file in ["Dockerfile", "../../etc/passwd", "/etc/passwd"] {
        let mut body = docker(&source, "a:1");
        body["dockerFilePath"] = json!(file);
        let name = schedule(&me, "reg01", body).await;
        assert_eq!(ended(&me, "reg01", &name).await["status"], "Failed");
        assert!(log(&me, "reg01", &name).await.contains("is not in the source"), "{file}");
    }
    // What is no request is refused at once.
    let path = format!("{}/scheduleRun", registry_path("reg01"));
    for body in [
        json!({}),
        json!({"type": "Other"}),
        json!({"type": "EncodedTaskRunRequest", "encodedTaskContent": "!"}),
        json!({"type": "TaskRunRequest", "taskId": format!("{}/tasks/none1", registry_path("reg01"))}),
    ] {
        let (status, ..) = refused(arm(&me, Method::POST, &path, body).await).await;
        assert!((400..=404).contains(&status));
    }
}

#[tokio::test]
async fn the_storage_account_takes_blocks_gives_ranges_and_refuses_the_rest() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let (url, _) = upload_url(&me, "reg01").await;
    let http = world.http();
    for (id, part) in [("YQ==", "first "), ("Yg==", "second "), ("Yw==", "third")] {
        let put = http.put(format!("{url}&comp=block&blockid={id}")).body(part).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }
    let list = |ids: &[&str]| {
        let ids: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
        http.put(format!("{url}&comp=blocklist"))
            .body(format!("<?xml version=\"1.0\"?><BlockList>{ids}</BlockList>"))
            .send()
    };
    let code = |answer: &reqwest::Response| answer.headers()["x-ms-error-code"].to_str().unwrap().to_owned();
    assert_eq!(code(&list(&["eA=="]).await.unwrap()), "InvalidBlockList");
    assert_eq!(list(&["Yw==", "YQ==", "Yg=="]).await.unwrap().status(), StatusCode::CREATED);
    // A link to put reads nothing.
    assert_eq!(code(&http.get(&url).send().await.unwrap()), "AuthorizationPermissionMismatch");
    let name = schedule(&me, "reg01", encoded("steps: [{cmd: img echo in the log}]")).await;
    ended(&me, "reg01", &name).await;
    let link = good(log_link(&me, "reg01", &name).await).await["logLink"].as_str().unwrap().to_owned();
    let whole = http.get(&link).send().await.unwrap().text().await.unwrap();
    let part = http.get(&link).header("x-ms-range", "bytes=3-9").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 3-9/{}", whole.len()).as_str());
    assert_eq!(part.text().await.unwrap(), whole[3..10]);
    let head = http.head(&link).send().await.unwrap();
    assert_eq!(head.headers()["x-ms-blob-type"], "AppendBlob");
    assert_eq!(head.headers()["content-length"], whole.len().to_string().as_str());
    let beyond = http.get(&link).header("range", "bytes=999999-").send().await.unwrap();
    assert_eq!((beyond.status().as_u16(), code(&beyond).as_str()), (416, "InvalidRange"));
    for (method, url, wanted) in [
        (Method::GET, link.replace("sig=", "sig=AA"), "AuthenticationFailed"),
        (Method::GET, link.replace("sp=r", "sp=rwd"), "AuthenticationFailed"),
        (Method::GET, link.replace("rawtext", "other"), "AuthenticationFailed"),
        (Method::GET, link.split('?').next().unwrap().to_owned(), "ResourceNotFound"),
        (Method::DELETE, link.clone(), "UnsupportedHttpVerb"),
        (Method::GET, format!("{link}&comp=blocklist"), "InvalidQueryParameterValue"),
        (Method::PUT, format!("{link}&comp=appendblock"), "InvalidQueryParameterValue"),
        (Method::GET, "https://acrtasks.blob.core.windows.net/?comp=list".to_owned(), "ResourceNotFound"),
    ] {
        let answer = http.request(method, &url).send().await.unwrap();
        assert_eq!(code(&answer), wanted, "{url}");
        assert!(answer.text().await.unwrap().contains(&format!("<Code>{wanted}</Code>")));
    }
    // Other accounts are not emulated.
    assert!(http.get(link.replace("acrtasks", "other")).send().await.is_err());
    // It really ends.
    world.advance(25 * 3600).await;
    let late = http.get(&link).send().await.unwrap();
    assert_eq!((late.status().as_u16(), code(&late).as_str()), (403, "AuthenticationFailed"));
    assert!(late.text().await.unwrap().contains("Signature not valid in the specified time frame"));
    assert_eq!(code(&put(&me, &url, vec![1]).await), "AuthenticationFailed");
}

#[tokio::test]
async fn while_the_key_is_revoked_no_run_starts_and_no_log_is_read() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    let principal = stage(&me).await;
    let before = build(&me, "cmkreg", "#do echo before\n").await;
    assert_eq!(ended(&me, "cmkreg", &before).await["status"], "Succeeded");
    let link = good(log_link(&me, "cmkreg", &before).await).await["logLink"].as_str().unwrap().to_owned();
    let (url, _) = upload_url(&me, "cmkreg").await;
    // One is under way, for as long as it is let.
    let going = build(&me, "cmkreg", &format!("#do echo $$ >{}; sleep 600\n", fake.file("pid").display())).await;
    until(&me, "cmkreg", &going, &["Running"]).await;
    while !fake.file("pid").exists() {
        tokio::task::yield_now().await;
    }

    me.policy("vault1", "remove", &principal, &["get", "wrapKey", "unwrapKey"]).await;
    const WHY: &str = "Access to Key Encryption Key is forbidden";
    let run = ended(&me, "cmkreg", &going).await;
    assert_eq!(run["status"], "Failed");
    assert!(run["runErrorMessage"].as_str().unwrap().starts_with(WHY), "{run}");
    let name = schedule(&me, "cmkreg", encoded("steps: [{cmd: img echo never}]")).await;
    let run = run_of(&me, "cmkreg", &name).await;
    assert_eq!(run["status"], "Failed");
    assert!(run["runErrorMessage"].as_str().unwrap().starts_with(WHY));
    assert!(refused(log_link(&me, "cmkreg", &before).await).await.2.starts_with(WHY));
    let answer = world.http().get(&link).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains(WHY));
    assert_eq!(put(&me, &url, archive(&[("a", "b")])).await.status(), StatusCode::FORBIDDEN);

    me.allow("vault1", &principal).await;
    assert!(log(&me, "cmkreg", &before).await.contains("before"));
    assert_eq!(put(&me, &url, archive(&[("a", "b")])).await.status(), StatusCode::CREATED);
    let after = build(&me, "cmkreg", "#do echo after\n").await;
    assert_eq!(ended(&me, "cmkreg", &after).await["status"], "Succeeded");
    gone(&fake.file("pid")).await;
}

async fn run_of(me: &Person<'_>, registry: &str, name: &str) -> Value {
    run(me, registry, name).await
}

/// Waits until the process that a file names is no more.
async fn gone(file: &Path) {
    let pid = std::fs::read_to_string(file).unwrap();
    while Path::new("/proc").join(pid.trim()).exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn logs_go_after_a_day_or_a_month_and_runs_that_nobody_keeps() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    stage(&me).await;
    for registry in ["cmkreg", "plain"] {
        let kept = build(&me, registry, "#do echo kept\n").await;
        ended(&me, registry, &kept).await;
        let other = build(&me, registry, "#do echo other\n").await;
        ended(&me, registry, &other).await;
        let path = format!("{}/runs/{kept}", registry_path(registry));
        let shown = good(arm(&me, Method::PATCH, &path, json!({"isArchiveEnabled": true})).await).await;
        assert_eq!(shown["properties"]["isArchiveEnabled"], true);
    }
    world.advance(23 * 3600).await;
    assert!(log(&me, "cmkreg", "cf1").await.contains("kept"));
    world.advance(2 * 3600).await;
    assert_eq!(refused(log_link(&me, "cmkreg", "cf1").await).await.0, 404);
    assert!(log(&me, "plain", "cf1").await.contains("kept"));
    world.advance(30 * 24 * 3600).await;
    for registry in ["cmkreg", "plain"] {
        assert_eq!(refused(log_link(&me, registry, "cf1").await).await.0, 404);
        assert_eq!(run(&me, registry, "cf1").await["status"], "Succeeded");
        let path = format!("{}/runs/cf2", registry_path(registry));
        assert_eq!(refused(arm(&me, Method::GET, &path, Value::Null).await).await.0, 404);
    }
    // Numbers never come again.
    assert_eq!(build(&me, "plain", "#do true\n").await, "cf3");
}

async fn make_task(me: &Person<'_>, registry: &str, task: &str, properties: Value) -> Value {
    let body = json!({"location": "eastus", "properties": properties});
    good(arm(me, Method::PUT, &format!("{}/tasks/{task}", registry_path(registry)), body).await).await
}

fn task_of(text: &str, trigger: Value) -> Value {
    let content = acrite::domain::world::crypto::base64(text.as_bytes());
    json!({
        "platform": {"os": "linux", "architecture": "amd64"},
        "step": {"type": "EncodedTask", "encodedTaskContent": content, "values": []}, "trigger": trigger,
    })
}

#[tokio::test]
async fn timers_start_their_runs_at_their_instants_in_order() {
    let fake = Fake::new();
    let world = World::with(&["--builder", &fake.program(), "--clock", "2026-03-01T10:00:00Z frozen"]);
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let timers = json!({"timerTriggers": [{"name": "daily", "schedule": "30 6 * * *"}]});
    make_task(&me, "reg01", "daily1", task_of("steps: [{cmd: img echo tick}]", timers)).await;
    world.advance(72 * 3600).await;
    let path = format!("{}/runs", registry_path("reg01"));
    let runs = good(arm(&me, Method::GET, &path, Value::Null).await).await;
    let mut at: Vec<String> = Vec::new();
    for run in runs["value"].as_array().unwrap().iter().rev() {
        let properties = &run["properties"];
        assert_eq!(
            (&properties["task"], &properties["timerTrigger"]["timerTriggerName"]),
            (&json!("daily1"), &json!("daily"))
        );
        assert_eq!(properties["runType"], "AutoRun");
        at.push(properties["createTime"].as_str().unwrap()[..19].to_owned());
    }
    assert_eq!(at, ["2026-03-02T06:30:00", "2026-03-03T06:30:00", "2026-03-04T06:30:00"]);
    for name in ["cf1", "cf2", "cf3"] {
        assert_eq!(ended(&me, "reg01", name).await["status"], "Succeeded");
    }
    // A disabled timer, or task, starts nothing; a schedule that never comes is none.
    let path = format!("{}/tasks/daily1", registry_path("reg01"));
    let off = json!({"properties": {"trigger": {"timerTriggers": [{"name": "daily", "status": "Disabled"}]}}});
    let shown = good(arm(&me, Method::PATCH, &path, off).await).await;
    assert_eq!(shown["properties"]["trigger"]["timerTriggers"][0]["schedule"], "30 6 * * *");
    world.advance(48 * 3600).await;
    let runs = good(arm(&me, Method::GET, &format!("{}/runs", registry_path("reg01")), Value::Null).await).await;
    assert_eq!(runs["value"].as_array().unwrap().len(), 3);
    let never = json!({"properties": {"trigger": {"timerTriggers": [{"name": "never", "schedule": "0 0 31 2 *"}]}}});
    assert_eq!(refused(arm(&me, Method::PATCH, &path, never).await).await.0, 400);
}

#[tokio::test]
async fn a_push_of_a_base_image_starts_what_builds_on_it_once() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_registry("reg02").await;
    let docker_client = me.sign_in("reg02", "base").await;
    docker_client.push_image("v1", b"one").await.unwrap();
    let source = upload(&me, "reg01", &[("Dockerfile", "FROM reg02.azurecr.io/base:v1\n")]).await;
    let properties = json!({
        "platform": {"os": "linux"}, "step": {"type": "Docker", "dockerFilePath": "Dockerfile", "imageNames": ["app:{{.Run.ID}}"], "contextPath": source},
        "trigger": {"baseImageTrigger": {"name": "base", "baseImageTriggerType": "Runtime"}},
    });
    make_task(&me, "reg01", "onbase1", properties).await;
    let id = format!("{}/tasks/onbase1", registry_path("reg01"));
    let first = schedule(&me, "reg01", json!({"type": "TaskRunRequest", "taskId": id})).await;
    assert_eq!(ended(&me, "reg01", &first).await["status"], "Succeeded");
    let shown = good(arm(&me, Method::GET, &id, Value::Null).await).await;
    let base = &shown["properties"]["step"]["baseImageDependencies"][0];
    assert_eq!(
        (&base["registry"], &base["repository"], &base["type"]),
        (&json!("reg02.azurecr.io"), &json!("base"), &json!("Runtime"))
    );
    assert!(base["digest"].as_str().unwrap().starts_with("sha256:"));
    // The same again changes nothing, another tag neither.
    docker_client.push_image("v1", b"one").await.unwrap();
    docker_client.push_image("v2", b"two").await.unwrap();
    docker_client.push_image("v1", b"two").await.unwrap();
    docker_client.push_image("v1", b"two").await.unwrap();
    let runs = good(arm(&me, Method::GET, &format!("{}/runs", registry_path("reg01")), Value::Null).await).await;
    assert_eq!(runs["value"].as_array().unwrap().len(), 2, "{runs}");
    let second = ended(&me, "reg01", "cf2").await;
    assert_eq!(second["imageUpdateTrigger"]["images"][0]["repository"], "base");
    assert_eq!(second["status"], "Succeeded");
}

#[tokio::test]
async fn what_was_queued_or_under_way_ends_truly_after_a_kill() {
    let fake = Fake::new();
    let dir = tempfile::tempdir().unwrap();
    let world = fake.world_on(dir.path());
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let pid = |n: &str| fake.file(&format!("pid-{n}"));
    let source = upload(
        &me,
        "reg01",
        &[(
            "Dockerfile",
            &format!(
                "#do if [ ! -e {0}/again ]; then (setsid sleep 600 & echo $! >{0}/pid-$RUN; wait); fi\n",
                fake.dir.path().display()
            ),
        )],
    )
    .await;
    let mut names = Vec::new();
    for n in 0..200 {
        let mut body = docker(&source, "app:{{.Run.ID}}");
        body["arguments"] = json!([{"name": "RUN", "value": n.to_string()}]);
        names.push(schedule(&me, "reg01", body).await);
    }
    for name in &names[20..40] {
        let path = format!("{}/runs/{name}/cancel", registry_path("reg01"));
        assert_eq!(arm(&me, Method::POST, &path, Value::Null).await.status(), StatusCode::OK);
    }
    while !(pid("0").exists() && pid("1").exists()) {
        tokio::task::yield_now().await;
    }
    std::fs::write(fake.file("again"), "").unwrap();
    world.kill();
    gone(&pid("0")).await;
    gone(&pid("1")).await;

    let world = fake.world_on(dir.path());
    let me = world.developer().await;
    let mut states = std::collections::BTreeMap::new();
    for (n, name) in names.iter().enumerate() {
        let run = ended(&me, "reg01", name).await;
        let status = run["status"].as_str().unwrap().to_owned();
        let wanted = match n {
            0 | 1 => "Error",
            20..40 => "Canceled",
            _ => "Succeeded",
        };
        if n != 0 && n != 1 && wanted == "Succeeded" && status == "Error" {
            // There are more places than two on a larger machine.
            assert!(pid(&n.to_string()).exists());
        } else {
            assert_eq!(status, wanted, "{name}: {run}");
        }
        assert!(log(&me, "reg01", name).await.contains(name.as_str()));
        *states.entry(status).or_insert(0) += 1;
    }
    assert_eq!(states["Canceled"], 20);
    world.stop();
    assert_eq!(left_of(&fake), 0, "no folder of an agent is left");
}

/// Folders of agents that work with this builder: those that its scripts were written to.
fn left_of(_: &Fake) -> usize {
    let runs = |dir: &Path| {
        let inner = std::fs::read_dir(dir).into_iter().flatten().flatten();
        inner.filter(|e| e.file_name().to_string_lossy().starts_with("run-")).count()
    };
    let all = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let of_dead = all.filter(|e| e.file_name().to_string_lossy().starts_with("acrite-"));
    of_dead
        .filter(|e| std::fs::File::open(e.path().join("lock")).is_ok_and(|f| f.try_lock().is_ok()))
        .map(|e| runs(&e.path()))
        .sum()
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_with_all_its_processes() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let text = format!("#do echo begun; (setsid sleep 600 & echo $! >{}; wait)\n", fake.file("pid").display());
    let name = build(&me, "reg01", &text).await;
    while !fake.file("pid").exists() {
        tokio::task::yield_now().await;
    }
    let path = format!("{}/runs/{name}/cancel", registry_path("reg01"));
    assert_eq!(arm(&me, Method::POST, &path, Value::Null).await.status(), StatusCode::OK);
    gone(&fake.file("pid")).await;
    assert_eq!(run(&me, "reg01", &name).await["status"], "Canceled");
    assert_eq!(refused(arm(&me, Method::POST, &path, Value::Null).await).await.0, 400);
    // A registry takes its runs along.
    std::fs::remove_file(fake.file("pid")).unwrap();
    build(&me, "reg01", &text).await;
    while !fake.file("pid").exists() {
        tokio::task::yield_now().await;
    }
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    gone(&fake.file("pid")).await;
}

#[tokio::test]
async fn nothing_of_a_run_lies_in_the_data_folder_as_plaintext() {
    const MARKER: &str = "MARKER-of-this-test-0815";
    let fake = Fake::new();
    let dir = tempfile::tempdir().unwrap();
    let world = fake.world_on(dir.path());
    let me = world.developer().await;
    stage(&me).await;
    let dockerfile = format!("# {MARKER}\n#do echo {MARKER}\n");
    let source = upload(&me, "cmkreg", &[("Dockerfile", &dockerfile), ("file", MARKER)]).await;
    let mut body = docker(&source, "app:1");
    body["arguments"] = json!([{"name": "KEY", "value": MARKER}]);
    let name = schedule(&me, "cmkreg", body).await;
    ended(&me, "cmkreg", &name).await;
    assert!(log(&me, "cmkreg", &name).await.contains(MARKER));
    world.stop();
    let mut files = 0;
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(MARKER.len()).any(|w| w == MARKER.as_bytes());
            assert!(!found, "{} holds the marker", path.display());
        }
    }
    assert!(files > 3);
}

#[tokio::test]
async fn without_a_builder_a_run_fails_and_says_what_to_install() {
    let world = World::with(&["--builder", "/nowhere/kaniko"]);
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let name = build(&me, "reg01", "FROM scratch\n").await;
    let run = ended(&me, "reg01", &name).await;
    assert_eq!(run["status"], "Failed");
    assert!(log(&me, "reg01", &name).await.contains("Install buildah"));
}

#[tokio::test]
async fn tasks_keep_their_secrets_and_have_identities() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_identity("id1").await;
    let path = format!("{}/tasks/task01", registry_path("reg01"));
    let mut properties = task_of("steps: [{cmd: img echo {{.Values.word}}}]", Value::Null);
    properties["step"]["values"] = json!([{"name": "word", "value": "hidden", "isSecret": true}]);
    let body = json!({"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": properties});
    let made = good(arm(&me, Method::PUT, &path, body).await).await;
    assert_eq!(made["identity"]["type"], "SystemAssigned");
    assert_eq!(made["properties"]["step"]["values"], json!([{"name": "word", "isSecret": true}]));
    let id1 = crate::harness::identity_path("id1");
    let both =
        json!({"identity": {"type": "UserAssigned, SystemAssigned", "userAssignedIdentities": {(id1.clone()): {}}}});
    let shown = good(arm(&me, Method::PATCH, &path, both).await).await;
    assert_eq!(shown["identity"]["type"], "SystemAssigned, UserAssigned");
    let users = shown["identity"]["userAssignedIdentities"].as_object().unwrap();
    assert!(users.len() == 1 && users.values().all(|u| u["clientId"].is_string()), "{shown}");
    let login = json!({"userName": {"type": "Opaque", "value": "u"}, "password": {"type": "Opaque", "value": "p"}});
    let add = json!({"properties": {"credentials": {"customRegistries": {"other.example": login}}}});
    let shown = good(arm(&me, Method::PATCH, &path, add).await).await;
    assert_eq!(shown["properties"]["credentials"], json!({"customRegistries": {"other.example": null}}));
    let details = format!("{path}/listDetails");
    let all = good(arm(&me, Method::POST, &details, Value::Null).await).await;
    assert_eq!(all["properties"]["credentials"]["customRegistries"]["other.example"], login);
    assert_eq!(all["properties"]["step"]["values"][0]["value"], "hidden");
    let removed = json!({"properties": {"credentials": {"customRegistries": {"other.example": null}}}});
    let shown = good(arm(&me, Method::PATCH, &path, removed).await).await;
    assert_eq!(shown["properties"]["credentials"], json!({"customRegistries": {}}));
    let name = schedule(&me, "reg01", json!({"type": "TaskRunRequest", "taskId": path})).await;
    assert_eq!(ended(&me, "reg01", &name).await["task"], "task01");
    assert!(log(&me, "reg01", &name).await.contains("***"));
    assert_eq!(arm(&me, Method::DELETE, &path, Value::Null).await.status(), StatusCode::OK);
    assert_eq!(arm(&me, Method::DELETE, &path, Value::Null).await.status(), StatusCode::NO_CONTENT);
    // A task that waits for its run when it is deleted: the run says so.
    let orphan = json!({"type": "TaskRunRequest", "taskId": path});
    assert_eq!(
        refused(arm(&me, Method::POST, &format!("{}/scheduleRun", registry_path("reg01")), orphan).await).await.0,
        404
    );
}

#[tokio::test]
async fn task_runs_run_again_when_they_change_and_pools_bound_their_runs() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let path = format!("{}/taskRuns/once1", registry_path("reg01"));
    let body = |tag: &str| json!({"properties": {"forceUpdateTag": tag, "runRequest": encoded("steps: [{cmd: img echo once}]")}});
    good(arm(&me, Method::PUT, &path, body("a")).await).await;
    good(arm(&me, Method::PUT, &path, body("a")).await).await;
    let shown = good(arm(&me, Method::PUT, &path, body("b")).await).await;
    assert_eq!(shown["properties"]["runResult"]["name"], "cf2");
    ended(&me, "reg01", "cf2").await;

    let pool = format!("{}/agentPools/pool1", registry_path("reg01"));
    let made = json!({"location": "eastus", "properties": {"count": 0, "tier": "S1", "os": "Linux"}});
    good(arm(&me, Method::PUT, &pool, made).await).await;
    let mut request = encoded("steps: [{cmd: img echo pooled}]");
    request["agentPoolName"] = json!("pool1");
    let name = schedule(&me, "reg01", request).await;
    // Others are not held up.
    let other = schedule(&me, "reg01", encoded("steps: [{cmd: img echo other}]")).await;
    ended(&me, "reg01", &other).await;
    assert_eq!(run(&me, "reg01", &name).await["status"], "Queued");
    let queue = good(arm(&me, Method::POST, &format!("{pool}/listQueueStatus"), Value::Null).await).await;
    assert_eq!(queue["count"], 1);
    good(arm(&me, Method::PATCH, &pool, json!({"properties": {"count": 1}})).await).await;
    assert_eq!(ended(&me, "reg01", &name).await["status"], "Succeeded");
    // Its deletion is long.
    let deleted = arm(&me, Method::DELETE, &pool, Value::Null).await;
    assert_eq!(deleted.status(), StatusCode::ACCEPTED);
    assert!(deleted.headers().contains_key("location"));
}

#[tokio::test]
async fn a_log_that_is_kept_as_an_artifact_stays() {
    let fake = Fake::new();
    let world = fake.world();
    let me = world.developer().await;
    stage(&me).await;
    let mut request = encoded("steps: [{cmd: img echo for ever}]");
    request["logTemplate"] = json!("acr/logs:{{.Run.ID}}");
    let name = schedule(&me, "cmkreg", request).await;
    let run = ended(&me, "cmkreg", &name).await;
    let artifact = &run["logArtifact"];
    assert_eq!((&artifact["repository"], &artifact["tag"]), (&json!("acr/logs"), &json!("cf1")), "{run}");
    world.advance(25 * 3600).await;
    let links = good(log_link(&me, "cmkreg", &name).await).await;
    let link = links["logArtifactLink"].as_str().unwrap();
    assert!(world.http().get(link).send().await.unwrap().text().await.unwrap().contains("for ever"));
    let gone = world.http().get(links["logLink"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(gone.headers()["x-ms-error-code"], "BlobNotFound");
    // Like all else in the registry it can be pulled.
    let docker = me.sign_in("cmkreg", "acr/logs").await;
    assert!(String::from_utf8(docker.pull_image("cf1").await.unwrap().1).unwrap().contains("for ever"));
}
