//! The way to hosts that are not emulated: refused, direct, or through the user's own proxy.
//! Must not know which hosts are emulated; it is asked only about the others.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use axum::http::uri::{Scheme, Uri};
use axum::http::{Method, Version};
use axum::response::Response;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::net::site::{Site, is_loopback, origin_form};

/// How long another machine may take to answer a connection attempt.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// What becomes of hosts that are not emulated.
pub enum Outbound {
    /// They are refused with a text that says so.
    Offline,
    /// They are reached, through a proxy where the matcher names one.
    Online(Box<Matcher>),
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

    /// Opens a byte stream to `site` for a `CONNECT`.
    pub(super) async fn tunnel(&self, site: &Site, own: SocketAddr) -> Result<Box<dyn AsyncStream>, Refusal> {
        let authority = site.or_port(443).to_string();
        let Some(proxy) = self.proxy_for(Scheme::HTTPS, site, 443, own)? else {
            return Ok(Box::new(dial(&authority).await?));
        };
        let refused = |error: String| Refusal(format!("the upstream proxy would not connect to {authority}: {error}"));
        let mut sender = client(dial_proxy(&proxy).await?).await?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = authority.parse().map_err(|_| refused("not a host and port".into()))?;
        request.headers_mut().insert(HOST, header(&authority)?);
        identify(&proxy, request.headers_mut());
        let response = sender.send_request(request).await.map_err(|error| refused(error.to_string()))?;
        if !response.status().is_success() {
            return Err(refused(format!("it answered {}", response.status())));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| refused(error.to_string()))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }

    /// Passes a plain HTTP request on, as a proxy does, and its answer back; both bodies stream.
    pub(super) async fn forward(
        &self,
        mut request: Request,
        site: &Site,
        own: SocketAddr,
    ) -> Result<Response, Refusal> {
        let proxy = self.proxy_for(Scheme::HTTP, site, 80, own)?;
        let authority = site.or_port(80).to_string();
        strip_hop_by_hop(request.headers_mut());
        request.headers_mut().insert(HOST, header(&site.to_string())?);
        *request.version_mut() = Version::HTTP_11;
        let stream = match &proxy {
            Some(proxy) => {
                // A proxy is told the whole URI, as we were.
                identify(proxy, request.headers_mut());
                dial_proxy(proxy).await?
            }
            None => {
                *request.uri_mut() = origin_form(request.uri());
                dial(&authority).await?
            }
        };
        let response = client(stream).await?.send_request(request).await;
        let mut response = response.map_err(|error| Refusal(format!("{authority} did not answer: {error}")))?;
        strip_hop_by_hop(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// Opens a byte stream for a request of the emulator's own. This machine is reached in any case. `tls`: HTTPS
    /// is going to be spoken; plain HTTP to other machines, which only webhooks speak, goes past the proxy.
    pub async fn reach(
        &self,
        host: &str,
        port: u16,
        tls: bool,
        own: SocketAddr,
    ) -> Result<Box<dyn AsyncStream>, String> {
        let site = Site { host: host.to_ascii_lowercase(), port: Some(port) };
        let opened = if is_loopback(&site.host) {
            dial(&site.to_string()).await.map(|stream| Box::new(stream) as Box<dyn AsyncStream>)
        } else if tls {
            self.tunnel(&site, own).await
        } else {
            match self.proxy_for(Scheme::HTTP, &site, port, own) {
                Ok(_) => dial(&site.to_string()).await.map(|stream| Box::new(stream) as Box<dyn AsyncStream>),
                Err(refusal) => Err(refusal),
            }
        };
        opened.map_err(|Refusal(why)| why)
    }

    fn proxy_for(&self, scheme: Scheme, site: &Site, port: u16, own: SocketAddr) -> Result<Option<Intercept>, Refusal> {
        let Self::Online(matcher) = self else {
            return Err(Refusal(format!(
                "{} is not emulated, and this acrite runs with --offline; start it without --offline to let such requests through",
                site.host
            )));
        };
        if is_loopback(&site.host) {
            return Ok(None);
        }
        let target =
            Uri::builder().scheme(scheme).authority(site.or_port(port).to_string()).path_and_query("/").build();
        let target = target.map_err(|_| Refusal(format!("{} is not a host name", site.host)))?;
        // A shell that was pointed at an emulator and starts the next one on the same port names us as its proxy.
        Ok(matcher.intercept(&target).filter(|proxy| !is_own(proxy.uri(), own)))
    }
}

/// What a tunnel is made of.
pub trait AsyncStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> AsyncStream for T {}

/// Why another host could not be reached; becomes the text of a 502.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub String);

fn is_own(proxy: &Uri, own: SocketAddr) -> bool {
    let host = proxy.host().unwrap_or_default().trim_matches(['[', ']']);
    let same_host = is_loopback(host) || host.parse().is_ok_and(|ip: std::net::IpAddr| ip == own.ip());
    same_host && proxy.port_u16().unwrap_or(80) == own.port()
}

async fn dial(authority: &str) -> Result<TcpStream, Refusal> {
    let refused = |why: String| Refusal(format!("{authority} cannot be reached: {why}"));
    let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(authority))
        .await
        .map_err(|_| refused(format!("no answer within {} s", CONNECT_LIMIT.as_secs())))?
        .map_err(|error| refused(error.to_string()))?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn dial_proxy(proxy: &Intercept) -> Result<TcpStream, Refusal> {
    let uri = proxy.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => dial(&format!("{host}:{}", uri.port_u16().unwrap_or(80)))
            .await
            .map_err(|Refusal(why)| Refusal(format!("the upstream proxy {why}"))),
        _ => Err(Refusal(format!(
            "the upstream proxy {uri} cannot be used: acrite speaks to http:// proxies only; see HTTPS_PROXY and HTTP_PROXY where acrite was started"
        ))),
    }
}

async fn client(stream: TcpStream) -> Result<http1::SendRequest<Body>, Refusal> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Refusal(error.to_string()))?;
    // Ends by itself: with the answer's body, or when a tunnel takes the stream over.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

fn identify(proxy: &Intercept, headers: &mut HeaderMap) {
    if let Some(credentials) = proxy.basic_auth() {
        headers.insert(PROXY_AUTHORIZATION, credentials.clone());
    }
}

fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| Refusal(format!("{text} is not a host name")))
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

    #[test]
    fn our_own_address_is_never_our_proxy() {
        let own: SocketAddr = ([127, 0, 0, 1], 4443).into();
        for (proxy, ours) in [
            ("http://127.0.0.1:4443", true),
            ("http://localhost:4443", true),
            ("http://[::1]:4443", true),
            ("http://127.0.0.1:4444", false),
            ("http://proxy.example:4443", false),
        ] {
            assert_eq!(is_own(&proxy.parse().unwrap(), own), ours, "{proxy}");
        }
    }
}
