//! Which container builder it is, and how its commands are written.
//! Must not know: processes, what a run is.

use std::path::{Path, PathBuf};

use crate::app::registry::tasks::builder::{Build, Run};

/// The builders that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Buildah,
    Podman,
    Docker,
}

/// A builder of the machine.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub kind: Kind,
    pub program: PathBuf,
}

/// Which images are taken on a machine.
const POLICY: &str = "/etc/containers/policy.json";
/// The same for runs, where the machine does not say it.
pub(super) const OWN_POLICY: &str = "policy.json";

const KINDS: [(&str, Kind); 3] = [("buildah", Kind::Buildah), ("podman", Kind::Podman), ("docker", Kind::Docker)];

/// Folders of a run.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// All that follows lies in it.
    pub all: PathBuf,
    /// The source, as far as it is worked on.
    pub source: PathBuf,
}

impl Places {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.all.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}

impl Tool {
    /// The builder that was asked for, by its file's name, or the first one on `PATH`.
    pub(super) fn find(asked: Option<&Path>) -> Option<Self> {
        if let Some(asked) = asked {
            let name = asked.file_name()?.to_str()?;
            let kind = KINDS.iter().find(|(known, _)| name.starts_with(known)).map(|(_, kind)| *kind)?;
            let program = if asked.components().count() > 1 { asked.to_owned() } else { on_path(name)? };
            return Some(Self { kind, program });
        }
        KINDS.iter().find_map(|(name, kind)| Some(Self { kind: *kind, program: on_path(name)? }))
    }

    /// What each command begins with. Images of a run lie in its own folder; of docker, where its daemon has them.
    fn base(&self, places: &Places) -> Vec<String> {
        match self.kind {
            Kind::Docker => vec!["--config".to_owned(), places.text("config")],
            Kind::Buildah | Kind::Podman => {
                ["--root", &places.text("images"), "--runroot", &places.text("state"), "--storage-driver", "vfs"]
                    .map(str::to_owned)
                    .to_vec()
            }
        }
    }

    fn command(&self, places: &Places, words: &[&str]) -> Vec<String> {
        self.base(places).into_iter().chain(words.iter().map(|w| (*w).to_owned())).collect()
    }

    /// Without a policy of the machine's own, as docker has none, buildah and podman take no image.
    fn policy(&self, places: &Places) -> Vec<String> {
        if self.kind == Kind::Docker || Path::new(POLICY).exists() {
            return Vec::new();
        }
        vec!["--signature-policy".to_owned(), places.text(OWN_POLICY)]
    }

    /// Where it looks for what it signs in with: as docker keeps it.
    pub(super) fn auth_file(&self, places: &Places) -> PathBuf {
        places.file("config").join("config.json")
    }

    /// A build. Values of arguments go by the environment: arguments of processes are seen by everybody.
    pub(super) fn build(&self, places: &Places, build: &Build) -> Vec<String> {
        let mut words = match self.kind {
            Kind::Buildah => {
                self.command(places, &["bud", "--isolation", "chroot", "--format", "docker", "--layers=false"])
            }
            Kind::Podman => {
                self.command(places, &["build", "--isolation", "chroot", "--format", "docker", "--layers=false"])
            }
            Kind::Docker => self.command(places, &["build"]),
        };
        words.extend(self.policy(places));
        let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
        if self.kind != Kind::Docker {
            add("--authfile", &self.auth_file(places).display().to_string());
        }
        add("-f", &places.source.join(&build.file).display().to_string());
        add("--platform", &build.platform);
        build.tags.iter().for_each(|tag| add("-t", tag));
        build.target.iter().for_each(|target| add("--target", target));
        build.arguments.iter().for_each(|(name, _)| add("--build-arg", name));
        build.labels.iter().for_each(|label| add("--label", label));
        if build.no_cache {
            words.push("--no-cache".to_owned());
        }
        if build.pull {
            words.push(if self.kind == Kind::Docker { "--pull" } else { "--pull-always" }.to_owned());
        }
        words.push(places.source.join(&build.context).display().to_string());
        words
    }

    /// A push, which leaves the digest in the file `digest`, or says it.
    pub(super) fn push(&self, places: &Places, image: &str) -> Vec<String> {
        if self.kind == Kind::Docker {
            return self.command(places, &["push", image]);
        }
        let (auth, digest) = (self.auth_file(places).display().to_string(), places.text("digest"));
        let to = format!("docker://{image}");
        let mut words = self.command(places, &["push", "--authfile", &auth, "--digestfile", &digest]);
        words.extend(self.policy(places));
        words.extend([image.to_owned(), to]);
        words
    }

    /// An image run over the source in one command. `None`: buildah needs several.
    pub(super) fn run(&self, places: &Places, run: &Run) -> Option<Vec<String>> {
        if self.kind == Kind::Buildah {
            return None;
        }
        let mut words = self.command(places, &["run", "--rm", "-v"]);
        words.push(format!("{}:/workspace", places.source.display()));
        let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
        if self.kind == Kind::Podman {
            add("--authfile", &self.auth_file(places).display().to_string());
        }
        add("-w", run.directory.as_deref().unwrap_or("/workspace"));
        run.user.iter().for_each(|user| add("--user", user));
        run.entry_point.iter().for_each(|entry| add("--entrypoint", entry));
        run.env.iter().for_each(|env| add("-e", env));
        words.push(run.image.clone());
        words.extend(run.arguments.iter().cloned());
        Some(words)
    }

    /// buildah: makes a working container of an image. It says the container's name.
    pub(super) fn from(&self, places: &Places, image: &str) -> Vec<String> {
        let auth = self.auth_file(places).display().to_string();
        let mut words = self.command(places, &["from", "--quiet", "--authfile", &auth]);
        words.extend(self.policy(places));
        words.push(image.to_owned());
        words
    }

    /// buildah: says what the image of a working container is run with.
    pub(super) fn config_of(&self, places: &Places, container: &str) -> Vec<String> {
        self.command(places, &["inspect", container])
    }

    /// buildah: runs a command in a working container, over the source.
    pub(super) fn run_in(&self, places: &Places, container: &str, run: &Run, command: &[String]) -> Vec<String> {
        let mut words = self.command(places, &["run", "--isolation", "chroot", "--volume"]);
        words.push(format!("{}:/workspace", places.source.display()));
        let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
        add("--workingdir", run.directory.as_deref().unwrap_or("/workspace"));
        run.user.iter().for_each(|user| add("--user", user));
        run.env.iter().for_each(|env| add("--env", env));
        words.push(container.to_owned());
        words.push("--".to_owned());
        words.extend(command.iter().cloned());
        words
    }

    /// buildah: removes a working container.
    pub(super) fn remove(&self, places: &Places, container: &str) -> Vec<String> {
        self.command(places, &["rm", container])
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_says_which_builder_it_is() {
        let kind = |path: &str| Tool::find(Some(Path::new(path))).map(|t| t.kind);
        assert_eq!(kind("/opt/buildah"), Some(Kind::Buildah));
        assert_eq!(kind("./podman-5"), Some(Kind::Podman));
        assert_eq!(kind("/usr/bin/docker"), Some(Kind::Docker));
        assert_eq!(kind("/usr/bin/kaniko"), None);
    }

    #[test]
    fn values_of_arguments_are_no_arguments_of_processes() {
        let tool = Tool { kind: Kind::Buildah, program: "buildah".into() };
        let places = Places { all: "/r".into(), source: "/r/source".into() };
        let build = Build {
            tags: vec!["a:1".into()],
            file: "Dockerfile".into(),
            context: ".".into(),
            arguments: vec![("KEY".into(), "secret".to_owned().into())],
            platform: "linux/amd64".into(),
            ..Build::default()
        };
        let words = tool.build(&places, &build).join(" ");
        assert!(words.contains("--build-arg KEY ") && !words.contains("secret"), "{words}");
    }
}
