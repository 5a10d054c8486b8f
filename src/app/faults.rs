//! Carries out the faults that a test asked for, where a call has been recognised.
//! Must not know: how a protocol says a refusal, which operations there are.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};

use crate::app::App;
use crate::app::world::outgoing::{Errand, Message, Outgoing, Reply};
use crate::domain::access::Caller;
use crate::domain::error::Unavailable;
use crate::domain::fault::{End, Faults, Service, Strike, Touch};
use crate::domain::{Error, Result};
use crate::store;
use crate::store::directory::Who;

/// How a call is to end, for the outermost layer. Nothing where there are no rules.
#[derive(Debug, Clone, Default)]
pub struct Fate(Option<Arc<OnceLock<End>>>);

impl Fate {
    /// One that a strike can seal.
    #[must_use]
    pub fn open() -> Self {
        Self(Some(Arc::default()))
    }

    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.0.as_ref()?.get().copied()
    }

    fn seal(&self, end: End) {
        if let Some(fate) = &self.0 {
            // The first strike decides.
            let _ = fate.set(end);
        }
    }
}

/// Meets the fault for a call, if there is one: waits, and refuses what is not to go on.
pub async fn meet(app: &App, fate: &Fate, touch: &Touch<'_>) -> Result<()> {
    let Some(Strike { latency, end }) = app.faults.strike(touch) else { return Ok(()) };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(end) = end else { return Ok(()) };
    fate.seal(end);
    match end {
        End::Cut(_) => Ok(()),
        End::Full => Err(Error::Unavailable(Unavailable::Full)),
        End::Status { status, .. } => Err(Error::Unavailable(Unavailable::Fault(status))),
        // Said only where nobody can close a connection: within a deployment.
        End::Drop => Err(Error::Unavailable(Unavailable::Fault(503))),
    }
}

/// All names of a caller by which a rule may mean it.
#[must_use]
pub fn names(caller: &Caller) -> [&str; 3] {
    [&caller.name, &caller.app_id, &caller.object_id]
}

/// The display name and the application id of the principal with this object id, where a rule for the service asks who calls.
pub async fn named(app: &Arc<App>, service: Service, object_id: &str) -> Result<Option<Caller>> {
    if object_id.is_empty() || !app.faults.ask_for_callers(service) {
        return Ok(None);
    }
    let mut cx = app.read_now(Caller::system()).await?;
    let found = store::directory::standing(&mut cx.tx, Who::Object(object_id)).await?;
    Ok(found.and_then(|standing| Caller::of(standing, cx.caller.address).ok()))
}

/// How often the client of a vault within a registry asks again after the first time [inferred: the default of Azure's
/// client libraries]. Between two attempts it does not wait: a test has counted them.
const RETRIES: u32 = 3;
/// How long that client waits for an answer [inferred: the same].
const PATIENCE: Duration = Duration::from_secs(100);

/// Meets the faults between a registry and its vault: what the vault throttles, fails or loses is asked again. `false`:
/// the vault refuses in a way that asking again does not help.
pub async fn meet_from_registry(app: &App, touch: &Touch<'_>) -> Result<bool> {
    for _ in 0..=RETRIES {
        let Some(Strike { latency, end }) = app.faults.strike(touch) else { return Ok(true) };
        if !latency.is_zero() {
            tokio::time::sleep(latency.min(PATIENCE)).await;
        }
        match end {
            None if latency < PATIENCE => return Ok(true),
            Some(End::Status { status, .. }) if !matches!(status, 408 | 429 | 500..) => return Ok(false),
            _ => {}
        }
    }
    Err(Error::Unavailable(Unavailable::Vault))
}

/// The same where nothing can be waited for: the work of a rotation.
pub fn strike_from_registry(app: &App, touch: &Touch<'_>) -> Result<()> {
    for _ in 0..=RETRIES {
        match app.faults.strike(touch) {
            None | Some(Strike { end: None, .. }) => return Ok(()),
            Some(Strike { end: Some(End::Status { status, .. }), .. }) if !matches!(status, 408 | 429 | 500..) => break,
            Some(_) => {}
        }
    }
    Err(Error::Unavailable(Unavailable::Vault))
}

/// The way out, with the faults of webhooks' targets and of sources.
#[derive(Debug)]
pub struct Faulty {
    pub way: Arc<dyn Outgoing>,
    pub faults: Arc<Faults>,
}

impl Outgoing for Faulty {
    fn send(&self, message: Message) -> BoxFuture<'_, std::result::Result<Reply, String>> {
        let strike = self.faults.strike_out(&message);
        let Some(Strike { latency, end }) = strike else { return self.way.send(message) };
        Box::pin(async move {
            tokio::time::sleep(latency).await;
            match end {
                None | Some(End::Full) => self.way.send(message).await,
                Some(End::Drop) => Err("the connection was closed before an answer came".to_owned()),
                Some(End::Status { status, retry_after }) => Ok(refusal(status, retry_after)),
                Some(End::Cut(bytes)) => {
                    let reply = self.way.send(message).await?;
                    Ok(Reply { body: cut(reply.body, bytes), ..reply })
                }
            }
        })
    }
}

trait StrikeOut {
    fn strike_out(&self, message: &Message) -> Option<Strike>;
}

impl StrikeOut for Faults {
    fn strike_out(&self, message: &Message) -> Option<Strike> {
        let service = match message.errand {
            Errand::Webhook => Service::Webhook,
            Errand::Source => Service::Source,
        };
        if !self.any(service) {
            return None;
        }
        let host = message.uri.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
        let path = message.uri.split("/v2/").nth(1).unwrap_or_default();
        let (repository, operation) = match (path.rsplit_once("/manifests/"), path.rsplit_once("/blobs/")) {
            _ if service == Service::Webhook => ("", "Send"),
            (Some((repository, _)), _) => (repository, "PullManifest"),
            (_, Some((repository, _))) => (repository, "PullBlob"),
            _ => ("", "Login"),
        };
        let operations = [operation, if repository.is_empty() { operation } else { "Pull" }];
        self.strike(&Touch { registry: host, repository, ..Touch::of(service, &operations) })
    }
}

fn refusal(status: u16, retry_after: Option<u32>) -> Reply {
    let headers = retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
    Reply { status, reason: String::new(), headers: headers.into_iter().collect(), body: stream::empty().boxed() }
}

const LEAVING: Duration = Duration::from_millis(50);

/// A body that breaks off after so many bytes, if it has more.
pub fn cut<E: From<String> + Send + 'static>(
    body: BoxStream<'static, std::result::Result<Bytes, E>>,
    bytes: u64,
) -> BoxStream<'static, std::result::Result<Bytes, E>> {
    let next = |(mut body, left): (BoxStream<'static, std::result::Result<Bytes, E>>, Option<u64>)| async move {
        let left = left?;
        if left == 0 {
            let more = body.next().await;
            // What was sent has to leave before the connection ends.
            tokio::time::sleep(LEAVING).await;
            return more.map(|_| (Err(E::from("the connection was closed".to_owned())), (body, None)));
        }
        let mut part = match body.next().await? {
            Ok(part) => part,
            Err(error) => return Some((Err(error), (body, None))),
        };
        let length = u64::min(left, part.len() as u64);
        // It fits: it is no longer than the part.
        if let Ok(length) = usize::try_from(length)
            && length < part.len()
        {
            let rest = part.split_off(length);
            body = stream::once(async { Ok(rest) }).chain(body).boxed();
        }
        Some((Ok(part), (body, Some(left - length))))
    };
    stream::unfold((body, Some(bytes)), next).boxed()
}
