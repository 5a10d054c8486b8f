//! Resource groups: create, change, find. Deleting one is cascade's.
//! Must not know: what lies in them.

use serde_json::Value;

use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::domain::world::name;
use crate::store;
pub use crate::store::resources::groups::Group;

/// A group by name.
pub async fn get(cx: &mut Cx, group: &str) -> Result<Group> {
    let found = store::resources::groups::find(&mut cx.tx, group).await?;
    found.ok_or_else(|| ResourceError::GroupNotFound(group.to_owned()).into())
}

/// All groups.
pub async fn list(cx: &mut Cx) -> Result<Vec<Group>> {
    store::resources::groups::all(&mut cx.tx).await
}

/// Creates a group, or changes its tags. `true`: it is new.
pub async fn put(cx: &mut Cx, group: &str, location: Option<&str>, tags: Option<Value>) -> Result<(Group, bool)> {
    put_managed(cx, group, location, tags, None).await
}

/// The same of a group that a resource manages. Later ones need not name it again [recorded].
pub async fn put_managed(
    cx: &mut Cx,
    group: &str,
    location: Option<&str>,
    tags: Option<Value>,
    managed_by: Option<&str>,
) -> Result<(Group, bool)> {
    if !name::is_resource_group(group) {
        return Err(ResourceError::NameInvalid { name: group.to_owned(), kind: "resourceGroups".to_owned() }.into());
    }
    let wanted = location.map(name::location);
    let managed_by = managed_by.map(str::to_owned);
    let (saved, new) = match store::resources::groups::find(&mut cx.tx, group).await? {
        Some(found) => {
            if let Some(wanted) = wanted.filter(|w| *w != found.location) {
                return Err(ResourceError::LocationFixed { name: found.name, existing: found.location, wanted }.into());
            }
            let (tags, managed_by) = (tags.unwrap_or(found.tags.clone()), managed_by.or(found.managed_by.clone()));
            (Group { tags, managed_by, ..found }, false)
        }
        None => {
            let location = wanted.ok_or(ResourceError::LocationMissing)?;
            let tags = tags.unwrap_or(Value::Null);
            (Group { name: group.to_owned(), location, tags, managed_by, created_at: cx.now }, true)
        }
    };
    store::resources::groups::save(&mut cx.tx, &saved).await?;
    Ok((saved, new))
}
