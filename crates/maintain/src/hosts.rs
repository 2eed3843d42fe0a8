//! `cargo maintain hosts`: shows that the workshop works on another host. In a fresh root of a Debian release, an ordinary user types
//! the README's two commands; then every solution is checked, and ten hours of a service pass as they did on this machine.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use exercise_check::Outcome;
use stages::cargo::{Workspace, cargo};
use stages::exercises::Workshop;
use systemd_lab_cli::say;

use crate::perturbed::FLAKY;
use crate::root::{CLONE, Network, Root, USER};
use crate::verified::{Tally, Verified};

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Needs root and a network. What is not committed is not tried.

Examples:
    cargo maintain hosts             Debian 13, with QEMU 10.0: six minutes on two cores
    cargo maintain hosts bookworm    Debian 12, with QEMU 7.2";

const UNIT: &str = "flaky.service";
const SAVED: &str = "ten-hours.json";

/// Types `cargo workshop watch` in a terminal, which script(1) provides.
const WATCH: &str = "script --quiet --return --command 'cargo workshop watch' /dev/null";

/// The exit status of a command whose last check was not passed.
const NOT_YET: i32 = 1;

/// How much of what `watch` wrote a complaint shows.
const SHOWN_LINES: usize = 30;

/// The subcommand's arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The Debian release of the host.
    #[arg(default_value = "trixie", value_parser = ["trixie", "bookworm"])]
    suite: String,
}

/// Tries the workshop in a fresh root, and reports what does not work there.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let target = Workspace::read(&workshop.root)?.target;
    let saved = saved_here(workshop, &target)?;
    let began = Instant::now();
    let root = Root::make(&target.join("roots"), &arguments.suite, &[])?;
    root.clone_here(&workshop.root)?;
    let mut host = Host {
        root,
        tally: Tally::default(),
    };
    host.add("a fresh root and a clone", began, None);
    host.expect("cargo workshop", "cargo workshop", 0, "Edit, then:")?;
    let began = Instant::now();
    let watched = host.watch()?;
    host.add("cargo workshop watch, and q", began, watched);
    for exercise in &workshop.exercises {
        let solution = format!("cargo test --quiet -p solution-{}", exercise.number);
        host.expect(&solution, &solution, 0, "test result: ok")?;
    }
    host.ten_hours(&saved)?;
    let version = "cat /etc/debian_version; qemu-system-x86_64 --version | head -n 1";
    let version = host.root.run(USER, Network::Host, version)?;
    say!(
        "\nDebian {}",
        String::from_utf8_lossy(&version.stdout)
            .trim()
            .replace('\n', ", ")
    );
    say!("{}", host.tally.summary());
    Ok(host.tally.outcome())
}

struct Host {
    root: Root,
    tally: Tally,
}

impl Host {
    fn add(&mut self, item: &str, began: Instant, complaint: Option<String>) {
        let verified = match complaint {
            None => Verified::OkIn(began.elapsed()),
            Some(complaint) => Verified::Failed(complaint),
        };
        self.tally.add(&item, &verified);
    }

    /// Runs this in the clone; complains about another exit status, or if it does not print `said`.
    fn expect(&mut self, item: &str, script: &str, status: i32, said: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        let script = format!("cd {CLONE} && {script}");
        let output = self.root.run(USER, Network::Host, &script)?;
        let as_expected = output.status.code() == Some(status) && shown(&output).contains(said);
        let complaint = (!as_expected).then(|| {
            format!(
                "expected status {status} and \"{said}\"; {}:\n{}",
                output.status,
                shown(&output)
            )
        });
        self.add(item, began, complaint);
        Ok(())
    }

    /// Types q as soon as the first check is done.
    fn watch(&self) -> anyhow::Result<Option<String>> {
        let script = format!("cd {CLONE} && {WATCH}");
        let mut watching = self
            .root
            .command(USER, Network::Host, &script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run unshare")?;
        let (input, output) = (watching.stdin.take(), watching.stdout.take());
        let (mut input, output) = input.zip(output).context("no pipe to unshare")?;
        let (mut said, mut quit) = (String::new(), false);
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("cannot read what `watch` prints")?;
            said.push_str(&String::from_utf8_lossy(&line));
            said.push('\n');
            if !quit && said.contains("NOT YET") {
                input.write_all(b"q").context("cannot type q")?;
                quit = true;
            }
        }
        let status = watching.wait().context("cannot wait for unshare")?;
        let as_expected = quit && status.code() == Some(NOT_YET);
        Ok((!as_expected).then(|| {
            // A spinner writes over its line again and again.
            let lines: Vec<&str> = said.split(['\r', '\n']).collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            format!(
                "expected \"NOT YET\" and status {NOT_YET}; {status}:\n{}",
                last.join("\n")
            )
        }))
    }

    /// Compares ten hours with those of this machine.
    fn ten_hours(&mut self, saved: &Saved) -> anyhow::Result<()> {
        for (name, content) in [(UNIT, FLAKY), (SAVED, &saved.0)] {
            let path = self.root.path(&format!("{CLONE}/{name}"));
            std::fs::write(path, content).with_context(|| format!("cannot write {name}"))?;
        }
        let script = format!("cargo workshop {} --expect {SAVED}", ten_hours());
        self.expect("ten hours, as on this machine", &script, 0, "")
    }
}

/// What `run --save` wrote.
struct Saved(String);

fn ten_hours() -> String {
    format!("run --unit {UNIT} --for 10h")
}

/// Ten hours of the service, on this machine.
fn saved_here(workshop: &Workshop, target: &Path) -> anyhow::Result<Saved> {
    let folder = tempfile::tempdir_in(target).context("cannot write to the target folder")?;
    let unit = folder.path().join(UNIT);
    std::fs::write(&unit, FLAKY).context("cannot write to the target folder")?;
    let saved = folder.path().join(SAVED);
    let mut command: Command = cargo(&workshop.root);
    let output = command
        .args(["workshop", "run", "--unit"])
        .arg(&unit)
        .args(["--for", "10h", "--save"])
        .arg(&saved)
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), shown(&output));
    let saved = std::fs::read_to_string(saved).context("`run --save` wrote nothing")?;
    Ok(Saved(saved))
}

fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
