//! What the rules of stage 02 itself say. Those that know systemd are tested beside it, in `systemd_lab::diagnosis`.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/02-restart/tests/requirements.rs"]
mod requirements;
#[path = "../../../exercises/02-restart/tests/scenarios.rs"]
mod scenarios;
mod support;
#[path = "../../../exercises/02-restart/tests/table/mod.rs"]
mod table;

use std::sync::LazyLock;

use exercise_check::Subject;
use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Condition, EventKind, Step};

use requirements::not_reached;
use support::run;
use table::{CAUSES, Cause, SETTINGS, Table, compare, parse};

/// Without a binary nothing is run, and yet it is known what would be.
static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    Subject::new(
        "02-restart",
        "solution-02",
        env!("CARGO_MANIFEST_DIR"),
        None,
    )
});

/// The run ended in the first step that waits for this.
fn ended_at(is_it: impl Fn(&Condition) -> bool) -> Option<String> {
    let index = scenarios::ENDS.first(
        0,
        |step| matches!(step, Step::WaitFor { condition, .. } if is_it(condition)),
    );
    let outcome = StepOutcome::DeadlinePassed;
    not_reached(&run(&[(
        0,
        "",
        EventKind::StepEnded {
            index,
            label: None,
            outcome,
        },
    )]))
}

#[test]
fn a_run_that_ended_early() {
    let enters = |wanted: &'static str| move |it: &Condition| matches!(it, Condition::NextSubState { any_of, .. } if any_of.iter().any(|state| state == wanted));
    assert_eq!(
        ended_at(enters("running")).as_deref(),
        Some(
            "the run ended before it came to this: solution-02.service did not run again within 20 s"
        )
    );
    assert_eq!(
        ended_at(enters("failed")).as_deref(),
        Some(
            "the run ended before it came to this: solution-02-database.service did not end within 20 s"
        )
    );
    assert_eq!(
        ended_at(|it| matches!(it, Condition::JobEnded { .. })).as_deref(),
        Some(
            "the run ended before it came to this: solution-02.service did not start within 2 min"
        )
    );
    let outcome = StepOutcome::Refused {
        error: "org.freedesktop.systemd1.NoSuchProcess".to_owned(),
        message: "No main process to kill".to_owned(),
    };
    let refused = run(&[(
        0,
        "",
        EventKind::StepEnded {
            index: 3,
            label: None,
            outcome,
        },
    )]);
    assert_eq!(
        not_reached(&refused).as_deref(),
        Some("the run ended before it came to this: No main process to kill")
    );
    assert_eq!(not_reached(&run(&[])), None);
}

/// A table in which every cell is still open.
fn open() -> String {
    let header = format!("| | {} |\n|---|", SETTINGS.join(" | "));
    let rows = CAUSES.map(|cause| format!("| {} | ? | ? | ? | ? | ? | ? | ? |\n", cause.name()));
    format!(
        "{header}{}\n{}",
        "---|".repeat(SETTINGS.len()),
        rows.concat()
    )
}

/// What is said of a file that cannot be understood.
fn misread(text: &str) -> String {
    parse(text, "RESTORE").expect_err("it is not a prediction")
}

#[test]
fn a_prediction_that_cannot_be_understood() {
    assert!(parse(&open(), "RESTORE").is_ok());
    assert_eq!(
        misread("# My prediction\n"),
        "prediction.md has no table, i.e. no line that begins with `|`; RESTORE"
    );
    let changed = |from: &str, to: &str| {
        assert!(open().contains(from), "{from}");
        misread(&open().replacen(from, to, 1))
    };
    assert_eq!(
        changed("| SIGHUP | ? |", "| SIGHUP |"),
        "prediction.md, line 4: the row `SIGHUP` has 6 cells and should have 7, one for each setting; write ? in those that you leave open"
    );
    assert_eq!(
        changed("| SIGHUP | ? |", "| SIGHUP | perhaps |"),
        "prediction.md, line 4, column no: `perhaps` cannot be read; write X (systemd restarts the service), - (it does not) or ? (not predicted yet)"
    );
    assert_eq!(
        changed("| SIGINT |", "| SIGHUP |"),
        "prediction.md, line 5: there is a row `SIGHUP` already; remove one of them"
    );
    assert_eq!(
        changed("| SIGHUP | ? | ? | ? | ? | ? | ? | ? |\n", ""),
        "prediction.md, the table at line 1: the row `SIGHUP` is missing; add `| SIGHUP | ? | ? | ? | ? | ? | ? | ? |`"
    );
    assert_eq!(
        changed("| SIGHUP |", "| SIGUSR1 |"),
        "prediction.md, line 4: the table has no row `SIGUSR1`; its rows are exit code 0, SIGHUP, SIGINT, SIGTERM, SIGPIPE, exit code 1, SIGKILL, core dump, start timeout, watchdog, out of memory"
    );
    assert_eq!(
        changed("| always |", "| ever |"),
        "prediction.md, line 1: the column `ever` is not a setting of Restart=; the columns are no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog"
    );
    assert_eq!(
        changed("| always |", "| no |"),
        "prediction.md, line 1: there are two columns `no`; remove one of them"
    );
    assert_eq!(
        changed("| always |", "|"),
        "prediction.md, line 1: the column `always` is missing; the columns are no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog"
    );
}

/// What systemd does: its manual's table.
fn measured() -> Table {
    let restarts = |cause: Cause, setting: &str| {
        let is_clean = (cause as usize) < Cause::ExitOne as usize;
        match setting {
            "no" => false,
            "always" => true,
            "on-success" => is_clean,
            "on-failure" => !is_clean,
            "on-abnormal" => !is_clean && cause != Cause::ExitOne,
            "on-abort" => matches!(cause, Cause::Sigkill | Cause::CoreDump),
            _ => cause == Cause::Watchdog,
        }
    };
    Table(CAUSES.map(|cause| SETTINGS.map(|setting| restarts(cause, setting))))
}

/// What is said of a table in which only this cell is wrong.
fn told(cause: Cause, setting: &str) -> String {
    let measured = measured();
    let cell = |row: Cause, column: usize| {
        let is_wrong = row == cause && SETTINGS[column] == setting;
        match measured.0[row as usize][column] != is_wrong {
            true => "X",
            false => "-",
        }
    };
    let header = format!("| | {} |\n", SETTINGS.join(" | "));
    let rows = CAUSES.map(|cause| {
        let cells: Vec<&str> = (0..SETTINGS.len())
            .map(|column| cell(cause, column))
            .collect();
        format!("| {} | {} |\n", cause.name(), cells.join(" | "))
    });
    let prediction = parse(&(header + &rows.concat()), "RESTORE").expect("a prediction");
    compare(&prediction, &measured)
        .diagnosis
        .expect("one cell differs")
}

#[test]
fn why_systemd_does_what_it_does() {
    let expected = [
        (
            Cause::ExitOne,
            "no",
            "after exit code 1, systemd does not restart a service with Restart=no: no is the default, and leaves every service as it ended",
        ),
        (
            Cause::ExitZero,
            "always",
            "after exit code 0, systemd restarts a service with Restart=always: exit code 0 is a clean end, and always asks for no failure: nothing but systemctl stop keeps it down",
        ),
        (
            Cause::CoreDump,
            "always",
            "after a core dump, systemd restarts a service with Restart=always: a core dump is never a clean end (Result=core-dump), and always restarts after every end",
        ),
        (
            Cause::Sigterm,
            "on-success",
            "after SIGTERM, systemd restarts a service with Restart=on-success: SIGTERM is one of the four signals that are a clean end (SIGHUP, SIGINT, SIGTERM, SIGPIPE), and that is what on-success restarts after",
        ),
        (
            Cause::Sigkill,
            "on-success",
            "after SIGKILL, systemd does not restart a service with Restart=on-success: SIGKILL is none of the clean signals (Result=signal), and on-success restarts after clean ends only, never after a failure",
        ),
        (
            Cause::ExitZero,
            "on-failure",
            "after exit code 0, systemd does not restart a service with Restart=on-failure: exit code 0 is a clean end, and on-failure leaves clean ends alone",
        ),
        (
            Cause::StartTimeout,
            "on-failure",
            "after a start timeout, systemd restarts a service with Restart=on-failure: READY=1 did not come in time, which is a failure (Result=timeout), and on-failure restarts after every failure of whatever kind",
        ),
        (
            Cause::Sighup,
            "on-abnormal",
            "after SIGHUP, systemd does not restart a service with Restart=on-abnormal: SIGHUP is one of the four signals that are a clean end (SIGHUP, SIGINT, SIGTERM, SIGPIPE), and on-abnormal leaves clean ends alone",
        ),
        (
            Cause::ExitOne,
            "on-abnormal",
            "after exit code 1, systemd does not restart a service with Restart=on-abnormal: an exit code other than 0 is a failure (Result=exit-code), and on-abnormal leaves all exit codes alone: a service that exits has ended itself, in its own way",
        ),
        (
            Cause::OutOfMemory,
            "on-abnormal",
            "after an out-of-memory kill, systemd restarts a service with Restart=on-abnormal: what the kernel kills because memory ran out has failed (Result=oom-kill), and on-abnormal restarts whatever did not end by its own exit: unclean signals, timeouts, watchdog, want of memory",
        ),
        (
            Cause::Sigint,
            "on-abort",
            "after SIGINT, systemd does not restart a service with Restart=on-abort: SIGINT is one of the four signals that are a clean end (SIGHUP, SIGINT, SIGTERM, SIGPIPE), and on-abort wants an unclean signal",
        ),
        (
            Cause::ExitOne,
            "on-abort",
            "after exit code 1, systemd does not restart a service with Restart=on-abort: an exit code other than 0 is a failure (Result=exit-code), and on-abort wants an unclean signal: no exit code will do",
        ),
        (
            Cause::Sigkill,
            "on-abort",
            "after SIGKILL, systemd restarts a service with Restart=on-abort: SIGKILL is none of the clean signals (Result=signal), and unclean signals are what on-abort is for",
        ),
        (
            Cause::StartTimeout,
            "on-abort",
            "after a start timeout, systemd does not restart a service with Restart=on-abort: READY=1 did not come in time, which is a failure (Result=timeout), and that stays its result when systemd's signal then ends it: on-abort wants one that came from elsewhere",
        ),
        (
            Cause::Watchdog,
            "on-abort",
            "after a missed watchdog, systemd does not restart a service with Restart=on-abort: WATCHDOG=1 did not come in time, which is a failure (Result=watchdog), and that stays its result, although systemd's SIGABRT then ends it: the first failure counts, and on-abort wants an unclean signal alone",
        ),
        (
            Cause::OutOfMemory,
            "on-abort",
            "after an out-of-memory kill, systemd does not restart a service with Restart=on-abort: what the kernel kills because memory ran out has failed (Result=oom-kill), and that is its result, although SIGKILL ended it: on-abort wants Result=signal or core-dump",
        ),
        (
            Cause::Watchdog,
            "on-watchdog",
            "after a missed watchdog, systemd restarts a service with Restart=on-watchdog: WATCHDOG=1 did not come in time, which is a failure (Result=watchdog), and this one result is what on-watchdog is for",
        ),
        (
            Cause::Sigpipe,
            "on-watchdog",
            "after SIGPIPE, systemd does not restart a service with Restart=on-watchdog: SIGPIPE is one of the four signals that are a clean end (SIGHUP, SIGINT, SIGTERM, SIGPIPE), and on-watchdog restarts after a missed watchdog only",
        ),
    ];
    for (cause, setting, sentence) in expected {
        assert_eq!(told(cause, setting), sentence);
    }
    // Whichever cell it is, there is a reason for what systemd does.
    for cause in CAUSES {
        for setting in SETTINGS {
            let said = told(cause, setting);
            assert!(!said.contains("its manual says otherwise"), "{said}");
        }
    }
}

/// The table is measured, and a later systemd may do something else than this one's manual says.
#[test]
fn a_systemd_that_does_something_else() {
    let mut other = measured();
    other.0[Cause::Sigkill as usize][0] = true;
    let header = format!("| | {} |\n", SETTINGS.join(" | "));
    let rows = CAUSES.map(|cause| {
        let cells = measured().0[cause as usize].map(|restarts| if restarts { "X" } else { "-" });
        format!("| {} | {} |\n", cause.name(), cells.join(" | "))
    });
    let prediction = parse(&(header + &rows.concat()), "RESTORE").expect("a prediction");
    assert_eq!(
        compare(&prediction, &other).diagnosis.as_deref(),
        Some(
            "after SIGKILL, systemd restarts a service with Restart=no: its manual says otherwise, and what it does counts"
        )
    );
}
