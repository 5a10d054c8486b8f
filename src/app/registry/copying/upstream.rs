//! A registry elsewhere: pulling by OCI distribution, with the sign-in that its challenge asks for.
//! Must not know: sockets (see outgoing), where what is pulled goes.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use crate::app::App;
use crate::app::world::outgoing::{Errand, Message, Outgoing, Reply, is_this_machine};
use crate::domain::error::SourceError;
use crate::domain::registry::cache_rule::login_server;
use crate::domain::registry::content::{
    DOCKER_LIST, DOCKER_MANIFEST, Digest, MANIFEST_LIMIT, OCI_INDEX, OCI_MANIFEST, Reference,
};
use crate::domain::world::crypto;

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
    pub user: String,
    pub password: Zeroizing<String>,
}

/// A repository of a registry elsewhere.
pub struct Upstream {
    way: Arc<dyn Outgoing>,
    /// Scheme and host.
    base: Url,
    repository: String,
    credential: Option<Credential>,
    /// From where came who wants to have it.
    asker: IpAddr,
    /// The `Authorization` that the last challenge was answered with.
    authorization: Mutex<Option<String>>,
}

/// Where a login server's registry really is. Docker Hub's has another name; which of its repositories is
/// meant is not guessed: Azure adds no `library/` either [docs: troubleshooting; issue].
fn base(host: &str) -> Result<Url> {
    let host = match login_server(host) {
        hub if hub == "docker.io" => "registry-1.docker.io".to_owned(),
        host => host,
    };
    // Nobody between this machine and itself could read along.
    let scheme = if is_this_machine(&host) { "http" } else { "https" };
    let parsed = Url::parse(&format!("{scheme}://{host}/"));
    let base = parsed.map_err(|_| SourceError::Unreachable(format!("{host} is not a login server")))?;
    may_be_asked(&base, scheme == "http").map_err(SourceError::Unreachable)?;
    Ok(base)
}

impl Upstream {
    /// A repository at a login server. An error where there is no way out.
    pub fn new(app: &App, host: &str, repository: &str, credential: Option<Credential>, asker: IpAddr) -> Result<Self> {
        let none = || SourceError::Unreachable("there is no way out of here".to_owned());
        let way = app.way_out.get().cloned().ok_or_else(none)?;
        let (base, repository) = (base(host)?, repository.to_owned());
        Ok(Self { way, base, repository, credential, asker, authorization: Mutex::default() })
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

    /// Asks, and once more with what the challenge wants where there is one. Only the registry itself may challenge:
    /// what its answers lead to has no claim on its credential.
    async fn ask(&self, method: &'static str, path: &str) -> Result<Reply> {
        let url = format!("{}v2/{}/{path}", self.base, self.repository);
        let url = Url::parse(&url).map_err(|_| SourceError::Wrong(format!("{url} is not an address")))?;
        let mut authorization = self.authorization.lock().await;
        let (mut reply, answering) = self.follow(method, url.clone(), authorization.as_deref()).await?;
        if reply.status == 401
            && self.is_home(&answering)
            && let Some(answer) = self.answer(&Challenge::all(&reply)).await?
        {
            (reply, _) = self.follow(method, url, Some(&answer)).await?;
            *authorization = Some(answer);
        }
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(refused(reply).await) }
    }

    /// Whether an address is the registry's own.
    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Sends, and goes where the answers lead: registries keep blobs elsewhere. The credential stays at home. Returns
    /// the address that answered, too.
    async fn follow(&self, method: &'static str, mut url: Url, authorization: Option<&str>) -> Result<(Reply, Url)> {
        for _ in 0..REDIRECTS {
            let mut headers = vec![
                ("user-agent".to_owned(), "AzureContainerRegistry/1.0".to_owned()),
                ("accept".to_owned(), [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX, "*/*"].join(", ")),
            ];
            if let Some(value) = authorization.filter(|_| self.is_home(&url)) {
                headers.push(("authorization".to_owned(), value.to_owned()));
            }
            let uri = url.as_str().to_owned();
            let message =
                Message { errand: Errand::Source, method, uri, headers, body: String::new(), asker: self.asker };
            let reply = self.way.send(message).await.map_err(SourceError::Unreachable)?;
            let location = reply.header("location").filter(|_| matches!(reply.status, 301..=303 | 307 | 308));
            let Some(location) = location else { return Ok((reply, url)) };
            url = self.led_to(&url, location)?;
        }
        Err(SourceError::Wrong(format!("it leads elsewhere more than {REDIRECTS} times")))
    }

    /// Where an answer leads from an address: a reference, maybe a relative one (RFC 9110 10.2.2).
    fn led_to(&self, from: &Url, location: &str) -> Result<Url> {
        let wrong = |why: String| SourceError::Wrong(format!("it leads to {location}: {why}"));
        let mut url = from.join(location).map_err(|e| wrong(e.to_string()))?;
        url.set_fragment(None);
        may_be_asked(&url, is_here(&self.base)).map_err(wrong)?;
        Ok(url)
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
        let wrong = |why: String| SourceError::Wrong(format!("its tokens come from {realm}: {why}"));
        let mut place = Url::parse(realm).map_err(|e| wrong(e.to_string()))?;
        place.set_fragment(None);
        may_be_asked(&place, is_here(&self.base)).map_err(wrong)?;
        let scope = match challenge.get("scope") {
            "" => format!("repository:{}:pull", self.repository),
            scope => scope.to_owned(),
        };
        place.query_pairs_mut().append_pair("scope", &scope);
        if !challenge.get("service").is_empty() {
            place.query_pairs_mut().append_pair("service", challenge.get("service"));
        }
        let headers = self.basic().map(|basic| ("authorization".to_owned(), basic)).into_iter().collect();
        let uri = place.into();
        let message =
            Message { errand: Errand::Source, method: "GET", uri, headers, body: String::new(), asker: self.asker };
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

/// Whether an address is this machine's.
fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(is_this_machine)
}

/// Lets an address pass: by HTTPS, or by HTTP from this machine (`here`) to itself. Registries of Azure are this
/// emulator's: none is asked out there. An error says why not.
fn may_be_asked(url: &Url, here: bool) -> std::result::Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it names a user".to_owned());
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    if host == "azurecr.io" || host.ends_with(".azurecr.io") {
        return Err(format!("{host} is not known"));
    }
    match url.scheme() {
        "https" if !host.is_empty() => Ok(()),
        "http" if here && is_here(url) => Ok(()),
        _ => Err("it is not HTTPS".to_owned()),
    }
}

/// A challenge: `Bearer realm="…",service="…",scope="…"`.
#[derive(Debug)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn all(reply: &Reply) -> Vec<Self> {
        let headers = reply.headers.iter().filter(|(name, _)| name == "www-authenticate");
        headers.flat_map(|(_, value)| Self::read(value)).collect()
    }

    /// The challenges of a header. One that cannot be read holds none.
    fn read(header: &str) -> Vec<Self> {
        let read = |found: http_auth::ChallengeRef| Self {
            scheme: found.scheme.to_ascii_lowercase(),
            parameters: found.params.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.to_unescaped())).collect(),
        };
        http_auth::parse_challenges(header).unwrap_or_default().into_iter().map(read).collect()
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
        let read = Challenge::read(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push", error="x", Basic realm="a \"b\"", charset=utf-8"#,
        );
        let [hub, basic] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(hub.scheme, "bearer");
        assert_eq!(hub.get("realm"), "https://auth.docker.io/token");
        assert_eq!(hub.get("service"), "registry.docker.io");
        assert_eq!(hub.get("scope"), "repository:a/b:pull,push");
        assert_eq!(hub.get("error"), "x");
        assert_eq!((basic.scheme.as_str(), basic.get("realm"), basic.get("charset")), ("basic", "a \"b\"", "utf-8"));
        assert_eq!(Challenge::read("Basic")[0].scheme, "basic");
        assert!(Challenge::read(r#"Bearer realm="cut off"#).is_empty() && Challenge::read("").is_empty());
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (host, wanted) in [
            ("docker.io", "https://registry-1.docker.io/"),
            ("Docker.io:443", "https://registry-1.docker.io/"),
            ("mcr.microsoft.com", "https://mcr.microsoft.com/"),
            ("localhost:5000", "http://localhost:5000/"),
        ] {
            assert_eq!(base(host).unwrap().as_str(), wanted);
        }
        // By whatever name, a registry of Azure is never asked out there.
        for host in ["reg.azurecr.io", "REG.azurecr.io:0443", "reg.azurecr.io.:8443", "reg.eastus.geo.azurecr.io:80"] {
            assert!(base(host).is_err(), "{host}");
        }
        let asked = |url: &str, here| Url::parse(url).is_ok_and(|url| may_be_asked(&url, here).is_ok());
        assert!(asked("https://auth.docker.io/token", false) && asked("http://127.0.0.1:5000/token?x=y", true));
        assert!(asked("http://[::1]:5000/", true) && asked("https://127.0.0.1/", false));
        for url in ["http://auth.docker.io/token", "ftp://127.0.0.1/", "", "https://reg.azurecr.io/v2/"] {
            assert!(!asked(url, true), "{url}");
        }
        // From elsewhere nothing leads into this machine unprotected.
        assert!(!asked("http://127.0.0.1:5000/token", false));
        // Nor does what only looks like this machine.
        for url in ["http://localhost:x@evil.example/", "http://127.0.0.1@evil.example/", "https://a@evil.example/"] {
            assert!(!asked(url, true), "{url}");
        }
    }

    /// An address, its status and its headers.
    type Answer = (&'static str, u16, &'static [(&'static str, &'static str)]);

    /// Answers by address, and a record of who was shown what.
    #[derive(Debug, Default)]
    struct Script {
        answers: Vec<Answer>,
        requests: std::sync::Mutex<Vec<(String, Option<String>)>>,
    }

    impl Outgoing for Script {
        fn send(&self, message: Message) -> futures_util::future::BoxFuture<'_, std::result::Result<Reply, String>> {
            let shown = message.headers.iter().find(|(name, _)| name == "authorization").map(|(_, v)| v.clone());
            let signed = shown.is_some();
            self.requests.lock().unwrap().push((message.uri.clone(), shown));
            let found = self.answers.iter().find(|(uri, status, _)| *uri == message.uri && !(signed && *status == 401));
            let (status, headers) = found.map_or((200, &[][..]), |(_, status, headers)| (*status, *headers));
            let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let body = futures_util::stream::iter([Ok(Bytes::from_static(b"{\"token\": \"t\"}"))]).boxed();
            Box::pin(async move { Ok(Reply { status, reason: String::new(), headers, body }) })
        }
    }

    async fn ask(host: &str, answers: Vec<Answer>) -> (Result<Reply>, Vec<(String, Option<String>)>) {
        let way = Arc::new(Script { answers, ..Script::default() });
        let upstream = Upstream {
            way: way.clone(),
            base: base(host).unwrap(),
            repository: "app".to_owned(),
            credential: Some(Credential { user: "u".to_owned(), password: "p".to_owned().into() }),
            asker: [127, 0, 0, 1].into(),
            authorization: Mutex::default(),
        };
        let reply = upstream.ask("GET", "blobs/x").await;
        let requests = way.requests.lock().unwrap().clone();
        (reply, requests)
    }

    #[tokio::test]
    async fn only_the_registry_itself_may_ask_for_its_credential() {
        const HOME: &str = "https://quay.io/v2/app/blobs/x";
        const BASIC: &[(&str, &str)] = &[("www-authenticate", "Basic realm=x")];
        let basic = Some(format!("Basic {}", crypto::base64(b"u:p")));
        let (reply, requests) = ask("quay.io", vec![(HOME, 401, BASIC)]).await;
        assert_eq!(reply.ok().unwrap().status, 200);
        assert_eq!(requests, [(HOME.to_owned(), None), (HOME.to_owned(), basic.clone())]);

        // A token's place may be another host, as Docker Hub's is.
        const BEARER: &[(&str, &str)] = &[("www-authenticate", r#"Bearer realm="https://auth.example/token""#)];
        let (reply, requests) = ask("quay.io", vec![(HOME, 401, BEARER)]).await;
        assert_eq!(reply.ok().unwrap().status, 200);
        assert_eq!(requests[1], ("https://auth.example/token?scope=repository%3Aapp%3Apull".to_owned(), basic));
        assert_eq!(requests[2], (HOME.to_owned(), Some("Bearer t".to_owned())));

        // Elsewhere, a challenge is a refusal.
        const AWAY: &[(&str, &str)] = &[("location", "https://evil.example/x")];
        for challenge in [BASIC, BEARER] {
            let (reply, requests) =
                ask("quay.io", vec![(HOME, 307, AWAY), ("https://evil.example/x", 401, challenge)]).await;
            assert!(matches!(reply, Err(SourceError::Refused { status: 401, .. })));
            assert_eq!(requests, [(HOME.to_owned(), None), ("https://evil.example/x".to_owned(), None)]);
        }
        // A place for tokens by plain HTTP gets nothing, this machine's only from this machine.
        const PLAIN: &[(&str, &str)] = &[("www-authenticate", r#"Bearer realm="http://localhost:1/token""#)];
        let (reply, requests) = ask("quay.io", vec![(HOME, 401, PLAIN)]).await;
        assert!(matches!(reply, Err(SourceError::Wrong(_))) && requests.len() == 1);
        let (reply, _) = ask("localhost:2", vec![("http://localhost:2/v2/app/blobs/x", 401, PLAIN)]).await;
        assert_eq!(reply.ok().unwrap().status, 200);
    }

    #[tokio::test]
    async fn answers_lead_by_whole_and_by_relative_addresses() {
        const HOME: &str = "https://quay.io/v2/app/blobs/x";
        for (location, wanted) in [
            ([("location", "//cdn.example/x?a=b")], "https://cdn.example/x?a=b"),
            ([("location", "/elsewhere/x")], "https://quay.io/elsewhere/x"),
            ([("location", "y?a")], "https://quay.io/v2/app/blobs/y?a"),
            ([("location", "../z#part")], "https://quay.io/v2/app/z"),
        ] {
            let (reply, requests) = ask("quay.io", vec![(HOME, 302, location.to_vec().leak())]).await;
            assert_eq!(reply.ok().unwrap().status, 200);
            assert_eq!(requests[1].0, wanted);
        }
        for location in ["http://quay.io/x", "http://localhost:1/x", "https://u:p@quay.io/x", "ftp://a.example/"] {
            let (reply, requests) = ask("quay.io", vec![(HOME, 302, vec![("location", location)].leak())]).await;
            assert!(matches!(reply, Err(SourceError::Wrong(_))), "{location}");
            assert_eq!(requests.len(), 1);
        }
    }
}
