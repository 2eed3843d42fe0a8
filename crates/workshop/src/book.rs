//! `cargo workshop book`: serves or builds the guide, with the same version of mdBook for everyone.

use std::env;
use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use exercise_check::Outcome;
use systemd_lab::doctor::{Finding, Remedy, State};

use crate::room;
use stages::exercises::Workshop;
use systemd_lab_cli::say;
use systemd_lab_cli::style;

/// Other versions lay the guide out differently, or not at all. `cargo install` uses mdBook's own lock file.
const MDBOOK_VERSION: &str = "0.5.4";

/// Replaces the command in `book.toml`, which inserts what the lab measured into the pages: this program does the same, and is
/// already compiled. Compiling a different one would keep every other command waiting for cargo's lock.
const PREPROCESSOR: &str = "MDBOOK_PREPROCESSOR__SYSTEMD_LAB__COMMAND";

/// The place from `book.toml`.
pub(crate) const BUILT: &str = "target/book";

/// mdBook's default.
const DEFAULT_PORT: u16 = 3000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Do not open a browser.
    #[arg(long)]
    no_open: bool,
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Write it to target/book as files, without serving it.
    #[arg(long, conflicts_with_all = ["no_open", "port"])]
    build: bool,
}

/// Returns only if the guide cannot be served: otherwise mdBook replaces this process, so that Ctrl-C ends mdBook and
/// nothing is left to clean up.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let book = workshop.root.join("book");
    if !book.join("book.toml").is_file() {
        bail!(
            "there is no guide in {}; is the clone complete? `git status` shows what is missing",
            book.display()
        );
    }
    if !arguments.build {
        ensure_port_is_free(arguments.port)?;
    }
    if arguments.build {
        let index = build(workshop)?;
        say!("The guide: {}", index.display());
        return Ok(Outcome::Passed);
    }
    let mdbook = match installed(workshop) {
        Some(mdbook) => mdbook,
        None => match room::guide(workshop) {
            Some(index) => {
                show(&index, arguments.no_open);
                return Ok(Outcome::Passed);
            }
            None => install(workshop)?,
        },
    };
    let preprocessor = preprocessor()?;
    say!(
        "The guide: http://127.0.0.1:{} (Ctrl-C ends it)",
        arguments.port
    );
    let mut command = Command::new(&mdbook);
    command.env(PREPROCESSOR, preprocessor);
    command.arg("serve").arg(&book);
    command.args(["--hostname", "127.0.0.1", "--port"]);
    command.arg(arguments.port.to_string());
    if !arguments.no_open && has_display() {
        command.arg("--open");
    }
    let error = command.exec();
    Err(error).with_context(cannot_run(&mdbook))
}

/// Builds the guide, and returns its first page.
pub(crate) fn build(workshop: &Workshop) -> anyhow::Result<PathBuf> {
    build_in(workshop, &workshop.root)
}

/// Builds the guide of another clone, with this one's mdBook, and returns its first page.
pub(crate) fn build_in(workshop: &Workshop, clone: &Path) -> anyhow::Result<PathBuf> {
    let mdbook = match installed(workshop) {
        Some(mdbook) => mdbook,
        None => install(workshop)?,
    };
    let status = Command::new(&mdbook)
        .env(PREPROCESSOR, preprocessor()?)
        .arg("build")
        .arg(clone.join("book"))
        .status()
        .with_context(cannot_run(&mdbook))?;
    ensure!(
        status.success(),
        "mdBook could not build the guide; its text above says why"
    );
    Ok(clone.join(BUILT).join("index.html"))
}

/// Whether there is a built guide, for `doctor --all`.
pub(crate) fn built(workshop: &Workshop) -> Finding {
    let own = workshop.root.join(BUILT).join("index.html");
    let (state, detail) = match (own.is_file(), room::guide(workshop)) {
        (true, _) => (State::Good, "built"),
        (false, Some(_)) => (State::Good, "from the kit"),
        (false, None) => (State::Missing, "not built yet"),
    };
    Finding {
        name: "guide",
        state,
        detail: detail.to_owned(),
        remedy: (state == State::Missing)
            .then(|| Remedy::Type("cargo workshop book --build".to_owned())),
    }
}

fn cannot_run(mdbook: &Path) -> impl FnOnce() -> String {
    move || format!("cannot run {}; remove it and try again", mdbook.display())
}

/// Names the guide of a kit, whose files a browser reads without a server; opens one if there is a display.
fn show(index: &Path, no_open: bool) {
    say!("The guide, as it came with the kit: {}", index.display());
    if !no_open && has_display() {
        // Best effort: the path is printed.
        let _ = Command::new("xdg-open").arg(index).status();
    }
}

/// The command line that mdBook runs instead of the one in `book.toml`. mdBook splits it like a shell.
fn preprocessor() -> anyhow::Result<String> {
    let program = env::current_exe().context("cannot find this program's file")?;
    let program = program
        .to_str()
        .filter(|path| !path.contains('\''))
        .context("the clone's path has a quote in it, or is not UTF-8; move the clone")?;
    Ok(format!("'{program}' preprocess"))
}

/// Answers mdBook's request to this program: the pages with what the lab measured, or whether it supports a renderer.
pub(crate) fn preprocess(arguments: &[String]) -> anyhow::Result<Outcome> {
    match mdbook_systemd_lab::command(arguments).map_err(anyhow::Error::msg)? {
        true => Ok(Outcome::Passed),
        false => Ok(Outcome::NotYet),
    }
}

/// The state of mdBook, for `doctor`.
pub(crate) fn finding(workshop: &Workshop) -> Finding {
    let (state, detail) = match installed(workshop) {
        Some(mdbook) => (
            State::Good,
            format!("{MDBOOK_VERSION} ({})", mdbook.display()),
        ),
        None => {
            let instead = match room::guide(workshop) {
                Some(_) => "shows the guide of the kit",
                None => "fetches it",
            };
            (
                State::Unneeded,
                format!("{MDBOOK_VERSION} is absent; `cargo workshop book` {instead}"),
            )
        }
    };
    Finding {
        name: "mdBook",
        state,
        detail,
        remedy: None,
    }
}

/// mdBook would report a port in use as a panic.
fn ensure_port_is_free(port: u16) -> anyhow::Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(error).with_context(|| {
            format!("cannot serve on 127.0.0.1:{port}; choose another port with --port")
        }),
    }
}

/// Without a display, a browser in the terminal might open instead.
fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .into_iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// mdBook in the pinned version: the workshop's own, or one in `PATH`.
fn installed(workshop: &Workshop) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let own = tools(workshop).join("bin");
    std::iter::once(own)
        .chain(env::split_paths(&path))
        .map(|directory| directory.join("mdbook"))
        .find(|mdbook| is_pinned_version(mdbook))
}

fn is_pinned_version(mdbook: &Path) -> bool {
    let output = Command::new(mdbook)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout);
        said.trim() == format!("mdbook v{MDBOOK_VERSION}")
    })
}

fn path_with(directory: &Path) -> anyhow::Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([directory.to_owned()]);
    env::join_paths(directories).context("the clone's path has a colon in it; move the clone")
}

/// Below `target`, which is not part of the clone.
fn tools(workshop: &Workshop) -> PathBuf {
    workshop.root.join("target/tools")
}

fn install(workshop: &Workshop) -> anyhow::Result<PathBuf> {
    let tools = tools(workshop);
    say!(
        "Building mdBook {MDBOOK_VERSION}, which makes the guide, into {}.\n\
         This needs a network and takes two to six minutes, once.\n\n\
         Meanwhile, in another terminal: {} shows the same pages there.\n\
         Every other command works as well.\n",
        tools.display(),
        style::strong("cargo workshop guide")
    );
    // The build directory stays until everything is done, so that a second try continues where a broken network ended the
    // first.
    let build = tools.join("build");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        // Without optimization, it is built in half the time, and builds the guide in a second or two.
        .args(["install", "mdbook", "--locked", "--debug", "--version"])
        .arg(format!("={MDBOOK_VERSION}"))
        .arg("--root")
        .arg(&tools)
        .arg("--target-dir")
        .arg(&build)
        // Otherwise cargo advises the reader to add the directory, which is not necessary.
        .env("PATH", path_with(&tools.join("bin"))?)
        // Outside the clone, whose settings are meant for the guest: target and static linking.
        .current_dir(env::temp_dir())
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!(
            "mdBook could not be installed; cargo's text above says why. Is the network up? \
             Without mdBook, the guide is in the terminal: cargo workshop guide"
        );
    }
    // Best effort: the directory only takes space.
    let _ = std::fs::remove_dir_all(&build);
    Ok(tools.join("bin/mdbook"))
}
