//! What is tried: four runs in the lab, and two of the bare process.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use exercise_check::{ADDRESS, Seen, host_error};
use systemd_lab::protocol::{Condition, EventKind, Scenario, Step};
use systemd_lab::{LabError, Timeline};

use crate::SUBJECT;
use crate::protocol::{self, ProtocolError, Transcript};

/// Longer than any start that systemd still bounds by itself (`DefaultTimeoutStartSec=`, 90 s): whoever
/// forgets a deadline sees systemd's own.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Longer than `TimeoutStopSec=10s` and the default of 90 s.
const STOP_DEADLINE: Duration = Duration::from_secs(120);

/// After this a start that should have been ended at 10 s is taken to hang for ever.
const HANGING_START_DEADLINE: Duration = Duration::from_secs(60);

/// Longer than `TimeoutStartSec=10s`, which bounds a reload as well, and shorter than the default of 90 s.
const RELOAD_DEADLINE: Duration = Duration::from_secs(60);

/// A service that binds late gets this much before the stop is tried: a few times the warm-up of 2 s.
const LISTENING_DEADLINE: Duration = Duration::from_secs(10);

/// The service reads what the clients have sent so far. A server may drop connections from which it has read nothing.
const READING: Duration = Duration::from_millis(500);

/// The client is in the middle of its request for this long after the stop began: less than the drain's 5 s.
const SLOW_CLIENT: Duration = Duration::from_secs(1);

/// Once the request is complete, the answer should come at once.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(10);

/// Starts a dependent unit, which pulls the service in; then stops the service while one client is in the middle of
/// its request and another never finishes its own.
pub(crate) static START_AND_STOP: LazyLock<Seen> = LazyLock::new(|| {
    let (service, client) = (SUBJECT.service(), SUBJECT.unit("-client"));
    let scenario = Scenario::new("start a dependent unit, then stop with requests in flight")
        .start(&client)
        .wait_for_job(&client, START_DEADLINE)
        .wait_for(
            Condition::Listening {
                address: ADDRESS.to_owned(),
            },
            LISTENING_DEADLINE,
        )
        .half_open(
            "in flight",
            ADDRESS,
            "GET / HTTP/1.1\r\nHost: localhost\r\n",
        )
        .half_open("never finished", ADDRESS, "GET / HT")
        .sleep(READING)
        .stop(service)
        .sleep(SLOW_CLIENT)
        .finish_request("in flight", "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .wait_for_state(service, &["dead", "failed"], STOP_DEADLINE)
        .observe(service);
    SUBJECT.run(&scenario, vec![])
});

/// The third part of the data never arrives.
pub(crate) static HANGING_START: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start with data that stalls")
        .start(service)
        .wait_for_state(service, &["failed", "auto-restart"], HANGING_START_DEADLINE)
        .observe(service);
    SUBJECT.run(
        &scenario,
        vec![SUBJECT.environment(service, &["DATA_STALL_AT=3"])],
    )
});

/// Sixty parts of half a second each.
pub(crate) static LONG_WARM_UP: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start with a warm-up of 30 s")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .observe(service);
    SUBJECT.run(
        &scenario,
        vec![SUBJECT.environment(service, &["DATA_PARTS=60"])],
    )
});

/// Reloads while a request is in flight: once with a good configuration, once with one that nobody can read.
pub(crate) static RELOAD: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let url = format!("http://{ADDRESS}/");
    let scenario = Scenario::new("reload with a good and with a bad configuration")
        .start(service)
        .wait_for_job(service, START_DEADLINE)
        .wait_for(
            Condition::Listening {
                address: ADDRESS.to_owned(),
            },
            LISTENING_DEADLINE,
        )
        .half_open(
            "in flight",
            ADDRESS,
            "GET / HTTP/1.1\r\nHost: localhost\r\n",
        )
        .sleep(READING)
        .step(configuration("greeting = Hello again!\n"))
        .reload(service)
        .wait_for_job(service, RELOAD_DEADLINE)
        .sleep(READING)
        .finish_request("in flight", "Connection: close\r\n\r\n", RESPONSE_DEADLINE)
        .step(configuration("greeting: Hello colon!\n"))
        .reload(service)
        .wait_for_job(service, RELOAD_DEADLINE)
        .sleep(READING)
        .get("after a bad configuration", &url, RESPONSE_DEADLINE)
        .observe(service);
    SUBJECT.run(&scenario, vec![])
});

/// Whether each reload brought a `STATUS=` with a text, whatever it says.
pub(crate) fn reload_statuses(timeline: &Timeline) -> String {
    let service = SUBJECT.service();
    let began: Vec<u64> = timeline
        .of(service)
        .filter(|event| {
            matches!(&event.kind, EventKind::StateChanged { to, .. } if to == "reload-signal")
        })
        .map(|event| event.at_us)
        .collect();
    let names = ["a good configuration", "a bad configuration"];
    let mut shown = String::new();
    for (index, name) in names.iter().enumerate() {
        let from = began.get(index).copied().unwrap_or(u64::MAX);
        let to = began.get(index + 1).copied().unwrap_or(u64::MAX);
        let status = new_status(timeline, from, to);
        shown.push_str(&format!("{name:<20}  {status}\n"));
    }
    shown
}

fn configuration(content: &str) -> Step {
    Step::WriteFile {
        path: "/etc/hello-world.conf".to_owned(),
        content: content.to_owned(),
        mode: 0o644,
    }
}

/// What is heard of the bare process, or why nothing is.
type Heard = Result<Transcript, Arc<LabError>>;

fn heard(transcript: Result<Transcript, ProtocolError>) -> Heard {
    transcript.map_err(host_error)
}

pub(crate) static PROTOCOL: LazyLock<Heard> =
    LazyLock::new(|| heard(protocol::with_notify_socket(SUBJECT.binary())));

pub(crate) static BY_HAND: LazyLock<Heard> = LazyLock::new(|| {
    // One after the other: both need the service's port on this machine.
    LazyLock::force(&PROTOCOL);
    heard(protocol::by_hand(SUBJECT.binary()))
});

/// In which phases the service set a `STATUS=` text. Where exactly in a phase, and how often, is its own affair.
pub(crate) fn statuses(timeline: &Timeline) -> String {
    let service = SUBJECT.service();
    let entered = |state: &str| {
        let event = timeline.first(
            service,
            |kind| matches!(kind, EventKind::StateChanged { to, .. } if to == state),
        );
        event.map_or(u64::MAX, |event| event.at_us)
    };
    let ready = timeline
        .first_notification(service, "READY=1")
        .map_or(u64::MAX, |(event, _)| event.at_us);
    let stopping = entered("stop-sigterm");
    let phases = [
        ("warming up", 0, ready),
        ("ready", ready, stopping),
        ("stopping", stopping, u64::MAX),
    ];
    let mut shown = String::new();
    for (phase, from, to) in phases {
        let status = new_status(timeline, from, to);
        shown.push_str(&format!("{phase:<10}  {status}\n"));
    }
    shown
}

/// Whether the service sent a `STATUS=` with a text at such a time.
fn new_status(timeline: &Timeline, from_us: u64, to_us: u64) -> &'static str {
    let mut statuses = timeline
        .of(SUBJECT.service())
        .filter(|event| (from_us..to_us).contains(&event.at_us));
    let is_set = statuses.any(|event| match &event.kind {
        EventKind::Notified { assignments, .. } => assignments.iter().any(|one| {
            one.strip_prefix("STATUS=")
                .is_some_and(|text| !text.trim().is_empty())
        }),
        _ => false,
    });
    if is_set {
        "a new STATUS="
    } else {
        "no new STATUS="
    }
}
