//! Private endpoint connections: what one says of itself once it is settled. The same for vaults and registries.
//! Must not know: whose they are. There are no private networks here, so none opens a firewall.

use serde_json::{Map, Value, json};

/// The `properties` to keep of a PUT, over those so far: a state that is approved unless it says otherwise.
/// On Azure a private endpoint begins a connection and a PUT only changes it; here a PUT does both.
#[must_use]
pub fn settle(existing: Option<&Map<String, Value>>, asked: &Value) -> Map<String, Value> {
    let mut properties = existing.cloned().unwrap_or_default();
    for (name, value) in asked["properties"].as_object().into_iter().flatten() {
        if name != "provisioningState" {
            properties.insert(name.clone(), value.clone());
        }
    }
    let state = properties.entry("privateLinkServiceConnectionState").or_insert_with(|| json!({}));
    if !state.is_object() {
        *state = json!({});
    }
    for (name, default) in [("status", "Approved"), ("description", ""), ("actionsRequired", "None")] {
        if state[name].is_null() {
            state[name] = json!(default);
        }
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_approved_unless_it_says_otherwise_and_the_rest_stays() {
        let first = settle(None, &json!({"properties": {"privateEndpoint": {"id": "/pe"}, "provisioningState": "x"}}));
        let state = json!({"status": "Approved", "description": "", "actionsRequired": "None"});
        let wanted = json!({"privateEndpoint": {"id": "/pe"}, "privateLinkServiceConnectionState": state});
        assert_eq!(Value::Object(first.clone()), wanted);
        let no =
            json!({"properties": {"privateLinkServiceConnectionState": {"status": "Rejected", "description": null}}});
        let then = settle(Some(&first), &no);
        assert_eq!(then["privateEndpoint"], wanted["privateEndpoint"]);
        assert_eq!(then["privateLinkServiceConnectionState"]["status"], "Rejected");
        assert_eq!(then["privateLinkServiceConnectionState"]["description"], "");
    }
}
