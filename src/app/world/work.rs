//! Long computations: off the threads that answer requests, and no more of them at a time than there are cores.
//! Must not know: what is computed.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

use crate::domain::{Error, Result};

/// One place for each core. They belong to the process, as the cores do.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(places())));

/// How many computations go on at a time at the most.
#[must_use]
pub fn places() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does something that takes long. Whoever asked may go away meanwhile: it ends all the same, and its place is
/// taken until then.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let place = PLACES.clone().acquire_owned().await.map_err(Error::internal)?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    done.await.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_at_a_time_than_cores_even_when_nobody_waits_any_more() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let (open, opened) = std::sync::mpsc::channel::<()>();
        let opened = Arc::new(std::sync::Mutex::new(opened));
        let mut asked = Vec::new();
        for _ in 0..cores * 4 {
            let (now, most, done, opened) = (now.clone(), most.clone(), done.clone(), opened.clone());
            asked.push(tokio::spawn(run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = opened.lock().unwrap().recv();
                now.fetch_sub(1, Ordering::SeqCst);
                let _ = done.send(());
            })));
        }
        // Those that run already go on; their askers are gone.
        while now.load(Ordering::SeqCst) < cores {
            tokio::task::yield_now().await;
        }
        asked.drain(..cores).for_each(|asker| asker.abort());
        drop(open);
        for asker in asked {
            asker.await.unwrap().unwrap();
        }
        for _ in 0..cores * 4 {
            ended.recv().await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), cores);
    }
}
