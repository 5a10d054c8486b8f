//! `listUsages`: limits by SKU [recorded], counted from what is there.
//! Must not know: how anything is counted.

use serde_json::{Value, json};

use super::registry_of;
use crate::app::{content, registry_children};
use crate::domain::Result;
use crate::domain::registry_child::{Kind, limit};
use crate::http::arm::Arm;
use crate::http::arm::wire::Answer;

/// `GET …/listUsages`.
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let registry = registry_of(arm, group, at, "listUsages/read").await?;
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    let size = match registry.sku.as_str() {
        "Premium" => 536_870_912_000_i64,
        "Standard" => 107_374_182_400,
        _ => 10_737_418_240,
    };
    let used = content::total_size(&mut cx, &registry).await?;
    let rules = |list: &str| {
        let rules = registry.properties.get("networkRuleSet").and_then(|r| r[list].as_array());
        json!(rules.map_or(0, Vec::len))
    };
    let count = |name: &str, limit: i64, now: Value| json!({"name": name, "limit": limit, "currentValue": now, "unit": "Count"});
    let mut items = vec![json!({"name": "Size", "limit": size, "currentValue": used, "unit": "Bytes"})];
    for (name, kind) in [
        ("Webhooks", Kind::Webhook),
        ("Geo-replications", Kind::Replication),
        ("IPRules", Kind::PrivateEndpointConnection),
        ("PrivateEndpointConnections", Kind::PrivateEndpointConnection),
        ("ScopeMaps", Kind::ScopeMap),
        ("Tokens", Kind::Token),
    ] {
        if name == "IPRules" {
            if registry.premium() {
                items.push(count(name, 100, rules("ipRules")));
                items.push(count("VNetRules", 100, rules("virtualNetworkRules")));
            }
            continue;
        }
        let premium_only = matches!(kind, Kind::Replication | Kind::PrivateEndpointConnection);
        if premium_only && !registry.premium() {
            continue;
        }
        let now = registry_children::count(&mut cx, &registry, kind).await?;
        let limit = limit(&registry.sku, kind).and_then(|l| i64::try_from(l).ok()).unwrap_or(-1);
        items.push(count(name, limit, json!(now)));
    }
    Ok(Answer::list(items))
}
