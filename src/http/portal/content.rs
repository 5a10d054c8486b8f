//! What lies in a registry: repositories, tags, a manifest with its layers and referrers, as the registry itself
//! tells the visitor.
//! Must not know: how content is kept.

use maud::{Markup, html};
use serde_json::Value;

use super::blade::Target;
use super::form;
use super::frame::copied;
use super::labels as l;
use super::refusal::Refusal;
use super::registry::bytes;
use super::visit::{Answer, Visit, encode_query, segment, text, word};
use crate::http::inside::Reply;

/// Rows asked for at once.
const PAGE: usize = 50;
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.artifact.manifest.v1+json";

/// The registry's login server, which only its document tells.
async fn server(v: &mut Visit, target: &Target) -> Answer<String> {
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    Ok(text(&registry, "/properties/loginServer").to_owned())
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// Where a list goes on: the value of `last` in its `Link`.
fn last(reply: &Reply) -> Option<String> {
    let link = reply.header("link")?.split(['<', '>']).nth(1)?.to_owned();
    let query = link.split_once('?')?.1.to_owned();
    crate::http::call::pairs(&query).into_iter().find(|(name, _)| name == "last").map(|(_, value)| value)
}

fn page_of(v: &Visit, path: &str) -> String {
    match v.asked("after") {
        "" => format!("{path}?n={PAGE}"),
        after => format!("{path}?n={PAGE}&last={}", segment(after)),
    }
}

fn quoted(repository: &str) -> String {
    repository.split('/').map(segment).collect::<Vec<_>>().join("/")
}

pub(super) async fn repositories(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr repository list --name {} --output table", word(&target.name)));
    let server = server(v, target).await?;
    let path = page_of(v, "/acr/v1/_catalog");
    let reply = v.registry(&server, "registry:catalog:*", &path, "application/json").await?;
    let list = body(&reply);
    let rows: Vec<Vec<Markup>> = list["repositories"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| {
            let url = format!("{}?name={}", target.to("repository"), segment(name));
            vec![html! { a href=(url) { (name) } }]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::REPOSITORIES, &[l::REPOSITORY], &rows))
        (form::onwards(v, last(&reply).as_deref()))
    })
}

pub(super) async fn repository(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let name = named(v)?;
    let registry = word(&target.name);
    v.az(format!("az acr repository show-tags --name {registry} --repository {} --detail", word(&name)));
    let server = server(v, target).await?;
    let scope = format!("repository:{name}:metadata_read,pull");
    let path = page_of(v, &format!("/acr/v1/{}/_tags", quoted(&name)));
    let reply = v.registry(&server, &scope, &path, "application/json").await?;
    let list = body(&reply);
    let rows: Vec<Vec<Markup>> = list["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|t| {
            let tag = text(t, "/name");
            let url = format!("{}?name={}&reference={}", target.to("manifest"), segment(&name), segment(tag));
            vec![
                html! { a href=(url) { (tag) } },
                html! { code { (text(t, "/digest")) } },
                html! { (text(t, "/lastUpdateTime")) },
            ]
        })
        .collect();
    Ok(html! {
        (copied(v, "pull", v.t(l::DOCKER_PULL), &format!("docker pull {server}/{name}")))
        (form::table(v, l::TAGS, &[l::TAG, l::DIGEST, l::UPDATED], &rows))
        (form::onwards(v, last(&reply).as_deref()))
    })
}

fn named(v: &Visit) -> Answer<String> {
    Some(v.asked("name").to_owned())
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Refusal::new(404, "NAME_UNKNOWN", v.t(l::REQUIRED)))
}

pub(super) async fn manifest(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let (name, reference) = (named(v)?, v.asked("reference").to_owned());
    let registry = word(&target.name);
    let at = if reference.contains(':') { '@' } else { ':' };
    v.az(format!("az acr manifest show --registry {registry} --name {}", word(&format!("{name}{at}{reference}"))));
    let server = server(v, target).await?;
    let scope = format!("repository:{name}:metadata_read,pull");
    let path = format!("/v2/{}/manifests/{}", quoted(&name), encode_query(&segment(&reference)).replace("%25", "%"));
    let reply = v.registry(&server, &scope, &path, MANIFESTS).await?;
    let digest = reply.header("docker-content-digest").unwrap_or_default().to_owned();
    let manifest = body(&reply);
    let referrers =
        v.registry(&server, &scope, &format!("/v2/{}/referrers/{digest}", quoted(&name)), "application/json").await;
    let referrers = referrers.map(|r| body(&r)).unwrap_or_default();
    let described = |list: &Value, leads: bool| -> Vec<Vec<Markup>> {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|d| {
                let own = text(d, "/digest");
                let url = format!("{}?name={}&reference={}", target.to("manifest"), segment(&name), segment(own));
                let kind = Some(text(d, "/artifactType")).filter(|k| !k.is_empty()).unwrap_or(text(d, "/mediaType"));
                vec![
                    html! { @if leads { a href=(url) { code { (own) } } } @else { code { (own) } } },
                    html! { (kind) },
                    html! { (d["size"].as_i64().map_or("-".to_owned(), bytes)) },
                ]
            })
            .collect()
    };
    let heads = [l::DIGEST, l::TYPE, l::SIZE];
    let annotations = manifest["annotations"].as_object();
    let annotations: Vec<Vec<Markup>> = annotations
        .into_iter()
        .flatten()
        .map(|(name, value)| vec![html! { (name) }, html! { (value.as_str().unwrap_or_default()) }])
        .collect();
    Ok(html! {
        (form::facts(v, &[
            (l::REPOSITORY, html! { a href={(target.to("repository")) "?name=" (segment(&name))} { (name) } }),
            (l::TAG, html! { (reference) }),
            (l::TYPE, html! { (text(&manifest, "/mediaType")) }),
        ]))
        (copied(v, "digest", v.t(l::DIGEST), &digest))
        @if manifest["manifests"].is_array() {
            h2 { (v.t(l::MANIFESTS)) } (form::table(v, l::MANIFESTS, &heads, &described(&manifest["manifests"], true)))
        } @else {
            h2 { (v.t(l::LAYERS)) } (form::table(v, l::LAYERS, &heads, &described(&manifest["layers"], false)))
        }
        h2 { (v.t(l::REFERRERS)) } (form::table(v, l::REFERRERS, &heads, &described(&referrers["manifests"], true)))
        @if !annotations.is_empty() { h2 { (v.t(l::ANNOTATIONS)) } (form::table(v, l::ANNOTATIONS, &[l::NAME, l::VALUE], &annotations)) }
        details { summary { (v.t(l::MANIFEST)) } pre tabindex="0" { (String::from_utf8_lossy(&reply.body)) } }
    })
}
