//! Who may be led where. What only this machine can reach is for its own clients: its own addresses, and private
//! networks on which a client from elsewhere is not.
//! Must not know about requests or names: it judges addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// On whose behalf a request is answered, or a connection opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client on this machine, or one that showed the instance's token.
    Here,
    /// A client at another address.
    At(IpAddr),
}

impl Asker {
    /// A client by its address. Only the loopback interface proves that it is on this machine.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            ip if ip.is_loopback() => Self::Here,
            ip => Self::At(ip),
        }
    }

    /// Whether this machine may connect to an address for the asker. An error: there is no way there.
    pub(super) fn may_reach(self, target: IpAddr) -> io::Result<bool> {
        self.judge(target, source_towards)
    }

    /// `source`: the address with which this machine would go to another one.
    fn judge(self, target: IpAddr, source: impl Fn(IpAddr) -> io::Result<IpAddr>) -> io::Result<bool> {
        let Self::At(client) = self else { return Ok(true) };
        let target = target.to_canonical();
        if is_never_routed(target) {
            return Ok(false);
        }
        let from = source(target)?;
        if from == target || from.is_loopback() {
            return Ok(false);
        }
        // A private network is for those who are reached by the same interface: they are on it, or beyond it.
        Ok(!is_private(target) || source(client).is_ok_and(|towards| towards == from))
    }
}

/// Whether a connection to `there` would arrive at a listener bound to `own`.
pub(super) fn leads_to(there: SocketAddr, own: SocketAddr) -> bool {
    let (ip, bound) = (there.ip().to_canonical(), own.ip().to_canonical());
    there.port() == own.port()
        && (ip == bound || (is_loopback(ip) && bound.is_loopback()) || (bound.is_unspecified() && is_own(ip)))
}

fn is_own(ip: IpAddr) -> bool {
    is_loopback(ip) || source_towards(ip).is_ok_and(|from| from == ip || from.is_loopback())
}

/// A connection to the unspecified address arrives at this machine too.
fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

/// The system's own answer to the question by which address it would go somewhere: for an address of its own, that
/// address itself. Nothing is sent.
fn source_towards(target: IpAddr) -> io::Result<IpAddr> {
    let any = if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((target, 9))?;
    Ok(socket.local_addr()?.ip().to_canonical())
}

/// What no router passes on: this machine, and its link, where clouds keep their metadata.
fn is_never_routed(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.octets()[0] == 0 || ip.is_link_local() || ip.is_broadcast() || ip.is_multicast()
        }
        // ::/96 holds the unspecified and the loopback address, and a retired way to write IPv4's.
        IpAddr::V6(ip) => ip.segments()[..6] == [0; 6] || ip.is_unicast_link_local() || ip.is_multicast(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is shared by carriers and overlay networks.
        IpAddr::V4(ip) => ip.is_private() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine at 192.168.1.5 and 203.0.113.5, with a network of containers behind 172.17.0.1.
    fn source(target: IpAddr) -> io::Result<IpAddr> {
        let own = ["192.168.1.5", "203.0.113.5", "172.17.0.1", "2001:db8::5"];
        let text = target.to_string();
        let from = match &text {
            _ if own.contains(&text.as_str()) => &text,
            t if t.starts_with("172.17.") => "172.17.0.1",
            t if t.starts_with("192.168.1.") || t.starts_with("10.") => "192.168.1.5",
            t if t.starts_with("fd00:") => return Err(io::ErrorKind::NetworkUnreachable.into()),
            _ if target.is_ipv6() => "2001:db8::5",
            _ => "203.0.113.5",
        };
        Ok(from.parse().unwrap())
    }

    fn may(asker: &str, target: &str) -> Option<bool> {
        Asker::at(asker.parse().unwrap()).judge(target.parse().unwrap(), source).ok()
    }

    #[test]
    fn clients_of_this_machine_reach_everything() {
        for asker in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(Asker::at(asker.parse().unwrap()), Asker::Here);
            assert_eq!(may(asker, "127.0.0.1"), Some(true));
            assert_eq!(may(asker, "169.254.1.1"), Some(true));
        }
        assert_eq!(Asker::at("::ffff:10.0.0.1".parse().unwrap()), Asker::At("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn clients_from_elsewhere_reach_nothing_that_is_this_machines_own() {
        for own in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:192.168.1.5",
            "fe80::1",
            "ff02::1",
            "192.168.1.5",
            "203.0.113.5",
            "172.17.0.1",
            "2001:db8::5",
        ] {
            for asker in ["192.168.1.7", "198.51.100.1", "172.17.0.2", "192.168.1.5"] {
                assert_eq!(may(asker, own), Some(false), "{asker} {own}");
            }
        }
    }

    #[test]
    fn private_networks_are_for_those_who_are_on_them() {
        assert_eq!(may("192.168.1.7", "192.168.1.9"), Some(true));
        assert_eq!(may("192.168.1.7", "10.3.0.9"), Some(true), "by the same interface");
        assert_eq!(may("172.17.0.2", "172.17.0.3"), Some(true));
        assert_eq!(may("192.168.1.7", "172.17.0.3"), Some(false));
        assert_eq!(may("172.17.0.2", "192.168.1.9"), Some(false));
        assert_eq!(may("192.168.1.7", "100.64.0.1"), Some(false));
        assert_eq!(may("192.168.1.7", "fd00::1"), None, "no way there");
        for public in ["93.184.215.14", "100.128.0.1", "2606:2800::1"] {
            assert_eq!(may("192.168.1.7", public), Some(true), "{public}");
        }
    }

    #[test]
    fn the_system_knows_its_own_addresses() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(is_own(ip("127.0.0.1")) && is_own(ip("127.4.4.4")) && is_own(ip("0.0.0.0")));
        assert!(!is_own(ip("192.0.2.1")), "an address for documentation");
        let anywhere = "0.0.0.0:4443".parse().unwrap();
        assert!(leads_to("127.0.0.1:4443".parse().unwrap(), anywhere));
        // Where this machine has another address, that is its own too.
        if let Ok(own) = source_towards(ip("192.0.2.1")) {
            assert!(is_own(own) && leads_to(SocketAddr::new(own, 4443), anywhere));
            assert!(!leads_to(SocketAddr::new(own, 4444), anywhere));
            assert!(!leads_to(SocketAddr::new(own, 4443), "127.0.0.1:4443".parse().unwrap()));
        }
    }
}
