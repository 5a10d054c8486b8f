//! The one port, through real sockets: proxy, direct TLS, plain HTTP, and the way out.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acrite::net;
use acrite::net::Certificates;
use acrite::net::Config;
use acrite::net::Outbound;
use acrite::net::Services;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Uri, Version};
use axum::routing::{get, post};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, Client, ClientBuilder, Proxy, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const VAULT: &str = "kv.vault.azure.net";
const REGISTRY: &str = "reg.azurecr.io";

/// A port that answers for the names given, with `/` telling what the router saw.
struct Port {
    addr: SocketAddr,
    certificates: Certificates,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
    folder: TempDir,
}

async fn port(hosts: &'static [&'static str], outbound: Outbound) -> Port {
    let folder = TempDir::new().unwrap();
    let certificates = Certificates::open(folder.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let services = Services::new(move |host, _| hosts.contains(&host).then(|| echo(host.to_owned())));
    let (stop, stopped) = oneshot::channel();
    let config = Config { services, certificates: certificates.clone(), outbound, token: None };
    let running = tokio::spawn(net::run(listener, config, async { drop(stopped.await) }));
    Port { addr, certificates, stop: Some(stop), running, folder }
}

/// Tells by which name the router was found and what reached it.
fn echo(name: String) -> Router {
    let tell = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, uri: Uri, version: Version, headers: HeaderMap| async move {
        let host = headers.get("host").map(|host| host.to_str().unwrap().to_owned());
        format!("{name} {uri} {version:?} host={} peer={}", host.unwrap_or_default(), peer.ip())
    };
    Router::new()
        .route("/", get(tell.clone()))
        .route("/path", get(tell))
        .route(
            "/size",
            post(async |body: Body| {
                use http_body_util::BodyExt;
                let mut body = body;
                let mut size = 0;
                while let Some(frame) = body.frame().await {
                    size += frame.unwrap().into_data().unwrap_or_else(|_| Bytes::new()).len();
                }
                size.to_string()
            }),
        )
        .route(
            "/slow",
            get(async || {
                // The slowness is what is tested: a request that is under way when the stop comes.
                tokio::time::sleep(Duration::from_millis(400)).await;
                "done"
            }),
        )
        .route("/headers", get(async |request: Request| format!("{:?}", request.headers())))
        .layer(axum::extract::DefaultBodyLimit::disable())
}

impl Port {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Trusts this port's authority and nothing else, and uses no proxy.
    fn client(&self) -> ClientBuilder {
        let authority = Certificate::from_pem(self.certificates.authority_pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([authority]).no_proxy().timeout(Duration::from_secs(20))
    }

    /// The same, through `proxy`.
    fn client_through(&self, proxy: &Port) -> ClientBuilder {
        self.client().proxy(Proxy::all(proxy.url("")).unwrap())
    }

    /// Sends bytes, reads until the other side closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await.expect("closed in time");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn tls(&self, stream: TcpStream, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificates.authority_der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }

    /// A tunnel to `target`, open and silent.
    async fn connect(&self, target: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        stream
    }
}

#[tokio::test]
async fn a_tunnel_to_an_emulated_host_ends_here_in_both_versions_of_http() {
    let port = port(&[VAULT], Outbound::Offline).await;
    let http2 = port.client_through(&port).build().unwrap();
    let http1 = port.client_through(&port).http1_only().build().unwrap();
    for (client, version) in [(http2, "HTTP/2.0"), (http1, "HTTP/1.1")] {
        let answer = client.get(format!("https://{VAULT}/path?a=b%20c")).send().await.unwrap();
        assert_eq!(
            answer.text().await.unwrap(),
            format!("{VAULT} /path?a=b%20c {version} host={VAULT} peer=127.0.0.1"),
        );
    }
}

#[tokio::test]
async fn a_tunnel_may_carry_plain_http() {
    let port = port(&[VAULT], Outbound::Offline).await;
    let mut stream = port.connect(&format!("{VAULT}:80")).await;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {VAULT}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("{VAULT} / ")), "{answer}");
}

#[tokio::test]
async fn old_clients_connect_with_http_1_0() {
    let port = port(&[VAULT], Outbound::Offline).await;
    let mut stream = TcpStream::connect(port.addr).await.unwrap();
    stream.write_all(format!("CONNECT {VAULT}:443 HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&head));
    let mut tls = port.tls(stream, VAULT).await.unwrap();
    tls.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("host={VAULT}")), "{answer}");
}

#[tokio::test]
async fn within_a_tunnel_only_its_own_host_answers() {
    let port = port(&[VAULT, REGISTRY], Outbound::Offline).await;
    let stream = port.connect(&format!("{VAULT}:443")).await;
    let mut tls = port.tls(stream, VAULT).await.unwrap();
    tls.write_all(format!("GET / HTTP/1.1\r\nHost: {REGISTRY}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");

    // Whatever SNI says, the certificate is the tunnel's.
    let stream = port.connect(&format!("{VAULT}:443")).await;
    assert!(port.tls(stream, REGISTRY).await.is_err());
}

#[tokio::test]
async fn emulated_names_never_slip_through_on_other_ports() {
    let port = port(&[VAULT], Outbound::direct()).await;
    let answer =
        port.raw(format!("CONNECT {VAULT}:8443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("ports 443 and 80"), "{answer}");
}

#[tokio::test]
async fn direct_tls_answers_by_name() {
    let port = port(&[VAULT, REGISTRY], Outbound::Offline).await;
    let client = port.client().resolve(VAULT, port.addr).resolve(REGISTRY, port.addr).build().unwrap();
    for host in [VAULT, REGISTRY] {
        let answer = client.get(format!("https://{host}:{}/", port.addr.port())).send().await.unwrap();
        let seen = answer.text().await.unwrap();
        assert!(seen.starts_with(&format!("{host} / HTTP/2.0 host={host}:")), "{seen}");
    }
    let unknown = port.client().resolve("example.org", port.addr).build().unwrap();
    let answer = unknown.get(format!("https://example.org:{}/", port.addr.port())).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn direct_tls_by_address_shows_a_certificate_for_it() {
    let port = port(&["127.0.0.1"], Outbound::Offline).await;
    let answer = port.client().build().unwrap().get(format!("https://{}/", port.addr)).send().await.unwrap();
    assert!(answer.text().await.unwrap().starts_with("127.0.0.1 / "));
}

#[tokio::test]
async fn plain_http_answers_for_local_and_emulated_names() {
    let port = port(&["127.0.0.1", "localhost", VAULT], Outbound::Offline).await;
    let client = port.client().resolve(VAULT, port.addr).build().unwrap();
    for host in ["127.0.0.1", "localhost", VAULT] {
        let answer = client.get(format!("http://{host}:{}/", port.addr.port())).send().await.unwrap();
        assert!(answer.text().await.unwrap().starts_with(&format!("{host} / HTTP/1.1")));
    }
    let answer = port.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let answer = port.raw(b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains("127.0.0.1 / HTTP/1.0 host=127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn instance_metadata_is_answered_as_a_proxy_is_asked_for_it() {
    let port = port(&["169.254.169.254"], Outbound::Offline).await;
    let client = port.client_through(&port).build().unwrap();
    let answer = client.get("http://169.254.169.254/path?x=1").send().await.unwrap();
    assert!(answer.text().await.unwrap().starts_with("169.254.169.254 /path?x=1 HTTP/1.1 host=169.254.169.254 "));
}

#[tokio::test]
async fn other_hosts_are_tunnelled_untouched() {
    let foreign = port(&["127.0.0.1"], Outbound::Offline).await;
    let port = port(&["127.0.0.1", VAULT], Outbound::direct()).await;
    // Trusts the foreign authority alone: were the tunnel opened on the way, this would fail.
    let client = foreign.client_through(&port).build().unwrap();
    let answer = client.get(format!("https://{}/path", foreign.addr)).send().await.unwrap();
    assert!(answer.text().await.unwrap().starts_with("127.0.0.1 /path HTTP/2.0"));
}

#[tokio::test]
async fn other_hosts_are_forwarded_in_plain_without_what_concerns_one_connection() {
    let foreign = port(&["127.0.0.1"], Outbound::Offline).await;
    let port = port(&[VAULT], Outbound::direct()).await;
    let client = port.client_through(&port).build().unwrap();
    let answer = client
        .get(foreign.url("/headers"))
        .header("proxy-authorization", "Basic c2VjcmV0")
        .header("x-kept", "1")
        .send()
        .await
        .unwrap();
    let headers = answer.text().await.unwrap();
    assert!(headers.contains("x-kept") && !headers.contains("proxy-authorization"), "{headers}");
    assert!(headers.contains(&format!("\"host\": \"{}\"", foreign.addr)), "{headers}");

    let sent = client.post(foreign.url("/size")).body(vec![7; 3_000_000]).send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), "3000000");
}

#[tokio::test]
async fn offline_refuses_other_hosts_and_says_what_to_do() {
    let port = port(&[VAULT], Outbound::Offline).await;
    for request in [
        "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n",
        "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n",
    ] {
        let answer = port.raw(format!("{request}Connection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        assert!(answer.contains("example.org is not emulated") && answer.contains("--offline"), "{answer}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_a_502() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let port = port(&[VAULT], Outbound::direct()).await;
    let client = port.client_through(&port).build().unwrap();
    let answer = client.get(format!("http://{closed}/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().contains("cannot be reached"));
}

#[tokio::test]
async fn the_upstream_proxy_is_used_for_other_hosts_only() {
    // The upstream "reaches" these names by emulating them under its own authority.
    let upstream = port(&["foreign.example", "skipped.example"], Outbound::Offline).await;
    let matcher = Matcher::builder().all(upstream.url("")).no("skipped.example").build();
    let port = port(&[VAULT], Outbound::Online(Box::new(matcher))).await;

    let through = upstream.client_through(&port).build().unwrap();
    for url in ["https://foreign.example/path", "http://foreign.example/path"] {
        let answer = through.get(url).send().await.unwrap();
        assert!(answer.text().await.unwrap().starts_with("foreign.example /path "), "{url}");
    }
    assert!(through.get("https://skipped.example/").send().await.is_err());

    let own = port.client_through(&port).build().unwrap();
    assert!(own.get(format!("https://{VAULT}/")).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn the_upstream_proxy_is_told_who_we_are() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:secret@{}", upstream.local_addr().unwrap());
    let port = port(&[], Outbound::Online(Box::new(Matcher::builder().all(url).build()))).await;
    let asked = tokio::spawn(async move {
        let mut stream = upstream.accept().await.unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });
    let answer = port.raw(b"CONNECT foreign.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("403"), "{answer}");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("connect foreign.example:443 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("proxy-authorization: basic dxnlcjpzzwnyzxq="), "{asked}");
}

#[tokio::test]
async fn an_upstream_proxy_that_is_this_very_port_is_ignored() {
    let foreign = port(&["127.0.0.1"], Outbound::Offline).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let config = Config {
        services: Services::new(|_, _| None),
        certificates: Certificates::open(folder.path()).unwrap(),
        outbound: Outbound::Online(Box::new(Matcher::builder().all(format!("http://{addr}")).build())),
        token: None,
    };
    tokio::spawn(net::run(listener, config, std::future::pending()));
    let client = foreign.client().proxy(Proxy::all(format!("http://{addr}")).unwrap()).build().unwrap();
    let answer = client.get(foreign.url("/path")).send().await.unwrap();
    assert!(answer.status().is_success());
    // A name that leads nowhere ends with an error and not in a circle.
    let answer = client.get("http://nowhere.invalid/").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn bad_bytes_are_refused_and_harm_nobody() {
    let port = port(&["127.0.0.1"], Outbound::Offline).await;
    for garbage in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"CONNECT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"CONNECT host HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"GET ftp://127.0.0.1:9/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: user@127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80@evil.example\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    ] {
        let answer = port.raw(garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{} -> {answer}", String::from_utf8_lossy(garbage));
    }
    // What looks like TLS cannot be told so in HTTP; it is closed.
    for garbage in [
        &b"\x16\x03\x01\x00\x05hello-and-more-than-that"[..],
        &[0x16; 6000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame",
    ] {
        let mut stream = TcpStream::connect(port.addr).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{}", String::from_utf8_lossy(garbage));
    }
    // Without its end, so that the refusal is not lost in the reset that unread bytes cause.
    let huge = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nx-big: {}", "a".repeat(66_000));
    assert!(port.raw(huge.as_bytes()).await.starts_with("HTTP/1.1 431"));
    assert!(port.client().build().unwrap().get(port.url("/")).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_connection_survives_a_refusal() {
    let port = port(&["127.0.0.1"], Outbound::Offline).await;
    let two = b"GET / HTTP/1.1\r\nHost: other\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let answers = port.raw(two).await;
    assert!(answers.starts_with("HTTP/1.1 421") && answers.contains("HTTP/1.1 200"), "{answers}");
}

#[tokio::test]
async fn large_bodies_stream_in_both_versions() {
    let port = port(&[VAULT], Outbound::Offline).await;
    for builder in [port.client_through(&port), port.client_through(&port).http1_only()] {
        let body = vec![1u8; 20 * 1024 * 1024];
        let url = format!("https://{VAULT}/size");
        let answer = builder.build().unwrap().post(url).body(body).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), (20 * 1024 * 1024).to_string());
    }
}

#[tokio::test]
async fn each_name_has_its_own_real_leaf() {
    let port = port(&[VAULT, REGISTRY], Outbound::Offline).await;
    let mut leaves = Vec::new();
    for name in [VAULT, REGISTRY, VAULT] {
        let tls = port.tls(port.connect(&format!("{name}:443")).await, name).await.unwrap();
        leaves.push(tls.get_ref().1.peer_certificates().unwrap()[0].clone());
    }
    assert_eq!(leaves[0], leaves[2], "minted once");
    let (_, authority) = x509_parser::parse_x509_certificate(port.certificates.authority_der()).unwrap();
    let (_, vault) = x509_parser::parse_x509_certificate(&leaves[0]).unwrap();
    let (_, registry) = x509_parser::parse_x509_certificate(&leaves[1]).unwrap();

    assert!(authority.is_ca() && authority.basic_constraints().unwrap().unwrap().critical);
    assert!(authority.key_usage().unwrap().unwrap().value.key_cert_sign());
    assert!(!vault.is_ca());
    assert!(vault.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert_eq!(vault.issuer(), authority.subject());
    assert_ne!(vault.serial, registry.serial);
    let names = |leaf: &x509_parser::certificate::X509Certificate<'_>| {
        format!("{:?}", leaf.subject_alternative_name().unwrap().unwrap().value.general_names)
    };
    assert!(names(&vault).contains(VAULT) && !names(&vault).contains(REGISTRY));
    assert!(names(&registry).contains(REGISTRY));
    let days = (vault.validity().not_after.timestamp() - vault.validity().not_before.timestamp()) / 86_400;
    assert_eq!(days, 30);

    use x509_parser::extensions::ParsedExtension;
    let issuer_key = vault.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    });
    let own_key = |certificate: &x509_parser::certificate::X509Certificate<'_>| {
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    };
    assert!(issuer_key.is_some() && issuer_key == own_key(&authority));
    assert!(own_key(&vault).is_some());
}

#[tokio::test]
async fn the_authority_is_kept_and_its_key_is_private() {
    let port = port(&[VAULT], Outbound::Offline).await;
    let mode = |name| fs::metadata(port.folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("ca.key"), 0o600);
    assert_eq!(fs::read_dir(port.folder.path()).unwrap().count(), 2, "nothing else is left behind");

    let again = Certificates::open(port.folder.path()).unwrap();
    assert_eq!(again.authority_pem(), port.certificates.authority_pem());

    // A pair that does not belong together, as a crash may leave it, is replaced.
    let other = TempDir::new().unwrap();
    Certificates::open(other.path()).unwrap();
    fs::copy(other.path().join("ca.key"), port.folder.path().join("ca.key")).unwrap();
    let replaced = Certificates::open(port.folder.path()).unwrap();
    assert_ne!(replaced.authority_pem(), port.certificates.authority_pem());

    fs::write(port.folder.path().join("ca.key"), "nonsense").unwrap();
    let error = Certificates::open(port.folder.path()).err().unwrap().to_string();
    assert!(error.contains("delete ca.pem and ca.key"), "{error}");
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish_and_waits_for_nobody_else() {
    let mut port = port(&["127.0.0.1", VAULT], Outbound::direct()).await;
    let silent = TcpStream::connect(port.addr).await.unwrap();
    let tunnel = port.connect(&format!("{VAULT}:443")).await;
    let client = port.client().build().unwrap();
    let idle = client.get(port.url("/")).send().await.unwrap();
    let slow = tokio::spawn(client.get(port.url("/slow")).send());
    // Gives the slow request time to arrive; too little would make the test fail, not pass.
    tokio::time::sleep(Duration::from_millis(100)).await;

    let began = Instant::now();
    port.stop.take().unwrap().send(()).unwrap();
    (&mut port.running).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert!(TcpStream::connect(port.addr).await.is_err());
    drop((silent, tunnel, idle));
}
