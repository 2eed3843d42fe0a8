//! Watchdogs that nothing feeds, that are fed whatever happens, and that end a healthy service.

use std::time::Duration;

use systemd_lab::experiment::{Fault, Probe};
use systemd_lab::{Experiment, GuestFile};

use crate::support::PROGRAM;
use crate::{check_with, service, tried};

const SIGSTOP: i32 = 19;

/// Pings only after an answer: `pinger.sh PORT`.
const SELF_TEST: &str = r#"#!/usr/bin/bash
while sleep 1; do
    if timeout 1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/'"$1"' && printf "GET / HTTP/1.1\r\n\r\n" >&3 && read -r line <&3'; then
        systemd-notify WATCHDOG=1
    fi
done
"#;

const PINGER: &str = "/usr/local/bin/pinger.sh";

/// Serves on this port, and does this in parallel. It is ready when it listens.
fn serving(port: u16, beside: &str) -> String {
    let ready =
        format!("until : 3<>/dev/tcp/127.0.0.1/{port}; do sleep 0.1; done; systemd-notify --ready");
    service(&format!(
        "Type=notify\nNotifyAccess=all\nWatchdogSec=5s\nTimeoutAbortSec=2s\nRestart=on-failure\nExecStart=/usr/bin/bash -c '{beside} & {{ {ready}; }} 2>/dev/null & exec {PROGRAM} serve 127.0.0.1:{port}'"
    ))
}

fn with_probes(experiment: Experiment, ports: &[u16]) -> Experiment {
    let pinger = GuestFile::text(PINGER, SELF_TEST);
    let get = |port: &u16| Probe::get(&format!("http://127.0.0.1:{port}/"));
    ports
        .iter()
        .map(get)
        .fold(experiment.file(pinger), Experiment::probe)
}

#[test]
fn a_watchdog_is_fed_by_what_tests_the_service() {
    let always = "while sleep 1; do systemd-notify WATCHDOG=1; done";
    let tests = |port: u16| format!("bash {PINGER} {port}");
    let never = Probe::get("http://127.0.0.1:7103/never");
    check_with(
        &[
            tried(
                "always.service",
                &serving(7101, always),
                Some(("watchdog-fed-regardless", "WatchdogSec=5s")),
            )
            .at(10, Fault::Kill(SIGSTOP)),
            // Without a probe of its own, the finding comes from the fault.
            tried(
                "unasked.service",
                &serving(7105, always),
                Some(("watchdog-fed-regardless", "WatchdogSec=5s")),
            )
            .at(10, Fault::Kill(SIGSTOP)),
            // The same fault, with a self-test: the watchdog ends it.
            tried("tests.service", &serving(7102, &tests(7102)), None).at(10, Fault::Kill(SIGSTOP)),
            // A probe that asks for something that is never answered says nothing about the
            // service.
            tried("slow.service", &serving(7103, &tests(7103)), None),
            // A service that is deliberately stopped does not answer.
            tried("stopped.service", &serving(7104, always), None).at(10, Fault::Stop),
        ],
        40,
        |experiment| {
            let experiment = experiment.probe(never.clone().timeout(Duration::from_millis(500)));
            with_probes(experiment, &[7101, 7102, 7104])
        },
    );
}

#[test]
fn a_watchdog_is_fed_at_all_and_in_time() {
    check_with(
        &[
            tried(
                "unfed.service",
                &service("WatchdogSec=5s\nExecStart=/usr/bin/sleep infinity"),
                Some(("watchdog-never-fed", "WatchdogSec=5s")),
            ),
            // From a child, which NotifyAccess=main does not accept.
            tried(
                "child.service",
                &service(
                    "Type=exec\nNotifyAccess=main\nUser=nobody\nWatchdogSec=5s\nExecStart=/usr/bin/bash -c 'while :; do systemd-notify WATCHDOG=1; sleep 1; done'",
                ),
                Some(("notification-dropped", "NotifyAccess=main")),
            ),
            // Too rarely.
            tried(
                "seldom.service",
                &serving(7201, "while systemd-notify WATCHDOG=1; do sleep 20; done"),
                Some(("watchdog-ends-answering", "WatchdogSec=5s")),
            ),
            // The pings stop, because their sender has ended.
            tried(
                "ended.service",
                &serving(
                    7202,
                    "for i in 1 2 3 4 5; do sleep 1; systemd-notify WATCHDOG=1; done",
                ),
                Some(("watchdog-ends-answering", "WatchdogSec=5s")),
            ),
            tried(
                "fed.service",
                &serving(7203, &format!("bash {PINGER} 7203")),
                None,
            ),
            // The plan makes it hang: then the watchdog is right.
            tried(
                "frozen.service",
                &serving(7204, &format!("bash {PINGER} 7204")),
                None,
            )
            .at(10, Fault::Freeze),
            // It hangs by itself after some pings, and nothing contradicts the watchdog.
            tried(
                "hangs.service",
                &service(&format!(
                    "Type=notify\nWatchdogSec=5s\nTimeoutAbortSec=2s\nExecStart={PROGRAM} hang"
                )),
                None,
            ),
        ],
        30,
        |experiment| with_probes(experiment, &[7201, 7202, 7203, 7204]),
    );
}
