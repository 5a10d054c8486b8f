//! The way out of the emulator, for requests of its own: what webhooks send, what is asked of other registries.
//! Must not know: sockets, TLS, proxies (see http::outgoing), what is sent and why.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// What is sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// The method.
    pub method: &'static str,
    /// Where to.
    pub uri: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body, maybe empty.
    pub body: String,
}

/// What comes back.
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Its words.
    pub reason: String,
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as it arrives. An error is a text about a body that broke off.
    pub body: BoxStream<'static, Result<Bytes, String>>,
}

impl Reply {
    /// The first header of a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The whole body, of at most `limit` bytes.
    pub async fn whole(mut self, limit: usize) -> Result<Vec<u8>, String> {
        let mut whole = Vec::new();
        while let Some(part) = self.body.next().await {
            whole.extend_from_slice(&part?);
            if whole.len() > limit {
                return Err(format!("the answer is longer than {limit} bytes"));
            }
        }
        Ok(whole)
    }

    /// The body's beginning as text; empty where it breaks off before.
    pub async fn text(mut self, limit: usize) -> String {
        let mut text = Vec::new();
        while let Some(Ok(part)) = self.body.next().await {
            text.extend_from_slice(&part);
            if text.len() >= limit {
                text.truncate(limit);
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Sends requests.
pub trait Outgoing: Send + Sync + std::fmt::Debug {
    /// Sends one, follows nothing. An error is a text about a target that did not answer.
    fn send(&self, message: Message) -> BoxFuture<'_, Result<Reply, String>>;
}

/// Whether a host, maybe with a port, can only mean this machine.
#[must_use]
pub fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_by_its_names() {
        for here in ["localhost", "localhost:5000", "127.0.0.1:80", "127.1.2.3", "[::1]:5000"] {
            assert!(is_this_machine(here), "{here}");
        }
        for elsewhere in ["localhost.example", "10.0.0.1:80", "[::2]", "docker.io", ""] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
