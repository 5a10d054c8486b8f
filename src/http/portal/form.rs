//! Fields, tables and forms as pages are made of them. What was typed stays, and what is wrong is said beside it.
//! Must not know: what a form does.

use maud::{Markup, html};
use serde_json::Value;

use super::labels::{self as l, Label};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::domain::world::crypto;

/// Rows of a page where a list comes whole.
pub(super) const PAGE: usize = 50;

/// A refusal in Azure's words.
pub(super) fn said(refusal: &Refusal) -> Markup {
    html! { strong { (refusal.code) } ": " (refusal.message) }
}

/// What every form holds.
pub(super) fn hidden(v: &Visit) -> Markup {
    html! { input type="hidden" name="form" value=(v.form_token); }
}

/// A form that is sent to its own page, with one button.
pub(super) fn form(v: &Visit, verb: &str, button: Label, fields: &Markup) -> Markup {
    form_to(v, &v.here, verb, button, fields)
}

/// The same, sent to another page.
pub(super) fn form_to(v: &Visit, to: &str, verb: &str, button: Label, fields: &Markup) -> Markup {
    html! {
        form method="post" action=(to) {
            (hidden(v)) (fields)
            p.buttons { button.primary type="submit" name="do" value=(verb) { (v.t(button)) } }
        }
    }
}

/// A button alone. What it is about is for those who hear it.
pub(super) fn button(v: &Visit, verb: &str, label: Label, about: &str, values: &[(&str, &str)]) -> Markup {
    html! {
        form.inline method="post" action=(v.here) {
            (hidden(v))
            @for (name, value) in values { input type="hidden" name=(name) value=(value); }
            button type="submit" name="do" value=(verb) { (v.t(label)) @if !about.is_empty() { span.hidden { " " (about) } } }
        }
    }
}

/// What deletes something: its name has to be typed.
pub(super) fn delete(v: &Visit, name: &str) -> Markup {
    html! {
        details.danger open[v.problem.as_ref().is_some_and(|p| p.field == "confirm")] {
            summary { (v.t(l::DELETE)) }
            (form(v, "delete", l::DELETE, &text(v, "confirm", l::TYPE_NAME_TO_DELETE, "", name)))
        }
    }
}

fn problem(v: &Visit, name: &str) -> Markup {
    html! {
        @if let Some(problem) = v.problem.as_ref().filter(|p| p.field == name) {
            p.wrong #{"w-" (name)} { (said(problem)) }
        }
    }
}

fn is_wrong(v: &Visit, name: &str) -> bool {
    v.problem.as_ref().is_some_and(|p| p.field == name)
}

fn described(v: &Visit, name: &str, hint: &str) -> Option<String> {
    let wrong = is_wrong(v, name).then(|| format!("w-{name}"));
    let hint = (!hint.is_empty()).then(|| format!("h-{name}"));
    let all: Vec<String> = wrong.into_iter().chain(hint).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn hint_of(name: &str, hint: &str) -> Markup {
    html! { @if !hint.is_empty() { p.hint #{"h-" (name)} { (hint) } } }
}

pub(super) fn text(v: &Visit, name: &str, label: Label, usual: &str, hint: &str) -> Markup {
    html! {
        div.field.is-wrong[is_wrong(v, name)] {
            label for={"f-" (name)} { (v.t(label)) }
            input #{"f-" (name)} type="text" name=(name) value=(v.value(name, usual)) autocomplete="off" spellcheck="false"
                aria-invalid=[is_wrong(v, name).then_some("true")] aria-describedby=[described(v, name, hint)];
            (problem(v, name)) (hint_of(name, hint))
        }
    }
}

pub(super) fn area(v: &Visit, name: &str, label: Label, usual: &str, hint: &str) -> Markup {
    html! {
        div.field.is-wrong[is_wrong(v, name)] {
            label for={"f-" (name)} { (v.t(label)) }
            // The parser drops one line end after the tag.
            textarea #{"f-" (name)} name=(name) rows="10" spellcheck="false"
                aria-invalid=[is_wrong(v, name).then_some("true")] aria-describedby=[described(v, name, hint)] { "\n" (v.value(name, usual)) }
            (problem(v, name)) (hint_of(name, hint))
        }
    }
}

/// A choice: what is sent, and the words.
pub(super) type Options = Vec<(String, String)>;

pub(super) fn options(all: &[(&str, &str)]) -> Options {
    all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
}

pub(super) fn select(v: &Visit, name: &str, label: Label, all: &Options, usual: &str, hint: &str) -> Markup {
    select_of(v, name, label, all, v.value(name, usual), hint)
}

pub(super) fn radios(v: &Visit, name: &str, label: Label, all: &Options, usual: &str) -> Markup {
    let value = v.value(name, usual);
    html! {
        fieldset.is-wrong[is_wrong(v, name)] #{"f-" (name)} aria-describedby=[described(v, name, "")] {
            legend { (v.t(label)) }
            @for (at, (option, words)) in all.iter().enumerate() {
                div { input #{"f-" (name) "-" (at)} type="radio" name=(name) value=(option) checked[option == value];
                    label for={"f-" (name) "-" (at)} { (words) } }
            }
            (problem(v, name))
        }
    }
}

pub(super) fn checks(v: &Visit, name: &str, label: Label, all: &Options, usual: &[String]) -> Markup {
    html! {
        fieldset.checks.is-wrong[is_wrong(v, name)] #{"f-" (name)} aria-describedby=[described(v, name, "")] {
            legend { (v.t(label)) }
            @for (at, (option, words)) in all.iter().enumerate() {
                div { input #{"f-" (name) "-" (at)} type="checkbox" name=(name) value=(option) checked[v.ticked(name, option, usual)];
                    label for={"f-" (name) "-" (at)} { (words) } }
            }
            (problem(v, name))
        }
    }
}

/// A table that scrolls by itself where the page is narrow.
pub(super) fn table(v: &Visit, label: Label, heads: &[Label], rows: &[Vec<Markup>]) -> Markup {
    html! {
        @if rows.is_empty() { p.none { (v.t(l::NOTHING)) } } @else {
            div.scroll tabindex="0" role="region" aria-label=(v.t(label)) {
                table {
                    thead { tr { @for head in heads { th scope="col" { (v.t(*head)) } } } }
                    tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
        }
    }
}

/// Names and values.
pub(super) fn facts(v: &Visit, all: &[(Label, Markup)]) -> Markup {
    html! { dl.facts { @for (label, value) in all { div { dt { (v.t(*label)) } dd { (value) } } } } }
}

/// The page of a list that came whole, and the way to the others.
pub(super) fn paged<'a, T>(v: &Visit, all: &'a [T]) -> (&'a [T], Markup) {
    let pages = all.len().div_ceil(PAGE).max(1);
    let at = v.asked("page").parse::<usize>().unwrap_or(1).clamp(1, pages);
    let shown = &all[(at - 1) * PAGE..(at * PAGE).min(all.len())];
    let to = |page: usize| {
        let path = v.here.split('?').next().unwrap_or_default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(v.query.iter().filter(|(name, _)| name != "page" && name != "done"));
        query.append_pair("page", &page.to_string());
        format!("{path}?{}", query.finish())
    };
    let nav = html! {
        @if pages > 1 {
            nav.pages aria-label=(v.t(l::PAGES)) {
                @if at > 1 { a rel="prev" href=(to(at - 1)) { (v.t(l::PREVIOUS)) } }
                span { (at) " / " (pages) " (" (all.len()) ")" }
                @if at < pages { a rel="next" href=(to(at + 1)) { (v.t(l::NEXT)) } }
            }
        }
    };
    (shown, nav)
}

/// The way to the next page of a list that is given page by page: where it goes on, as its service says it.
pub(super) fn onwards(v: &Visit, next: Option<&str>) -> Markup {
    let Some(next) = next else { return html! {} };
    let path = v.here.split('?').next().unwrap_or_default();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(v.query.iter().filter(|(name, _)| name != "after" && name != "done"));
    query.append_pair("after", next);
    let to = format!("{path}?{}", query.finish());
    html! { nav.pages aria-label=(v.t(l::PAGES)) { a rel="next" href=(to) { (v.t(l::NEXT)) } } }
}

/// What stands for a document in a form, so that whoever sends the form is told if it has changed since.
pub(super) fn seal(document: &Value) -> String {
    crypto::hex(&crypto::sha256(document.to_string().as_bytes())[..16])
}

pub(super) fn sealed(v: &Visit, document: &Value) -> Markup {
    // A form that was refused for this shows what there is now, and may then be sent again.
    let changed = v.problem.as_ref().is_some_and(|p| p.code == super::CHANGED);
    let was = v.typed("seen").to_owned();
    let seal = if v.posted && !changed && !was.is_empty() { was } else { seal(document) };
    html! { input type="hidden" name="seen" value=(seal); }
}

/// A select whose value the page has worked out itself.
pub(super) fn select_of(v: &Visit, name: &str, label: Label, all: &Options, value: &str, hint: &str) -> Markup {
    html! {
        div.field.is-wrong[is_wrong(v, name)] {
            label for={"f-" (name)} { (v.t(label)) }
            select #{"f-" (name)} name=(name)
                aria-invalid=[is_wrong(v, name).then_some("true")] aria-describedby=[described(v, name, hint)] {
                @if !all.iter().any(|(option, _)| option == value) {
                    // What is not there any more is not silently another one.
                    option value=(value) selected { (if value.is_empty() { v.t(l::CHOOSE) } else { value }) }
                }
                @for (option, words) in all { option value=(option) selected[option == value] { (words) } }
            }
            (problem(v, name)) (hint_of(name, hint))
        }
    }
}
