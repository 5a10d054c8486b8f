//! Pages of lists: `maxresults`, `$skiptoken`, `nextLink` (keyvault.md A.9).
//! Must not know: what is listed.

use serde_json::{Value, json};

use super::Asked;
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::world::crypto::{base64url, from_base64url};

/// Items on a page at most, and where nothing is said [spec].
const MOST: usize = 25;

/// What page is asked for.
pub struct Wanted {
    /// The name or version it begins with; empty: the first page.
    pub from: String,
    /// Items at most.
    pub limit: usize,
    limited: bool,
}

/// Reads the query.
pub fn wanted(asked: &Asked<'_>) -> Result<Wanted> {
    let limited = asked.most.as_ref().filter(|t| !t.is_empty());
    let limit = match limited {
        None => MOST,
        Some(text) => match text.parse() {
            Ok(limit) if (1..=MOST).contains(&limit) => limit,
            _ => return Err(invalid("maxresults", text).into()),
        },
    };
    let from = match asked.token.as_ref().filter(|t| !t.is_empty()) {
        None => String::new(),
        Some(token) => read(token).ok_or_else(|| invalid("$skiptoken", token))?,
    };
    Ok(Wanted { from, limit, limited: limited.is_some() })
}

fn invalid(property: &str, value: &str) -> RequestError {
    RequestError::InvalidValue { property: property.to_owned(), message: value.to_owned() }
}

/// A page: its items and the link to the next one, `null` on the last [recorded]. The link's host carries its
/// port, 443 too. `marker` is what the next page begins with, below `collection` (`key/NAME`).
pub fn page(asked: &Asked<'_>, wanted: &Wanted, items: Vec<Value>, collection: &str, next: Option<&str>) -> Value {
    let link = next.map(|next| {
        let token = write(collection, next);
        let path = asked.path.trim_matches('/');
        let most = if wanted.limited { format!("&maxresults={}", wanted.limit) } else { String::new() };
        let (host, port, version) = (&asked.host, asked.port, asked.api.sent());
        format!("https://{host}:{port}/{path}?api-version={version}&$skiptoken={token}{most}")
    });
    json!({"value": items, "nextLink": link})
}

/// The token has the shape of Azure's [recorded]: a storage marker inside base64 inside JSON.
fn write(collection: &str, next: &str) -> String {
    let path = format!("{collection}/{}", next.to_ascii_uppercase());
    let marker = format!("{:06}!{path}!000028!9999-12-31T23:59:59.9999999Z!", path.len());
    let inner = base64url(marker.as_bytes());
    let token = json!({"NextMarker": format!("2!{}!{inner}", inner.len()), "TargetLocation": 0});
    base64url(token.to_string().as_bytes())
}

fn read(token: &str) -> Option<String> {
    let token: Value = serde_json::from_slice(&from_base64url(token)?).ok()?;
    let inner = token["NextMarker"].as_str()?.rsplit('!').next()?;
    let marker = String::from_utf8(from_base64url(inner)?).ok()?;
    let path = marker.split('!').nth(1)?;
    Some(path.rsplit('/').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_where_it_was_made_for() {
        assert_eq!(read(&write("key", "my-key")).as_deref(), Some("MY-KEY"));
        assert_eq!(read("nonsense"), None);
    }
}
