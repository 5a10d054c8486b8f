//! `acrite doctor`: whether this shell, and the clients started in it, are really pointed at the instance and trust it.
//! Owns what is looked at; each finding ends in a command that mends it.
//! Must not know how the variables are made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::At;
use crate::cli::control::{Control, health};
use crate::cli::failure::{Failure, beside, program, sh_path};
use crate::cli::instance::Place;
use crate::cli::output::print;
use crate::cli::trust::{AUTHORITY, certificates};
use crate::cli::variables::REMOVED;
use crate::domain::world::well_known::SUBSCRIPTION_ID;

/// How far the emulator's clock may be from the machine's, by which clients judge certificates and tokens.
const FAR: i64 = 86_400;

#[derive(Args)]
pub(super) struct Options {
    /// Where the Docker engine keeps the certificates of registries
    #[arg(long, value_name = "DIR", default_value = "/etc/docker/certs.d", hide = true)]
    docker: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// What is wrong with something, and the command that mends it.
struct Wrong {
    what: String,
    cure: String,
}

/// What was looked at, and what came of it.
struct Finding {
    name: &'static str,
    wrong: Option<Wrong>,
}

pub(super) async fn run(at: At, options: Options) -> Result<ExitCode, Failure> {
    let control = Control::find(&at).await?;
    let place = control.place(&at).await?;
    let clock = control.get("/acrite/v1/clock").await?;
    let elsewhere = at.data_dir.as_deref().map(|folder| format!(" --data-dir {}", sh_path(folder)));
    let shell = Shell {
        url: control.url().to_owned(),
        identity: control.identity_header().unwrap_or_default().to_owned(),
        env: format!("eval \"$({} env{})\"", program(), elsewhere.unwrap_or_default()),
        place,
    };
    let findings = [
        ("instance", shell.instance()),
        ("proxy", shell.proxy().await),
        ("exceptions from the proxy", shell.exceptions()),
        ("certificates", shell.certificates()),
        ("other clouds and credentials", shell.strays()),
        ("az", shell.az()),
        ("Node", shell.node()),
        ("Java", shell.java()),
        ("Docker", shell.docker(&options.docker)),
        ("clock", shell.clock(&clock)),
    ];
    let findings = findings.map(|(name, wrong)| Finding { name, wrong });
    print(&if options.json { as_json(&findings) } else { as_text(&findings) })?;
    let sound = findings.iter().all(|finding| finding.wrong.is_none());
    Ok(ExitCode::from(u8::from(!sound)))
}

fn as_text(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.wrong {
        None => format!("ok     {}\n", finding.name),
        Some(Wrong { what, cure }) => format!("WRONG  {}: {what}\n       mend it: {cure}\n", finding.name),
    };
    findings.iter().map(line).collect()
}

fn as_json(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let word = |of: fn(&Wrong) -> &String| finding.wrong.as_ref().map(|wrong| of(wrong).clone());
        json!({"name": finding.name, "ok": finding.wrong.is_none(), "what": word(|w| &w.what), "cure": word(|w| &w.cure)})
    };
    format!("{:#}\n", json!({"findings": findings.iter().map(one).collect::<Vec<_>>()}))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// This shell, and the instance that it should be pointed at.
struct Shell {
    url: String,
    identity: String,
    place: Place,
    /// The command that points a shell at the instance.
    env: String,
}

impl Shell {
    fn wrong(&self, what: impl Into<String>) -> Option<Wrong> {
        Some(Wrong { what: what.into(), cure: self.env.clone() })
    }

    /// The one that answers was looked for beyond the one that the shell names.
    fn instance(&self) -> Option<Wrong> {
        match variable("ACRITE_URL") {
            None => self.wrong(format!("this shell names none; one runs at {}", self.url)),
            Some(named) if named != self.url => {
                self.wrong(format!("this shell is pointed at {named}; the one that answers is at {}", self.url))
            }
            Some(_) => None,
        }
    }

    async fn proxy(&self) -> Option<Wrong> {
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            let Some(proxy) = variable(name) else {
                return self.wrong(format!("{name} is not set: clients go to the real Azure"));
            };
            if proxy.trim_end_matches('/') == self.url {
                continue;
            }
            return match health(&proxy).await {
                Ok(Some(other)) if other["identity_header"] == self.identity.as_str() => continue,
                Ok(Some(_)) => self.wrong(format!("{name} leads to another acrite, at {proxy}")),
                Ok(None) => {
                    let what = format!("{name} leads to {proxy}, a proxy that is not acrite and does not lead to it");
                    self.wrong(what)
                }
                Err(_) => self.wrong(format!("{name} leads to {proxy}, where nothing answers")),
            };
        }
        None
    }

    fn exceptions(&self) -> Option<Wrong> {
        const HOSTS: [&str; 5] = [
            "management.azure.com",
            "login.microsoftonline.com",
            "graph.microsoft.com",
            "name.vault.azure.net",
            "name.azurecr.io",
        ];
        for name in ["NO_PROXY", "no_proxy"] {
            let value = variable(name).unwrap_or_default();
            let covers = |entry: &str, host: &str| {
                let entry = entry.trim().trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
                host == entry || host.ends_with(&format!(".{entry}"))
            };
            let covered = |entry: &&str| entry.trim() == "*" || HOSTS.iter().any(|host| covers(entry, host));
            if let Some(entry) = value.split(',').filter(|entry| !entry.trim().is_empty()).find(covered) {
                return self.wrong(format!("{name} holds {entry}: what it covers goes to the real Azure"));
            }
        }
        None
    }

    fn certificates(&self) -> Option<Wrong> {
        ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT"]
            .into_iter()
            .find_map(|name| self.untrusting(name))
    }

    /// Why clients that read this variable do not trust the instance.
    fn untrusting(&self, name: &str) -> Option<Wrong> {
        let Some(file) = variable(name) else { return self.wrong(format!("{name} is not set")) };
        let authority = self.place.folder.join(AUTHORITY);
        let own = certificates(&authority);
        let known = certificates(Path::new(&file));
        if own.is_empty() || own.iter().all(|certificate| known.contains(certificate)) {
            return None;
        }
        self.wrong(format!("{name} names {file}, which does not hold {}", authority.display()))
    }

    fn strays(&self) -> Option<Wrong> {
        let ours =
            |name: &str| variable(name).is_some_and(|value| value.starts_with(&self.url) || value == self.identity);
        let set: Vec<&str> = REMOVED.into_iter().filter(|name| variable(name).is_some() && !ours(name)).collect();
        if set.is_empty() {
            return None;
        }
        let what = format!("{} lead clients past what is set for acrite", set.join(", "));
        Some(Wrong { what, cure: format!("unset {}", set.join(" ")) })
    }

    fn az(&self) -> Option<Wrong> {
        let Some(folder) = variable("AZURE_CONFIG_DIR") else {
            return self.wrong("AZURE_CONFIG_DIR is not set: az uses the account that is signed in for all shells");
        };
        let profile = std::fs::read_to_string(Path::new(&folder).join("azureProfile.json")).unwrap_or_default();
        let profile: Value = serde_json::from_str(profile.trim_start_matches('\u{feff}')).unwrap_or_default();
        let mut subscriptions = profile["subscriptions"].as_array().into_iter().flatten();
        match subscriptions.find(|subscription| subscription["isDefault"] == true) {
            Some(used) if used["id"] == SUBSCRIPTION_ID => None,
            Some(used) => self.wrong(format!("az is signed in to {}, in {folder}", used["name"])),
            None => self.wrong(format!("az is not signed in, in {folder}")),
        }
    }

    fn node(&self) -> Option<Wrong> {
        match variable("NODE_USE_ENV_PROXY").as_deref() {
            Some("1") => self.untrusting("NODE_EXTRA_CA_CERTS"),
            _ => self.wrong("NODE_USE_ENV_PROXY is not 1: Node goes to the real Azure"),
        }
    }

    fn java(&self) -> Option<Wrong> {
        let options = variable("JAVA_TOOL_OPTIONS").unwrap_or_default();
        let option = |name: &str| {
            let mut all = options.split_whitespace().rev();
            all.find_map(|option| {
                option.strip_prefix(&format!("-D{name}=")).map(|value| value.trim_matches('"').to_owned())
            })
        };
        let port = self.url.rsplit(':').next().unwrap_or_default();
        if option("https.proxyPort").as_deref() != Some(port) {
            return self.wrong("JAVA_TOOL_OPTIONS does not send Java through the proxy");
        }
        let store = option("javax.net.ssl.trustStore").map(PathBuf::from);
        let holds = |store: &Path| {
            let bytes = std::fs::read(store).unwrap_or_default();
            let own = certificates(&self.place.folder.join(AUTHORITY));
            own.iter().all(|certificate| bytes.windows(certificate.len()).any(|part| part == certificate.as_slice()))
        };
        match store {
            Some(store) if holds(&store) => None,
            Some(store) => self.wrong(format!("Java's trust store {} does not hold the authority", store.display())),
            None => self.wrong("JAVA_TOOL_OPTIONS names no trust store"),
        }
    }

    /// Registries for which the engine has a certificate: another one's is worse than none.
    fn docker(&self, folder: &Path) -> Option<Wrong> {
        let authority = self.place.folder.join(AUTHORITY);
        let own = certificates(&authority);
        let mut registries: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        registries.sort();
        let is_registry = |path: &&PathBuf| path.to_string_lossy().ends_with(".azurecr.io");
        let file = |path: &PathBuf| path.join("ca.crt");
        let stale = registries.iter().filter(is_registry).map(file).find(|file| {
            let known = certificates(file);
            !own.iter().all(|certificate| known.contains(certificate))
        })?;
        let what = format!("the engine knows another authority for this registry: {}", stale.display());
        Some(Wrong { what, cure: format!("sudo install -D -m 644 {} {}", sh_path(&authority), sh_path(&stale)) })
    }

    fn clock(&self, clock: &Value) -> Option<Wrong> {
        let time = |name: &str| clock[name].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let days = (time("now")?.as_second() - time("machine")?.as_second()) / FAR;
        if days == 0 {
            return None;
        }
        let what = format!(
            "the emulator's clock is {days} days from this machine's, by which clients judge certificates and tokens; \
             it does not go back, but another world has a clock of its own"
        );
        let another = sh_path(Path::new(&beside(&self.place.folder)));
        Some(Wrong { what, cure: format!("{} serve --listen 127.0.0.1:0 --data-dir {another}", program()) })
    }
}
