//! A small client of the control API, and the search for the instance it should talk to.
//! Must not know what the answers mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::fs::OpenOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::folder::make_marked;
use crate::cli::At;
use crate::cli::failure::{Failure, program, sh_path};
use crate::cli::instance::{DEFAULT_PORT, Notice, Place, default_folder, named_token};
use crate::cli::output::Progress;
use crate::cli::trust::AUTHORITY;
use crate::cli::{az, files, trust};

/// The pause before an instance that does not answer yet is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// A running instance that answered.
pub(super) struct Control {
    at: Door,
    health: Value,
    /// The command that shows its state.
    status: String,
}

/// An instance's address, and what it may want to see there.
#[derive(Clone, PartialEq)]
struct Door {
    url: String,
    token: Option<String>,
}

impl Control {
    /// Finds the instance: the folder named on the command line, else `ACRITE_URL`, else the notice in the data
    /// folder, else the default port. The first that answers is it.
    pub async fn find(at: &At) -> Result<Self, Failure> {
        let named = at.data_dir.as_deref();
        let here = |command: &str| {
            let at = named.map(|folder| format!(" --data-dir {}", sh_path(folder)));
            format!("{} {command}{}", program(), at.unwrap_or_default())
        };
        let noticed = Notice::read(named.unwrap_or(&default_folder()))
            .map(|notice| Door { url: notice.url, token: named_token().or(notice.token) });
        let at_url = |url: String| {
            let token = noticed.as_ref().filter(|door| door.url == url).and_then(|door| door.token.clone());
            Door { url, token: named_token().or(token) }
        };
        let from_environment = std::env::var("ACRITE_URL").ok().filter(|url| !url.is_empty());
        let candidates = match named {
            Some(_) => vec![noticed],
            None => {
                let usual = at_url(format!("http://127.0.0.1:{DEFAULT_PORT}"));
                vec![from_environment.map(at_url), noticed, Some(usual)]
            }
        };
        let mut tried = Vec::new();
        for door in candidates.into_iter().flatten() {
            match call(&door, Method::GET, "/acrite/v1/health", None).await {
                Ok((StatusCode::OK, health)) if health["status"] == "ok" => {
                    return Ok(Self { at: door, health, status: here("status") });
                }
                Ok((StatusCode::OK, health)) if health["status"] == "starting" => {
                    let what = format!("the acrite at {} is still deploying what it begins with", door.url);
                    return Err(Failure::new(what, "wait for it", &here("env --wait")));
                }
                Ok((StatusCode::UNAUTHORIZED, _)) => {
                    let what = format!("the acrite at {} wants the token that it printed at its start", door.url);
                    let read = "read -r ACRITE_TOKEN && export ACRITE_TOKEN";
                    return Err(Failure::new(what, "put it into ACRITE_TOKEN", read));
                }
                _ if !tried.contains(&door.url) => tried.push(door.url),
                _ => {}
            }
        }
        let what = match named {
            Some(folder) if tried.is_empty() => format!("no acrite runs on the data folder {}", folder.display()),
            _ => format!("no acrite answers at {}", tried.join(" or ")),
        };
        Err(Failure::new(what, "give a command its own with `acrite exec -- COMMAND`, or start one", &here("serve")))
    }

    /// Finds the instance as soon as it answers and holds what it was to begin with.
    pub async fn wait(at: &At, most: Duration) -> Result<Self, Failure> {
        let waiting = async {
            loop {
                if let Ok(found) = Self::find(at).await {
                    return found;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(most, waiting).await {
            Ok(found) => Ok(found),
            Err(_) => Self::find(at).await,
        }
    }

    /// Where this instance is, for pointing clients at it. What they read is in its data folder; where that is not on
    /// this machine, or is not the one of that name here, it is made here.
    pub async fn place(&self, at: &At) -> Result<Place, Failure> {
        let served = self.get("/acrite/v1/ca").await?;
        let served = served["ca"].as_str().unwrap_or_default();
        let given = self.health["data_dir"].as_str().map(PathBuf::from);
        let folder = at.data_dir.clone().or(given).unwrap_or_else(default_folder);
        let url = self.at.url.clone();
        match folder.canonicalize() {
            Ok(folder) if std::fs::read(folder.join(AUTHORITY)).is_ok_and(|own| own == served.as_bytes()) => {
                Ok(Place { url, folder, elsewhere: None })
            }
            _ => self.place_from_afar(served),
        }
    }

    fn place_from_afar(&self, authority: &str) -> Result<Place, Failure> {
        let unusable = |why: &dyn std::fmt::Display| {
            let what = format!("the acrite at {} told no certificate: {why}", self.at.url);
            Failure::new(what, "see whether it is of this version", &self.status)
        };
        let der = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|why| unusable(&why))?;
        let home = default_folder();
        let name =
            self.at.url.trim_start_matches("http://").replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
        let folder = home.join("clients").join(name);
        let made = make_marked(&home).and_then(|()| std::fs::create_dir_all(&folder));
        made.and_then(|()| folder.canonicalize()).map_err(|error| files::unwritable(&folder, &error)).and_then(
            |folder| {
                files::write(&folder.join(AUTHORITY), authority.as_bytes(), files::PUBLIC)?;
                trust::write_stores(&folder, &der)?;
                let place = Place { url: self.at.url.clone(), folder, elsewhere: Some(self.at.token.clone()) };
                az::sign_in(&place.az_folder())?;
                Ok(place)
            },
        )
    }

    /// `http://address:port`
    pub fn url(&self) -> &str {
        &self.at.url
    }

    /// What `IDENTITY_HEADER` must hold.
    pub fn identity_header(&self) -> Option<&str> {
        self.health["identity_header"].as_str()
    }

    /// Asks; what is not a success is a failure with the instance's own words.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Tells.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Takes away.
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// Writes an answer that is no JSON to a new file for its owner alone. Returns its length.
    pub async fn download(&self, path: &str, file: &Path) -> Result<u64, Failure> {
        let broken = |error: Broken| {
            let what = format!("the acrite at {} did not answer to its end: {error}", self.at.url);
            Failure::new(what, "see whether it still runs", &self.status)
        };
        let mut answer = send(&self.at, Method::GET, path, Body::empty()).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            let bytes = answer.into_body().collect().await.map_err(|error| broken(error.into()))?.to_bytes();
            return Err(self.refusal(&serde_json::from_slice(&bytes).unwrap_or_default(), StatusCode::BAD_REQUEST));
        }
        let unwritable = |error: std::io::Error| {
            let look = files::look_at(file);
            Failure::new(format!("{} cannot be written: {error}", file.display()), "look what is there", &look)
        };
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file).await;
        let mut to = made.map_err(unwritable)?;
        let mut length = 0;
        let mut progress = Progress::new(format!("writing {}", file.display()), 0);
        while let Some(frame) = answer.frame().await {
            let Ok(data) = frame.map_err(|error| broken(error.into()))?.into_data() else { continue };
            length += data.len() as u64;
            progress.add(data.len() as u64);
            to.write_all(&data).await.map_err(unwritable)?;
        }
        to.sync_all().await.map_err(unwritable)?;
        Ok(length)
    }

    /// Sends a file.
    pub async fn upload(&self, path: &str, file: &Path) -> Result<Value, Failure> {
        let opened = tokio::fs::File::open(file).await.map_err(|error| {
            let look = files::look_at(file);
            Failure::new(format!("{} cannot be read: {error}", file.display()), "look what is there", &look)
        })?;
        let size = opened.metadata().await.map_or(0, |about| about.len());
        let progress = Progress::new(format!("sending {}", file.display()), size);
        let parts = stream::try_unfold((opened, progress), |(mut file, mut progress)| async move {
            let mut part = vec![0; 256 * 1024];
            let read = file.read(&mut part).await?;
            part.truncate(read);
            progress.add(read as u64);
            Ok::<_, std::io::Error>((read > 0).then_some((part, (file, progress))))
        });
        let sent = send(&self.at, Method::POST, path, Body::from_stream(parts)).await;
        let answered = async {
            let answer = sent?;
            let status = answer.status();
            let bytes = answer.into_body().collect().await?.to_bytes();
            Ok::<_, Broken>((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
        };
        match answered.await {
            Ok((StatusCode::OK, answer)) => Ok(answer),
            Ok((status, answer)) => Err(self.refusal(&answer, status)),
            Err(error) => {
                let what = format!("the acrite at {} did not answer: {error}", self.at.url);
                Err(Failure::new(what, "see whether it still runs", &self.status))
            }
        }
    }

    /// What is told of a refusal: the instance's own words.
    fn refusal(&self, answer: &Value, status: StatusCode) -> Failure {
        let message = answer["error"]["message"].as_str().map_or(format!("it answered {status}"), str::to_owned);
        Failure::new(message, &format!("that is the answer of the acrite at {}", self.at.url), &self.status)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = call(&self.at, method, path, body).await.map_err(|error| {
            let what = format!("the acrite at {} did not answer: {error}", self.at.url);
            Failure::new(what, "see what it printed where it runs, and whether it still does", &self.status)
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(self.refusal(&answer, status))
    }
}

/// What the acrite behind a URL says of itself. `None`: something else answers there.
pub(super) async fn health(url: &str) -> Result<Option<Value>, Broken> {
    let door = Door { url: url.to_owned(), token: named_token() };
    let (status, health) = call(&door, Method::GET, "/acrite/v1/health", None).await?;
    Ok(Some(health).filter(|health| status == StatusCode::OK && health["version"].is_string()))
}

pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// One request over a connection of its own, and its answer as JSON.
async fn call(door: &Door, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), Broken> {
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = send(door, method, path, body).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    // An error page that is no JSON still has its status.
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

async fn send(door: &Door, method: Method, path: &str, body: Body) -> Result<Response<Incoming>, Broken> {
    let url: Uri = door.url.parse()?;
    let authority = match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) => authority,
        _ => return Err("its URL does not begin with http://".into()),
    };
    let stream =
        TcpStream::connect((authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        // Whatever name leads to the instance, there it is the local one.
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json");
    if let Some(token) = &door.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    Ok(sender.send_request(request.body(body)?).await?)
}
