//! The emulator's own requests: to hosts that it emulates by their front ends, to others over streams that somebody
//! else opens, by HTTP/1.1 and TLS.
//! Must not know: what is sent, and why; how a host is reached, and whether it may be.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::response::Parts;
use axum::http::{HeaderName, HeaderValue, Request, header};
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
use tower::ServiceExt as _;
use url::{Host, Position, Url};

use crate::app::App;
use crate::app::world::outgoing::{Message, Outgoing, Reply};
use crate::http::azure;

/// How long a target may take until its answer begins.
const LIMIT: Duration = Duration::from_secs(30);
/// How long it may then be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// What a request is sent over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Where a stream is to lead.
#[derive(Debug, Clone)]
pub struct Target {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    /// TLS is going to be spoken.
    pub tls: bool,
    /// From where came who wants it.
    pub asker: IpAddr,
}

/// Opens a stream.
pub type Dial = dyn Fn(Target) -> BoxFuture<'static, Result<Box<dyn Wire>, String>> + Send + Sync;

/// The way out.
#[must_use]
pub fn outgoing(dial: Arc<Dial>, app: &Arc<App>) -> Arc<dyn Outgoing> {
    Arc::new(Client { dial, app: Arc::downgrade(app), tls: OnceLock::new() })
}

struct Client {
    dial: Arc<Dial>,
    /// Weak, as the app holds its way out.
    app: Weak<App>,
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
        let url = Url::parse(&message.uri).map_err(|_| format!("{} is not an address", message.uri))?;
        let tls = url.scheme() == "https";
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(format!("{} names no host", message.uri)),
        };
        let port = url.port().unwrap_or(if tls { 443 } else { 80 });
        let asker = message.asker;
        let request = request(&url, message)?;
        if let Some(service) = self.app.upgrade().and_then(|app| azure(&host, &app)) {
            return match port {
                443 | 80 => inside(service, request, asker).await,
                _ => Err(format!("acrite emulates {host} on ports 443 and 80, not on {port}")),
            };
        }
        let stream = (self.dial)(Target { host: host.clone(), port, tls, asker }).await?;
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

fn request(url: &Url, message: Message) -> Result<Request<Body>, String> {
    let mut request = Request::builder().method(message.method).uri(&url[Position::BeforePath..Position::AfterQuery]);
    if let Some(headers) = request.headers_mut() {
        for (name, value) in &message.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        headers.insert(header::HOST, HeaderValue::try_from(authority).map_err(|e| e.to_string())?);
    }
    request.body(Body::from(message.body)).map_err(|e| e.to_string())
}

/// Asks a front end, as a client at the asker's address would.
async fn inside(service: Router, mut request: Request<Body>, asker: IpAddr) -> Result<Reply, String> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(asker, 0)));
    let (parts, body) = match service.oneshot(request).await {
        Ok(response) => response.into_parts(),
        Err(never) => match never {},
    };
    Ok(reply(parts, body.into_data_stream().map(|part| part.map_err(|e| e.to_string())).boxed()))
}

fn reply(parts: Parts, body: BoxStream<'static, Result<Bytes, String>>) -> Reply {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Reply {
        status: parts.status.as_u16(),
        reason: parts.status.canonical_reason().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
    }
}

async fn answer<S>(stream: S, request: Request<Body>) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // Ends by itself with the answer.
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
    Ok(reply(parts, arriving(body)))
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::http::StatusCode;
    use serde_json::{Value, json};

    use super::*;
    use crate::app::testbed::Bed;
    use crate::domain::world::well_known::{DEVELOPER_CLIENT_ID, DEVELOPER_SECRET, SUBSCRIPTION_ID, TENANT_ID};
    use crate::http::{IDENTITY_PATH, service_for_others};

    const HERE: [u8; 4] = [127, 0, 0, 1];
    const ELSEWHERE: [u8; 4] = [198, 51, 100, 7];

    /// An emulator whose way out reaches nobody, and notes whom it was asked for.
    async fn bed() -> (Bed, Arc<Mutex<Vec<Target>>>) {
        let bed = Bed::new().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let dial = move |target: Target| -> BoxFuture<'static, Result<Box<dyn Wire>, String>> {
            noted.lock().unwrap().push(target);
            async { Err("nobody is there".to_owned()) }.boxed()
        };
        bed.app.lead_out(outgoing(Arc::new(dial), &bed.app));
        (bed, asked)
    }

    /// A client at an address, signed in to resource management.
    struct At<'a> {
        bed: &'a Bed,
        address: [u8; 4],
    }

    impl At<'_> {
        async fn send(&self, method: &str, url: &str, token: &str, body: String) -> (StatusCode, Value) {
            let host = url.split('/').nth(2).unwrap();
            let mut request = Request::builder().method(method).uri(&url["https://".len() + host.len()..]);
            request = request.header("host", host).extension(ConnectInfo(SocketAddr::from((self.address, 1))));
            if !token.is_empty() {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let service = service_for_others(host, &self.bed.app).unwrap();
            let answer = service.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
            let status = answer.status();
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&bytes).unwrap_or_default())
        }

        async fn arm(&self, method: &str, path: &str, body: Value) -> Value {
            let form = format!(
                "grant_type=client_credentials&client_id={DEVELOPER_CLIENT_ID}&client_secret={DEVELOPER_SECRET}&scope=https://management.azure.com/.default"
            );
            let url = format!("https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token");
            let (_, signed_in) = self.send("POST", &url, "", form).await;
            let url = format!(
                "https://management.azure.com/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/g{path}?api-version=2025-11-01"
            );
            let token = signed_in["access_token"].as_str().unwrap();
            let (status, answer) = self.send(method, &url, token, body.to_string()).await;
            assert!(status.is_success(), "{method} {path}: {status} {answer}");
            answer
        }

        async fn hook(&self, uri: &str) {
            let body = json!({"location": "eastus", "properties": {"serviceUri": uri, "actions": ["push"]}});
            self.arm("PUT", &format!("{REGISTRY}/webhooks/hook01"), body).await;
        }

        /// What the webhook has sent, once it is `count` events.
        async fn events(&self, count: usize) -> Vec<Value> {
            let listed = async {
                loop {
                    let listed = self.arm("POST", &format!("{REGISTRY}/webhooks/hook01/listEvents"), Value::Null).await;
                    let listed = listed["value"].as_array().unwrap().clone();
                    if listed.len() == count {
                        return listed;
                    }
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), listed).await.unwrap()
        }
    }

    const REGISTRY: &str = "/providers/Microsoft.ContainerRegistry/registries/reg01";

    async fn registry(me: &At<'_>) {
        me.arm("PUT", "", json!({"location": "eastus"})).await;
        me.arm("PUT", REGISTRY, json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {}})).await;
    }

    #[tokio::test]
    async fn a_webhook_goes_where_who_set_it_may_go() {
        let (bed, asked) = bed().await;
        let (here, elsewhere) = (At { bed: &bed, address: HERE }, At { bed: &bed, address: ELSEWHERE });
        registry(&here).await;
        let ping = async |count| {
            elsewhere.arm("POST", &format!("{REGISTRY}/webhooks/hook01/ping"), Value::Null).await;
            here.events(count).await;
            asked.lock().unwrap().last().unwrap().asker
        };
        here.hook("http://localhost:7001/a").await;
        assert_eq!(ping(1).await, IpAddr::from(HERE));
        // Neither is shown with the webhook's settings.
        let config = elsewhere.arm("POST", &format!("{REGISTRY}/webhooks/hook01/getCallbackConfig"), Value::Null).await;
        assert_eq!(config, json!({"serviceUri": "http://localhost:7001/a"}));
        // Who changes the headers that go along, or the address, is who is asked about.
        let headers = json!({"properties": {"customHeaders": {"X-A": "b"}}});
        elsewhere.arm("PATCH", &format!("{REGISTRY}/webhooks/hook01"), headers).await;
        assert_eq!(ping(2).await, IpAddr::from(ELSEWHERE));
        here.hook("http://localhost:7001/a").await;
        assert_eq!(ping(3).await, IpAddr::from(HERE));
        elsewhere.hook("http://localhost:7001/a").await;
        assert_eq!(ping(4).await, IpAddr::from(ELSEWHERE));

        // What came back to this machine's own webhook is for its own callers.
        let mine = &here.events(4).await;
        let theirs = &elsewhere.events(4).await;
        for (event, shown) in mine.iter().zip(theirs).zip([true, false, true, false]) {
            let (mine, theirs) = event;
            assert!(mine.get("asker").is_none() && theirs.get("asker").is_none(), "{mine}");
            let content = |event: &Value| event["eventResponseMessage"]["content"].as_str().unwrap().to_owned();
            assert_eq!(content(mine), "nobody is there");
            assert_eq!(content(theirs).is_empty(), !shown, "{theirs}");
            assert_eq!(mine["eventRequestMessage"], theirs["eventRequestMessage"]);
        }
    }

    #[tokio::test]
    async fn imports_and_pulls_go_where_who_wants_them_may_go() {
        let (bed, asked) = bed().await;
        let (here, elsewhere) = (At { bed: &bed, address: HERE }, At { bed: &bed, address: ELSEWHERE });
        registry(&here).await;
        let rule = json!({"properties": {"sourceRepository": "localhost:5000/*", "targetRepository": "cached/*"}});
        here.arm("PUT", &format!("{REGISTRY}/cacheRules/rule1"), rule).await;
        here.arm("PATCH", REGISTRY, json!({"properties": {"anonymousPullEnabled": true}})).await;
        for client in [&here, &elsewhere] {
            let source = json!({"registryUri": "localhost:5000", "sourceImage": "app:v1"});
            client.arm("POST", &format!("{REGISTRY}/importImage"), json!({"source": source})).await;
            let (_, token) = client
                .send(
                    "GET",
                    "https://reg01.azurecr.io/oauth2/token?service=reg01.azurecr.io&scope=repository:cached/app:pull",
                    "",
                    String::new(),
                )
                .await;
            let token = token["access_token"].as_str().unwrap().to_owned();
            client.send("GET", "https://reg01.azurecr.io/v2/cached/app/manifests/v1", &token, String::new()).await;
        }
        let askers: Vec<IpAddr> = asked.lock().unwrap().iter().map(|target| target.asker).collect();
        assert_eq!(askers, [HERE, HERE, ELSEWHERE, ELSEWHERE].map(IpAddr::from));
    }

    #[tokio::test]
    async fn hosts_that_are_emulated_are_asked_here() {
        let (bed, asked) = bed().await;
        let me = At { bed: &bed, address: HERE };
        registry(&me).await;
        for (count, (uri, status)) in [
            ("https://reg01.azurecr.io/v2/_catalog", "405"),
            ("http://REG01.azurecr.io./none", "404"),
            ("https://management.azure.com/none", "401"),
            ("https://reg01.azurecr.io:8443/", "502"),
        ]
        .into_iter()
        .enumerate()
        {
            me.hook(uri).await;
            me.arm("POST", &format!("{REGISTRY}/webhooks/hook01/ping"), Value::Null).await;
            let answer = me.events(count + 1).await[0]["eventResponseMessage"].clone();
            assert_eq!(answer["statusCode"], status, "{uri}: {answer}");
        }
        assert!(asked.lock().unwrap().is_empty(), "nothing left the emulator");
    }

    #[tokio::test]
    async fn its_own_host_is_closed_to_others() {
        let (bed, _) = bed().await;
        let them = At { bed: &bed, address: ELSEWHERE };
        let paths = ["/", "/acrite/v1/health", "/acrite/v1/clock", "/acrite/v1/audit", "/none", IDENTITY_PATH];
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            for path in paths {
                for method in ["GET", "POST", "HEAD"] {
                    let (status, body) = them.send(method, &format!("https://{host}{path}"), "", String::new()).await;
                    assert_eq!(status, 401, "{method} {host}{path}");
                    assert_eq!(body["error"]["code"], "Unauthorized");
                }
            }
        }
    }
}
