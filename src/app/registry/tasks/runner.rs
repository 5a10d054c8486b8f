//! Carries runs out: takes those that wait, as many at a time as there are places, and records how each ends. A run that was
//! under way when the process died is recorded as lost at the next start; those that wait begin then.
//! Must not know: what a step does (see steps), which builder there is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::builder::Builder;
use super::log::{End, Log, stamped};
use super::reason::reason;
use super::steps::{Done, Job};
use super::{artifact, blobs, runs, steps};
use crate::app::registry::children;
use crate::app::world::work;
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::child::Kind;
use crate::domain::registry::tasks::run::{Run, Status};
use crate::domain::{Error, Result};
use crate::store;

/// How long a stop waits for runs to end.
const STOPPING: Duration = Duration::from_secs(4);
/// The pause before what could not be written is written again. Machine time: the disk is the machine's.
const RETRY: Duration = Duration::from_secs(1);
/// What is said of a run that a client of another machine asked for: it would run on this one.
const ELSEWHERE: &str =
    "The run was asked for by a client of another machine. Start acrite with --builder to let it run on this one.";
/// What is said of a run whose agent is gone.
const LOST: &str = "The run was interrupted: the emulator stopped while it was under way.";

/// At the start: runs that were under way are lost, and logs that have no end get one.
pub(in crate::app) async fn settle_in(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    let mut left = store::registry::tasks::runs::with_status(&mut tx, Status::Started).await?;
    left.extend(store::registry::tasks::runs::with_status(&mut tx, Status::Running).await?);
    let open = store::registry::tasks::runs::with_open_logs(&mut tx).await?;
    drop(tx);
    let mut cx = app.write_now(Caller::system()).await?;
    store::registry::tasks::blobs::delete_unfinished(&mut cx.tx).await?;
    for run in left {
        end(&mut cx, run.id, &Done::default(), &[], &End::new(Status::Error, LOST)).await?;
    }
    for run in open {
        end(&mut cx, run.id, &Done::default(), &[], &End { status: run.status, message: None }).await?;
    }
    let waiting = app.clone();
    cx.tx.then(move || waiting.tasks.wake.notify_one());
    cx.commit().await
}

/// Gives the emulator its builder, and begins to carry runs out. Ends with the app.
pub(in crate::app) fn start(app: &Arc<App>, builder: Arc<dyn Builder>) {
    let _ = app.tasks.builder.set(builder.clone());
    let wake = app.tasks.wake.clone();
    let app = Arc::downgrade(app);
    tokio::spawn(async move {
        loop {
            let Some(app) = app.upgrade() else { return };
            match begin_next(&app, &builder).await {
                Ok(true) => continue,
                Ok(false) => drop(app),
                Err(error) => {
                    tracing::error!("runs cannot be begun: {error}");
                    drop(app);
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            }
            wake.notified().await;
        }
    });
}

/// Ends all runs that are under way, and waits for that.
pub(in crate::app) async fn stop(app: &App) {
    app.tasks.stopping.send_replace(true);
    let ended = async {
        loop {
            let next = app.tasks.ended.notified();
            if app.tasks.running().is_empty() {
                return;
            }
            next.await;
        }
    };
    if tokio::time::timeout(STOPPING, ended).await.is_err() {
        tracing::warn!("some runs were still ending and were cut off");
    }
}

/// A run's place. It is free again however its task ends.
struct Place(Arc<App>, i64);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.tasks.running().remove(&self.1);
        self.0.tasks.wake.notify_one();
        self.0.tasks.ended.notify_waiters();
    }
}

/// Begins the first run that waits and for which there is a place. `false`: there is none.
async fn begin_next(app: &Arc<App>, builder: &Arc<dyn Builder>) -> Result<bool> {
    if *app.tasks.stopping.borrow() || app.tasks.running().len() >= work::places().max(2) {
        return Ok(false);
    }
    let mut cx = app.read_now(Caller::system()).await?;
    let waiting = store::registry::tasks::runs::with_status(&mut cx.tx, Status::Queued).await?;
    drop(cx);
    for waiting in waiting {
        let mut cx = app.write_now(Caller::system()).await?;
        let found = store::registry::tasks::runs::by_id(&mut cx.tx, waiting.id).await?;
        let Some(mut run) = found.filter(|r| r.status == Status::Queued) else { continue };
        let registry = store::registry::registries::by_id(&mut cx.tx, run.registry).await?;
        let Some(registry) = registry else { continue };
        let pool = run.pool().map(|pool| (registry.id, pool.to_ascii_lowercase()));
        if let Some((_, name)) = &pool
            && !has_place(&mut cx, app, &registry, name).await?
        {
            continue;
        }
        let order = runs::order_of(&mut cx, &registry, &run).await;
        if let Err(failure @ (Error::Unavailable(_) | Error::Internal(_))) = order {
            return Err(failure);
        }
        let place = Place(app.clone(), run.id);
        app.tasks.running().insert(run.id, pool);
        run.status = Status::Running;
        run.started_at = Some(cx.now);
        run.updated_at = cx.now;
        store::registry::tasks::runs::save(&mut cx.tx, &run).await?;
        cx.commit().await?;
        let (app, builder) = (app.clone(), builder.clone());
        tokio::spawn(async move {
            let (log, done, end) = match order {
                Ok(order) => carry(&app, &builder, registry, run.clone(), order).await,
                Err(refusal) => (Vec::new(), Done::default(), End::new(Status::Failed, reason(&refusal))),
            };
            record(&app, run.id, &done, log, &end).await;
            drop(place);
        });
        return Ok(true);
    }
    Ok(false)
}

/// Whether an agent pool has an agent that is free. A pool that was deleted has none.
async fn has_place(cx: &mut Cx, app: &App, registry: &Registry, pool: &str) -> Result<bool> {
    let Some(found) = children::find(cx, registry, Kind::AGENT_POOL, pool).await? else { return Ok(false) };
    let count = found.properties.get("count").and_then(Value::as_u64).unwrap_or(1);
    let taken = app.tasks.running().values().flatten().filter(|(r, p)| *r == registry.id && p == pool).count();
    Ok((taken as u64) < count)
}

/// Carries a run out, until it ends or is to go on no more. Returns what of its log is not kept yet.
async fn carry(
    app: &Arc<App>,
    builder: &Arc<dyn Builder>,
    registry: Registry,
    run: Run,
    order: crate::domain::registry::tasks::order::Order,
) -> (Vec<u8>, Done, End) {
    let (mut log, said) = Log::new(run.id);
    log.hide(order.secrets());
    let mut stopping = app.tasks.stopping.subscribe();
    if runs::asker(&run).is_some_and(|from| !from.to_canonical().is_loopback()) && !builder.is_for_others() {
        log.take(&stamped(app.now(), ELSEWHERE));
        return (log.rest(), Done::default(), End::new(Status::Failed, ELSEWHERE));
    }
    let mut agent = match builder.agent().await {
        Ok(agent) => agent,
        Err(why) => {
            log.take(&stamped(app.now(), &why));
            return (log.rest(), Done::default(), End::new(Status::Failed, why));
        }
    };
    let limit = Duration::from_secs(order.timeout);
    let template = order.log_template.clone().filter(|_| registry.cmk.is_some());
    let own = registry.clone();
    let mut job = Job { app, registry, run, order, agent: agent.as_mut(), said, done: Done::default() };
    let end = tokio::select! {
        biased;
        _ = stopping.wait_for(|stop| *stop) => End::new(Status::Error, LOST),
        end = log.follow(app) => end,
        end = tokio::time::timeout(limit, job.carry_out()) => end.unwrap_or_else(|_| {
            End::new(Status::Timeout, format!("The run took longer than {} seconds.", limit.as_secs()))
        }),
    };
    let mut done = std::mem::take(&mut job.done);
    let (words, run) = (job.words(), job.run.clone());
    drop(job);
    agent.end().await;
    let mut rest = log.rest();
    if let Some(template) = template {
        match artifact::keep(app, &own, &run, (&template, &words), &rest).await {
            Ok(kept) => done.log = Some(kept),
            Err(why) => {
                let line =
                    format!("{}\r\n", stamped(app.now(), &format!("The log was not kept as an artifact: {why}")));
                rest.extend_from_slice(line.as_bytes());
            }
        }
    }
    (rest, done, end)
}

/// Records how a run has ended. What cannot be written now is tried until it can, or the emulator stops.
async fn record(app: &Arc<App>, run: i64, done: &Done, log: Vec<u8>, how: &End) {
    loop {
        let recorded = async {
            let mut cx = app.write_now(Caller::system()).await?;
            end(&mut cx, run, done, &log, how).await?;
            cx.commit().await
        };
        match recorded.await {
            Ok(()) => return,
            Err(Error::Unavailable(_)) if !*app.tasks.stopping.borrow() => tokio::time::sleep(RETRY).await,
            Err(error) => {
                tracing::error!("the end of a run cannot be recorded: {error}");
                return;
            }
        }
    }
}

/// Ends a run and its log. A run that was cancelled meanwhile stays so; while the registry's key cannot be used its log is
/// not written.
async fn end(cx: &mut Cx, run: i64, done: &Done, log: &[u8], how: &End) -> Result<()> {
    let Some(mut run) = store::registry::tasks::runs::by_id(&mut cx.tx, run).await? else { return Ok(()) };
    let Some(registry) = store::registry::registries::by_id(&mut cx.tx, run.registry).await? else { return Ok(()) };
    if !run.status.is_final() {
        run.end(how.status, how.message.as_deref(), cx.now);
    }
    if !done.images.is_empty() {
        run.document.insert("outputImages".to_owned(), json!(done.images));
    }
    if let Some(kept) = &done.log {
        run.document.insert("logArtifact".to_owned(), kept.clone());
    }
    let mut text = log.to_vec();
    text.extend_from_slice(last_line(cx, &run).as_bytes());
    match blobs::append_log(cx, &registry, &run, &text, Some(run.status.in_log())).await {
        Ok(()) => {}
        Err(failure) if failure.is_failure() => return Err(failure),
        Err(refusal) => {
            run.document.entry("runErrorMessage").or_insert_with(|| json!(reason(&refusal)));
        }
    }
    store::registry::tasks::runs::save(&mut cx.tx, &run).await?;
    if run.status == Status::Succeeded {
        remember(cx, &registry, &run, &done.bases).await?;
    }
    Ok(())
}

fn last_line(cx: &Cx, run: &Run) -> String {
    let seconds = run.started_at.map_or(0, |began| (run.finished_at.unwrap_or(cx.now).0 - began.0) / 1_000_000);
    let name = run.name();
    match run.status {
        Status::Succeeded => format!("\r\nRun ID: {name} was successful after {seconds}s\r\n"),
        Status::Canceled => format!("\r\nRun ID: {name} was canceled after {seconds}s\r\n"),
        status => {
            let message = run.document.get("runErrorMessage").and_then(Value::as_str).unwrap_or(status.as_str());
            format!("\r\nRun ID: {name} failed after {seconds}s. Error: {message}\r\n")
        }
    }
}

/// Keeps what a task builds on: its trigger waits for that.
async fn remember(cx: &mut Cx, registry: &Registry, run: &Run, bases: &[Value]) -> Result<()> {
    let (Some(task), false) = (&run.task, bases.is_empty()) else { return Ok(()) };
    let Some(mut task) = children::find(cx, registry, Kind::TASK, task).await? else { return Ok(()) };
    if let Some(Value::Object(step)) = task.properties.get_mut("step") {
        step.insert("baseImageDependencies".to_owned(), json!(steps::merged(bases)));
        store::registry::children::put(&mut cx.tx, &task).await?;
    }
    Ok(())
}
