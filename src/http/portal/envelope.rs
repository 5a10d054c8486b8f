//! The picture of a registry's envelope: from the identity and the key version to the blobs, link by link; a link that
//! is broken is red and says why.
//! Must not know: how anything is encrypted.

use maud::{Markup, html};
use serde_json::Value;

use super::labels::{self as l, Label};
use super::reason::{Link, Standing};
use super::visit::{Visit, text};

const WIDTH: usize = 340;
const BOX: usize = 54;
const GAP: usize = 34;

struct Part {
    label: Label,
    value: String,
    /// What joins it to the part before it.
    joined: Option<Label>,
    /// The links that are broken here.
    broken: bool,
    /// Whether the way to it is broken.
    broken_before: bool,
}

fn part(label: Label, value: impl Into<String>, joined: Option<Label>) -> Part {
    Part { label, value: value.into(), joined, broken: false, broken_before: false }
}

pub(super) fn picture(v: &Visit, registry: &Value, standing: &Standing) -> Markup {
    let name = text(registry, "/name");
    let parts = match &standing.status.registry.cmk {
        Some(cmk) => {
            let identity = standing.status.identity.clone();
            let identity =
                if cmk.identity.as_str() == "system" { Some(v.t(l::SYSTEM_ASSIGNED).to_owned()) } else { identity };
            let broken = standing.broken.as_ref().map(|b| b.link);
            let mut parts = vec![
                part(l::IDENTITY, identity.unwrap_or_else(|| v.t(l::GONE).to_owned()), None),
                part(l::KEY_VAULT, cmk.key.vault.clone(), Some(l::MAY_USE)),
                part(l::KEY, cmk.key.key.clone(), Some(l::HOLDS)),
                part(l::VERSION, cmk.version.clone(), Some(l::HAS_VERSION)),
                part(l::WRAPPED_DATA_KEY, "RSA-OAEP-256 (AES-256)", Some(l::UNWRAPS)),
            ];
            for (at, link, before) in [
                (0, Link::Identity, false),
                (1, Link::Access, true),
                (1, Link::Network, true),
                (1, Link::Vault, false),
                (2, Link::Key, false),
                (3, Link::Version, false),
            ] {
                if broken == Some(link) {
                    if before { parts[at].broken_before = true } else { parts[at].broken = true }
                }
            }
            parts
        }
        None => vec![
            part(l::PLATFORM_KEY, v.t(l::SERVICE_MANAGED), None),
            part(l::WRAPPED_DATA_KEY, "AES-256", Some(l::UNWRAPS)),
        ],
    };
    let blocked = standing.broken.is_some();
    let mut all = parts;
    let mut own = part(l::REGISTRY, name, Some(l::OPENS));
    own.broken_before = blocked;
    all.push(own);
    all.push(part(l::BLOBS, v.t(l::SEALED), Some(l::HOLDS)));
    draw(v, name, standing, &all)
}

fn draw(v: &Visit, name: &str, standing: &Standing, parts: &[Part]) -> Markup {
    let why = standing.broken.as_ref().map(|b| v.t(b.why));
    let height = parts.len() * (BOX + GAP);
    let said: Vec<String> = parts.iter().map(|p| format!("{}: {}", v.t(p.label), p.value)).collect();
    let said = said.join("; ");
    html! {
        svg.envelope viewBox={"0 0 " (WIDTH) " " (height)} role="img" aria-labelledby="envelope-title envelope-text" xmlns="http://www.w3.org/2000/svg" {
            title #envelope-title { (v.t(l::ENVELOPE)) " - " (name) }
            desc #envelope-text { (said) @if let Some(why) = why { ". " (v.t(l::BLOCKED)) ": " (why) } }
            @for (at, part) in parts.iter().enumerate() {
                @let y = at * (BOX + GAP);
                @if let Some(joined) = part.joined {
                    line.broken[part.broken_before] x1=(WIDTH / 2) x2=(WIDTH / 2) y1=(y - GAP) y2=(y) {}
                    text.joined x=(WIDTH / 2 + 8) y=(y - GAP / 2 + 4) { @if part.broken_before { "✕ " } (v.t(joined)) }
                }
                rect.broken[part.broken] x="2" y=(y) width=(WIDTH - 4) height=(BOX - 2) rx="4" {}
                text.label x="14" y=(y + 20) { @if part.broken { "✕ " } (v.t(part.label)) }
                text.value x="14" y=(y + 40) { (shortened(&part.value)) }
            }
        }
        @if let Some(broken) = &standing.broken {
            p.why { strong { (v.t(l::BLOCKED)) ": " } (v.t(broken.why)) " " a href=(broken.mend.0) { (v.t(broken.mend.1)) } }
        }
    }
}

/// What fits into a box.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(38) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
