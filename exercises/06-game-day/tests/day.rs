//! A game day as a scenario: the customers, and the faults of a plan.

use std::time::Duration;

use exercise_check::ADDRESS;
use systemd_lab::protocol::scenario::{ProbeTarget, When, Whom};
use systemd_lab::protocol::{Scenario, Step};

use crate::SUBJECT;
use crate::plan::{
    self, BAD_FOR, FULL_FOR, Fault, PERSON_NEEDS, Part, Planned, SLOW_FOR, STOPPED_FOR,
};

/// The probe that stands for the customers who look at the page, one every two seconds.
pub(crate) const PAGE: &str = "page";
pub(crate) const PAGE_EVERY: Duration = Duration::from_secs(2);

/// Customers look at the page from then on: first at 1.4 s, because a probe waits for 0.45 s (`first_attempt`). So each
/// look is 0.1 s before a fault could come, and at least 0.5 s after the shop is ready again: loading takes 2.1 s from a
/// start at half a second, or from a timer of systemd's, which waits for a quarter.
pub(crate) const FIRST_CUSTOMER: Duration = Duration::from_millis(950);

/// One order every three seconds, a fifth of a second after a full one: then neither a fault nor a look at the page nor a
/// timer of systemd's comes at the same moment.
pub(crate) const FIRST_ORDER: Duration = Duration::from_millis(9_200);
pub(crate) const ORDER_EVERY: Duration = Duration::from_secs(3);

/// How long a customer waits for an answer.
pub(crate) const CUSTOMER_TIMEOUT: Duration = Duration::from_secs(3);

/// The requests of the check itself.
pub(crate) const LIST: &str = "all orders";
pub(crate) const RELOADED: &str = "after the reload";
pub(crate) const BADLY_RELOADED: &str = "with a bad configuration";

/// What the reload changes.
pub(crate) const NEW_GREETING: &str = "Autumn sale!";

/// Longer than `TimeoutStartSec=10s` and systemd's default of 90 s.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// After that the operator looks at what the reload did, and so does the check.
const LOOK: Duration = Duration::from_secs(5);

/// A command of the lab's own, such as filling a disk of two megabytes, takes less than a second.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// Between the damage and the end of the database: no order comes in it.
pub(crate) const DAMAGE_FIRST: Duration = Duration::from_millis(500);

/// signal(7), x86-64.
const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

const CONFIGURATION: &str = "/etc/hello-world.conf";

/// The unit of a part of the shop.
pub(crate) fn unit(part: Part) -> String {
    match part {
        Part::Web => SUBJECT.service().to_owned(),
        Part::Database => SUBJECT.unit("-database"),
        Part::Worker => SUBJECT.unit("-worker"),
    }
}

/// The unit that stands for all of the shop.
pub(crate) fn target() -> String {
    format!("{}.target", SUBJECT.package())
}

/// The name of an order's request.
pub(crate) fn order(number: u32) -> String {
    format!("order {number}")
}

/// How many orders come before `end`.
pub(crate) fn orders(end: Duration) -> u32 {
    let span = end.saturating_sub(FIRST_ORDER + CUSTOMER_TIMEOUT);
    (span.as_millis() / ORDER_EVERY.as_millis()) as u32
}

/// When an order comes. The first has number 1.
pub(crate) fn time_of_order(number: u32) -> Duration {
    FIRST_ORDER + ORDER_EVERY * (number - 1)
}

/// The scenario of a day with this plan.
pub(crate) fn scenario(name: &str, plan: &[Planned]) -> Scenario {
    let end = plan::end(plan);
    let mut scenario = Scenario::new(name)
        .go_on_when_refused()
        .start(DISK)
        .wait_for_job(DISK, START_DEADLINE)
        .start(&target())
        .sleep_until(FIRST_CUSTOMER)
        .step(Step::Probe {
            name: PAGE.to_owned(),
            target: ProbeTarget::Get(format!("http://{ADDRESS}/")),
            every: PAGE_EVERY,
            deadline: CUSTOMER_TIMEOUT,
        });
    for number in 1..=orders(end) {
        scenario = scenario.later(
            When::At(time_of_order(number)),
            Step::Request {
                name: order(number),
                method: "POST".to_owned(),
                url: format!("http://{ADDRESS}/orders"),
                body: Some(number.to_string()),
                deadline: CUSTOMER_TIMEOUT,
                background: true,
            },
        );
    }
    for planned in plan {
        for (step, (delay, what)) in steps(planned.fault).into_iter().enumerate() {
            scenario = scenario.later(When::At(planned.at + delay), what);
            if step == 0 {
                scenario = scenario.labelled(planned.fault.to_string());
            }
        }
    }
    scenario =
        scenario
            .sleep_until(end)
            .get(LIST, &format!("http://{ADDRESS}/orders"), CUSTOMER_TIMEOUT);
    for part in Part::ALL {
        scenario = scenario.observe(&unit(part));
    }
    scenario
}

/// The disk with the orders: small, so that it can be full.
pub(crate) const DISK: &str = "var-lib-shop.mount";

/// Its unit.
pub(crate) const DISK_UNIT: &str =
    "[Mount]\nWhat=tmpfs\nWhere=/var/lib/shop\nType=tmpfs\nOptions=size=2M,mode=0755\n";

/// What a fault does, each step with its delay.
fn steps(fault: Fault) -> Vec<(Duration, Step)> {
    let now = Duration::ZERO;
    let signal = |part: Part, signal: i32| Step::Signal {
        unit: unit(part),
        signal,
        whom: Whom::Main,
    };
    let configure = |content: &str| Step::WriteFile {
        path: CONFIGURATION.to_owned(),
        content: content.to_owned(),
        mode: 0o644,
    };
    let look = |name: &str| Step::Request {
        name: name.to_owned(),
        method: "GET".to_owned(),
        url: format!("http://{ADDRESS}/"),
        body: None,
        deadline: CUSTOMER_TIMEOUT,
        background: true,
    };
    let usual = configure(&format!("greeting = {USUAL_GREETING}\n"));
    let reload = Step::Reload {
        unit: unit(Part::Web),
    };
    let reset = |part: Part| Step::ResetFailed { unit: unit(part) };
    let start = Step::Start { unit: target() };
    match fault {
        Fault::Kill(part) => vec![(now, signal(part, SIGKILL))],
        Fault::Freeze(part) => vec![(now, signal(part, SIGSTOP))],
        Fault::OutOfMemory(part) => vec![(now, Step::OutOfMemory { unit: unit(part) })],
        Fault::SlowDatabase => vec![
            (now, signal(Part::Database, SIGSTOP)),
            (SLOW_FOR, signal(Part::Database, SIGCONT)),
        ],
        Fault::WedgedDatabase => vec![(
            now,
            Step::HalfOpen {
                name: "wedge".to_owned(),
                address: "127.0.0.1:7879".to_owned(),
                bytes: "FAULT deadlock\n".to_owned(),
            },
        )],
        Fault::FullDisk => vec![
            (
                now,
                command("dd if=/dev/zero of=/var/lib/shop/filler bs=4k 2>/dev/null"),
            ),
            (FULL_FOR, command("rm -f /var/lib/shop/filler")),
        ],
        Fault::BadConfiguration => vec![
            (now, configure("greeting: Hello World!\n")),
            (now, reload),
            (LOOK, look(BADLY_RELOADED)),
            (BAD_FOR, signal(Part::Web, SIGKILL)),
            (BAD_FOR + PERSON_NEEDS, usual),
            (BAD_FOR + PERSON_NEEDS, reset(Part::Web)),
            (BAD_FOR + PERSON_NEEDS, start),
        ],
        Fault::DamagedDatabase => vec![
            // A backup first: a person has one. The damage is in the second record.
            (
                now,
                command(
                    "cp /var/lib/shop/orders /var/lib/shop/backup && printf damage | dd of=/var/lib/shop/orders bs=1 seek=1030 conv=notrunc 2>/dev/null",
                ),
            ),
            (DAMAGE_FIRST, signal(Part::Database, SIGKILL)),
            (
                DAMAGE_FIRST + PERSON_NEEDS,
                command("mv /var/lib/shop/backup /var/lib/shop/orders"),
            ),
            (DAMAGE_FIRST + PERSON_NEEDS, reset(Part::Database)),
            (DAMAGE_FIRST + PERSON_NEEDS, start),
        ],
        Fault::Reload => vec![
            (now, configure(&format!("greeting = {NEW_GREETING}\n"))),
            (now, reload.clone()),
            (LOOK, look(RELOADED)),
            (LOOK, usual),
            (LOOK, reload),
        ],
        Fault::StopAndStart => vec![(now, Step::Stop { unit: target() }), (STOPPED_FOR, start)],
    }
}

/// The greeting as it usually is, once the operator has reloaded. It is not the one that holds without a configuration.
pub(crate) const USUAL_GREETING: &str = "Welcome to our shop!";

fn command(script: &str) -> Step {
    Step::Run {
        argv: ["/usr/bin/bash", "-c", script].map(str::to_owned).to_vec(),
        deadline: COMMAND_DEADLINE,
    }
}
