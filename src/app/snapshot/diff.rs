//! Two worlds compared, in sentences about their resources.
//! Must not know: how a snapshot is kept, how it is loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Refusal, Result, SNAPSHOTS, folder, show};
use crate::app::{App, Cx, Options, status, world};
use crate::domain::Timestamp;
use crate::domain::access::Caller;
use crate::store;

/// Things by name, and what is said of each.
pub(super) type World = BTreeMap<String, BTreeMap<String, String>>;

/// Aspects of which the value says nothing to people.
const DOCUMENTS: [&str; 2] = ["properties", "tags"];

/// The world as it is now.
pub(super) async fn of_world(app: &Arc<App>) -> Result<World> {
    let mut cx = app.read(Caller::system()).await?;
    Ok(read(&mut cx).await?)
}

/// The world of a snapshot, looked at in a folder of its own: whether a registry is blocked is a question to a whole
/// emulator.
pub(super) async fn of_snapshot(app: &Arc<App>, name: &str) -> Result<World> {
    let about = show(app, name).await?;
    if about.schema > store::schema_version() {
        return Err(Refusal::Newer { name: name.to_owned(), acrite: about.acrite });
    }
    let look = app.data_dir().join(SNAPSHOTS).join(".tmp-look");
    store::snapshot::remove_if_there(&look);
    let (place, own, to) = (folder(app, name)?, app.data_dir().to_owned(), look.clone());
    super::blocking(move || store::snapshot::copy_rows(&place, &own, &to)).await?;
    let at: Timestamp = about.clock.simulated;
    let within = look.clone();
    let found = super::aside(move || look_into(within, at)).await;
    store::snapshot::remove_if_there(&look);
    found
}

async fn look_into(folder: std::path::PathBuf, at: Timestamp) -> crate::domain::Result<World> {
    let clock = Some(world::clock::Start { at: Some(at), rate: 1.0, frozen: true });
    let options = Options {
        data_dir: folder,
        ephemeral: true,
        revocation_delay: 0,
        replication_delay: 0,
        clock,
        audit_log: None,
        diagnostics: None,
    };
    let app = App::open(options).await?;
    let mut cx = app.read_now(Caller::system()).await?;
    let found = read(&mut cx).await;
    drop(cx);
    app.close().await;
    found
}

async fn read(cx: &mut Cx) -> crate::domain::Result<World> {
    let mut world = World::new();
    for (thing, aspect, value) in store::snapshot::things(&mut cx.tx).await? {
        let of_thing = world.entry(thing).or_default();
        if !aspect.is_empty() {
            of_thing.insert(aspect, value);
        }
    }
    for registry in status::registries(cx).await? {
        let of_thing = world.entry(format!("registry {}", registry.registry.name)).or_default();
        if let Some(cmk) = &registry.registry.cmk {
            of_thing.insert("key".to_owned(), cmk.versioned().to_string());
        }
        let state = registry.blocked.map_or_else(|| "open".to_owned(), |why| format!("blocked: {why}"));
        of_thing.insert(STATE.to_owned(), state);
    }
    Ok(world)
}

/// The aspect that is shown by its value alone.
const STATE: &str = "state";

/// What is different, a sentence each.
pub(super) fn sentences(before: &World, after: &World) -> Vec<String> {
    let mut said = Vec::new();
    let things: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for thing in things {
        match (before.get(thing), after.get(thing)) {
            (None, Some(_)) => said.push(format!("{thing}: added")),
            (Some(_), None) => said.push(format!("{thing}: removed")),
            (Some(old), Some(new)) => {
                let aspects: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                let changes = aspects.into_iter().filter_map(|aspect| change(aspect, old.get(aspect), new.get(aspect)));
                said.extend(changes.map(|change| format!("{thing}: {change}")));
            }
            (None, None) => {}
        }
    }
    said
}

fn change(aspect: &str, old: Option<&String>, new: Option<&String>) -> Option<String> {
    match (old, new) {
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) if DOCUMENTS.contains(&aspect) => Some(format!("{aspect} changed")),
        (Some(old), Some(new)) if aspect == STATE => Some(format!("{} -> {new}", old.split(':').next().unwrap_or(old))),
        (Some(old), Some(new)) => Some(format!("{aspect} changed: {old} -> {new}")),
        (None, Some(_)) if aspect == "deleted" => Some("deleted".to_owned()),
        (Some(_), None) if aspect == "deleted" => Some("recovered".to_owned()),
        (None, Some(_)) => Some(format!("{aspect} added")),
        (Some(_), None) => Some(format!("{aspect} removed")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(things: &[(&str, &[(&str, &str)])]) -> World {
        let aspects = |list: &[(&str, &str)]| list.iter().map(|(a, v)| ((*a).to_owned(), (*v).to_owned())).collect();
        things.iter().map(|(thing, list)| ((*thing).to_owned(), aspects(list))).collect()
    }

    #[test]
    fn differences_are_sentences_about_resources() {
        let before = world(&[
            ("key kv/k", &[("version 1", "enabled")]),
            ("registry acritecmk", &[("state", "open"), ("properties", "{}"), ("sku", "Premium")]),
            ("vault gone", &[]),
            ("repository r/a", &[("tag v1", "sha256:1"), ("tag v2", "sha256:2")]),
        ]);
        let after = world(&[
            ("key kv/k", &[("version 1", "disabled"), ("version 2", "enabled")]),
            ("registry acritecmk", &[("state", "blocked: policy removed"), ("properties", "{1}"), ("sku", "Premium")]),
            ("vault new", &[]),
            ("repository r/a", &[("tag v1", "sha256:3")]),
        ]);
        assert_eq!(
            sentences(&before, &after),
            [
                "key kv/k: version 1 changed: enabled -> disabled",
                "key kv/k: version 2 added",
                "registry acritecmk: properties changed",
                "registry acritecmk: open -> blocked: policy removed",
                "repository r/a: tag v1 changed: sha256:1 -> sha256:3",
                "repository r/a: tag v2 removed",
                "vault gone: removed",
                "vault new: added",
            ]
        );
        assert!(sentences(&after, &after).is_empty());
    }
}
