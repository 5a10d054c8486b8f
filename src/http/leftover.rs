//! What a handler has left unread of a request's body. A client that is still sending it would see a broken connection
//! and not the answer, so it is read for nobody, up to a limit; beyond that the answer says that the connection ends.
//! Must not know: any protocol beyond HTTP's own.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Version, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// How much is read for nobody: bytes, and how long the client may take to send them.
#[derive(Debug, Clone, Copy)]
pub struct Patience(usize, Duration);

impl Patience {
    /// For documents.
    pub const LITTLE: Self = Self(64 * 1024, Duration::from_secs(1));
    /// For pushes: clients such as Azure's SDKs send a chunk of a layer before they know whether they may.
    pub const MUCH: Self = Self(32 * 1024 * 1024, Duration::from_secs(10));
}

/// Where a request's body comes back to, if it is not read to its end.
#[derive(Debug)]
pub struct Leftover {
    back: Option<oneshot::Receiver<Body>>,
    /// The client waits to be asked for the body: it will not come by itself.
    waits: bool,
    version: Version,
}

impl Leftover {
    /// Lends the body of a request to its handler.
    pub fn of(request: Request<Body>) -> (Request<Body>, Self) {
        let waits = request.headers().contains_key(header::EXPECT);
        let version = request.version();
        if request.body().is_end_stream() {
            return (request, Self { back: None, waits, version });
        }
        let (give, back) = oneshot::channel();
        let lend = |body| Body::new(Lent { body, ended: false, back: Some(give) });
        (request.map(lend), Self { back: Some(back), waits, version })
    }

    /// Makes the connection fit for the next request, or says in the answer that there will be none.
    pub async fn settle(mut self, Patience(bytes, time): Patience, mut answer: Response) -> Response {
        let Some(Ok(rest)) = self.back.as_mut().map(oneshot::Receiver::try_recv) else { return answer };
        let read = !self.waits && tokio::time::timeout(time, discard(rest, bytes)).await.unwrap_or(false);
        // A stream of HTTP/2 ends by itself.
        if !read && self.version <= Version::HTTP_11 {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// Reads a body for nobody. `false`: it is longer than the limit, or broke off.
async fn discard(body: Body, limit: usize) -> bool {
    let mut frames = body.into_data_stream();
    let mut seen = 0;
    while let Some(frame) = frames.next().await {
        let Ok(frame) = frame else { return false };
        seen += frame.len();
        if seen > limit {
            return false;
        }
    }
    true
}

struct Lent {
    body: Body,
    ended: bool,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.ended
            && !self.body.is_end_stream()
            && let Some(back) = self.back.take()
        {
            // Nobody waits for it where the handler outlives its answer.
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}
