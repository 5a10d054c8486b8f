//! Clients from elsewhere, and what they are led to. A test can come from loopback only, so the address that a
//! connection seems to come from is made up here; everything else is real.

#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

const TOKEN: &str = "an-instance-token";
/// `:TOKEN` in base64.
const BASIC: &str = "Basic OmFuLWluc3RhbmNlLXRva2Vu";
const ELSEWHERE: &str = "198.51.100.7";

/// A port whose connections all come from `peer`. Its own name tells who asks.
struct Port {
    address: SocketAddr,
    certificates: Certificates,
    _folder: TempDir,
}

async fn port(peer: &str, outbound: Outbound) -> Port {
    let folder = TempDir::new().unwrap();
    let certificates = Certificates::open(folder.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let services = Services::new(|host, asker| {
        let tell = move || async move { if asker == Asker::Here { "for its own" } else { "for others" } };
        (host == "localhost").then(|| Router::new().fallback(tell))
    });
    let token = Token::new(TOKEN.to_owned());
    let config = Config { services, certificates: certificates.clone(), outbound, token };
    let (stop, stopped) = watch::channel(());
    let server = Arc::new(Server { own: Own::new(address), config, http: http_settings(), stopped });
    let peer = SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 50_000);
    tokio::spawn(async move {
        let _running = stop;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(conversation::begin(server.clone(), stream, peer));
        }
    });
    Port { address, certificates, _folder: folder }
}

/// A server of this machine that is nobody else's, and how many have connected to it.
async fn private_service() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connected = Arc::new(AtomicUsize::new(0));
    let count = connected.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecret").await;
        }
    });
    (port, connected)
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Sends one request and reads all that comes.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

impl Port {
    async fn ask(&self, request: &str) -> String {
        ask(&mut TcpStream::connect(self.address).await.unwrap(), request).await
    }

    /// `GET http://TARGET/` and, through a tunnel, the same: both answers.
    async fn both_ways(&self, target: &str, header: &str) -> [String; 2] {
        let forwarded = self.ask(&format!("GET http://{target}/ HTTP/1.1\r\nHost: {target}{header}")).await;
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}{header}\r\n\r\n");
        stream.write_all(connect.as_bytes()).await.unwrap();
        let mut tunnelled = read_head(&mut stream).await;
        if tunnelled.starts_with("HTTP/1.1 200") {
            tunnelled = ask(&mut stream, &format!("GET / HTTP/1.1\r\nHost: {target}")).await;
        }
        [forwarded, tunnelled]
    }
}

#[tokio::test]
async fn what_is_this_machines_own_is_for_its_own_clients() {
    let (private, connected) = private_service().await;
    let here = port("127.0.0.1", Outbound::direct()).await;
    let elsewhere = port(ELSEWHERE, Outbound::direct()).await;
    let shown = format!("\r\nProxy-Authorization: {BASIC}");
    for host in
        ["127.0.0.1", "localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        let target = format!("{host}:{private}");
        let before = connected.load(Ordering::SeqCst);
        for header in ["", "\r\nProxy-Authorization: Basic Ondyb25n", "\r\nX-Forwarded-For: 127.0.0.1"] {
            for answer in elsewhere.both_ways(&target, header).await {
                assert!(answer.starts_with("HTTP/1.1 407"), "{target}: {answer}");
                assert!(!answer.contains("secret"), "{target}: {answer}");
            }
        }
        assert_eq!(connected.load(Ordering::SeqCst), before, "{target}: not even a connection");
        for (port, header) in [(&elsewhere, shown.as_str()), (&here, "")] {
            for answer in port.both_ways(&target, header).await {
                assert!(answer.ends_with("secret"), "{target}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_on_this_machine_is_no_way_round() {
    let (private, connected) = private_service().await;
    let upstream = port("127.0.0.1", Outbound::direct()).await;
    let matcher = Matcher::builder().all(format!("http://{}", upstream.address)).build();
    let elsewhere = port(ELSEWHERE, Outbound::Online(Box::new(matcher))).await;
    for host in ["127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.1.1"] {
        for answer in elsewhere.both_ways(&format!("{host}:{private}"), "").await {
            assert!(answer.starts_with("HTTP/1.1 407"), "{host}: {answer}");
        }
    }
    assert_eq!(connected.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_ports_own_name_tells_its_own_clients_from_others() {
    let here = port("::ffff:127.0.0.1", Outbound::Offline).await;
    let elsewhere = port(ELSEWHERE, Outbound::Offline).await;
    let bearer = format!("\r\nAuthorization: Bearer {TOKEN}");
    let basic = format!("\r\nAuthorization: {BASIC}");
    let reached = elsewhere.address;
    for host in ["localhost", "localhost:1", "127.0.0.1", &reached.to_string()] {
        let ask = |port, header| async move {
            let port: &Port = port;
            port.ask(&format!("GET / HTTP/1.1\r\nHost: {host}{header}")).await
        };
        assert!(ask(&here, "").await.ends_with("for its own"), "{host}");
        for header in ["", "\r\nAuthorization: Bearer wrong", "\r\nAuthorization: Bearer"] {
            assert!(ask(&elsewhere, header).await.ends_with("for others"), "{host} {header}");
        }
        for header in [&bearer, &basic] {
            assert!(ask(&elsewhere, header).await.ends_with("for its own"), "{host} {header}");
        }
    }
    // A name that leads here is not a name of ours, whoever asks by it.
    for port in [&here, &elsewhere] {
        for host in ["evil.example", "localhost.evil.example", "10.9.8.7", "127.0.0.1.nip.example"] {
            let answer = port.ask(&format!("GET / HTTP/1.1\r\nHost: {host}{bearer}")).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
        }
        for host in ["localhost:80@evil.example", "evil.example@localhost", "localhost#", "localhost/", "a%6c"] {
            let answer = port.ask(&format!("GET / HTTP/1.1\r\nHost: {host}{bearer}")).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{host}: {answer}");
        }
    }
}

#[tokio::test]
async fn tunnels_and_tls_are_no_way_round_either() {
    let elsewhere = port(ELSEWHERE, Outbound::Offline).await;
    let target = format!("localhost:{}", elsewhere.address.port());
    let said = async |header: &str| {
        let [forwarded, tunnelled] = elsewhere.both_ways(&target, header).await;
        assert_eq!(forwarded.lines().last(), tunnelled.lines().last());
        tunnelled.lines().last().unwrap().to_owned()
    };
    assert_eq!(said("").await, "for others");
    assert_eq!(said(&format!("\r\nProxy-Authorization: {BASIC}")).await, "for its own");

    for (header, tells) in [("", "for others"), (&*format!("\r\nAuthorization: Bearer {TOKEN}"), "for its own")] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost{header}");
        let mut straight = tls(&elsewhere, TcpStream::connect(elsewhere.address).await.unwrap()).await;
        assert!(ask(&mut straight, &request).await.ends_with(tells));
        let mut stream = TcpStream::connect(elsewhere.address).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
        // Within the tunnel, the token may be shown too.
        assert!(ask(&mut tls(&elsewhere, stream).await, &request).await.ends_with(tells));
    }
}

async fn tls(port: &Port, stream: TcpStream) -> impl AsyncRead + AsyncWrite + Unpin {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(port.certificates.authority_der().clone()).unwrap();
    let settings = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(settings)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn own_requests_are_led_where_their_asker_may_go() {
    let (private, connected) = private_service().await;
    let outbound = Outbound::Offline;
    let anywhere: SocketAddr = "0.0.0.0:4443".parse().unwrap();
    let loopback: SocketAddr = "127.0.0.1:4443".parse().unwrap();
    let reach = async |asker: &str, own| {
        let asker = Asker::at(asker.parse().unwrap());
        outbound.reach("localhost", private, false, asker, own).await.map(drop)
    };
    for unknown in [ELSEWHERE, "0.0.0.0", "::"] {
        assert!(reach(unknown, anywhere).await.unwrap_err().contains("the machine that acrite runs on"));
    }
    assert_eq!(connected.load(Ordering::SeqCst), 0);
    reach("127.0.0.1", anywhere).await.unwrap();
    // Where nobody else can come in, the asker is not looked at.
    reach(ELSEWHERE, loopback).await.unwrap();
}

#[tokio::test]
async fn a_request_of_http_2_names_one_host() {
    let here = port("127.0.0.1", Outbound::Offline).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    for (host, status) in [("localhost", 200), ("localhost:1", 200), ("evil.example", 400), ("localhost@evil", 400)] {
        let url = format!("http://localhost:{}/", here.address.port());
        let answer = client.get(url).header("host", host).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
}
