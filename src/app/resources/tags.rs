//! Tags as something that is changed by itself: how, and those of the subscription.
//! Must not know: which resources have tags.

use serde_json::{Map, Value, json};

use crate::app::Cx;
use crate::domain::error::RequestError;
use crate::domain::{Error, Result};
use crate::store;

/// Where the subscription's own tags are kept.
const OF_SUBSCRIPTION: &str = "subscription-tags";

/// Tags after a change: `Merge`, `Replace` or `Delete` [spec]. Names are the same in any case; what is to be deleted with
/// another value stays [docs: tag resources].
pub fn changed(before: Map<String, Value>, sent: Map<String, Value>, how: &str) -> Result<Map<String, Value>> {
    let is = |word: &str| how.eq_ignore_ascii_case(word);
    if is("Replace") {
        return Ok(sent);
    }
    let mut after = before;
    let find =
        |tags: &Map<String, Value>, name: &str| tags.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
    if is("Merge") {
        for (name, value) in sent {
            if let Some(known) = find(&after, &name) {
                after.remove(&known);
            }
            after.insert(name, value);
        }
        return Ok(after);
    }
    if is("Delete") {
        for (name, value) in sent {
            let named_alone = value.as_str().is_none_or(str::is_empty);
            if let Some(known) = find(&after, &name).filter(|known| named_alone || after.get(known) == Some(&value)) {
                after.remove(&known);
            }
        }
        return Ok(after);
    }
    let message = format!("'{how}' is not one of 'Merge', 'Replace', 'Delete'");
    Err(RequestError::InvalidValue { property: "operation".to_owned(), message }.into())
}

/// The tags of the subscription.
pub async fn of_subscription(cx: &mut Cx) -> Result<Value> {
    match store::world::values::get(&mut cx.tx, OF_SUBSCRIPTION).await? {
        Some(kept) => serde_json::from_slice(&kept).map_err(Error::internal),
        None => Ok(json!({})),
    }
}

/// Sets the tags of the subscription.
pub async fn set_of_subscription(cx: &mut Cx, tags: &Value) -> Result<()> {
    store::world::values::set(&mut cx.tx, OF_SUBSCRIPTION, tags.to_string().as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_merged_replaced_and_deleted() {
        let tags = |value: Value| value.as_object().unwrap().clone();
        let before = || tags(json!({"Team": "red", "cost": "1"}));
        let after = |sent: Value, how: &str| changed(before(), tags(sent), how).map(Value::Object);
        assert_eq!(after(json!({"team": "blue"}), "merge").unwrap(), json!({"team": "blue", "cost": "1"}));
        assert_eq!(after(json!({"team": "blue"}), "Replace").unwrap(), json!({"team": "blue"}));
        assert_eq!(after(json!({"TEAM": "", "cost": "2"}), "Delete").unwrap(), json!({"cost": "1"}));
        assert!(after(json!({}), "Perhaps").is_err());
    }
}
