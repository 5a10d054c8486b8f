//! The functions about IPv4 and IPv6 ranges.
//! Must not know: networks as resources.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

type Result<T> = std::result::Result<T, String>;

/// A range: its first address as a number, its prefix, and the bits of an address.
struct Range {
    base: u128,
    prefix: u32,
    bits: u32,
}

impl Range {
    fn read(text: &str) -> Result<Self> {
        let wrong = || format!("'{text}' is not a valid CIDR range");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let (base, bits) = match address.parse::<IpAddr>().map_err(|_| wrong())? {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        if prefix > bits {
            return Err(wrong());
        }
        let mut range = Self { base, prefix, bits };
        range.base &= !range.host_mask();
        Ok(range)
    }

    /// The bits that tell the addresses of the range apart.
    fn host_mask(&self) -> u128 {
        1u128.checked_shl(self.bits - self.prefix).map_or(u128::MAX, |size| size - 1)
    }

    fn address(&self, number: u128) -> String {
        match u32::try_from(number) {
            Ok(v4) if self.bits == 32 => Ipv4Addr::from(v4).to_string(),
            _ => Ipv6Addr::from(number).to_string(),
        }
    }
}

/// `parseCidr`.
pub fn parse(text: &str) -> Result<Value> {
    let range = Range::read(text)?;
    let last = range.base | range.host_mask();
    let mask = if range.bits == 32 { !range.host_mask() & u128::from(u32::MAX) } else { !range.host_mask() };
    let edge = range.host_mask() > 1;
    let mut parsed = json!({"network": range.address(range.base), "netmask": range.address(mask)});
    if range.bits == 32 {
        parsed["broadcast"] = json!(range.address(last));
    }
    parsed["firstUsable"] = json!(range.address(if edge { range.base + 1 } else { range.base }));
    parsed["lastUsable"] = json!(range.address(if edge && range.bits == 32 { last - 1 } else { last }));
    parsed["cidr"] = json!(range.prefix);
    Ok(parsed)
}

/// `cidrSubnet`.
pub fn subnet(text: &str, prefix: i64, index: i64) -> Result<String> {
    let range = Range::read(text)?;
    let wrong = || format!("'{text}' has no subnet '{index}' of the size '{prefix}'");
    let prefix = u32::try_from(prefix).ok().filter(|p| (range.prefix..=range.bits).contains(p)).ok_or_else(wrong)?;
    let index = u128::try_from(index).map_err(|_| wrong())?;
    let count = 1u128.checked_shl(prefix - range.prefix);
    if count.is_some_and(|count| index >= count) {
        return Err(wrong());
    }
    let offset = index.checked_shl(range.bits - prefix).unwrap_or(0);
    Ok(format!("{}/{prefix}", range.address(range.base | offset)))
}

/// `cidrHost`: the usable addresses, counted from 0.
pub fn host(text: &str, index: i64) -> Result<String> {
    let range = Range::read(text)?;
    let wrong = || format!("'{text}' has no host '{index}'");
    let first = u128::from(range.host_mask() > 1);
    let number = u128::try_from(index).map_err(|_| wrong())? + first;
    if number > range.host_mask() {
        return Err(wrong());
    }
    Ok(range.address(range.base | number))
}
