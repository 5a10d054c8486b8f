//! The portal: pages and forms over the same calls that other clients make, as whom the visitor chose to be.
//! Must not know: how a resource is kept, what may be done to it; it asks the other front ends.

mod access;
mod audit;
mod blade;
mod clock;
mod content;
mod create;
mod deployments;
mod encryption;
mod envelope;
mod form;
mod frame;
mod group;
mod home;
mod identity;
mod keys;
mod labels;
mod live;
mod map;
mod reason;
mod refusal;
mod registry;
mod registry_children;
mod registry_create;
mod registry_tasks;
mod session;
mod tables;
mod vault;
mod visit;
mod who;
mod wizard;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use blade::{Blade, Next, Target};
use frame::Page;
use labels::Lang;
use refusal::Refusal;
use session::Session;
use visit::{Done, Visit, Who};

use crate::app::directory::sign_in;
use crate::app::{App, timeline};
use crate::domain::world::well_known::DEVELOPER_OBJECT_ID;
use crate::http::call::{Call, pairs};

/// The code of a form that was filled in over a document that has changed since.
const CHANGED: &str = "ResourceChanged";

/// What actions did, until they have been shown: the newest of all sessions.
static DONE: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
/// Each with the key under which its page asks for it.
type Kept = VecDeque<(String, Arc<Done>)>;
const DONE_LIMIT: usize = 64;

/// Sent with everything.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    // Not no-referrer: browsers would send forms without their origin.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

const ASSETS: [(&str, &str, &str); 3] = [
    ("portal.css", "text/css; charset=utf-8", include_str!("assets/portal.css")),
    ("portal.js", "text/javascript; charset=utf-8", include_str!("assets/portal.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Whether a request to the emulator's own host is for the portal: by its path, or because a browser asks for `/`.
#[must_use]
pub fn is_asked(call: &Call) -> bool {
    let browses = || call.header("accept").is_some_and(|accept| accept.contains("text/html"));
    call.path == "/portal" || call.path.starts_with("/portal/") || (call.path == "/" && browses())
}

/// Answers a call.
pub async fn answer(app: Arc<App>, mut call: Call) -> Response {
    let mut answer = respond(&app, &mut call).await;
    for (name, value) in HEADERS {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

async fn respond(app: &Arc<App>, call: &mut Call) -> Response {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let gets = call.method == Method::GET;
    match path.as_slice() {
        [] | ["portal"] if !call.path.ends_with("portal/") => redirect("/portal/"),
        ["portal", "assets", name] if gets => asset(name),
        ["portal", "live"] if gets => live::stream(app, call).await,
        ["portal", rest @ ..] if gets || call.method == Method::POST => page(app, call, rest).await,
        _ => html(StatusCode::METHOD_NOT_ALLOWED, "<!DOCTYPE html><title>405</title><p>405".to_owned()),
    }
}

fn asset(name: &str) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => {
            let mut answer = Response::new(Body::from(*text));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            answer
        }
        None => html(StatusCode::NOT_FOUND, "<!DOCTYPE html><title>404</title><p>404".to_owned()),
    }
}

fn html(status: StatusCode, text: String) -> Response {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn redirect(to: &str) -> Response {
    let mut answer = html(StatusCode::SEE_OTHER, String::new());
    // An address is made of quoted segments; what cannot stand in a header leads home.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/portal/"));
    answer.headers_mut().insert(header::LOCATION, to);
    answer
}

/// The page that a form came from, if it is one of ours.
fn back(v: &Visit) -> String {
    let back = v.typed("back");
    let own = back.starts_with("/portal/") && !back.contains(['\\', '\r', '\n']) && back.is_ascii();
    if own { back.to_owned() } else { "/portal/".to_owned() }
}

async fn page(app: &Arc<App>, call: &mut Call, path: &[&str]) -> Response {
    let session = Session::of(call);
    let secure = call.host == "portal.azure.com";
    let mut answer = match visited(app, call, &session, path).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let text = maud::html! { (maud::DOCTYPE) title { (refusal.code) } p { (form::said(&refusal)) } };
            html(status, text.into_string())
        }
    };
    if session.fresh {
        keep(&mut answer, &session.keep("session", Some(&session.id), secure));
    }
    answer
}

fn keep(answer: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

async fn visited(app: &Arc<App>, call: &mut Call, session: &Session, path: &[&str]) -> Result<Response, Refusal> {
    let mut v = visit(app, call, session).await?;
    v.posted = call.method == Method::POST;
    if v.posted {
        v.typed = form_of(call).await?;
        let shown = v.typed.iter().find(|(name, _)| name == "form").map(|(_, value)| value.as_str());
        if !session::is_own_form(call, &v.form_token, shown.unwrap_or_default()) {
            let message = "This form is not of this session: go back, load the page again, and send it from there.";
            return Err(Refusal::new(403, "FormNotOfThisSession", message));
        }
        let secure = call.host == "portal.azure.com";
        match path {
            ["language"] => {
                let mut answer = redirect(&back(&v));
                keep(&mut answer, &session.keep("lang", Some(Lang::named(v.typed("lang")).code()), secure));
                return Ok(answer);
            }
            ["act-as"] => {
                let mut answer = redirect("/portal/");
                let who = v.typed("who");
                let known = sign_in::name_of(app, who).await?.is_some();
                keep(&mut answer, &session.keep("as", Some(who).filter(|_| known), secure));
                return Ok(answer);
            }
            _ => {}
        }
    }
    let Some((blade, target)) = tables::find(path) else {
        let page = frame::refused(&v, &Refusal::new(404, "NotFound", "There is no such page."));
        return Ok(html(StatusCode::NOT_FOUND, frame::render(&v, &page).into_string()));
    };
    if v.posted
        && let Some(act) = blade.act
    {
        match act(&mut v, &target).await {
            Ok(Next::To(to)) => return Ok(redirect(&done(&mut v, &to))),
            Ok(Next::Again) => {}
            Err(refusal) => v.problem = Some(refusal),
        }
    }
    Ok(show(&mut v, blade, &target).await)
}

/// Who visits, in which language, at what time.
async fn visit(app: &Arc<App>, call: &mut Call, session: &Session) -> Result<Visit, Refusal> {
    let lang = match &session.lang {
        Some(lang) => Lang::named(lang),
        None => Lang::accepted(call.header("accept-language").unwrap_or_default()),
    };
    let object_id = session.who.clone().unwrap_or_else(|| DEVELOPER_OBJECT_ID.to_owned());
    let name = sign_in::name_of(app, &object_id).await?.unwrap_or_else(|| object_id.clone());
    let clock = timeline::show(app).await?;
    let mut v = Visit::new(app.clone(), lang, Who { object_id, name }, session.form_token(app), clock);
    v.query = pairs(&call.query);
    let kept = v.query.iter().filter(|(name, _)| name != "done");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    v.here = if query.is_empty() { call.path.clone() } else { format!("{}?{query}", call.path) };
    let id = v.asked("done").to_owned();
    if !id.is_empty() {
        let kept = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        v.done = kept.iter().find(|(known, _)| *known == id).map(|(_, done)| done.clone());
    }
    Ok(v)
}

async fn form_of(call: &mut Call) -> Result<Vec<(String, String)>, Refusal> {
    let kind = call.header("content-type").unwrap_or_default().to_owned();
    if let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") {
        let bytes = call.bytes(crate::http::call::BODY_LIMIT).await?;
        return Ok(deployments::parts(&bytes, boundary));
    }
    Ok(call.form().await?)
}

/// Keeps what an action did for the page that shows it.
fn done(v: &mut Visit, to: &str) -> String {
    if v.az.is_empty() && v.exchanges.is_empty() {
        return to.to_owned();
    }
    let done = Done {
        az: std::mem::take(&mut v.az),
        exchanges: std::mem::take(&mut v.exchanges),
        note: std::mem::take(&mut v.note),
    };
    let id = session::random();
    let mut kept = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    while kept.len() >= DONE_LIMIT {
        kept.pop_front();
    }
    kept.push_back((id.clone(), Arc::new(done)));
    format!("{to}{}done={id}", if to.contains('?') { '&' } else { '?' })
}

async fn show(v: &mut Visit, blade: &'static Blade, target: &Target) -> Response {
    let shown = (blade.show)(v, target).await;
    let (page, status) = match shown {
        Ok(body) => (framed(v, blade, target, body), v.problem.as_ref().map_or(200, |p| p.status)),
        Err(refusal) => {
            let mut page = frame::refused(v, &refusal);
            page.menu = menu(target, blade);
            (page, refusal.status)
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    html(status, frame::render(v, &page).into_string())
}

fn framed(v: &Visit, blade: &'static Blade, target: &Target, body: maud::Markup) -> Page {
    let label = v.t(blade.label).to_owned();
    let mut page = Page::new(label.clone(), body);
    if target.id.is_empty() {
        if !blade.slug.is_empty() {
            page.crumbs.push((String::new(), label));
        }
        return page;
    }
    let group = visit::group_id(&target.group);
    page.crumbs.push((blade::to(&group, "overview"), target.group.clone()));
    if target.name != target.group || !target.id.eq_ignore_ascii_case(&group) {
        page.crumbs.push((target.to("overview"), target.name.clone()));
    }
    let parent = parent(target, blade);
    if parent.slug != blade.slug {
        page.crumbs.push((target.to(parent.slug), v.t(parent.label).to_owned()));
    }
    page.crumbs.push((String::new(), label.clone()));
    for rest in &target.rest {
        page.crumbs.push((String::new(), rest.clone()));
    }
    let about = target.rest.last().unwrap_or(&target.name);
    page.title = format!("{about} | {label}");
    page.menu = menu(target, blade);
    page
}

/// The page of the menu from which a page is reached: the one before it in the table.
fn parent(target: &Target, blade: &'static Blade) -> &'static Blade {
    let all = tables::of(&target.id);
    let at = all.iter().position(|b| b.slug == blade.slug).unwrap_or_default();
    all[..=at.min(all.len() - 1)].iter().rfind(|b| b.in_menu).unwrap_or(blade)
}

fn menu(target: &Target, current: &'static Blade) -> Vec<(Option<labels::Label>, labels::Label, String, bool)> {
    let all = tables::of(&target.id);
    if all.is_empty() {
        return Vec::new();
    }
    let current = parent(target, current).slug;
    let all = all.iter().filter(|blade| blade.in_menu);
    all.map(|blade| (blade.section, blade.label, target.to(blade.slug), blade.slug == current)).collect()
}

/// The document of a resource, if it is still the one that the form was filled in over.
async fn unchanged(v: &mut Visit, id: &str) -> Result<serde_json::Value, Refusal> {
    let now = v.arm("GET", id, serde_json::Value::Null).await?;
    require_unchanged(v, &now)?;
    Ok(now)
}

fn require_unchanged(v: &Visit, now: &serde_json::Value) -> Result<(), Refusal> {
    if v.typed("seen") == form::seal(now) {
        return Ok(());
    }
    Err(Refusal::new(409, CHANGED, v.t(labels::CHANGED_MEANWHILE)))
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::testbed::Bed;
    use crate::http::{service_for, service_for_others};

    #[tokio::test]
    async fn clients_of_other_machines_are_asked_for_the_token() {
        let bed = Bed::new().await;
        for host in ["localhost", "127.0.0.1", "portal.azure.com"] {
            for path in ["/portal/", "/portal/live", "/portal/assets/portal.css", "/"] {
                let request = || {
                    let request = Request::builder().uri(path).header("host", host).header("accept", "text/html");
                    request.body(Body::empty()).unwrap()
                };
                let others = service_for_others(host, &bed.app).unwrap().oneshot(request()).await.unwrap();
                assert_eq!(others.status(), StatusCode::UNAUTHORIZED, "{host}{path}");
                assert!(others.headers().contains_key("www-authenticate"));
                let own = service_for(host, &bed.app).unwrap().oneshot(request()).await.unwrap();
                assert!(own.status().is_success() || own.status().is_redirection(), "{host}{path}: {}", own.status());
            }
        }
    }
}
