//! Random faults from a seed, with services that break in a known way: an exploration must find the plan that a person would write.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use systemd_lab::explore::{Budget, Combination, Explored, Limits};
use systemd_lab::{Experiment, Explore, Fault, GuestFile, Probe, Sweep};

use support::{PROGRAM, lab, program};

const UNIT: &str = "explored.service";

/// A whole batch, so that the processors are busy.
const PLANS: usize = 16;

/// As in a sweep, runs that continue and whole runs differ by less than this.
const CLOSE: Duration = Duration::from_millis(5);

/// The unit with these lines in addition to its command, in the folder.
fn experiment(folder: &Path, lines: &str) -> Experiment {
    let file = folder.join(UNIT);
    let text = format!("[Service]\nExecStart={PROGRAM} serve 127.0.0.1:8080\n{lines}\n");
    fs::write(&file, text).expect("it can be written");
    Experiment::new(file)
        .file(program())
        .probe(Probe::get("http://127.0.0.1:8080/"))
        .require("recovery <= 10s".parse().expect("it is a requirement"))
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("it is not zero")
}

fn explored(explore: &Explore) -> Explored {
    let never = AtomicBool::new(false);
    let budget = Budget::Runs(number(PLANS));
    explore
        .run(lab(), budget, &never, |_| {})
        .expect("the lab works")
}

/// The third start of the service never ends: one fault shows nothing, two do.
#[test]
fn a_service_whose_second_restart_hangs() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "ExecStartPre=/bin/bash -c 'echo >>/run/starts; mapfile -t starts </run/starts; test $${#starts[@]} -lt 3 || sleep infinity'\nTimeoutStartSec=infinity\nRestart=always\nRestartSec=1s";
    let explore = Explore::new(experiment(folder.path(), lines), 1)
        .fault("kill".parse().expect("it is a fault"))
        .within(Limits {
            apart: Duration::from_secs(3),
            from: Duration::from_secs(1),
            ..Limits::default()
        });
    let found = explored(&explore);
    assert_eq!((found.plans, found.out_of_time), (PLANS, 0));
    assert!(!found.holds());
    let [violation] = found.violations.as_slice() else {
        panic!("{:#?}", found.violations);
    };
    assert_eq!(violation.requirement, "recovery <= 10s");
    let times: Vec<Duration> = violation
        .plan
        .faults
        .iter()
        .filter_map(|planned| planned.when.time())
        .collect();
    assert_eq!(times.len(), 2, "{violation:#?}");
    // What a person would write: whole seconds.
    assert!(
        times.iter().all(|time| time.subsec_nanos() == 0),
        "{times:?}"
    );
    // The command that repeats it.
    let again = explore.experiment(&violation.plan);
    let timeline = again.run(lab()).expect("the lab works");
    assert!(again.verdicts(&timeline).iter().any(|it| !it.holds));
    // A killed service that runs is restarted; one that waits to be restarted has no process to kill.
    let killed = Combination {
        unit: UNIT.to_owned(),
        state: "running".to_owned(),
        fault: "kill=SIGKILL".to_owned(),
        next: Some("failed-before-auto-restart".to_owned()),
    };
    assert!(
        found.combinations.contains(&killed),
        "{:#?}",
        found.combinations
    );
}

/// While the file is there, an order is only half written. A kill at any other time does no harm.
#[test]
fn a_write_that_is_lost_between_two_events() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let writer = "\
        test ! -e /run/half || { echo 'an order is lost'; exec sleep infinity; }\n\
        sleep 2; : >/run/half; sleep 0.05; echo 'order accepted'; sleep 0.2; echo 'order written'; sleep 0.05; rm /run/half\n\
        exec \"$@\"\n";
    let script = GuestFile::text("/usr/local/lib/writer", writer);
    let file = folder.path().join(UNIT);
    let unit = format!(
        "[Service]\nExecStart=/bin/bash /usr/local/lib/writer {PROGRAM} serve 127.0.0.1:8080\nRestart=always\n"
    );
    fs::write(&file, unit).expect("it can be written");
    let experiment = Experiment::new(file)
        .file(program())
        .file(script)
        .probe(Probe::get("http://127.0.0.1:8080/"))
        .require("recovery <= 10s".parse().expect("it is a requirement"))
        .lasting(Duration::from_secs(4));
    let kill = || "kill-all".parse::<Fault>().expect("it is a fault");

    let never = AtomicBool::new(false);
    let sweep = Sweep::new(experiment.clone()).fault(kill());
    let swept = sweep.run(lab(), &never, |_, _| {}).expect("the lab works");
    let lost: Vec<&str> = swept
        .trials
        .iter()
        .filter(|trial| !trial.holds())
        .map(|trial| trial.what.as_str())
        .collect();
    let line = |when: &str, line: &str| format!("just {when} {UNIT}: log: order {line}");
    assert_eq!(
        lost,
        [
            line("before", "accepted"),
            line("after", "accepted"),
            line("before", "written"),
            line("after", "written")
        ]
    );

    let explore = Explore::new(experiment, 1).fault(kill());
    let found = explored(&explore);
    let [violation] = found.violations.as_slice() else {
        panic!("{:#?}", found.violations);
    };
    let [planned] = violation.plan.faults.as_slice() else {
        panic!("{violation:#?}");
    };
    let at = planned.when.time().unwrap_or_default().as_millis();
    assert!(
        (2_000..=2_450).contains(&at) && at % 50 == 0,
        "{violation:#?}"
    );
}

/// The same seed gives the same results, another one other plans.
#[test]
fn an_exploration_comes_out_the_same_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "Restart=on-failure\nRestartSec=1s";
    let explore = |seed| {
        Explore::new(experiment(folder.path(), lines), seed)
            .fault("kill".parse().expect("it is a fault"))
            .fault(Fault::Freeze)
    };
    let json = |found: &Explored| serde_json::to_string(found).expect("it is JSON");
    let (one, again) = (explored(&explore(3)), explored(&explore(3)));
    assert_eq!(json(&one), json(&again));
    assert_ne!(json(&one), json(&explored(&explore(4))));
    // A frozen service is not restarted without a watchdog: one fault is enough, at the roundest time of all.
    let [violation] = one.violations.as_slice() else {
        panic!("{:#?}", one.violations);
    };
    let faults = violation.plan.faults.as_slice();
    assert_eq!(faults.len(), 1, "{violation:#?}");
    assert_eq!(faults[0].fault, Fault::Freeze);
}

/// All plans continue from a copy of the machine, most from one that has had the same faults: a whole run shows the same.
#[test]
fn a_plan_that_shares_its_beginning_shows_what_a_whole_run_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let strict = ["recovery <= 1ms", "restarts = 0"];
    let experiment = strict.iter().fold(
        experiment(folder.path(), "Restart=always\nRestartSec=2s"),
        |experiment, it| experiment.require(it.parse().expect("it is a requirement")),
    );
    // Without a gap, some faults come before a checkpoint is possible.
    for (seed, apart) in [(1, 4), (2, 0)] {
        let explore = Explore::new(experiment.clone(), seed)
            .fault("kill".parse().expect("it is a fault"))
            .within(Limits {
                apart: Duration::from_secs(apart),
                from: Duration::from_secs(2),
                ..Limits::default()
            });
        // Before anything is made smaller.
        let stop = AtomicBool::new(false);
        let found = explore
            .run(lab(), Budget::Runs(number(PLANS)), &stop, |_| {
                stop.store(true, Ordering::Relaxed);
            })
            .expect("the lab works");
        assert_eq!(found.plans, PLANS);
        assert_eq!(found.continued(), PLANS, "{found:#?}");
        let plan = &found.violations[0].found;
        let whole = explore.experiment(plan);
        let timeline = whole.run(lab()).expect("the lab works");
        let verdicts = whole.verdicts(&timeline);
        let measured = |requirement: &str| {
            let mut violations = found.violations.iter();
            let violation = violations.find(|it| it.requirement == requirement);
            let violation = violation.expect("the first plan breaks it");
            assert_eq!(violation.found, *plan);
            let mut verdicts = verdicts.iter();
            let verdict = verdicts.find(|it| it.requirement.to_string() == requirement);
            let of_whole = &verdict.expect("it is required").measured;
            [violation.measured.clone(), of_whole.clone()]
        };
        let [restarts, of_whole] = measured("restarts = 0");
        assert_eq!(restarts, of_whole, "{plan:#?}");
        // A fault that comes before the service has recovered leaves nothing to measure.
        if apart > 0 {
            let recoveries = measured("recovery <= 1ms").map(|measured| {
                let number = measured.split(' ').next().and_then(|it| it.parse().ok());
                Duration::from_secs_f64(number.expect("it begins with a time"))
            });
            let difference = recoveries[0].abs_diff(recoveries[1]);
            assert!(difference < CLOSE, "{recoveries:?} {plan:#?}");
        }
    }
}

/// It lasts until the end of the plan, however long it takes the guest to end the run.
#[test]
fn an_outage_without_an_end_is_as_long_as_in_a_whole_run() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let requirement = "outage <= 1s";
    let parsed = requirement.parse().expect("it is a requirement");
    let experiment = experiment(folder.path(), "").require(parsed);
    let explore = Explore::new(experiment, 1)
        .fault(Fault::Freeze)
        .within(Limits {
            most: number(1),
            from: Duration::from_millis(2_300),
            until: Duration::from_millis(2_300),
            ..Limits::default()
        });
    let never = AtomicBool::new(false);
    let found = explore
        .run(lab(), Budget::Runs(number(1)), &never, |_| {})
        .expect("the lab works");
    let mut violations = found.violations.iter();
    let violation = violations.find(|it| it.requirement == requirement);
    let violation = violation.expect("a frozen service does not answer");
    let whole = explore.experiment(&violation.plan);
    let timeline = whole.run(lab()).expect("the lab works");
    let mut verdicts = whole.verdicts(&timeline).into_iter();
    let verdict = verdicts.find(|it| it.requirement.to_string() == requirement);
    let of_whole = verdict.expect("it is required").measured;
    assert_eq!(violation.measured, of_whole);
    let end = whole.length();
    let last_answer = Duration::from_secs(2);
    let outage: f64 = of_whole
        .strip_suffix(" s")
        .and_then(|seconds| seconds.parse().ok())
        .expect("a time in seconds");
    let outage = Duration::from_secs_f64(outage);
    assert!(outage < end - last_answer, "{of_whole}");
    assert!(
        outage > end - last_answer - Duration::from_secs(2),
        "{of_whole}"
    );
}

/// A service that recovers from everything.
#[test]
fn nothing_breaks_and_a_stop_keeps_what_is_known() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let explore = Explore::new(
        experiment(
            folder.path(),
            "Restart=always\nRestartSec=1s\nStartLimitBurst=100",
        ),
        1,
    )
    .fault("kill".parse().expect("it is a fault"));
    let stop = AtomicBool::new(false);
    let budget = Budget::WallTime(Duration::from_secs(3600));
    let found = explore
        .run(lab(), budget, &stop, |progress| {
            if progress.plans > 0 {
                stop.store(true, Ordering::Relaxed);
            }
        })
        .expect("the lab works");
    assert!(
        found.plans > 0 && found.plans.is_multiple_of(PLANS),
        "{}",
        found.plans
    );
    assert!(found.holds(), "{found:#?}");
}

#[test]
fn limits_that_leave_no_time_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let explore = Explore::new(experiment(folder.path(), ""), 1).fault(Fault::Freeze);
    let late = Limits {
        from: Duration::from_secs(40),
        ..Limits::default()
    };
    let error = explore
        .clone()
        .within(late)
        .check()
        .expect_err("40s is after 30s");
    assert_eq!(
        error.to_string(),
        "the earliest time of a random fault, 40s, is after the latest, 30s; choose an earlier or a later one"
    );
    let error = explore
        .fault_on("other.service", Fault::Stop)
        .check()
        .expect_err("no unit is called so");
    assert!(error.to_string().contains("other.service"), "{error}");
}
