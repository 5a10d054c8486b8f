//! A small client of the control API, and the search for the instance it should talk to.
//! Must not know what the answers mean.

use std::path::PathBuf;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::At;
use crate::cli::failure::{Failure, program, sh_path};
use crate::cli::instance::{DEFAULT_PORT, Notice, Place, default_folder, named_token};

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

    /// Where this instance is, for pointing clients at it.
    pub fn place(&self, at: &At) -> Result<Place, Failure> {
        let told = self.health["data_dir"].as_str().map(PathBuf::from);
        let folder = at.data_dir.clone().or(told).unwrap_or_else(default_folder);
        match folder.canonicalize() {
            Ok(folder) if folder.join("ca.pem").exists() => Ok(Place { url: self.at.url.clone(), folder }),
            _ => {
                let what = format!("the certificates of the acrite at {} are not in {}", self.at.url, folder.display());
                let advice = "name its data folder with --data-dir (in a container: the volume), or start another one";
                Err(Failure::new(what, advice, &format!("{} serve --listen 127.0.0.1:0", program())))
            }
        }
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

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = call(&self.at, method, path, body).await.map_err(|error| {
            let what = format!("the acrite at {} did not answer: {error}", self.at.url);
            Failure::new(what, "see what it printed where it runs, and whether it still does", &self.status)
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer["error"]["message"].as_str().map_or(format!("it answered {status}"), str::to_owned);
        Err(Failure::new(message, &format!("that is the answer of the acrite at {}", self.at.url), &self.status))
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// One request over a connection of its own.
async fn call(door: &Door, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), Broken> {
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
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = sender.send_request(request.body(body)?).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    // An error page that is no JSON still has its status.
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}
