//! One connection, from its first byte to its end: tells the three protocols apart, terminates TLS,
//! and finds for every request the router that answers it.
//! Must not know what routers do, nor how certificates are made.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use axum::http::uri::Scheme;
use axum::http::{Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::net::framing::without_forbidden_body;
use crate::net::outbound::Refusal;
use crate::net::pace::{PAUSE, Untaken, hurried};
use crate::net::reach::Asker;
use crate::net::site::{Site, is_loopback, origin_form, same_certificate};
use crate::net::{FIRST_WORD, GRACE, Server};

/// The first byte of every TLS connection: a record of type "handshake".
const TLS_HANDSHAKE: u8 = 0x16;

/// A client, and the way it came in.
struct Conversation {
    server: Arc<Server>,
    peer: SocketAddr,
    /// Who the client is by its address, or by the token it showed when it opened a tunnel.
    asker: Asker,
    /// The address of ours that it reached; stands for the host when it names none.
    reached: SocketAddr,
    way: Way,
}

/// The way a request came in decides whom it may ask for.
enum Way {
    /// Plain HTTP on the port itself: any emulated host, and anything else as a proxy.
    Plain,
    /// TLS on the port itself: any emulated host.
    Tls,
    /// Within a `CONNECT`: only the host that was connected to.
    Tunnel { host: String, router: Router },
}

/// Where a proxied request goes.
enum Destination {
    Here(Router),
    Elsewhere,
    Nowhere(String),
}

/// Serves one accepted connection to its end.
pub(super) async fn begin(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let Ok(reached) = stream.local_addr().map(plain) else { return };
    let Some((stream, first)) = server.in_time(first_byte(stream)).await else { return };
    let peer = plain(peer);
    let asker = Asker::at(peer.ip());
    let conversation = |way| Conversation { server: server.clone(), peer, asker, reached, way };
    if first == TLS_HANDSHAKE {
        let tls = server.config.certificates.tls_by_sni(reached.ip().to_string());
        let accepted = async { TlsAcceptor::from(tls).accept(stream).await.inspect_err(|e| distrusted(e, None, peer)) };
        if let Some(stream) = server.in_time(accepted).await {
            conversation(Way::Tls).serve(stream).await;
        }
    } else {
        conversation(Way::Plain).serve(stream).await;
    }
}

/// Says what to do about a client that leaves because it does not trust the certificate it is shown. It cannot say it
/// itself in words that lead here.
fn distrusted(error: &io::Error, host: Option<&str>, client: SocketAddr) {
    use AlertDescription::{BadCertificate, CertificateUnknown, UnknownCA, UnsupportedCertificate};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::AlertReceived(
        BadCertificate | CertificateUnknown | UnknownCA | UnsupportedCertificate,
    )) = tls
    {
        let host = host.unwrap_or("this port");
        tracing::warn!(
            %client,
            "a client does not trust the certificate of {host}: point its shell here with `eval \"$(acrite env)\"`, or \
             have it trust ca.pem of the data folder ($ACRITE_CA)"
        );
    }
}

/// An IPv4 address as such: a listener for IPv6 tells it as one of IPv6.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Waits for the first byte without consuming it.
async fn first_byte<S: AsyncRead + Unpin>(stream: S) -> io::Result<(BufReader<S>, u8)> {
    // The buffer is small so that larger reads pass it by once it is empty.
    let mut stream = BufReader::with_capacity(256, stream);
    match stream.fill_buf().await?.first() {
        Some(&first) => Ok((stream, first)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Server {
    /// One step of opening a connection: `None` if it failed, took too long, or a stop was asked for.
    async fn in_time<T>(&self, step: impl Future<Output = io::Result<T>>) -> Option<T> {
        tokio::select! {
            () = self.stopping() => None,
            done = tokio::time::timeout(FIRST_WORD, step) => match done {
                Ok(Ok(value)) => Some(value),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection ended before its first request");
                    None
                }
                Err(_) => None,
            },
        }
    }
}

impl Conversation {
    /// Answers HTTP/1 and HTTP/2 requests until the client leaves or a stop was asked for.
    /// Boxed because a conversation can hold another one, in a tunnel.
    fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Arc::new(self).requests(stream))
    }

    async fn requests(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let server = self.server.clone();
        let untaken = Untaken::new(PAUSE);
        let watch = untaken.clone();
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(watch.clone());
            let this = self.clone();
            async move {
                let method = request.method().clone();
                let answer = this.answer(request.map(Body::new)).await;
                // Whoever answers has decided that the client gets none: the connection or stream ends.
                if let Some(kind) = answer.extensions().get::<io::ErrorKind>() {
                    return Err(io::Error::from(*kind));
                }
                Ok(without_forbidden_body(&method, answer))
            }
        });
        let connection = server.http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = untaken.too_long() => {
                tracing::debug!("a client took nothing more of its answer");
                return;
            }
            () = server.stopping() => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(GRACE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(self: Arc<Self>, request: Request) -> Response {
        let asker = self.asker(&request);
        if request.method() == Method::CONNECT {
            return match self.way {
                Way::Plain => self.connect(request, asker).await,
                _ => text(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is answered on the plain port only"),
            };
        }
        let site = match self.asked(&request) {
            Ok(site) => site,
            Err(complaint) => return text(StatusCode::BAD_REQUEST, complaint),
        };
        let proxied = matches!(self.way, Way::Plain)
            && request.version() < Version::HTTP_2
            && request.uri().authority().is_some();
        if proxied {
            return self.proxy(request, site, asker).await;
        }
        let router = match &self.way {
            Way::Tunnel { host, .. } if !same_certificate(host, &site.host) => None,
            Way::Tunnel { router, .. } if asker == self.asker => Some(router.clone()),
            Way::Tunnel { .. } | Way::Plain | Way::Tls => self.service(&site.host, asker),
        };
        match router {
            Some(router) => self.hand_over(router, &site, request).await,
            None => text(StatusCode::MISDIRECTED_REQUEST, &format!("acrite does not answer for {} here", site.host)),
        }
    }

    /// Who asks: a client from elsewhere that shows the token counts as one of this machine.
    fn asker(&self, request: &Request) -> Asker {
        match (&self.server.config.token, self.asker) {
            (Some(token), Asker::At(_)) if token.is_shown_in(request.headers()) => Asker::Here,
            (_, asker) => asker,
        }
    }

    /// Who answers for a host. The address that the client reached is a name of the port itself.
    fn service(&self, host: &str, asker: Asker) -> Option<Router> {
        let services = &self.server.config.services;
        services.of(host, asker).or_else(|| self.is_reached(host).then(|| services.of("localhost", asker)).flatten())
    }

    fn is_reached(&self, host: &str) -> bool {
        host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical() == self.reached.ip())
    }

    /// The host a request is for: from an absolute URI (HTTP/2 always has one), else the Host header.
    fn asked(&self, request: &Request) -> Result<Site, &'static str> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let site = |host: &HeaderValue| host.to_str().ok().and_then(Site::parse);
        if let Some(authority) = request.uri().authority() {
            let asked = Site::parse(authority.as_str()).ok_or("the request names no valid host")?;
            // A proxy is asked by the URI alone (RFC 9112 3.2.2); in HTTP/2 the header may name no other (RFC 9113 8.3.1).
            let agrees = |host| site(host).is_some_and(|named| named.host == asked.host);
            if request.version() == Version::HTTP_2 && !hosts.all(agrees) {
                return Err("the Host header names another host than the request");
            }
            return Ok(asked);
        }
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => site(host).ok_or("the Host header is not a host name"),
            (None, _) if request.version() < Version::HTTP_11 => Ok(self.unnamed()),
            (None, _) => Err("the Host header is missing"),
            _ => Err("there is more than one Host header"),
        }
    }

    /// Whom a client means that speaks HTTP/1.0 and names nobody.
    fn unnamed(&self) -> Site {
        let host = match &self.way {
            Way::Tunnel { host, .. } => host.clone(),
            Way::Plain | Way::Tls => self.reached.ip().to_string(),
        };
        Site { host, port: None }
    }

    /// Lets `router` answer. It sees the path alone as the URI, the host as `Host`, and the client's address. Neither
    /// the request nor the answer may stand still for long.
    async fn hand_over(&self, mut router: Router, site: &Site, mut request: Request) -> Response {
        match HeaderValue::from_str(&site.to_string()) {
            Ok(host) => request.headers_mut().insert(HOST, host),
            Err(_) => return text(StatusCode::BAD_REQUEST, "the request names no valid host"),
        };
        *request.uri_mut() = origin_form(request.uri());
        // It was for us as a proxy.
        request.headers_mut().remove(PROXY_AUTHORIZATION);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let untaken = request.extensions_mut().remove::<Arc<Untaken>>();
        match router.call(request.map(|body| hurried(body, PAUSE))).await {
            Ok(response) => match untaken {
                Some(untaken) => response.map(|body| untaken.watched(body)),
                None => response,
            },
            Err(never) => match never {},
        }
    }

    /// `GET http://host/…`: answered here or passed on.
    async fn proxy(&self, request: Request, site: Site, asker: Asker) -> Response {
        let scheme = request.uri().scheme();
        // Some clients wrongly send https URIs this way instead of CONNECT. For emulated hosts that does no harm.
        let secure = scheme == Some(&Scheme::HTTPS);
        if !secure && scheme != Some(&Scheme::HTTP) {
            return text(StatusCode::BAD_REQUEST, "only http URIs are passed on");
        }
        let port = site.port.unwrap_or(if secure { 443 } else { 80 });
        match self.destination(&site.host, port, asker, &request) {
            Destination::Here(router) => self.hand_over(router, &site, request).await,
            Destination::Elsewhere if secure => {
                text(StatusCode::BAD_REQUEST, "use CONNECT for https hosts that are not emulated")
            }
            Destination::Elsewhere => {
                let sent = self.server.config.outbound.forward(request, &site, asker, &self.server.own).await;
                sent.unwrap_or_else(|refusal| refused(&refusal))
            }
            Destination::Nowhere(why) => refused(&Refusal::Unreachable(why)),
        }
    }

    /// `CONNECT host:port`: the tunnel ends here or goes on elsewhere.
    async fn connect(self: Arc<Self>, mut request: Request, asker: Asker) -> Response {
        let site = request.uri().authority().and_then(|authority| Site::parse(authority.as_str()));
        let Some((site, port)) = site.and_then(|site| site.port.map(|port| (site, port))) else {
            return text(StatusCode::BAD_REQUEST, "CONNECT needs a host and a port");
        };
        let upgrade = hyper::upgrade::on(&mut request);
        match self.destination(&site.host, port, asker, &request) {
            Destination::Here(router) => {
                tokio::spawn(self.inside(upgrade, asker, Way::Tunnel { host: site.host, router }));
            }
            Destination::Elsewhere => {
                let outbound = &self.server.config.outbound;
                let opened = outbound.tunnel(&site, request.headers(), asker, &self.server.own).await;
                let mut there = match opened {
                    Ok(there) => there,
                    Err(refusal) => return refused(&refusal),
                };
                tokio::spawn(async move {
                    let Ok(here) = upgrade.await else { return };
                    let mut here = TokioIo::new(here);
                    // Not our requests: they are not waited for when we stop.
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional_with_sizes(&mut here, &mut there, 32 * 1024, 32 * 1024) => {}
                        () = self.server.stopping() => {}
                    }
                });
            }
            Destination::Nowhere(why) => return refused(&Refusal::Unreachable(why)),
        }
        StatusCode::OK.into_response()
    }

    /// What follows a `CONNECT` to an emulated host: TLS, or plain HTTP (port 80).
    async fn inside(self: Arc<Self>, upgrade: hyper::upgrade::OnUpgrade, asker: Asker, way: Way) {
        let server = self.server.clone();
        let opening = async { first_byte(TokioIo::new(upgrade.await.map_err(io::Error::other)?)).await };
        let Some((stream, first)) = server.in_time(opening).await else { return };
        let (peer, reached) = (self.peer, self.reached);
        let Way::Tunnel { host, .. } = &way else { return };
        if first == TLS_HANDSHAKE {
            let tls = server.config.certificates.tls_for(host.clone());
            let accepted =
                async { TlsAcceptor::from(tls).accept(stream).await.inspect_err(|e| distrusted(e, Some(host), peer)) };
            if let Some(stream) = server.in_time(accepted).await {
                Conversation { server, peer, asker, reached, way }.serve(stream).await;
            }
        } else {
            Conversation { server, peer, asker, reached, way }.serve(stream).await;
        }
    }

    fn destination(&self, host: &str, port: u16, asker: Asker, request: &Request) -> Destination {
        let own = &self.server.own;
        let here = if is_loopback(host) || self.is_reached(host) {
            // This machine has other servers too; only our own port is ours.
            (port == own.address.port()).then(|| self.service(host, asker)).flatten()
        } else {
            match self.server.config.services.of(host, asker) {
                Some(router) if port == 443 || port == 80 => Some(router),
                // Never let a name that we stand for slip through to the real one.
                Some(_) => {
                    return Destination::Nowhere(format!("acrite emulates {host} on ports 443 and 80, not on {port}"));
                }
                None => None,
            }
        };
        match here {
            Some(router) => Destination::Here(router),
            None if own.has_seen(request.headers()) => Destination::Nowhere(format!(
                "the request for {host} came back to acrite: the proxy that HTTPS_PROXY or HTTP_PROXY names where acrite was started leads to acrite itself"
            )),
            None => Destination::Elsewhere,
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    tracing::info!("{refusal}");
    match refusal {
        Refusal::Unreachable(why) => text(StatusCode::BAD_GATEWAY, why),
        Refusal::OwnOnly(_) => {
            let hint = format!(
                "{refusal}; clients of other machines are led there only with the token that acrite printed at its start, as the password for this proxy"
            );
            let mut answer = text(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &hint);
            answer.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"acrite\""));
            answer
        }
    }
}

fn text(status: StatusCode, message: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("acrite: {message}\n")).into_response()
}
