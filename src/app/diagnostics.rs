//! Where diagnostic settings have records written: read from the store, and given to the audit log in the order of the
//! commits that changed them.
//! Must not know: how records are written.

use crate::app::Cx;
use crate::domain::Result;
use crate::domain::registry::resource_log::{LOGIN, REPOSITORY};
use crate::domain::resources::diagnostics::{DIAGNOSTICS, Setting};
use crate::store::Tx;
use crate::store::resources::neighbours;
use crate::store::world::diagnostics::{Route, Sink};

/// What is emulated of the logs that settings can name.
const CATEGORIES: [&str; 3] = ["AuditEvent", LOGIN, REPOSITORY];

/// All ways that records go. Event hubs and partners get none.
pub(super) async fn routes(tx: &mut Tx) -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    for setting in neighbours::list(tx, DIAGNOSTICS, None).await?.into_iter().map(Setting) {
        let categories: Vec<&str> = CATEGORIES.into_iter().filter(|category| setting.wants(category)).collect();
        for (name, place) in setting.sinks() {
            let sink = match name {
                "storageAccountId" => Sink::Storage,
                "workspaceId" => Sink::Workspace,
                _ => continue,
            };
            let (resource, place) = (setting.0.scope.clone(), place.to_owned());
            routes.push(Route { resource, categories: categories.clone(), sink, place });
        }
    }
    Ok(routes)
}

/// Has records go by the settings that the context changed, once they last.
pub(super) async fn write_out(cx: &mut Cx) -> Result<()> {
    if !cx.tx.has_written(neighbours::TABLE) {
        return Ok(());
    }
    let routes = routes(&mut cx.tx).await?;
    let app = cx.app.clone();
    cx.tx.then(move || app.audit.follow(routes));
    Ok(())
}
