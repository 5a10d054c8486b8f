//! Host names as HTTP writes them: parsing, comparing, and what counts as this machine.
//! Pure; must not know about sockets or services.

use std::fmt;
use std::net::IpAddr;

use axum::http::uri::{Authority, PathAndQuery, Uri};

/// A host and, where one was written, a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Lower case, no trailing dot, IPv6 without brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl Site {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`. Anything else, user names included, is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let written = authority.host();
        // `Authority` is lenient: it takes `user@host`, and drops a port that is out of range.
        let port = match authority.as_str().strip_prefix(written)? {
            "" | ":" => None,
            rest => Some(rest.strip_prefix(':')?.parse().ok()?),
        };
        let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
        let host = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// The same with a port, whether one was written or not.
    pub fn or_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port: self.port.or(Some(port)) }
    }
}

/// As it is written in a URI or a Host header.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether `host` can only mean the machine it is looked up on.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a certificate for `a` is also one for `b`.
pub(super) fn same_certificate(a: &str, b: &str) -> bool {
    a == b || (is_loopback(a) && is_loopback(b))
}

/// The path and query of a URI alone, as an origin server is asked.
pub(super) fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_http_writes_them() {
        let site = |host: &str, port| Some(Site { host: host.into(), port });
        assert_eq!(Site::parse("Kv.Vault.Azure.Net"), site("kv.vault.azure.net", None));
        assert_eq!(Site::parse("kv.vault.azure.net.:443"), site("kv.vault.azure.net", Some(443)));
        assert_eq!(Site::parse("[::1]:4443"), site("::1", Some(4443)));
        assert_eq!(Site::parse("[::1]"), site("::1", None));
        assert_eq!(Site::parse("host:"), site("host", None));
        for bad in ["", ":443", "user@host", "host:99999", "host:x", "a b", "host/path", "."] {
            assert_eq!(Site::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback_names_share_a_certificate_and_others_do_not() {
        assert!(same_certificate("localhost", "127.0.0.1"));
        assert!(same_certificate("::1", "localhost"));
        assert!(!same_certificate("a.azurecr.io", "b.azurecr.io"));
        assert!(!same_certificate("localhost", "a.azurecr.io"));
    }
}
