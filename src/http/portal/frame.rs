//! The frame around every page: search, identity, language, clock, breadcrumbs, menu, what was done, and the calls
//! that made the page.
//! Must not know: any resource.

use maud::{DOCTYPE, Markup, html};

use super::form;
use super::labels::{self as l, Label, Lang};
use super::refusal::Refusal;
use super::visit::{Exchange, Visit};
use crate::domain::Timestamp;

/// A page without its frame.
pub(super) struct Page {
    pub(super) title: String,
    /// From home to here: address and words. The last is the page itself.
    pub(super) crumbs: Vec<(String, String)>,
    /// The blades of the resource: section, label, address, and whether it is this one.
    pub(super) menu: Vec<(Option<Label>, Label, String, bool)>,
    pub(super) body: Markup,
}

impl Page {
    pub(super) fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), crumbs: Vec::new(), menu: Vec::new(), body }
    }
}

pub(super) fn render(v: &Visit, page: &Page) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(v.lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) " - Acrite" }
                link rel="stylesheet" href="/portal/assets/portal.css";
                link rel="icon" href="/portal/assets/icon.svg" type="image/svg+xml";
                script src="/portal/assets/portal.js" defer {}
            }
            body {
                a.skip href="#main" { (v.t(l::SKIP)) }
                (top(v))
                (clock_bar(v))
                nav.crumbs aria-label=(v.t(l::BREADCRUMBS)) { ol {
                    li { a href="/portal/" { (v.t(l::HOME)) } }
                    @for (at, (url, text)) in page.crumbs.iter().enumerate() {
                        li { @if at + 1 == page.crumbs.len() { span aria-current="page" { (text) } } @else { a href=(url) { (text) } } }
                    }
                } }
                div.body.menued[!page.menu.is_empty()] {
                    @if !page.menu.is_empty() { (menu(v, page)) }
                    main #main tabindex="-1" {
                        h1 { (page.title) }
                        (done(v))
                        (problem(v))
                        (page.body)
                        (behind(v))
                    }
                }
            }
        }
    }
}

fn top(v: &Visit) -> Markup {
    html! {
        header.top {
            a.brand href="/portal/" { "Acrite" }
            form.search role="search" action="/portal/" method="get" {
                label.hidden for="search" { (v.t(l::SEARCH)) }
                input #search type="search" name="q" placeholder=(v.t(l::SEARCH)) value=(if v.here.starts_with("/portal/?") { v.asked("q") } else { "" });
                button type="submit" { (v.t(l::GO)) }
            }
            nav aria-label=(v.t(l::PORTAL)) { ul {
                li { a href="/portal/create" { "+ " (v.t(l::CREATE_RESOURCE)) } }
                li { a href="/portal/map" { (v.t(l::MAP)) } }
                li { a href="/portal/audit" { (v.t(l::AUDIT)) } }
                li { a href="/portal/requests" { (v.t(l::REQUESTS)) } }
            } }
            div.me {
                a href="/portal/who" { span.hidden { (v.t(l::SIGNED_IN_AS)) ": " } (v.who.name) }
                form method="post" action="/portal/language" {
                    (form::hidden(v))
                    input type="hidden" name="back" value=(v.here);
                    @let other = v.lang.other();
                    button type="submit" name="lang" value=(other.code()) lang=(other.code()) { (other.name()) }
                }
            }
        }
    }
}

fn clock_bar(v: &Visit) -> Markup {
    let clock = &v.clock;
    html! {
        section.clock aria-label=(v.t(l::CLOCK)) data-live="clock" {
            p {
                span { (v.t(l::NOW)) ": " time data-clock="now" datetime=(clock.now.zulu3()) { (seconds(clock.now)) } }
                " " span { (v.t(l::NEXT_DUE)) ": " span data-clock="due" { (clock.next_due.map_or("-".to_owned(), seconds)) } }
                " " span { (v.t(l::RATE)) ": " span data-clock="rate" {
                    @if clock.frozen { (v.t(l::FROZEN)) } @else { (clock.rate) "x" } } }
            }
            details {
                summary { (v.t(l::CHANGE_CLOCK)) }
                form method="post" action="/portal/clock" {
                    (form::hidden(v))
                    input type="hidden" name="back" value=(v.here);
                    label { (v.t(l::ADVANCE_BY)) " " input name="by" value="1h" size="6"; }
                    button type="submit" name="do" value="advance" { (v.t(l::ADVANCE)) }
                    @if clock.next_due.is_some() { button type="submit" name="do" value="due" { (v.t(l::TO_NEXT_DUE)) } }
                    @if clock.frozen { button type="submit" name="do" value="resume" { (v.t(l::RESUME)) } }
                    @else { button type="submit" name="do" value="freeze" { (v.t(l::FREEZE)) } }
                    label { (v.t(l::RATE)) " " input name="rate" value=(clock.rate) size="6"; }
                    button type="submit" name="do" value="rate" { (v.t(l::SET_RATE)) }
                }
            }
        }
    }
}

/// A time to the second.
pub(super) fn seconds(at: Timestamp) -> String {
    let text = at.zulu3();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn menu(v: &Visit, page: &Page) -> Markup {
    let sections: Vec<Option<Label>> = page.menu.iter().map(|(of, ..)| *of).collect();
    let begins = |at: usize| sections[at].filter(|_| at == 0 || sections[at - 1] != sections[at]);
    html! {
        nav.menu aria-label=(v.t(l::MENU)) { ul {
            @for (at, (_, label, url, current)) in page.menu.iter().enumerate() {
                @if let Some(section) = begins(at) { li.section { (v.t(section)) } }
                li { a href=(url) aria-current=[current.then_some("page")] { (v.t(*label)) } }
            }
        } }
    }
}

fn done(v: &Visit) -> Markup {
    let Some(done) = &v.done else { return html! {} };
    html! {
        section.done role="status" aria-labelledby="done" {
            h2 #done { (v.t(l::DONE)) }
            @if !done.note.is_empty() { p { (done.note) } }
            (lines(v, "done", &done.az))
            (exchanges(v, "done", &done.exchanges))
        }
    }
}

/// A refusal that is said beside no field, or beside one: both are said here, where readers begin.
fn problem(v: &Visit) -> Markup {
    let Some(problem) = &v.problem else { return html! {} };
    html! {
        div.problem role="alert" tabindex="-1" {
            @if problem.field.is_empty() { p { (form::said(problem)) } }
            @else { p { a href={"#f-" (problem.field)} { (form::said(problem)) } } }
        }
    }
}

/// What made this page.
fn behind(v: &Visit) -> Markup {
    if v.exchanges.is_empty() && v.az.is_empty() {
        return html! {};
    }
    html! {
        section.behind aria-labelledby="behind" {
            h2 #behind { (v.t(l::BEHIND)) }
            (lines(v, "page", &v.az))
            (exchanges(v, "page", &v.exchanges))
        }
    }
}

fn lines(v: &Visit, of: &str, az: &[String]) -> Markup {
    html! { @for (at, line) in az.iter().enumerate() { (copied(v, &format!("{of}-az-{at}"), v.t(l::AZ_LINE), line)) } }
}

/// A value to take away: a field that can be selected, and a button where there is a script.
pub(super) fn copied(v: &Visit, id: &str, label: &str, value: &str) -> Markup {
    html! {
        div.copied {
            label for={"c-" (id)} { (label) }
            div { input #{"c-" (id)} type="text" readonly value=(value);
            button type="button" data-copy={"c-" (id)} data-copied=(v.t(l::COPIED)) hidden { (v.t(l::COPY)) span.hidden { " " (label) } } }
        }
    }
}

fn exchanges(v: &Visit, of: &str, all: &[Exchange]) -> Markup {
    html! {
        @if !all.is_empty() {
            details {
                summary { (v.t(l::EXCHANGES)) " (" (all.len()) ")" }
                @for (at, e) in all.iter().enumerate() {
                    pre tabindex="0" role="group" aria-label={(v.t(l::EXCHANGE)) " " (at + 1)} #{(of) "-x-" (at)} {
                        (e.method) " " (e.url) "\n"
                        @if !e.sent.is_empty() { (e.sent) "\n" }
                        "\nHTTP " (e.status) "\n" (e.answer)
                    }
                    button type="button" data-copy={(of) "-x-" (at)} data-copied=(v.t(l::COPIED)) hidden { (v.t(l::COPY)) span.hidden { " " (v.t(l::EXCHANGE)) " " (at + 1) } }
                }
            }
        }
    }
}

/// The page that says why there is none.
pub(super) fn refused(v: &Visit, refusal: &Refusal) -> Page {
    let (title, hint) = match refusal.status {
        404 => (l::NOT_FOUND, l::GONE_HINT),
        401 | 403 => (l::NO_ACCESS, l::NO_ACCESS_HINT),
        _ => (l::FAILED, l::FAILED_HINT),
    };
    let body = html! {
        div.problem role="alert" { p { (form::said(refusal)) } }
        p { (v.t(hint)) }
        p { a href="/portal/" { (v.t(l::ALL_RESOURCES)) } " · " a href="/portal/who" { (v.t(l::ACT_AS)) } }
    };
    Page { title: v.t(title).to_owned(), crumbs: vec![(String::new(), v.t(title).to_owned())], menu: Vec::new(), body }
}

impl Lang {
    fn other(self) -> Self {
        match self {
            Self::En => Self::Ja,
            Self::Ja => Self::En,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ja => "日本語",
        }
    }
}
