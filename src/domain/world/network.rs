//! Addresses and ranges of them: read here alone, for firewalls and for templates.
//! Must not know: whose rule it is, what a refusal says.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// A range in CIDR notation: `192.0.2.0/24`, `2001:db8::/32`.
#[must_use]
pub fn range(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

/// What a firewall's rule names: an IPv4 address or a range of them. Neither vaults nor registries take IPv6 [docs, spec].
#[must_use]
pub fn rule(text: &str) -> Option<Ipv4Net> {
    text.parse().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))
}

/// Whether a firewall's rule names an address. A rule that cannot be read names none.
#[must_use]
pub fn names(text: &str, address: IpAddr) -> bool {
    // The loopback address of IPv6 is this machine, as 127.0.0.1 is.
    let address = match address.to_canonical() {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(v6) if v6.is_loopback() => Ipv4Addr::LOCALHOST,
        IpAddr::V6(_) => return false,
    };
    rule(text).is_some_and(|range| range.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_addresses() {
        for (rule, address, named) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.1.0.0/16", "10.1.200.3", true),
            ("10.1.2.3/16", "10.1.200.3", true),
            ("10.1.0.0/16", "10.2.0.1", false),
            ("0.0.0.0/0", "10.2.0.1", true),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("127.0.0.1", "::1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("nonsense", "10.2.0.1", false),
        ] {
            assert_eq!(names(rule, address.parse().unwrap()), named, "{rule} {address}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        for wrong in [
            "",
            " 10.0.0.1",
            "10.0.0.1/",
            "10.0.0.1/33",
            "10.0.0.1/+8",
            "10.0.0/8",
            "010.0.0.1",
            "::1",
            "2001:db8::/32",
            "a/8",
        ] {
            assert_eq!(rule(wrong), None, "{wrong}");
        }
        for wrong in ["10.0.0.1", "10.0.0.0/+8", "::/129", "10.0.0.0/33", "/8"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
