//! The pace of a conversation: how long a client may pause within the body of a request, and for how long it may take
//! nothing of an answer. Without an end to either, each such client would hold memory for ever.
//! Must not know what is said.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Both are what nginx gives by default (`client_body_timeout`, `send_timeout`), on which registries run.
pub(super) const PAUSE: Duration = Duration::from_secs(60);
/// Bytes of an answer that the connection gets at a time. Smaller answers are handed over whole and not watched.
const PIECE: usize = 128 * 1024;

/// The body of a request, which must not stand still for longer than `limit`.
pub(super) fn hurried(body: Body, limit: Duration) -> Body {
    if body.is_end_stream() { body } else { Body::new(Hurried { body, limit, pause: None }) }
}

struct Hurried {
    body: Body,
    limit: Duration,
    /// Runs while the client owes the next piece.
    pause: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Hurried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.pause = None;
            return polled;
        }
        let limit = self.limit;
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        std::task::ready!(pause.as_mut().poll(cx));
        self.pause = None;
        self.body = Body::empty();
        let late = io::Error::new(io::ErrorKind::TimedOut, "the client sent nothing more of its request");
        Poll::Ready(Some(Err(axum::Error::new(late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answers under way on one connection that wait for their client to take more of them.
pub(super) struct Untaken {
    limit: Duration,
    since: Mutex<HashMap<u64, Instant>>,
    /// One waits, and none did before.
    first: Notify,
}

impl Untaken {
    /// For a connection on which a client may take nothing for `limit`.
    pub(super) fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { limit, since: Mutex::default(), first: Notify::new() })
    }

    fn since(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches an answer, unless it is a small one.
    pub(super) fn watched(self: &Arc<Self>, body: Body) -> Body {
        if body.size_hint().upper().is_some_and(|most| most <= PIECE as u64) {
            return body;
        }
        let id = {
            let since = self.since();
            (0..).find(|id| !since.contains_key(id)).unwrap_or_default()
        };
        let watched = Watched { body, rest: Bytes::new(), id, untaken: self.clone() };
        watched.waits();
        Body::new(watched)
    }

    /// Completes when a client has taken nothing of an answer for as long as it may.
    pub(super) async fn too_long(&self) {
        loop {
            let oldest = self.since().values().min().copied();
            match oldest {
                None => self.first.notified().await,
                Some(since) if since.elapsed() >= self.limit => return,
                Some(since) => tokio::time::sleep_until(since + self.limit).await,
            }
        }
    }
}

struct Watched {
    body: Body,
    /// What is left of the last piece of the body.
    rest: Bytes,
    id: u64,
    untaken: Arc<Untaken>,
}

impl Watched {
    /// The client may take more from now on.
    fn waits(&self) {
        let mut since = self.untaken.since();
        let first = since.is_empty();
        since.insert(self.id, Instant::now());
        drop(since);
        if first {
            self.untaken.first.notify_one();
        }
    }

    /// The client has taken all there was.
    fn waits_no_more(&self) {
        self.untaken.since().remove(&self.id);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = if self.rest.is_empty() {
            self.waits_no_more();
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.rest = data;
                        None
                    }
                    Err(trailers) => Some(trailers),
                },
                end => return Poll::Ready(end),
            }
        } else {
            None
        };
        let frame = frame.unwrap_or_else(|| {
            let piece = PIECE.min(self.rest.len());
            Frame::data(self.rest.split_to(piece))
        });
        self.waits();
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        if let Some(upper) = hint.upper() {
            whole.set_upper(rest + upper);
        }
        whole.set_lower(rest + hint.lower());
        whole
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.waits_no_more();
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::poll;
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    const NEVER: Duration = Duration::from_secs(1_000_000);

    /// A body whose pieces come as they are sent.
    fn sent() -> (mpsc::UnboundedSender<&'static str>, Body) {
        let (send, received) = mpsc::unbounded_channel();
        let frames = futures_util::stream::unfold(received, |mut received| async {
            let piece: &str = received.recv().await?;
            Some((Ok::<_, io::Error>(Bytes::from(piece)), received))
        });
        (send, Body::from_stream(frames))
    }

    #[tokio::test]
    async fn a_body_that_stands_still_ends_in_an_error() {
        let (send, body) = sent();
        let mut body = hurried(body, Duration::ZERO);
        send.send("there in time").unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "there in time");
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn each_piece_of_a_body_has_its_own_time() {
        let (send, body) = sent();
        let mut body = Hurried { body, limit: NEVER, pause: None };
        for piece in ["one", "two"] {
            assert!(poll!(body.frame()).is_pending());
            assert!(body.pause.is_some());
            send.send(piece).unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
            assert!(body.pause.is_none());
        }
        drop(send);
        assert!(body.frame().await.is_none());
    }

    async fn length(body: &mut Body) -> usize {
        body.frame().await.unwrap().unwrap().into_data().unwrap().len()
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_noticed() {
        let untaken = Untaken::new(Duration::ZERO);
        assert!(poll!(Box::pin(untaken.too_long())).is_pending(), "there is none");
        let mut answer = untaken.watched(Body::from(vec![0; 2 * PIECE]));
        untaken.too_long().await;
        for _ in 0..2 {
            assert_eq!(length(&mut answer).await, PIECE);
            untaken.too_long().await;
        }
        assert!(answer.frame().await.is_none());
        assert!(poll!(Box::pin(untaken.too_long())).is_pending(), "it was taken");
        let answer = untaken.watched(Body::from(vec![0; 2 * PIECE]));
        drop(answer);
        assert!(poll!(Box::pin(untaken.too_long())).is_pending(), "it is gone");
    }

    #[tokio::test]
    async fn an_answer_that_has_nothing_to_give_is_not_its_clients_fault() {
        let untaken = Untaken::new(Duration::ZERO);
        let (send, body) = sent();
        let mut answer = untaken.watched(body);
        assert!(poll!(answer.frame()).is_pending());
        assert!(poll!(Box::pin(untaken.too_long())).is_pending(), "the client waits");
        send.send("at last").unwrap();
        assert_eq!(length(&mut answer).await, 7);
        untaken.too_long().await;
    }

    #[tokio::test]
    async fn whoever_waits_for_it_is_told_of_the_first_answer() {
        let untaken = Untaken::new(Duration::ZERO);
        let mut noticed = Box::pin(untaken.too_long());
        assert!(poll!(&mut noticed).is_pending());
        let _answer = untaken.watched(Body::from(vec![0; 2 * PIECE]));
        noticed.await;
    }

    #[tokio::test]
    async fn all_of_an_answer_arrives() {
        let untaken = Untaken::new(NEVER);
        let whole: Vec<u8> = (0..=250).cycle().take(3 * PIECE + 5).collect();
        let body = untaken.watched(Body::from(whole.clone()));
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), whole);
        let small = untaken.watched(Body::from("small"));
        assert!(untaken.since().is_empty(), "it is not watched");
        assert_eq!(to_bytes(small, 10).await.unwrap(), "small");
    }
}
