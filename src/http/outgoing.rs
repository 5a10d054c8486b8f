//! The emulator's own requests to others: what webhooks send.
//! Must not know: what is sent, and why.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::app::webhooks::{Message, Outgoing, Reply};

/// How long a target may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer's body that are kept.
const BODY: usize = 64 * 1024;

/// The way out. With `offline` it leads only to this machine.
#[must_use]
pub fn outgoing(offline: bool) -> Arc<dyn Outgoing> {
    Arc::new(Client { offline })
}

struct Client {
    offline: bool,
}

impl Outgoing for Client {
    fn post(&self, message: Message) -> BoxFuture<'_, Result<Reply, String>> {
        async move {
            match tokio::time::timeout(LIMIT, send(self.offline, message)).await {
                Ok(answered) => answered,
                Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
            }
        }
        .boxed()
    }
}

async fn send(offline: bool, message: Message) -> Result<Reply, String> {
    let uri: Uri = message.uri.parse().map_err(|_| format!("{} is not an address", message.uri))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if offline && !here {
        return Err(format!("{host} is not this machine, and this acrite runs with --offline"));
    }
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|e| format!("{host}:{port}: {e}"))?;
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::builder().method(Method::POST).uri(path);
    if let Some(headers) = request.headers_mut() {
        for (name, value) in &message.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        let authority = uri.authority().map_or("", |a| a.as_str());
        let authority = authority.rsplit('@').next().unwrap_or_default();
        headers.insert(header::HOST, HeaderValue::try_from(authority).map_err(|e| e.to_string())?);
    }
    let request = request.body(Body::from(message.body)).map_err(|e| e.to_string())?;
    if !tls {
        return exchange(stream, request).await;
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host).map_err(|e| e.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
    exchange(stream, request).await
}

async fn exchange<S>(stream: S, request: Request<Body>) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // Ends by itself with the answer.
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
    let body = Limited::new(body, BODY).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Reply {
        status: parts.status.as_u16(),
        reason: parts.status.canonical_reason().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
