//! Databases: packages of hundreds of megabytes, whose guests need more memory than usual.

use std::time::Duration;

use systemd_lab::experiment::{Recovery, Summary};
use systemd_lab::{Experiment, Fault, Guest, GuestFile, Lab, Probe};

use crate::SIGKILL;

/// MariaDB's first start takes 20 s in a guest with one slow processor.
const STARTED: Duration = Duration::from_secs(40);

/// Started, killed while it serves, and restarted by systemd.
fn killed(package: &str, experiment: Experiment, address: &str) -> Summary {
    let guest = Guest::default().package(package).expect("it is a name");
    let lab = Lab::options().guest(&guest).open().expect("the lab opens");
    let experiment = experiment
        .probe(Probe::connect(address))
        .fault(STARTED, Fault::Kill(SIGKILL));
    let timeline = experiment.run(&lab).expect("the lab works");
    experiment.summary(&timeline)
}

fn assert_recovered(summary: &Summary) {
    let served = summary.probes[0].first_success;
    assert!(served.is_some_and(|at| at < STARTED), "{summary:?}");
    assert_eq!(summary.restarts, 1, "{summary:?}");
    assert_eq!(summary.state_at_end, "running", "{summary:?}");
    let answering = summary.faults[0].answering;
    assert!(matches!(answering, Some(Recovery::After(_))), "{summary:?}");
}

#[test]
fn postgresql_recovers_if_its_unit_says_so() {
    let restart = GuestFile::text(
        "/etc/systemd/system/postgresql@.service.d/restart.conf",
        "[Service]\nRestart=on-failure\n",
    );
    let experiment = Experiment::packaged("postgresql@17-main.service").file(restart);
    assert_recovered(&killed("postgresql", experiment, "127.0.0.1:5432"));
}

#[test]
fn mariadb_recovers() {
    let experiment = Experiment::packaged("mariadb.service");
    assert_recovered(&killed("mariadb-server", experiment, "127.0.0.1:3306"));
}
