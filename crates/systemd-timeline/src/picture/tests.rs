//! Every picture fits, is well-formed, and is the same for services that behave the same.

use std::collections::BTreeSet;

use roxmltree::Document;
use systemd_lab_protocol::event::{ResponseOutcome, Source, StepOutcome};
use systemd_lab_protocol::{Event, EventKind};

use super::*;
use crate::compare::{Tolerance, compare};

mod hang;

const UNIT: &str = "t.service";

fn event(at_ms: u64, kind: EventKind) -> Event {
    let is_about_no_unit = matches!(
        kind,
        EventKind::ScenarioBegan { .. } | EventKind::ScenarioEnded | EventKind::Response { .. }
    );
    Event {
        at_us: at_ms * 1000,
        unit: (!is_about_no_unit).then(|| UNIT.to_owned()),
        source: Source::Agent,
        kind,
    }
}

fn began() -> Event {
    let name = "t".to_owned();
    event(0, EventKind::ScenarioBegan { name })
}

fn changed(at_ms: u64, from: &str, to: &str) -> Event {
    let (from, to) = (from.into(), to.into());
    event(at_ms, EventKind::StateChanged { from, to })
}

fn notified(at_ms: u64, assignments: &[&str]) -> Event {
    let assignments = assignments.iter().map(|one| one.to_string()).collect();
    event(
        at_ms,
        EventKind::Notified {
            pid: 7,
            assignments,
        },
    )
}

fn logged(at_ms: u64, message: &str) -> Event {
    let message = message.to_owned();
    event(
        at_ms,
        EventKind::Log {
            priority: 6,
            message,
        },
    )
}

/// A start, a kill by the watchdog, a restart, a request and a long wait.
fn short(slack_ms: u64) -> Timeline {
    let message = "Watchdog timeout (limit 10s)!".to_owned();
    let killed = 10_140 + slack_ms;
    let restarted = killed + 5_000 + slack_ms;
    let outcome = ResponseOutcome::Answered {
        status: 200,
        body: "Hello <World> & all".into(),
    };
    Timeline::new(vec![
        began(),
        changed(50, "dead", "start"),
        notified(140, &["READY=1", "STATUS=ready"]),
        changed(141, "start", "running"),
        notified(3_200, &["WATCHDOG=1"]),
        event(killed, EventKind::WatchdogTimeout { message }),
        changed(killed, "running", "stop-watchdog"),
        changed(killed + 5, "stop-watchdog", "auto-restart"),
        event(restarted, EventKind::RestartScheduled { counter: 1 }),
        changed(restarted, "auto-restart", "auto-restart-queued"),
        changed(restarted + 10, "auto-restart-queued", "start"),
        changed(restarted + 90, "start", "running"),
        event(
            restarted + 95,
            EventKind::Response {
                name: "first".into(),
                outcome,
            },
        ),
        event(restarted + 300_100, EventKind::ScenarioEnded),
    ])
}

fn real() -> Timeline {
    let events = include_str!("fixtures/deadlock.json")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event of a real run"));
    Timeline::new(events.collect())
}

fn pictured(timeline: &Timeline) -> (Rows, Layout) {
    let rows = Rows::of(
        timeline,
        &Picture::everything(timeline).units,
        true,
        &Default::default(),
    );
    let layout = Layout::of(&rows, None);
    (rows, layout)
}

/// The words of a picture, in the order in which they are drawn.
fn words_in(document: &Document<'_>) -> Vec<String> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    texts
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

#[test]
fn a_small_one() {
    let svg = Picture::of(&[UNIT])
        .title("killed by the watchdog")
        .render(&short(0));
    insta::assert_snapshot!("small", svg);
}

#[test]
fn a_real_one() {
    let timeline = real();
    let svg = Picture::everything(&timeline)
        .title(timeline.scenario())
        .render(&timeline);
    insta::assert_snapshot!("real", svg);
}

#[test]
fn times_are_those_of_the_text() {
    let timeline = short(249);
    let svg = Picture::of(&[UNIT]).render(&timeline);
    let document = Document::parse(&svg).expect("it is well-formed");
    let is_time = |node: &roxmltree::Node<'_, '_>| node.attribute("class") == Some("time");
    let shown = document.descendants().filter(is_time);
    let shown: Vec<&str> = shown.filter_map(|node| node.text()).collect();
    let mut told: Vec<String> = timeline
        .seconds()
        .into_iter()
        .map(crate::clock_time)
        .collect();
    told.dedup();
    assert_eq!(shown, ["0:00", "0:10", "0:16", "5:16"]);
    // The ping at 3.2 s is a tick, without a time.
    told.retain(|time| time != "0:03");
    assert_eq!(shown, told);
}

#[test]
fn rows_never_touch_and_all_words_fit() {
    let long = "a long line, of many words and onewordthatismuchtoolongtofitintoanylineofthepictureatall. ";
    let mut events = short(0).events().to_vec();
    events.push(logged(16_000, &long.repeat(5)));
    events.push(logged(
        16_000,
        "日本語の行は二倍の幅をとるので早く折り返さなければならないはずです",
    ));
    for timeline in [real(), Timeline::new(events)] {
        let (_, layout) = pictured(&timeline);
        for two in layout.rows.windows(2) {
            let lines = u32::try_from(two[0].lines.len()).expect("few lines");
            assert!(two[1].y >= two[0].y + lines * layout::LINE);
        }
        let lines = layout.rows.iter().flat_map(|place| &place.lines);
        for line in lines {
            assert!(layout::fits(line, layout.words_x), "{line}");
        }
    }
}

#[test]
fn short_waits_keep_their_proportion_and_long_ones_are_broken() {
    let (_, layout) = pictured(&Timeline::new(vec![
        began(),
        changed(0, "dead", "start"),
        changed(5_000, "start", "running"),
        changed(15_000, "running", "stop-sigterm"),
        changed(315_000, "stop-sigterm", "failed"),
        changed(36_315_000, "failed", "dead"),
    ]));
    let gaps: Vec<u32> = layout
        .rows
        .windows(2)
        .map(|two| two[1].y - two[0].y - layout::LINE)
        .collect();
    assert_eq!(gaps[1], 2 * gaps[0]);
    assert_eq!(gaps[2], gaps[3], "a break is as high as any other");
    let breaks: Vec<&str> = layout
        .breaks
        .iter()
        .map(|one| one.lines[0].as_str())
        .collect();
    assert_eq!(breaks, ["5 min", "10 h"]);
    let times: Vec<&str> = layout
        .rows
        .iter()
        .filter_map(|place| place.time.as_deref())
        .collect();
    assert_eq!(times, ["0:00", "0:05", "0:15", "5:15", "10:05:15"]);
}

#[test]
fn pings_are_ticks_and_in_a_long_wait_only_words() {
    let pings = |until: u64| (1..until / 3_000).map(|turn| notified(turn * 3_000, &[rows::PING]));
    let with_pings = |until: u64| {
        let mut events = vec![began(), changed(0, "start", "running")];
        events.extend(pings(until));
        events.push(changed(until, "running", "dead"));
        pictured(&Timeline::new(events))
    };
    let (rows, layout) = with_pings(12_000);
    assert_eq!((rows.rows.len(), layout.ticks.len()), (2, 3));
    assert_eq!(layout.legends.len(), 1);
    let (rows, layout) = with_pings(36_000_000);
    assert_eq!((rows.rows.len(), layout.ticks.len()), (2, 0));
    assert_eq!(layout.breaks[0].lines, ["10 h, WATCHDOG=1 every 3 s"]);
}

#[test]
fn a_status_that_counts_is_shown_once() {
    let mut events = vec![began(), changed(0, "start", "running")];
    events.extend((0..50).map(|turn| {
        let status = format!("STATUS={turn} visits");
        notified(1_000 + turn * 100, &["WATCHDOG=1", &status])
    }));
    let (rows, _) = pictured(&Timeline::new(events));
    let texts: Vec<&str> = rows.rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["running", "STATUS=0 visits"]);
}

#[test]
fn what_differs_from_run_to_run_is_not_shown() {
    let reloading = |stamp: &str| {
        let events = vec![began(), notified(5, &["RELOADING=1", stamp])];
        Picture::of(&[UNIT]).render(&Timeline::new(events))
    };
    assert_eq!(reloading("MONOTONIC_USEC=1"), reloading("MONOTONIC_USEC=2"));
}

#[test]
fn what_one_systemd_tells_another_is_not_a_row() {
    let events = vec![
        began(),
        notified(5, &["X_SYSTEMD_UNIT_ACTIVE=basic.target"]),
        notified(6, &["X_SYSTEMD_SIGNALS_LEVEL=2", "READY=1"]),
    ];
    let (rows, _) = pictured(&Timeline::new(events));
    let texts: Vec<&str> = rows.rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["READY=1"]);
}

#[test]
fn any_text_is_escaped() {
    let hostile = "</text><script>alert(\"1\")</script> & \u{0}\u{1b}[31m ]]> é";
    let timeline = Timeline::new(vec![began(), logged(5, hostile)]);
    let svg = Picture::of(&[UNIT]).title(hostile).logs().render(&timeline);
    let document = Document::parse(&svg).expect("it is well-formed");
    assert!(
        !document
            .descendants()
            .any(|node| node.tag_name().name() == "script")
    );
    let words = words_in(&document).join(" ");
    assert!(
        words.contains("log: </text><script>alert(\"1\")</script>"),
        "{words}"
    );
    assert!(words.contains("& \u{fffd}\u{fffd}[31m ]]> é"), "{words}");
}

#[test]
fn identifiers_are_unique_and_the_bytes_always_the_same() {
    let (short, real) = (short(0), real());
    let both = || {
        let of_real = Picture::everything(&real);
        column(&[(Picture::of(&[UNIT]), &short), (of_real, &real)])
            + &Picture::of(&[UNIT]).id("again").render(&short)
    };
    assert_eq!(both(), both());
    let page = format!("<page>{}</page>", both());
    let document = Document::parse(&page).expect("it is well-formed");
    let ids: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!((ids.len(), unique.len()), (6, 6), "{ids:?}");
    let names = document
        .descendants()
        .filter_map(|node| node.attribute("aria-labelledby"))
        .flat_map(|names| names.split(' '));
    for name in names {
        assert!(unique.contains(name), "{name}");
    }
}

#[test]
fn markdown_takes_it_for_one_piece() {
    let svg = Picture::of(&[UNIT]).title("one\n\ntwo").render(&short(0));
    assert!(svg.lines().all(|line| !line.trim().is_empty()));
}

#[test]
fn a_scenario_that_gave_up_says_so_in_no_lane() {
    let gave_up = EventKind::StepEnded {
        index: 3,
        label: None,
        outcome: StepOutcome::DeadlinePassed,
    };
    let mut gave_up = event(30_000, gave_up);
    gave_up.unit = None;
    let (rows, _) = pictured(&Timeline::new(vec![
        began(),
        changed(0, "dead", "start"),
        gave_up,
    ]));
    assert_eq!(rows.lanes, [UNIT]);
    let last = rows.rows.last().expect("there are two");
    assert_eq!(
        (last.lane, last.text.as_str()),
        (None, "the scenario gave up waiting")
    );
}

/// A service that is restarted this many times, each time after a second, until systemd gives up.
fn restless(times: u32) -> Rows {
    let mut events = vec![began()];
    for counter in 1..=times {
        let at_ms = u64::from(counter) * 1_000;
        events.push(event(at_ms, EventKind::RestartScheduled { counter }));
        events.push(changed(at_ms, "auto-restart", "start"));
        events.push(changed(at_ms, "start", "auto-restart"));
    }
    let given_up = u64::from(times) * 1_000 + 1_000;
    events.push(event(given_up, EventKind::StartLimitHit));
    events.push(changed(given_up, "auto-restart", "failed"));
    fold::folded(pictured(&Timeline::new(events)).0)
}

#[test]
fn what_happens_over_and_over_is_counted() {
    let rows = restless(600);
    let told: Vec<String> = rows
        .rows
        .iter()
        .map(|row| format!("{} {}", row.seconds(), row.text))
        .collect();
    let expected = [
        "1 restart 1",
        "1 start",
        "1 auto-restart",
        "2 restart 2",
        "2 start",
        "2 auto-restart",
        "3 … the same 597 times more …",
        "600 restart 600",
        "600 start",
        "600 auto-restart",
        "601 start limit hit",
        "601 failed",
    ];
    assert_eq!(told, expected);
    let lane: Vec<(usize, usize)> = rows.spans.iter().map(|span| span.rows).collect();
    // There are no gaps: each state begins where the previous one ended.
    assert!(lane.windows(2).all(|two| two[0].1 == two[1].0), "{lane:?}");
    assert_eq!(lane.last(), Some(&(9, 11)));
}

#[test]
fn what_happens_a_few_times_is_drawn_each_time() {
    assert_eq!(restless(5).rows.len(), 5 * 3 + 2);
}

#[test]
fn nothing_is_a_picture_too() {
    let svg = Picture::of(&[]).render(&Timeline::new(Vec::new()));
    let document = Document::parse(&svg).expect("it is well-formed");
    assert_eq!(words_in(&document), ["0:00", "nothing happened"]);
}

#[test]
fn the_essence_makes_the_same_picture() {
    let whole = real();
    let picture = Picture::everything(&whole);
    let essence = picture.essence(&whole);
    assert!(essence.events().len() < whole.events().len());
    assert_eq!(picture.render(&essence), picture.render(&whole));
    assert_eq!(picture.lines(&essence), picture.lines(&whole));
    assert_eq!(
        picture.essence(&essence),
        essence,
        "nothing is left to take"
    );
}

#[test]
fn the_essence_is_the_same_after_another_boot() {
    let picture = Picture::of(&[UNIT]);
    let difference = |one: &Timeline, other: &Timeline| {
        let moments = |it: &Timeline| {
            let words = |event: &Event| Some(format!("{:?}", event.kind));
            picture.essence(it).moments(words)
        };
        compare(&moments(one), &moments(other), Tolerance::SAME_SERVICE)
    };
    assert_eq!(difference(&short(0), &short(240)), None);
    // 200 pings, with and without a timer's slack.
    let long = |every_ms: u64| {
        let mut events = vec![began(), changed(0, "start", "running")];
        events.extend((1..600_000 / every_ms).map(|turn| notified(turn * every_ms, &[rows::PING])));
        events.push(changed(600_000, "running", "dead"));
        Timeline::new(events)
    };
    assert_eq!(difference(&long(3_100), &long(3_000)), None);
    assert_eq!(picture.render(&long(3_100)), picture.render(&long(3_000)));
}

#[test]
fn in_words_each_row_is_a_line() {
    insta::assert_snapshot!("words", Picture::of(&[UNIT]).lines(&short(0)).join("\n"));
}

#[test]
fn what_happens_at_once_has_one_order() {
    let opened = |at_ms| {
        let address = "127.0.0.1:80".to_owned();
        event(at_ms, EventKind::ListenerOpened { address })
    };
    let closed = |at_ms| {
        let address = "127.0.0.1:80".to_owned();
        event(at_ms, EventKind::ListenerClosed { address })
    };
    let order = |events: Vec<Event>| -> Vec<String> {
        let essence = Picture::of(&["t.service"]).essence(&Timeline::new(events));
        let words = |event: &Event| crate::describe(&event.kind);
        essence.events().iter().filter_map(words).collect()
    };
    let running = || changed(1000, "start", "running");
    let stopping = || changed(5000, "running", "stop-sigterm");
    let one = order(vec![opened(990), running(), closed(4990), stopping()]);
    let other = order(vec![opened(1010), running(), closed(5010), stopping()]);
    assert_eq!(one, other);
    assert_eq!(
        one,
        [
            "listening on 127.0.0.1:80",
            "start -> running",
            "running -> stop-sigterm",
            "no longer listening on 127.0.0.1:80"
        ]
    );
}
