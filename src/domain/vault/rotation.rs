//! Rotation policies: what one may say, and when it makes the next version.
//! Must not know: how a version is made, what a key is used for.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::domain::error::{KeyError, Result};
use crate::domain::world::time::{DAY, Timestamp};
use crate::domain::world::typed::Object;

/// A policy as a request gives it, in the data plane's words, which are resource management's too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Asked {
    #[serde(rename = "lifetimeActions")]
    actions: Option<Vec<Object<LifetimeAction>>>,
    attributes: Option<Object<Attributes>>,
}

impl Asked {
    /// Whether it says nothing, as templates write a policy that is not wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.as_ref().is_none_or(Vec::is_empty)
            && self.attributes.as_ref().is_none_or(|attributes| text(attributes.0.expiry_time.as_ref()).is_none())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct LifetimeAction {
    trigger: Option<Object<Trigger>>,
    action: Option<Object<Action>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Trigger {
    time_after_create: Option<String>,
    time_before_expiry: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Action {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attributes {
    expiry_time: Option<String>,
}

/// A text that is there and not empty: clients write empty ones for what is unset.
fn text(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// The policy of a key that was given none [inferred: Azure adds this entry to any policy without Notify].
#[must_use]
pub fn default_policy() -> Value {
    json!({"lifetimeActions": [notify()], "attributes": {}})
}

fn notify() -> Value {
    json!({"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}})
}

fn refuse<T>(text: &str) -> Result<T> {
    Err(KeyError::BadParameter(text.to_owned()).into())
}

/// Settles what a PUT asks for into the policy to keep. The rules are of the specification; the texts of the
/// refusals are our own (keyvault.md H.4).
pub fn settle(asked: &Asked, existing: Option<&Value>, now: Timestamp) -> Result<Value> {
    let expiry = asked.attributes.as_ref().and_then(|attributes| text(attributes.0.expiry_time.as_ref()));
    let lifetime = match expiry {
        Some(text) => Some(length(text, now)?),
        None => None,
    };
    if lifetime.is_some_and(|l| l < 28 * DAY) {
        return refuse("Property expiryTime has invalid value: it must be at least 28 days.\r\n");
    }
    let mut actions = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for Object(entry) in asked.actions.iter().flatten() {
        let kind = entry.action.as_ref().and_then(|action| text(action.0.kind.as_ref())).unwrap_or_default();
        let Some(kind) = ["Rotate", "Notify"].into_iter().find(|k| k.eq_ignore_ascii_case(kind)) else {
            return refuse("Property lifetimeActions.action.type has invalid value\r\n");
        };
        if seen.contains(&kind) {
            return refuse("Property lifetimeActions has invalid value: each action may stand there once.\r\n");
        }
        seen.push(kind);
        let times = entry.trigger.as_ref().map(|trigger| &trigger.0);
        let after = times.and_then(|times| text(times.time_after_create.as_ref()));
        let before = times.and_then(|times| text(times.time_before_expiry.as_ref()));
        let (trigger, span) = match (after, before) {
            (Some(span), None) => ("timeAfterCreate", span),
            (None, Some(span)) => ("timeBeforeExpiry", span),
            _ => return refuse("Property lifetimeActions.trigger has invalid value: it must have one time.\r\n"),
        };
        let span_length = length(span, now)?;
        if kind == "Notify" && trigger == "timeAfterCreate" {
            return refuse("Property lifetimeActions.trigger has invalid value: Notify takes timeBeforeExpiry.\r\n");
        }
        if kind == "Rotate" {
            if span_length < 7 * DAY {
                return refuse("Property lifetimeActions.trigger has invalid value: it must be at least 7 days.\r\n");
            }
            match (trigger, lifetime) {
                ("timeBeforeExpiry", None) => {
                    return refuse(
                        "Property lifetimeActions has invalid value: timeBeforeExpiry needs expiryTime.\r\n",
                    );
                }
                (_, Some(lifetime)) if span_length > lifetime - 7 * DAY => {
                    let text = "Property lifetimeActions.trigger has invalid value: it must leave at least 7 days of the key's life.\r\n";
                    return refuse(text);
                }
                _ => {}
            }
        }
        actions.push(json!({"trigger": {trigger: span}, "action": {"type": kind}}));
    }
    if !seen.contains(&"Notify") {
        actions.push(notify());
    }
    let mut attributes = Map::new();
    if let Some(expiry) = expiry {
        attributes.insert("expiryTime".into(), json!(expiry));
    }
    let created = existing.and_then(|e| e["attributes"]["created"].as_i64()).unwrap_or_else(|| now.seconds());
    attributes.insert("created".into(), json!(created));
    attributes.insert("updated".into(), json!(now.seconds()));
    Ok(json!({"lifetimeActions": actions, "attributes": attributes}))
}

/// When the policy makes a new version, given the newest one.
#[must_use]
pub fn next(policy: &Value, created: Timestamp, expires: Option<i64>) -> Option<Timestamp> {
    let actions = policy["lifetimeActions"].as_array()?;
    let trigger = actions.iter().find(|a| a["action"]["type"] == "Rotate").map(|a| &a["trigger"])?;
    if let Some(span) = trigger["timeAfterCreate"].as_str() {
        return shift(created, span, 1);
    }
    shift(Timestamp::from_seconds(expires?), trigger["timeBeforeExpiry"].as_str()?, -1)
}

/// When the end of a version that expires at `expires` is near enough to be told: the policy's Notify, else 30
/// days before [docs].
#[must_use]
pub fn near_expiry(policy: Option<&Value>, expires: Option<i64>) -> Option<Timestamp> {
    let actions = policy.and_then(|p| p["lifetimeActions"].as_array());
    let notify = actions.and_then(|a| a.iter().find(|a| a["action"]["type"] == "Notify"));
    let span = notify.and_then(|n| n["trigger"]["timeBeforeExpiry"].as_str()).unwrap_or("P30D");
    shift(Timestamp::from_seconds(expires?), span, -1)
}

/// `exp` of a version that the policy's key gets at `now`.
#[must_use]
pub fn expiry(policy: &Value, now: Timestamp) -> Option<i64> {
    shift(now, policy["attributes"]["expiryTime"].as_str()?, 1).map(Timestamp::seconds)
}

/// A point in time moved by an ISO 8601 duration, months and years as the calendar has them.
fn shift(from: Timestamp, span: &str, sign: i64) -> Option<Timestamp> {
    let span: jiff::Span = span.parse().ok()?;
    let at = jiff::Timestamp::from_microsecond(from.0).ok()?.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let moved = if sign < 0 { at.checked_sub(span).ok()? } else { at.checked_add(span).ok()? };
    Some(Timestamp(moved.timestamp().as_microsecond()))
}

fn length(span: &str, now: Timestamp) -> Result<i64> {
    match shift(now, span, 1) {
        Some(end) if end > now => Ok(end.0 - now.0),
        _ => refuse(&format!("Property {span} has invalid value: it is not an ISO 8601 duration.\r\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_699_275_446 * 1_000_000);

    fn rotate(trigger: Value, attributes: Value) -> Asked {
        let actions = json!([{"trigger": trigger, "action": {"type": "Rotate"}}]);
        serde_json::from_value(json!({"lifetimeActions": actions, "attributes": attributes})).unwrap()
    }

    #[test]
    fn the_service_adds_notify_to_a_policy_without_one() {
        let asked = rotate(json!({"timeAfterCreate": "P2M"}), json!({}));
        let settled = settle(&asked, None, NOW).unwrap();
        assert_eq!(
            settled,
            json!({"lifetimeActions": [
                {"trigger": {"timeAfterCreate": "P2M"}, "action": {"type": "Rotate"}},
                {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
              "attributes": {"created": 1_699_275_446, "updated": 1_699_275_446}})
        );
    }

    #[test]
    fn times_are_reckoned_from_creation_or_before_expiry() {
        let after =
            settle(&rotate(json!({"timeAfterCreate": "P15D"}), json!({"expiryTime": "P30D"})), None, NOW).unwrap();
        assert_eq!(next(&after, NOW, None), Some(NOW.plus(15 * DAY)));
        // Recorded: created 1699275450, exp 1701867450.
        assert_eq!(expiry(&after, Timestamp::from_seconds(1_699_275_450)), Some(1_701_867_450));
        let before =
            settle(&rotate(json!({"timeBeforeExpiry": "P10D"}), json!({"expiryTime": "P90D"})), None, NOW).unwrap();
        assert_eq!(next(&before, NOW, Some(NOW.seconds() + 90 * 86_400)), Some(NOW.plus(80 * DAY)));
        assert_eq!(next(&before, NOW, None), None, "a version without exp");
        assert_eq!(next(&default_policy(), NOW, None), None);
        let end = NOW.seconds() + 90 * 86_400;
        assert_eq!(near_expiry(None, Some(end)), Some(NOW.plus(60 * DAY)));
        assert_eq!(near_expiry(Some(&before), None), None);
    }

    #[test]
    fn what_a_policy_may_not_say() {
        for (trigger, attributes) in [
            (json!({"timeAfterCreate": "P6D"}), json!({})),
            (json!({"timeBeforeExpiry": "P30D"}), json!({})),
            (json!({"timeAfterCreate": "P30D"}), json!({"expiryTime": "P27D"})),
            (json!({"timeAfterCreate": "P28D"}), json!({"expiryTime": "P30D"})),
            (json!({"timeAfterCreate": "often"}), json!({})),
            (json!({}), json!({})),
            (json!({"timeAfterCreate": "P30D", "timeBeforeExpiry": "P30D"}), json!({"expiryTime": "P90D"})),
        ] {
            assert!(settle(&rotate(trigger.clone(), attributes), None, NOW).is_err(), "{trigger}");
        }
    }
}
