//! What is tried: two runs in the lab, and the table.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use exercise_check::{CheckError, Run, lab};
use systemd_lab::protocol::{Condition, Scenario, Step};
use systemd_lab::{GuestFile, Timeline};

use crate::SUBJECT;
use crate::table::{self, Table};

/// Longer than systemd's own time limit for a start (90 s).
const START_DEADLINE: Duration = Duration::from_secs(120);

/// The task promises a restart within 20 s. A start takes a few moments more.
const RESTART_DEADLINE: Duration = Duration::from_secs(21);

/// systemd restarts the worker within 20 s, and the worker then has three items, of one second each.
const WORK: Duration = Duration::from_secs(30);

/// By then, everything that restarts within 20 s has restarted.
const SETTLED: Duration = Duration::from_secs(30);

/// The worker is in the middle of its work.
const HALF_AN_ITEM: Duration = Duration::from_millis(500);

/// A service of Type=exec runs, for systemd, as soon as its program is executed. It needs a moment until it listens to
/// SIGTERM, and before that the signal would end it. Nobody is to blame for that.
const LISTENS: Duration = Duration::from_secs(1);

/// signal(7), x86-64. SIGABRT dumps core; so does SIGSEGV, but Rust's runtime takes the first one that is sent from outside.
const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;
const SIGTERM: i32 = 15;

/// Where the services look for their configuration.
const CONFIGURATION: &str = "/etc/hello-world.conf";

/// Each of the three ends in every way that the task names.
pub(crate) static ENDS: LazyLock<Run> = LazyLock::new(|| {
    let (web, worker, database) = (SUBJECT.service(), worker(), database());
    let rival = SUBJECT.unit("-rival");
    let mut scenario = Scenario::new("three services and how they end")
        .start(web)
        .wait_for_job(web, START_DEADLINE);
    for signal in [SIGKILL, SIGABRT, SIGTERM] {
        scenario = scenario
            .sleep(LISTENS)
            .signal(web, signal)
            .step(comes_back(web));
    }
    let scenario = scenario
        .start(&worker)
        // Not the end of its start job: with Type=oneshot, that is the end of its work.
        .wait_for_state(&worker, &["start", "running"], START_DEADLINE)
        .sleep(HALF_AN_ITEM)
        .signal(&worker, SIGKILL)
        .sleep(WORK)
        .step(configuration("items = 1\n"))
        .start(&worker)
        .sleep(WORK)
        .start(&database)
        .wait_for_job(&database, START_DEADLINE)
        .signal(&database, SIGABRT)
        .sleep(SETTLED)
        .start(&database)
        .wait_for_job(&database, START_DEADLINE)
        .signal(&database, SIGKILL)
        .sleep(SETTLED)
        .start(&rival)
        .wait_for_job(&rival, START_DEADLINE)
        .start(&database)
        .step(enters(&database, &["auto-restart", "failed"]))
        .stop(&rival)
        .step(comes_back(&database))
        .observe(web)
        .observe(&worker)
        .observe(&database);
    let rival_unit = format!(
        "[Service]\nType=exec\nExecStart={} database\n",
        SUBJECT.guest_binary()
    );
    Run::of(
        &SUBJECT,
        scenario,
        vec![
            GuestFile::text(CONFIGURATION, "items = 3\nbroken = 2\n"),
            GuestFile::unit(&rival, rival_unit),
        ],
    )
});

/// All three are started with a configuration that no program can understand.
pub(crate) static BAD_CONFIGURATION: LazyLock<Run> = LazyLock::new(|| {
    let units = [SUBJECT.service().to_owned(), worker(), database()];
    let mut scenario = Scenario::new("a configuration error");
    for unit in &units {
        scenario = scenario.start(unit).observe(unit);
    }
    let scenario = scenario.sleep(SETTLED);
    let file = GuestFile::text(CONFIGURATION, "greeting: Hello World!\n");
    Run::of(&SUBJECT, scenario, vec![file])
});

/// What systemd does in each cell of the table. It does not use any of the attendee's files.
pub(crate) static TABLE: LazyLock<Result<Table, Arc<CheckError>>> =
    LazyLock::new(|| table::measure(lab()?).map_err(|error| Arc::new(error.into())));

pub(crate) fn worker() -> String {
    SUBJECT.unit("-worker")
}

pub(crate) fn database() -> String {
    SUBJECT.unit("-database")
}

/// Waits for a restart, but not forever: by then, a service that stays down has shown that.
fn comes_back(unit: &str) -> Step {
    enters(unit, &["running"])
}

fn enters(unit: &str, states: &[&str]) -> Step {
    Step::WaitFor {
        condition: Condition::NextSubState {
            unit: unit.to_owned(),
            any_of: states.iter().map(|state| state.to_string()).collect(),
        },
        deadline: RESTART_DEADLINE,
    }
}

/// What a step of [`ENDS`] waited for in vain, if the run ended there.
pub(crate) fn waited_for(timeline: &Timeline) -> Option<&'static Condition> {
    match ENDS.step(timeline.step_that_timed_out()?)? {
        Step::WaitFor { condition, .. } => Some(condition),
        _ => None,
    }
}

fn configuration(content: &str) -> Step {
    Step::WriteFile {
        path: CONFIGURATION.to_owned(),
        content: content.to_owned(),
        mode: 0o644,
    }
}
