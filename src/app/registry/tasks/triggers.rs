//! What starts runs of tasks by itself: timers, when they are due, and images that a task builds on, when they are pushed.
//! Source triggers are kept and never fire: nobody tells the emulator of commits.
//! Must not know: how a run is carried out.

use serde_json::{Value, json};

use super::runs;
use crate::app::Cx;
use crate::app::registry::children;
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::registry::tasks::cron::Schedule;
use crate::domain::{Error, Result};
use crate::store;
use crate::store::registry::tasks::timers::{self, Timer};

fn on(value: &Value) -> bool {
    !value["status"].as_str().is_some_and(|s| s.eq_ignore_ascii_case("Disabled"))
}

fn is_enabled(task: &Child) -> bool {
    !task.disabled()
}

/// Sets a task's timers by its document. One that is there and says the same stays as it was wound.
pub(super) async fn wind(cx: &mut Cx, task: &Child) -> Result<()> {
    let before = timers::of(&mut cx.tx, task.id).await?;
    let mut after = Vec::new();
    let trigger = task.properties.get("trigger").cloned().unwrap_or_default();
    for timer in trigger["timerTriggers"].as_array().into_iter().flatten() {
        let (name, schedule) =
            (timer["name"].as_str().unwrap_or_default(), timer["schedule"].as_str().unwrap_or_default());
        if !on(timer) || !is_enabled(task) {
            continue;
        }
        let same = before.iter().find(|t| t.name.eq_ignore_ascii_case(name) && t.schedule == schedule);
        let next = Schedule::parse(schedule).ok().and_then(|s| s.next(cx.now));
        let Some(due) = same.map(|t| t.due).or(next) else { continue };
        after.push(Timer { task: task.id, name: name.to_owned(), schedule: schedule.to_owned(), due });
    }
    timers::set(&mut cx.tx, task.id, &after).await
}

/// Starts the runs of all timers that are due, in their order.
pub(super) async fn ring(cx: &mut Cx) -> Result<()> {
    for timer in timers::due(&mut cx.tx, cx.now).await? {
        let next = Schedule::parse(&timer.schedule).ok().and_then(|s| s.next(timer.due));
        timers::wind(&mut cx.tx, &timer, next).await?;
        let Some(task) = store::registry::children::by_id(&mut cx.tx, Kind::TASK, timer.task).await? else { continue };
        let Some(registry) = store::registry::registries::by_id(&mut cx.tx, task.registry).await? else { continue };
        let why = json!({"timerTriggerName": timer.name, "scheduleOccurrence": timer.due.offset7()});
        run(cx, &registry, &task, ("timerTrigger", why)).await?;
    }
    Ok(())
}

async fn run(cx: &mut Cx, registry: &Registry, task: &Child, why: (&str, Value)) -> Result<()> {
    match runs::trigger(cx, registry, task, why).await {
        Ok(_) => Ok(()),
        Err(failure @ (Error::Unavailable(_) | Error::Internal(_))) => Err(failure),
        Err(refusal) => {
            tracing::info!(task = %task.name, %refusal, "a trigger started no run");
            Ok(())
        }
    }
}

/// Starts the tasks that build on what was pushed in a context that is about to be committed.
pub(in crate::app) async fn look(cx: &mut Cx) -> Result<()> {
    for (registry, event) in cx.events.clone() {
        if let Some((repository, tag, digest)) = event.pushed() {
            pushed(cx, &registry, repository, tag, digest).await?;
        }
    }
    Ok(())
}

/// Starts the tasks that build on an image which was pushed: once for each push that changes what it is.
async fn pushed(cx: &mut Cx, registry: &Registry, repository: &str, tag: &str, digest: &str) -> Result<()> {
    let server = registry.login_server();
    for task in store::registry::children::all_of(&mut cx.tx, Kind::TASK).await? {
        if !is_enabled(&task) || !waits_for(&task, &server, repository, tag, digest) {
            continue;
        }
        let Some(own) = store::registry::registries::by_id(&mut cx.tx, task.registry).await? else { continue };
        let image = json!({"registry": server, "repository": repository, "tag": tag, "digest": digest});
        let why = json!({"id": cx.guid(), "timestamp": cx.now.offset7(), "images": [image]});
        // Not as whoever has pushed.
        let pusher = cx.act_as(Caller::system());
        let started = start(cx, &own, task, why, (&server, repository, tag, digest)).await;
        cx.act_as(pusher);
        started?;
    }
    Ok(())
}

async fn start(
    cx: &mut Cx,
    own: &Registry,
    task: Child,
    why: Value,
    (server, repository, tag, digest): (&str, &str, &str, &str),
) -> Result<()> {
    run(cx, own, &task, ("imageUpdateTrigger", why)).await?;
    // What it waits for next is another one.
    let Some(mut task) = children::find(cx, own, Kind::TASK, &task.name).await? else { return Ok(()) };
    if let Some(Value::Array(images)) = task.properties.get_mut("step").and_then(|s| s.get_mut("baseImageDependencies"))
    {
        for image in images.iter_mut().filter(|i| is_image(i, server, repository, tag)) {
            image["digest"] = json!(digest);
        }
    }
    store::registry::children::put(&mut cx.tx, &task).await.map(|_| ())
}

fn is_image(image: &Value, server: &str, repository: &str, tag: &str) -> bool {
    image["registry"] == server && image["repository"] == repository && image["tag"] == tag
}

fn waits_for(task: &Child, server: &str, repository: &str, tag: &str, digest: &str) -> bool {
    let trigger = task.properties.get("trigger").map(|t| t["baseImageTrigger"].clone()).unwrap_or_default();
    if !trigger.is_object() || !on(&trigger) {
        return false;
    }
    let all = trigger["baseImageTriggerType"].as_str().is_some_and(|t| t.eq_ignore_ascii_case("All"));
    let images = task.properties.get("step").and_then(|s| s["baseImageDependencies"].as_array());
    images.into_iter().flatten().any(|image| {
        (all || image["type"] == "Runtime") && is_image(image, server, repository, tag) && image["digest"] != digest
    })
}
