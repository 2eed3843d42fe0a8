//! watchdogs.md: what a core dump shows of a deadlock, and what it does not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{Guest, GuestFile, Lab};

const PACKAGE: &str = "panicking-task";
const UNIT: &str = "deadlock.service";
const PROGRAM: &str = "/usr/local/bin/deadlock";

/// signal(7): what the watchdog sends.
const SIGABRT: i32 = 6;

/// Bounds each command.
const DEADLINE: Duration = Duration::from_secs(60);

/// systemd-coredump looks at a dump for a few seconds.
const LOOKS: Duration = Duration::from_secs(30);

/// systemd-coredump keeps dumps, and with libdw it prints backtraces.
fn lab() -> Lab {
    let guest = Guest::default()
        .package("systemd-coredump")
        .and_then(|guest| guest.package("libdw1t64"));
    Lab::open_guest(&guest.expect("these are names")).expect("the lab opens")
}

/// The functions in the backtraces of a service that hangs and gets SIGABRT.
fn functions(version: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&root);
    cargo.args([
        "build",
        "--quiet",
        "--package",
        PACKAGE,
        "--message-format=json",
    ]);
    let output = cargo.output().expect("cargo runs this test");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == PACKAGE)
        .find_map(|message| message["executable"].as_str().map(str::to_owned));
    let executable = executable.expect("cargo names what it built");

    let unit = format!("[Service]\nType=notify\nExecStart={PROGRAM} {version}\n");
    let files = [
        GuestFile::text(format!("/etc/systemd/system/{UNIT}"), unit),
        GuestFile::program(PROGRAM, &executable),
    ];
    let scenario = Scenario::new("a deadlock, and its core dump")
        // The guest's packages are set up and not started.
        .run(
            &["/usr/bin/systemctl", "start", "systemd-coredump.socket"],
            DEADLINE,
        )
        .start(UNIT)
        .wait_for_job(UNIT, DEADLINE)
        .sleep(Duration::from_secs(1))
        .signal(UNIT, SIGABRT)
        .sleep(LOOKS)
        .run(&["/usr/bin/coredumpctl", "--no-pager", "info"], DEADLINE);
    let timeline = lab().run(&scenario, &files).expect("the lab works");
    let mut printed = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Command { output, .. } => Some(output.as_str()),
            _ => None,
        });
    let info = printed.next_back().expect("coredumpctl was run");
    // "#0  0x00007ffff7f9f639 n/a (/usr/local/bin/deadlock + 0x1ac639)"
    let offsets = info.lines().filter_map(|line| {
        let (_, offset) = line.split_once(&format!("({PROGRAM} + "))?;
        offset.strip_suffix(')')
    });
    let offsets: Vec<&str> = offsets.collect();
    assert!(!offsets.is_empty(), "{info}");
    // Of the linker's package, which cargo needs as well.
    let mut names = Command::new("addr2line");
    names.args([
        "--functions",
        "--demangle",
        "--inlines",
        "--exe",
        &executable,
    ]);
    let output = names
        .args(offsets)
        .output()
        .expect("binutils are installed");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_std_mutex_shows_in_a_backtrace_and_an_async_mutex_does_not() {
    let has = |functions: &BTreeSet<String>, name: &str| {
        functions.iter().any(|function| function.contains(name))
    };
    let of_std = functions("std-mutex");
    assert!(has(&of_std, "takes_a_std_mutex_twice"), "{of_std:#?}");
    let of_async = functions("async-mutex");
    assert!(
        !has(&of_async, "takes_an_async_mutex_twice"),
        "{of_async:#?}"
    );
    // What it shows is a runtime that waits for something to do.
    assert!(has(&of_async, "park"), "{of_async:#?}");
}
