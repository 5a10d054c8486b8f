//! ACR Tasks of a registry: tasks, runs, and a run's log as far as it has come.
//! Must not know: how a run is carried out.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::form;
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, items, segment, text, word};

/// The api-version in which tasks are asked for.
const API: &str = "2025-03-01-preview";

pub(super) async fn tasks(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr task list --registry {} --output table", word(&target.name)));
    let list = v.arm_at("GET", &format!("{}/tasks", target.id), API, Value::Null).await?;
    let all: Vec<&Value> = items(&list).collect();
    let (page, pages) = form::paged(v, &all);
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|task| {
            let (name, triggers) = (text(task, "/name"), &task["properties"]["trigger"]["timerTriggers"]);
            let timers: Vec<&str> = triggers.as_array().into_iter().flatten().map(|t| text(t, "/schedule")).collect();
            vec![
                html! { a href=(target.to(&format!("task/{}", segment(name)))) { (name) } },
                html! { (text(task, "/properties/status")) },
                html! { (text(task, "/properties/step/type")) },
                html! { (timers.join(", ")) },
            ]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::TASKS, &[l::NAME, l::STATUS, l::STEP, l::TIMERS], &rows))
        (pages)
    })
}

fn task_id(target: &Target) -> String {
    format!("{}/tasks/{}", target.id, segment(target.rest(0)))
}

pub(super) async fn task(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr task show --registry {} --name {}", word(&target.name), word(target.rest(0))));
    let task = v.arm_at("GET", &task_id(target), API, Value::Null).await?;
    Ok(html! {
        (form::facts(v, &[
            (l::STATUS, html! { (text(&task, "/properties/status")) }),
            (l::STEP, html! { (text(&task, "/properties/step/type")) }),
            (l::CREATED, html! { (text(&task, "/properties/creationDate")) }),
            (l::PROVISIONING_STATE, html! { (text(&task, "/properties/provisioningState")) }),
        ]))
        (form::button(v, "run", l::RUN_TASK, target.rest(0), &[]))
        (form::delete(v, target.rest(0)))
    })
}

pub(super) async fn act_on_task(v: &mut Visit, target: &Target) -> Answer<Next> {
    let (id, registry, name) = (task_id(target), word(&target.name), word(target.rest(0)));
    if v.typed("do") == "run" {
        let body = json!({"type": "TaskRunRequest", "taskId": id});
        let run = v.arm_at("POST", &format!("{}/scheduleRun", target.id), API, body).await?;
        v.az(format!("az acr task run --registry {registry} --name {name}"));
        return Ok(Next::To(target.to(&format!("run/{}", segment(text(&run, "/properties/runId"))))));
    }
    if v.typed("confirm") != target.rest(0) {
        return Err(Refusal::of_form("confirm", v.t(l::TYPE_NAME_TO_DELETE)));
    }
    v.arm_at("DELETE", &id, API, Value::Null).await?;
    v.az(format!("az acr task delete --registry {registry} --name {name}"));
    Ok(Next::To(target.to("tasks")))
}

pub(super) async fn runs(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr task list-runs --registry {} --output table", word(&target.name)));
    let list = match v.asked("after").to_owned() {
        next if next.is_empty() => v.arm_at("GET", &format!("{}/runs", target.id), API, Value::Null).await?,
        next => v.follow(&next).await?,
    };
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|run| {
            let id = text(run, "/properties/runId");
            vec![
                html! { a href=(target.to(&format!("run/{}", segment(id)))) { (id) } },
                html! { (text(run, "/properties/task")) },
                html! { (text(run, "/properties/status")) },
                html! { (text(run, "/properties/createTime")) },
            ]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::RUNS, &[l::RUN, l::TASK, l::STATUS, l::CREATED], &rows))
        (form::onwards(v, list["nextLink"].as_str()))
    })
}

fn run_id(target: &Target) -> String {
    format!("{}/runs/{}", target.id, segment(target.rest(0)))
}

/// Whether a run is not over: its page loads itself again.
fn goes_on(run: &Value) -> bool {
    matches!(text(run, "/properties/status"), "Queued" | "Started" | "Running")
}

pub(super) async fn run(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr task logs --registry {} --run-id {}", word(&target.name), word(target.rest(0))));
    let run = v.arm_at("GET", &run_id(target), API, Value::Null).await?;
    let link = v.arm_at("POST", &format!("{}/listLogSasUrl", run_id(target)), API, json!({})).await;
    let log = match &link {
        Ok(link) => v.linked(text(link, "/logLink")).await,
        Err(refusal) => Err(refusal.clone()),
    };
    Ok(html! {
        (form::facts(v, &[
            (l::STATUS, html! { (text(&run, "/properties/status")) }),
            (l::TASK, html! { (text(&run, "/properties/task")) }),
            (l::CREATED, html! { (text(&run, "/properties/createTime")) }),
            (l::FINISHED, html! { (text(&run, "/properties/finishTime")) }),
            (l::MESSAGE, html! { (text(&run, "/properties/runErrorMessage")) }),
        ]))
        section data-reload[goes_on(&run)] {
            h2 { (v.t(l::LOG)) }
            @match &log {
                Ok(log) => pre tabindex="0" { (log) },
                Err(refusal) => (form::said(refusal)),
            }
        }
        @if goes_on(&run) { (form::button(v, "cancel", l::CANCEL_RUN, target.rest(0), &[])) }
    })
}

pub(super) async fn cancel_run(v: &mut Visit, target: &Target) -> Answer<Next> {
    v.arm_at("POST", &format!("{}/cancel", run_id(target)), API, json!({})).await?;
    v.az(format!("az acr task cancel-run --registry {} --run-id {}", word(&target.name), word(target.rest(0))));
    Ok(Next::To(v.here.clone()))
}
