//! Who may do what: role assignments of any scope, and the access policies of a vault.
//! Must not know: what a role or a permission opens.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::form;
use super::labels as l;
use super::visit::{Answer, Visit, encode_query, items, subscription, tenant, text, word};
use super::{create, who};

const ASSIGNMENTS: &str = "providers/Microsoft.Authorization/roleAssignments";

async fn roles(v: &mut Visit, scope: &str) -> Answer<Vec<(String, String)>> {
    let list = v.arm("GET", &format!("{scope}/providers/Microsoft.Authorization/roleDefinitions"), Value::Null).await?;
    let mut roles: Vec<(String, String)> =
        items(&list).map(|r| (text(r, "/name").to_owned(), text(r, "/properties/roleName").to_owned())).collect();
    roles.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(roles)
}

pub(super) async fn iam(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az role assignment list --scope {} --include-inherited --output table", word(&target.id)));
    let list = v.arm("GET", &format!("{}/{ASSIGNMENTS}", target.id), Value::Null).await?;
    let roles = roles(v, &subscription()).await?;
    let all: Vec<&Value> = items(&list).collect();
    let (page, pages) = form::paged(v, &all);
    let ids: Vec<String> = page.iter().map(|a| text(a, "/properties/principalId").to_owned()).collect();
    let names = who::names(v, &ids).await;
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|a| {
            let role = text(a, "/properties/roleDefinitionId").rsplit('/').next().unwrap_or_default();
            let role = roles.iter().find(|(id, _)| id == role).map_or(role, |(_, name)| name);
            let principal = text(a, "/properties/principalId");
            let name = names.get(principal).map_or(principal, String::as_str);
            let about = format!("{role}, {name}");
            vec![
                html! { (name) br; code { (principal) } },
                html! { (role) },
                html! { code { (text(a, "/properties/scope")) } },
                form::button(v, "remove", l::REMOVE, &about, &[("assignment", text(a, "/id"))]),
            ]
        })
        .collect();
    Ok(html! {
        p.commands { a href=(target.to("iam-add")) { "+ " (v.t(l::ADD)) " > " (v.t(l::ADD_ROLE_ASSIGNMENT)) } }
        (form::table(v, l::ROLE_ASSIGNMENTS, &[l::PRINCIPAL, l::ROLE, l::SCOPE, l::ACTION], &rows))
        (pages)
    })
}

pub(super) async fn unassign(v: &mut Visit, _: &Target) -> Answer<Next> {
    let id = v.typed("assignment").to_owned();
    v.arm("DELETE", &id, Value::Null).await?;
    v.az(format!("az role assignment delete --ids {}", word(&id)));
    Ok(Next::To(v.here.clone()))
}

pub(super) async fn iam_add(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let roles = roles(v, &subscription()).await?;
    let usual = roles.iter().find(|(_, name)| name == "Key Vault Crypto Service Encryption User");
    let usual = usual.map(|(id, _)| id.clone()).unwrap_or_default();
    let principals = principals(v).await?;
    let fields = html! {
        (form::select(v, "role", l::ROLE, &roles, &usual, ""))
        (principals)
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

/// The picker of principals: a list, and a search that makes another list of it.
async fn principals(v: &mut Visit) -> Answer<Markup> {
    let search = v.value("search", "").trim().to_owned();
    let all = who::offered(v, &search).await?;
    let usual = if all.len() == 1 { all[0].0.clone() } else { String::new() };
    let value = v.value("principal", "");
    // One that the search does not show was not chosen from it.
    let keeps = all.iter().any(|(id, _)| id == value);
    let chosen = if keeps { value.to_owned() } else { usual };
    Ok(html! {
        div.aside {
            (form::text(v, "search", l::SEARCH_PRINCIPAL, "", v.t(l::SEARCH_PRINCIPAL_HINT)))
            button type="submit" name="do" value="search" { (v.t(l::SEARCH_BUTTON)) }
        }
        (form::select_of(v, "principal", l::SELECT_PRINCIPAL, &all, &chosen, ""))
    })
}

pub(super) async fn assign(v: &mut Visit, target: &Target) -> Answer<Next> {
    if v.typed("do") == "search" {
        return Ok(Next::Again);
    }
    let (role, principal) = (create::required(v, "role")?, create::required(v, "principal")?);
    let definition = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{role}", subscription());
    let properties =
        json!({"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"});
    let path = format!("{}/{ASSIGNMENTS}/{}", target.id, uuid::Uuid::new_v4());
    let put = v.arm("PUT", &path, json!({"properties": properties})).await;
    put.map_err(|r| r.about(&[("roledefinition", "role"), ("principal", "principal")], "role"))?;
    v.az(format!(
        "az role assignment create --role {} --assignee-object-id {} --assignee-principal-type ServicePrincipal --scope {}",
        word(&role), word(&principal), word(&target.id)
    ));
    Ok(Next::To(target.to("iam")))
}

/// Permissions of keys, with the article's words where it names them.
const KEYS: [(&str, l::Label); 17] = [
    ("get", l::P_GET),
    ("list", l::P_LIST),
    ("update", l::P_UPDATE),
    ("create", l::P_CREATE),
    ("import", l::P_IMPORT),
    ("delete", l::P_DELETE),
    ("recover", l::P_RECOVER),
    ("backup", l::P_BACKUP),
    ("restore", l::P_RESTORE),
    ("decrypt", l::P_DECRYPT),
    ("encrypt", l::P_ENCRYPT),
    ("unwrapKey", l::P_UNWRAP),
    ("wrapKey", l::P_WRAP),
    ("verify", l::P_VERIFY),
    ("sign", l::P_SIGN),
    ("purge", l::P_PURGE),
    ("rotate", l::P_ROTATE),
];
const SECRETS: [(&str, l::Label); 7] = [
    ("get", l::P_GET),
    ("list", l::P_LIST),
    ("set", l::P_SET),
    ("delete", l::P_DELETE),
    ("recover", l::P_RECOVER),
    ("backup", l::P_BACKUP),
    ("restore", l::P_RESTORE),
];

fn permissions(policy: &Value, kind: &str) -> Vec<String> {
    let all = policy["permissions"][kind].as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn listed(policy: &Value) -> Markup {
    html! { @for kind in ["keys", "secrets", "certificates"] {
        @let all = permissions(policy, kind);
        @if !all.is_empty() { div { (kind) ": " (all.join(", ")) } }
    } }
}

/// The policy that the address of the page holds: added, and not saved yet.
fn pending(v: &Visit) -> Option<Value> {
    let object_id = v.value("principal", "");
    let from = if v.posted { &v.typed } else { &v.query };
    let of = |name: &str| from.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
    (!object_id.is_empty() && v.typed("do") != "remove").then(|| {
        let mut permissions = json!({"keys": of("keys")});
        if !of("secrets").is_empty() {
            permissions["secrets"] = json!(of("secrets"));
        }
        json!({"tenantId": tenant(), "objectId": object_id, "permissions": permissions})
    })
}

pub(super) async fn policies(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az keyvault show --name {} --query properties.accessPolicies", word(&target.name)));
    let vault = v.arm("GET", &target.id, Value::Null).await?;
    let all: Vec<Value> = vault["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    let pending = pending(v);
    let (page, pages) = form::paged(v, &all);
    let ids: Vec<String> = page.iter().chain(&pending).map(|p| text(p, "/objectId").to_owned()).collect();
    let names = who::names(v, &ids).await;
    let name = |policy: &Value| {
        let id = text(policy, "/objectId");
        names.get(id).map_or(id, String::as_str).to_owned()
    };
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|p| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("principal", text(p, "/objectId"));
            query.extend_pairs(permissions(p, "keys").iter().map(|k| ("keys", k)));
            query.extend_pairs(permissions(p, "secrets").iter().map(|k| ("secrets", k)));
            vec![
                html! { (name(p)) br; code { (text(p, "/objectId")) } },
                listed(p),
                html! {
                    a href={(target.to("access-policies-add")) "?" (query.finish())} { (v.t(l::EDIT)) span.hidden { " " (name(p)) } }
                    " " (form::button(v, "remove", l::REMOVE, &name(p), &[("principal", text(p, "/objectId")), ("seen", &form::seal(&vault))]))
                },
            ]
        })
        .collect();
    let roles = vault["properties"]["enableRbacAuthorization"] == true;
    Ok(html! {
        @if roles { p.hint { (v.t(l::POLICIES_UNUSED)) } }
        p.commands { a href=(target.to("access-policies-add")) { "+ " (v.t(l::ADD_ACCESS_POLICY)) } }
        @if let Some(policy) = &pending {
            section.pending { h2 { (v.t(l::NOT_SAVED)) } p { (name(policy)) } (listed(policy))
            (form::form(v, "save", l::SAVE, &html! {
                (form::sealed(v, &vault))
                input type="hidden" name="principal" value=(text(policy, "/objectId"));
                @for kind in ["keys", "secrets"] { @for p in permissions(policy, kind) { input type="hidden" name=(kind) value=(p); } }
            })) }
        }
        (form::table(v, l::ACCESS_POLICIES, &[l::PRINCIPAL, l::PERMISSIONS, l::ACTION], &rows))
        (pages)
    })
}

pub(super) async fn change_policies(v: &mut Visit, target: &Target) -> Answer<Next> {
    let principal = create::required(v, "principal")?;
    let vault = super::unchanged(v, &target.id).await?;
    let (how, policy) = match pending(v) {
        Some(policy) => ("replace", policy),
        None => {
            let all = vault["properties"]["accessPolicies"].as_array().into_iter().flatten();
            let found = all.into_iter().find(|p| text(p, "/objectId") == principal).cloned();
            ("remove", found.unwrap_or_else(|| json!({"tenantId": tenant(), "objectId": principal, "permissions": {}})))
        }
    };
    // What the table's own verb does to one principal is what az does to the whole list.
    let path = format!("{}/accessPolicies/{how}", target.id);
    v.arm("PUT", &path, json!({"properties": {"accessPolicies": [policy]}})).await?;
    let (vault, principal) = (word(&target.name), word(&principal));
    v.az(match how {
        "remove" => format!("az keyvault delete-policy --name {vault} --object-id {principal}"),
        _ => {
            let mut line = format!("az keyvault set-policy --name {vault} --object-id {principal}");
            for (kind, option) in [("keys", "--key-permissions"), ("secrets", "--secret-permissions")] {
                let all = permissions(&policy, kind);
                if !all.is_empty() {
                    line.push_str(&format!(" {option} {}", all.iter().map(|p| word(p)).collect::<Vec<_>>().join(" ")));
                }
            }
            line
        }
    });
    Ok(Next::To(target.to("access-policies")))
}

pub(super) async fn policy_add(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let principals = principals(v).await?;
    let mut keys = words(v, &KEYS);
    // What a policy holds beyond these (`all`) stays in it.
    let more: Vec<String> = v.query.iter().filter(|(n, _)| n == "keys").map(|(_, k)| k.clone()).collect();
    keys.extend(more.into_iter().filter(|k| !KEYS.iter().any(|(known, _)| known == k)).map(|k| (k.clone(), k)));
    let fields = html! {
        (form::checks(v, "keys", l::KEY_PERMISSIONS, &keys, &[]))
        (form::checks(v, "secrets", l::SECRET_PERMISSIONS, &words(v, &SECRETS), &[]))
        (principals)
    };
    Ok(form::form(v, "add", l::ADD, &fields))
}

fn words(v: &Visit, all: &[(&str, l::Label)]) -> form::Options {
    all.iter().map(|(value, label)| ((*value).to_owned(), v.t(*label).to_owned())).collect()
}

/// Goes back to the list with what was added, which is saved there.
pub(super) async fn add_policy(v: &mut Visit, target: &Target) -> Answer<Next> {
    if v.typed("do") == "search" {
        return Ok(Next::Again);
    }
    let principal = create::required(v, "principal")?;
    let chosen: Vec<(&str, &str)> = ["keys", "secrets"]
        .into_iter()
        .flat_map(|kind| v.typed_all(kind).into_iter().map(move |p| (kind, p)))
        .collect();
    if chosen.is_empty() {
        return Err(super::refusal::Refusal::of_form("keys", v.t(l::REQUIRED)));
    }
    let pairs: Vec<String> = chosen.iter().map(|(kind, p)| format!("{kind}={p}")).collect();
    let query = encode_query(&format!("principal={principal}&{}", pairs.join("&")));
    Ok(Next::To(format!("{}?{query}", target.to("access-policies"))))
}
