//! `acrite doctor` finds each of the usual mistakes, and its commands mend them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Serving, acrite, err, out, run};

type Variables = BTreeMap<String, String>;

/// What `env` sets for the instance of this folder.
fn variables(home: &Path, folder: &str) -> Variables {
    let env = run(home, &["env", "--json", "--data-dir", folder]);
    assert!(env.status.success(), "{}", err(&env));
    serde_json::from_str(&out(&env)).unwrap()
}

fn doctor(home: &Path, variables: &Variables, arguments: &[&str]) -> Output {
    acrite(home, &[&["doctor"], arguments].concat()).envs(variables).output().unwrap()
}

/// What is wrong, by name, with the cure.
fn wrong(output: &Output) -> BTreeMap<String, (String, String)> {
    let found: Value = serde_json::from_str(&out(output)).unwrap_or_else(|_| panic!("{}{}", out(output), err(output)));
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = found["findings"].as_array().unwrap().iter().filter(|finding| finding["ok"] == false);
    findings.map(|f| (word(f, "name"), (word(f, "what"), word(f, "cure")))).collect()
}

#[test]
fn each_mistake_is_found_and_mended() {
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--data-dir", "mine"]);
    let other = Serving::start(home.path(), &["serve", "--offline", "--listen", ":0", "--data-dir", "other"]);
    let good = variables(home.path(), "mine");
    let elsewhere = variables(home.path(), "other");
    let sound = doctor(home.path(), &good, &[]);
    assert!(sound.status.success() && !out(&sound).contains("WRONG"), "{}", out(&sound));

    let corporate = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let corporate_url = format!("http://{}", corporate.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in corporate.incoming().map_while(Result::ok) {
            let _ = std::io::Read::read(&mut &stream, &mut [0; 4096]);
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let az = home.path().join("az");
    fs::create_dir(&az).unwrap();
    fs::write(az.join("azureProfile.json"), r#"{"subscriptions": [{"id": "x", "name": "Real", "isDefault": true}]}"#)
        .unwrap();
    let az = az.to_str().unwrap();
    let dead = "http://127.0.0.1:1";
    let java = good["JAVA_TOOL_OPTIONS"].replace("/mine/", "/other/");
    let (set, unset) = (Some, None::<&str>);
    let cases = [
        ("no proxy", vec![("HTTPS_PROXY", unset)], "proxy", "HTTPS_PROXY is not set"),
        ("no CA", vec![("REQUESTS_CA_BUNDLE", unset)], "certificates", "REQUESTS_CA_BUNDLE is not set"),
        (
            "stale CA",
            vec![("SSL_CERT_FILE", set(elsewhere["SSL_CERT_FILE"].as_str()))],
            "certificates",
            "does not hold",
        ),
        ("no variables", vec![("ACRITE_URL", unset)], "instance", "this shell names none"),
        (
            "dead instance",
            vec![("ACRITE_URL", set(dead)), ("ACRITE_DATA_DIR", set("mine"))],
            "instance",
            "the one that answers is at",
        ),
        ("wrong port", vec![("https_proxy", set(dead))], "proxy", "where nothing answers"),
        ("other instance", vec![("HTTPS_PROXY", set(other.url()))], "proxy", "leads to another acrite"),
        ("corporate proxy", vec![("HTTPS_PROXY", set(&corporate_url))], "proxy", "a proxy that is not acrite"),
        ("NO_PROXY", vec![("no_proxy", set("localhost,.azure.net"))], "exceptions from the proxy", ".azure.net"),
        ("NO_PROXY, all", vec![("NO_PROXY", set("*"))], "exceptions from the proxy", "holds *"),
        ("az elsewhere", vec![("AZURE_CONFIG_DIR", set(az))], "az", "az is signed in to \"Real\""),
        ("az for all", vec![("AZURE_CONFIG_DIR", unset)], "az", "AZURE_CONFIG_DIR is not set"),
        ("Java store", vec![("JAVA_TOOL_OPTIONS", set(&java))], "Java", "does not hold the authority"),
        ("Node flag", vec![("NODE_USE_ENV_PROXY", unset)], "Node", "NODE_USE_ENV_PROXY is not 1"),
        ("Node CA", vec![("NODE_EXTRA_CA_CERTS", set("/nowhere"))], "Node", "does not hold"),
        (
            "another cloud",
            vec![("AZURE_AUTHORITY_HOST", set("https://login.example"))],
            "other clouds and credentials",
            "AZURE_AUTHORITY_HOST",
        ),
    ];
    for (mistake, changes, name, says) in cases {
        let mut variables = good.clone();
        for (variable, value) in changes {
            match value {
                Some(value) => variables.insert(variable.to_owned(), value.to_owned()),
                None => variables.remove(variable),
            };
        }
        // The instance is named where the mistake does not take that away.
        let named: &[&str] = if name == "instance" { &["--json"] } else { &["--json", "--data-dir", "mine"] };
        if mistake == "no variables" {
            variables.insert("ACRITE_DATA_DIR".to_owned(), "mine".to_owned());
        }
        let ran = doctor(home.path(), &variables, named);
        assert_eq!(ran.status.code(), Some(1), "{mistake}: {}{}", out(&ran), err(&ran));
        let found = wrong(&ran);
        assert_eq!(found.keys().collect::<Vec<_>>(), [name], "{mistake}: {found:?}");
        let (what, cure) = &found[name];
        assert!(what.contains(says), "{mistake}: {what}");
        eprintln!("{mistake:<16} {what}\n{:<16} {cure}", "");
        // The command, pasted into that shell, mends it.
        let mut shell = std::process::Command::new("sh");
        let own = Path::new(env!("CARGO_BIN_EXE_acrite"));
        let again = format!("{cure} && {} doctor", own.display());
        let surroundings = acrite(home.path(), &[]);
        shell.args(["-c", &again]).current_dir(home.path()).env_clear();
        shell.envs(surroundings.get_envs().filter_map(|(name, value)| Some((name, value?)))).envs(&variables);
        let mended = shell.output().unwrap();
        assert!(mended.status.success(), "{mistake}: {again}\n{}{}", out(&mended), err(&mended));
    }

    // The Docker engine's certificates: stale, and none.
    let docker = home.path().join("certs.d");
    fs::create_dir_all(docker.join("reg01.azurecr.io")).unwrap();
    fs::create_dir_all(docker.join("elsewhere.example")).unwrap();
    let asked = ["--docker", docker.to_str().unwrap(), "--json"];
    let file = docker.join("reg01.azurecr.io/ca.crt");
    fs::copy(home.path().join("other/ca.pem"), &file).unwrap();
    let found = wrong(&doctor(home.path(), &good, &asked));
    let (_, cure) = &found["Docker"];
    assert!(cure.starts_with("sudo install -D -m 644 ") && cure.ends_with("/reg01.azurecr.io/ca.crt"), "{cure}");
    fs::copy(home.path().join("mine/ca.pem"), &file).unwrap();
    assert!(doctor(home.path(), &good, &asked).status.success());

    // The emulator's clock far from the machine's: the last, for it does not go back.
    let moved = acrite(home.path(), &["clock", "advance", "40d"]).envs(&good).output().unwrap();
    assert!(moved.status.success(), "{}", err(&moved));
    let found = wrong(&doctor(home.path(), &good, &["--json"]));
    let (what, cure) = &found["clock"];
    assert!(what.contains("40 days") && cure.contains("serve --listen 127.0.0.1:0 --data-dir"), "{what} {cure}");

    // Nothing runs at all.
    assert_eq!(other.end("TERM"), Some(0));
    assert_eq!(serving.end("TERM"), Some(0));
    let nobody = doctor(home.path(), &good, &["--data-dir", "mine"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(err(&nobody).contains("acrite") && err(&nobody).contains("serve"), "{}", err(&nobody));
}
