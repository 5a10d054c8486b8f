//! A registry elsewhere: pulling by OCI distribution, with the sign-in that its challenge asks for.
//! Must not know: sockets (see outgoing), where what is pulled goes.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::App;
use super::outgoing::{Message, Outgoing, Reply, is_this_machine};
use crate::domain::content::{
    DOCKER_LIST, DOCKER_MANIFEST, Digest, MANIFEST_LIMIT, OCI_INDEX, OCI_MANIFEST, Reference,
};
use crate::domain::crypto;
use crate::domain::error::SourceError;

/// Answers that lead elsewhere are followed so often.
const REDIRECTS: usize = 5;
/// Bytes of a refusal that are passed on.
const SAID: usize = 4 * 1024;
/// Bytes of a token's answer at most.
const TOKEN: usize = 64 * 1024;

type Result<T> = std::result::Result<T, SourceError>;

/// What to sign in with.
#[derive(Clone)]
pub struct Credential {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// A repository of a registry elsewhere.
pub struct Upstream {
    way: Arc<dyn Outgoing>,
    /// Scheme and host.
    base: String,
    repository: String,
    credential: Option<Credential>,
    /// The `Authorization` that the last challenge was answered with.
    authorization: Mutex<Option<String>>,
}

/// Where a login server's registry really is. Docker Hub's has another name; which of its repositories is
/// meant is not guessed: Azure adds no `library/` either [docs: troubleshooting; issue].
fn base(host: &str) -> String {
    let host = if matches!(host, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { host };
    // Nobody between this machine and itself could read along.
    let scheme = if is_this_machine(host) { "http" } else { "https" };
    format!("{scheme}://{host}")
}

impl Upstream {
    /// A repository at a login server. An error where there is no way out.
    pub fn new(app: &App, host: &str, repository: &str, credential: Option<Credential>) -> Result<Self> {
        let none = || SourceError::Unreachable("there is no way out of here".to_owned());
        let way = app.way_out.get().cloned().ok_or_else(none)?;
        let (base, repository) = (base(host), repository.to_owned());
        Ok(Self { way, base, repository, credential, authorization: Mutex::default() })
    }

    /// The digest that a manifest has now.
    pub async fn digest(&self, reference: &Reference) -> Result<Digest> {
        let reply = self.ask("HEAD", &format!("manifests/{}", written(reference))).await?;
        match reply.header("docker-content-digest").and_then(|d| Digest::parse(d).ok()) {
            Some(digest) => Ok(digest),
            None => Ok(self.manifest(reference).await?.2),
        }
    }

    /// A manifest: bytes, media type and digest, which the bytes were found to have.
    pub async fn manifest(&self, reference: &Reference) -> Result<(Bytes, String, Digest)> {
        let reply = self.ask("GET", &format!("manifests/{}", written(reference))).await?;
        let media_type = reply.header("content-type").and_then(|v| v.split(';').next()).unwrap_or_default();
        let media_type = media_type.trim().to_owned();
        let told = reply.header("docker-content-digest").and_then(|d| Digest::parse(d).ok());
        let bytes = reply.whole(MANIFEST_LIMIT).await.map_err(SourceError::Unreachable)?;
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(_) => told.unwrap_or_else(|| Digest::of(&bytes)),
        };
        if !digest.matches(&bytes) {
            return Err(SourceError::Wrong(format!("what it sent as manifest {digest} has another digest")));
        }
        Ok((bytes.into(), media_type, digest))
    }

    /// A blob as it arrives. Whoever takes it in has to check its digest.
    pub async fn blob(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes>>> {
        let reply = self.ask("GET", &format!("blobs/{digest}")).await?;
        Ok(reply.body.map(|part| part.map_err(SourceError::Unreachable)).boxed())
    }

    /// Asks, and once more with what the challenge wants where there is one.
    async fn ask(&self, method: &'static str, path: &str) -> Result<Reply> {
        let url = format!("{}/v2/{}/{path}", self.base, self.repository);
        let mut authorization = self.authorization.lock().await;
        let mut reply = self.follow(method, &url, authorization.as_deref()).await?;
        if reply.status == 401
            && let Some(answer) = self.answer(&Challenge::all(&reply)).await?
        {
            reply = self.follow(method, &url, Some(&answer)).await?;
            *authorization = Some(answer);
        }
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(refused(reply).await) }
    }

    /// Sends, and goes where the answers lead: registries keep blobs elsewhere. The credential stays at home.
    async fn follow(&self, method: &'static str, url: &str, authorization: Option<&str>) -> Result<Reply> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut headers = vec![
                ("user-agent".to_owned(), "AzureContainerRegistry/1.0".to_owned()),
                ("accept".to_owned(), [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX, "*/*"].join(", ")),
            ];
            if let Some(value) = authorization.filter(|_| origin(&url) == self.base) {
                headers.push(("authorization".to_owned(), value.to_owned()));
            }
            let message = Message { method, uri: url.clone(), headers, body: String::new() };
            let reply = self.way.send(message).await.map_err(SourceError::Unreachable)?;
            let location = reply.header("location").filter(|_| matches!(reply.status, 301..=303 | 307 | 308));
            let Some(location) = location else { return Ok(reply) };
            url = if location.starts_with('/') { format!("{}{location}", origin(&url)) } else { location.to_owned() };
            if !may_be_asked(&url) {
                return Err(SourceError::Wrong(format!("it leads to {url}, which is not HTTPS")));
            }
        }
        Err(SourceError::Wrong(format!("it leads elsewhere more than {REDIRECTS} times")))
    }

    /// What to show for a challenge; `None`: there is nothing to show.
    async fn answer(&self, challenges: &[Challenge]) -> Result<Option<String>> {
        if let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer" && !c.get("realm").is_empty()) {
            return self.token(bearer).await.map(|token| Some(format!("Bearer {token}")));
        }
        let basic = challenges.iter().any(|c| c.scheme == "basic");
        Ok(self.basic().filter(|_| basic))
    }

    fn basic(&self) -> Option<String> {
        let Credential { user, password } = self.credential.as_ref()?;
        let shown = Zeroizing::new(format!("{user}:{}", password.as_str()));
        Some(format!("Basic {}", crypto::base64(shown.as_bytes())))
    }

    /// A token from the place that the challenge names; without a credential, one for anybody. A challenge may
    /// leave its scope out.
    async fn token(&self, challenge: &Challenge) -> Result<String> {
        let realm = challenge.get("realm");
        if !may_be_asked(realm) {
            return Err(SourceError::Wrong(format!("its tokens come from {realm}, which is not HTTPS")));
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let scope = match challenge.get("scope") {
            "" => format!("repository:{}:pull", self.repository),
            scope => scope.to_owned(),
        };
        let mut uri = format!("{realm}{}scope={}", if realm.contains('?') { '&' } else { '?' }, encoded(&scope));
        if !challenge.get("service").is_empty() {
            uri.push_str(&format!("&service={}", encoded(challenge.get("service"))));
        }
        let headers = self.basic().map(|basic| ("authorization".to_owned(), basic)).into_iter().collect();
        let message = Message { method: "GET", uri, headers, body: String::new() };
        let reply = self.way.send(message).await.map_err(SourceError::Unreachable)?;
        if reply.status != 200 {
            return Err(refused(reply).await);
        }
        let body = reply.whole(TOKEN).await.map_err(SourceError::Unreachable)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|name| body[*name].as_str());
        token.map(str::to_owned).ok_or_else(|| SourceError::Wrong(format!("{realm} gave no token")))
    }
}

async fn refused(reply: Reply) -> SourceError {
    SourceError::Refused { status: reply.status, body: reply.text(SAID).await }
}

fn written(reference: &Reference) -> &str {
    match reference {
        Reference::Tag(tag) => tag,
        Reference::Digest(digest) => digest.as_str(),
    }
}

/// Scheme and authority of an address.
fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url[at + 3..].find(['/', '?']).map(|path| at + 3 + path));
    &url[..path.unwrap_or(url.len())]
}

/// HTTPS, or this machine.
fn may_be_asked(url: &str) -> bool {
    match origin(url).split_once("://") {
        Some(("https", _)) => true,
        Some(("http", authority)) => is_this_machine(authority),
        _ => false,
    }
}

/// A challenge: `Bearer realm="…",service="…",scope="…"`.
#[derive(Debug, PartialEq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn all(reply: &Reply) -> Vec<Self> {
        let headers = reply.headers.iter().filter(|(name, _)| name == "www-authenticate");
        headers.filter_map(|(_, value)| Self::read(value)).collect()
    }

    fn read(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
            // Scopes have commas of their own, within quotes.
            let (value, further) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            parameters.push((name, value.to_owned()));
            rest = further;
        }
        (!scheme.is_empty()).then(|| Self { scheme: scheme.to_ascii_lowercase(), parameters })
    }

    fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let hub = Challenge::read(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push", error="x""#,
        )
        .unwrap();
        assert_eq!(hub.scheme, "bearer");
        assert_eq!(hub.get("realm"), "https://auth.docker.io/token");
        assert_eq!(hub.get("service"), "registry.docker.io");
        assert_eq!(hub.get("scope"), "repository:a/b:pull,push");
        assert_eq!(hub.get("error"), "x");
        assert_eq!(Challenge::read("Basic realm=x, charset=utf-8").unwrap().get("charset"), "utf-8");
        assert_eq!(Challenge::read("Basic").unwrap().scheme, "basic");
        assert_eq!(Challenge::read(r#"Bearer realm="cut off"#), None);
        assert_eq!(Challenge::read(""), None);
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        assert_eq!(base("docker.io"), "https://registry-1.docker.io");
        assert_eq!(base("mcr.microsoft.com"), "https://mcr.microsoft.com");
        assert_eq!(base("localhost:5000"), "http://localhost:5000");
        assert!(may_be_asked("https://auth.docker.io/token") && may_be_asked("http://127.0.0.1:5000/token?x=y"));
        assert!(!may_be_asked("http://auth.docker.io/token") && !may_be_asked("ftp://127.0.0.1/") && !may_be_asked(""));
        assert_eq!(origin("https://a.example:1/b/c"), "https://a.example:1");
        assert_eq!(origin("https://a.example?b"), "https://a.example");
    }
}
