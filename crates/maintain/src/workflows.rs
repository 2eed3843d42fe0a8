//! `cargo maintain workflows`: the workflow files of the guide's page "In your CI" do what the page says. Their commands run in a fresh
//! root of Debian, in a repository that is not this one; first without a cache, then in another fresh root with what the first job kept.

mod job;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use exercise_check::Outcome;
use stages::cargo::Workspace;
use stages::exercises::Workshop;
use systemd_lab_cli::say;

use crate::root::{Network, Root, USER};
use crate::verified::{Tally, Verified};
use job::Job;

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Needs root and a network. What is not committed is not tried. Not tried either: the servers' own actions (checkout, cache, artifacts), and
Ubuntu, which GitHub's runners have; a root of Debian 13 stands for them, and this machine's toolchain for theirs.

Examples:
    cargo maintain workflows           both, a cold and a warm job each: twenty minutes on two cores
    cargo maintain workflows gitlab    one of them";

/// The Debian release of the root.
const SUITE: &str = "trixie";

/// Where the workshop's repository is in the root.
const WORKSHOP: &str = "/srv/workshop.git";

/// The repository that the workflow files belong to.
const EXAMPLE: &str = "examples/own-service";

/// How the example depends on the library, as a package of this repository.
const BY_PATH: &str = r#"systemd-lab = { path = "../../crates/systemd-lab" }"#;

/// What the job must have written, below the project's folder.
const REPORTS: [&str; 2] = ["target/resilience/run.xml", "target/resilience/sweep.xml"];

/// The script that runs, in the root.
const SCRIPT: &str = "/tmp/step.sh";

/// How many lines of a step's output a complaint shows.
const SHOWN_LINES: usize = 40;

/// The subcommand's arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The server whose file is tried; by default, each.
    server: Option<Server>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Server {
    Github,
    Gitlab,
}

impl Server {
    fn file(self) -> &'static str {
        match self {
            Server::Github => ".github/workflows/resilience.yml",
            Server::Gitlab => ".gitlab-ci.yml",
        }
    }

    fn job(self, text: &str) -> anyhow::Result<Job> {
        match self {
            Server::Github => job::github(text),
            Server::Gitlab => job::gitlab(text),
        }
    }

    /// Who runs the job: a runner of GitHub is a machine with sudo, one of GitLab a container.
    fn user(self) -> &'static str {
        match self {
            Server::Github => USER,
            Server::Gitlab => "root",
        }
    }

    fn home(self) -> &'static str {
        match self {
            Server::Github => "/home/attendee",
            Server::Gitlab => "/root",
        }
    }

    fn project(self) -> &'static str {
        match self {
            Server::Github => "/home/attendee/checkout/own-service",
            Server::Gitlab => "/builds/own-service",
        }
    }
}

/// Runs the jobs, and reports what does not work.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let target = Workspace::read(&workshop.root)?.target;
    let servers = match arguments.server {
        Some(server) => vec![server],
        None => vec![Server::Github, Server::Gitlab],
    };
    let mut tally = Tally::default();
    for server in servers {
        let path = workshop.root.join(EXAMPLE).join(server.file());
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let job = server
            .job(&text)
            .with_context(|| path.display().to_string())?;
        let mut runner = Runner {
            repository: &workshop.root,
            roots: target.join("roots/workflows"),
            server,
            job,
            revision: revision(&workshop.root)?,
            tally: &mut tally,
        };
        runner.both()?;
    }
    say!("\n{}", tally.summary());
    Ok(tally.outcome())
}

struct Runner<'a> {
    repository: &'a Path,
    roots: PathBuf,
    server: Server,
    job: Job,
    revision: String,
    tally: &'a mut Tally,
}

impl Runner<'_> {
    /// A job without a cache, and one with what it kept.
    fn both(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.roots).context("cannot write to the target folder")?;
        let kept =
            tempfile::tempdir_in(&self.roots).context("cannot write to the target folder")?;
        let root = self.root()?;
        if !self.passes(&root, "cold")? {
            return Ok(());
        }
        self.keep(&root, kept.path())?;
        drop(root);
        let root = self.root()?;
        self.restore(&root, kept.path())?;
        self.passes(&root, "warm")?;
        Ok(())
    }

    /// A fresh root with the two repositories: the workshop's, and the one of the service.
    fn root(&self) -> anyhow::Result<Root> {
        let root = Root::make(&self.roots, SUITE, &[])?;
        let (user, project) = (self.server.user(), self.server.project());
        let cloned = Command::new("git")
            .args(["-c", "init.defaultBranch=main", "clone"])
            .args(["--quiet", "--bare", "--no-local"])
            .arg(self.repository)
            .arg(root.path(WORKSHOP))
            .status()
            .context("cannot run git")?;
        ensure!(cloned.success(), "git could not clone the repository");
        let folder = root.path(project);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.check_out(&folder)?;
        root.as_root(&format!(
            "chown -R {user}: {WORKSHOP} {project} {}",
            self.server.home()
        ))?;
        // A person would have committed the lock file. cargo's home stays as it was.
        let lock = format!(
            "cd {project} && CARGO_HOME=/tmp/home cargo metadata --format-version 1 >/tmp/metadata && rm -rf /tmp/home"
        );
        let locked = root.run(user, Network::Host, &lock)?;
        ensure!(
            locked.status.success(),
            "cargo could not read the project: {}",
            String::from_utf8_lossy(&locked.stderr)
        );
        Ok(root)
    }

    /// The service's repository, which depends on the library by its URL.
    fn check_out(&self, to: &Path) -> anyhow::Result<()> {
        let mut archive = Command::new("git")
            .args(["archive", &format!("HEAD:{EXAMPLE}")])
            .current_dir(self.repository)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run git")?;
        let files = archive.stdout.take().context("git has no output")?;
        let unpacked = Command::new("tar")
            // Files that are checked out are as old as the job.
            .args(["--extract", "--touch", "--directory"])
            .arg(to)
            .stdin(files)
            .status()
            .context("cannot run tar")?;
        let archived = archive.wait().context("cannot wait for git")?;
        ensure!(
            unpacked.success() && archived.success(),
            "git has no {EXAMPLE}"
        );
        let manifest = to.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).context("the example has no Cargo.toml")?;
        let by_url = format!(
            "systemd-lab = {{ git = \"{}\", rev = \"{}\" }}",
            url(),
            self.revision
        );
        ensure!(
            text.contains(BY_PATH),
            "the example's Cargo.toml lacks {BY_PATH}"
        );
        fs::write(manifest, text.replace(BY_PATH, &by_url)).context("cannot write Cargo.toml")
    }

    /// Runs all steps; says how long each took.
    fn passes(&mut self, root: &Root, temperature: &str) -> anyhow::Result<bool> {
        let began = Instant::now();
        for step in &self.job.steps {
            let began = Instant::now();
            fs::write(root.path(SCRIPT), self.script(&step.script))
                .context("cannot write a step")?;
            let command = format!("bash {SCRIPT}");
            let output = root.run(self.server.user(), Network::Host, &command)?;
            let item = format!("{:?}, {temperature}: {}", self.server, step.name);
            if !output.status.success() {
                let text = format!(
                    "{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
                let complaint = format!("{}:\n{last}", output.status);
                self.tally.add(&item, &Verified::Failed(complaint));
                return Ok(false);
            }
            self.tally.add(&item, &Verified::OkIn(began.elapsed()));
        }
        let project = self.server.project();
        let mut complaints = Vec::new();
        for report in REPORTS {
            if !root.path(&format!("{project}/{report}")).is_file() {
                complaints.push(format!("it did not write {report}"));
            }
        }
        let item = format!("{:?}, {temperature}: all of it", self.server);
        let verified = match complaints.is_empty() {
            true => Verified::OkIn(began.elapsed()),
            false => Verified::without(&complaints),
        };
        self.tally.add(&item, &verified);
        Ok(complaints.is_empty())
    }

    /// A step as its server would run it.
    fn script(&self, step: &str) -> String {
        let project = self.server.project();
        let mut script = format!(
            "set -eo pipefail\ncd {project}\nexport CI=true GITHUB_OUTPUT=/tmp/output CI_PROJECT_DIR={project}\n"
        );
        if self.server == Server::Github {
            // Its runners have rustup, which puts this into the PATH.
            script.push_str("export PATH=\"$HOME/.cargo/bin:$PATH\"\n");
        }
        for (name, value) in &self.job.variables {
            let value = match name.as_str() {
                "SYSTEMD_LAB_URL" => url(),
                "SYSTEMD_LAB_REV" => self.revision.clone(),
                _ => value.clone(),
            };
            // In double quotes: a value may name other variables.
            script.push_str(&format!("export {name}=\"{value}\"\n"));
        }
        script.push_str(step);
        script
    }

    /// Where a path of the cache is in the root.
    fn place(&self, cached: &str) -> String {
        match cached.strip_prefix("~/") {
            Some(path) => format!("{}/{path}", self.server.home()),
            None => format!("{}/{cached}", self.server.project()),
        }
    }

    /// Moves what the job's cache has out of the root.
    fn keep(&self, root: &Root, to: &Path) -> anyhow::Result<()> {
        for (number, cached) in self.job.cached.iter().enumerate() {
            let from = root.path(&self.place(cached));
            say!("      kept: {} {cached}", size(&from)?);
            fs::rename(&from, to.join(number.to_string())).with_context(|| {
                format!("the job made nothing that the cache keeps as {cached}")
            })?;
        }
        Ok(())
    }

    fn restore(&self, root: &Root, from: &Path) -> anyhow::Result<()> {
        for (number, cached) in self.job.cached.iter().enumerate() {
            let to = root.path(&self.place(cached));
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).context("cannot make a folder in the root")?;
            }
            fs::rename(from.join(number.to_string()), &to)
                .with_context(|| format!("cannot restore {cached}"))?;
        }
        let (user, home, project) = (
            self.server.user(),
            self.server.home(),
            self.server.project(),
        );
        root.as_root(&format!("chown -R {user}: {home} {project}"))
    }
}

/// The commit that is tried.
fn revision(repository: &Path) -> anyhow::Result<String> {
    let said = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(repository)
        .output()
        .context("cannot run git")?;
    ensure!(said.status.success(), "this is not a clone");
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// How much of the disk a folder takes, in du's words.
fn size(path: &Path) -> anyhow::Result<String> {
    let said = Command::new("du")
        .args(["--summarize", "--human-readable"])
        .arg(path)
        .output()
        .context("cannot run du")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    Ok(said.split_whitespace().next().unwrap_or("?").to_owned())
}

/// The workshop's repository, for what runs in the root.
fn url() -> String {
    format!("file://{WORKSHOP}")
}
