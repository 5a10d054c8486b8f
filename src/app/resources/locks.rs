//! Locks: made, found, taken away; and the question before each change of resource management whether one forbids it.
//! Must not know: which resources there are.

use serde_json::Value;

use super::groups;
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::{RequestError, ResourceError};
pub use crate::domain::resources::lock::{Change, Level, Lock};
use crate::store;

/// Refuses a change that a lock forbids.
pub async fn require(cx: &mut Cx, change: Change, scope: &str) -> Result<()> {
    let mut locked: Vec<String> = Vec::new();
    for lock in store::resources::locks::all(&mut cx.tx).await? {
        if lock.forbids(change, scope) && !locked.contains(&lock.scope) {
            locked.push(lock.scope);
        }
    }
    if locked.is_empty() {
        return Ok(());
    }
    Err(ResourceError::Locked { scope: scope.to_owned(), change: change.word(), by: locked.join(",") }.into())
}

/// The locks at a scope, and those in it if `below`.
pub async fn list(cx: &mut Cx, scope: &str, below: bool) -> Result<Vec<Lock>> {
    let mut found = store::resources::locks::all(&mut cx.tx).await?;
    found.retain(|lock| if below { lock.is_within(scope) } else { lock.scope.eq_ignore_ascii_case(scope) });
    Ok(found)
}

/// A lock of a scope.
pub async fn find(cx: &mut Cx, scope: &str, name: &str) -> Result<Option<Lock>> {
    let mut found = list(cx, scope, false).await?;
    found.retain(|lock| lock.name.eq_ignore_ascii_case(name));
    Ok(found.pop())
}

/// Makes a lock, or changes it. `true`: it is new.
pub async fn put(cx: &mut Cx, scope: &str, name: &str, properties: &Value) -> Result<(Lock, bool)> {
    let mut path = scope.split('/').skip(1);
    if let (Some("subscriptions"), Some(_), Some(word), Some(group)) =
        (path.next(), path.next(), path.next(), path.next())
        && word.eq_ignore_ascii_case("resourceGroups")
    {
        groups::get(cx, group).await?;
    }
    let level = properties["level"].as_str().and_then(Level::read).ok_or_else(|| {
        let message = format!("{} is neither CanNotDelete nor ReadOnly", properties["level"]);
        RequestError::InvalidValue { property: "level".to_owned(), message }
    })?;
    let new = find(cx, scope, name).await?.is_none();
    let notes = properties["notes"].as_str().map(str::to_owned);
    let lock =
        Lock { scope: scope.to_owned(), name: name.to_owned(), level, notes, owners: properties["owners"].clone() };
    store::resources::locks::save(&mut cx.tx, &lock).await?;
    Ok((lock, new))
}

/// Takes a lock away. `false`: there was none.
pub async fn delete(cx: &mut Cx, scope: &str, name: &str) -> Result<bool> {
    let Some(lock) = find(cx, scope, name).await? else { return Ok(false) };
    store::resources::locks::delete(&mut cx.tx, &lock).await?;
    Ok(true)
}
