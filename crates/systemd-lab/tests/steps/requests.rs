//! Requests: in the foreground and the background, whole and in pieces, answered and not.

use std::time::Duration;

use systemd_lab::protocol::event::{ResponseOutcome, StepOutcome};
use systemd_lab::protocol::{Condition, Scenario, Step};

use crate::support::{LONG, PROGRAM, UNIT, program, run, unit};
use crate::{answered, assert_all_done, outcomes};

const ADDRESS: &str = "127.0.0.1:8080";

/// Shorter than `/slow` takes.
const HASTY: Duration = Duration::from_secs(1);

fn url(path: &str) -> String {
    format!("http://{ADDRESS}{path}")
}

fn request(name: &str, method: &str, path: &str, deadline: Duration) -> Step {
    Step::Request {
        name: name.into(),
        method: method.into(),
        url: url(path),
        body: (method == "POST").then(|| "a body".to_owned()),
        deadline,
        background: false,
    }
}

fn in_background(name: &str, path: &str, deadline: Duration) -> Step {
    match request(name, "GET", path, deadline) {
        Step::Request {
            name,
            method,
            url,
            body,
            deadline,
            ..
        } => Step::Request {
            name,
            method,
            url,
            body,
            deadline,
            background: true,
        },
        other => other,
    }
}

fn listening() -> Scenario {
    let address = ADDRESS.to_owned();
    Scenario::new("requests")
        .get("too early", &url("/"), LONG)
        .start(UNIT)
        .wait_for(Condition::Listening { address }, LONG)
}

#[test]
fn requests_and_their_outcomes() {
    let wait = |name: &str| Step::AwaitResponse { name: name.into() };
    let scenario = listening()
        .get("get", &url("/"), LONG)
        .step(request("post", "POST", "/", LONG))
        .get("missing", &url("/missing"), LONG)
        .step(in_background("slow", "/slow", LONG))
        .step(in_background("hasty", "/slow", HASTY))
        .get("meanwhile", &url("/"), LONG)
        .step(wait("slow"))
        .step(wait("hasty"))
        .step(request("never", "GET", "/never", LONG))
        .get("half", &url("/half"), LONG)
        .stop(UNIT)
        .wait_for_state(UNIT, &["dead"], LONG)
        .get("too late", &url("/"), LONG);
    let steps = scenario.steps.len();
    let timeline = run(
        &scenario,
        &[
            unit(&format!("ExecStart={PROGRAM} serve {ADDRESS}")),
            program(),
        ],
    );
    assert_all_done(&timeline, steps);
    let outcome = |name| {
        timeline
            .response(name)
            .unwrap_or_else(|| panic!("nothing of {name}"))
    };
    assert_eq!(outcome("too early"), &ResponseOutcome::Refused);
    assert_eq!(outcome("get"), &answered(200, "hello"));
    assert_eq!(outcome("post"), &answered(200, "got a body"));
    assert_eq!(outcome("missing"), &answered(404, "no such page"));
    assert_eq!(outcome("slow"), &answered(200, "at last"));
    assert_eq!(outcome("hasty"), &ResponseOutcome::TimedOut);
    assert_eq!(outcome("meanwhile"), &answered(200, "hello"));
    assert_eq!(outcome("never"), &ResponseOutcome::TimedOut);
    assert!(
        matches!(outcome("half"), ResponseOutcome::Broken { .. }),
        "{:?}",
        outcome("half")
    );
    assert_eq!(outcome("too late"), &ResponseOutcome::Refused);
}

#[test]
fn connections_that_are_kept_half_open() {
    let scenario = listening()
        .half_open("finished", ADDRESS, "GET / HTTP/1.1\r\nHost: x\r\n")
        .half_open("abandoned", ADDRESS, "GET / HTTP/1.1\r\n")
        .half_open("killed", ADDRESS, "GET")
        .sleep(Duration::from_secs(100))
        .finish_request("finished", "\r\n", LONG)
        .step(Step::CloseConnection {
            name: "abandoned".into(),
        })
        .signal(UNIT, 9)
        .wait_for_state(UNIT, &["failed"], LONG)
        .finish_request("killed", " / HTTP/1.1\r\n\r\n", LONG);
    let steps = scenario.steps.len();
    let files = [
        unit(&format!("ExecStart={PROGRAM} serve {ADDRESS}")),
        program(),
    ];
    let timeline = run(&scenario, &files);
    assert_all_done(&timeline, steps);
    assert_eq!(timeline.response("finished"), Some(&answered(200, "hello")));
    let killed = timeline.response("killed");
    assert!(
        matches!(killed, Some(ResponseOutcome::Broken { .. })),
        "{killed:?}"
    );

    let twice = Step::CloseConnection {
        name: "abandoned".into(),
    };
    let timeline = run(&listening().step(twice), &files);
    let last = outcomes(&timeline).pop();
    assert!(
        matches!(last, Some(StepOutcome::Refused { error, .. }) if error == "ENOTCONN"),
        "{last:?}"
    );
}

/// Nothing in the scenario can reach anything outside the guest.
#[test]
fn only_the_loopback_can_be_asked() {
    let timeline = run(
        &Scenario::new("elsewhere").get("elsewhere", "http://192.0.2.1/", LONG),
        &[],
    );
    let last = outcomes(&timeline).pop();
    assert!(
        matches!(last, Some(StepOutcome::Refused { error, .. }) if error == "EINVAL"),
        "{last:?}"
    );
}
