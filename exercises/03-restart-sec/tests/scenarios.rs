//! What is tried: an outage that ends, and one that does not.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{ADDRESS, Seen};
use systemd_lab::protocol::{Condition, Scenario, Step};

use crate::SUBJECT;

/// The environment variable that tells the service where its database is.
const DATABASE: &str = "DATABASE=127.0.0.1:7879";

/// How long the database is down: longer than any single delay, so that several starts fail.
pub(crate) const OUTAGE: Duration = Duration::from_secs(120);

/// From the database's start to the request: the service must answer 3 min after its first start.
const BACK_TO_WORK: Duration = Duration::from_secs(60);

/// How many runs fail or are refused: the four starts that the exercise asks for, and one too many.
const FAILURES: usize = 5;

/// From one failure to the next: longer than the longest delay of 80 s and the two seconds that a start takes.
const FAILURE_DEADLINE: Duration = Duration::from_secs(100);

/// A service that has not reached the limit after the last of these failures never will. People see whole seconds, and the end of
/// such a run must not depend on how long a start takes with a particular build. So neither this deadline nor the end of the run,
/// half a second later, is near a whole second.
const GIVING_UP_DEADLINE: Duration = Duration::from_millis(1300);

/// Long enough for an alert, and short enough that a start by hand is still within the five minutes.
const AFTER_GIVING_UP: Duration = Duration::from_secs(30);

/// The time for refusing a manual start. Its job cannot be waited for: the unit has had one that ended already.
const REFUSAL: Duration = Duration::from_secs(2);

/// Longer than the longest delay: a restart that the stop did not cancel would show.
const AFTER_STOP: Duration = Duration::from_secs(120);

/// The time until a database listens, and until a service is ready, two seconds after its start.
const START_TIME: Duration = Duration::from_secs(5);

/// For a response on loopback.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(5);

/// The database starts two minutes after the service.
pub(crate) static OUTAGE_ENDS: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let scenario = Scenario::new("start two minutes before the database")
        .start(service)
        .sleep(OUTAGE)
        .start(&SUBJECT.unit("-database"))
        .sleep(BACK_TO_WORK)
        .get(
            "3 minutes after the first start",
            &format!("http://{ADDRESS}/"),
            RESPONSE_DEADLINE,
        )
        .observe(service);
    SUBJECT.run(&scenario, vec![SUBJECT.environment(service, &[DATABASE])])
});

/// The labels of a person's steps in [`CRASH_LOOP`]: a start while the start limit is in effect, `reset-failed`, a stop while
/// systemd waits to restart, and the start of the database.
pub(crate) const START_BY_HAND: &str = "start by hand";
pub(crate) const RESET: &str = "reset";
pub(crate) const STOP_BY_HAND: &str = "stop";
pub(crate) const DATABASE_STARTS: &str = "database starts";

/// The database never starts. Then a person tries everything there is: a manual start, `reset-failed`, and another start, which a
/// stop ends while systemd waits to restart; then the database and the service are started.
pub(crate) static CRASH_LOOP: LazyLock<Seen> = LazyLock::new(|| {
    let service = SUBJECT.service();
    let failed = || Condition::NextSubState {
        unit: service.to_owned(),
        any_of: vec!["auto-restart".to_owned(), "failed".to_owned()],
    };
    let crash_loop = (0..FAILURES).fold(
        Scenario::new("the database never comes").start(service),
        |scenario, _| scenario.wait_for(failed(), FAILURE_DEADLINE),
    );
    let scenario = crash_loop
        .wait_for_state(service, &["failed"], GIVING_UP_DEADLINE)
        .sleep(AFTER_GIVING_UP)
        .start(service)
        .labelled(START_BY_HAND)
        .sleep(REFUSAL)
        .step(Step::ResetFailed {
            unit: service.to_owned(),
        })
        .labelled(RESET)
        .start(service)
        .wait_for(failed(), FAILURE_DEADLINE)
        .stop(service)
        .labelled(STOP_BY_HAND)
        .sleep(AFTER_STOP)
        .start(&SUBJECT.unit("-database"))
        .labelled(DATABASE_STARTS)
        .sleep(START_TIME)
        .start(service)
        .sleep(START_TIME)
        .get(
            "after reset-failed, with the database up",
            &format!("http://{ADDRESS}/"),
            RESPONSE_DEADLINE,
        )
        .observe(service);
    SUBJECT.run(&scenario, vec![SUBJECT.environment(service, &[DATABASE])])
});
