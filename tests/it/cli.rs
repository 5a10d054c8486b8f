//! The command line as scripts and people use it: real processes, real signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Serving, acrite, err, is_clean, out, run, send};

#[test]
fn exec_passes_on_the_exit_code_and_leaves_nothing_behind() {
    let home = TempDir::new().unwrap();
    let ran = run(home.path(), &["exec", "--", "sh", "-c", "ls $ACRITE_DATA_DIR; exit 7"]);
    assert_eq!(ran.status.code(), Some(7), "{}", err(&ran));
    assert!(out(&ran).contains("ca-bundle.pem"), "{}", out(&ran));
    assert!(is_clean(home.path()));
    assert!(!home.path().join(".acrite").exists());

    let ran = run(home.path(), &["exec", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(ran.status.code(), Some(128 + 9));
    let ran = run(home.path(), &["exec", "--", "no-such-command"]);
    assert_eq!(ran.status.code(), Some(127));
    assert_eq!(err(&ran).lines().count(), 2, "what happened and what to do: {}", err(&ran));
    assert_eq!(run(home.path(), &["exec"]).status.code(), Some(2));
    assert!(is_clean(home.path()));
}

#[test]
fn exec_passes_on_signals() {
    let home = TempDir::new().unwrap();
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut child = acrite(home.path(), &["exec", "--", "sh", "-c", "echo ready; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        // `exec` replaces the shell within the same process, so either of them ends by the signal.
        send(signal, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
    assert!(is_clean(home.path()));
}

#[test]
fn exec_sets_what_clients_read() {
    let home = TempDir::new().unwrap();
    let script = "
        acrite --version
        echo $HTTPS_PROXY $https_proxy $ACRITE_URL
        grep -c BEGIN $SSL_CERT_FILE
        grep -c BEGIN $NODE_EXTRA_CA_CERTS
        stat -c %a $AZURE_CONFIG_DIR $AZURE_CONFIG_DIR/* $ACRITE_DATA_DIR/ca.key | sort | uniq -c
        echo [$AZURE_AUTHORITY_HOST] [$IDENTITY_ENDPOINT]";
    let ran = acrite(home.path(), &["exec", "--", "sh", "-c", script])
        .env("AZURE_AUTHORITY_HOST", "https://login.elsewhere.example")
        .env("IDENTITY_ENDPOINT", "http://elsewhere.example")
        .output()
        .unwrap();
    let text = out(&ran);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("acrite "), "this very binary is on the PATH: {text}");
    let urls: Vec<&str> = lines[1].split(' ').collect();
    assert!(urls[0].starts_with("http://127.0.0.1:") && urls.iter().all(|url| *url == urls[0]), "{text}");
    assert_eq!(lines[3], "1", "Node takes our authority alone: {text}");
    assert_eq!(lines[4..6], ["4 600", "1 700"], "{text}");
    assert_eq!(lines[6], "[] []", "{text}");
}

#[test]
fn two_at_once_do_not_see_each_other() {
    let home = TempDir::new().unwrap();
    let one = ["exec", "--", "sh", "-c", "acrite env | grep ACRITE_; acrite exec -- sh -c 'acrite env | grep ACRITE_'"];
    let both = out(&run(home.path(), &one));
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!(lines.len(), 6, "{both}");
    assert!(lines[..3].iter().all(|line| !lines[3..].contains(line)), "{both}");
    assert!(is_clean(home.path()));
}

#[test]
fn serve_is_found_by_its_folder_and_ends_cleanly() {
    let home = TempDir::new().unwrap();
    for signal in ["TERM", "INT"] {
        let serving = Serving::start(home.path(), &["--listen", ":0"]);
        assert!(serving.greeting[2].ends_with("eval \"$(acrite env)\""), "{:?}", serving.greeting);
        let env = run(home.path(), &["env"]);
        assert!(out(&env).contains(&format!("export HTTPS_PROXY={}\n", serving.url())), "{}{}", out(&env), err(&env));
        let folder = home.path().join(".acrite").canonicalize().unwrap();
        assert!(out(&env).contains(&format!("export AZURE_CONFIG_DIR={}/azure\n", folder.display())), "{}", out(&env));

        let second = run(home.path(), &["serve", "--listen", ":0"]);
        assert_eq!(second.status.code(), Some(1));
        assert!(err(&second).contains(serving.url()) && err(&second).contains("--data-dir"), "{}", err(&second));

        let url = serving.url().to_owned();
        assert_eq!(serving.end(signal), Some(0));
        let gone = run(home.path(), &["env", "--data-dir", ".acrite"]);
        assert_eq!(gone.status.code(), Some(1), "{url}");
        assert!(err(&gone).contains("acrite serve"), "{}", err(&gone));
    }
}

#[test]
fn a_taken_port_is_said_to_be_taken() {
    let home = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(home.path(), &["serve", "--ephemeral", "--listen", &address]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(err(&ran).contains(&address) && err(&ran).contains("--listen"), "{}", err(&ran));
    assert!(is_clean(home.path()));
}

#[test]
fn a_shell_that_evaluates_env_is_pointed_at_the_instance() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("it's a folder");
    let serving = Serving::start(home.path(), &["serve", "--listen", ":0", "--data-dir", folder.to_str().unwrap()]);
    let command = serving.greeting[2].split_once("eval").unwrap().1;
    let own = Path::new(env!("CARGO_BIN_EXE_acrite")).parent().unwrap();
    let script = format!(
        "PATH={}:$PATH; eval{command}; echo \"$ACRITE_URL $ACRITE_DATA_DIR\"; ls \"$SSL_CERT_FILE\"",
        own.display()
    );
    let ran = Command::new("sh").args(["-c", &script]).current_dir(home.path()).output().unwrap();
    let folder = folder.canonicalize().unwrap();
    assert!(out(&ran).starts_with(&format!("{} {}\n", serving.url(), folder.display())), "{}{}", out(&ran), err(&ran));
    assert_eq!(serving.end("TERM"), Some(0));
}

/// Stands for the control API; remembers what it was told.
async fn control() -> (String, std::sync::mpsc::Receiver<Value>) {
    type Told = std::sync::mpsc::Sender<Value>;
    let clock = json!({"now": "2026-01-31T13:01:00Z", "rate": 1.0, "frozen": false, "machine": "2026-01-31T12:00:00Z", "next_poll": "2026-01-31T14:00:00Z"});
    let status =
        json!({"registries": [{"name": "reg", "sku": "Premium", "state": "open"}], "vaults": [], "clock": clock});
    let moved = async move |State(told): State<Told>, Json(wish): Json<Value>| {
        let past = wish["set"] == "2000-01-01T00:00:00Z";
        told.send(wish).unwrap();
        if past {
            let error = json!({"error": {"code": "ClockRunsForward", "message": "time does not run backwards"}});
            return (axum::http::StatusCode::BAD_REQUEST, Json(error));
        }
        (axum::http::StatusCode::OK, Json(json!({"now": "2026-01-31T13:01:00Z", "rate": 1.0, "frozen": false})))
    };
    let (tell, told) = std::sync::mpsc::channel();
    let router = Router::new()
        .route("/acrite/v1/health", get(async || Json(json!({"status": "ok", "version": "0"}))))
        .route("/acrite/v1/clock", get(async move || Json(clock)))
        .route("/acrite/v1/clock", post(moved))
        .route("/acrite/v1/status", get(async move || Json(status)))
        .with_state(tell);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_and_status_speak_to_the_instance_that_the_environment_names() {
    let home = TempDir::new().unwrap();
    let (url, told) = control().await;
    let run = |arguments: &[&str]| {
        tokio::task::block_in_place(|| acrite(home.path(), arguments).env("ACRITE_URL", &url).output().unwrap())
    };
    let told = || told.recv_timeout(Duration::from_secs(5)).unwrap();

    let advanced = run(&["clock", "advance", "1h1m"]);
    assert!(out(&advanced).starts_with("now           2026-01-31T13:01:00Z  running at 1x\n"), "{}", err(&advanced));
    assert_eq!(told(), json!({"advance": 3660}));
    run(&["clock", "rate", "60x"]);
    assert_eq!(told(), json!({"rate": 60.0}));
    let shown: Value = serde_json::from_str(&out(&run(&["clock", "show", "--json"]))).unwrap();
    assert_eq!(shown["next_poll"], "2026-01-31T14:00:00Z");

    let refused = run(&["clock", "set", "2000-01-01T00:00:00Z"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).starts_with("acrite: time does not run backwards\n"), "{}", err(&refused));
    assert!(!err(&refused).contains("--help"), "{}", err(&refused));
    assert_eq!(run(&["clock", "advance", "soon"]).status.code(), Some(2));
    let forgotten = run(&["clock", "advance"]);
    assert!(err(&forgotten).contains("Usage: acrite clock advance [OPTIONS] DURATION\n"), "{}", err(&forgotten));

    assert!(out(&run(&["status"])).starts_with("REGISTRY  SKU"));
    let status: Value = serde_json::from_str(&out(&run(&["status", "--json"]))).unwrap();
    assert_eq!(status["registries"][0]["name"], "reg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_to_the_instance_it_belongs_to() {
    let home = TempDir::new().unwrap();
    let clock = json!({"now": "2026-01-31T13:01:00Z", "rate": 1.0, "frozen": false});
    let keep = async |request: axum::extract::Request, next: axum::middleware::Next| {
        let shown = request.headers().get("authorization").is_some_and(|token| token == "Bearer right");
        if shown { next.run(request).await } else { axum::http::StatusCode::UNAUTHORIZED.into_response() }
    };
    let router = Router::new()
        .route("/acrite/v1/health", get(async || Json(json!({"status": "ok", "version": "0"}))))
        .route("/acrite/v1/clock", get(async move || Json(clock)))
        .layer(axum::middleware::from_fn(keep));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let show = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = acrite(home.path(), &[&["clock", "show"], arguments].concat());
        tokio::task::block_in_place(|| command.envs(variables.iter().copied()).output().unwrap())
    };

    for wrong in [&[("ACRITE_URL", url.as_str())][..], &[("ACRITE_URL", &url), ("ACRITE_TOKEN", "wrong")]] {
        let refused = show(wrong, &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains(&url) && err(&refused).contains("ACRITE_TOKEN"), "{}", err(&refused));
    }
    let shown = show(&[("ACRITE_URL", &url), ("ACRITE_TOKEN", "right")], &[]);
    assert!(shown.status.success(), "{}", err(&shown));
    // An instance leaves its token where its own commands find it.
    let folder = home.path().join(".acrite");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("instance.json"), json!({"url": url, "pid": 1, "token": "right"}).to_string()).unwrap();
    for (variables, arguments) in
        [(&[][..], &[][..]), (&[], &["--data-dir", ".acrite"]), (&[("ACRITE_URL", url.as_str())], &[])]
    {
        let shown = show(variables, arguments);
        assert!(shown.status.success(), "{variables:?} {arguments:?}: {}", err(&shown));
    }
    // It is shown to no other.
    let other = show(&[("ACRITE_URL", &url.replace("127.0.0.1", "localhost"))], &[]);
    assert!(err(&other).contains("ACRITE_TOKEN"), "{}", err(&other));
}

#[test]
fn an_instance_for_this_machine_alone_has_no_token() {
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--listen", ":0"]);
    let notice: Value = serde_json::from_slice(&fs::read(home.path().join(".acrite/instance.json")).unwrap()).unwrap();
    assert!(notice.get("token").is_none() && notice["url"] == serving.url(), "{notice}");
    serving.end("TERM");
}

#[test]
fn secrets_are_for_this_user_alone() {
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--listen", ":0"]);
    for file in ["ca.key", "azure/service_principal_entries.json", "azure/azureProfile.json"] {
        let mode = fs::metadata(home.path().join(".acrite").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    serving.end("TERM");
}

#[test]
fn the_log_tells_each_refusal_and_no_token() {
    use std::io::{Read, Write};

    let home = TempDir::new().unwrap();
    let run = |log: &str| {
        let mut child = acrite(home.path(), &["serve", "--ephemeral", "--offline", "--listen", "127.0.0.1:0"])
            .env("ACRITE_LOG", log)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let greeting = BufReader::new(child.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
        let address = greeting.strip_prefix("acrite listening on http://").unwrap();
        for (host, path) in [
            ("management.azure.com", "/subscriptions/s?api-version=2025-11-01"),
            ("nowhere.vault.azure.net", "/keys/k?api-version=7.4"),
            ("nowhere.azurecr.io", "/v2/a/manifests/v1?sig=secret"),
        ] {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let head = format!("GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
            write!(stream, "{head}Authorization: Bearer secret\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        send("TERM", child.id());
        err(&child.wait_with_output().unwrap())
    };
    let log = run("acrite=debug");
    for line in [
        "refused status=401 code=\"InvalidAuthenticationToken\" method=GET host=\"management.azure.com\" path=\"/subscriptions/s\"",
        "refused status=404 code=\"VaultNotFound\" method=GET host=\"nowhere.vault.azure.net\" path=\"/keys/k\"",
        "refused status=404 code=\"NAME_UNKNOWN\" method=GET host=\"nowhere.azurecr.io\" path=\"/v2/a/manifests/v1\"",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!log.contains("secret"), "{log}");
    assert!(!run("acrite=info").contains("refused"));
}
