//! Which runs count as different, and which do not.

use super::*;

fn moment(at_ms: u64, unit: &str, what: &str) -> Moment {
    Moment {
        at: Duration::from_millis(at_ms),
        unit: unit.to_owned(),
        what: what.to_owned(),
    }
}

/// A service that fails and is restarted, each time after this many milliseconds.
fn crash_loop(period_ms: u64, restarts: u64) -> Vec<Moment> {
    (0..restarts)
        .map(|turn| moment(turn * period_ms, "a", &format!("restart {turn}")))
        .collect()
}

fn difference(expected: &[Moment], seen: &[Moment]) -> Option<String> {
    compare(expected, seen, Tolerance::SAME_SERVICE).map(|difference| difference.hunks())
}

#[test]
fn an_event_may_be_at_most_half_a_second_late() {
    let at = |at_ms| [moment(0, "a", "start"), moment(at_ms, "a", "running")];
    assert_eq!(difference(&at(10_000), &at(10_499)), None);
    assert_eq!(difference(&at(10_000), &at(9_501)), None);
    assert!(difference(&at(10_000), &at(10_501)).is_some());
    assert!(difference(&at(10_000), &at(9_499)).is_some());
    assert!(compare(&at(10_000), &at(10_001), Tolerance::NONE).is_some());
    assert!(compare(&at(10_000), &at(10_000), Tolerance::NONE).is_none());
}

#[test]
fn accumulated_slack_is_not_a_difference_but_a_changed_delay_is() {
    let long = |period_ms| crash_loop(period_ms, 1_000);
    assert_eq!(difference(&long(5_250), &long(5_500)), None);
    assert!(difference(&long(5_250), &long(6_250)).is_some());
}

#[test]
fn a_missing_and_an_additional_event_are_shown_with_what_is_around_them() {
    let expected = crash_loop(5_250, 20);
    let mut seen = expected.clone();
    seen.remove(10);
    seen.insert(3, moment(10_500, "b", "starts"));
    let shown = [
        "    0:00  a  restart 0",
        "    0:05  a  restart 1",
        "    0:11  a  restart 2",
        "  + 0:11  b  starts",
        "    0:16  a  restart 3",
        "    0:21  a  restart 4",
        "    0:26  a  restart 5",
        "  …",
        "    0:37  a  restart 7",
        "    0:42  a  restart 8",
        "    0:47  a  restart 9",
        "  - 0:53  a  restart 10",
        "    0:58  a  restart 11",
        "    1:03  a  restart 12",
        "    1:08  a  restart 13\n",
    ];
    assert_eq!(difference(&expected, &seen), Some(shown.join("\n")));
}

#[test]
fn a_difference_that_whole_seconds_do_not_show_is_shown_with_thousandths() {
    let at = |at_ms| [moment(0, "a", "start"), moment(at_ms, "a", "running")];
    let shown = [
        "        0:00  a  start",
        "  - 0:01.600  a  running",
        "  + 0:02.400  a  running\n",
    ];
    assert_eq!(difference(&at(1_600), &at(2_400)), Some(shown.join("\n")));
}

#[test]
fn units_take_turns_at_the_same_instant_but_not_later() {
    let both = |(at_a, a): (u64, &str), (at_b, b): (u64, &str)| {
        let mut both = vec![moment(at_a, "a", a), moment(at_b, "b", b)];
        both.sort_by_key(|moment| moment.at);
        both
    };
    let logs = |at_a, at_b| both((at_a, "log: x"), (at_b, "log: y"));
    assert_eq!(difference(&logs(100, 140), &logs(120, 110)), None);
    assert!(difference(&logs(100, 160), &logs(120, 110)).is_some());
    // `After=` was removed: starting a process takes some milliseconds.
    let starts = |at_a, at_b| both((at_a, "start -> dead"), (at_b, "dead -> running"));
    assert!(difference(&starts(131, 140), &starts(174, 84)).is_some());
    assert_eq!(difference(&starts(131, 135), &starts(136, 132)), None);
}

#[test]
fn what_the_kernel_saw_has_an_order_of_its_own() {
    let closes = |at_ms| {
        let mut moments = vec![
            moment(1_000, "a", "stop-sigterm -> dead"),
            moment(1_020, "a", "stop job: done"),
            moment(at_ms, "a", "no longer listening on 127.0.0.1:80"),
        ];
        moments.sort_by_key(|moment| moment.at);
        moments
    };
    assert_eq!(difference(&closes(1_010), &closes(1_030)), None);
    assert!(difference(&closes(1_200), &closes(990)).is_some());
}

#[test]
fn what_processes_log_has_an_order_of_its_own() {
    let ends = |logs_at| {
        let mut moments = vec![
            moment(1_000, "a", "main process exited, status 0"),
            moment(logs_at, "a", "log: Hello World!"),
        ];
        moments.sort_by_key(|moment| moment.at);
        moments
    };
    assert_eq!(difference(&ends(999), &ends(1_001)), None);
    assert!(difference(&ends(900), &ends(1_100)).is_some());
}

#[test]
fn pids_do_not_count() {
    let from = |pid: u32| [moment(0, "a", &format!("dropped, it came from PID {pid}"))];
    assert_eq!(difference(&from(131), &from(140)), None);
}

#[test]
fn the_same_events_in_another_order_are_a_difference() {
    let expected = [moment(0, "a", "stop"), moment(1, "a", "start")];
    let seen = [moment(0, "a", "start"), moment(1, "a", "stop")];
    assert!(difference(&expected, &seen).is_some());
}

#[test]
fn a_service_may_take_its_time_and_not_hurry() {
    let any = Tolerance::ANY_SERVICE;
    let ms = Duration::from_millis;
    assert!(any.allows(ms(2_100), ms(3_000)) && any.allows(ms(5_250), ms(5_000)));
    assert!(!any.allows(ms(2_100), ms(3_001)) && !any.allows(ms(5_250), ms(4_900)));
}
