//! `--template` and `--image`: what is there before the instance is announced.
//! Deploys and pushes as the developer, through the front ends. Must not know how they work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::app::App;
use crate::cli::failure::{Failure, again, beside, program, sh_path};
use crate::cli::files;
use crate::cli::image::Layout;
use crate::cli::output::Progress;
use crate::domain::world::well_known::{DEVELOPER_CLIENT_ID, DEVELOPER_SECRET, SUBSCRIPTION_ID, TENANT_ID};
use crate::http::inside::{self, Reply};

const ARM: &str = "https://management.azure.com";
const VERSION: &str = "api-version=2025-04-01";
/// Where a group is made, and where deployments to the subscription are kept.
const LOCATION: &str = "eastus";
/// Bytes of a blob that are read at a time.
const PIECE: usize = 8 * 1024 * 1024;
/// Memory that a file of JSON may take.
const LIMIT: usize = 64 * 1024 * 1024;

/// What an instance is to begin with.
#[derive(Args, Clone, Debug, Default)]
pub struct Seed {
    /// An ARM template to deploy first, before anything is announced (repeatable)
    #[arg(long = "template", value_name = "FILE")]
    pub templates: Vec<PathBuf>,
    /// A file with parameters: the first for the first template, the second for the second, …
    #[arg(long = "parameters", value_name = "FILE", requires = "templates")]
    pub parameters: Vec<PathBuf>,
    /// The resource group of templates that are for one; made if it is not there
    #[arg(long, value_name = "NAME", default_value = "acrite")]
    pub group: String,
    /// REGISTRY/REPOSITORY:TAG=PATH: pushes an OCI layout (folder or tar file; `hello` is built in) after the templates
    #[arg(long = "image", value_name = "IMAGE", value_parser = image)]
    pub images: Vec<Image>,
}

/// An image to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    registry: String,
    repository: String,
    tag: String,
    path: PathBuf,
}

fn image(text: &str) -> Result<Image, String> {
    let wrong = || format!("`{text}` is not REGISTRY/REPOSITORY:TAG=PATH, such as myregistry/app:v1=hello");
    let (name, path) = text.split_once('=').ok_or_else(wrong)?;
    let (name, tag) = name.rsplit_once(':').ok_or_else(wrong)?;
    let (registry, repository) = name.split_once('/').ok_or_else(wrong)?;
    let registry = registry.strip_suffix(".azurecr.io").unwrap_or(registry);
    if [registry, repository, tag, path].iter().any(|part| part.is_empty()) {
        return Err(wrong());
    }
    let (registry, repository, tag) = (registry.to_ascii_lowercase(), repository.to_owned(), tag.to_owned());
    Ok(Image { registry, repository, tag, path: path.into() })
}

/// Deploys the templates in their order, then pushes the images.
pub(super) async fn sow(seed: &Seed, app: &Arc<App>) -> Result<(), Failure> {
    if seed.templates.is_empty() && seed.images.is_empty() {
        return Ok(());
    }
    if seed.parameters.len() > seed.templates.len() {
        let what = format!("{} --parameters for {} --template", seed.parameters.len(), seed.templates.len());
        let help = format!("{} serve --help", program());
        return Err(Failure::new(what, "give each template at most one file with parameters", &help).with_code(2));
    }
    let client = Client::sign_in(app).await?;
    for (at, template) in seed.templates.iter().enumerate() {
        client.deploy(template, seed.parameters.get(at).map(PathBuf::as_path), &seed.group).await?;
    }
    for image in &seed.images {
        client.push(image).await?;
    }
    Ok(())
}

/// Reads without holding up anybody else: the file may be a pipe.
async fn read(path: &Path) -> Result<String, Failure> {
    let read = tokio::fs::read_to_string(path).await;
    let text = read.map_err(|error| {
        let what = format!("{} cannot be read: {error}", path.display());
        Failure::new(what, "check the path after the option", &files::look_at(path))
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Refuses source code of a language that compiles to what is wanted, with the command that compiles it.
fn compiled(file: &Path, language: &str, command: &str) -> Result<(), Failure> {
    if !file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(language)) {
        return Ok(());
    }
    let what = format!("{} is Bicep, and only what it compiles to can be deployed", file.display());
    let compile = format!("az bicep {command} --file {}", sh_path(file));
    Err(Failure::new(what, "compile it, and name the .json file that this makes", &compile).with_code(2))
}

/// Everything an error says, the inner ones included.
fn said(error: &Value) -> String {
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    let mut text = format!("{}: {}", word("code"), word("message"));
    if let Some(target) = error["target"].as_str().filter(|_| error["details"].is_null()) {
        text.push_str(&format!(" ({target})"));
    }
    for inner in error["details"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n          {}", said(inner).replace('\n', "\n  ")));
    }
    text
}

struct Client<'a> {
    app: &'a Arc<App>,
    token: String,
}

impl<'a> Client<'a> {
    async fn sign_in(app: &'a Arc<App>) -> Result<Self, Failure> {
        let form = format!(
            "grant_type=client_credentials&client_id={DEVELOPER_CLIENT_ID}&client_secret={DEVELOPER_SECRET}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        );
        let url = format!("https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token");
        let answer = inside::ask(app, "POST", &url, FORM, form).await.map_err(|e| broken(&e.to_string()))?;
        let body = json(&answer);
        let token = body["access_token"].as_str().ok_or_else(|| {
            let why = body["error_description"].as_str().unwrap_or_default();
            Failure::new(
                format!("the developer cannot sign in: {why}"),
                "the data folder may hold a world in which its secret was changed; use another one",
                &again(&[("--data-dir", &beside(app.data_dir()))]),
            )
        })?;
        Ok(Self { app, token: token.to_owned() })
    }

    async fn arm(&self, method: &str, path: &str, body: String) -> Result<(Reply, Value), Failure> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let url = if path.starts_with("https://") { path.to_owned() } else { format!("{ARM}{path}?{VERSION}") };
        let answer = inside::ask(self.app, method, &url, &headers, body).await.map_err(|e| broken(&e.to_string()))?;
        let body = json(&answer);
        Ok((answer, body))
    }

    async fn deploy(&self, template: &Path, parameters: Option<&Path>, group: &str) -> Result<(), Failure> {
        compiled(template, "bicep", "build")?;
        parameters.map_or(Ok(()), |file| compiled(file, "bicepparam", "build-params"))?;
        let text = read(template).await?;
        let parameters = match parameters {
            Some(parameters) => read(parameters).await?,
            None => "{}".to_owned(),
        };
        let parsed = |path: &Path, text: &str| {
            crate::domain::resources::template::json::value(text, LIMIT).map_err(|error| {
                let what = format!("{} is not JSON: {error}", path.display());
                Failure::new(what, "correct it (comments are allowed) and start again", &again(&[]))
            })
        };
        let schema = parsed(template, &text)?["$schema"].as_str().unwrap_or_default().to_ascii_lowercase();
        // A parameters file, or just its inner object.
        let given = parsed(template, &parameters)?;
        let given = given
            .get("parameters")
            .filter(|p| given.get("$schema").is_some() || p.get("value").is_none())
            .unwrap_or(&given);
        let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
        let (scope, place) = if schema.contains("subscriptiondeploymenttemplate") {
            (subscription, format!("\"location\": \"{LOCATION}\", "))
        } else {
            let scope = format!("{subscription}/resourceGroups/{group}");
            let (found, _) = self.arm("GET", &scope, String::new()).await?;
            if found.status == 404 {
                let (made, body) = self.arm("PUT", &scope, format!("{{\"location\": \"{LOCATION}\"}}")).await?;
                if made.status >= 300 {
                    let another = again(&[("--group", "acrite")]);
                    return Err(Failure::new(said(&body["error"]), "choose another name", &another));
                }
            }
            (scope, String::new())
        };
        let name: String = template.file_stem().unwrap_or_default().to_string_lossy().chars().take(64).collect();
        let name = name.replace(|c: char| !c.is_alphanumeric() && !"-_().".contains(c), "-");
        // The text as it stands: lines in error messages are those of the file.
        let body = format!(
            "{{{place}\"properties\": {{\"mode\": \"Incremental\", \"parameters\": {given}, \"template\": {text}}}}}"
        );
        let path = format!("{scope}/providers/Microsoft.Resources/deployments/{name}");
        let (answer, body) = self.arm("PUT", &path, body).await?;
        let failed = |error: &Value| {
            Failure::new(
                format!("the template {} was not deployed\n        {}", template.display(), said(error)),
                "correct the template or its parameters and start again",
                &again(&[]),
            )
        };
        let Some(poll) = answer.header("azure-asyncoperation") else { return Err(failed(&body["error"])) };
        let (_, outcome) = self.arm("GET", poll, String::new()).await?;
        if outcome["status"] != "Succeeded" {
            return Err(failed(&outcome["error"]));
        }
        tracing::info!("deployed {}", template.display());
        Ok(())
    }

    async fn push(&self, image: &Image) -> Result<(), Failure> {
        let failed = |why: String, advice: &str, command: &str| {
            let Image { registry, repository, tag, path } = image;
            let what = format!("{} was not pushed to {registry}.azurecr.io/{repository}:{tag}: {why}", path.display());
            Failure::new(what, advice, command)
        };
        let no_layout = |why| {
            let advice = "the path must be an OCI layout, as `skopeo copy SOURCE oci:PATH` makes it, or `hello`, which is built in; look what is there";
            failed(why, advice, &files::look_at(&image.path))
        };
        let layout = Layout::open(&image.path).map_err(no_layout)?;
        let top = layout.manifest(&image.tag).map_err(no_layout)?;
        let pushed = async {
            let token = self.registry_token(image).await?;
            let name = format!("pushing {}/{}:{}", image.registry, image.repository, image.tag);
            let progress = Progress::new(name, 0);
            let mut registry = Registry { app: self.app, image, token: format!("Bearer {token}"), progress };
            registry.manifest(&layout, &top.0, &top.1, &image.tag).await
        };
        if let Err(why) = pushed.await {
            let next = self.what_to_do(image).await;
            return Err(failed(why, &next, &again(&[])));
        }
        tracing::info!("pushed {}", image.path.display());
        Ok(())
    }

    /// What to do about a registry that did not take an image: what `acrite status` tells of it.
    async fn what_to_do(&self, image: &Image) -> String {
        let answer = inside::ask(self.app, "GET", "http://localhost/acrite/v1/status", &[], "").await;
        let status = answer.map(|answer| json(&answer)).unwrap_or_default();
        let mut registries = status["registries"].as_array().into_iter().flatten();
        match registries.find(|r| r["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(&image.registry))) {
            None => "let a --template make the registry first, and start again".to_owned(),
            Some(registry) => match registry["why"].as_str() {
                Some(why) => {
                    format!(
                        "the registry is locked: {why}; deploy it with its key, take that away later, and start again"
                    )
                }
                None => "that is the registry's own answer; correct what it names and start again".to_owned(),
            },
        }
    }

    async fn registry_token(&self, image: &Image) -> Result<String, String> {
        let server = format!("{}.azurecr.io", image.registry);
        let token_of = |answer: &Reply, name: &str| {
            let body = json(answer);
            let token = body[name].as_str().map(str::to_owned);
            token.ok_or_else(|| body["errors"][0]["message"].as_str().unwrap_or("the sign-in was refused").to_owned())
        };
        let form = format!("grant_type=access_token&service={server}&tenant={TENANT_ID}&access_token={}", self.token);
        let url = format!("https://{server}/oauth2/exchange");
        let answer = inside::ask(self.app, "POST", &url, FORM, form).await.map_err(|e| e.to_string())?;
        let refresh = token_of(&answer, "refresh_token")?;
        let scope = format!("repository:{}:pull,push", image.repository);
        let form = format!("grant_type=refresh_token&service={server}&scope={scope}&refresh_token={refresh}");
        let url = format!("https://{server}/oauth2/token");
        let answer = inside::ask(self.app, "POST", &url, FORM, form).await.map_err(|e| e.to_string())?;
        token_of(&answer, "access_token")
    }
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

fn json(answer: &Reply) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn broken(why: &str) -> Failure {
    Failure::new(format!("the instance did not answer itself: {why}"), "start again", &again(&[]))
}

struct Registry<'a> {
    app: &'a Arc<App>,
    image: &'a Image,
    token: String,
    progress: Progress,
}

impl Registry<'_> {
    async fn ask(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Result<Reply, String> {
        let base = format!("https://{}.azurecr.io", self.image.registry);
        let url = if path.starts_with("https://") { path.to_owned() } else { format!("{base}{path}") };
        let headers = [("authorization", self.token.as_str()), ("content-type", kind)];
        let answer = inside::ask(self.app, method, &url, &headers, body).await.map_err(|e| e.to_string())?;
        if answer.status < 400 || (method == "HEAD" && answer.status == 404) {
            return Ok(answer);
        }
        let said = json(&answer)["errors"][0]["message"].as_str().map(str::to_owned);
        Err(said.unwrap_or_else(|| format!("{method} {path} was answered with {}", answer.status)))
    }

    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.image.repository)
    }

    /// Pushes what a manifest names, then the manifest.
    async fn manifest(&mut self, layout: &Layout, digest: &str, kind: &str, reference: &str) -> Result<(), String> {
        let bytes = layout.read(digest)?;
        let manifest: Value =
            serde_json::from_slice(&bytes).map_err(|e| format!("the manifest {digest} is not JSON: {e}"))?;
        let word = |at: &Value, name: &str| at[name].as_str().unwrap_or_default().to_owned();
        for inner in manifest["manifests"].as_array().into_iter().flatten() {
            let (digest, kind) = (word(inner, "digest"), word(inner, "mediaType"));
            Box::pin(self.manifest(layout, &digest, &kind, &digest)).await?;
        }
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for blob in manifest.get("config").into_iter().chain(layers) {
            self.blob(layout, &word(blob, "digest")).await?;
        }
        self.ask("PUT", &self.path(&format!("manifests/{reference}")), kind, bytes).await.map(|_| ())
    }

    async fn blob(&mut self, layout: &Layout, digest: &str) -> Result<(), String> {
        const KIND: &str = "application/octet-stream";
        let there = self.ask("HEAD", &self.path(&format!("blobs/{digest}")), KIND, Vec::new()).await?;
        if there.status == 200 {
            return Ok(());
        }
        let begun = self.ask("POST", &self.path("blobs/uploads/"), KIND, Vec::new()).await?;
        let mut location = begun.header("location").unwrap_or_default().to_owned();
        let mut from = 0;
        loop {
            let piece = layout.piece(digest, from, PIECE)?;
            if piece.is_empty() {
                break;
            }
            from += piece.len() as u64;
            self.progress.add(piece.len() as u64);
            let answer = self.ask("PATCH", &location, KIND, piece).await?;
            location = answer.header("location").unwrap_or(&location).to_owned();
        }
        let sign = if location.contains('?') { '&' } else { '?' };
        self.ask("PUT", &format!("{location}{sign}digest={digest}"), KIND, Vec::new()).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_as_people_write_them() {
        let read = image("MyReg.azurecr.io/team/app:v1=./a=b").unwrap();
        assert_eq!((read.repository.as_str(), read.tag.as_str()), ("team/app", "v1"));
        assert_eq!(read.path, PathBuf::from("./a=b"));
        assert_eq!(image("reg/app:v1=x").unwrap().registry, "reg");
        for bad in ["", "reg/app:v1", "reg/app=x", "app:v1=x", "reg/:v1=x", "reg/app:v1="] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn inner_errors_are_told() {
        let inner = json!({"code": "B", "message": "b", "target": "/x"});
        assert_eq!(said(&json!({"code": "A", "message": "a", "details": [inner]})), "A: a\n          B: b (/x)");
    }
}
