//! Why systemd does or does not restart a service: systemd.service(5), `Restart=`, in one sentence for each cell.

use super::Cause;

/// One sentence about a cell, from what systemd did and its reason for it.
pub(super) fn explain(cause: Cause, setting: &str, restarts: bool) -> String {
    let does = if restarts {
        "restarts"
    } else {
        "does not restart"
    };
    let (expected, reason) = reason(cause, setting);
    let reason = if expected == restarts {
        reason
    } else {
        // Then the guest has a different systemd than this text was written for.
        "its manual says otherwise, and what it does counts".to_owned()
    };
    format!(
        "after {}, systemd {does} a service with Restart={setting}: {reason}",
        phrase(cause)
    )
}

/// What all settings look at: the unit's `Result`, and how systemd judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CleanExit,
    CleanSignal,
    UncleanExit,
    UncleanSignal,
    Timeout,
    Watchdog,
    OutOfMemory,
}

fn kind(cause: Cause) -> Kind {
    match cause {
        Cause::ExitZero => Kind::CleanExit,
        Cause::Sighup | Cause::Sigint | Cause::Sigterm | Cause::Sigpipe => Kind::CleanSignal,
        Cause::ExitOne => Kind::UncleanExit,
        Cause::Sigkill | Cause::CoreDump => Kind::UncleanSignal,
        Cause::StartTimeout => Kind::Timeout,
        Cause::Watchdog => Kind::Watchdog,
        Cause::OutOfMemory => Kind::OutOfMemory,
    }
}

fn phrase(cause: Cause) -> &'static str {
    match cause {
        Cause::CoreDump => "a core dump",
        Cause::StartTimeout => "a start timeout",
        Cause::Watchdog => "a missed watchdog",
        Cause::OutOfMemory => "an out-of-memory kill",
        other => other.name(),
    }
}

/// How systemd judges the end, as part of a sentence.
fn verdict(cause: Cause) -> String {
    let name = cause.name();
    match cause {
        Cause::ExitZero => "exit code 0 is a clean end".to_owned(),
        Cause::ExitOne => "an exit code other than 0 is a failure (Result=exit-code)".to_owned(),
        Cause::Sigkill => "SIGKILL is none of the clean signals (Result=signal)".to_owned(),
        Cause::CoreDump => "a core dump is never a clean end (Result=core-dump)".to_owned(),
        Cause::StartTimeout => {
            "READY=1 did not come in time, which is a failure (Result=timeout)".to_owned()
        }
        Cause::Watchdog => {
            "WATCHDOG=1 did not come in time, which is a failure (Result=watchdog)".to_owned()
        }
        Cause::OutOfMemory => {
            "what the kernel kills because memory ran out has failed (Result=oom-kill)".to_owned()
        }
        Cause::Sighup | Cause::Sigint | Cause::Sigterm | Cause::Sigpipe => format!(
            "{name} is one of the four signals that are a clean end (SIGHUP, SIGINT, SIGTERM, SIGPIPE)"
        ),
    }
}

/// Whether the setting restarts the service after such an end, and why.
fn reason(cause: Cause, setting: &str) -> (bool, String) {
    let kind = kind(cause);
    let is_clean = matches!(kind, Kind::CleanExit | Kind::CleanSignal);
    let verdict = verdict(cause);
    let because = |rule: &str| format!("{verdict}, and {rule}");
    match setting {
        "no" => (
            false,
            "no is the default, and leaves every service as it ended".to_owned(),
        ),
        "always" if is_clean => (
            true,
            because("always asks for no failure: nothing but systemctl stop keeps it down"),
        ),
        "always" => (true, because("always restarts after every end")),
        "on-success" if is_clean => (true, because("that is what on-success restarts after")),
        "on-success" => (
            false,
            because("on-success restarts after clean ends only, never after a failure"),
        ),
        "on-failure" if is_clean => (false, because("on-failure leaves clean ends alone")),
        "on-failure" => (
            true,
            because("on-failure restarts after every failure of whatever kind"),
        ),
        "on-abnormal" => match kind {
            Kind::CleanExit | Kind::CleanSignal => {
                (false, because("on-abnormal leaves clean ends alone"))
            }
            Kind::UncleanExit => (
                false,
                because(
                    "on-abnormal leaves all exit codes alone: a service that exits has ended itself, in its own way",
                ),
            ),
            _ => (
                true,
                because(
                    "on-abnormal restarts whatever did not end by its own exit: unclean signals, timeouts, watchdog, want of memory",
                ),
            ),
        },
        "on-abort" => on_abort(kind, &because),
        "on-watchdog" if kind == Kind::Watchdog => {
            (true, because("this one result is what on-watchdog is for"))
        }
        _ => (
            false,
            because("on-watchdog restarts after a missed watchdog only"),
        ),
    }
}

fn on_abort(kind: Kind, because: &dyn Fn(&str) -> String) -> (bool, String) {
    match kind {
        Kind::CleanExit | Kind::CleanSignal => (false, because("on-abort wants an unclean signal")),
        Kind::UncleanExit => (
            false,
            because("on-abort wants an unclean signal: no exit code will do"),
        ),
        Kind::UncleanSignal => (true, because("unclean signals are what on-abort is for")),
        Kind::Timeout => (
            false,
            because(
                "that stays its result when systemd's signal then ends it: on-abort wants one that came from elsewhere",
            ),
        ),
        Kind::Watchdog => (
            false,
            because(
                "that stays its result, although systemd's SIGABRT then ends it: the first failure counts, and on-abort wants an unclean signal alone",
            ),
        ),
        Kind::OutOfMemory => (
            false,
            because(
                "that is its result, although SIGKILL ended it: on-abort wants Result=signal or core-dump",
            ),
        ),
    }
}
