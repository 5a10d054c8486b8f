//! What happens while a page is looked at: requests, audit records and the clock, as server-sent events; and the page
//! of the last requests.
//! Must not know: who makes the requests.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use maud::Markup;
use serde_json::{Value, json};

use super::audit::{self, rows_of};
use super::blade::Target;
use super::frame::seconds;
use super::labels as l;
use super::visit::{Answer, Visit};
use crate::app::seen::Request;
use crate::app::{App, timeline};
use crate::http::call::Call;

/// Streams at the same time at most; a browser that is refused one tries again.
const STREAMS: usize = 32;
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// One stream's place, given back when its client is gone.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < STREAMS).then_some(n + 1));
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Stream {
    app: Arc<App>,
    /// The newest of each that the client has.
    requests: u64,
    records: u64,
    _place: Place,
}

/// Answers with what happens from now on, or after what the page shows.
pub(super) async fn stream(app: &Arc<App>, call: &mut Call) -> Response {
    let Some(place) = Place::take() else {
        let mut busy = Response::new(Body::empty());
        *busy.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return busy;
    };
    let number = |call: &Call, name: &str| call.query(name).and_then(|n| n.parse().ok());
    let (asked_requests, asked_records) = (number(call, "requests"), number(call, "audit"));
    // A browser that was cut off says where it was.
    let last = call.header("last-event-id").and_then(|id| id.split_once('.'));
    let last = last.and_then(|(requests, records)| Some((requests.parse().ok()?, records.parse().ok()?)));
    let requests = last.map(|(n, _)| n).or(asked_requests).unwrap_or_else(|| app.seen().newest());
    let records = match last.map(|(_, n)| n).or(asked_records) {
        Some(records) => records,
        None => app.audit().after(0, false).await.last().map_or(0, |e| e.number),
    };
    let begun = Stream { app: app.clone(), requests, records, _place: place };
    let events = stream::unfold(Some((begun, true)), |state| async move {
        let (mut s, first) = state?;
        // A first word tells the browser that the stream is there.
        let text = if first { Some(": acrite\n\n".to_owned()) } else { next(&mut s).await };
        text.map(|text| (Ok::<_, Infallible>(Bytes::from(text)), Some((s, false))))
    });
    let mut answer = Response::new(Body::from_stream(events));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The next events; `None` at the end of the emulator.
async fn next(s: &mut Stream) -> Option<String> {
    let app = s.app.clone();
    let mut text = String::new();
    tokio::select! {
        requests = app.seen().after(s.requests) => {
            for request in requests {
                s.requests = request.number;
                text.push_str(&event("request", &json!(cells(&request))));
            }
        }
        entries = app.audit().after(s.records, true) => {
            // Only at the end does it answer with nothing.
            entries.last()?;
            for entry in entries {
                let row = audit::row(&entry);
                s.records = row.number;
                text.push_str(&event("audit", &json!(row.cells)));
            }
        }
    }
    let clock = timeline::show(&app).await.ok()?;
    let due = clock.next_due.map_or("-".to_owned(), seconds);
    let shown = event("clock", &json!({"now": seconds(clock.now), "due": due}));
    text.push_str(&format!("id: {}.{}\n{shown}", s.requests, s.records));
    Some(text)
}

fn event(name: &str, data: &Value) -> String {
    // JSON has no line ends of its own.
    format!("event: {name}\ndata: {data}\n\n")
}

fn cells(request: &Request) -> [String; 7] {
    let r = request;
    #[allow(clippy::cast_precision_loss)]
    let took = format!("{:.1} ms", r.took as f64 / 1000.0);
    [r.at.zulu3(), r.method.clone(), r.host.clone(), r.path.clone(), r.status.to_string(), r.code.clone(), took]
}

/// The last requests, newest first.
pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let mut all = v.app.seen().all();
    all.reverse();
    let newest = all.first().map_or(0, |r| r.number);
    let rows: Vec<[String; 7]> = all.iter().map(cells).collect();
    let heads = [l::TIME, l::METHOD, l::HOST, l::PATH, l::STATUS, l::CODE, l::DURATION];
    let live = v.query.is_empty().then_some(("request", newest));
    Ok(rows_of(v, l::REQUESTS, &heads, rows.iter().map(|r| r.as_slice()), live))
}
