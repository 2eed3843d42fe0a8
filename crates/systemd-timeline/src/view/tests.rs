//! What a view shows, and what it leaves out.

use super::*;
use systemd_lab_protocol::event::Source;

fn event(at_ms: u64, kind: EventKind) -> Event {
    Event {
        at_us: at_ms * 1000,
        unit: Some("t.service".into()),
        source: Source::Agent,
        kind,
    }
}

fn changed(from: &str, to: &str) -> EventKind {
    EventKind::StateChanged {
        from: from.into(),
        to: to.into(),
    }
}

#[test]
fn distances_are_exact_but_for_what_happens_at_once() {
    let timeline = |restart_at: u64| {
        Timeline::new(vec![
            event(0, changed("dead", "start")),
            event(110, changed("start", "running")),
            event(restart_at, changed("running", "failed")),
        ])
    };
    let view = View::of(&["t.service"]).states();
    let expected = [
        "            t.service  dead -> start",
        "  +0.110 s  t.service  start -> running",
        " +10.249 s  t.service  running -> failed\n",
    ];
    assert_eq!(view.render(&timeline(110 + 10_249)), expected.join("\n"));
    let at_once = "            t.service  running -> failed\n";
    assert!(view.render(&timeline(110 + 49)).ends_with(at_once));
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let notified = EventKind::Notified {
        pid: 7,
        assignments: vec!["READY=1".into(), "STATUS=hi".into()],
    };
    let timeline = Timeline::new(vec![event(0, notified), event(1, changed("a", "b"))]);
    let view = View::of(&["t.service"]).notifications(&["STATUS="]);
    assert_eq!(view.render(&timeline), "            t.service  STATUS=…\n");
    assert_eq!(View::of(&["other.service"]).states().render(&timeline), "");
}

#[test]
fn what_a_unit_does_beside_its_main_process_can_be_left_out() {
    let exited = |role: &str| EventKind::ProcessExited {
        role: role.into(),
        code: "exited".into(),
        status: 0,
        command: None,
        is_ignored: false,
    };
    let timeline = Timeline::new(vec![
        event(0, changed("dead", "start-pre")),
        event(1, exited("start-pre")),
        event(2, changed("start-pre", "start")),
        event(3, changed("start", "running")),
        event(4, changed("running", "stop")),
        event(5, exited("stop")),
        event(6, changed("stop", "stop-sigterm")),
        event(7, exited("main")),
        event(8, changed("stop-sigterm", "stop-post")),
        event(9, changed("stop-post", "dead")),
    ]);
    let view = View::of(&["t.service"]).activity().main_exits();
    let shown = |lines: &[&str]| -> String {
        let lines = lines.iter();
        lines.map(|line| format!("t.service  {line}\n")).collect()
    };
    let stop = [
        "active -> deactivating",
        "main process exited, status 0",
        "deactivating -> inactive",
    ];
    let ready = |at_ms| {
        let (pid, assignments) = (7, vec!["READY=1".into()]);
        event(at_ms, EventKind::Notified { pid, assignments })
    };
    let twice = Timeline::new(vec![
        event(0, changed("dead", "start")),
        ready(1),
        event(2, changed("start", "running")),
        ready(3),
    ]);
    let told = View::of(&["t.service"]).notifications(&["READY=1"]);
    let count = |view: View| view.render(&twice).matches("READY=1").count();
    assert_eq!(count(told.clone().activity()), 1);
    assert_eq!(count(told.states()), 2);

    let view = view.without_distances();
    let all = [
        &["inactive -> activating", "activating -> active"],
        &stop[..],
    ]
    .concat();
    assert_eq!(view.render(&timeline), shown(&all));
    let since = view.clone().since("deactivating");
    assert_eq!(since.render(&timeline), shown(&stop));
    assert_eq!(view.until("active").render(&timeline), shown(&all[..1]));
}

#[test]
fn repeated_lines_are_shown_once() {
    let status = |text: &str| EventKind::Notified {
        pid: 7,
        assignments: vec![format!("STATUS={text}")],
    };
    let timeline = Timeline::new(vec![
        event(0, status("one")),
        event(500, status("two")),
        event(3000, changed("start", "running")),
    ]);
    let view = View::of(&["t.service"])
        .states()
        .notifications(&["STATUS="]);
    assert_eq!(
        view.render(&timeline),
        "            t.service  STATUS=…\n  +3.000 s  t.service  start -> running\n"
    );
}
