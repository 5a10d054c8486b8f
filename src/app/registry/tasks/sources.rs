//! Where the source of a run comes from: the storage account that tasks use, an archive at an address, a git repository.
//! Must not know: how it is taken in (see builder).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::StreamExt as _;
use url::Url;

use super::blobs::{self, Place, Refusal};
use super::builder::{Agent, Said};
use crate::app::App;
use crate::app::world::outgoing::{Errand, Message};
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::tasks::run::Run;
use crate::domain::registry::tasks::sas;

/// Whose source is fetched, and who takes it in.
pub(super) struct Fetch<'a> {
    pub app: &'a Arc<App>,
    pub registry: &'a Registry,
    pub run: &'a Run,
    /// What a private git repository wants.
    pub token: Option<&'a str>,
    pub agent: &'a mut dyn Agent,
    pub said: &'a Said,
}

/// Fetches a run's source.
pub(super) async fn fetch(job: &mut Fetch<'_>, source: &str) -> Result<(), String> {
    if source.starts_with("oci://") {
        return Err("sources that are artifacts (oci://) are not carried out by this emulator".to_owned());
    }
    let (address, part) = source.split_once('#').map_or((source, None), |(address, part)| (address, Some(part)));
    if is_git(address) {
        let (reference, folder) = part.unwrap_or_default().split_once(':').unwrap_or((part.unwrap_or_default(), ""));
        let url = match address.strip_prefix("github.com/") {
            Some(path) => format!("https://github.com/{path}"),
            None => address.to_owned(),
        };
        let url = with_token(&url, job.token);
        let said = job.said.clone();
        job.agent.clone_from(&url, Some(reference).filter(|r| !r.is_empty()), said).await?;
        return if folder.is_empty() { Ok(()) } else { job.agent.enter(folder) };
    }
    if address.starts_with("https://") || address.starts_with("http://") {
        return match ours(address) {
            Some(place) => from_account(job, Some(place), "").await,
            None => from_address(job, address).await,
        };
    }
    from_account(job, None, source).await
}

fn is_git(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let hosted = ["visualstudio.com", "dev.azure.com"].iter().any(|host| lower.contains(host));
    lower.starts_with("git@")
        || lower.starts_with("git://")
        || lower.starts_with("github.com/")
        || (lower.starts_with("http") && (hosted || lower.ends_with(".git")))
}

fn with_token(url: &str, token: Option<&str>) -> String {
    let Some(token) = token else { return url.to_owned() };
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if parsed.scheme() != "https" || parsed.set_username("token").is_err() || parsed.set_password(Some(token)).is_err()
    {
        return url.to_owned();
    }
    parsed.into()
}

/// A link to the account itself.
fn ours(address: &str) -> Option<Place> {
    let url = Url::parse(address).ok()?;
    if url.host_str()? != sas::host() {
        return None;
    }
    let (container, name) = url.path().strip_prefix('/')?.split_once('/')?;
    let query = url.query_pairs().into_owned().collect();
    Some(Place { container: container.to_owned(), name: name.to_owned(), query })
}

async fn from_account(job: &mut Fetch<'_>, link: Option<Place>, name: &str) -> Result<(), String> {
    let said = |refusal: Refusal| match refusal {
        Refusal::BlobNotFound | Refusal::ContainerNotFound => "there is no such source; it may be too old".to_owned(),
        Refusal::Unsigned(_) => "the signature of its link is not good".to_owned(),
        Refusal::Failed(why) => super::reason::reason(&why),
        _ => "it cannot be read".to_owned(),
    };
    let found = match link {
        Some(place) => blobs::find(job.app, &place).await.map_err(said)?,
        None => {
            let mut cx = job.app.read(Caller::system()).await.map_err(|e| said(e.into()))?;
            blobs::source(&mut cx, job.registry, name).await.map_err(said)?
        }
    };
    let parts = blobs::read(job.app, &found, (0, found.size));
    job.agent.unpack(parts.map(|part| part.map_err(|why| super::reason::reason(&why))).boxed()).await
}

async fn from_address(job: &mut Fetch<'_>, address: &str) -> Result<(), String> {
    let way = job.app.way_out.get().ok_or("there is no way out")?.clone();
    let asker = super::runs::asker(job.run).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let message = Message {
        errand: Errand::Source,
        method: "GET",
        uri: address.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        asker,
    };
    let reply = way.send(message).await?;
    if reply.status != 200 {
        return Err(format!("it answered {} {}", reply.status, reply.reason));
    }
    job.agent.unpack(reply.body).await
}
