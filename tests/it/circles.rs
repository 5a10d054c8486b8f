//! Proxies that lead back to the port: what goes round in a circle ends, and soon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acrite::net::{self, Certificates, Config, Outbound, Services};
use hyper_util::client::proxy::matcher::Matcher;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A port on a listener that is there already, with a proxy for all it does not answer.
fn port_behind(listener: TcpListener, proxy: SocketAddr) -> TempDir {
    let folder = TempDir::new().unwrap();
    let config = Config {
        services: Services::new(|_, _| None),
        certificates: Certificates::open(folder.path()).unwrap(),
        outbound: Outbound::Online(Box::new(Matcher::builder().all(format!("http://{proxy}")).build())),
        token: None,
    };
    tokio::spawn(net::run(listener, config, std::future::pending()));
    folder
}

#[tokio::test]
async fn a_circle_of_proxies_ends_where_it_began() {
    let (one, other) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (at_one, at_other) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    let _folders = [port_behind(one, at_other), port_behind(other, at_one)];
    for request in [
        "CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: nowhere.invalid\r\n",
        "GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\n",
    ] {
        let mut stream = TcpStream::connect(at_one).await.unwrap();
        stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("the circle ends");
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        // A tunnel's refusal is passed on as a status, a request's answer whole.
        assert!(answer.contains("came back to acrite") || answer.contains("it answered 502"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_through_a_proxy_that_hides_it_ends_too() {
    let (port, proxy) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (at_port, at_proxy) = (port.local_addr().unwrap(), proxy.local_addr().unwrap());
    let _folder = port_behind(port, at_proxy);
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    // Passes each CONNECT on to the port, without its headers, and the answer back.
    tokio::spawn(async move {
        while let Ok((mut here, _)) = proxy.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(here.read_u8().await.unwrap());
                }
                let mut there = TcpStream::connect(at_port).await.unwrap();
                let line = head.split(|byte| *byte == b'\r').next().unwrap();
                there.write_all(&[line, b"\r\nHost: x\r\nConnection: close\r\n\r\n"].concat()).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    });
    let mut stream = TcpStream::connect(at_port).await.unwrap();
    stream.write_all(b"CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("the circle ends");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let turns = turns.load(Ordering::SeqCst);
    assert!(turns <= 200, "{turns}");
}
