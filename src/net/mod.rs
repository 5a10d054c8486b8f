//! The one port: a proxy, direct TLS and plain HTTP on a single listener.
//! Owns sockets, certificates and the way to hosts that are not emulated.
//! Must not know which services exist, what they answer, or where anything is stored:
//! it asks [`Services`] for a router and hands the request over.

mod certificates;
mod conversation;
mod framing;
mod outbound;
mod pace;
mod reach;
mod site;
#[cfg(test)]
mod tests;
mod token;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::watch;

use outbound::Own;

pub use certificates::{CertificateError, Certificates};
pub use outbound::{AsyncStream, Outbound};
pub use reach::Asker;
pub use token::Token;

/// How long a client may stay silent before its first byte, and how long a TLS handshake may take.
const FIRST_WORD: Duration = Duration::from_secs(30);
/// How long a request head may take, idle keep-alive time included. Longer than the 90 s for which
/// Go keeps idle connections, so that no client writes into a connection that is being closed.
const REQUEST_HEAD: Duration = Duration::from_secs(120);
/// How long running requests may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// The most a request head may measure; beyond it the answer is 431.
const HEAD_LIMIT: usize = 64 * 1024;
/// HTTP/2 flow control: wide enough for loopback to stay busy, and a bound on what one upload may park in memory.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// Tells which router answers for a host: given a lower-cased name without port (an IPv6 address
/// without brackets) and whom it would answer, the router, or `None` if that host is not emulated.
/// The port itself is `localhost`.
#[derive(Clone)]
pub struct Services(Arc<Lookup>);

type Lookup = dyn Fn(&str, Asker) -> Option<Router> + Send + Sync;

impl Services {
    /// Wraps the lookup.
    pub fn new(lookup: impl Fn(&str, Asker) -> Option<Router> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    fn of(&self, host: &str, asker: Asker) -> Option<Router> {
        (self.0)(host, asker)
    }
}

/// What the port serves and how it reaches the rest of the world.
pub struct Config {
    /// Who answers for which host.
    pub services: Services,
    /// The authority and the certificates it mints.
    pub certificates: Certificates,
    /// What becomes of hosts that are not emulated.
    pub outbound: Outbound,
    /// What a client of another machine may show to count as one of this machine.
    pub token: Option<Token>,
}

/// Serves `listener` until `shutdown` completes, then lets running requests finish for a few seconds.
pub async fn run(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let (stop, stopped) = watch::channel(());
    let own = Own::new(listener.local_addr()?);
    let server = Arc::new(Server { own, config, http: http_settings(), stopped });

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(conversation::begin(server.clone(), stream, peer));
            }
            // Out of file descriptors, or a client that hung up before it was accepted. Neither ends
            // the server; the pause keeps the first from becoming a busy loop.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    // Every connection holds the server, and with it a receiver: when the last one is gone, so are they.
    drop(listener);
    drop(server);
    let _ = stop.send(());
    if tokio::time::timeout(GRACE + Duration::from_secs(1), stop.closed()).await.is_err() {
        tracing::warn!("some requests were still running and were cut off");
    }
    Ok(())
}

/// What all connections share.
struct Server {
    config: Config,
    own: Own,
    http: auto::Builder<TokioExecutor>,
    stopped: watch::Receiver<()>,
}

impl Server {
    /// Completes when a stop was asked for.
    async fn stopping(&self) {
        // An error means that the sender is gone, and with it the accept loop: a stop as well.
        let _ = self.stopped.clone().changed().await;
    }
}

fn http_settings() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD)
        .max_buf_size(HEAD_LIMIT)
        // As Azure writes them: scripts look for `Www-Authenticate` and `Link` by their case [docs].
        .title_case_headers(true)
        // A client that closes its side after the request still waits for the answer.
        .half_close(true);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LIMIT as u32)
        .max_frame_size(64 * 1024)
        .adaptive_window(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http
}
