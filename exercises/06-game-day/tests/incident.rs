//! A game day as an incident review: promise by promise with its figure, and what each fault cost.

use std::time::Duration;

use systemd_lab::nearest_second;

use crate::promises::Promise;
use crate::review::{Cost, Review};

/// The text.
pub(crate) fn text(review: &Review<'_>) -> String {
    let mut lines = Vec::new();
    for promise in Promise::ALL {
        let sign = if promise.broken(review).is_empty() {
            '✓'
        } else {
            '✗'
        };
        lines.push(format!(
            "  {sign} {:<54}  {}",
            promise.title(),
            promise.figure(review)
        ));
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
