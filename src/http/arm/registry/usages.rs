//! `listUsages`: limits by SKU [recorded], counted from what is there.
//! Must not know: how anything is counted.

use serde_json::json;

use super::found;
use crate::app::Cx;
use crate::app::registry::{children, content, replications};
use crate::domain::Result;
use crate::domain::registry::child::Kind;
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// `GET …/listUsages`.
pub(super) async fn usages(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let size = match registry.sku.as_str() {
        "Premium" => 536_870_912_000_i64,
        "Standard" => 107_374_182_400,
        _ => 10_737_418_240,
    };
    let used = content::total_size(cx, &registry).await?;
    let (addresses, networks) = registry.settings().rule_counts();
    let usage = |name: &str, limit: i64, now: usize| json!({"name": name, "limit": limit, "currentValue": now, "unit": "Count"});
    let mut items = vec![json!({"name": "Size", "limit": size, "currentValue": used, "unit": "Bytes"})];
    let mut children = Vec::new();
    for (name, kind) in [
        ("Webhooks", Kind::WEBHOOK),
        ("Geo-replications", Kind::REPLICATION),
        ("PrivateEndpointConnections", Kind::PRIVATE_ENDPOINT_CONNECTION),
        ("ScopeMaps", Kind::SCOPE_MAP),
        ("Tokens", Kind::TOKEN),
    ] {
        if registry.premium() || !kind.premium {
            let now = match kind {
                Kind::REPLICATION => replications::count(cx, &registry).await?,
                _ => children::count(cx, &registry, kind).await?,
            };
            let limit = kind.limit(&registry.sku).and_then(|l| i64::try_from(l).ok()).unwrap_or(-1);
            children.push(usage(name, limit, now));
        }
    }
    if registry.premium() {
        let rules = [usage("IPRules", 100, addresses), usage("VNetRules", 100, networks)];
        children.splice(2..2, rules);
    }
    items.extend(children);
    Ok(Answer::list(items))
}
