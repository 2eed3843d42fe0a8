//! Outages that are shorter than a probe's interval.

use std::fs;
use std::time::Duration;

use systemd_lab::experiment::{Experiment, Fault, Probe, ProbeSummary, Recovery};

use crate::support::{PROGRAM, lab, program};

const SECOND: Duration = Duration::from_secs(1);

/// The kill comes between two attempts. After 0.1 s and the time for a start, the service is back before the
/// next attempt.
#[test]
fn a_restart_between_two_attempts_is_an_outage_and_one_behind_a_socket_is_none() {
    let folder = tempfile::tempdir().expect("there is room");
    let units = [
        (
            "quick.service",
            format!(
                "[Service]\nExecStart={PROGRAM} serve 127.0.0.1:7001\nRestart=always\nRestartSec=100ms\n"
            ),
        ),
        (
            "held.socket",
            "[Socket]\nListenStream=127.0.0.1:7002\n".to_owned(),
        ),
        (
            "held.service",
            "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\nRestartSec=100ms\n"
                .to_owned(),
        ),
    ];
    for (name, text) in &units {
        fs::write(folder.path().join(name), text).expect("there is room");
    }
    let [quick, socket, service] = units.map(|(name, _)| folder.path().join(name));
    let kill = Fault::Kill(9);
    let experiment = Experiment::new(quick)
        .unit(socket)
        .unit(service)
        .file(program())
        .fault_on("held.socket", 2 * SECOND, Fault::Start)
        .fault(Duration::from_millis(10_800), kill.clone())
        .fault_on("held.service", Duration::from_millis(20_800), kill)
        .probe(Probe::get("http://127.0.0.1:7001/"))
        .probe(Probe::connect("127.0.0.1:7002"))
        .lasting(30 * SECOND);
    let timeline = experiment.run(lab()).expect("the lab works");
    let summary = experiment.summary(&timeline);
    let told = experiment.text(&timeline);
    let [quick, held]: &[ProbeSummary; 2] = summary.probes.as_slice().try_into().expect("two");

    let [missed] = quick.between_attempts.as_slice() else {
        panic!("{quick:#?}\n{told}")
    };
    assert_eq!(missed.unit.as_deref(), Some("quick.service"));
    assert_eq!(missed.at.as_secs(), 10);
    assert!(
        (100..700).contains(&missed.length.as_millis()),
        "{missed:?}"
    );
    assert_eq!((quick.outages, quick.longest_outage), (1, missed.length));
    let availability = quick.availability.expect("it answered");
    assert!((0.97..0.999).contains(&availability), "{availability}");
    let kill = &summary.faults[1];
    let Some(Recovery::After(after)) = kill.answering else {
        panic!("{kill:#?}\n{told}")
    };
    assert!(after >= missed.length && after < SECOND, "{after:?}");

    assert_eq!((held.outages, held.availability), (0, Some(1.0)), "{told}");
    assert!(held.between_attempts.is_empty());
    assert!(summary.faults[2].running != Recovery::NeverGone, "{told}");
    assert_eq!(summary.faults[2].answering, Some(Recovery::NeverGone));
}

/// The process that the restart starts listens at once, and ends two seconds later. The one after that stays.
#[test]
fn a_service_that_goes_again_at_once_does_not_answer_again_yet() {
    let folder = tempfile::tempdir().expect("there is room");
    let serve = format!("{PROGRAM} serve 127.0.0.1:7003");
    let second = "echo >>/run/starts; [ $(wc -l </run/starts) = 2 ] && exec timeout 2";
    let text = format!(
        "[Service]\nExecStart=/usr/bin/bash -c '{} {serve}; exec {serve}'\nRestart=on-failure\nRestartSec=3s\n",
        second.replace('$', "$$")
    );
    let unit = folder.path().join("twice.service");
    fs::write(&unit, text).expect("there is room");
    let experiment = Experiment::new(unit)
        .file(program())
        .fault(10 * SECOND, Fault::Restart)
        .probe(Probe::get("http://127.0.0.1:7003/"))
        .lasting(60 * SECOND);
    let timeline = experiment.run(lab()).expect("the lab works");
    let summary = experiment.summary(&timeline);
    let told = experiment.text(&timeline);
    assert_eq!(summary.probes[0].outages, 2, "{told}");
    let [restart] = summary.faults.as_slice() else {
        panic!("{told}");
    };
    let Some(Recovery::After(after)) = restart.answering else {
        panic!("{restart:#?}\n{told}")
    };
    // 2 s, and `RestartSec=` with up to 250 ms; the probe asks each second.
    assert!(
        (5 * SECOND..7 * SECOND).contains(&after),
        "{after:?}\n{told}"
    );
}
