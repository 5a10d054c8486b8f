//! Deployments of a group with their operations, and a template of the visitor's own.
//! Must not know: how a template is carried out.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target, to};
use super::create::required;
use super::form;
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, group_id, items, segment, subscription, text, word};

pub(super) async fn list(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az deployment group list --resource-group {} --output table", word(&target.group)));
    let after = v.asked("after").to_owned();
    let list = match after.as_str() {
        "" => v.arm("GET", &format!("{}/providers/Microsoft.Resources/deployments", target.id), Value::Null).await?,
        link => v.follow(link).await?,
    };
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|d| {
            let name = text(d, "/name");
            let url = target.to(&format!("deployment/{}", segment(name)));
            let p = &d["properties"];
            vec![
                html! { a href=(url) { (name) } },
                html! { (text(p, "/provisioningState")) },
                html! { (text(p, "/timestamp")) },
                html! { (text(p, "/duration")) },
            ]
        })
        .collect();
    Ok(html! {
        p.commands { a href={"/portal/create-deployment?group=" (segment(&target.group))} { (v.t(l::DEPLOY_TEMPLATE)) } }
        (form::table(v, l::DEPLOYMENTS, &[l::NAME, l::STATUS, l::TIME, l::DURATION], &rows))
        (form::onwards(v, list["nextLink"].as_str()))
    })
}

pub(super) async fn show(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let name = target.rest(0).to_owned();
    v.az(format!("az deployment group show --resource-group {} --name {}", word(&target.group), word(&name)));
    let path = format!("{}/providers/Microsoft.Resources/deployments/{}", target.id, segment(&name));
    let deployment = v.arm("GET", &path, Value::Null).await?;
    let p = &deployment["properties"];
    let state = text(p, "/provisioningState").to_owned();
    let is_under_way = !["Succeeded", "Failed", "Canceled"].contains(&state.as_str());
    let operations = v.arm("GET", &format!("{path}/operations"), Value::Null).await?;
    let error = p["error"].is_object().then(|| Refusal::read(400, &json!({"error": p["error"]})));
    let rows: Vec<Vec<Markup>> = items(&operations)
        .map(|o| {
            let o = &o["properties"];
            let (id, kind) = (text(o, "/targetResource/id"), text(o, "/targetResource/resourceType"));
            // What is done to no resource is named by itself.
            let name = match text(o, "/targetResource/resourceName") {
                "" => text(o, "/provisioningOperation"),
                name => name,
            };
            vec![
                html! { @if super::home::has_pages(kind) { a href=(to(id, "overview")) { (name) } } @else { (name) } },
                html! { (kind) },
                html! { (text(o, "/provisioningState")) },
                html! { (text(o, "/statusMessage/error/message")) },
            ]
        })
        .collect();
    let done = match state.as_str() {
        "Succeeded" => l::DEPLOYMENT_COMPLETE,
        "Failed" | "Canceled" => l::DEPLOYMENT_FAILED,
        _ => l::DEPLOYMENT_RUNNING,
    };
    Ok(html! {
        div role="status" data-reload[is_under_way] { h2 { (v.t(done)) } }
        @if is_under_way { p { a href=(v.here) { (v.t(l::REFRESH)) } } }
        @if let Some(error) = &error { div.problem role="alert" { p { (form::said(error)) } } }
        (form::facts(v, &[
            (l::STATUS, html! { (state) }),
            (l::TIME, html! { (text(p, "/timestamp")) }),
            (l::DURATION, html! { (text(p, "/duration")) }),
        ]))
        h2 { (v.t(l::OPERATIONS)) }
        (form::table(v, l::OPERATIONS, &[l::NAME, l::TYPE, l::STATUS, l::MESSAGE], &rows))
        @if p["outputs"].as_object().is_some_and(|o| !o.is_empty()) {
            h2 { (v.t(l::OUTPUTS)) } pre tabindex="0" { (format!("{:#}", p["outputs"])) }
        }
    })
}

pub(super) async fn template(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let groups = v.arm("GET", &format!("{}/resourcegroups", subscription()), Value::Null).await.unwrap_or_default();
    let groups: form::Options =
        items(&groups).map(|g| (text(g, "/name").to_owned(), text(g, "/name").to_owned())).collect();
    let first = groups.first().map(|(name, _)| name.clone()).unwrap_or_default();
    Ok(html! {
        form method="post" action="/portal/create-deployment" enctype="multipart/form-data" {
            (form::hidden(v))
            (form::select(v, "group", l::RESOURCE_GROUP, &groups, &first, ""))
            (form::text(v, "name", l::DEPLOYMENT_NAME, "Microsoft.Template", ""))
            (form::area(v, "template", l::TEMPLATE, "", v.t(l::TEMPLATE_HINT)))
            div.field { label for="f-file" { (v.t(l::TEMPLATE_FILE)) } input #f-file type="file" name="file" accept=".json,application/json"; }
            (form::area(v, "parameters", l::PARAMETERS, "{}", v.t(l::PARAMETERS_HINT)))
            p.buttons {
                button.primary type="submit" name="do" value="create" { (v.t(l::CREATE)) }
                button type="submit" name="do" value="validate" { (v.t(l::VALIDATE)) }
            }
        }
        @if v.posted && v.problem.is_none() { p.passed role="status" { (v.t(l::VALIDATION_PASSED)) } }
    })
}

pub(super) async fn deploy(v: &mut Visit, _: &Target) -> Answer<Next> {
    let (group, name) = (required(v, "group")?, required(v, "name")?);
    let file = v.typed("file").to_owned();
    if !file.is_empty() {
        // What was read from a file is there to be seen and changed, as if it had been typed.
        super::create::set(v, "template", &file);
        super::create::set(v, "file", "");
    }
    let read = |text: &str, field: &'static str| {
        serde_json::from_str::<Value>(text).map_err(|e| Refusal::of_form(field, format!("{} ({e})", v.t(l::NOT_JSON))))
    };
    let template = read(v.typed("template"), "template")?;
    let parameters = read(Some(v.typed("parameters")).filter(|p| !p.is_empty()).unwrap_or("{}"), "parameters")?;
    // A file of parameters holds them one level deeper.
    let parameters = parameters.get("parameters").filter(|p| p.is_object()).cloned().unwrap_or(parameters);
    let valued = |value: &Value| {
        let whole = value.get("value").is_some() || value.get("reference").is_some();
        if whole { value.clone() } else { json!({"value": value}) }
    };
    let parameters: serde_json::Map<String, Value> =
        parameters.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), valued(value))).collect();
    let body = json!({"properties": {"mode": "Incremental", "template": template, "parameters": parameters}});
    let path = format!("{}/providers/Microsoft.Resources/deployments/{}", group_id(&group), segment(&name));
    let about = |r: Refusal| {
        r.about(&[("parameter", "parameters"), ("resourcegroup", "group"), ("deploymentname", "name")], "template")
    };
    let (group_word, name_word) = (word(&group), word(&name));
    let verb = if v.typed("do") == "validate" { "validate" } else { "create" };
    let line = format!(
        "az deployment group {verb} --resource-group {group_word} --name {name_word} --template-file TEMPLATE.json --parameters PARAMETERS.json"
    );
    if verb == "validate" {
        v.arm("POST", &format!("{path}/validate"), body).await.map_err(about)?;
        v.az(line);
        return Ok(Next::Again);
    }
    v.arm("PUT", &path, body).await.map_err(about)?;
    v.az(line);
    Ok(Next::To(to(&group_id(&group), &format!("deployment/{}", segment(&name)))))
}

/// The fields of a form with files. A file's content is its field's value.
pub(super) fn parts(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let line = format!("--{}", boundary.trim_matches('"'));
    let mut found = Vec::new();
    for part in text.split(line.as_str()).skip(1) {
        let Some((head, content)) = part.trim_start_matches("\r\n").split_once("\r\n\r\n") else { continue };
        let name = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            found.push((name.to_owned(), content.strip_suffix("\r\n").unwrap_or(content).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn forms_with_files_are_read() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"form\"\r\n\r\nabc\r\n--x\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{\"a\":\r\n1}\r\n--x--\r\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parts(body.as_bytes(), "x"), [pair("form", "abc"), pair("file", "{\"a\":\r\n1}")]);
        assert_eq!(parts(b"--x", "x"), []);
        assert_eq!(parts(b"", ""), []);
    }
}
