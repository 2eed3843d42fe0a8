//! What is tried: six runs in the lab.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Run};
use systemd_lab::GuestFile;
use systemd_lab::protocol::{Condition, Scenario, Step};

use crate::SUBJECT;

/// Longer than systemd's own time limit for a start (`DefaultTimeoutStartSec=`, 90 s): anyone who forgets
/// a deadline sees systemd's own.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// After this time, a start that should have been ended at 10 s would hang forever.
const HANGING_START_DEADLINE: Duration = Duration::from_secs(60);

/// Longer than `TimeoutStartSec=10s`, which also bounds a reload, and shorter than the default of 90 s.
const RELOAD_DEADLINE: Duration = Duration::from_secs(60);

/// A service that binds late has this long before the stop is tried: a few times the warm-up of 2 s.
const LISTENING_DEADLINE: Duration = Duration::from_secs(10);

/// The service reads what the clients have sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// From the stop to a client that comes too late: by then, a service that closes its listener because of the stop has closed
/// it.
const CLOSING: Duration = Duration::from_millis(500);

/// A refused client does not have to wait.
const REFUSAL_DEADLINE: Duration = Duration::from_millis(500);

/// How long the client is in the middle of its request after the stop began: most of the drain's 5 s, except for the time
/// to notice the stop and to answer.
const SLOW_CLIENT: Duration = Duration::from_millis(4000);

/// Once the request is complete, the answer should come at once.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(10);

/// In the middle of the warm-up of 2 s.
const HALF_A_WARM_UP: Duration = Duration::from_secs(1);

/// By then, systemd has most likely ended whatever it ends while all is well (`WatchdogSec=`, `RuntimeMaxSec=`).
const A_WHILE: Duration = Duration::from_secs(120);

/// For a command in the guest.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// Where the service looks for its configuration.
const CONFIGURATION: &str = "/etc/hello-world.conf";

/// What the program that was started by hand answers after SIGHUP.
pub(crate) const BY_HAND_GREETING: &str = "Hello by hand!";

/// Occupies the service's port before the service starts. systemd itself listens on it: systemd.socket(5).
const SOMEONE_ELSE: &str = "someone-else.socket";

/// Runs the service as a person would in a terminal: nothing receives its notifications.
pub(crate) const BY_HAND_UNIT: &str = "by-hand.service";

/// Where the guest's systemd looks for the administrator's units.
const UNIT_PATH: &str = "/etc/systemd/system";

/// The names of requests.
pub(crate) const IN_FLIGHT: &str = "in flight";
pub(crate) const NEW: &str = "new";
pub(crate) const BY_HAND_FIRST: &str = "by hand";
pub(crate) const BY_HAND_RELOADED: &str = "by hand, after SIGHUP";
pub(crate) const LATER: &str = "two minutes later";
pub(crate) const AT_CTRL_C: &str = "in flight at Ctrl-C";

/// The label of the step in [`RELOAD`] that makes the configuration readable.
pub(crate) const FEEDING: &str = "the configuration is readable";

/// The label of the step in [`WARM_UP`] and [`BY_HAND`] in which Ctrl-C reaches the unit.
pub(crate) const CTRL_C: &str = "Ctrl-C";

/// The labels of other steps in [`WARM_UP`]: the start that Ctrl-C ends, the stop after it, and the start while the port is taken.
pub(crate) const SECOND_START: &str = "second start";
pub(crate) const SECOND_STOP: &str = "second stop";
pub(crate) const PORT_TAKEN: &str = "port taken";

/// The labels of other steps in [`BY_HAND`]: the program is started by hand; SIGHUP reaches it, and then Ctrl-C.
pub(crate) const BY_HAND_START: &str = "by hand";
pub(crate) const BY_HAND_HANGUP: &str = "SIGHUP by hand";
pub(crate) const BY_HAND_CTRL_C: &str = "Ctrl-C by hand";

/// signal(7), x86-64. SIGINT is what Ctrl-C sends.
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;

/// Starts a dependent unit, which pulls the service in. Then stops the service while one client is in the middle of
/// its request and another never finishes its own; a third comes too late.
pub(crate) static START_AND_STOP: LazyLock<Run> = LazyLock::new(|| {
    let (service, client) = (SUBJECT.service(), SUBJECT.unit("-client"));
    let scenario = Scenario::new("start a dependent unit, then stop with requests in flight")
        .start(&client)
        .wait_for_job(&client, START_DEADLINE)
        .wait_for(listening(), LISTENING_DEADLINE);
    let scenario = half_sent(scenario, IN_FLIGHT)
        .stop(service)
        .sleep(CLOSING)
        .get(NEW, &url(), REFUSAL_DEADLINE)
        .sleep(SLOW_CLIENT - CLOSING)
        .finish_request(IN_FLIGHT, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service)
        .observe(&client);
    Run::of(&SUBJECT, scenario, vec![])
});

/// The third part of the data never arrives.
pub(crate) static HANGING_START: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start with data that stalls")
        .start(service)
        .wait_for_state(service, &["failed", "auto-restart"], HANGING_START_DEADLINE)
        .observe(service);
    let stalls = SUBJECT.environment(service, &["DATA_STALL_AT=3"]);
    Run::of(&SUBJECT, scenario, vec![stalls])
});

/// Sixty parts of half a second each.
pub(crate) static LONG_WARM_UP: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start with a warm-up of 30 s")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .observe(service);
    let long = SUBJECT.environment(service, &["DATA_PARTS=60"]);
    Run::of(&SUBJECT, scenario, vec![long])
});

/// Reloads while a request is in flight: once with a good configuration, once with one that no program can understand. The
/// good one becomes readable only some time after the reload began, which shows what the service does before and after it
/// reads.
pub(crate) static RELOAD: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("reload with a good and with a bad configuration")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .wait_for(listening(), LISTENING_DEADLINE)
        .half_open(IN_FLIGHT, ADDRESS, "GET / HTTP/1.1\r\nHost: localhost\r\n")
        .sleep(READING)
        // A process that opens a FIFO for reading waits for a writer.
        .run(&["/usr/bin/mkfifo", CONFIGURATION], COMMAND_DEADLINE)
        .reload(service)
        .sleep(READING)
        .run(
            &["/usr/bin/bash", "-c", FEED, "bash", CONFIGURATION],
            COMMAND_DEADLINE,
        )
        .labelled(FEEDING)
        .wait_for_job(service, RELOAD_DEADLINE)
        .sleep(READING)
        .finish_request(IN_FLIGHT, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .step(Step::WriteFile {
            path: CONFIGURATION.to_owned(),
            content: "greeting: Hello colon!\n".to_owned(),
            mode: 0o644,
        })
        .reload(service)
        .wait_for_job(service, RELOAD_DEADLINE)
        .sleep(READING)
        .get("after a bad configuration", &url(), RESPONSE_DEADLINE)
        .observe(service);
    Run::of(&SUBJECT, scenario, vec![])
});

/// Lets the process that waits for the FIFO read the configuration, and removes the FIFO. It is opened for reading and
/// writing, so opening it does not block.
const FEED: &str = "exec 3<>$1 && echo 'greeting = Hello again!' >&3 && rm $1";

/// A stop during the warm-up, Ctrl-C during the warm-up, and a start while the port is taken.
pub(crate) static WARM_UP: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("a stop and Ctrl-C in the warm-up, then a taken port")
        .start(service)
        .sleep(HALF_A_WARM_UP)
        .stop(service)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .start(service)
        .labelled(SECOND_START)
        .sleep(HALF_A_WARM_UP)
        .signal(service, SIGINT)
        .labelled(CTRL_C)
        // Whatever systemd does with a start that ends like this.
        .wait_for_state(service, &ENDED, START_DEADLINE)
        .stop(service)
        .labelled(SECOND_STOP)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .start(SOMEONE_ELSE)
        .wait_for(listening(), LISTENING_DEADLINE)
        .start(service)
        .labelled(PORT_TAKEN)
        .wait_for(
            // Not that the start has not begun yet.
            Condition::NextSubState {
                unit: service.to_owned(),
                any_of: ENDED.map(str::to_owned).to_vec(),
            },
            START_DEADLINE,
        )
        .observe(service);
    let socket = format!("[Socket]\nListenStream={ADDRESS}\n");
    // A socket unit needs a service, which would be started for the first client; here no client connects.
    let its_service = "[Service]\nExecStart=/usr/bin/true\n";
    let more = vec![
        unit_file(SOMEONE_ELSE, &socket),
        unit_file("someone-else.service", its_service),
    ];
    Run::of(&SUBJECT, scenario, more)
});

/// The states of a unit after its service has ended.
const ENDED: [&str; 3] = ["auto-restart", "dead", "failed"];

/// The unit, left alone for a while, and ended by SIGINT; then the program started by hand, which reloads at SIGHUP and ends at
/// Ctrl-C as well.
pub(crate) static BY_HAND: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("left alone, and by hand")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .sleep(A_WHILE)
        .get(LATER, &url(), RESPONSE_DEADLINE);
    let scenario = half_sent(scenario, AT_CTRL_C)
        .signal(service, SIGINT)
        .labelled(CTRL_C)
        .sleep(SLOW_CLIENT)
        .finish_request(AT_CTRL_C, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &ENDED, STOP_DEADLINE)
        .start(BY_HAND_UNIT)
        .labelled(BY_HAND_START)
        .wait_for(listening(), LISTENING_DEADLINE)
        .get(BY_HAND_FIRST, &url(), RESPONSE_DEADLINE)
        .step(Step::WriteFile {
            path: CONFIGURATION.to_owned(),
            content: format!("greeting = {BY_HAND_GREETING}\n"),
            mode: 0o644,
        })
        .signal(BY_HAND_UNIT, SIGHUP)
        .labelled(BY_HAND_HANGUP)
        .sleep(READING)
        .get(BY_HAND_RELOADED, &url(), RESPONSE_DEADLINE)
        .signal(BY_HAND_UNIT, SIGINT)
        .labelled(BY_HAND_CTRL_C)
        .wait_for_state(BY_HAND_UNIT, &["dead", "failed"], STOP_DEADLINE)
        .observe(service)
        .observe(BY_HAND_UNIT);
    let by_hand = format!(
        "[Service]\nType=exec\nExecStart={} web\n",
        SUBJECT.guest_binary()
    );
    Run::of(&SUBJECT, scenario, vec![unit_file(BY_HAND_UNIT, &by_hand)])
});

/// A request with this name, which is half-sent, and another one that will never be finished.
fn half_sent(scenario: Scenario, name: &str) -> Scenario {
    scenario
        .half_open(name, ADDRESS, "GET / HTTP/1.1\r\nHost: localhost\r\n")
        .half_open(&format!("{name}, never finished"), ADDRESS, "GET / HT")
        .sleep(READING)
}

fn listening() -> Condition {
    Condition::Listening {
        address: ADDRESS.to_owned(),
    }
}

fn url() -> String {
    format!("http://{ADDRESS}/")
}

fn unit_file(name: &str, text: &str) -> GuestFile {
    GuestFile::text(format!("{UNIT_PATH}/{name}"), text)
}
