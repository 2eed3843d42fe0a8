//! A game day as an incident review: promise by promise with its figure and what decides it, and what each fault cost.

use std::time::Duration;

use exercise_check::sentence_of;
use systemd_lab::nearest_second;

use crate::causes;
use crate::promises::Promise;
use crate::review::{Cost, Review};

/// As wide as the table of faults.
const WIDTH: usize = 82;

/// The text.
pub(crate) fn text(review: &Review<'_>) -> String {
    let mut lines = Vec::new();
    for promise in Promise::ALL {
        let is_broken = !promise.broken(review).is_empty();
        let sign = if is_broken { '✗' } else { '✓' };
        lines.push(format!(
            "  {sign} {:<54}  {}",
            promise.title(),
            promise.figure(review)
        ));
        if is_broken && let Some(why) = causes::of(promise, review) {
            lines.extend(wrapped(&sentence_of(&why)));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "  {:>5}  {:<42}{:>6}{:>8}{:>9}{:>6}",
        "time", "fault", "page", "orders", "refused", "lost"
    ));
    for cost in &review.costs {
        lines.push(format!(
            "  {:>5}  {:<42}{:>6}{:>8}{:>9}{:>6}",
            review.time(cost.span.start),
            cost.planned.fault.to_string(),
            away(cost.page_down()),
            away(orders_down(cost)),
            some(cost.refused),
            some(cost.lost.len()),
        ));
    }
    let lines = lines.iter().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn orders_down(cost: &Cost) -> Duration {
    cost.orders.iter().sum()
}

fn away(time: Duration) -> String {
    match nearest_second(time) {
        0 => String::new(),
        seconds => format!("{seconds} s"),
    }
}

fn some(number: usize) -> String {
    match number {
        0 => String::new(),
        number => number.to_string(),
    }
}

/// A sentence in lines below a promise.
fn wrapped(sentence: &str) -> Vec<String> {
    const INDENT: &str = "     ";
    let mut lines = vec![INDENT.to_owned()];
    for word in sentence.split(' ') {
        let is_full = lines
            .last()
            .is_some_and(|line| line.chars().count() + 1 + word.chars().count() > WIDTH);
        if is_full {
            lines.push(INDENT.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}
