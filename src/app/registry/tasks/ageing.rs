//! What time does to tasks: logs and runs whose time is over go, timers are due.
//! Must not know: who moves time.

use crate::app::Cx;
use crate::domain::registry::tasks::run::{KEPT, KEPT_CMK, KEPT_SOURCE};
use crate::domain::{Result, Timestamp};
use crate::store::registry::tasks::{blobs, runs, timers};

const BLOBS: (i64, i64, i64) = (KEPT, KEPT_CMK, KEPT_SOURCE);

/// When the next thing is due.
pub async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    let blob = blobs::due(&mut cx.tx, BLOBS).await?;
    let run = runs::first_end(&mut cx.tx).await?.map(|end| end.plus(KEPT));
    let timer = timers::next(&mut cx.tx).await?;
    Ok([blob, run, timer].into_iter().flatten().min())
}

/// Does all that is due at the context's instant.
pub async fn do_due(cx: &mut Cx) -> Result<()> {
    blobs::purge(&mut cx.tx, BLOBS, cx.now).await?;
    runs::purge(&mut cx.tx, cx.now.plus(-KEPT)).await?;
    super::triggers::ring(cx).await
}
