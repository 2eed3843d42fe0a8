//! A fault at every moment, with services that fail only if hit at certain moments: a sweep must find exactly these moments.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use systemd_lab::experiment::Recovery;
use systemd_lab::sweep::{Outcome, Swept, Trial};
use systemd_lab::{Experiment, Fault, GuestFile, Probe, Sweep};

use support::{PROGRAM, lab, program};

const UNIT: &str = "swept.service";
const URL: &str = "http://127.0.0.1:8080/";

/// In virtual time: a start, and two requests.
const LENGTH: Duration = Duration::from_millis(2500);

/// Runs from a checkpoint and whole runs differ by less than this. Before the guest carries out a fault, it reads what was logged since it last
/// looked: in a whole run, that may be ten seconds' worth, and take it 3.5 ms.
const CLOSE: Duration = Duration::from_millis(5);

/// The unit with these lines in addition to its command, in the folder.
fn experiment(folder: &std::path::Path, lines: &str) -> Experiment {
    let file = folder.join(UNIT);
    let text = format!("[Service]\nExecStart={PROGRAM} serve 127.0.0.1:8080\n{lines}\n");
    fs::write(&file, text).expect("it can be written");
    Experiment::new(file)
        .file(program())
        .probe(Probe::get(URL))
        .require("recovery <= 10s".parse().expect("it is a requirement"))
        .lasting(LENGTH)
}

fn few(most: usize) -> NonZeroUsize {
    NonZeroUsize::new(most).expect("it is not zero")
}

fn swept(sweep: &Sweep) -> Swept {
    let never = AtomicBool::new(false);
    sweep.run(lab(), &never, |_, _| {}).expect("the lab works")
}

fn of<'a>(swept: &'a Swept, fault: &'a str) -> impl Iterator<Item = &'a Trial> {
    swept
        .trials
        .iter()
        .filter(move |trial| trial.fault == fault)
}

/// Its lock file stays behind unless the service is stopped cleanly: after a kill it never starts again, after a restart it does.
#[test]
fn a_lock_file_that_a_kill_leaves_behind() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "ExecStartPre=/usr/bin/mkdir /run/lock-of-it\nExecStop=/usr/bin/rmdir /run/lock-of-it\nRestart=always";
    let sweep = Sweep::new(experiment(folder.path(), lines))
        .fault("kill".parse().expect("it is a fault"))
        .fault(Fault::Restart);
    let swept = swept(&sweep);
    assert_eq!(swept.trials.len(), swept.planned);
    assert_eq!(swept.faults(), ["kill=SIGKILL", "restart"]);
    assert!(!swept.holds());
    let mut while_running = 0;
    for trial in of(&swept, "kill=SIGKILL").filter(|it| it.phase == "running, answering") {
        while_running += 1;
        let state = "failed".to_owned();
        assert_eq!(trial.outcome, Outcome::Lost { state }, "{trial:#?}");
        assert!(!trial.holds());
    }
    assert!(while_running > 1, "{:#?}", swept.trials);
    let mut restarted = 0;
    for trial in of(&swept, "restart").filter(|it| it.phase == "running, answering") {
        restarted += 1;
        assert!(trial.holds(), "{trial:#?}");
        assert!(
            trial
                .recovery()
                .is_some_and(|it| it > Duration::ZERO && it < Duration::from_secs(2))
        );
    }
    assert!(restarted > 1, "{:#?}", swept.trials);
}

/// It needs two seconds to warm up, and anything that ends it meanwhile makes the next start fail: only the moments before it is ready
/// show that.
#[test]
fn a_service_that_cannot_be_killed_while_it_warms_up() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "ExecStartPre=/bin/sh -c 'mkdir /run/warming-up && sleep 2 && rmdir /run/warming-up'\nRestart=always";
    let experiment = experiment(folder.path(), lines).lasting(Duration::from_millis(3500));
    // The control process is not the main process: every process of the unit gets the signal.
    let sweep = Sweep::new(experiment).fault("kill-all".parse().expect("it is a fault"));
    let swept = swept(&sweep);
    let (lost, back): (Vec<&Trial>, Vec<&Trial>) = swept
        .trials
        .iter()
        .filter(|trial| trial.outcome != Outcome::Refused)
        .partition(|trial| trial.recovery().is_none());
    assert!(!lost.is_empty() && !back.is_empty(), "{:#?}", swept.trials);
    for trial in lost {
        assert_eq!(trial.phase, "start-pre, not answering", "{trial:#?}");
    }
    // A signal before the folder is made does no harm, nor does one once the service runs.
    let runs = |trial: &&Trial| trial.phase.starts_with("running");
    assert_eq!(
        back.into_iter().filter(runs).count(),
        swept.trials.iter().filter(runs).count()
    );
}

/// A service that never starts has nothing to kill: that is not a success.
#[test]
fn a_sweep_in_which_no_fault_came() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let experiment = experiment(folder.path(), "ExecCondition=/usr/bin/false");
    let sweep = Sweep::new(experiment)
        .fault("kill".parse().expect("it is a fault"))
        .at_most(few(2));
    let swept = swept(&sweep);
    let refused = |trial: &Trial| trial.outcome == Outcome::Refused;
    assert!(swept.trials.iter().all(refused), "{:#?}", swept.trials);
    assert!(!swept.has_hit() && !swept.holds());
}

/// On all processors, and again: the moments, outcomes and figures are the same.
#[test]
fn a_sweep_comes_out_the_same_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let sweep = Sweep::new(experiment(folder.path(), "Restart=always\nRestartSec=1s"))
        .fault("kill".parse().expect("it is a fault"))
        .at_most(few(6));
    let (one, other) = (swept(&sweep), swept(&sweep));
    let json = |swept: &Swept| serde_json::to_string_pretty(swept).expect("it is JSON");
    assert_eq!(json(&one), json(&other));
    assert!(one.left_out > 0);
    assert!(one.holds(), "{:#?}", one.trials);
}

/// All runs of a sweep continue from a checkpoint, the first ones from the one before the beginning, and a whole run shows the same.
#[test]
fn a_run_from_a_checkpoint_equals_a_whole_run() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "Restart=always\nRestartSec=2s";
    let experiment = experiment(folder.path(), lines).lasting(Duration::from_secs(30));
    let kill: Fault = "kill".parse().expect("it is a fault");
    let sweep = Sweep::new(experiment).fault(kill.clone()).at_most(few(12));
    let swept = swept(&sweep);
    let trials = swept.trials.as_slice();
    assert!(trials.iter().all(Trial::is_continued), "{swept:#?}");
    // Before there is a process, there is nothing to kill.
    let mut hit = trials.iter().filter(|it| it.outcome != Outcome::Refused);
    let during_start = hit.next().expect("there is a process");
    // No moment is quiet so soon.
    assert!(during_start.at < Duration::from_millis(120), "{swept:#?}");
    let next = hit.next().expect("there are more moments");
    // The checkpoint of the last one was made from another one, which is after the start.
    for trial in [during_start, next, &trials[trials.len() - 1]] {
        let whole = sweep.experiment(trial.at, &kill, UNIT);
        let timeline = whole.run(lab()).expect("the lab works");
        let fault = &whole.summary(&timeline).faults[0];
        let answering = fault.answering.unwrap_or(Recovery::NeverGone);
        let Recovery::After(recovery) = fault.running.max(answering) else {
            panic!("{fault:?}");
        };
        let of_trial = trial.recovery().expect("it recovers");
        assert!(recovery.abs_diff(of_trial) < CLOSE, "{fault:?} {trial:#?}");
    }
}

/// A copy sees as much as a whole run of a service that a fault silences: the guest gets the lab's drop-ins before its first checkpoint.
#[test]
fn a_fault_that_silences_its_service() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let lines = "Restart=always\nRestartSec=2s";
    let experiment = experiment(folder.path(), lines);
    let silence = format!(
        "run=mkdir -p /run/systemd/system/{UNIT}.d && printf '[Service]\\nLogLevelMax=warning\\n' \
         >/run/systemd/system/{UNIT}.d/silent.conf && systemctl daemon-reload && systemctl kill --signal=KILL {UNIT}"
    );
    let silence: Fault = silence.parse().expect("it is a fault");
    let sweep = Sweep::new(experiment).fault(silence).at_most(few(4));
    let swept = swept(&sweep);
    assert!(swept.trials.iter().all(Trial::is_continued), "{swept:#?}");
    let mut trials = swept.trials.iter();
    // Its last process is killed, and the unit is back two seconds later.
    let is_back = |trial: &Trial| {
        trial
            .recovery()
            .is_some_and(|after| after > Duration::from_secs(2))
    };
    assert!(trials.any(is_back), "{swept:#?}");
    let mut trials = swept.trials.iter();
    assert!(
        !trials.any(|it| it.outcome == Outcome::Unseen),
        "{swept:#?}"
    );
}

/// systemd first ends the start that it is busy with, and then carries out the fault: that start is not a recovery.
#[test]
fn a_fault_in_the_midst_of_a_start() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("asleep.service");
    fs::write(&file, "[Service]\nExecStart=sleep infinity\n").expect("it can be written");
    let kill: Fault = "kill".parse().expect("it is a fault");
    let killed = Experiment::new(file).fault(Duration::from_millis(10), kill);
    let timeline = killed.run(lab()).expect("the lab works");
    let fault = &killed.summary(&timeline).faults[0];
    assert_eq!(fault.refused, None);
    assert_eq!(fault.running, Recovery::NotAgain);
}

/// When a sweep is stopped, its results so far are kept.
#[test]
fn a_sweep_that_is_stopped() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let sweep = Sweep::new(experiment(folder.path(), "Restart=always"))
        .fault("kill".parse().expect("it is a fault"))
        .at_most(few(10));
    let stop = AtomicBool::new(false);
    let swept = sweep
        .run(lab(), &stop, |done, _| {
            if done == 2 {
                stop.store(true, Ordering::Relaxed);
            }
        })
        .expect("the lab works");
    assert!(
        (2..10).contains(&swept.trials.len()),
        "{}",
        swept.trials.len()
    );
    assert_eq!(swept.planned, 10);
}

/// A plan that makes no sense is refused before anything runs.
#[test]
fn a_fault_on_a_unit_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let experiment =
        experiment(folder.path(), "Restart=always").file(GuestFile::text("/etc/x", ""));
    let sweep = Sweep::new(experiment).fault_on("other.service", Fault::Freeze);
    let error = sweep.check().expect_err("no unit is called so").to_string();
    assert!(error.contains("other.service"), "{error}");
}
