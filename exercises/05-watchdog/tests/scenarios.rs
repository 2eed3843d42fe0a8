//! What is tried: five runs in the lab.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Seen, is_soak};
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Timeline};

use crate::SUBJECT;

/// Longer than `TimeoutStartSec=10s` and systemd's default of 90 s.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// Time for the first pings, before anything goes wrong: more than `WatchdogSec=10s`.
const FIRST_PINGS: Duration = Duration::from_secs(12);

/// A fault is to be noticed within 10 s, and the service is to run again within 40 s. A watchdog of a minute is still
/// seen to act, a bit late.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(120);

/// A request that runs into the fault gets no answer.
const FAULT_DEADLINE: Duration = Duration::from_secs(1);

/// `GET /report` takes 3 s; a self-test or another request may come before it.
const REPORT_DEADLINE: Duration = Duration::from_secs(10);

/// How long the database takes to answer now and then, which is honest as well.
const SLOW_DATABASE: Duration = Duration::from_secs(3);

/// Between the two slow things, so that a self-test meets one of them only. A report holds up tests that are due, and
/// so they come at fixed times after it: the pause between grows from round to round, up to so much, to meet them all.
const BREATHER: Duration = Duration::from_millis(3500);
const BREATHERS: u32 = 3;

/// What is left of a round of 200 s.
const PAUSE: Duration = Duration::from_millis(190_500);

/// Ten minutes: each breather has its turn.
const ROUNDS: u32 = BREATHERS;

/// In the soak there are ten hours of it, with a round every twenty minutes.
const SOAK_PAUSE: Duration = Duration::from_millis(1_190_500);
const SOAK_ROUNDS: u32 = 30;

/// The service reads what a client has sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// The client is in the middle of its request for this long after the stop began: less than the drain's 5 s, and long
/// enough for a self-test to run into the closed door.
const SLOW_CLIENT: Duration = Duration::from_secs(4);

/// A service that hangs at each start is given up by the start limit within five minutes; some more, for one that
/// is not.
const GIVING_UP_DEADLINE: Duration = Duration::from_secs(900);

/// After the last start: an alert has time to come, a second one too.
const ALERTS: Duration = Duration::from_secs(10);

/// signal(7), x86-64.
const SIGCONT: i32 = 18;
pub(crate) const SIGSTOP: i32 = 19;

/// Where a unit is when the watchdog, or anything else, has ended its service.
const ENDED: [&str; 5] = [
    "stop-watchdog",
    "final-watchdog",
    "auto-restart",
    "failed",
    "dead",
];

/// The names of requests, and of what they ask for after a fault.
pub(crate) const REPORT: &str = "report";
pub(crate) const AFTER_FAULT: &str = "after the fault";
pub(crate) const DURING_FAULT: &str = "during the fault";

/// What was tried, and what came of it.
pub(crate) struct Run {
    scenario: Scenario,
    pub(crate) seen: Seen,
}

impl Run {
    fn of(scenario: Scenario, more: Vec<GuestFile>) -> Run {
        let seen = SUBJECT.run(&scenario, more);
        Run { scenario, seen }
    }

    /// When the first such step began, in the guest's time; `None` when the run never came to it.
    pub(crate) fn began_us(
        &self,
        timeline: &Timeline,
        wanted: impl Fn(&Step) -> bool,
    ) -> Option<u64> {
        let position = self.scenario.steps.iter().position(wanted)?;
        let began = timeline.events().iter().find(
            |event| matches!(event.kind, EventKind::StepBegan { index } if index == position),
        )?;
        Some(began.at_us)
    }
}

/// Ten minutes of honest, slow work; then a stop while a client is in the middle of its request.
pub(crate) static HEALTHY: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let database = SUBJECT.unit("-database");
    let (rounds, pause) = if is_soak() {
        (SOAK_ROUNDS, SOAK_PAUSE)
    } else {
        (ROUNDS, PAUSE)
    };
    let report = format!("http://{ADDRESS}/report");
    let mut scenario = begin_with_database("slow but honest work");
    for round in 0..rounds {
        let breather = BREATHER + Duration::from_secs(u64::from(round % BREATHERS));
        scenario = scenario
            .get(REPORT, &report, REPORT_DEADLINE)
            .sleep(breather)
            .signal(&database, SIGSTOP)
            .sleep(SLOW_DATABASE)
            .signal(&database, SIGCONT)
            .sleep(pause);
    }
    scenario = scenario
        .half_open(
            "in flight",
            ADDRESS,
            "GET / HTTP/1.1\r\nHost: localhost\r\n",
        )
        .sleep(READING)
        .stop(service)
        .sleep(SLOW_CLIENT)
        .finish_request("in flight", "Connection: close\r\n\r\n", REPORT_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    Run::of(scenario, vec![database_in_environment()])
});

/// A task takes the same lock twice.
pub(crate) static DEADLOCK: LazyLock<Run> = LazyLock::new(|| {
    let scenario = begin("a deadlock").step(fault("deadlock"));
    let scenario = back_again(scenario);
    Run::of(scenario, vec![faults()])
});

/// The executor is blocked; after it has recovered, the whole process is stopped.
pub(crate) static FROZEN: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = begin("a blocked executor, a stopped process")
        .step(fault("block"))
        .sleep(FAULT_DEADLINE)
        .get(DURING_FAULT, &format!("http://{ADDRESS}/"), FAULT_DEADLINE);
    let scenario = back_again(scenario);
    let scenario = scenario
        // So that the second delay is the first one again.
        .step(Step::ResetFailed {
            unit: service.to_owned(),
        })
        .sleep(FIRST_PINGS)
        .signal(service, SIGSTOP);
    Run::of(back_again(scenario), vec![faults()])
});

/// The database still takes connections, and no longer answers until the service has ended.
pub(crate) static WEDGE: LazyLock<Run> = LazyLock::new(|| {
    let database = SUBJECT.unit("-database");
    let scenario = begin_with_database("a wedged dependency")
        .sleep(FIRST_PINGS)
        .signal(&database, SIGSTOP)
        .wait_for_state(SUBJECT.service(), &ENDED, RECOVERY_DEADLINE)
        .signal(&database, SIGCONT);
    Run::of(back_again(scenario), vec![database_in_environment()])
});

/// It hangs again each time.
pub(crate) static KEEPS_HANGING: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("a service that keeps hanging")
        .start(service)
        .wait_for_state(service, &["failed"], GIVING_UP_DEADLINE)
        .sleep(ALERTS)
        .observe(service);
    let environment = SUBJECT.environment(service, &["FAULT_AT_START=deadlock"]);
    Run::of(scenario, vec![environment])
});

/// Starts the service and lets it work for a while.
fn begin(name: &str) -> Scenario {
    let service = SUBJECT.service();
    Scenario::new(name)
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .sleep(FIRST_PINGS)
}

/// Starts the database, and the service that asks it.
fn begin_with_database(name: &str) -> Scenario {
    let (service, database) = (SUBJECT.service(), SUBJECT.unit("-database"));
    Scenario::new(name)
        .start(&database)
        .wait_for_job(&database, START_DEADLINE)
        .start(service)
        .wait_for_job(service, START_DEADLINE)
}

fn database_in_environment() -> GuestFile {
    SUBJECT.environment(SUBJECT.service(), &["DATABASE=127.0.0.1:7879"])
}

/// A request that makes the service hang: nobody waits for its answer.
fn fault(name: &str) -> Step {
    Step::Request {
        name: format!("fault {name}"),
        method: "GET".to_owned(),
        url: format!("http://{ADDRESS}/fault/{name}"),
        body: None,
        deadline: FAULT_DEADLINE,
        background: true,
    }
}

fn faults() -> GuestFile {
    SUBJECT.environment(SUBJECT.service(), &["FAULTS=1"])
}

/// Waits until the service has ended and runs again, then asks it.
fn back_again(scenario: Scenario) -> Scenario {
    let service = SUBJECT.service();
    scenario
        .wait_for_state(service, &ENDED, RECOVERY_DEADLINE)
        .wait_for_state(service, &["running"], RECOVERY_DEADLINE)
        .get(AFTER_FAULT, &format!("http://{ADDRESS}/"), REPORT_DEADLINE)
        .observe(service)
}
