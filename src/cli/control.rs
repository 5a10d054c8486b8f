//! A small client of the control API, and the search for the instance it should talk to.
//! Must not know what the answers mean.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::At;
use crate::cli::failure::{Failure, program, sh_path};
use crate::cli::instance::{DEFAULT_PORT, Notice, Place, default_folder};

/// A running instance that answered.
pub(super) struct Control {
    url: String,
    health: Value,
    /// The command that shows its state.
    status: String,
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
        let from_environment = std::env::var("ACRITE_URL").ok().filter(|url| !url.is_empty());
        let noticed = |folder: &Path| Notice::read(folder).map(|notice| notice.url);
        let candidates = match named {
            Some(folder) => vec![noticed(folder)],
            None => {
                vec![from_environment, noticed(&default_folder()), Some(format!("http://127.0.0.1:{DEFAULT_PORT}"))]
            }
        };
        let mut tried = Vec::new();
        for url in candidates.into_iter().flatten() {
            if let Ok((StatusCode::OK, health)) = call(&url, Method::GET, "/acrite/v1/health", None).await
                && health["status"] == "ok"
            {
                return Ok(Self { url, health, status: here("status") });
            }
            if !tried.contains(&url) {
                tried.push(url);
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
            Ok(folder) if folder.join("ca.pem").exists() => Ok(Place { url: self.url.clone(), folder }),
            _ => {
                let what = format!("the certificates of the acrite at {} are not in {}", self.url, folder.display());
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

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = call(&self.url, method, path, body).await.map_err(|error| {
            let what = format!("the acrite at {} did not answer: {error}", self.url);
            Failure::new(what, "see what it printed where it runs, and whether it still does", &self.status)
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer["error"]["message"].as_str().map_or(format!("it answered {status}"), str::to_owned);
        Err(Failure::new(message, &format!("that is the answer of the acrite at {}", self.url), &self.status))
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// One request over a connection of its own.
async fn call(url: &str, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), Broken> {
    let url: Uri = url.parse()?;
    let authority = match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) => authority,
        _ => return Err("its URL does not begin with http://".into()),
    };
    let stream =
        TcpStream::connect((authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        // Whatever name leads to the instance, there it is the local one.
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = sender.send_request(request.body(body)?).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    // An error page that is no JSON still has its status.
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}
