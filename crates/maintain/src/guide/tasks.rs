//! The page "A panic that ends nothing": `crates/panicking-task` under systemd.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{bail, ensure};
use measured::Measured;
use systemd_lab::protocol::Scenario;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::{GuestFile, Picture, Timeline, nearest_second};

use super::bench::Bench;
use super::item::Item;
use super::unit::{self, is_restart};

const PACKAGE: &str = "panicking-task";
const UNIT: &str = "prices.service";
const PROGRAM: &str = "/usr/local/bin/prices";
const URL: &str = "http://127.0.0.1:7878/";
const BLOCK: &str = "http://127.0.0.1:7878/block";

/// The limit for steps that take a moment, and how long a client waits.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The versions of the program: the name in the page's table, the argument, and whether it is built with `panic = "abort"`.
const VERSIONS: [(&str, &str, bool); 4] = [
    ("drops the handle", "dropped", false),
    ("has `panic = \"abort\"`", "dropped", true),
    ("awaits the handle", "joined", false),
    ("looks at the prices' age before it pings", "tested", false),
];

const TABLE: &str = "tasks.md";

pub(super) fn items() -> Vec<Item> {
    let timelines = VERSIONS.map(|(_, version, aborts)| file_of(version, aborts));
    vec![
        Item::files(timelines.into_iter().chain([TABLE.to_owned()]), panics),
        Item::sentence(
            "watchdogs.md: with two worker threads, a service with two blocked threads does not answer",
            a_runtime_hangs_once_as_many_threads_are_blocked_as_it_has,
        ),
    ]
}

fn file_of(version: &str, aborts: bool) -> String {
    match aborts {
        true => "task-aborts.json".to_owned(),
        false => format!("task-{version}.json"),
    }
}

/// Builds the program with cargo, as a reader would.
fn run(
    bench: &Bench<'_>,
    version: &str,
    aborts: bool,
    scenario: &Scenario,
) -> anyhow::Result<Timeline> {
    let profile: &[&str] = match aborts {
        true => &["--profile", "aborts"],
        false => &[],
    };
    let unit = format!(
        "[Service]\nType=notify\nExecStart={PROGRAM} {version}\nWatchdogSec={}\nRestart=on-failure\nRestartSec=5s\n",
        match version {
            "tested" => "4s",
            _ => "0",
        }
    );
    let files = [
        unit::file(UNIT, &unit),
        GuestFile::program(PROGRAM, bench.program(PACKAGE, profile)?),
    ];
    unit::run(&bench.lab()?, scenario, &files)
}

/// The program panics after ten seconds. A client asks before and after that.
fn scenario() -> Scenario {
    Scenario::new("a task panics")
        .start(UNIT)
        .sleep_until(Duration::from_secs(9))
        .get("before", URL, TIMEOUT)
        .sleep_until(Duration::from_secs(24))
        .get("later", URL, TIMEOUT)
        .sleep_until(Duration::from_secs(25))
}

fn panics(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let mut table = String::from(
        "| The program … | What systemd sees | Restarted at | Answer at 24 s |\n|---|---|---|---|\n",
    );
    let mut files = Vec::new();
    for (label, version, aborts) in VERSIONS {
        let timeline = run(bench, version, aborts, &scenario())?;
        let result = unit::result(&timeline, UNIT).map(|result| format!("`{result}`"));
        let restarted = unit::first(&timeline, UNIT, is_restart).map(nearest_second);
        let answer = match timeline.response("later") {
            Some(ResponseOutcome::Answered { body, .. }) => body.clone(),
            other => bail!("{version}: {other:?}"),
        };
        let _ = writeln!(
            table,
            "| {label} | {} | {} | {answer} |",
            result.as_deref().unwrap_or("nothing: it is `running`"),
            restarted.map_or("–".to_owned(), |second| format!("{second} s")),
        );
        let essence = Picture::of(&[UNIT]).logs().essence(&timeline);
        files.push(Measured::timeline(&file_of(version, aborts), essence));
    }
    files.push(Measured::text(TABLE, &table, &bench.measured_with()?));
    Ok(files)
}

fn a_runtime_hangs_once_as_many_threads_are_blocked_as_it_has(
    bench: &Bench<'_>,
) -> anyhow::Result<()> {
    let scenario = Scenario::new("blocked threads")
        .start(UNIT)
        .wait_for_job(UNIT, TIMEOUT)
        .get("first block", BLOCK, TIMEOUT)
        .get("second block", BLOCK, TIMEOUT)
        .get("two blocked", URL, TIMEOUT);
    let timeline = run(bench, "threads", false, &scenario)?;
    // With one blocked thread, it depends on which one: the other thread may not be the one that waits for connections.
    let is_answered = matches!(
        timeline.response("two blocked"),
        Some(ResponseOutcome::Answered { .. })
    );
    ensure!(!is_answered, "two threads do not block it");
    Ok(())
}
