//! What a handler left unread of a request's body. Clients such as Azure's SDKs send a body before they know
//! whether they may; answered while they still write, they see a broken connection and not the answer.
//! Must not know: any route.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use crate::http::call::Call;

/// Bytes that are read for nobody, at most; then the connection breaks after all.
const LIMIT: usize = 32 * 1024 * 1024;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that comes back when its reader drops it.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Nobody waits for it: the request itself is gone.
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}

/// Where the rest of a body arrives.
pub struct Rest(Option<oneshot::Receiver<Body>>);

impl Rest {
    /// Lends a call its own body. Who waits for `100 Continue` has not sent anything and needs no reader.
    pub fn of(call: &mut Call) -> Self {
        if call.body.is_end_stream() || call.header("expect").is_some() {
            return Self(None);
        }
        let (back, rest) = oneshot::channel();
        let body = std::mem::take(&mut call.body);
        call.body = Body::new(Lent { body, back: Some(back) });
        Self(Some(rest))
    }

    /// Reads what is left, once the handler is done with it.
    pub async fn discard(self) {
        let Some(Ok(body)) = self.0.map(|mut rest| rest.try_recv()) else { return };
        let mut frames = body.into_data_stream();
        let read = async {
            let mut seen = 0;
            while let Some(Ok(frame)) = frames.next().await {
                seen += frame.len();
                if seen > LIMIT {
                    break;
                }
            }
        };
        // Too slow: the answer is sent all the same.
        let _ = tokio::time::timeout(PATIENCE, read).await;
    }
}
