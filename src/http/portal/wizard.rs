//! A form in tabs, as resources are created: each tab is the same form, which carries what the others hold.
//! Must not know: what is created.

use maud::{Markup, html};

use super::form;
use super::labels::{self as l, Label};
use super::visit::Visit;

/// A tab and the names of its fields.
pub(super) struct Tab {
    pub(super) id: &'static str,
    pub(super) label: Label,
    pub(super) fields: &'static [&'static str],
}

/// The tab in which everything is looked at before it is created.
pub(super) const REVIEW: &str = "review";

/// The tab to show: the one with the field that is wrong, else the one asked for, else the first.
pub(super) fn current<'a>(v: &'a Visit, tabs: &'a [Tab]) -> &'a str {
    let wrong = v.problem.as_ref().map(|p| p.field).filter(|field| !field.is_empty());
    let of_wrong = wrong.and_then(|field| tabs.iter().find(|tab| tab.fields.contains(&field)));
    let asked = tabs.iter().find(|tab| tab.id == v.value("tab", "")).map(|tab| tab.id);
    let asked = asked.or((v.value("tab", "") == REVIEW).then_some(REVIEW));
    of_wrong.map(|tab| tab.id).or(asked).unwrap_or_else(|| tabs.first().map_or(REVIEW, |tab| tab.id))
}

/// The form at one tab.
pub(super) fn show(v: &Visit, tabs: &[Tab], body: &Markup) -> Markup {
    let at = current(v, tabs);
    let place = tabs.iter().position(|tab| tab.id == at).unwrap_or(tabs.len());
    let next = tabs.get(place + 1).map_or((REVIEW, l::REVIEW_CREATE), |tab| (tab.id, tab.label));
    let carried = tabs.iter().filter(|tab| tab.id != at).flat_map(|tab| tab.fields.iter());
    let from = if v.posted { &v.typed } else { &v.query };
    html! {
        form.wizard method="post" action=(v.here.split('?').next().unwrap_or_default()) {
            (form::hidden(v))
            // What Enter in a field presses.
            button.hidden type="submit" tabindex="-1" aria-hidden="true"
                name=(if at == REVIEW { "do" } else { "tab" }) value=(if at == REVIEW { "create" } else { next.0 }) {}
            div.tabs role="group" aria-label=(v.t(l::STEPS)) {
                @for (id, label) in tabs.iter().map(|tab| (tab.id, tab.label)).chain([(REVIEW, l::REVIEW_CREATE)]) {
                    button type="submit" name="tab" value=(id) aria-current=[(id == at).then_some("step")] { (v.t(label)) }
                }
            }
            @for name in carried { @for (_, value) in from.iter().filter(|(n, _)| n == name) {
                input type="hidden" name=(name) value=(value);
            } }
            (body)
            p.buttons {
                @if at == REVIEW { button.primary type="submit" name="do" value="create" { (v.t(l::CREATE)) } }
                @else {
                    button.primary type="submit" name="tab" value=(REVIEW) { (v.t(l::REVIEW_CREATE)) }
                    @if next.0 != REVIEW { button type="submit" name="tab" value=(next.0) { (v.t(l::NEXT)) ": " (v.t(next.1)) } }
                }
                @if place > 0 { button type="submit" name="tab" value=(tabs[place - 1].id) { (v.t(l::PREVIOUS)) } }
            }
        }
    }
}

/// What all tabs hold, for the review.
pub(super) fn review(v: &Visit, all: &[(Label, String)]) -> Markup {
    let facts: Vec<(Label, Markup)> = all.iter().map(|(label, value)| (*label, html! { (value) })).collect();
    form::facts(v, &facts)
}
