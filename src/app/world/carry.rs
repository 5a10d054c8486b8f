//! Carries a request to its end once it has begun to write, whether or not its client is still there.
//! Must not know: what a request is, HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

tokio::task_local! {
    /// Whether the request that this task is working on has begun to write.
    static WRITING: Arc<AtomicBool>;
}

/// From here on the request is not to be broken off. Does nothing outside of a request.
pub(in crate::app) fn begun_to_write() {
    let _ = WRITING.try_with(|writing| writing.store(true, Ordering::Release));
}

/// A request under way. Its client's connection drops it when the client hangs up: one that has only read ends there,
/// one that has begun to write goes on in a task of its own.
pub struct Carried<T: Send + 'static> {
    request: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    writing: Arc<AtomicBool>,
}

/// Makes a request one that is carried to its end.
pub fn carried<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> Carried<T> {
    let writing = Arc::new(AtomicBool::new(false));
    let request = Box::pin(WRITING.scope(writing.clone(), request));
    Carried { request: Some(request), writing }
}

impl<T: Send + 'static> Future for Carried<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(request) = self.request.as_mut() else { return Poll::Pending };
        let done = request.as_mut().poll(cx);
        if done.is_ready() {
            self.request = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        // A request that panicked cannot go on.
        if self.writing.load(Ordering::Acquire)
            && !std::thread::panicking()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { drop(request.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    /// A request that begins to write or not, and goes on when told to; then it says so.
    fn request(writes: bool) -> (Carried<()>, oneshot::Sender<()>, oneshot::Receiver<()>) {
        let (go, going) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let request = carried(async move {
            if writes {
                begun_to_write();
            }
            let _ = going.await;
            let _ = done.send(());
        });
        (request, go, ended)
    }

    #[tokio::test]
    async fn who_hangs_up_breaks_off_reads_and_no_writes() {
        for (writes, ends) in [(true, true), (false, false)] {
            let (mut request, go, ended) = request(writes);
            assert!(futures_util::poll!(&mut request).is_pending());
            drop(request);
            let _ = go.send(());
            assert_eq!(ended.await.is_ok(), ends);
        }
    }

    #[tokio::test]
    async fn an_answer_reaches_who_waits() {
        let (request, go, ended) = request(true);
        go.send(()).unwrap();
        request.await;
        ended.await.unwrap();
    }
}
