//! A QEMU that misbehaves: a script earlier in `PATH` that starts the real one, or does something else.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;

use crate::assert_text;
use crate::support::{answer, cache_with_image, child_process, copied_cache, entries, find};

/// When it starts, the script reads its behaviour from a file next to it, so that the same "QEMU" can change its
/// behaviour: a snapshot belongs to the QEMU that made it.
///
/// Without setpriv, what the script starts in the background would outlive it.
const SCRIPT: &str = r#"#!/bin/sh
without() {
    # $1: which argument to leave out, with the one before it; the rest: all arguments
    pattern=$1; shift; left=$#
    while [ "$left" -gt 0 ]; do
        case $2 in
            $pattern) shift 2; left=$((left - 2));;
            *) set -- "$@" "$1"; shift; left=$((left - 1));;
        esac
    done
    exec "$REAL" "$@"
}
case $(cat "$0.mode") in
    good) exec "$REAL" "$@";;
    dies) echo "qemu-system-x86_64: no luck today" >&2; exit 1;;
    never-resumes) sed -u '/"cont"/s/cont/query-status/' | setpriv --pdeathsig KILL "$REAL" "$@";;
    no-init) 
        for argument; do
            shift
            case $argument in console=*) argument="$argument rdinit=/none";; esac
            set -- "$@" "$argument"
        done
        exec "$REAL" "$@";;
    speaks-first)
        # The file that events are written to has a line already.
        for argument; do
            shift
            case $argument in file,id=events,path=*)
                cp "$0.line" "${argument#file,id=events,path=}"
                argument="$argument,append=on";;
            esac
            set -- "$@" "$argument"
        done
        exec "$REAL" "$@";;
    # The process that was started is not the one to copy.
    in-a-child) setpriv --pdeathsig KILL "$REAL" "$@";;
    no-job-memory) without 'ivshmem*' "$@";;
esac
"#;

struct WrappedQemu {
    directory: TempDir,
}

impl WrappedQemu {
    fn new() -> WrappedQemu {
        let directory = tempfile::tempdir().expect("it can be made");
        let real = find("qemu-system-x86_64").expect("the lab has installed it");
        let script = SCRIPT.replace("$REAL", &real.display().to_string());
        let path = directory.path().join("qemu-system-x86_64");
        fs::write(&path, script).expect("it can be written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
        WrappedQemu { directory }
    }

    fn path(&self) -> String {
        let rest = env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.directory.path().display())
    }

    /// The answer of a process that opens the lab with this QEMU and carries out an order.
    fn answer(&self, mode: &str, order: &str, cache: &TempDir) -> String {
        let mode_file = self.directory.path().join("qemu-system-x86_64.mode");
        fs::write(mode_file, mode).expect("it can be written");
        let mut command: Command = child_process(order, cache.path());
        answer(command.env("PATH", self.path()))
    }
}

/// A snapshot that does not fit this QEMU stays: its own QEMU may come back, or belong to another checkout.
#[test]
fn another_qemu_gets_a_snapshot_of_its_own_and_then_breaks() {
    let (qemu, cache) = (WrappedQemu::new(), copied_cache());
    let shown = [(cache.path(), "[CACHE]")];
    let before = entries(cache.path(), "snapshot-");

    assert_eq!(qemu.answer("good", "open", &cache), "opened");
    let after = entries(cache.path(), "snapshot-");
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|old| after.contains(old)));

    let text = qemu.answer("dies", "run", &cache);
    assert_text("qemu_dies", &text, &shown);
    let text = qemu.answer("never-resumes", "run-briefly", &cache);
    let snapshot = after.iter().find(|new| !before.contains(new));
    let snapshot = cache.path().join(snapshot.expect("there is a new one"));
    assert_text("guest_is_silent", &text, &[(&snapshot, "[SNAPSHOT]")]);

    assert!(
        qemu.answer("good", "run", &cache)
            .contains("scenario-ended")
    );
}

/// Runs from checkpoints and whole runs differ by less than this, in milliseconds. It is more than in `sweep.rs`: one of the faults
/// comes while a probe's command starts, and each of the processes may wait for a tick of the kernel, 4 ms.
const CLOSE_MS: u64 = 16;

/// Then every run of a sweep is a whole one, which takes longer and shows the same.
#[test]
fn a_qemu_that_cannot_be_copied() {
    let (qemu, cache) = (WrappedQemu::new(), copied_cache());
    assert_eq!(qemu.answer("good", "open", &cache), "opened");
    let trials = |mode| {
        let text = qemu.answer(mode, "sweep-briefly", &cache);
        let swept: Value = serde_json::from_str(&text).expect("it is JSON");
        let trials = swept["trials"].as_array().expect("it has trials").clone();
        (swept["continued"].as_u64().expect("a number"), trials)
    };
    let ((continued, copied), (none, whole)) = (trials("good"), trials("in-a-child"));
    assert!(continued > 1, "{copied:#?}");
    assert_eq!((none, whole.len()), (0, copied.len()));
    for (copied, whole) in copied.iter().zip(&whole) {
        for same in ["at_ms", "phase"] {
            assert_eq!(copied[same], whole[same]);
        }
        let outcomes = [copied, whole].map(|it| &it["outcome"]);
        assert_eq!(outcomes[0]["kind"], outcomes[1]["kind"]);
        let [copied, whole] = outcomes.map(|it| it["after_ms"].as_u64().unwrap_or(0));
        assert!(copied.abs_diff(whole) < CLOSE_MS, "{outcomes:?}");
    }
}

/// Anything may come out of a guest.
#[test]
fn a_guest_that_sends_something_else_than_events() {
    let (qemu, cache) = (WrappedQemu::new(), copied_cache());
    let before = entries(cache.path(), "snapshot-");
    assert_eq!(qemu.answer("good", "open", &cache), "opened");
    let after = entries(cache.path(), "snapshot-");
    let snapshot = after.iter().find(|new| !before.contains(new));
    let snapshot = cache.path().join(snapshot.expect("there is a new one"));
    let text_after = |line: &str| {
        let file = qemu.directory.path().join("qemu-system-x86_64.line");
        fs::write(file, format!("{line}\n")).expect("it can be written");
        qemu.answer("speaks-first", "run", &cache)
    };
    let shown = [(&*snapshot, "[SNAPSHOT]")];
    assert_text("bad_event", &text_after("nonsense"), &shown);
    let agent_error =
        r#"{"at_us":1,"source":"agent","event":"agent-error","message":"cannot do it"}"#;
    // It has no seal, so it is not from the agent.
    assert_text("bad_event", &text_after(agent_error), &shown);
}

#[test]
fn a_guest_that_does_not_come_up() {
    let (qemu, cache) = (WrappedQemu::new(), cache_with_image());
    let shown = [(cache.path(), "[CACHE]")];
    let text = qemu.answer("dies", "open", &cache);
    assert_text("qemu_dies", &text, &shown);

    let (text, console) = parts(&qemu.answer("no-init", "open", &cache));
    assert!(console.contains("Kernel panic"), "{console}");
    assert_text("boot_fails", &text, &shown);

    let (text, _) = parts(&qemu.answer("no-job-memory", "open", &cache));
    assert_text("agent_cannot_prepare", &text, &shown);
    assert_eq!(
        entries(cache.path(), "snapshot-"),
        [""; 0],
        "none of them is kept"
    );
}

/// The error without the guest's console, and the console.
fn parts(text: &str) -> (String, String) {
    let (error, rest) = text
        .split_once("its console:\n")
        .expect("the console is shown");
    let (console, remedy) = rest
        .rsplit_once("\nremove ")
        .unwrap_or_else(|| panic!("no remedy: {rest}"));
    (
        format!("{error}its console:\n[CONSOLE]\nremove {remedy}"),
        console.to_owned(),
    )
}
