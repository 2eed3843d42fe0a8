//! Each finding, tested on a service that has the fault and on a correct one that must not get it. They run side by side in
//! a few guests: a finding belongs to its unit.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod loops;
mod machine;
mod outages;
mod requests;
mod resources;
mod watchdogs;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use systemd_lab::Timeline;
use systemd_lab::experiment::{Experiment, Fault};
use systemd_lab::findings::{Finding, Rule};

use support::{PROGRAM, lab, program};

/// A unit that only starts others.
const STARTER: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\n";

/// A service whose faults the plan causes.
struct Tried {
    unit: &'static str,
    text: String,
    faults: Vec<(u64, Fault)>,
    /// The rule that must be found, and its deciding line; `None` for a correct service.
    expected: Option<(&'static str, &'static str)>,
}

fn tried(unit: &'static str, text: &str, expected: Option<(&'static str, &'static str)>) -> Tried {
    Tried {
        unit,
        text: text.to_owned(),
        faults: vec![(1, Fault::Start)],
        expected,
    }
}

impl Tried {
    fn at(mut self, seconds: u64, fault: Fault) -> Tried {
        self.faults.push((seconds, fault));
        self
    }
}

fn service(lines: &str) -> String {
    format!("[Service]\n{lines}\n")
}

/// Runs them all in one guest, and compares the findings with the expected ones.
fn check(services: &[Tried], length: u64) {
    check_with(services, length, |experiment| experiment);
}

/// The same with probes and files.
fn check_with(services: &[Tried], length: u64, more: impl Fn(Experiment) -> Experiment) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = |unit: &str| folder.path().join(unit);
    fs::write(path("starter.service"), STARTER).expect("there is room");
    let mut experiment = Experiment::new(path("starter.service"))
        .file(program())
        .lasting(Duration::from_secs(length));
    for one in services {
        let file = path(&file_of(one.unit));
        fs::write(&file, &one.text).expect("there is room");
        experiment = experiment.unit(file);
        for (at, fault) in &one.faults {
            experiment = experiment.fault_on(one.unit, Duration::from_secs(*at), fault.clone());
        }
    }
    let experiment = more(experiment);
    let timeline = experiment.run(lab()).expect("the lab works");
    let findings = experiment.findings(&timeline);
    let mut by_unit: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &findings {
        by_unit.entry(&finding.unit).or_default().push(finding);
    }
    for one in services {
        let found = by_unit.remove(one.unit).unwrap_or_default();
        let told = || {
            format!(
                "{}: {found:#?}\n{}",
                one.unit,
                of(&experiment, &timeline, one.unit)
            )
        };
        match one.expected {
            None => assert!(found.is_empty(), "{}", told()),
            Some((rule, line)) => {
                let named = found.iter().find(|finding| name(&finding.rule) == rule);
                let named = named.unwrap_or_else(|| panic!("no {rule}: {}", told()));
                let place = named.place.as_ref().map_or("", |place| place.text.as_str());
                assert_eq!(place, line, "{}", told());
                assert!(!named.at_us.is_empty(), "{}", told());
                // Each has a complete sentence, without gaps.
                assert!(named.what().contains(one.unit), "{}", named.what());
                assert!(!named.change().is_empty());
                assert!(named.manual().contains(['3', '5']), "{}", named.manual());
                assert_eq!(found.len(), 1, "nothing else is found: {}", told());
            }
        }
    }
    assert!(by_unit.is_empty(), "{by_unit:#?}");
}

/// `worker@.service` of `worker@1.service`.
fn file_of(unit: &str) -> String {
    let instance = unit.split_once('@').zip(unit.rsplit_once('.'));
    instance.map_or_else(
        || unit.to_owned(),
        |((stem, _), (_, kind))| format!("{stem}@.{kind}"),
    )
}

fn of(experiment: &Experiment, timeline: &Timeline, unit: &str) -> String {
    let lines = experiment.text(timeline);
    let of_unit = lines.lines().filter(|line| line.contains(unit));
    of_unit.collect::<Vec<_>>().join("\n")
}

fn name(rule: &Rule) -> String {
    let value = serde_json::to_value(rule).expect("it is data");
    value["rule"].as_str().unwrap_or_default().to_owned()
}

/// A shell that notifies systemd: `{}` stands for what it does.
fn shell(kind: &str, body: &str) -> String {
    service(&format!(
        "Type={kind}\nNotifyAccess=all\nTimeoutStartSec=5s\nExecStart=/usr/bin/bash -c '{body}'"
    ))
}

const LOOP: &str = "while :; do sleep 1; done";

#[test]
fn readiness_and_reloads() {
    let stamped =
        "trap \"systemd-notify --reloading; systemd-notify --ready\" HUP; systemd-notify --ready";
    let bare =
        "trap \"systemd-notify RELOADING=1; systemd-notify READY=1\" HUP; systemd-notify --ready";
    let endless = "trap \"systemd-notify --reloading\" HUP; systemd-notify --ready";
    check(
        &[
            tried(
                "never.service",
                &shell("notify", LOOP),
                Some(("never-ready", "Type=notify")),
            ),
            tried(
                "ready.service",
                &shell("notify", &format!("systemd-notify --ready; {LOOP}")),
                None,
            ),
            tried(
                "early.service",
                &shell(
                    "notify",
                    &format!(
                        "systemd-notify --ready; sleep 2; exec {PROGRAM} serve 127.0.0.1:7001"
                    ),
                ),
                Some(("ready-before-listening", "Type=notify")),
            ),
            tried(
                "dropped.service",
                &service(
                    "Type=notify\nNotifyAccess=main\nUser=nobody\nTimeoutStartSec=5s\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; sleep 100'",
                ),
                Some(("notification-dropped", "NotifyAccess=main")),
            ),
            tried(
                "stamped.service",
                &shell("notify-reload", &format!("{stamped}; {LOOP}")),
                None,
            )
            .at(10, Fault::Reload),
            tried(
                "bare.service",
                &shell("notify-reload", &format!("{bare}; {LOOP}")),
                Some(("reload-without-stamp", "Type=notify-reload")),
            )
            .at(10, Fault::Reload),
            tried(
                "endless.service",
                &shell("notify-reload", &format!("{endless}; {LOOP}")),
                Some(("reload-never-ends", "Type=notify-reload")),
            )
            .at(10, Fault::Reload),
        ],
        60,
    );
}

#[test]
fn restarts_and_limits() {
    let chosen = "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1min\n[Service]\nExecStart=/usr/bin/false\nRestart=always\nRestartSec=1s\n";
    let grows = "Type=exec\nRestart=always\nRestartSec=1s\nRestartSteps=3\nRestartMaxDelaySec=60s\nExecStart=/usr/bin/sleep";
    check(
        &[
            tried(
                "default.service",
                &service("ExecStart=/usr/bin/false\nRestart=always"),
                Some(("default-start-limit", "Restart=always")),
            ),
            tried("chosen.service", chosen, None),
            tried(
                "grows.service",
                &service(&format!("{grows} 100")),
                Some(("steps-never-reset", "RestartSteps=3")),
            ),
            tried("quick.service", &service(&format!("{grows} 20")), None),
            tried(
                "plain.service",
                &service("Type=exec\nRestart=always\nRestartSec=1s\nExecStart=/usr/bin/sleep 100"),
                None,
            ),
        ],
        400,
    );
}

/// What is said about a stop that took too long is what systemd did.
#[test]
fn a_stop_that_takes_too_long_names_the_signals_that_were_sent() {
    let folder = tempfile::tempdir().expect("there is room");
    let said = |lines: &str| {
        let path = folder.path().join("a.service");
        fs::write(&path, service(&format!("TimeoutStopSec=3s\n{lines}"))).expect("there is room");
        let experiment = Experiment::new(path)
            .fault(Duration::from_secs(3), Fault::Stop)
            .lasting(Duration::from_secs(20));
        let timeline = experiment.run(lab()).expect("the lab works");
        let findings = experiment.findings(&timeline);
        let [finding] = &findings[..] else {
            panic!("{findings:#?}");
        };
        (finding.what(), finding.manual())
    };
    let deaf = |signals: &str| format!("ExecStart=/usr/bin/bash -c 'trap \"\" {signals}; {LOOP}'");
    assert_eq!(
        said(&format!("SendSIGKILL=no\n{}", deaf("TERM"))),
        (
            "a.service did not end on SIGTERM within TimeoutStopSec=3s, and SendSIGKILL=no keeps systemd from sending SIGKILL: bash still ran after the stop".to_owned(),
            "systemd.kill(5), \"SendSIGKILL=\"",
        )
    );
    // It ends by itself before the second deadline.
    let slow = "ExecStart=/usr/bin/bash -c 'trap \"\" TERM; sleep 8'";
    assert_eq!(
        said(&format!("SendSIGKILL=no\n{slow}")).0,
        "a.service did not end on SIGTERM within TimeoutStopSec=3s, and SendSIGKILL=no keeps systemd from sending SIGKILL"
    );
    assert_eq!(
        said(&format!("FinalKillSignal=SIGQUIT\n{}", deaf("TERM QUIT"))),
        (
            "a.service did not end on SIGTERM within TimeoutStopSec=3s, and because of FinalKillSignal=SIGQUIT systemd sent that signal and no SIGKILL: bash still ran after the stop".to_owned(),
            "systemd.kill(5), \"FinalKillSignal=\"",
        )
    );
    let ignores = "ExecStart=/usr/bin/env --ignore-signal=TERM sleep infinity";
    assert_eq!(
        said(&format!("FinalKillSignal=SIGUSR1\n{ignores}")).0,
        "a.service did not end on SIGTERM: after TimeoutStopSec=3s systemd killed sleep with SIGUSR1"
    );
}

#[test]
fn stops_and_hangs() {
    let stop = |tried: Tried| tried.at(10, Fault::Stop);
    let stop_late = |tried: Tried| tried.at(60, Fault::Stop);
    check(
        &[
            stop(tried(
                "deaf.service",
                &service(&format!("TimeoutStopSec=3s\nExecStart=/usr/bin/bash -c 'trap \"\" TERM; {LOOP}'")),
                Some(("stop-signal-ignored", "TimeoutStopSec=3s")),
            )),
            stop(tried(
                "unkillable.service",
                &service(&format!("TimeoutStopSec=3s\nSendSIGKILL=no\nExecStart=/usr/bin/bash -c 'trap \"\" TERM; {LOOP}'")),
                Some(("stop-leaves-processes", "SendSIGKILL=no")),
            )),
            stop(tried(
                "quits.service",
                &service(&format!("TimeoutStopSec=3s\nFinalKillSignal=SIGQUIT\nExecStart=/usr/bin/bash -c 'trap \"\" TERM QUIT; {LOOP}'")),
                Some(("stop-leaves-processes", "FinalKillSignal=SIGQUIT")),
            )),
            // Its last signal is a different one, and ends it.
            stop(tried(
                "final.service",
                &service("TimeoutStopSec=3s\nFinalKillSignal=SIGUSR1\nExecStart=/usr/bin/env --ignore-signal=TERM sleep infinity"),
                Some(("stop-signal-ignored", "TimeoutStopSec=3s")),
            )),
            stop(tried(
                "obeys.service",
                &service("SendSIGKILL=no\nExecStart=/usr/bin/sleep infinity"),
                None,
            )),
            stop(tried("hears.service", &service("ExecStart=/usr/bin/sleep infinity"), None)),
            stop(tried(
                "status.service",
                &service(&format!("ExecStart=/usr/bin/bash -c 'trap \"exit 143\" TERM; {LOOP}'")),
                Some((
                    "stop-counts-as-failure",
                    "ExecStart=/usr/bin/bash -c 'trap \"exit 143\" TERM; while :; do sleep 1; done'",
                )),
            )),
            stop(tried(
                "known.service",
                &service(&format!("SuccessExitStatus=143\nExecStart=/usr/bin/bash -c 'trap \"exit 143\" TERM; {LOOP}'")),
                None,
            )),
            tried(
                "hung.service",
                &service("Type=exec\nExecStart=/usr/bin/sleep infinity"),
                Some(("hang-unnoticed", "Type=exec")),
            )
            .at(20, Fault::Freeze),
            stop_late(tried(
                "late.service",
                &service("Type=exec\nExecStart=/usr/bin/sleep infinity"),
                Some(("hang-unnoticed", "Type=exec")),
            ))
            .at(20, Fault::Freeze),
            // Another program manages it.
            tried(
                "cared-for.service",
                &service("Type=exec\nExecStart=/usr/bin/sleep infinity"),
                None,
            )
            .at(20, Fault::Freeze),
            tried(
                "carer.service",
                &service("ExecStart=/usr/bin/bash -c 'sleep 55; systemctl restart cared-for.service; sleep infinity'"),
                None,
            ),
            tried(
                "watched.service",
                &service("Type=notify\nNotifyAccess=all\nWatchdogSec=5s\nRestart=on-failure\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 1; done'"),
                None,
            )
            .at(20, Fault::Freeze),
        ],
        80,
    );
}

/// The deciding line is the one about the failed setup, not the program's.
#[test]
fn what_cannot_be_set_up_names_its_setting() {
    let sleeps = |setting: &str| {
        service(&format!(
            "Type=exec\n{setting}\nExecStart=/usr/bin/sleep infinity"
        ))
    };
    let failed = |name: &'static str, setting: &'static str| {
        tried(name, &sleeps(setting), Some(("exec-failed", setting)))
    };
    check(
        &[
            failed("out.service", "StandardOutput=append:/var/log/absent/x.log"),
            failed("in.service", "StandardInput=file:/etc/absent"),
            failed("net.service", "NetworkNamespacePath=/run/netns/absent"),
            failed("groups.service", "SupplementaryGroups=nobody-has-this"),
            failed("noexec.service", "NoExecPaths=/"),
            tried(
                "seccomp.service",
                &sleeps("SystemCallFilter=~pause nanosleep clock_nanosleep"),
                Some((
                    "system-call-forbidden",
                    "SystemCallFilter=~pause nanosleep clock_nanosleep",
                )),
            ),
            tried(
                "forever.service",
                "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/usr/bin/sleep infinity\n",
                Some(("start-never-ends", "TimeoutStartSec=infinity")),
            ),
            tried(
                "foreground.service",
                "[Service]\nType=forking\nTimeoutStartSec=5\nExecStart=/usr/bin/sleep infinity\n",
                Some(("never-forked", "Type=forking")),
            ),
            tried(
                "trigger.service",
                "[Unit]\nConditionPathExists=|/absent\nConditionPathExists=|/absent-too\n[Service]\nExecStart=/usr/bin/true\n",
                Some(("condition-unmet", "ConditionPathExists=|/absent")),
            ),
            tried(
                "triggered.service",
                "[Unit]\nConditionPathExists=|/absent\nConditionPathExists=|/etc/passwd\n[Service]\nExecStart=/usr/bin/true\n",
                None,
            ),
            tried(
                "twice.socket",
                "[Socket]\nListenStream=127.0.0.1:80\nListenStream=127.0.0.1:80\n",
                Some(("cannot-listen", "ListenStream=127.0.0.1:80")),
            ),
            tried(
                "twice.service",
                &service("ExecStart=/usr/bin/sleep infinity"),
                None,
            ),
        ],
        60,
    );
}

#[test]
fn dependencies_conditions_and_timers() {
    let bound = "[Unit]\nBindsTo=other.service\nAfter=other.service\n[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\n";
    let wanting = bound.replace("BindsTo=", "Wants=");
    let needs = "[Unit]\nRequires=fails.service\nAfter=fails.service\n[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let unmet =
        "[Unit]\nConditionPathExists=/etc/absent\n[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let remains = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n";
    check(
        &[
            tried(
                "bound.service",
                bound,
                Some(("stopped-by-dependency", "BindsTo=other.service")),
            ),
            tried("wanting.service", &wanting, None),
            tried(
                "other.service",
                &service("ExecStart=/usr/bin/sleep infinity"),
                None,
            )
            .at(20, Fault::Stop),
            tried(
                "needs.service",
                needs,
                Some(("dependency-failed", "Requires=fails.service")),
            ),
            tried("likes.service", &needs.replace("Requires=", "Wants="), None),
            tried(
                "fails.service",
                &service("Type=oneshot\nExecStart=/usr/bin/false"),
                None,
            ),
            tried(
                "unmet.service",
                unmet,
                Some(("condition-unmet", "ConditionPathExists=/etc/absent")),
            ),
            tried("met.service", &unmet.replace("absent", "passwd"), None),
            // The deciding line, not the last one that sets the same.
            tried(
                "second.service",
                "[Unit]\nConditionPathExists=/etc/passwd\nConditionPathExists=!/etc/group\nConditionPathExists=/etc/hosts\n[Service]\nExecStart=/usr/bin/true\n",
                Some(("condition-unmet", "ConditionPathExists=!/etc/group")),
            ),
            tried(
                "asserts.service",
                "[Unit]\nAssertPathExists=/etc/passwd\nAssertPathExists=/etc/absent\n[Service]\nExecStart=/usr/bin/true\n",
                Some(("condition-unmet", "AssertPathExists=/etc/absent")),
            ),
            tried(
                "two.service",
                "[Unit]\nRequires=fails.service\nRequires=other.service\nAfter=fails.service other.service\n[Service]\nExecStart=/usr/bin/true\n",
                Some(("dependency-failed", "Requires=fails.service")),
            ),
            // An instance that a different unit pulls in.
            tried("pulls.target", "[Unit]\nWants=instance@1.service\n", None),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "instance@1.service",
                    "[Service]\nType=exec\nUser=absent\nExecStart=/usr/bin/sleep infinity\n",
                    Some(("exec-failed", "User=absent")),
                )
            },
            // systemd deletes one of the two jobs of a cycle.
            tried(
                "circle.service",
                "[Unit]\nWants=wheel.service\nAfter=wheel.service\n[Service]\nExecStart=/usr/bin/sleep infinity\n",
                None,
            ),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "wheel.service",
                    "[Unit]\nAfter=circle.service\n[Service]\nExecStart=/usr/bin/sleep infinity\n",
                    Some(("ordering-cycle", "After=circle.service")),
                )
            },
            tried(
                "once.timer",
                "[Timer]\nOnActiveSec=5s\nOnUnitActiveSec=20s\nUnit=stays.service\n",
                Some(("timer-finds-active-service", "RemainAfterExit=yes")),
            ),
            Tried {
                faults: Vec::new(),
                ..tried("stays.service", remains, None)
            },
            tried(
                "never.timer",
                "[Timer]\nOnUnitActiveSec=5s\nUnit=idle.service\n",
                Some(("timer-never-fires", "OnUnitActiveSec=5s")),
            ),
            // It fires once and has then elapsed.
            tried(
                "last.timer",
                "[Timer]\nOnActiveSec=5s\nUnit=waits.service\n",
                None,
            ),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "waits.service",
                    "[Service]\nExecStart=/usr/bin/sleep infinity\n",
                    None,
                )
            },
            Tried {
                faults: Vec::new(),
                ..tried(
                    "idle.service",
                    "[Service]\nExecStart=/usr/bin/sleep infinity\n",
                    None,
                )
            },
            tried(
                "always.path",
                "[Path]\nPathExists=/etc/passwd\nUnit=asked.service\n",
                None,
            ),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "asked.service",
                    "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
                    Some(("triggered-too-often", "PathExists=/etc/passwd")),
                )
            },
            tried(
                "once.path",
                "[Path]\nPathExists=/run/once\nUnit=takes.service\n",
                None,
            ),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "takes.service",
                    "[Service]\nType=oneshot\nExecStart=/usr/bin/rm /run/once\n",
                    None,
                )
            },
            tried(
                "puts.service",
                "[Service]\nType=oneshot\nExecStart=/usr/bin/touch /run/once\n",
                None,
            ),
            tried(
                "often.timer",
                "[Timer]\nOnCalendar=*:*:0/20\nUnit=goes.service\n",
                None,
            ),
            Tried {
                faults: Vec::new(),
                ..tried(
                    "goes.service",
                    &remains.replace("RemainAfterExit=yes\n", ""),
                    None,
                )
            },
        ],
        90,
    );
}

#[test]
fn processes_that_cannot_be_set_up() {
    let sleep = "ExecStart=/usr/bin/sleep infinity";
    let forks = |body: &str| {
        service(&format!(
            "Type=forking\nPIDFile=/run/forks-%N.pid\nTimeoutStartSec=5s\nExecStart=/usr/bin/bash -c '{body}'"
        ))
    };
    check(
        &[
            tried(
                "user.service",
                &service(&format!("User=absent\n{sleep}")),
                Some(("exec-failed", "User=absent")),
            ),
            tried(
                "nobody.service",
                &service(&format!("User=nobody\n{sleep}")),
                None,
            ),
            tried(
                "folder.service",
                &service(&format!("WorkingDirectory=/absent\n{sleep}")),
                Some(("exec-failed", "WorkingDirectory=/absent")),
            ),
            tried(
                "paths.service",
                &service(&format!(
                    "ProtectSystem=strict\nReadWritePaths=/var/lib/absent\n{sleep}"
                )),
                Some(("exec-failed", "ReadWritePaths=/var/lib/absent")),
            ),
            tried(
                "mounts.service",
                &service(&format!(
                    "BindReadOnlyPaths=/etc/passwd:/run/p\nBindPaths=/srv/absent:/srv/x\n{sleep}"
                )),
                Some(("exec-failed", "BindPaths=/srv/absent:/srv/x")),
            ),
            tried(
                "environment.service",
                &service(&format!(
                    "EnvironmentFile=-/etc/default/absent\nEnvironmentFile=/etc/default/missing\n{sleep}"
                )),
                Some(("resources-failed", "EnvironmentFile=/etc/default/missing")),
            ),
            tried(
                "optional.service",
                &service(&format!("EnvironmentFile=-/etc/default/absent\n{sleep}")),
                None,
            ),
            // The service's own status, not one of systemd's.
            tried(
                "own-status.service",
                &service("ExecStart=/usr/bin/bash -c 'exit 217'"),
                None,
            ),
            tried(
                "behind.service",
                &service("ExecStart=/usr/bin/bash -c 'sleep 100 & exit 0'"),
                Some((
                    "goes-into-background",
                    "ExecStart=/usr/bin/bash -c 'sleep 100 & exit 0'",
                )),
            ),
            // It exits when its work is done, and leaves a helper.
            tried(
                "done.service",
                &service("ExecStart=/usr/bin/bash -c 'sleep 100 & sleep 10'"),
                None,
            ),
            tried(
                "before.service",
                &service(&format!(
                    "TimeoutStartSec=5s\nExecStartPre=/usr/bin/sleep 100\n{sleep}"
                )),
                Some(("command-timed-out", "ExecStartPre=/usr/bin/sleep 100")),
            ),
            tried(
                "after.service",
                &service(&format!(
                    "TimeoutStopSec=5s\nExecStop=/usr/bin/sleep 100\n{sleep}"
                )),
                Some(("command-timed-out", "ExecStop=/usr/bin/sleep 100")),
            )
            .at(10, Fault::Stop),
            tried(
                "in-time.service",
                &service(&format!(
                    "TimeoutStopSec=5s\nExecStop=/usr/bin/sleep 2\n{sleep}"
                )),
                None,
            )
            .at(10, Fault::Stop),
            tried(
                "no-pid.service",
                &forks("sleep 100 &"),
                Some(("no-pid-file", "PIDFile=/run/forks-%N.pid")),
            ),
            tried(
                "pid.service",
                &forks("sleep 100 & echo $! >/run/forks-pid.pid"),
                None,
            ),
            tried(
                "command.service",
                &service("ExecStart=/usr/bin/env no-such-command"),
                Some((
                    "command-not-found",
                    "ExecStart=/usr/bin/env no-such-command",
                )),
            ),
            // The finding shows all its lines.
            tried(
                "continued.service",
                &service("ExecStart=/usr/bin/env \\\n# which is not there\n    no-such-command"),
                Some((
                    "command-not-found",
                    "ExecStart=/usr/bin/env no-such-command",
                )),
            ),
            // Its own status, and it does not mention a command.
            tried(
                "status.service",
                &service("ExecStart=/usr/bin/bash -c 'echo done; exit 127'"),
                None,
            ),
            // As nginx does, and a kill has nothing to do with the file.
            tried(
                "later.service",
                &forks("(sleep 1; echo $BASHPID >/run/forks-later.pid; sleep 100) &"),
                None,
            )
            .at(20, Fault::Kill(9)),
            tried(
                "memory.service",
                &service(&format!(
                    "MemoryMax=20M\nMemorySwapMax=0\nExecStart={PROGRAM} take-memory"
                )),
                Some(("out-of-memory", "MemoryMax=20M")),
            ),
        ],
        40,
    );
}
