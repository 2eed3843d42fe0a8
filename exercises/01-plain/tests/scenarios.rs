//! What is tried: three runs in the lab.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Run};
use systemd_lab::GuestFile;
use systemd_lab::protocol::{Condition, Scenario};

use crate::SUBJECT;

/// Where the guest's systemd looks for the administrator's units.
const UNIT_PATH: &str = "/etc/systemd/system";

/// Occupies the service's port before the service starts. systemd itself listens on it: systemd.socket(5).
const SOMEONE_ELSE: &str = "someone-else.socket";

/// The name of the request that is sent while all is well.
pub(crate) const FIRST: &str = "first";

/// The same, after the service has run for a while.
pub(crate) const LATER: &str = "two minutes later";

/// The name of the request that is half sent when the stop begins.
pub(crate) const IN_FLIGHT: &str = "in flight";

/// The name of a request that is sent during the stop.
pub(crate) const NEW: &str = "new";

/// The name of the request that is half sent when Ctrl-C comes.
pub(crate) const AT_CTRL_C: &str = "in flight at Ctrl-C";

/// The labels of steps in [`BOOT`]: the start for Ctrl-C, Ctrl-C, and the start of the service that will hang.
pub(crate) const SECOND_START: &str = "second start";
pub(crate) const CTRL_C: &str = "Ctrl-C";
pub(crate) const THIRD_START: &str = "third start";

/// signal(7), x86-64. SIGINT is what Ctrl-C sends.
const SIGINT: i32 = 2;
const SIGSTOP: i32 = 19;

/// Reading a unit file and everything that it refers to takes about 0.1 s.
const VERIFY_DEADLINE: Duration = Duration::from_secs(30);

/// Longer than systemd's own time limit for a start (`DefaultTimeoutStartSec=`, 90 s): a service that waits for a
/// `READY=1` that never comes reaches systemd's own deadline.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// A service that has nothing to load listens at once.
const LISTENING_DEADLINE: Duration = Duration::from_secs(10);

/// An answer of a few bytes comes at once.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(10);

/// By then, a service that exits by itself has exited, even if the kernel killed it because memory ran out, and systemd has
/// logged that.
const SETTLING: Duration = Duration::from_secs(3);

/// By then, systemd has most likely ended whatever it ends while all is well (`WatchdogSec=`, `RuntimeMaxSec=`).
const A_WHILE: Duration = Duration::from_secs(120);

/// The service reads what the clients have sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// From the stop to a client that comes too late: by then, a service that closes its listener because of the stop has
/// closed it.
const CLOSING: Duration = Duration::from_millis(500);

/// A refused client does not have to wait.
const REFUSAL_DEADLINE: Duration = Duration::from_millis(500);

/// How long the client is in the middle of its request after the stop began: most of the drain's 5 s, except for the time
/// to notice the stop and to answer.
const SLOW_CLIENT: Duration = Duration::from_millis(4000);

/// From the stop to the moment when the service stops running at all: it has received the signal, and waits for a client.
const BEGINNING_TO_DRAIN: Duration = Duration::from_secs(1);

/// How long systemd waits in the run that measures the drain: several times the 5 s that the drain may take, and less
/// than the 30 s after which `server.rs` itself gives up a request whose header never ends.
const LONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A taken port shows at once. After this time, the service would carry on forever.
const FAILURE_DEADLINE: Duration = Duration::from_secs(5);

/// Long enough to see a restart: `RestartSec=` is 100 ms by default.
const RESTART_DELAY: Duration = Duration::from_secs(2);

/// Starts the service. Then stops it while one client is in the middle of its request and another never finishes its
/// own; a third comes too late.
pub(crate) static START_AND_STOP: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let url = format!("http://{ADDRESS}/");
    let begin = Scenario::new("start, then stop with requests in flight").start(service);
    let scenario = serving(begin)
        .get(FIRST, &url, RESPONSE_DEADLINE)
        .sleep(SETTLING);
    let scenario = half_sent(scenario, IN_FLIGHT)
        .stop(service)
        .sleep(CLOSING)
        .get(NEW, &url, REFUSAL_DEADLINE)
        .sleep(SLOW_CLIENT - CLOSING)
        .finish_request(IN_FLIGHT, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    Run::of(&SUBJECT, scenario, vec![])
});

/// Checks the unit as a person would, enables it, and starts what a boot starts. After a while, stops it with a request
/// that never ends, and with a long timeout, to see how long the service itself waits. Then starts it again and ends it as
/// in a terminal; then starts it once more and stops it in such a way that it hangs.
pub(crate) static BOOT: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let file = format!("{UNIT_PATH}/{service}");
    let scenario = Scenario::new("verify, enable, start what a boot starts")
        // The guest has no manual pages.
        .run(
            &["/usr/bin/systemd-analyze", "verify", "--man=no", &file],
            VERIFY_DEADLINE,
        )
        .enable(service)
        .start("multi-user.target");
    let scenario = serving(scenario)
        .sleep(A_WHILE)
        .get(LATER, &format!("http://{ADDRESS}/"), RESPONSE_DEADLINE)
        .half_open("never finished", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .start(service)
        .labelled(SECOND_START);
    let scenario = half_sent(answering(scenario, "before Ctrl-C"), AT_CTRL_C)
        .signal(service, SIGINT)
        .labelled(CTRL_C)
        .sleep(SLOW_CLIENT)
        .finish_request(AT_CTRL_C, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], LONG_TIMEOUT)
        .start(service)
        .labelled(THIRD_START);
    let scenario = answering(scenario, "before it hangs")
        .half_open("never finished again", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .sleep(BEGINNING_TO_DRAIN)
        .signal(service, SIGSTOP)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    let timeout = format!("[Service]\nTimeoutStopSec={}s\n", LONG_TIMEOUT.as_secs());
    let drop_in = format!("{file}.d/timeout.conf");
    let more = vec![GuestFile::text(drop_in, timeout)];
    Run::of(&SUBJECT, scenario, more)
});

/// Waits until the service that was just started listens.
fn serving(scenario: Scenario) -> Scenario {
    scenario
        .wait_for_job(SUBJECT.service(), START_DEADLINE)
        .wait_for(listening(), LISTENING_DEADLINE)
}

/// The same, and waits until it has answered a request.
fn answering(scenario: Scenario, name: &str) -> Scenario {
    serving(scenario).get(name, &format!("http://{ADDRESS}/"), RESPONSE_DEADLINE)
}

/// A request with this name, which is half-sent, and another one that will never be finished.
fn half_sent(scenario: Scenario, name: &str) -> Scenario {
    scenario
        .half_open(name, ADDRESS, "GET / HTTP/1.1\r\nHost: localhost\r\n")
        .half_open(&format!("{name}, never finished"), ADDRESS, "GET / HT")
        .sleep(READING)
}

/// Starts the service while something else listens on its port.
pub(crate) static PORT_TAKEN: LazyLock<Run> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start while the port is taken")
        .start(SOMEONE_ELSE)
        .wait_for(listening(), LISTENING_DEADLINE)
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], FAILURE_DEADLINE)
        .sleep(RESTART_DELAY)
        .observe(service);
    let socket = format!("[Socket]\nListenStream={ADDRESS}\n");
    // A socket unit needs a service, which would be started for the first client; here no client connects.
    let its_service = "[Service]\nExecStart=/usr/bin/true\n";
    let file = |name: &str, text: &str| GuestFile::text(format!("{UNIT_PATH}/{name}"), text);
    Run::of(
        &SUBJECT,
        scenario,
        vec![
            file(SOMEONE_ELSE, &socket),
            file("someone-else.service", its_service),
        ],
    )
});

fn listening() -> Condition {
    Condition::Listening {
        address: ADDRESS.to_owned(),
    }
}
