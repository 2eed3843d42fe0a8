//! A service that systemd calls running, but that does not answer.

use systemd_lab_protocol::event::ProbeOutcome;

use super::super::rows::State;
use super::*;

fn probed(at_ms: u64, outcome: ProbeOutcome) -> Event {
    let kind = EventKind::ProbeChanged {
        name: "GET /".to_owned(),
        outcome,
        attempts_before: 0,
    };
    Event {
        unit: None,
        ..event(at_ms, kind)
    }
}

/// A service that hangs from 10 s on, until its watchdog kills it.
fn hang() -> Vec<Event> {
    let message = "Watchdog timeout (limit 10s)!".to_owned();
    vec![
        began(),
        changed(0, "dead", "running"),
        probed(1_000, ProbeOutcome::Answered { status: 200 }),
        probed(10_000, ProbeOutcome::TimedOut),
        event(20_000, EventKind::WatchdogTimeout { message }),
        changed(20_000, "running", "stop-watchdog"),
        changed(20_001, "stop-watchdog", "auto-restart"),
        probed(21_000, ProbeOutcome::Refused),
        changed(25_000, "auto-restart", "running"),
        probed(26_000, ProbeOutcome::Answered { status: 200 }),
        event(30_000, EventKind::ScenarioEnded),
    ]
}

fn states(rows: &Rows, lane: usize) -> Vec<(State, u64, u64)> {
    let of_lane = rows.spans.iter().filter(|span| span.lane == lane);
    let seconds = |row: usize| rows.rows[row].seconds();
    of_lane
        .map(|span| (span.state, seconds(span.rows.0), seconds(span.rows.1)))
        .collect()
}

#[test]
fn a_hang_is_hatched_and_requests_without_an_answer_are_red() {
    let timeline = Timeline::new(hang());
    let (rows, _) = pictured(&timeline);
    let of_service = states(&rows, 0);
    assert_eq!(
        of_service,
        [
            (State::Running, 0, 10),
            (State::Hanging, 10, 20),
            (State::Waiting, 20, 25),
            // Until the next attempt, the last probe is the best information.
            (State::Hanging, 25, 26),
            (State::Running, 26, 30),
        ]
    );
    assert_eq!(rows.lanes[1], "requests");
    assert_eq!(
        states(&rows, 1),
        [
            (State::Dead, 0, 10),
            (State::Unanswered, 10, 26),
            (State::Dead, 26, 30),
        ]
    );
    let picture = Picture::everything(&timeline).title("a hang");
    insta::assert_snapshot!("hang", picture.render(&timeline));
    let essence = picture.essence(&timeline);
    assert_eq!(picture.render(&essence), picture.render(&timeline));
}

/// A request says nothing about the process that comes after.
#[test]
fn a_request_counts_until_the_process_ends() {
    let timed_out = EventKind::Response {
        name: "first".into(),
        outcome: ResponseOutcome::TimedOut,
    };
    let (rows, _) = pictured(&Timeline::new(vec![
        began(),
        changed(0, "dead", "running"),
        event(5_000, timed_out),
        changed(10_000, "running", "auto-restart"),
        changed(15_000, "auto-restart", "running"),
        event(20_000, EventKind::ScenarioEnded),
    ]));
    let kinds: Vec<State> = states(&rows, 0).iter().map(|(state, ..)| *state).collect();
    let expected = [
        State::Running,
        State::Hanging,
        State::Waiting,
        State::Running,
    ];
    assert_eq!(kinds, expected);
}

/// With two services, it is unknown which was asked, unless only one of them listens.
#[test]
fn only_the_service_that_is_asked_hangs() {
    let both = |listens: bool| {
        let mut events = hang();
        events.insert(
            1,
            Event {
                unit: Some("other.service".to_owned()),
                ..changed(0, "dead", "running")
            },
        );
        if listens {
            let address = "127.0.0.1:80".to_owned();
            events.insert(2, event(0, EventKind::ListenerOpened { address }));
        }
        let (rows, _) = pictured(&Timeline::new(events));
        let hanging = rows.spans.iter().filter(|it| it.state == State::Hanging);
        let mut lanes: Vec<String> = hanging.map(|it| rows.lanes[it.lane].clone()).collect();
        lanes.dedup();
        lanes
    };
    assert_eq!(both(true), [UNIT]);
    assert_eq!(both(false), [] as [String; 0]);
}
