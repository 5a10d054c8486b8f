//! The emulator's own requests to others, over streams that somebody else opens: HTTP/1.1 and TLS.
//! Must not know: what is sent, and why; how a host is reached, and whether it may be.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Uri, header};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::app::world::outgoing::{Message, Outgoing, Reply};

/// How long a target may take until its answer begins.
const LIMIT: Duration = Duration::from_secs(30);
/// How long it may then be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// What a request is sent over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Opens a stream to a host and port; `true`: TLS is going to be spoken over it.
pub type Dial = dyn Fn(String, u16, bool) -> BoxFuture<'static, Result<Box<dyn Wire>, String>> + Send + Sync;

/// The way out.
#[must_use]
pub fn outgoing(dial: Arc<Dial>) -> Arc<dyn Outgoing> {
    Arc::new(Client { dial, tls: OnceLock::new() })
}

struct Client {
    dial: Arc<Dial>,
    /// Made when it is first needed: reading this machine's authorities takes a while.
    tls: OnceLock<Arc<rustls::ClientConfig>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Outgoing for Client {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<Reply, String>> {
        async move {
            match tokio::time::timeout(LIMIT, self.exchange(message)).await {
                Ok(answered) => answered,
                Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
            }
        }
        .boxed()
    }
}

impl Client {
    async fn exchange(&self, message: Message) -> Result<Reply, String> {
        let uri: Uri = message.uri.parse().map_err(|_| format!("{} is not an address", message.uri))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let request = request(&uri, message)?;
        let stream = (self.dial)(host.clone(), port, tls).await?;
        if !tls {
            return answer(stream, request).await;
        }
        let name = ServerName::try_from(host.clone()).map_err(|e| e.to_string())?;
        let stream = TlsConnector::from(self.tls()).connect(name, stream).await;
        answer(stream.map_err(|e| format!("{host}: {e}"))?, request).await
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        let make = || {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        };
        self.tls.get_or_init(make).clone()
    }
}

fn request(uri: &Uri, message: Message) -> Result<Request<Body>, String> {
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::builder().method(message.method).uri(path);
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
    request.body(Body::from(message.body)).map_err(|e| e.to_string())
}

async fn answer<S>(stream: S, request: Request<Body>) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // Ends by itself with the answer.
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Reply {
        status: parts.status.as_u16(),
        reason: parts.status.canonical_reason().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: arriving(body),
    })
}

/// A body part by part; silence ends it.
fn arriving(body: Incoming) -> BoxStream<'static, Result<Bytes, String>> {
    let next = |body: Option<Incoming>| async move {
        let mut body = body?;
        match tokio::time::timeout(SILENCE, body.frame()).await {
            Err(_) => Some((Err(format!("nothing came for {} s", SILENCE.as_secs())), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Ok(Some(Ok(frame))) => Some((Ok(frame.into_data().unwrap_or_default()), Some(body))),
        }
    };
    stream::unfold(Some(body), next).boxed()
}
