//! What is tried: six runs in the lab.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Run, is_soak};
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Timeline};

use crate::SUBJECT;

/// Longer than `TimeoutStartSec=10s` and systemd's default of 90 s.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// Time for the first pings, before anything goes wrong: more than `WatchdogSec=10s`.
const FIRST_PINGS: Duration = Duration::from_secs(12);

/// systemd should notice a fault within 10 s, and the service should run again within 40 s. This is long enough to
/// see even a watchdog of a minute act, a bit late.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(120);

/// A request that meets the fault gets no answer.
const FAULT_DEADLINE: Duration = Duration::from_secs(1);

/// `GET /report` takes 3 s; a self-test or another request may come before it.
const REPORT_DEADLINE: Duration = Duration::from_secs(10);

/// How long the database sometimes takes to answer, which is honest work, too.
const SLOW_DATABASE: Duration = Duration::from_secs(3);

/// From the moment at which the database stops to a reload: a self-test in progress may have been answered already. The database
/// resumes as long after the reload, sooner than a self-test may give up on it.
const STUCK: Duration = Duration::from_secs(1);

/// The time between the two slow things, so that a self-test meets only one of them. A report delays tests that are
/// due, so they come at fixed times after it. The pause between them therefore grows from round to round, up to this
/// many steps, to meet all of those times.
const BREATHER: Duration = Duration::from_millis(3500);
const BREATHERS: u32 = 3;

/// The rest of a round of 200 s.
const PAUSE: Duration = Duration::from_millis(190_500);

/// Ten minutes: each breather is used once.
const ROUNDS: u32 = BREATHERS;

/// The soak lasts ten hours, with a round every twenty minutes.
const SOAK_PAUSE: Duration = Duration::from_millis(1_190_500);
const SOAK_ROUNDS: u32 = 30;

/// The service reads what a client has sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// How long the client is in the middle of its request after the stop began: less than the drain's 5 s, and long
/// enough for a self-test to find the listener closed.
const SLOW_CLIENT: Duration = Duration::from_secs(4);

/// A service that hangs at each start reaches the start limit within five minutes; this has some to spare
/// for one that does not.
const GIVING_UP_DEADLINE: Duration = Duration::from_secs(900);

/// The time after the last start: enough for an alert, and even for a second one.
const ALERTS: Duration = Duration::from_secs(10);

/// The service hangs as soon as it serves.
const HANGS: &str = "FAULT_AT_START=deadlock";

/// The service with a unit that has no `WatchdogSec=`.
pub(crate) const UNWATCHED: &str = "unwatched.service";

/// Several times as long as a self-test needs to find out that the service hangs.
const UNWATCHED_FOR: Duration = Duration::from_secs(40);

/// signal(7), x86-64.
const SIGHUP: i32 = 1;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// The states of a unit after the watchdog, or anything else, has ended its service.
const ENDED: [&str; 5] = [
    "stop-watchdog",
    "final-watchdog",
    "auto-restart",
    "failed",
    "dead",
];

/// The names of requests, and what they request after a fault.
pub(crate) const REPORT: &str = "report";
pub(crate) const IN_FLIGHT: &str = "in flight";
pub(crate) const AFTER_FAULT: &str = "after the fault";
pub(crate) const DURING_FAULT: &str = "during the fault";

/// Ten minutes of honest, slow work; then a stop while one client is in the middle of its request and another never
/// finishes its own.
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
        .half_open(IN_FLIGHT, ADDRESS, "GET / HTTP/1.1\r\nHost: localhost\r\n")
        .half_open("never finished", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .sleep(SLOW_CLIENT)
        .finish_request(IN_FLIGHT, "Connection: close\r\n\r\n", REPORT_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    Run::of(&SUBJECT, scenario, vec![database_in_environment()])
});

/// The labels of steps that bring a fault: a request that makes the service hang, SIGSTOP to the service or its database, a
/// closed front door, and the end of the database.
pub(crate) const DEADLOCK_COMES: &str = "deadlock";
pub(crate) const BLOCK_COMES: &str = "block";
pub(crate) const STOPPED: &str = "stopped";
pub(crate) const DOOR_CLOSES: &str = "door closes";
pub(crate) const DATABASE_STOPS: &str = "database stops";

/// The labels of the steps in which a service reloads while its database is stuck, and in which the database resumes.
pub(crate) const RELOADS: &str = "reload";
pub(crate) const RESUMES: &str = "database resumes";

/// The label of `reset-failed` between two faults.
pub(crate) const RESET: &str = "reset";

/// The label of the service's own start after that of its database.
pub(crate) const SERVICE_STARTS: &str = "service starts";

/// A task takes the same lock twice.
pub(crate) static DEADLOCK: LazyLock<Run> = LazyLock::new(|| {
    let scenario = begin("a deadlock")
        .step(fault("deadlock"))
        .labelled(DEADLOCK_COMES);
    Run::of(&SUBJECT, back_again(scenario), vec![faults()])
});

/// Prints the name of each thread in a control group, with bash's built-in commands only.
const NAME_THREADS: &str = "while read -r thread; do read -r name < /proc/$thread/comm && echo $name; done < $1/cgroup.threads";

/// How many threads a multi-threaded runtime gets: more than there are for other reasons.
pub(crate) const WORKERS: usize = 4;

/// The executor is blocked; after it has recovered, the whole process is stopped.
pub(crate) static FROZEN: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let control_group = format!("/sys/fs/cgroup/system.slice/{service}");
    let scenario = begin("a blocked executor, a stopped process")
        .run(
            &["/usr/bin/bash", "-c", NAME_THREADS, "bash", &control_group],
            FAULT_DEADLINE,
        )
        .step(fault("block"))
        .labelled(BLOCK_COMES)
        .sleep(FAULT_DEADLINE)
        .get(DURING_FAULT, &format!("http://{ADDRESS}/"), FAULT_DEADLINE);
    let scenario = back_again(scenario)
        // This makes the second delay equal to the first.
        .step(Step::ResetFailed {
            unit: service.to_owned(),
        })
        .labelled(RESET)
        .sleep(FIRST_PINGS)
        .signal(service, SIGSTOP)
        .labelled(STOPPED);
    // On one processor, a multi-threaded runtime has only one thread by default.
    let workers = format!("TOKIO_WORKER_THREADS={WORKERS}");
    let more = SUBJECT.environment(service, &["FAULTS=1", &workers]);
    Run::of(&SUBJECT, back_again(scenario), vec![more])
});

/// The database still accepts connections, but no longer answers until the service has ended.
pub(crate) static WEDGE: LazyLock<Run> = LazyLock::new(|| {
    let database = SUBJECT.unit("-database");
    let scenario = begin_with_database("a wedged dependency")
        .sleep(FIRST_PINGS)
        .signal(&database, SIGSTOP)
        .labelled(STOPPED)
        .wait_for_state(SUBJECT.service(), &ENDED, RECOVERY_DEADLINE)
        .signal(&database, SIGCONT);
    Run::of(
        &SUBJECT,
        back_again(scenario),
        vec![database_in_environment()],
    )
});

/// It hangs again each time.
pub(crate) static KEEPS_HANGING: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("a service that keeps hanging")
        .start(service)
        .wait_for_state(service, &["failed"], GIVING_UP_DEADLINE)
        .sleep(ALERTS)
        .observe(service);
    let environment = SUBJECT.environment(service, &[HANGS]);
    Run::of(&SUBJECT, scenario, vec![environment])
});

/// Cases that a self-test must treat as a failure although the service does not hang: clients cannot reach it, and later its
/// database is gone, so that it answers `GET /` with 503. Before that, the program hangs while nothing waits for its pings, and that
/// must have no consequences; and the service reloads while no self-test can succeed, because its database is slow.
pub(crate) static NOT_WELL: LazyLock<Run> = LazyLock::new(|| {
    let (service, database) = (SUBJECT.service(), SUBJECT.unit("-database"));
    let scenario = Scenario::new("no watchdog, a closed door, a database that is gone")
        .start(UNWATCHED)
        .wait_for_job(UNWATCHED, START_DEADLINE)
        .sleep(UNWATCHED_FOR)
        .stop(UNWATCHED)
        .wait_for_state(UNWATCHED, &["dead", "failed"], STOP_DEADLINE);
    let scenario = with_database(scenario)
        .sleep(FIRST_PINGS)
        .signal(&database, SIGSTOP)
        .sleep(STUCK)
        // Not a reload job: what this sends does not depend on the unit.
        .signal(service, SIGHUP)
        .labelled(RELOADS)
        .sleep(STUCK)
        .signal(&database, SIGCONT)
        .labelled(RESUMES)
        .sleep(FIRST_PINGS)
        .step(address(Address::Removed))
        .labelled(DOOR_CLOSES)
        .wait_for_state(service, &ENDED, RECOVERY_DEADLINE)
        .step(address(Address::Added));
    let scenario = back_again(scenario)
        // This makes the second delay equal to the first.
        .step(Step::ResetFailed {
            unit: service.to_owned(),
        })
        .labelled(RESET)
        .sleep(FIRST_PINGS)
        .stop(&database)
        .labelled(DATABASE_STOPS)
        .wait_for_state(service, &ENDED, RECOVERY_DEADLINE)
        .start(&database);
    let unwatched = format!(
        "[Service]\nType=notify\nExecStart={} web\nEnvironment={HANGS}\nTimeoutStopSec=10s\n",
        SUBJECT.guest_binary()
    );
    let more = vec![
        database_in_environment(),
        GuestFile::unit(UNWATCHED, unwatched),
    ];
    Run::of(&SUBJECT, back_again(scenario), more)
});

/// What happens to the address on which the service listens.
#[derive(Clone, Copy)]
enum Address {
    Added,
    Removed,
}

/// Closes the front door, or opens it again: the service still listens, but a client that connects learns at once that there is no
/// route.
fn address(change: Address) -> Step {
    let change = match change {
        Address::Added => "add",
        Address::Removed => "del",
    };
    let argv = [
        "/usr/sbin/ip",
        "address",
        change,
        "127.0.0.1/8",
        "dev",
        "lo",
    ];
    Step::Run {
        argv: argv.map(str::to_owned).to_vec(),
        deadline: FAULT_DEADLINE,
    }
}

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
    with_database(Scenario::new(name))
}

fn with_database(scenario: Scenario) -> Scenario {
    let (service, database) = (SUBJECT.service(), SUBJECT.unit("-database"));
    scenario
        .start(&database)
        .wait_for_job(&database, START_DEADLINE)
        .start(service)
        .labelled(SERVICE_STARTS)
        .wait_for_job(service, START_DEADLINE)
}

fn database_in_environment() -> GuestFile {
    SUBJECT.environment(SUBJECT.service(), &["DATABASE=127.0.0.1:7879"])
}

/// A request that makes the service hang: nothing waits for its answer.
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

/// Waits until the service has ended and runs again, then sends it a request.
fn back_again(scenario: Scenario) -> Scenario {
    let service = SUBJECT.service();
    scenario
        .wait_for_state(service, &ENDED, RECOVERY_DEADLINE)
        .wait_for_state(service, &["running"], RECOVERY_DEADLINE)
        .get(AFTER_FAULT, &format!("http://{ADDRESS}/"), REPORT_DEADLINE)
        .observe(service)
}

/// How many threads the service's runtime had, besides the main one, judging by tokio's thread names.
pub(crate) fn runtime_threads(timeline: &Timeline) -> usize {
    let output = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Command { argv, output, .. } if argv.iter().any(|it| it == NAME_THREADS) => {
                Some(output.as_str())
            }
            _ => None,
        });
    let names = output.unwrap_or_default().lines();
    names.filter(|name| name.starts_with("tokio-r")).count()
}
