//! The page "A panic that ends nothing": `crates/panicking-task` under systemd.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use measured::Measured;
use serde_json::Value;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, Picture, Timeline, nearest_second};

const COMMAND: &str = "cargo book-tests";

static LAB: LazyLock<Lab> = LazyLock::new(|| Lab::open().expect("the lab opens"));

const PACKAGE: &str = "panicking-task";
const UNIT: &str = "prices.service";
const PROGRAM: &str = "/usr/local/bin/prices";
const URL: &str = "http://127.0.0.1:7878/";
const BLOCK: &str = "http://127.0.0.1:7878/block";

/// Bounds what takes a moment, and is how long a client waits.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How the page's table calls the versions, their argument, and whether they are built with `panic = "abort"`.
const VERSIONS: [(&str, &str, bool); 4] = [
    ("drops the handle", "dropped", false),
    ("has `panic = \"abort\"`", "dropped", true),
    ("awaits the handle", "joined", false),
    ("looks at the prices' age before it pings", "tested", false),
];

/// cargo builds it as a reader would.
fn built(aborts: bool) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root);
    cargo.args([
        "build",
        "--quiet",
        "--package",
        PACKAGE,
        "--message-format=json",
    ]);
    if aborts {
        cargo.args(["--profile", "aborts"]);
    }
    let output = cargo.output().expect("cargo runs this test");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == PACKAGE;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.expect("cargo names what it built")
}

fn run(version: &str, aborts: bool, scenario: &Scenario) -> Timeline {
    let unit = format!(
        "[Service]\nType=notify\nExecStart={PROGRAM} {version}\nWatchdogSec={}\nRestart=on-failure\nRestartSec=5s\n",
        match version {
            "tested" => "4s",
            _ => "0",
        }
    );
    let files = [
        GuestFile::text(format!("/etc/systemd/system/{UNIT}"), unit),
        GuestFile::program(PROGRAM, built(aborts)),
    ];
    let timeline = LAB.run(scenario, &files).expect("the lab works");
    assert_eq!(timeline.step_that_timed_out(), None, "every step ends");
    timeline
}

/// The panic comes after ten seconds; a client asks before that and after it.
fn scenario() -> Scenario {
    Scenario::new("a task panics")
        .start(UNIT)
        .sleep_until(Duration::from_secs(9))
        .get("before", URL, TIMEOUT)
        .sleep_until(Duration::from_secs(24))
        .get("later", URL, TIMEOUT)
        .sleep_until(Duration::from_secs(25))
}

/// The first such event, in whole seconds.
fn first(timeline: &Timeline, wanted: impl Fn(&EventKind) -> bool) -> Option<u64> {
    let event = timeline.first(UNIT, wanted)?;
    Some(nearest_second(timeline.time_of(event)))
}

#[test]
fn the_page_shows_what_becomes_of_a_panic() {
    let mut table = String::from(
        "| The program … | What systemd sees | Restarted at | Answer at 24 s |\n|---|---|---|---|\n",
    );
    let mut files = Vec::new();
    for (label, version, aborts) in VERSIONS {
        let timeline = run(version, aborts, &scenario());
        let result = timeline.of(UNIT).find_map(|event| match &event.kind {
            EventKind::Failed { result } => Some(format!("`{result}`")),
            _ => None,
        });
        let restarted = first(&timeline, |kind| {
            matches!(kind, EventKind::RestartScheduled { .. })
        });
        let answer = match timeline.response("later") {
            Some(ResponseOutcome::Answered { body, .. }) => body.clone(),
            other => panic!("{version}: {other:?}"),
        };
        let _ = writeln!(
            table,
            "| {label} | {} | {} | {answer} |",
            result.as_deref().unwrap_or("nothing: it is `running`"),
            restarted.map_or("–".to_owned(), |second| format!("{second} s")),
        );
        let name = match aborts {
            true => "task-aborts.json".to_owned(),
            false => format!("task-{version}.json"),
        };
        let essence = Picture::of(&[UNIT]).logs().essence(&timeline);
        files.push(Measured::timeline(&name, essence));
    }
    let with = LAB.measured_with().expect("the lab works");
    files.push(Measured::text("tasks.md", &table, &with));
    measured::assert_all_kept(&files, COMMAND);
}

/// watchdogs.md: with two worker threads, a service with one blocked thread answers, and with two it does not.
#[test]
fn a_runtime_hangs_once_as_many_threads_are_blocked_as_it_has() {
    let scenario = Scenario::new("blocked threads")
        .start(UNIT)
        .wait_for_job(UNIT, TIMEOUT)
        .get("first block", BLOCK, TIMEOUT)
        .get("one blocked", URL, TIMEOUT)
        .get("second block", BLOCK, TIMEOUT)
        .get("two blocked", URL, TIMEOUT);
    let timeline = run("threads", false, &scenario);
    let is_answered = |name| {
        matches!(
            timeline.response(name),
            Some(ResponseOutcome::Answered { .. })
        )
    };
    assert!(is_answered("one blocked"));
    assert!(!is_answered("two blocked"));
}
