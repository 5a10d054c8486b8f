//! Names and values of tags: made by themselves, or by the resources that have them.
//! Must not know: which resources there are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::groups;
use crate::app::Cx;
use crate::domain::Result;
use crate::domain::error::ResourceError;
use crate::store;

/// A name of tags: in which case, and how many resources have it with which value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagName {
    pub name: String,
    pub values: BTreeMap<String, usize>,
}

/// All names that were made, or that groups or the given resources have.
pub async fn all(cx: &mut Cx, resources: &[Value]) -> Result<Vec<TagName>> {
    let mut names: BTreeMap<String, TagName> = BTreeMap::new();
    let mut add = |name: &str, value: Option<&str>, count: usize| {
        let entry = names.entry(name.to_lowercase()).or_default();
        if entry.name.is_empty() {
            entry.name = name.to_owned();
        }
        if let Some(value) = value {
            *entry.values.entry(value.to_owned()).or_default() += count;
        }
    };
    for (name, value) in store::resources::tag_names::all(&mut cx.tx).await? {
        add(&name, value.as_deref(), 0);
    }
    let groups = groups::list(cx).await?;
    let tags = groups.iter().map(|group| &group.tags).chain(resources.iter().map(|item| &item["tags"]));
    for (name, value) in tags.filter_map(Value::as_object).flatten() {
        add(name, Some(value.as_str().unwrap_or_default()), 1);
    }
    Ok(names.into_values().collect())
}

/// Makes a name, or a value of one that is there.
pub async fn add(cx: &mut Cx, name: &str, value: Option<&str>, known: &[TagName]) -> Result<()> {
    if value.is_some() && !known.iter().any(|tag| tag.name.eq_ignore_ascii_case(name)) {
        return Err(ResourceError::ChildNotFound(name.to_owned()).into());
    }
    store::resources::tag_names::add(&mut cx.tx, name, value).await
}

/// Removes a name, or a value. What resources have stays theirs.
pub async fn delete(cx: &mut Cx, name: &str, value: Option<&str>) -> Result<()> {
    store::resources::tag_names::delete(&mut cx.tx, name, value).await
}
