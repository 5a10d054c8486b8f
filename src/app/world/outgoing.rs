//! The way out of the emulator, for requests of its own: what webhooks send, what is asked of other registries.
//! Must not know: sockets, TLS, proxies (see http::outgoing), what is sent and why.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// How long an answer that is read at once may take to come, however steadily it drips.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a request is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// To tell a webhook's target.
    Webhook,
    /// To copy from a registry elsewhere.
    Source,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Message {
    pub errand: Errand,
    pub method: &'static str,
    pub uri: String,
    pub headers: Vec<(String, String)>,
    /// The body, maybe empty.
    pub body: String,
    /// The address from which came who wants it sent: nobody is led where they could not go themselves. Unspecified
    /// where that is not known.
    pub asker: IpAddr,
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
    pub async fn whole(self, limit: usize) -> Result<Vec<u8>, String> {
        let (read, end) = self.beginning(limit + 1, PATIENCE).await;
        end?;
        if read.len() > limit { Err(format!("the answer is longer than {limit} bytes")) } else { Ok(read) }
    }

    /// The body's beginning as text: what comes before it breaks off, at most `limit` bytes.
    pub async fn text(self, limit: usize) -> String {
        String::from_utf8_lossy(&self.beginning(limit, PATIENCE).await.0).into_owned()
    }

    /// What comes of the body before its end, `limit` bytes, an error or the end of patience.
    async fn beginning(mut self, limit: usize, patience: Duration) -> (Vec<u8>, Result<(), String>) {
        let mut read = Vec::new();
        let reading = async {
            while let Some(part) = self.body.next().await {
                read.extend_from_slice(&part?);
                if read.len() >= limit {
                    break;
                }
            }
            Ok(())
        };
        let late = || Err(format!("the answer did not end within {} s", patience.as_secs()));
        let end = tokio::time::timeout(patience, reading).await.unwrap_or_else(|_| late());
        read.truncate(limit);
        (read, end)
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
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(parts: impl futures_util::Stream<Item = Result<Bytes, String>> + Send + 'static) -> Reply {
        Reply { status: 200, reason: String::new(), headers: Vec::new(), body: parts.boxed() }
    }

    #[tokio::test]
    async fn bodies_are_read_in_bounded_size_and_time() {
        use futures_util::stream;
        let parts = || stream::iter(["abc", "def"].map(|p| Ok(Bytes::from(p))));
        assert_eq!(reply(parts()).whole(6).await.unwrap(), b"abcdef");
        assert!(reply(parts()).whole(5).await.is_err());
        assert_eq!(reply(parts()).text(4).await, "abcd");
        let broken = parts().chain(stream::iter([Err("broken".to_owned())]));
        assert_eq!(reply(broken).text(100).await, "abcdef");
        // What never ends is left.
        let endless = reply(parts().chain(stream::pending()));
        let (read, end) = endless.beginning(100, Duration::from_millis(10)).await;
        assert_eq!((read.as_slice(), end.is_err()), (b"abcdef".as_slice(), true));
    }

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
