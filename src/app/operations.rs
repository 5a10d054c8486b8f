//! Long-running operations: begun, done at once, and kept for whoever polls.
//! Must not know: what was done.

use serde_json::{Value, json};

use super::Cx;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::store;

/// Records an operation that has succeeded. Returns its name, `{kind}-{guid}`.
pub async fn succeeded(cx: &mut Cx, kind: &str) -> Result<String> {
    let name = format!("{kind}-{}", cx.guid());
    record(cx, &name, &json!({"status": "Succeeded"})).await?;
    Ok(name)
}

/// Records what became of an operation: `{"status": …, "error": …}`.
pub async fn record(cx: &mut Cx, name: &str, outcome: &Value) -> Result<()> {
    store::operations::insert(&mut cx.tx, name, cx.now, outcome).await
}

/// What became of an operation.
pub async fn outcome(cx: &mut Cx, name: &str) -> Result<Value> {
    store::operations::find(&mut cx.tx, name)
        .await?
        .ok_or_else(|| ResourceError::OperationNotFound(name.to_owned()).into())
}
