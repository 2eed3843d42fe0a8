//! The runs on the guide's pages about your own service: their commands, in the folder in which a reader types them.

use std::process::Command;

use anyhow::{Context, anyhow, ensure};
use measured::Measured;
use systemd_lab::{Guest, Lab, MIRROR_VARIABLE, SUITE_VARIABLE};

use super::bench::{Bench, executable};
use super::item::Item;

/// A package outside the workspace.
const MANIFEST: &str = "examples/own-service/Cargo.toml";
const PROGRAM: &str = "own-service";

const UNIT: &str = "examples/own-service/units/own.service";
const PLAN: &str = "examples/own-service/plan.toml";
const EAGER: &str =
    "examples/own-service/units/eager.conf:/etc/systemd/system/own.service.d/eager.conf";
const WATCHDOG: &str =
    "examples/own-service/units/watchdog.conf:/etc/systemd/system/own.service.d/watchdog.conf";

/// Lines of the summary that a page also shows side by side.
const SIDE_BY_SIDE: [&str; 3] = ["Availability", "Longest outage", "Restarts by systemd"];

/// Status of the command if a requirement does not hold.
const NOT_YET: i32 = 1;

pub(super) fn items() -> Vec<Item> {
    vec![
        Item::files(["run-plan.txt"], plan),
        Item::files(["run-hangs.txt", "run-watchdog.txt", "run-beside.md"], hang),
        Item::files(["run-sweep.txt"], sweep),
        Item::files(["run-explore.txt"], explore),
        Item::files(["run-nginx.txt"], nginx).with_network(),
        Item::files(["run-sweep-ssh.txt"], ssh).with_network(),
    ]
}

/// The plan in a file. One of its requirements does not hold.
fn plan(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let file = file(bench)?;
    let shown = shown(bench, &["--plan", PLAN, "--file", &file], NOT_YET)?;
    let part = |title: &str| {
        let (_, part) = shown.split_once(title)?;
        Some(part)
    };
    let required = part("\nRequirements\n").context("it shows no requirements")?;
    ensure!(
        required.matches('✗').count() == 1,
        "one requirement must not hold: {required}"
    );
    let summary = part("\nSummary\n").context("it shows no summary")?;
    let text = format!("Summary\n{summary}");
    let with = bench.measured_with()?;
    Ok(vec![Measured::text("run-plan.txt", &text, &with)])
}

/// A service that hangs, without and with a watchdog.
fn hang(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let file = file(bench)?;
    let run = |more: &[&str]| {
        let mut arguments = vec!["--unit", UNIT, "--file", &file];
        arguments.extend_from_slice(more);
        arguments.extend(
            "--get http://127.0.0.1:8080/ --at 10s kill --at 60s freeze --for 5min".split(' '),
        );
        shown(bench, &arguments, 0)
    };
    let without = run(&[])?;
    let with = run(&["--file", WATCHDOG])?;
    let mut table =
        "| Figure | without `WatchdogSec=` | with `WatchdogSec=10s` |\n|---|---|---|\n".to_owned();
    for name in SIDE_BY_SIDE {
        let (one, other) = (figure(&without, name)?, figure(&with, name)?);
        table += &format!("| {name} | {one} | {other} |\n");
    }
    let lab = bench.measured_with()?;
    Ok(vec![
        Measured::text("run-hangs.txt", &without, &lab),
        Measured::text("run-watchdog.txt", &with, &lab),
        Measured::text("run-beside.md", &table, &lab),
    ])
}

/// A fault at every moment: what the sweep prints, without the commands at its end, which name the folder of the example's build.
fn sweep(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let example = example(bench)?;
    let options = format!("{example} --fault kill,freeze --for 10s --moments 16");
    swept(bench, "run-sweep.txt", &options)
}

/// Debian's sshd, which survives every SIGKILL and no SIGTERM.
fn ssh(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let options = "--package openssh-server --unit ssh.service --connect 127.0.0.1:22 --every 5s \
                   --fault kill,kill=SIGTERM --for 6s --moments 6";
    swept(bench, "run-sweep-ssh.txt", options)
}

/// A sweep, up to the commands for what does not hold.
fn swept(bench: &Bench<'_>, name: &'static str, options: &str) -> anyhow::Result<Vec<Measured>> {
    let text = broken(bench, "sweep", options)?;
    let (shown, _) = text
        .split_once("\nWhat does not hold\n")
        .context("it prints no violations")?;
    let with = bench.measured_with()?;
    Ok(vec![Measured::text(name, shown, &with)])
}

/// Random kills, without the command that repeats them: it names the folder that the example is built in.
fn explore(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let example = example(bench)?;
    let options = format!(
        "{example} --file {EAGER} --fault kill --most 8 --apart 1s --from 1s --until 9s --runs 16"
    );
    let text = broken(bench, "explore", &options)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| !line.trim_start().starts_with("systemd-lab run "));
    let with = bench.measured_with()?;
    let shown = lines.join("\n") + "\n";
    Ok(vec![Measured::text("run-explore.txt", &shown, &with)])
}

/// The options that hit the example.
fn example(bench: &Bench<'_>) -> anyhow::Result<String> {
    let file = file(bench)?;
    Ok(format!(
        "--unit {UNIT} --file {file} --get http://127.0.0.1:8080/"
    ))
}

/// What a command prints that hits a unit with many faults, some of which it does not survive.
fn broken(bench: &Bench<'_>, command: &str, options: &str) -> anyhow::Result<String> {
    let built = bench.build(&["--package", "systemd-lab-cli", "--bins"])?;
    let package = bench.root().join("crates/systemd-lab-cli/Cargo.toml");
    let output = Command::new(executable(&built, &package, "systemd-lab")?)
        .arg(command)
        .args(options.split_whitespace())
        .args(["--require", "recovery <= 10s"])
        .current_dir(bench.root())
        .env_remove(SUITE_VARIABLE)
        .env_remove(MIRROR_VARIABLE)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(NOT_YET),
        "{command} ended with {}: {errors}",
        output.status
    );
    String::from_utf8(output.stdout).context("what it prints is not text")
}

/// One of Debian's daemons.
fn nginx(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let arguments = "--package nginx --unit nginx.service --get http://127.0.0.1/ --at 10s kill";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let text = shown(bench, &arguments, 0)?;
    let lab = Lab::options()
        .guest(&Guest::default().package("nginx")?)
        .open()?;
    Ok(vec![Measured::text(
        "run-nginx.txt",
        &text,
        &lab.measured_with()?,
    )])
}

/// Builds the example as the guide says, but below the workshop's target directory. Returns the value for `--file`.
fn file(bench: &Bench<'_>) -> anyhow::Result<String> {
    let target = bench.workspace.target.to_string_lossy();
    let built = bench.build(&["--manifest-path", MANIFEST, "--target-dir", &target])?;
    let program = executable(&built, &bench.root().join(MANIFEST), PROGRAM)?;
    Ok(format!("{}:/usr/local/bin/{PROGRAM}", program.display()))
}

/// What `cargo workshop run` prints, if it ends with this status.
fn shown(bench: &Bench<'_>, arguments: &[&str], status: i32) -> anyhow::Result<String> {
    let output = bench.run(arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let ended = output.status;
    ensure!(
        ended.code() == Some(status),
        "`cargo workshop run {}` ended with {ended}: {errors}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).map_err(|_| anyhow!("what it prints is not text"))
}

/// The figure in a line of the summary, without the words after it.
fn figure<'a>(output: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let mut lines = output.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix(name));
    let line = line.with_context(|| format!("the summary has no line `{name}`"))?;
    let figure = line.split([',', ';']).next();
    Ok(figure.unwrap_or_default().trim())
}
