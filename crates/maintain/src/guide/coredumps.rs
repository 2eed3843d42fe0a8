//! What a core dump shows of a deadlock, and what it does not.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use systemd_lab::names::SIGABRT;
use systemd_lab::protocol::Scenario;
use systemd_lab::{Guest, GuestFile, Lab};

use super::bench::Bench;
use super::item::Item;
use super::unit::{self, printed};

const PACKAGE: &str = "panicking-task";
const UNIT: &str = "deadlock.service";
const PROGRAM: &str = "/usr/local/bin/deadlock";

/// Limits each command.
const DEADLINE: Duration = Duration::from_secs(60);

/// systemd-coredump looks at a dump for a few seconds.
const LOOKS: Duration = Duration::from_secs(30);

pub(super) fn items() -> Vec<Item> {
    let item = Item::sentence(
        "watchdogs.md: a std mutex shows in a core dump's backtrace, and an async mutex does not",
        a_std_mutex_shows_in_a_backtrace_and_an_async_mutex_does_not,
    );
    vec![item.with_network()]
}

/// systemd-coredump keeps core dumps, and prints backtraces if libdw is there.
fn lab() -> anyhow::Result<Lab> {
    let guest = Guest::default().package("systemd-coredump")?;
    let guest = guest.package("libdw1t64")?;
    Ok(Lab::options().guest(&guest).open()?)
}

/// The functions in the backtraces of a service that hangs and gets SIGABRT, as from the watchdog.
fn functions(bench: &Bench<'_>, version: &str) -> anyhow::Result<BTreeSet<String>> {
    let executable = bench.program(PACKAGE, &[])?;
    let unit = format!("[Service]\nType=notify\nExecStart={PROGRAM} {version}\n");
    let files = [
        unit::file(UNIT, &unit),
        GuestFile::program(PROGRAM, &executable),
    ];
    let scenario = Scenario::new("a deadlock, and its core dump")
        // The guest sets packages up, but does not start their daemons.
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
    let timeline = unit::run(&lab()?, &scenario, &files)?;
    let printed = printed(&timeline);
    let info = printed.last().context("coredumpctl was not run")?;
    // "#0  0x00007ffff7f9f639 n/a (/usr/local/bin/deadlock + 0x1ac639)"
    let offsets = info.lines().filter_map(|line| {
        let (_, offset) = line.split_once(&format!("({PROGRAM} + "))?;
        offset.strip_suffix(')')
    });
    let offsets: Vec<&str> = offsets.collect();
    ensure!(!offsets.is_empty(), "no backtrace: {info}");
    // addr2line is in the same package as the linker, which cargo needs as well.
    let mut names = Command::new("addr2line");
    names.args(["--functions", "--demangle", "--inlines", "--exe"]);
    let names = names.arg(&executable).args(offsets);
    let output = names
        .output()
        .context("cannot run addr2line; install binutils")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

fn a_std_mutex_shows_in_a_backtrace_and_an_async_mutex_does_not(
    bench: &Bench<'_>,
) -> anyhow::Result<()> {
    let has = |functions: &BTreeSet<String>, name: &str| {
        functions.iter().any(|function| function.contains(name))
    };
    let of_std = functions(bench, "std-mutex")?;
    ensure!(has(&of_std, "takes_a_std_mutex_twice"), "{of_std:#?}");
    let of_async = functions(bench, "async-mutex")?;
    let shows = has(&of_async, "takes_an_async_mutex_twice");
    ensure!(!shows, "{of_async:#?}");
    // The backtrace shows only a runtime that waits for something to do.
    ensure!(has(&of_async, "park"), "{of_async:#?}");
    Ok(())
}
