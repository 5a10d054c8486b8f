//! What a handler has left unread of a request's body: read here if it is little, or else the client is told that the
//! connection ends, for it could not tell the rest from its next request.
//! Must not know: any protocol beyond HTTP's own.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Version, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// Bytes that are read for the sake of the connection.
const LITTLE: usize = 64 * 1024;
/// How long the client may take to send them.
const LIMIT: Duration = Duration::from_secs(1);

/// Where a request's body comes back to, if it is not read to its end.
#[derive(Debug)]
pub struct Leftover {
    back: oneshot::Receiver<Body>,
    /// The client waits to be asked for the body: it will not come by itself.
    waits: bool,
    version: Version,
}

impl Leftover {
    /// Lends the body of a request to its handler.
    pub fn of(request: Request<Body>) -> (Request<Body>, Self) {
        let waits = request.headers().contains_key(header::EXPECT);
        let version = request.version();
        let (give, back) = oneshot::channel();
        let lend = |body| Body::new(Lent { body, ended: false, back: Some(give) });
        (request.map(lend), Self { back, waits, version })
    }

    /// Makes the connection fit for the next request, or says in the answer that there will be none.
    pub async fn settle(mut self, mut answer: Response) -> Response {
        // A stream of HTTP/2 ends by itself.
        if self.version > Version::HTTP_11 {
            return answer;
        }
        let Ok(rest) = self.back.try_recv() else { return answer };
        let small = rest.size_hint().upper().is_none_or(|size| size <= LITTLE as u64);
        let read = async { small && !self.waits && Limited::new(rest, LITTLE).collect().await.is_ok() };
        if !tokio::time::timeout(LIMIT, read).await.unwrap_or(false) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
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
