//! The functions about IPv4 and IPv6 ranges.
//! Must not know: networks as resources, how a range is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use crate::domain::world::network;

type Result<T> = std::result::Result<T, String>;

/// A range: its first address as a number, the bits that tell its addresses apart, its prefix and that of one address.
struct Range {
    base: u128,
    host_mask: u128,
    prefix: u8,
    most: u8,
}

impl Range {
    fn read(text: &str) -> Result<Self> {
        let range = network::range(text).ok_or_else(|| format!("'{text}' is not a valid CIDR range"))?;
        let (prefix, most) = (range.prefix_len(), range.max_prefix_len());
        Ok(Self { base: number(range.network()), host_mask: number(range.hostmask()), prefix, most })
    }

    fn address(&self, number: u128) -> String {
        match u32::try_from(number) {
            Ok(v4) if self.is_v4() => Ipv4Addr::from(v4).to_string(),
            _ => Ipv6Addr::from(number).to_string(),
        }
    }

    fn is_v4(&self) -> bool {
        self.most == 32
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// `parseCidr`.
pub fn parse(text: &str) -> Result<Value> {
    let range = Range::read(text)?;
    let last = range.base | range.host_mask;
    let mask = if range.is_v4() { !range.host_mask & u128::from(u32::MAX) } else { !range.host_mask };
    let edge = range.host_mask > 1;
    let mut parsed = json!({"network": range.address(range.base), "netmask": range.address(mask)});
    if range.is_v4() {
        parsed["broadcast"] = json!(range.address(last));
    }
    parsed["firstUsable"] = json!(range.address(if edge { range.base + 1 } else { range.base }));
    parsed["lastUsable"] = json!(range.address(if edge && range.is_v4() { last - 1 } else { last }));
    parsed["cidr"] = json!(range.prefix);
    Ok(parsed)
}

/// `cidrSubnet`.
pub fn subnet(text: &str, prefix: i64, index: i64) -> Result<String> {
    let range = Range::read(text)?;
    let wrong = || format!("'{text}' has no subnet '{index}' of the size '{prefix}'");
    let prefix = u8::try_from(prefix).ok().filter(|p| (range.prefix..=range.most).contains(p)).ok_or_else(wrong)?;
    let index = u128::try_from(index).map_err(|_| wrong())?;
    let count = 1u128.checked_shl((prefix - range.prefix).into());
    if count.is_some_and(|count| index >= count) {
        return Err(wrong());
    }
    let offset = index.checked_shl((range.most - prefix).into()).unwrap_or(0);
    Ok(format!("{}/{prefix}", range.address(range.base | offset)))
}

/// `cidrHost`: the usable addresses, counted from 0.
pub fn host(text: &str, index: i64) -> Result<String> {
    let range = Range::read(text)?;
    let wrong = || format!("'{text}' has no host '{index}'");
    let first = u128::from(range.host_mask > 1);
    let number = u128::try_from(index).map_err(|_| wrong())? + first;
    if number > range.host_mask {
        return Err(wrong());
    }
    Ok(range.address(range.base | number))
}
