//! A registry elsewhere, for the emulator to pull from: small, on this machine, keeps a record of what it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::{MANIFEST, digest};

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What it wants to see.
#[derive(Clone)]
pub enum Demand {
    Nothing,
    /// A token, which anybody gets.
    AnyToken,
    /// A token, which a user and password get.
    Token(&'static str, &'static str),
    /// A user and password.
    Basic(&'static str, &'static str),
}

/// By repository and reference: media type and bytes.
type Manifests = HashMap<(String, String), (&'static str, Vec<u8>)>;

/// Which blobs do not come yet.
#[derive(PartialEq)]
enum Held {
    None,
    All,
    One(String),
}

struct Inner {
    host: String,
    demand: Mutex<Demand>,
    manifests: Mutex<Manifests>,
    blobs: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
    breaks: Mutex<bool>,
    held: tokio::sync::watch::Sender<Held>,
    /// A status for every request.
    refusal: Mutex<Option<u16>>,
}

pub struct Upstream {
    /// Host and port, as a cache rule names it.
    pub host: String,
    inner: Arc<Inner>,
    serving: Mutex<JoinHandle<()>>,
}

fn serve(listener: TcpListener, inner: &Arc<Inner>) -> JoinHandle<()> {
    let router = axum::Router::new().fallback(answer).with_state(inner.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

impl Upstream {
    pub async fn new(demand: Demand) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Inner {
            host: host.clone(),
            demand: Mutex::new(demand),
            manifests: Mutex::default(),
            blobs: Mutex::default(),
            asked: Mutex::default(),
            breaks: Mutex::default(),
            held: tokio::sync::watch::Sender::new(Held::None),
            refusal: Mutex::default(),
        });
        let serving = Mutex::new(serve(listener, &inner));
        Self { host, inner, serving }
    }

    /// Nobody answers any more.
    pub async fn stop(&self) {
        let serving = {
            let serving = self.serving.lock().unwrap();
            serving.abort();
            serving.abort_handle()
        };
        while !serving.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// At the same place again.
    pub async fn start(&self) {
        let listener = TcpListener::bind(&self.host).await.unwrap();
        *self.serving.lock().unwrap() = serve(listener, &self.inner);
    }

    pub fn refuse(&self, status: Option<u16>) {
        *self.inner.refusal.lock().unwrap() = status;
    }

    /// What it was asked since the last time, tokens aside; once what was asked again for a challenge.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self.all_asked();
        asked.dedup();
        asked
    }

    /// The same, each time that it was asked.
    pub fn all_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.asked.lock().unwrap())
    }

    /// Blobs break off in their middle.
    pub fn break_off(&self, break_off: bool) {
        *self.inner.breaks.lock().unwrap() = break_off;
    }

    /// Blobs do not come until they are let go.
    pub fn hold(&self, hold: bool) {
        self.inner.held.send_replace(if hold { Held::All } else { Held::None });
    }

    /// One blob does not come until it is let go.
    pub fn hold_one(&self, digest: &str) {
        self.inner.held.send_replace(Held::One(digest.to_owned()));
    }

    /// Waits until something is asked whose record ends so. Returns all that was asked since the last time.
    pub async fn waits_for(&self, end: &str) -> Vec<String> {
        let mut all = Vec::new();
        while !all.iter().any(|a: &String| a.ends_with(end)) {
            all.extend(self.all_asked());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        all
    }

    /// The same registry as `registry.example`, over TLS and only through a proxy. Returns the proxy's address, the
    /// certificate to trust, and where the proxy was asked to connect to.
    pub async fn behind_a_proxy(&self) -> (String, String, Arc<Mutex<Vec<String>>>) {
        let made = rcgen::generate_simple_self_signed(["registry.example".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (inner, heard) = (self.inner.clone(), asked.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                heard.lock().unwrap().push(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned());
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let (tls, router) = (tls.clone(), axum::Router::new().fallback(answer).with_state(inner.clone()));
                tokio::spawn(async move {
                    // Who does not trust the certificate hangs up.
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = hyper_util::service::TowerToHyperService::new(router);
                    let served = hyper::server::conn::http1::Builder::new();
                    let _ = served.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (proxy, made.cert.pem(), asked)
    }

    pub fn put_blob(&self, bytes: &[u8]) -> String {
        self.inner.blobs.lock().unwrap().insert(digest(bytes), bytes.to_vec());
        digest(bytes)
    }

    /// Gives other bytes for a digest than it should.
    pub fn spoil(&self, digest: &str) {
        self.inner.blobs.lock().unwrap().insert(digest.to_owned(), b"something else".to_vec());
    }

    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &'static str, bytes: &[u8]) {
        let mut manifests = self.inner.manifests.lock().unwrap();
        for reference in [tag.to_owned(), digest(bytes)] {
            manifests.insert((repository.to_owned(), reference), (media_type, bytes.to_vec()));
        }
    }

    /// An image of one layer. Returns its manifest.
    pub fn put_image(&self, repository: &str, tag: &str, architecture: &str, layer: &[u8]) -> Vec<u8> {
        self.put_layers(repository, tag, architecture, &[layer])
    }

    /// An image. Returns its manifest.
    pub fn put_layers(&self, repository: &str, tag: &str, architecture: &str, layers: &[&[u8]]) -> Vec<u8> {
        let config = json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.put_blob(&config), "size": config.len()},
            "layers": layers.iter().map(|layer| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": self.put_blob(layer), "size": layer.len()})).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        self.put_manifest(repository, tag, MANIFEST, &manifest);
        manifest
    }

    /// An index of manifests. Returns it.
    pub fn put_index(&self, repository: &str, tag: &str, manifests: &[(&str, &[u8])]) -> Vec<u8> {
        let listed = manifests.iter().map(|(architecture, manifest)| {
            json!({"mediaType": MANIFEST, "digest": digest(manifest), "size": manifest.len(), "platform": {"os": "linux", "architecture": architecture}})
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed.collect::<Vec<_>>()});
        let index = index.to_string().into_bytes();
        self.put_manifest(repository, tag, INDEX, &index);
        index
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", acrite::domain::world::crypto::base64(format!("{user}:{password}").as_bytes()))
}

fn unauthorized(challenge: String) -> Response {
    let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "show yourself"}]}).to_string();
    (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], body).into_response()
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let shown = request.headers().get("authorization").map(|h| h.to_str().unwrap().to_owned());
    let demand = inner.demand.lock().unwrap().clone();
    if path == "/token" {
        let query = request.uri().query().unwrap_or_default();
        assert!(query.contains("scope=repository%3A") && query.contains("service=upstream"), "{query}");
        return match demand {
            Demand::Token(user, password) if shown != Some(basic(user, password)) => {
                (StatusCode::UNAUTHORIZED, "who are you?").into_response()
            }
            _ => json!({"token": "let-me-in"}).to_string().into_response(),
        };
    }
    if let Some(digest) = path.strip_prefix("/elsewhere/") {
        // What a registry's storage says to a header that is meant for another.
        if shown.is_some() {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let free = |held: &Held| *held == Held::None || matches!(held, Held::One(other) if other != digest);
        inner.held.subscribe().wait_for(free).await.unwrap();
        let blob = inner.blobs.lock().unwrap()[digest].clone();
        if *inner.breaks.lock().unwrap() {
            let half = blob[..blob.len() / 2].to_vec();
            let parts = [Ok(half), Err(std::io::Error::other("broken off"))];
            let body = Body::from_stream(futures_util::stream::iter(parts));
            return ([("content-length", blob.len().to_string())], body).into_response();
        }
        return blob.into_response();
    }
    inner.asked.lock().unwrap().push(format!("{} {path}", request.method()));
    if let Some(status) = *inner.refusal.lock().unwrap() {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    match demand {
        Demand::AnyToken | Demand::Token(..) if shown.as_deref() != Some("Bearer let-me-in") => {
            let scope = path.trim_start_matches("/v2/").rsplitn(3, '/').nth(2).unwrap();
            let realm = format!("http://{}/token", inner.host);
            return unauthorized(format!(
                r#"Bearer realm="{realm}",service="upstream",scope="repository:{scope}:pull,push""#
            ));
        }
        Demand::Basic(user, password) if shown != Some(basic(user, password)) => {
            return unauthorized(r#"Basic realm="upstream""#.to_owned());
        }
        _ => {}
    }
    let mut parts = path.trim_start_matches("/v2/").rsplitn(3, '/');
    let (reference, kind, repository) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    if kind == "manifests" {
        let found = inner.manifests.lock().unwrap().get(&(repository.to_owned(), reference.to_owned())).cloned();
        let Some((media_type, bytes)) = found else { return StatusCode::NOT_FOUND.into_response() };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media_type.parse().unwrap());
        headers.insert("docker-content-digest", digest(&bytes).parse().unwrap());
        let body = if request.method() == Method::HEAD { Body::empty() } else { Body::from(bytes) };
        return (headers, body).into_response();
    }
    // Blobs lie elsewhere, as they do in the great registries: another host by its name.
    if !inner.blobs.lock().unwrap().contains_key(reference) {
        return StatusCode::NOT_FOUND.into_response();
    }
    // By TLS, plain HTTP would be refused: a relative address.
    let elsewhere = match request.headers().get("host").unwrap().to_str().unwrap() {
        "registry.example" => format!("/elsewhere/{reference}"),
        _ => format!("http://{}/elsewhere/{reference}", inner.host.replace("127.0.0.1", "localhost")),
    };
    (StatusCode::TEMPORARY_REDIRECT, [("location", elsewhere)]).into_response()
}
