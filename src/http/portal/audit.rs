//! The audit log as a table: who used which key for what, and what was refused.
//! Must not know: who writes it.

use maud::{Markup, html};
use serde_json::Value;

use super::blade::Target;
use super::form;
use super::labels as l;
use super::visit::{Answer, Visit, text};
use crate::app::audit::Entry;

/// One record, as a row of the table.
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) cells: [String; 6],
}

/// The row of an entry: time, operation, caller, object, status, why it was refused.
pub(super) fn row(entry: &Entry) -> Row {
    let record: Value = serde_json::from_str(&entry.line).unwrap_or_default();
    let of = |pointer: &str| text(&record, pointer).to_owned();
    let caller = || of("/identity/claim/oid");
    let server = of("/properties/loginServer");
    let cells = match record.get("eventType") {
        None if !server.is_empty() => {
            let (repository, tag) = (of("/properties/repository"), of("/properties/tag"));
            let parts = [(server, ""), (repository, "/"), (tag, ":")].into_iter().filter(|(part, _)| !part.is_empty());
            [
                of("/time"),
                of("/operationName"),
                entry.caller.clone().unwrap_or_else(|| of("/identity")),
                parts.map(|(part, sign)| format!("{sign}{part}")).collect(),
                of("/resultDescription"),
                String::new(),
            ]
        }
        Some(_) => [of("/eventTime"), of("/eventType"), String::new(), of("/data/Id"), String::new(), String::new()],
        None => [
            of("/time"),
            of("/operationName"),
            entry.caller.clone().unwrap_or_else(caller),
            Some(of("/properties/id")).filter(|id| !id.is_empty()).unwrap_or_else(|| of("/properties/requestUri")),
            record["properties"]["httpStatusCode"].to_string(),
            of("/resultDescription"),
        ],
    };
    Row { number: entry.number, cells }
}

/// Whether a row is what the filters of the page ask for.
fn is_asked(v: &Visit, row: &Row) -> bool {
    let has = |name: &str, cell: usize| {
        let asked = v.asked(name).to_lowercase();
        asked.is_empty() || row.cells[cell].to_lowercase().contains(&asked)
    };
    let refused = row.cells[4].parse::<u16>().is_ok_and(|status| status >= 400);
    let result = match v.asked("result") {
        "refused" => refused,
        "allowed" => !refused,
        _ => true,
    };
    has("operation", 1) && has("caller", 2) && has("object", 3) && result
}

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    v.az("acrite audit --follow");
    let mut entries = v.app.audit().after(0, false).await;
    entries.reverse();
    let newest = entries.first().map_or(0, |e| e.number);
    let rows: Vec<Row> = entries.iter().map(row).filter(|row| is_asked(v, row)).collect();
    let (page, pages) = form::paged(v, &rows);
    let results =
        form::options(&[("", v.t(l::ALL_RESULTS)), ("allowed", v.t(l::ALLOWED)), ("refused", v.t(l::REFUSED))]);
    let heads = [l::TIME, l::OPERATION, l::CALLER, l::OBJECT, l::STATUS, l::MESSAGE];
    // Filtered or old pages stand still.
    let live = v.query.is_empty();
    Ok(html! {
        form.filters method="get" action="/portal/audit" {
            (form::text(v, "operation", l::OPERATION, "", ""))
            (form::text(v, "caller", l::CALLER, "", ""))
            (form::text(v, "object", l::OBJECT, "", ""))
            (form::select(v, "result", l::RESULT, &results, "", ""))
            button type="submit" { (v.t(l::FILTER)) }
        }
        (rows_of(v, l::AUDIT, &heads, page.iter().map(|r| r.cells.as_slice()), live.then_some(("audit", newest))))
        (pages)
    })
}

/// A table that grows at its head while it is looked at.
pub(super) fn rows_of<'a>(
    v: &Visit,
    label: l::Label,
    heads: &[l::Label],
    rows: impl Iterator<Item = &'a [String]>,
    live: Option<(&str, u64)>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(v.t(label)) {
            table data-live=[live.map(|(name, _)| name)] data-after=[live.map(|(_, newest)| newest)] {
                thead { tr { @for head in heads { th scope="col" { (v.t(*head)) } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}
