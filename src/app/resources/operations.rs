//! Long-running operations: begun, done at once, and kept for whoever polls.
//! Must not know: what was done.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Cx};
use crate::domain::Error;
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::error::ResourceError;
use crate::store;

/// Records an operation that has succeeded. Returns its name, `{kind}-{guid}`.
pub async fn succeeded(cx: &mut Cx, kind: &str) -> Result<String> {
    ended(cx, kind, &json!({"status": "Succeeded"})).await
}

/// Records an operation that has ended as `outcome` says. Returns its name, `{kind}-{guid}`.
pub async fn ended(cx: &mut Cx, kind: &str, outcome: &Value) -> Result<String> {
    ended_as(cx, kind, &outcome.to_string()).await
}

/// The same where the outcome is JSON already.
pub async fn ended_as(cx: &mut Cx, kind: &str, outcome: &str) -> Result<String> {
    let name = format!("{kind}-{}", cx.guid());
    store::resources::operations::insert(&mut cx.tx, &name, cx.now, outcome).await?;
    Ok(name)
}

/// Records what became of an operation: `{"status": …, "error": …}`.
pub async fn record(cx: &mut Cx, name: &str, outcome: &Value) -> Result<()> {
    store::resources::operations::insert(&mut cx.tx, name, cx.now, &outcome.to_string()).await
}

/// The operations that are still under way.
#[derive(Debug, Default)]
pub struct Running(Mutex<HashSet<String>>);

impl Running {
    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation under way; it is not any more, however its task ends.
struct UnderWay(Arc<App>, String);

impl UnderWay {
    fn new(app: &Arc<App>, name: &str) -> Self {
        app.running.names().insert(name.to_owned());
        Self(app.clone(), name.to_owned())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.running.names().remove(&self.1);
    }
}

/// How long an answer waits for an operation that is carried out beside it: most are done by then.
const PATIENCE: Duration = Duration::from_secs(3);

/// Carries an operation out beside requests, and records its outcome. It ends with the emulator.
pub async fn carry_out(app: &Arc<App>, name: &str, work: impl Future<Output = Value> + Send + 'static) {
    let under_way = UnderWay::new(app, name);
    let task = tokio::spawn(async move {
        let outcome = work.await;
        let UnderWay(app, name) = &under_way;
        let recorded = async {
            let mut cx = app.write(Caller::system()).await?;
            record(&mut cx, name, &outcome).await?;
            cx.commit().await
        };
        if let Err(error) = recorded.await {
            tracing::error!(operation = %name, %error, "what became of an operation could not be recorded");
        }
    });
    let _ = tokio::time::timeout(PATIENCE, task).await;
}

/// What became of an operation; `{"status": "Accepted"}` while it is under way.
pub async fn outcome(app: &Arc<App>, caller: Caller, name: &str) -> Result<Value> {
    serde_json::from_str(&outcome_text(app, caller, name).await?).map_err(Error::internal)
}

/// The same as JSON.
pub async fn outcome_text(app: &Arc<App>, caller: Caller, name: &str) -> Result<String> {
    // Asked before the store is: what ends in between is found there.
    if app.running.names().contains(name) {
        return Ok(json!({"status": "Accepted"}).to_string());
    }
    let mut cx = app.read(caller).await?;
    store::resources::operations::find(&mut cx.tx, name)
        .await?
        .ok_or_else(|| ResourceError::OperationNotFound(name.to_owned()).into())
}
