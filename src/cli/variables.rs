//! The environment that makes unmodified clients use an instance.
//! Owns every variable's name and meaning; must not know how they are handed over.

use std::path::Path;

use crate::cli::instance::Place;
use crate::cli::trust::{AUTHORITY, JAVA_PASSWORD, JAVA_STORE};
use crate::domain::world::well_known::{DEVELOPER_CLIENT_ID, DEVELOPER_SECRET, SUBSCRIPTION_ID, TENANT_ID};
use crate::http::{IDENTITY_PATH, IMDS_PATH};

/// Variables that would lead a client past what is set here: to another cloud, or to another credential.
pub(super) const REMOVED: [&str; 14] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_USERNAME",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_ENVIRONMENT",
    "ARM_USE_MSI",
    "ARM_USE_OIDC",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "MSI_ENDPOINT",
    "MSI_SECRET",
];

/// All variables for the instance at `place`. `bundle` is what clients trust, `inherited` reads the environment that the
/// variables are added to.
///
/// `identity` adds App Service's managed identity endpoint. It is not there by default: SDKs that find it use it
/// for themselves and no longer ask the address that virtual machines use, and az's own identity login changes too.
pub(super) fn variables(
    place: &Place,
    bundle: &Path,
    identity: Option<&str>,
    inherited: impl Fn(&str) -> Option<String>,
) -> Vec<(&'static str, String)> {
    let url = place.url.clone();
    let path = |name: &str| place.folder.join(name).display().to_string();
    let local = "localhost,127.0.0.1,::1".to_owned();
    let node = inherited("NODE_EXTRA_CA_CERTS").filter(|file| !file.is_empty() && !file.ends_with(AUTHORITY));
    let node = node.map_or_else(|| path(AUTHORITY), |_| bundle.display().to_string());
    let bundle = bundle.display().to_string();

    let mut all = vec![
        ("ACRITE_URL", url.clone()),
        ("ACRITE_CA", path(AUTHORITY)),
        // Programs differ in which spelling they read.
        ("HTTPS_PROXY", url.clone()),
        ("HTTP_PROXY", url.clone()),
        ("https_proxy", url.clone()),
        ("http_proxy", url.clone()),
        ("NO_PROXY", local.clone()),
        ("no_proxy", local),
        // OpenSSL, Go, .NET, Rust; Python's requests; curl; git; pip.
        ("SSL_CERT_FILE", bundle.clone()),
        ("REQUESTS_CA_BUNDLE", bundle.clone()),
        ("CURL_CA_BUNDLE", bundle.clone()),
        ("GIT_SSL_CAINFO", bundle.clone()),
        ("PIP_CERT", bundle),
        // Node has its own roots and adds these; it reads the proxy variables only when told to.
        ("NODE_EXTRA_CA_CERTS", node),
        ("NODE_USE_ENV_PROXY", "1".to_owned()),
        ("JAVA_TOOL_OPTIONS", java_options(place, inherited("JAVA_TOOL_OPTIONS"))),
        ("AZURE_CONFIG_DIR", place.az_folder().display().to_string()),
        ("AZURE_CORE_COLLECT_TELEMETRY", "no".to_owned()),
        ("AZURE_TENANT_ID", TENANT_ID.to_owned()),
        ("AZURE_CLIENT_ID", DEVELOPER_CLIENT_ID.to_owned()),
        ("AZURE_CLIENT_SECRET", DEVELOPER_SECRET.to_owned()),
        ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION_ID.to_owned()),
        ("ARM_TENANT_ID", TENANT_ID.to_owned()),
        ("ARM_CLIENT_ID", DEVELOPER_CLIENT_ID.to_owned()),
        ("ARM_CLIENT_SECRET", DEVELOPER_SECRET.to_owned()),
        ("ARM_SUBSCRIPTION_ID", SUBSCRIPTION_ID.to_owned()),
        // Terraform's providers ask for managed identities past every proxy; `use_msi` still decides whether they do.
        ("ARM_MSI_ENDPOINT", format!("{url}{IMDS_PATH}")),
    ];
    match &place.elsewhere {
        None => all.push(("ACRITE_DATA_DIR", place.folder.display().to_string())),
        Some(Some(token)) => all.push(("ACRITE_TOKEN", token.clone())),
        Some(None) => {}
    }
    if let Some(header) = identity {
        all.push(("IDENTITY_ENDPOINT", format!("{url}{IDENTITY_PATH}")));
        all.push(("IDENTITY_HEADER", header.to_owned()));
        // What older clients read. Alone it would make SDKs believe in Cloud Shell, which has one identity only.
        all.push(("MSI_ENDPOINT", format!("{url}{IMDS_PATH}")));
    }
    if let Some(path) = own_folder_first(inherited("PATH")) {
        all.push(("PATH", path));
    }
    all
}

/// `PATH` with the folder of this very binary first, so that a script's `acrite` is the one that runs it.
fn own_folder_first(path: Option<String>) -> Option<String> {
    let own = std::env::current_exe().ok()?.parent()?.display().to_string();
    let rest = path.unwrap_or_default();
    let others = rest.split(':').filter(|folder| !folder.is_empty() && *folder != own);
    Some(std::iter::once(own.as_str()).chain(others).collect::<Vec<_>>().join(":"))
}

/// Java reads neither the proxy variables nor a bundle; this variable it reads wherever it is started.
fn java_options(place: &Place, inherited: Option<String>) -> String {
    let authority = place.url.strip_prefix("http://").unwrap_or(&place.url);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let host = host.trim_matches(['[', ']']);
    let ours = [
        ("javax.net.ssl.trustStore", quoted(&place.folder.join(JAVA_STORE))),
        ("javax.net.ssl.trustStoreType", "jks".to_owned()),
        ("javax.net.ssl.trustStorePassword", JAVA_PASSWORD.to_owned()),
        ("https.proxyHost", host.to_owned()),
        ("https.proxyPort", port.to_owned()),
        ("http.proxyHost", host.to_owned()),
        ("http.proxyPort", port.to_owned()),
        ("http.nonProxyHosts", "localhost|127.*|[::1]".to_owned()),
    ];
    // A shell that is pointed at one instance after the other does not pile them up.
    let is_ours = |option: &str| ours.iter().any(|(name, _)| option.starts_with(&format!("-D{name}=")));
    let inherited = inherited.unwrap_or_default();
    let mut options: Vec<String> =
        inherited.split_whitespace().filter(|option| !is_ours(option)).map(str::to_owned).collect();
    options.extend(ours.iter().map(|(name, value)| format!("-D{name}={value}")));
    options.join(" ")
}

/// Java splits the variable at spaces unless they are quoted.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { url: "http://127.0.0.1:4443".into(), folder: "/data".into(), elsewhere: None }
    }

    fn variables(
        place: &Place,
        identity: Option<&str>,
        inherited: impl Fn(&str) -> Option<String>,
    ) -> Vec<(&'static str, String)> {
        super::variables(place, &place.folder.join("ca-bundle.pem"), identity, inherited)
    }

    fn get(all: &[(&str, String)], name: &str) -> Option<String> {
        all.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn clients_are_sent_through_the_proxy_and_trust_it() {
        let all = variables(&place(), None, |_| None);
        for name in ["HTTPS_PROXY", "http_proxy", "ACRITE_URL"] {
            assert_eq!(get(&all, name).unwrap(), "http://127.0.0.1:4443");
        }
        assert_eq!(get(&all, "SSL_CERT_FILE").unwrap(), "/data/ca-bundle.pem");
        assert_eq!(get(&all, "NODE_EXTRA_CA_CERTS").unwrap(), "/data/ca.pem");
        assert_eq!(get(&all, "IDENTITY_ENDPOINT"), None);
        let asked = variables(&place(), Some("header"), |_| None);
        assert!(get(&asked, "IDENTITY_ENDPOINT").unwrap().starts_with("http://127.0.0.1:4443/"));
        let imds = "http://127.0.0.1:4443/metadata/identity/oauth2/token";
        assert_eq!(get(&all, "ARM_MSI_ENDPOINT").unwrap(), imds);
        assert_eq!((get(&all, "MSI_ENDPOINT"), get(&asked, "MSI_ENDPOINT").as_deref()), (None, Some(imds)));
    }

    #[test]
    fn applying_twice_changes_nothing() {
        let once = variables(&place(), None, |name| (name == "JAVA_TOOL_OPTIONS").then(|| "-Xmx1g".to_owned()));
        let twice = variables(&place(), None, |name| get(&once, name));
        assert_eq!(get(&once, "PATH"), get(&twice, "PATH"));
        assert_eq!(get(&once, "JAVA_TOOL_OPTIONS"), get(&twice, "JAVA_TOOL_OPTIONS"));
        assert!(get(&twice, "JAVA_TOOL_OPTIONS").unwrap().starts_with("-Xmx1g -Djavax.net.ssl.trustStore=/data/"));
    }
}
