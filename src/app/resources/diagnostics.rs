//! Diagnostic settings: kept with the resource that they are about, and asked for when it writes a log.
//! Must not know: which resources there are, how logs are written.

use serde_json::Value;

use super::neighbours;
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::NeighbourError;
use crate::domain::resources::diagnostics::{DIAGNOSTICS, LIMIT, Setting, settle};
use crate::domain::resources::neighbour::Neighbour;

/// The settings of a resource.
pub async fn of(cx: &mut Cx, resource: &str) -> Result<Vec<Setting>> {
    Ok(neighbours::list(cx, Some(resource), DIAGNOSTICS).await?.into_iter().map(Setting).collect())
}

/// Keeps a setting of a resource that has these log categories.
pub async fn put(cx: &mut Cx, resource: &str, name: &str, sent: &Value, categories: &[&str]) -> Result<Setting> {
    let found = neighbours::find(cx, resource, DIAGNOSTICS, name).await?;
    let mut one = found.unwrap_or_else(|| Neighbour::new(resource, DIAGNOSTICS, name));
    one.document.insert("properties".to_owned(), Value::Object(settle(sent, categories)?));
    let setting = Setting(one);
    let mut others = of(cx, resource).await?;
    others.retain(|other| !other.0.name.eq_ignore_ascii_case(name));
    if others.len() >= LIMIT {
        let message = format!("A resource can have up to {LIMIT} diagnostic settings.");
        return Err(NeighbourError::DiagnosticsInvalid(message).into());
    }
    for other in &others {
        if let Some((sink, category)) = setting.clash(other, categories) {
            let setting = other.0.name.clone();
            return Err(NeighbourError::SinkTaken { sink, setting, category }.into());
        }
    }
    neighbours::save(cx, &setting.0).await?;
    Ok(setting)
}
