//! What is tried: three runs in the lab.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Seen};
use systemd_lab::GuestFile;
use systemd_lab::protocol::{Condition, Scenario};

use crate::SUBJECT;

/// Where the guest's systemd looks for units of the administrator.
const UNIT_PATH: &str = "/etc/systemd/system";

/// Holds the service's port before the service is started. systemd itself listens for it: systemd.socket(5).
const SOMEONE_ELSE: &str = "someone-else.socket";

/// The name of the request that is sent while all is well.
pub(crate) const FIRST: &str = "first";

/// The name of the request that is half sent when the stop begins.
pub(crate) const IN_FLIGHT: &str = "in flight";

/// Reading a unit file and all that it refers to takes some 0.1 s.
const VERIFY_DEADLINE: Duration = Duration::from_secs(30);

/// Longer than any start that systemd bounds by itself (`DefaultTimeoutStartSec=`, 90 s): whoever waits for a
/// `READY=1` that never comes sees systemd's own deadline.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// A service that has nothing to load listens at once.
const LISTENING_DEADLINE: Duration = Duration::from_secs(10);

/// An answer of a few bytes comes at once.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(10);

/// A service that ends by itself has ended by then, also one that is killed for want of memory, and systemd has said so.
const SETTLING: Duration = Duration::from_secs(3);

/// The service reads what the clients have sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// The client is in the middle of its request for this long after the stop began: less than the drain's 5 s.
const SLOW_CLIENT: Duration = Duration::from_secs(1);

/// In the run that measures the drain, systemd is this patient: several times the 5 s that the drain may take, and less
/// than the 30 s after which `server.rs` itself gives up a request whose header never ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port that is taken shows at once. After this, the service is taken to go on for ever.
const FAILURE_DEADLINE: Duration = Duration::from_secs(5);

/// Long enough to see a restart: `RestartSec=` is 100 ms by default.
const RESTART_DELAY: Duration = Duration::from_secs(2);

/// Starts the service; then stops it while one client is in the middle of its request and another never finishes its
/// own.
pub(crate) static START_AND_STOP: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start, then stop with requests in flight")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .wait_for(listening(), LISTENING_DEADLINE)
        .get(FIRST, &format!("http://{ADDRESS}/"), RESPONSE_DEADLINE)
        .sleep(SETTLING)
        .half_open(IN_FLIGHT, ADDRESS, "GET / HTTP/1.1\r\nHost: localhost\r\n")
        .half_open("never finished", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .sleep(SLOW_CLIENT)
        .finish_request(IN_FLIGHT, "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    SUBJECT.run(&scenario, vec![])
});

/// Reads the unit as a person would have it read, enables it, and starts what a boot starts. Then stops it with a
/// request that never ends, and with much patience: to see how long the service itself waits.
pub(crate) static BOOT: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let file = format!("{UNIT_PATH}/{service}");
    let scenario = Scenario::new("verify, enable, start what a boot starts")
        // The guest has no manual pages.
        .run(
            &["/usr/bin/systemd-analyze", "verify", "--man=no", &file],
            VERIFY_DEADLINE,
        )
        .enable(service)
        .start("multi-user.target")
        .wait_for_job(service, START_DEADLINE)
        .wait_for(listening(), LISTENING_DEADLINE)
        .half_open("never finished", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    let patience = format!("[Service]\nTimeoutStopSec={}s\n", PATIENCE.as_secs());
    let drop_in = format!("{file}.d/patience.conf");
    SUBJECT.run(&scenario, vec![GuestFile::text(drop_in, patience)])
});

/// Starts the service while something else listens on its port.
pub(crate) static PORT_TAKEN: LazyLock<Seen> = LazyLock::new(|| {
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
    // A socket unit wants a service, which would be started for the first client; here nobody connects.
    let its_service = "[Service]\nExecStart=/usr/bin/true\n";
    let file = |name: &str, text: &str| GuestFile::text(format!("{UNIT_PATH}/{name}"), text);
    SUBJECT.run(
        &scenario,
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
