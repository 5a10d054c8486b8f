//! The way to hosts that are not emulated: refused, direct, or through the user's own proxy.
//! Must not know which hosts are emulated; it is asked only about the others.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, VIA};
use axum::http::uri::{Scheme, Uri};
use axum::http::{Method, Version};
use axum::response::Response;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::net::reach::{Asker, leads_to};
use crate::net::site::{Site, is_loopback, origin_form};

/// How long another machine may take to answer a connection attempt, the look-up of its name included.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long a proxy may take to open a tunnel: it has such a limit too.
const TUNNEL_LIMIT: Duration = Duration::from_secs(60);

/// How many tunnels may be about to be opened by a proxy. In a circle through a proxy that leaves out `Via`, every turn
/// is one of them.
const TUNNELS_OPENING: usize = 200;

/// What becomes of hosts that are not emulated.
pub enum Outbound {
    /// They are refused with a text that says so.
    Offline,
    /// They are reached, through a proxy where the matcher names one.
    Online(Box<Matcher>),
}

/// What the way out knows of the port itself, so that no request goes round in a circle.
pub(super) struct Own {
    /// Where the port listens.
    pub address: SocketAddr,
    /// The name it gives itself in `Via`.
    name: String,
    opening: Semaphore,
}

impl Own {
    /// A port with a name that no other has.
    pub fn new(address: SocketAddr) -> Self {
        let name = format!("acrite-{:016x}", rand::random::<u64>());
        Self { address, name, opening: Semaphore::new(TUNNELS_OPENING) }
    }

    /// Whether a request has been here before (RFC 9110 7.6.3).
    pub fn has_seen(&self, headers: &HeaderMap) -> bool {
        let all = headers.get_all(VIA).iter().filter_map(|via| via.to_str().ok());
        all.flat_map(|via| via.split([',', ' '])).any(|word| word == self.name)
    }

    fn sign(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        headers.append(VIA, header(&format!("1.1 {}", self.name))?);
        Ok(())
    }
}

/// The way to a host.
enum Way {
    /// Straight, because the proxy that was named is this very port, or because there is none.
    Straight {
        proxy_is_own: bool,
    },
    Proxy(Proxy),
}

/// The user's own proxy, looked up.
struct Proxy {
    site: Site,
    addresses: Vec<SocketAddr>,
    credentials: Option<HeaderValue>,
}

impl Outbound {
    /// Reaches everything without a proxy.
    pub fn direct() -> Self {
        Self::Online(Box::new(Matcher::builder().build()))
    }

    /// Reaches the world as this process's own environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.
    pub fn from_environment() -> Self {
        Self::Online(Box::new(Matcher::from_env()))
    }

    /// Opens a byte stream to `site` for a `CONNECT` with these headers.
    pub(super) async fn tunnel(
        &self,
        site: &Site,
        asked: &HeaderMap,
        asker: Asker,
        own: &Own,
    ) -> Result<Box<dyn AsyncStream>, Refusal> {
        let site = site.or_port(443);
        let proxy = match self.way(Scheme::HTTPS, &site, asker, own).await? {
            Way::Straight { proxy_is_own } => return Ok(Box::new(dial(&site, asker, proxy_is_own).await?)),
            Way::Proxy(proxy) => proxy,
        };
        let refused = |error: String| unreachable(format!("the upstream proxy would not connect to {site}: {error}"));
        let opening = async {
            let full = || refused(format!("{TUNNELS_OPENING} others wait for it; maybe it leads back to this acrite"));
            let _place = own.opening.try_acquire().map_err(|_| full())?;
            let mut sender = client(dial_proxy(&proxy).await?).await?;
            let mut request = Request::new(Body::empty());
            *request.method_mut() = Method::CONNECT;
            *request.uri_mut() = site.to_string().parse().map_err(|_| refused("not a host and port".into()))?;
            request.headers_mut().insert(HOST, header(&site.to_string())?);
            for via in asked.get_all(VIA) {
                request.headers_mut().append(VIA, via.clone());
            }
            own.sign(request.headers_mut())?;
            identify(&proxy, request.headers_mut());
            let response = sender.send_request(request).await.map_err(|error| refused(error.to_string()))?;
            if !response.status().is_success() {
                return Err(refused(format!("it answered {}", response.status())));
            }
            hyper::upgrade::on(response).await.map_err(|error| refused(error.to_string()))
        };
        let late = || Err(refused(format!("no answer within {} s", TUNNEL_LIMIT.as_secs())));
        let upgraded = tokio::time::timeout(TUNNEL_LIMIT, opening).await.unwrap_or_else(|_| late())?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }

    /// Passes a plain HTTP request on, as a proxy does, and its answer back; both bodies stream.
    pub(super) async fn forward(
        &self,
        mut request: Request,
        site: &Site,
        asker: Asker,
        own: &Own,
    ) -> Result<Response, Refusal> {
        let way = self.way(Scheme::HTTP, &site.or_port(80), asker, own).await?;
        strip_hop_by_hop(request.headers_mut());
        request.headers_mut().insert(HOST, header(&site.to_string())?);
        *request.version_mut() = Version::HTTP_11;
        let site = site.or_port(80);
        let stream = match &way {
            Way::Proxy(proxy) => {
                // A proxy is told the whole URI, as we were.
                own.sign(request.headers_mut())?;
                identify(proxy, request.headers_mut());
                dial_proxy(proxy).await?
            }
            Way::Straight { proxy_is_own } => {
                *request.uri_mut() = origin_form(request.uri());
                dial(&site, asker, *proxy_is_own).await?
            }
        };
        let response = client(stream).await?.send_request(request).await;
        let mut response = response.map_err(|error| unreachable(format!("{site} did not answer: {error}")))?;
        strip_hop_by_hop(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// Opens a byte stream for a request of the emulator's own, made for `asker`. For clients of this machine, the
    /// machine itself is reached in any case. `tls`: HTTPS is going to be spoken; plain HTTP to other machines, which
    /// only webhooks speak, goes past the proxy.
    pub async fn reach(
        &self,
        host: &str,
        port: u16,
        tls: bool,
        asker: Asker,
        own: SocketAddr,
    ) -> Result<Box<dyn AsyncStream>, String> {
        let site = Site { host: host.to_ascii_lowercase(), port: Some(port) };
        // Where nobody else can come in, all that is asked was asked on this machine.
        let asker = if own.ip().is_loopback() { Asker::Here } else { asker };
        let opened = if is_loopback(&site.host) {
            dial(&site, asker, false).await.map(|stream| Box::new(stream) as Box<dyn AsyncStream>)
        } else if tls {
            self.tunnel(&site, &HeaderMap::new(), asker, &Own::new(own)).await
        } else {
            match self {
                Self::Offline => Err(offline(&site)),
                Self::Online(_) => {
                    dial(&site, asker, false).await.map(|stream| Box::new(stream) as Box<dyn AsyncStream>)
                }
            }
        };
        opened.map_err(|refusal| refusal.to_string())
    }

    async fn way(&self, scheme: Scheme, site: &Site, asker: Asker, own: &Own) -> Result<Way, Refusal> {
        let Self::Online(matcher) = self else { return Err(offline(site)) };
        if is_loopback(&site.host) {
            return Ok(Way::Straight { proxy_is_own: false });
        }
        let target = Uri::builder().scheme(scheme).authority(site.to_string()).path_and_query("/").build();
        let target = target.map_err(|_| unreachable(format!("{} is not a host name", site.host)))?;
        let Some(proxy) = matcher.intercept(&target) else { return Ok(Way::Straight { proxy_is_own: false }) };
        let credentials = proxy.basic_auth().cloned();
        let proxy = site_of_proxy(&proxy)?;
        let failed = |error| unreachable(format!("the upstream proxy {proxy} cannot be reached: {error}"));
        let addresses = resolve(&proxy).await.map_err(failed)?;
        // A shell that was pointed at an emulator and starts the next one on the same port names us as its proxy.
        if addresses.iter().any(|there| leads_to(*there, own.address)) {
            return Ok(Way::Straight { proxy_is_own: true });
        }
        // The proxy looks the name up itself, and may be on this machine: a name that leads here is not for it. One that
        // only the proxy knows leads elsewhere.
        if asker != Asker::Here
            && let Ok(there) = resolve(site).await
            && there.iter().any(|there| !asker.may_reach(there.ip()).unwrap_or(true))
        {
            return Err(Refusal::OwnOnly(site.host.clone()));
        }
        Ok(Way::Proxy(Proxy { site: proxy, addresses, credentials }))
    }
}

/// What a tunnel is made of.
pub trait AsyncStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> AsyncStream for T {}

/// Why another host is not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It cannot be.
    #[error("{0}")]
    Unreachable(String),
    /// Only clients on this machine are led there.
    #[error("{0} is the machine that acrite runs on, or on a network that only that machine reaches")]
    OwnOnly(String),
}

fn unreachable(why: String) -> Refusal {
    Refusal::Unreachable(why)
}

fn offline(site: &Site) -> Refusal {
    unreachable(format!(
        "{} is not emulated, and this acrite runs with --offline; start it without --offline to let such requests through",
        site.host
    ))
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", CONNECT_LIMIT.as_secs()));
    tokio::time::timeout(CONNECT_LIMIT, step).await.unwrap_or_else(|_| Err(late()))
}

async fn resolve(site: &Site) -> io::Result<Vec<SocketAddr>> {
    Ok(in_time(tokio::net::lookup_host((site.host.as_str(), site.port.unwrap_or(80)))).await?.collect())
}

/// Connects to a host, at those of its addresses that the asker may be led to. Names count by what they resolve to.
async fn dial(site: &Site, asker: Asker, proxy_is_own: bool) -> Result<TcpStream, Refusal> {
    let hint = if proxy_is_own { "; the proxy that its environment names is this acrite itself" } else { "" };
    let failed = |error: io::Error| unreachable(format!("{site} cannot be reached: {error}{hint}"));
    let mut no_way = None;
    let mut allowed = Vec::new();
    let all = resolve(site).await.map_err(failed)?;
    for there in all {
        match asker.may_reach(there.ip()) {
            Ok(true) => allowed.push(there),
            Ok(false) => {}
            Err(error) => no_way = Some(error),
        }
    }
    match (allowed.is_empty(), no_way) {
        (false, _) => connect(&allowed).await.map_err(failed),
        (true, Some(error)) => Err(failed(error)),
        (true, None) => Err(Refusal::OwnOnly(site.host.clone())),
    }
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = in_time(TcpStream::connect(addresses)).await?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Host and port of a proxy that can be used.
fn site_of_proxy(proxy: &Intercept) -> Result<Site, Refusal> {
    let uri = proxy.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => {
            let host = host.trim_matches(['[', ']']).to_owned();
            Ok(Site { host, port: Some(uri.port_u16().unwrap_or(80)) })
        }
        _ => Err(unreachable(format!(
            "the upstream proxy {uri} cannot be used: acrite speaks to http:// proxies only; see HTTPS_PROXY and HTTP_PROXY where acrite was started"
        ))),
    }
}

async fn dial_proxy(proxy: &Proxy) -> Result<TcpStream, Refusal> {
    let failed = |error| unreachable(format!("the upstream proxy {} cannot be reached: {error}", proxy.site));
    connect(&proxy.addresses).await.map_err(failed)
}

async fn client(stream: TcpStream) -> Result<http1::SendRequest<Body>, Refusal> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.to_string()))?;
    // Ends by itself: with the answer's body, or when a tunnel takes the stream over.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

fn identify(proxy: &Proxy, headers: &mut HeaderMap) {
    if let Some(credentials) = &proxy.credentials {
        headers.insert(PROXY_AUTHORIZATION, credentials.clone());
    }
}

fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| unreachable(format!("{text} is not a host name")))
}

/// Removes what concerns one connection only (RFC 9110 7.6.1). Framing is written anew for the next one.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_connection_do_not_travel() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("close, X-Private"));
        headers.insert("x-private", HeaderValue::from_static("1"));
        headers.insert("proxy-connection", HeaderValue::from_static("keep-alive"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[tokio::test]
    async fn our_own_address_is_never_our_proxy() {
        let own = Own::new(([127, 0, 0, 1], 4443).into());
        let everywhere = Own::new(([0, 0, 0, 0], 4443).into());
        for (proxy, ours) in [
            ("http://127.0.0.1:4443", true),
            ("http://localhost:4443", true),
            ("http://[::1]:4443", true),
            ("http://0.0.0.0:4443", true),
            ("http://127.0.0.1:4444", false),
            ("http://192.0.2.1:4443", false),
        ] {
            let outbound = Outbound::Online(Box::new(Matcher::builder().all(proxy).build()));
            let site = Site { host: "other.invalid".into(), port: Some(443) };
            for own in [&own, &everywhere] {
                let way = outbound.way(Scheme::HTTPS, &site, Asker::Here, own).await.unwrap();
                assert_eq!(matches!(way, Way::Straight { proxy_is_own: true }), ours, "{proxy}");
            }
        }
    }

    #[test]
    fn a_request_that_was_here_is_known_again() {
        let own = Own::new(([127, 0, 0, 1], 4443).into());
        let mut headers = HeaderMap::new();
        headers.insert(VIA, HeaderValue::from_static("1.1 acrite-0, 1.0 other (comment)"));
        assert!(!own.has_seen(&headers));
        own.sign(&mut headers).unwrap();
        assert!(own.has_seen(&headers));
        let other = Own::new(own.address);
        assert!(!other.has_seen(&headers), "another emulator on the way is no circle");
        // A proxy may write all of them into one line.
        let joined = headers.get_all(VIA).iter().map(|via| via.to_str().unwrap()).collect::<Vec<_>>().join(",");
        assert!(own.has_seen(&HeaderMap::from_iter([(VIA, joined.parse().unwrap())])));
    }
}
