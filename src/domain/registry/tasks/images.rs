//! Names of images as runs write them, and those that a Dockerfile builds on.
//! Must not know: what lies in a registry.

use std::collections::HashMap;

/// `registry/repository:tag`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

/// Where an image is that names no registry: recorded dependencies say so.
const DOCKER_HUB: &str = "registry.hub.docker.com";

impl Image {
    /// Reads a name as container tools do: what comes before the first slash is a registry if it has a dot or a port.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (name, None),
        };
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host.to_ascii_lowercase(), path),
            Some(_) => (DOCKER_HUB.to_owned(), rest),
            None => (DOCKER_HUB.to_owned(), rest),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if repository.is_empty() || tag.as_deref() == Some("") || name.contains(char::is_whitespace) {
            return None;
        }
        let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
        let library = registry == DOCKER_HUB && !repository.contains('/');
        let repository = if library { format!("library/{repository}") } else { repository.to_owned() };
        Some(Self { registry, repository, tag, digest })
    }
}

/// The name of an image with its registry: `server`, where it names none.
#[must_use]
pub fn in_registry(name: &str, server: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        _ => format!("{server}/{name}"),
    }
}

/// The images that a Dockerfile builds on: that of the stage that is built last, and those of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    pub runtime: Option<String>,
    pub build_time: Vec<String>,
}

/// Reads the `FROM` lines of a Dockerfile, with the build's arguments in the place of variables.
#[must_use]
pub fn bases(dockerfile: &str, target: Option<&str>, arguments: &[(String, String)]) -> Bases {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut stages: Vec<(String, Option<String>)> = Vec::new();
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("ARG") if stages.is_empty() => {
                let Some((name, value)) = words.next().and_then(|w| w.split_once('=')) else { continue };
                known.insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
            }
            Some("FROM") => {
                let words: Vec<&str> = words.filter(|w| !w.starts_with("--")).collect();
                let Some(image) = words.first() else { continue };
                for (name, value) in arguments {
                    if known.contains_key(name) {
                        known.insert(name.clone(), value.clone());
                    }
                }
                let name = words.get(1).filter(|w| w.eq_ignore_ascii_case("AS")).and(words.get(2));
                stages.push((substituted(image, &known), name.map(|n| (*n).to_owned())));
            }
            _ => {}
        }
    }
    let is_stage = |image: &str| stages.iter().any(|(_, name)| name.as_deref() == Some(image));
    let last = target.and_then(|t| stages.iter().position(|(_, name)| name.as_deref() == Some(t)));
    let last = last.or(stages.len().checked_sub(1));
    // A stage that goes on from another one runs on what that one is built on.
    let mut runtime = last.map(|at| stages[at].0.clone());
    for _ in 0..stages.len() {
        let Some(at) = runtime.as_ref().and_then(|r| stages.iter().position(|(_, n)| n.as_ref() == Some(r))) else {
            break;
        };
        runtime = Some(stages[at].0.clone());
    }
    let real = |image: &String| image != "scratch" && !is_stage(image);
    let mut build_time: Vec<String> = Vec::new();
    for (image, _) in &stages {
        if real(image) && Some(image) != runtime.as_ref() && !build_time.contains(image) {
            build_time.push(image.clone());
        }
    }
    Bases { runtime: runtime.filter(real), build_time }
}

fn substituted(text: &str, known: &HashMap<String, String>) -> String {
    let mut out = text.to_owned();
    for (name, value) in known {
        out = out.replace(&format!("${{{name}}}"), value);
    }
    let mut names: Vec<&String> = known.keys().collect();
    names.sort_by_key(|n| std::cmp::Reverse(n.len()));
    for name in names {
        out = out.replace(&format!("${name}"), &known[name]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_container_tools_do() {
        let image = |name: &str| {
            let i = Image::parse(name).unwrap();
            (i.registry, i.repository, i.tag.unwrap_or_default())
        };
        let is = |r: &str, p: &str, t: &str| (r.to_owned(), p.to_owned(), t.to_owned());
        assert_eq!(image("node:15-alpine"), is("registry.hub.docker.com", "library/node", "15-alpine"));
        assert_eq!(image("team/app"), is("registry.hub.docker.com", "team/app", "latest"));
        assert_eq!(image("Reg01.azurecr.io/a/b:1"), is("reg01.azurecr.io", "a/b", "1"));
        assert_eq!(image("localhost:5000/a@sha256:00"), is("localhost:5000", "a", ""));
        for wrong in ["", "a b", ":1", "a:", "reg.azurecr.io/"] {
            assert_eq!(Image::parse(wrong), None, "{wrong}");
        }
        assert_eq!(in_registry("a/b:1", "r.azurecr.io"), "r.azurecr.io/a/b:1");
        assert_eq!(in_registry("other.io/b:1", "r.azurecr.io"), "other.io/b:1");
    }

    #[test]
    fn a_dockerfile_builds_on_what_it_says() {
        let file = "# FROM none\nARG TAG=1\nARG REG=r.azurecr.io\nFROM ${REG}/sdk:$TAG AS build\nRUN x\nFROM scratch AS empty\nfrom --platform=linux/amd64 $REG/base:2 as run\nCOPY --from=build /a /b\nFROM run AS test\n";
        let given = [("TAG".to_owned(), "7".to_owned()), ("OTHER".to_owned(), "x".to_owned())];
        let found = bases(file, None, &given);
        assert_eq!(found.runtime.as_deref(), Some("r.azurecr.io/base:2"));
        assert_eq!(found.build_time, ["r.azurecr.io/sdk:7"]);
        let found = bases(file, Some("build"), &given);
        assert_eq!(found.runtime.as_deref(), Some("r.azurecr.io/sdk:7"));
        assert_eq!(bases(file, Some("empty"), &given).runtime, None);
        assert_eq!(bases("", None, &[]), Bases::default());
        // A circle ends.
        assert_eq!(bases("FROM a AS a\n", None, &[]).runtime, None);
    }
}
