//! One run's agent: its folder, what it signs in with, and its work, command by command.
//! Must not know: how a command is written (see tool), how a process ends (see process).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::Way;
use super::process::{self, Order, Tree};
use super::source;
use super::tool::{Kind, OWN_POLICY, Places, Tool};
use crate::app::registry::tasks::builder::{Agent, Build, Login, Run, Said, Work};
use crate::app::temporary::Temporary;
use crate::domain::world::crypto;

/// Bytes of a file that is read out of a source.
const READ: u64 = 4 * 1024 * 1024;
/// Folders of an agent.
const FOLDERS: [&str; 5] = ["source", "config", "home", "tmp", "runtime"];
/// Names in the environment that mean something to builders: values of arguments do not go there.
const MEANT: [&str; 14] = [
    "LD_",
    "GO",
    "GIT_",
    "XDG_",
    "BUILDAH_",
    "CONTAINERS_",
    "REGISTRY",
    "DOCKER_",
    "STORAGE_",
    "SSL_",
    "PATH",
    "HOME",
    "TMPDIR",
    "_CONTAINERS",
];

/// An agent.
pub(super) struct Worker {
    tool: Tool,
    way: Way,
    places: Places,
    under_way: Option<Tree>,
    /// Holds the folder of all agents until the last one has gone.
    _all: Arc<Temporary>,
}

/// Does what blocks off the threads that answer requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?
}

impl Worker {
    pub(super) async fn new(tool: Tool, way: Way, all: Arc<Temporary>) -> Result<Self, String> {
        let parent = all.folder().path().to_owned();
        let places = blocking(move || {
            let made = tempfile::Builder::new().prefix("run-").tempdir_in(parent).map_err(|e| e.to_string())?.keep();
            for folder in FOLDERS {
                std::fs::create_dir(made.join(folder)).map_err(|e| e.to_string())?;
            }
            let policy = json!({"default": [{"type": "insecureAcceptAnything"}]}).to_string();
            std::fs::write(made.join(OWN_POLICY), policy).map_err(|e| e.to_string())?;
            Ok(Places { source: made.join("source"), all: made })
        });
        Ok(Self { tool, way, places: places.await?, under_way: None, _all: all })
    }

    fn env(&self, more: &[(String, OsString)]) -> Vec<(String, OsString)> {
        let file = |name: &str| self.places.file(name).into_os_string();
        let own = "localhost,127.0.0.1,::1";
        let mut env: Vec<(String, OsString)> = vec![
            ("PATH".to_owned(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".to_owned(), file("home")),
            ("TMPDIR".to_owned(), file("tmp")),
            ("XDG_RUNTIME_DIR".to_owned(), file("runtime")),
            ("DOCKER_CONFIG".to_owned(), file("config")),
            ("BUILDAH_ISOLATION".to_owned(), "chroot".into()),
            ("SSL_CERT_FILE".to_owned(), self.way.bundle.clone().into()),
            ("GIT_SSL_CAINFO".to_owned(), self.way.bundle.clone().into()),
            ("GIT_TERMINAL_PROMPT".to_owned(), "0".into()),
        ];
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            env.push((name.to_owned(), self.way.url.clone().into()));
        }
        for name in ["NO_PROXY", "no_proxy"] {
            env.push((name.to_owned(), own.into()));
        }
        // Where a daemon answers, if it is not where it is expected.
        env.extend(std::env::var_os("DOCKER_HOST").map(|host| ("DOCKER_HOST".to_owned(), host)));
        env.extend(more.iter().cloned());
        env
    }

    /// Ends what is left of work that nobody waits for any more.
    async fn tidy(&mut self) {
        if let Some(left) = self.under_way.take() {
            left.end().await;
        }
    }

    async fn run(
        &mut self,
        program: &Path,
        arguments: &[String],
        more: &[(String, OsString)],
        said: &Said,
    ) -> Result<(), String> {
        self.tidy().await;
        let (env, folder) = (self.env(more), self.places.source.clone());
        process::run(&Order { program, arguments, env: &env, folder: &folder }, &mut self.under_way, said).await
    }

    async fn tool(&mut self, arguments: &[String], more: &[(String, OsString)], said: &Said) -> Result<(), String> {
        let program = self.tool.program.clone();
        self.run(&program, arguments, more, said).await
    }

    async fn ask(&mut self, arguments: &[String], said: &Said) -> Result<String, String> {
        self.tidy().await;
        let (env, folder, program) = (self.env(&[]), self.places.source.clone(), self.tool.program.clone());
        process::ask(&Order { program: &program, arguments, env: &env, folder: &folder }, &mut self.under_way, said)
            .await
    }

    async fn build(&mut self, build: &Build, said: &Said) -> Result<(), String> {
        source::contained(&self.places.source, &build.file)?;
        source::contained(&self.places.source, &build.context)?;
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let by_env = |name: &str| {
            is_name(name)
                && !MEANT.iter().any(|m| name.to_ascii_uppercase().starts_with(m))
                && !name.to_ascii_uppercase().ends_with("_PROXY")
        };
        let mut build = build.clone();
        let mut env = Vec::new();
        for (name, value) in &mut build.arguments {
            if by_env(name) {
                env.push((name.clone(), OsString::from(value.as_str())));
            } else {
                *name = format!("{name}={}", value.as_str());
            }
        }
        let words = self.tool.build(&self.places, &build);
        self.tool(&words, &env, said).await
    }

    async fn push(&mut self, image: &str, said: &Said) -> Result<Option<String>, String> {
        let words = self.tool.push(&self.places, image);
        if self.tool.kind != Kind::Docker {
            self.tool(&words, &[], said).await?;
            let digest = std::fs::read_to_string(self.places.file("digest")).unwrap_or_default();
            return Ok(Some(digest.trim().to_owned()).filter(|d| !d.is_empty()));
        }
        let answer = self.ask(&words, said).await?;
        let mut digest = None;
        for line in answer.lines() {
            digest = line.split_whitespace().find(|w| w.starts_with("sha256:")).map(str::to_owned).or(digest);
            let _ = said.send(line.to_owned()).await;
        }
        Ok(digest)
    }

    async fn run_image(&mut self, run: &Run, said: &Said) -> Result<(), String> {
        if let Some(words) = self.tool.run(&self.places, run) {
            return self.tool(&words, &[], said).await;
        }
        let words = self.tool.from(&self.places, &run.image);
        let container = self.ask(&words, said).await?;
        let container = container.lines().last().unwrap_or_default().trim().to_owned();
        let done = self.run_in(&container, run, said).await;
        let words = self.tool.remove(&self.places, &container);
        let (quiet, _) = mpsc::channel(1);
        let removed = self.ask(&words, &quiet).await;
        done.and(removed.map(|_| ()))
    }

    async fn run_in(&mut self, container: &str, run: &Run, said: &Said) -> Result<(), String> {
        let words = self.tool.config_of(&self.places, container);
        let described: Value = serde_json::from_str(&self.ask(&words, said).await?).unwrap_or_default();
        let config = &described["OCIv1"]["config"];
        let listed = |name: &str| -> Vec<String> {
            let words = config[name].as_array().into_iter().flatten();
            words.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let entry = match &run.entry_point {
            Some(entry) => vec![entry.clone()],
            None => listed("Entrypoint"),
        };
        let arguments = match run.arguments.is_empty() && run.entry_point.is_none() {
            true => listed("Cmd"),
            false => run.arguments.clone(),
        };
        let command: Vec<String> = entry.into_iter().chain(arguments).collect();
        if command.is_empty() {
            return Err(format!("the image {} says no command", run.image));
        }
        let words = self.tool.run_in(&self.places, container, run, &command);
        self.tool(&words, &[], said).await
    }

    async fn take_in(&mut self, mut archive: BoxStream<'_, Result<Bytes, String>>) -> Result<(), String> {
        let packed = self.places.file("archive");
        let mut file = tokio::fs::File::create(&packed).await.map_err(|e| e.to_string())?;
        let mut size = 0;
        while let Some(part) = archive.next().await {
            let part = part?;
            size += part.len() as u64;
            if size > source::PACKED {
                return Err(format!("the archive is larger than {} bytes", source::PACKED));
            }
            file.write_all(&part).await.map_err(|e| e.to_string())?;
        }
        file.flush().await.map_err(|e| e.to_string())?;
        drop(file);
        let folder = self.places.source.clone();
        blocking(move || {
            source::unpack(&packed, &folder)?;
            std::fs::remove_file(&packed).map_err(|e| e.to_string())
        })
        .await
    }

    async fn clone(&mut self, url: &str, reference: Option<&str>, said: &Said) -> Result<(), String> {
        // What begins with a dash would be an option, and `ext::` a command.
        if url.starts_with('-') || url.contains("::") || reference.is_some_and(|r| r.starts_with('-')) {
            return Err(format!("'{url}' is no git repository"));
        }
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let git = Path::new("git");
        self.run(git, &words(&["init", "--quiet", "."]), &[], said).await?;
        let reference = reference.unwrap_or("HEAD");
        self.run(git, &words(&["fetch", "--quiet", "--depth", "1", "--", url, reference]), &[], said).await?;
        self.run(git, &words(&["checkout", "--quiet", "FETCH_HEAD"]), &[], said).await
    }
}

impl Agent for Worker {
    fn sign_in<'a>(&'a mut self, logins: &'a [Login]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut known = serde_json::Map::new();
            for login in logins {
                let pair = format!("{}:{}", login.user, login.password.as_str());
                known.insert(login.server.clone(), json!({"auth": crypto::base64(pair.as_bytes())}));
            }
            let text = json!({ "auths": known }).to_string();
            std::fs::write(self.tool.auth_file(&self.places), text).map_err(|e| e.to_string())
        })
    }

    fn unpack<'a>(&'a mut self, archive: BoxStream<'a, Result<Bytes, String>>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.take_in(archive))
    }

    fn clone_from<'a>(
        &'a mut self,
        url: &'a str,
        reference: Option<&'a str>,
        said: Said,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.clone(url, reference, &said).await })
    }

    fn enter(&mut self, folder: &str) -> Result<(), String> {
        let entered = source::contained(&self.places.source, folder)?;
        if !entered.is_dir() {
            return Err(format!("{folder} is no folder of the source"));
        }
        self.places.source = entered;
        Ok(())
    }

    fn read<'a>(&'a mut self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            let file: PathBuf = source::contained(&self.places.source, path)?;
            let size = std::fs::metadata(&file).map_err(|e| e.to_string())?;
            if !size.is_file() || size.len() > READ {
                return Err(format!("{path} is no file of a reasonable size"));
            }
            std::fs::read(file).map_err(|e| e.to_string())
        })
    }

    fn carry_out<'a>(&'a mut self, work: &'a Work, said: Said) -> BoxFuture<'a, Result<Option<String>, String>> {
        Box::pin(async move {
            match work {
                Work::Build(build) => self.build(build, &said).await.map(|()| None),
                Work::Push(image) => self.push(image, &said).await,
                Work::Run(run) => self.run_image(run, &said).await.map(|()| None),
            }
        })
    }

    fn end(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.tidy().await;
            if !rustix::process::geteuid().is_root() && self.tool.kind != Kind::Docker {
                // Without root, images hold files of other users of a user namespace: only there can they be removed.
                let images = self.places.file("images").display().to_string();
                let (quiet, _) = mpsc::channel(1);
                let words = ["unshare", "rm", "-rf", "--", &images].map(str::to_owned);
                let _ = self.ask(&words, &quiet).await;
            }
            // What is left goes when this goes.
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.places.all);
    }
}
