//! The map: which key version protects which registry, and which are blocked.
//! Must not know: why.

use maud::{Markup, html};
use serde_json::Value;

use super::blade::{Target, to};
use super::form;
use super::frame::seconds;
use super::labels as l;
use super::reason;
use super::visit::{Answer, Visit, items, subscription, text};

/// One registry of the map.
struct Row {
    name: String,
    id: String,
    key: Option<String>,
    version: String,
    blocked: bool,
    why: Option<l::Label>,
    next: String,
}

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    v.az("acrite status");
    let path = format!("{}/providers/Microsoft.ContainerRegistry/registries", subscription());
    let list = v.page(&path).await?;
    let all: Vec<&Value> = items(&list).collect();
    let (page, pages) = form::paged(v, &all);
    let mut rows = Vec::new();
    for registry in page {
        let id = text(registry, "/id").to_owned();
        let (group, name) = (id.split('/').nth(4).unwrap_or_default().to_owned(), text(registry, "/name").to_owned());
        let target = Target { id: id.clone(), group, name: name.clone(), ..Target::default() };
        // One that is gone since the list was read is none.
        let Ok(standing) = reason::standing(v, &target).await else { continue };
        let cmk = standing.status.registry.cmk.as_ref();
        rows.push(Row {
            name,
            id,
            key: cmk.map(|c| format!("{} / {}", c.key.vault, c.key.key)),
            version: cmk.map(|c| c.version.clone()).unwrap_or_default(),
            blocked: standing.broken.is_some(),
            why: standing.broken.as_ref().map(|b| b.why),
            next: standing.status.next_look.map_or("-".to_owned(), seconds),
        });
    }
    let table: Vec<Vec<Markup>> = rows
        .iter()
        .map(|r| {
            let state = if r.blocked { l::BLOCKED } else { l::OPEN };
            vec![
                html! { a href=(to(&r.id, "overview")) { (r.name) } },
                html! { span.broken[r.blocked] { (v.t(state)) } @if let Some(why) = r.why { br; (v.t(why)) } },
                html! { (r.key.as_deref().unwrap_or(v.t(l::SERVICE_MANAGED))) },
                html! { code { (r.version) } },
                html! { (r.next) },
            ]
        })
        .collect();
    Ok(html! {
        @if rows.iter().any(|r| r.key.is_some()) { (picture(v, &rows)) }
        (form::table(v, l::MAP, &[l::REGISTRY, l::STATUS, l::KEY, l::VERSION, l::NEXT_LOOK], &table))
        (pages)
        (form::onwards(v, list["nextLink"].as_str()))
    })
}

const ROW: usize = 34;

/// Key versions on the left, registries on the right.
fn picture(v: &Visit, rows: &[Row]) -> Markup {
    let drawn: Vec<&Row> = rows.iter().filter(|r| r.key.is_some()).collect();
    let of = |r: &Row| format!("{} / {}", r.key.clone().unwrap_or_default(), r.version.get(..8).unwrap_or_default());
    let mut keys: Vec<String> = Vec::new();
    for row in &drawn {
        if !keys.contains(&of(row)) {
            keys.push(of(row));
        }
    }
    let height = drawn.len().max(keys.len()) * ROW + 8;
    let said: Vec<String> = drawn.iter().map(|r| format!("{} > {}", of(r), r.name)).collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label=(v.t(l::MAP)) {
            svg.map viewBox={"0 0 700 " (height)} role="img" aria-labelledby="map-title map-text" xmlns="http://www.w3.org/2000/svg" {
                title #map-title { (v.t(l::MAP)) }
                desc #map-text { (said.join("; ")) }
                @for (at, row) in drawn.iter().enumerate() {
                    @let from = keys.iter().position(|k| *k == of(row)).unwrap_or_default();
                    line.broken[row.blocked] x1="360" x2="440" y1=(from * ROW + 18) y2=(at * ROW + 18) {}
                }
                @for (at, key) in keys.iter().enumerate() {
                    rect x="2" y=(at * ROW + 4) width="358" height="28" rx="4" {}
                    text x="10" y=(at * ROW + 23) { (key) }
                }
                @for (at, row) in drawn.iter().enumerate() {
                    rect.broken[row.blocked] x="440" y=(at * ROW + 4) width="258" height="28" rx="4" {}
                    text x="448" y=(at * ROW + 23) { @if row.blocked { "✕ " } (row.name) }
                }
            }
        }
    }
}
