//! Asks cargo which packages there are, and builds with it.

mod failure;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};
use exercise_check::Outcome;
use serde::Deserialize;

pub use failure::PackageFolder;
use failure::{CompilerError, why_failed};

/// Runs the command in its arguments, and ends all its processes when standard input ends. That is when the process that started this is
/// gone, however it ended. Otherwise, a compiler would go on for a long time.
const GUARD: &str = r#"
exec 3<&0 </dev/null
{ read -r nothing <&3; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
"$@"
status=$?
kill "$!"
exit "$status"
"#;

/// What cargo writes before the name of a crate that it begins to compile.
const COMPILING: &str = "Compiling ";

/// What `cargo metadata` says about the workshop.
pub struct Workspace {
    /// Where cargo builds.
    pub target: PathBuf,
    packages: BTreeMap<String, Package>,
}

/// One of its packages.
pub struct Package {
    /// Its `Cargo.toml`.
    pub manifest: PathBuf,
    /// The names of its binaries.
    pub binaries: Vec<String>,
    /// The names of its integration tests.
    pub tests: Vec<String>,
}

/// The result of a build.
#[derive(Default)]
pub struct Built {
    /// The executables, by the package's manifest and the target's name.
    executables: BTreeMap<(PathBuf, String), PathBuf>,
    /// The first error of each target that has one, by the same key.
    errors: BTreeMap<(PathBuf, String), String>,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A line of `--message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    #[serde(default)]
    message: String,
    code: Option<Code>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// The cargo that started this program, run in the workshop's top folder, where its settings are.
pub fn cargo(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).stdin(Stdio::null());
    command
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    ///
    /// When cargo cannot be run, or cannot read a manifest.
    pub fn read(root: &Path) -> anyhow::Result<Workspace> {
        let output = cargo(root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", text(&output.stderr));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("cannot parse what cargo metadata prints; use the workshop's toolchain")?;
        let packages = metadata.packages.into_iter().map(|package| {
            let known = Package {
                binaries: package.targets("bin"),
                tests: package.targets("test"),
                manifest: package.manifest_path,
            };
            (package.name, known)
        });
        Ok(Workspace {
            target: metadata.target_directory,
            packages: packages.collect(),
        })
    }

    /// The package of this name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }
}

impl MetadataPackage {
    fn targets(&self, wanted: &str) -> Vec<String> {
        let is_wanted = |target: &&Target| target.kind.iter().any(|kind| kind == wanted);
        let targets = self.targets.iter().filter(is_wanted);
        targets.map(|target| target.name.clone()).collect()
    }
}

/// Builds as much as possible, even if something fails.
///
/// # Errors
///
/// When cargo itself fails. A package that does not compile is not an error.
pub fn build(root: &Path, arguments: &[OsString]) -> anyhow::Result<Built> {
    let mut command = cargo(root);
    command.arg("build").args(arguments);
    command.args(["--keep-going", "--message-format=json"]);
    let output = output_of(&command, |_| {}).context("cannot run cargo")?;
    let built = Built::of(&output)?;
    if !output.status.success() && built.errors.is_empty() {
        bail!("cargo build failed: {}", text(&output.stderr));
    }
    Ok(built)
}

impl Built {
    fn of(output: &Output) -> anyhow::Result<Built> {
        let mut built = Built::default();
        for line in text(&output.stdout).lines().filter(is_message) {
            let message: Message = serde_json::from_str(line)
                .context("cannot parse what cargo build prints; use the workshop's toolchain")?;
            built.add(message);
        }
        Ok(built)
    }

    fn add(&mut self, message: Message) {
        let (Some(manifest), Some(target)) = (message.manifest_path, message.target) else {
            return;
        };
        let key = (manifest, target.name);
        match message.reason.as_str() {
            "compiler-artifact" => {
                if let Some(executable) = message.executable {
                    self.executables.insert(key, executable);
                }
            }
            "compiler-message" => {
                let error = message.message.filter(|message| message.level == "error");
                if let Some(rendered) = error.and_then(|error| error.rendered) {
                    self.errors.entry(key).or_insert(rendered);
                }
            }
            _ => {}
        }
    }

    /// An executable, or why there is none: its own first error, else one of its package, else any other: of what it
    /// depends on, most likely.
    pub fn executable(&self, manifest: &Path, target: &str) -> Result<&Path, String> {
        let key = (manifest.to_owned(), target.to_owned());
        if let Some(executable) = self.executables.get(&key) {
            return Ok(executable);
        }
        let of_package = || self.errors.iter().find(|((of, _), _)| of == manifest);
        let error = self
            .errors
            .get(&key)
            .or_else(|| of_package().map(|(_, error)| error))
            .or_else(|| self.errors.values().next());
        Err(match error {
            Some(error) => format!("did not build: {}", error.trim_end()),
            None => format!("has no target `{target}`; add it to {}", manifest.display()),
        })
    }
}

/// Why a target could not be built: what the compiler or cargo says.
#[derive(Debug)]
pub enum BuildFailed {
    /// Because of the attendee's package.
    OfPackage(String),
    /// For another reason: the lab's own code, or a machine that cannot build anything in its state.
    OfLab(String),
}

impl BuildFailed {
    /// The outcome of a check that could not be built.
    pub fn outcome(&self) -> Outcome {
        match self {
            BuildFailed::OfPackage(_) => Outcome::DidNotBuild,
            BuildFailed::OfLab(_) => Outcome::LabBroken,
        }
    }

    /// What the compiler or cargo says.
    pub fn text(&self) -> &str {
        match self {
            BuildFailed::OfPackage(text) | BuildFailed::OfLab(text) => text,
        }
    }

    /// What a person reads first.
    pub fn headline(&self) -> &'static str {
        match self {
            BuildFailed::OfPackage(_) => "DID NOT BUILD: the compiler's first message says why.",
            BuildFailed::OfLab(_) => LAB_BROKEN,
        }
    }
}

/// What a person reads first when the lab is broken.
pub const LAB_BROKEN: &str = "LAB BROKEN (this is not your service's fault)";

/// What was built, and the compiler's warnings.
pub struct Executable {
    /// Its path.
    pub path: PathBuf,
    /// The compiler's warnings, one after another; empty without any.
    pub warnings: String,
}

/// Builds one executable for an attendee, who will read all errors. `arguments` are those of cargo, e.g. `build --package exercise-04`.
/// Calls `on_built` with the name of each crate as soon as it is compiled.
///
/// # Errors
///
/// When cargo cannot be run. If something does not compile, the result is [`BuildFailed`].
pub fn executable(
    root: &Path,
    package: &PackageFolder<'_>,
    arguments: &[&str],
    target: &str,
    colours: bool,
    on_built: &mut dyn FnMut(&str),
) -> anyhow::Result<Result<Executable, BuildFailed>> {
    let format = match colours {
        true => "--message-format=json-diagnostic-rendered-ansi",
        false => "--message-format=json",
    };
    let mut command = cargo(root);
    command.args(arguments).arg(format);
    let output = output_of(&command, |line| {
        if let Some(name) = newly_built(line) {
            on_built(&name);
        }
    });
    let output = output.context("cannot run cargo")?;
    let mut executable = None;
    let (mut errors, mut warnings) = (Vec::new(), String::new());
    for line in text(&output.stdout).lines().filter(is_message) {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            continue;
        };
        if let Some(diagnostic) = message.message {
            match diagnostic.level.as_str() {
                level if level.starts_with("error") => errors.push(CompilerError {
                    is_of_package: message
                        .manifest_path
                        .is_some_and(|manifest| package.has(root, &manifest)),
                    diagnostic,
                }),
                "warning" => warnings.push_str(&diagnostic.rendered.unwrap_or_default()),
                _ => {}
            }
        }
        if message.target.is_some_and(|built| built.name == target) {
            executable = message.executable.or(executable);
        }
    }
    if !output.status.success() {
        return Ok(Err(why_failed(package, &errors, &text(&output.stderr))));
    }
    Ok(executable
        .map(|path| Executable { path, warnings })
        .ok_or_else(|| {
            BuildFailed::OfPackage(format!(
                "cargo built no `{target}`; is it still in the package's Cargo.toml?"
            ))
        }))
}

/// What keeps this from being built already, e.g. the first crate that cargo would compile. cargo is stopped before it has compiled
/// anything, and asks no network.
///
/// # Errors
///
/// When cargo cannot be run.
pub fn not_built(root: &Path, arguments: &[&str]) -> anyhow::Result<Option<String>> {
    let mut command = cargo(root);
    command
        .args(arguments)
        .args(["--locked", "--offline"])
        .env("CARGO_TERM_QUIET", "false")
        .env("CARGO_TERM_COLOR", "never");
    let mut child = guarded(&command).spawn().context("cannot run cargo")?;
    let lifeline = child.stdin.take();
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.context("cannot read what cargo says")?;
            if let Some(crate_) = line.trim_start().strip_prefix(COMPILING) {
                // `itoa v1.0.0 (folder)`
                let name = crate_.split(' ').next().unwrap_or(crate_).to_owned();
                drop(lifeline);
                child.wait().context("cannot wait for cargo")?;
                return Ok(Some(format!("{name} is not compiled")));
            }
            said.push(line);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    let first = said.iter().find(|line| line.starts_with("error"));
    Ok((!status.success()).then(|| match first {
        Some(error) => error.clone(),
        None => format!("cargo ended with {status}"),
    }))
}

/// A build script may print other lines between the messages.
fn is_message(line: &&str) -> bool {
    line.starts_with('{')
}

/// Writes a file unless it has this content already, because cargo rebuilds what is newer than its last build.
pub fn write_if_changed(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let context = || format!("cannot write {}; is the disk full?", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(context)?;
    }
    let mut file = std::fs::File::create(path).with_context(context)?;
    file.write_all(content).with_context(context)
}

/// The name of a crate that cargo has just compiled, if this line says so.
fn newly_built(line: &str) -> Option<String> {
    // Most lines are about crates that were there already.
    if !line.contains("\"compiler-artifact\"") || !line.contains("\"fresh\":false") {
        return None;
    }
    let message: Message = serde_json::from_str(line).ok()?;
    message.target.map(|target| target.name)
}

/// What a command prints. Calls `on_line` with each line of its standard output as it comes. Neither the command nor the processes that
/// it has started outlive this process.
fn output_of(command: &Command, mut on_line: impl FnMut(&str)) -> std::io::Result<Output> {
    let mut child = guarded(command).spawn()?;
    let lifeline = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.map_or(Ok(0), |mut stderr| stderr.read_to_end(&mut bytes))?;
        Ok::<_, std::io::Error>(bytes)
    });
    let mut printed = Vec::new();
    if let Some(stdout) = stdout {
        let mut reader = BufReader::new(stdout);
        let mut begin = 0;
        while reader.read_until(b'\n', &mut printed)? > 0 {
            on_line(&String::from_utf8_lossy(&printed[begin..]));
            begin = printed.len();
        }
    }
    let status = child.wait()?;
    drop(lifeline);
    let stderr = errors
        .join()
        .map_err(|_| std::io::Error::other("cannot read what cargo says"))??;
    Ok(Output {
        status,
        stdout: printed,
        stderr,
    })
}

/// The command with pipes, run by [`GUARD`]: when the end of its standard input is closed, it and all that it has started are gone.
fn guarded(command: &Command) -> Command {
    let mut guarded = Command::new("/bin/sh");
    guarded
        .args(["-c", GUARD, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        // All of its processes are in one group.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(directory) = command.get_current_dir() {
        guarded.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(name, value),
            None => guarded.env_remove(name),
        };
    }
    guarded
}

/// What a program printed.
pub fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim_end().to_owned()
}
