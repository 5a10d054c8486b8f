//! Host names as HTTP writes them: parsing, comparing, and what counts as this machine.
//! Pure; must not know about sockets or services.

use std::fmt;
use std::net::IpAddr;

use axum::http::uri::{PathAndQuery, Uri};
use url::Host;

/// A host and, where one was written, a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Lower case, no trailing dot, IPv6 without brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl Site {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`, as browsers do: `127.1` is `127.0.0.1`. Anything else, user
    /// names and percent-encoding included, is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let (written, port) = match text[end..].find(':') {
            Some(colon) => text.split_at(end + colon),
            None => (text, ""),
        };
        let port = match port.strip_prefix(':') {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        // No name is longer (RFC 1035 2.3.4). `Host` decodes percent-encoding, which no client writes in a host.
        if written.len() > 255 || !written.is_ascii() || written.contains('%') {
            return None;
        }
        let host = match Host::parse(written.strip_suffix('.').unwrap_or(written)).ok()? {
            Host::Domain(name) => name,
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        };
        Some(Self { host, port })
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
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
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
        assert_eq!(Site::parse("127.1:80"), site("127.0.0.1", Some(80)));
        assert_eq!(Site::parse("2130706433"), site("127.0.0.1", None));
        assert_eq!(Site::parse("[0:0::1]"), site("::1", None));
        for bad in [
            "",
            ":443",
            "user@host",
            "localhost:80@evil.example",
            "host:99999",
            "host:x",
            "host:+1",
            "host:80:80",
            "a b",
            "host/path",
            "host?x",
            "host#x",
            ".",
            "[::1",
            "::1",
            "[::1]x",
            "[host]",
            "a%62c",
            "ho\tst",
            "hôst",
            "1.2.3.4.5",
        ] {
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
