//! Service shared access signatures for one blob, as Storage signs them: the string-to-sign of version 2019-12-12 [docs].
//! They end by the user's clock: only the account reads them, and so it can be seen that they end.
//! Must not know: which blobs there are.

use crate::domain::Timestamp;
use crate::domain::world::crypto;
use crate::domain::world::crypto::mac;
use crate::domain::world::time::MINUTE;

/// The one storage account that tasks use.
pub const ACCOUNT: &str = "acrtasks";
/// The version of the signatures that are given out.
const VERSION: &str = "2019-12-12";

/// Why a signature does not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    /// There is none.
    Missing,
    /// Something in it cannot be read.
    Malformed(&'static str),
    /// It is none of this blob, or what it says was changed.
    Wrong,
    /// Its time is over, or has not come.
    NotNow { start: String, expiry: String },
    /// It gives other permissions.
    Permission,
}

/// The host of the account.
#[must_use]
pub fn host() -> String {
    format!("{ACCOUNT}.blob.core.windows.net")
}

/// The container of a registry.
#[must_use]
pub fn container(registry: i64) -> String {
    format!("registry-{registry}")
}

/// The registry of a container, by its row id.
#[must_use]
pub fn registry_of(container: &str) -> Option<i64> {
    let id = container.strip_prefix("registry-")?.parse().ok()?;
    (self::container(id) == container).then_some(id)
}

fn string_to_sign(permissions: &str, start: &str, expiry: &str, version: &str, resource: &str) -> String {
    let resource = format!("/blob/{ACCOUNT}/{resource}");
    // Identifier, IP range and snapshot are not used, and neither are headers of answers.
    let lines = [permissions, start, expiry, &resource, "", "", "https", version, "b", "", "", "", "", "", ""];
    lines.join("\n")
}

/// A link to a blob, `container/name`, good for a while from `now` on.
#[must_use]
pub fn link(key: &[u8], resource: &str, permissions: &str, now: Timestamp, lifetime: i64) -> String {
    let (start, expiry) = (now.plus(-5 * MINUTE).zulu(), now.plus(lifetime).zulu());
    let signature = mac::sign(key, string_to_sign(permissions, &start, &expiry, VERSION, resource).as_bytes());
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("sv", VERSION)
        .append_pair("st", &start)
        .append_pair("se", &expiry)
        .append_pair("sr", "b")
        .append_pair("sp", permissions)
        .append_pair("spr", "https")
        .append_pair("sig", &crypto::base64(&signature))
        .finish();
    format!("https://{}/{resource}?{query}", host())
}

/// Whether the query of a request for a blob gives any of these permissions now.
pub fn check(
    key: &[u8],
    resource: &str,
    query: &[(String, String)],
    any: &str,
    now: Timestamp,
) -> Result<(), Unsigned> {
    let word = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    if word("sig").is_empty() {
        return Err(Unsigned::Missing);
    }
    if word("sr") != "b" {
        return Err(Unsigned::Malformed("sr"));
    }
    let (start, expiry, permissions) = (word("st"), word("se"), word("sp"));
    let signed = string_to_sign(permissions, start, expiry, word("sv"), resource);
    let signature = crypto::from_base64(word("sig")).ok_or(Unsigned::Malformed("sig"))?;
    if word("spr") != "https" || !mac::is_signed(key, signed.as_bytes(), &signature) {
        return Err(Unsigned::Wrong);
    }
    let from = Timestamp::parse(start).ok_or(Unsigned::Malformed("st"))?;
    let until = Timestamp::parse(expiry).ok_or(Unsigned::Malformed("se"))?;
    if now < from || now >= until {
        return Err(Unsigned::NotNow { start: start.to_owned(), expiry: expiry.to_owned() });
    }
    if any.chars().any(|p| permissions.contains(p)) { Ok(()) } else { Err(Unsigned::Permission) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::world::time::HOUR;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn query(link: &str) -> Vec<(String, String)> {
        url::Url::parse(link).unwrap().query_pairs().into_owned().collect()
    }

    #[test]
    fn a_link_is_good_for_its_blob_its_time_and_its_permissions() {
        let link = link(b"key", "registry-1/logs/cf1/rawtext.log", "r", NOW, HOUR);
        let good = query(&link);
        let ask =
            |key: &[u8], resource: &str, query: &[(String, String)], any, now| check(key, resource, query, any, now);
        let blob = "registry-1/logs/cf1/rawtext.log";
        assert_eq!(ask(b"key", blob, &good, "r", NOW), Ok(()));
        assert_eq!(ask(b"other", blob, &good, "r", NOW), Err(Unsigned::Wrong));
        assert_eq!(ask(b"key", "registry-2/logs/cf1/rawtext.log", &good, "r", NOW), Err(Unsigned::Wrong));
        assert_eq!(ask(b"key", blob, &good, "cw", NOW), Err(Unsigned::Permission));
        assert_eq!(ask(b"key", blob, &good, "r", NOW.plus(HOUR - 1)), Ok(()));
        for at in [NOW.plus(HOUR), NOW.plus(-HOUR)] {
            assert!(matches!(ask(b"key", blob, &good, "r", at), Err(Unsigned::NotNow { .. })));
        }
        assert_eq!(ask(b"key", blob, &[], "r", NOW), Err(Unsigned::Missing));
        for (name, value) in
            [("se", "2099-01-01T00:00:00Z"), ("sp", "rw"), ("sv", "2018-11-09"), ("spr", "http"), ("sig", "AAAA")]
        {
            let mut changed = good.clone();
            changed.iter_mut().find(|(n, _)| n == name).unwrap().1 = value.to_owned();
            assert_eq!(ask(b"key", blob, &changed, "r", NOW), Err(Unsigned::Wrong), "{name}");
        }
    }

    #[test]
    fn signs_what_storage_signs() {
        let signed = string_to_sign("r", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", VERSION, "c/b");
        let wanted =
            "r\n2026-01-01T00:00:00Z\n2026-01-01T01:00:00Z\n/blob/acrtasks/c/b\n\n\nhttps\n2019-12-12\nb\n\n\n\n\n\n";
        assert_eq!(signed, wanted);
    }

    #[test]
    fn containers_belong_to_registries() {
        assert_eq!(registry_of(&container(42)), Some(42));
        for wrong in ["", "registry-", "registry-x", "registry-+1", "registry-01", "other-1"] {
            assert_eq!(registry_of(wrong), None, "{wrong}");
        }
    }
}
