//! Every known mistake fails at the requirement it should, with the diagnosis it must get.

#[path = "../../../exercises/04-notify/tests/requirements/finding.rs"]
mod finding;
#[path = "../../../exercises/04-notify/tests/protocol/mod.rs"]
mod protocol;
#[path = "../../../exercises/04-notify/tests/requirements/mod.rs"]
mod requirements;

use std::path::{Path, PathBuf};

use finding::first_finding;
use requirements::Subject;

/// The mistakes take the place of the solution's binary or unit.
const PACKAGE: &str = "solution-04";

fn in_code(binary: &str) -> Subject {
    let unit = requirements::root().join(format!("units/{PACKAGE}.service"));
    Subject::new(PACKAGE, PathBuf::from(binary), unit)
}

fn in_unit(name: &str) -> Subject {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("units/{name}.service"));
    Subject::new(PACKAGE, PathBuf::from(env!("CARGO_BIN_EXE_right")), unit)
}

/// A check that finds fault with everything would find all mistakes too.
#[test]
fn what_is_right_is_no_mistake() {
    assert_eq!(
        first_finding(&in_code(env!("CARGO_BIN_EXE_right"))),
        finding::NOTHING
    );
}

/// One test for each mistake: its name, where it is, and what it must be told.
macro_rules! mistakes {
    ($($test:ident: $subject:expr => $finding:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_eq!(first_finding(&$subject), $finding);
            }
        )*
    };
}

mistakes! {
    type_exec: in_unit("type-exec") =>
        "requirement 1: solution-04.service has Type=exec: systemd took it for started as soon as its program ran, 2 s before anything listened on 127.0.0.1:7878";
    relative_exec_start: in_unit("relative-exec-start") =>
        "requirement 1: systemd refuses solution-04.service: line 9: Neither a valid executable name nor an absolute path: usr/local/bin/solution-04";
    misspelt_setting: in_unit("misspelt-setting") =>
        "requirement 1: line 12 of solution-04.service has no effect, systemd says: Unknown key 'TimeoutStartSecs' in section [Service], ignoring";
    timeout_start_infinity: in_unit("timeout-start-infinity") =>
        "requirement 4: the start hangs and nothing ends it: TimeoutStartSec= is infinity";
    ready_before_bind: in_code(env!("CARGO_BIN_EXE_ready-before-bind")) =>
        "requirement 6: READY=1 was sent although the address could not be bound: bind first, then say it";
    ready_before_warm: in_code(env!("CARGO_BIN_EXE_ready-before-warm")) =>
        "requirement 1: READY=1 had arrived, and yet solution-04-client.service had to wait 2 s for its answer: the service was not ready";
    ready_from_helper: in_code(env!("CARGO_BIN_EXE_ready-from-helper")) =>
        "requirement 1: a notification came from a process other than the main one, and systemd dropped it (NotifyAccess=main): send it from the service itself";
    no_ready: in_code(env!("CARGO_BIN_EXE_no-ready")) =>
        "requirement 1: READY=1 never arrived (TimeoutStartSec=10s), although it listened on 127.0.0.1:7878";
    no_status: in_code(env!("CARGO_BIN_EXE_no-status")) =>
        "requirement 2: no STATUS= ever arrived: systemctl status has nothing to show but the state";
    no_stopping: in_code(env!("CARGO_BIN_EXE_no-stopping")) =>
        "requirement 3: STOPPING=1 never arrived after SIGTERM";
    ctrl_c_only: in_code(env!("CARGO_BIN_EXE_ctrl-c-only")) =>
        "requirement 2: SIGTERM ended the process on the spot: nothing in the service handles that signal (Ctrl-C is SIGINT, systemd sends SIGTERM)";
    drain_without_deadline: in_code(env!("CARGO_BIN_EXE_drain-without-deadline")) =>
        "requirement 3: the service still ran 10 s after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): it had said STOPPING=1 and then waited for a connection without a deadline of its own";
    extend_from_timer: in_code(env!("CARGO_BIN_EXE_extend-from-timer")) =>
        "requirement 4: the start hangs, and EXTEND_TIMEOUT_USEC= keeps arriving past the 10 s of TimeoutStartSec=: it must follow progress, not a timer";
    extend_in_milliseconds: in_code(env!("CARGO_BIN_EXE_extend-in-milliseconds")) =>
        "requirement 5: EXTEND_TIMEOUT_USEC=5000 extends the start by 5 ms only: the value counts microseconds";
    no_extend: in_code(env!("CARGO_BIN_EXE_no-extend")) =>
        "requirement 5: the start was ended after 10 s (TimeoutStartSec=), and no EXTEND_TIMEOUT_USEC= had arrived while the service was still loading";
    needs_socket: in_code(env!("CARGO_BIN_EXE_needs-socket")) =>
        "requirement 7: without NOTIFY_SOCKET the service does not serve: a missing socket is no error, there is simply nobody to tell";
}
