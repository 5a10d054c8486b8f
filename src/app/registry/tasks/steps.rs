//! A run from its source to its last step: what is signed in to, where the source comes from, which work each step is.
//! Must not know: how work is done (see builder), what becomes of the run (see runner).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::builder::{Agent, Build, Login, Run as RunImage, Said, Work};
use super::log::{End, stamped};
use super::{logins, sources};
use crate::app::App;
use crate::app::registry::{credentials, sign_in};
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::tasks::file::{self, File, Step};
use crate::domain::registry::tasks::images::{self, Image};
use crate::domain::registry::tasks::order::{Argument, Order, What};
use crate::domain::registry::tasks::run::{Run, Status};
use crate::domain::registry::tasks::words::Words;
use crate::store;

/// Seconds that the push of a build may take [docs: the service's log].
const PUSH_TIMEOUT: u64 = 3600;

/// A run under way.
pub(super) struct Job<'a> {
    pub app: &'a Arc<App>,
    pub registry: Registry,
    pub run: Run,
    pub order: Order,
    pub agent: &'a mut dyn Agent,
    pub said: Said,
    /// What came out of it so far.
    pub done: Done,
}

/// What comes out of a run.
#[derive(Debug, Default, Clone)]
pub(super) struct Done {
    /// `outputImages`.
    pub images: Vec<Value>,
    /// `baseImageDependencies`.
    pub bases: Vec<Value>,
    /// `logArtifact`.
    pub log: Option<Value>,
}

fn failed(why: impl Into<String>) -> End {
    End::new(Status::Failed, why)
}

impl Job<'_> {
    async fn say(&self, text: &str) {
        // Where nobody listens the run is at its end.
        let _ = self.said.send(stamped(self.app.now(), text)).await;
    }

    /// Carries the run out. Returns how it ended; what was done until then is in `done`.
    pub(super) async fn carry_out(&mut self) -> End {
        match self.all().await {
            Ok(()) => End { status: Status::Succeeded, message: None },
            Err(end) => {
                self.say(end.message.as_deref().unwrap_or_default()).await;
                end
            }
        }
    }

    async fn all(&mut self) -> Result<(), End> {
        if self.order.os == "windows" {
            return Err(failed("There is no agent for the platform 'windows': builders here run Linux images."));
        }
        self.sign_in().await?;
        if let Some(source) = self.order.source.clone() {
            self.say("Downloading source code...").await;
            let (token, said) = (self.order.source_token.clone(), self.said.clone());
            let mut fetch = sources::Fetch {
                app: self.app,
                registry: &self.registry,
                run: &self.run,
                token: token.as_deref(),
                agent: self.agent,
                said: &said,
            };
            let fetched = sources::fetch(&mut fetch, &source).await;
            fetched.map_err(|why| failed(format!("failed to download source code: {why}")))?;
            self.say("Finished downloading source code").await;
        }
        let steps = self.steps().await.map_err(|why| failed(format!("failed to create task: {why}")))?;
        for step in &steps {
            self.step(step).await?;
        }
        self.tell_dependencies().await;
        Ok(())
    }

    async fn sign_in(&mut self) -> Result<(), End> {
        let mut known = Vec::new();
        if self.order.signs_in {
            let token = sign_in::for_run(self.app, &self.registry, &self.run).await;
            let token = token.map_err(|why| failed(super::reason::reason(&why)))?;
            let user = credentials::TOKEN_USER.to_owned();
            known.push(Login { server: self.registry.login_server(), user, password: Zeroizing::new(token) });
        }
        let others = logins::resolve(self.app, &self.registry, &self.run, &self.order.logins).await;
        known.extend(others.map_err(failed)?);
        for login in &known {
            self.say(&format!("Logging in to registry: {}", login.server)).await;
        }
        self.agent.sign_in(&known).await.map_err(failed)
    }

    pub(super) fn words(&self) -> Words {
        let by = ["timerTrigger", "imageUpdateTrigger"].into_iter().find(|t| self.run.document.contains_key(*t));
        let by = match by {
            Some("timerTrigger") => "Timer",
            Some(_) => "Image Update",
            None => "Manual",
        };
        let platform = (self.order.os.as_str(), self.order.architecture.as_str());
        let begun = self.run.started_at.unwrap_or(self.run.created_at);
        Words::new(&self.registry, &self.run.name(), self.run.task.as_deref(), by, platform, begun)
    }

    /// The steps of the run. Secrets of a task file are read now, and put in.
    async fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut words = self.words();
        let (text, values_text, values) = match self.order.what.clone() {
            What::Docker { images, push, no_cache, file, target, arguments } => {
                return docker(
                    &words,
                    &self.registry,
                    (images, push),
                    (no_cache, file, target),
                    &arguments,
                    self.order.timeout,
                );
            }
            What::File { path, values_path, values } => {
                let text = read_text(self.agent, &path).await?;
                let values_text = match values_path {
                    Some(path) => Some(read_text(self.agent, &path).await?),
                    None => None,
                };
                (text, values_text, values)
            }
            What::Encoded { text, values_text, values } => (text, values_text, values),
        };
        words.values = match values_text {
            Some(text) => file::yaml(&text)?,
            None => json!({}),
        };
        if !words.values.is_object() {
            words.values = json!({});
        }
        for Argument { name, value, .. } in values {
            words.values[name] = json!(value);
        }
        let parsed = File::parse(&text, &words)?;
        let secrets = logins::secrets(self.app, &self.registry, &self.run, &parsed.secrets).await?;
        for (_, value) in &secrets {
            let _ = self.said.send(format!("{}{value}", super::log::HIDE)).await;
        }
        words.secrets = Some(secrets);
        parsed.steps.into_iter().map(|step| filled(step, &words)).collect()
    }

    async fn step(&mut self, step: &Step) -> Result<(), End> {
        self.say(&format!(
            "Executing step ID: {}. Timeout(sec): {}, Working directory: '{}', Network: ''",
            step.id,
            step.timeout,
            step.working_directory.as_deref().unwrap_or_default()
        ))
        .await;
        pause(step.start_delay).await;
        let mut why = String::new();
        let mut passed = false;
        for _ in 0..=step.repeat {
            passed = false;
            for attempt in 0..=step.retries {
                if attempt > 0 {
                    self.say(&format!("Step ID: {} failed: {why}. Retrying, attempt {attempt}", step.id)).await;
                    pause(step.retry_delay).await;
                }
                let once = tokio::time::timeout(Duration::from_secs(step.timeout), self.once(step)).await;
                match once.unwrap_or_else(|_| Err(format!("it took longer than {} seconds", step.timeout))) {
                    Ok(()) => {
                        passed = true;
                        break;
                    }
                    Err(error) => why = error,
                }
            }
            if !passed {
                break;
            }
        }
        if passed {
            self.say(&format!("Step ID: {} marked as successful", step.id)).await;
            return Ok(());
        }
        if step.ignore_errors {
            self.say(&format!("Step ID: {} failed: {why}. Errors of it are ignored", step.id)).await;
            return Ok(());
        }
        Err(failed(format!("failed to run step ID: {}: {why}", step.id)))
    }

    async fn once(&mut self, step: &Step) -> Result<(), String> {
        match &step.what {
            file::What::Build(build) => self.build(build).await,
            file::What::Push(listed) => {
                for image in listed {
                    self.push(&images::in_registry(image, &self.registry.login_server())).await?;
                }
                Ok(())
            }
            file::What::Run(words) => {
                let (image, arguments) = words.split_first().ok_or("a step runs no image")?;
                self.say(&format!("Launching container with name: {}", step.id)).await;
                let work = Work::Run(RunImage {
                    image: image.clone(),
                    arguments: arguments.to_vec(),
                    entry_point: step.entry_point.clone(),
                    env: step.env.clone(),
                    user: step.user.clone(),
                    directory: step.working_directory.clone(),
                });
                self.agent.carry_out(&work, self.said.clone()).await.map(|_| ())
            }
        }
    }

    async fn build(&mut self, build: &file::Build) -> Result<(), String> {
        if build.context.contains("://") || build.context == "-" {
            return Err(format!("'{}' is no folder of the source", build.context));
        }
        let server = self.registry.login_server();
        let tags: Vec<String> = build.tags.iter().map(|tag| images::in_registry(tag, &server)).collect();
        let file = build.file.clone().unwrap_or_else(|| format!("{}/Dockerfile", build.context));
        let dockerfile = read_text(self.agent, &file).await?;
        let arguments: Vec<(String, String)> = build
            .arguments
            .iter()
            .filter_map(|a| a.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self.say("Scanning for dependencies...").await;
        let bases = images::bases(&dockerfile, build.target.as_deref(), &arguments);
        self.say("Successfully scanned dependencies").await;
        let default = || {
            let variant = self.order.variant.as_ref().map(|v| format!("/{v}")).unwrap_or_default();
            format!("{}/{}{variant}", self.order.os, self.order.architecture)
        };
        let work = Work::Build(Build {
            tags,
            file,
            context: build.context.clone(),
            target: build.target.clone(),
            arguments: arguments.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect(),
            labels: build.labels.clone(),
            no_cache: build.no_cache,
            pull: build.pull,
            platform: build.platform.clone().unwrap_or_else(default),
        });
        self.agent.carry_out(&work, self.said.clone()).await?;
        let listed =
            bases.runtime.iter().map(|b| (b, "Runtime")).chain(bases.build_time.iter().map(|b| (b, "BuildTime")));
        for (name, kind) in listed {
            let Some(image) = Image::parse(name) else { continue };
            let digest = digest_of(self.app, &image).await;
            let mut base = json!({"type": kind, "registry": image.registry, "repository": image.repository});
            if let Some(tag) = &image.tag {
                base["tag"] = json!(tag);
            }
            if let Some(digest) = digest.or(image.digest) {
                base["digest"] = json!(digest);
            }
            if !self.done.bases.contains(&base) {
                self.done.bases.push(base);
            }
        }
        Ok(())
    }

    async fn push(&mut self, name: &str) -> Result<(), String> {
        self.say(&format!("Pushing image: {name}, attempt 1")).await;
        let digest = self.agent.carry_out(&Work::Push(name.to_owned()), self.said.clone()).await?;
        self.say(&format!("Successfully pushed image: {name}")).await;
        let image = Image::parse(name).ok_or_else(|| format!("'{name}' is no image"))?;
        let mut output = json!({"registry": image.registry, "repository": image.repository});
        if let Some(tag) = image.tag {
            output["tag"] = json!(tag);
        }
        if let Some(digest) = digest {
            output["digest"] = json!(digest);
        }
        self.done.images.push(output);
        Ok(())
    }

    /// As the service's own log tells them [docs].
    async fn tell_dependencies(&self) {
        if self.done.images.is_empty() {
            return;
        }
        let describe = |value: &Value| -> Vec<String> {
            ["registry", "repository", "tag", "digest"]
                .into_iter()
                .filter_map(|name| Some(format!("    {name}: {}", value[name].as_str()?)))
                .collect()
        };
        self.say("The following dependencies were found:").await;
        let mut lines = Vec::new();
        for image in &self.done.images {
            lines.push("- image:".to_owned());
            lines.extend(describe(image));
            for (kind, title) in [("Runtime", "  runtime-dependency:"), ("BuildTime", "  buildtime-dependency:")] {
                for base in self.done.bases.iter().filter(|b| b["type"] == kind) {
                    lines.push(title.to_owned());
                    lines.extend(describe(base));
                }
            }
        }
        for line in lines {
            let _ = self.said.send(line).await;
        }
    }
}

async fn pause(seconds: u64) {
    if seconds > 0 {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

async fn read_text(agent: &mut dyn Agent, path: &str) -> Result<String, String> {
    let bytes = agent.read(path).await?;
    String::from_utf8(bytes).map_err(|_| format!("{path} is no text"))
}

/// The digest of an image of an emulated registry.
async fn digest_of(app: &Arc<App>, image: &Image) -> Option<String> {
    let name = image.registry.strip_suffix(".azurecr.io")?;
    let mut cx = app.read(Caller::system()).await.ok()?;
    let registry = store::registry::registries::find(&mut cx.tx, name).await.ok()??;
    let repository =
        store::registry::content::find_repository(&mut cx.tx, registry.id, &image.repository).await.ok()??;
    let tag = store::registry::content::find_tag(&mut cx.tx, repository.id, image.tag.as_deref()?).await.ok()??;
    Some(tag.digest)
}

/// A request for a build as steps: one that builds, and one that pushes.
fn docker(
    words: &Words,
    registry: &Registry,
    (names, push): (Vec<String>, bool),
    (no_cache, file, target): (bool, String, Option<String>),
    arguments: &[Argument],
    timeout: u64,
) -> Result<Vec<Step>, String> {
    let server = registry.login_server();
    let tags: Result<Vec<String>, String> =
        names.iter().map(|name| Ok(images::in_registry(&words.shorten(&words.fill(name)?, &[]), &server))).collect();
    let tags = tags?;
    let step = |id: &str, what, timeout| Step {
        id: id.to_owned(),
        what,
        timeout,
        retries: 0,
        retry_delay: 0,
        repeat: 0,
        start_delay: 0,
        ignore_errors: false,
        env: Vec::new(),
        entry_point: None,
        user: None,
        working_directory: None,
        when: Vec::new(),
    };
    let build = file::Build {
        tags: tags.clone(),
        file: Some(file),
        target,
        arguments: arguments.iter().map(|a| format!("{}={}", a.name, a.value)).collect(),
        no_cache,
        context: ".".to_owned(),
        ..file::Build::default()
    };
    let mut steps = vec![step("build", file::What::Build(build), timeout)];
    if push && !tags.is_empty() {
        steps.push(step("push", file::What::Push(tags), PUSH_TIMEOUT));
    }
    Ok(steps)
}

/// A step with its secrets in the place of their words.
fn filled(mut step: Step, words: &Words) -> Result<Step, String> {
    let all = |texts: &mut Vec<String>| -> Result<(), String> {
        for text in texts {
            *text = words.fill(text)?;
        }
        Ok(())
    };
    match &mut step.what {
        file::What::Build(build) => {
            all(&mut build.tags)?;
            all(&mut build.arguments)?;
            all(&mut build.labels)?;
        }
        file::What::Push(images) => all(images)?,
        file::What::Run(words) => all(words)?,
    }
    all(&mut step.env)?;
    Ok(step)
}

/// What tasks remember of their builds.
pub(super) fn merged(bases: &[Value]) -> Vec<Value> {
    let mut seen: HashMap<String, Value> = HashMap::new();
    for base in bases {
        seen.insert(format!("{}/{}:{}", base["registry"], base["repository"], base["tag"]), base.clone());
    }
    let mut all: Vec<Value> = seen.into_values().collect();
    all.sort_by_key(ToString::to_string);
    all
}
