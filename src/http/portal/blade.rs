//! What a page is in the tables of pages: its address, its label, what shows it and what its forms do.
//! Must not know: any page.

use std::future::Future;
use std::pin::Pin;

use maud::Markup;

use super::labels::Label;
use super::visit::{Answer, Visit, segment};

/// Which resource a page is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// Its ARM id; empty for pages about none.
    pub(super) id: String,
    pub(super) group: String,
    pub(super) name: String,
    /// The segments after the page's own.
    pub(super) rest: Vec<String>,
}

impl Target {
    /// A segment after the page's own; empty where there is none.
    pub(super) fn rest(&self, at: usize) -> &str {
        self.rest.get(at).map(String::as_str).unwrap_or_default()
    }

    /// The address of another page of the same resource.
    pub(super) fn to(&self, blade: &str) -> String {
        to(&self.id, blade)
    }
}

/// The address of a page of a resource.
pub(super) fn to(id: &str, blade: &str) -> String {
    let id: Vec<String> = id.split('/').filter(|s| !s.is_empty()).map(segment).collect();
    format!("/portal/resource/{}/{blade}", id.join("/"))
}

/// What comes of a form that was sent.
pub(super) enum Next {
    /// Another page.
    To(String),
    /// The same page again, with what was typed.
    Again,
}

pub(super) type Showing<'a> = Pin<Box<dyn Future<Output = Answer<Markup>> + Send + 'a>>;
pub(super) type Acting<'a> = Pin<Box<dyn Future<Output = Answer<Next>> + Send + 'a>>;

pub(super) struct Blade {
    pub(super) slug: &'static str,
    pub(super) label: Label,
    /// The part of the menu in which it stands.
    pub(super) section: Option<Label>,
    pub(super) in_menu: bool,
    pub(super) show: for<'a> fn(&'a mut Visit, &'a Target) -> Showing<'a>,
    pub(super) act: Option<for<'a> fn(&'a mut Visit, &'a Target) -> Acting<'a>>,
}

/// A row of a table of pages: slug, label, what shows it, and what its forms do, if it has any.
macro_rules! blade {
    ($slug:literal, $label:expr, $show:path $(, $act:path)?) => {
        $crate::http::portal::blade::Blade {
            slug: $slug,
            label: $label,
            section: None,
            in_menu: true,
            show: |v, target| Box::pin($show(v, target)),
            act: $crate::http::portal::blade::act!($($act)?),
        }
    };
}

macro_rules! act {
    () => {
        None
    };
    ($act:path) => {
        Some(|v, target| Box::pin($act(v, target)))
    };
}
pub(super) use {act, blade};

impl Blade {
    pub(super) const fn under(mut self, section: Label) -> Self {
        self.section = Some(section);
        self
    }

    /// Reached from another page, not from the menu.
    pub(super) const fn apart(mut self) -> Self {
        self.in_menu = false;
        self
    }
}
