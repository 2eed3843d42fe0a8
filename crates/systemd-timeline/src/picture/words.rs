//! The same in words, for people who cannot see the picture.

use std::time::Duration;

use crate::clock::{clock_time, nearest_second};

use super::rows::{Mark, Row, Rows};

/// Every row, in order. The time and the unit are not repeated while they stay the same.
pub(super) fn of(rows: &Rows) -> String {
    let mut text = String::new();
    let mut before = None;
    for row in &rows.rows {
        let same_time = before.is_some_and(|(at, _)| at == row.seconds());
        if !same_time {
            if !text.is_empty() {
                text.push_str(". ");
            }
            text.push_str(&format!("At {}, ", clock_time(row.seconds())));
        } else {
            text.push_str("; ");
        }
        let same_lane = before == Some((row.seconds(), row.lane));
        if let Some(lane) = row.lane
            && !same_lane
        {
            text.push_str(&format!("{}: ", rows.lanes[lane]));
        }
        if row.mark == Mark::State {
            text.push_str("state ");
        }
        text.push_str(&row.text);
        before = Some((row.seconds(), row.lane));
    }
    text.push('.');
    for sentence in pinging(rows) {
        text.push(' ');
        text.push_str(&sentence);
    }
    text
}

/// A line for each row, with its time and unit.
pub(super) fn lines(rows: &Rows) -> Vec<String> {
    let line = |row: &Row| {
        let unit = row.lane.map_or("", |lane| rows.lanes[lane].as_str());
        let colon = if unit.is_empty() { "" } else { ": " };
        let state = match row.mark {
            Mark::State => "state ",
            _ => "",
        };
        let time = clock_time(row.seconds());
        format!("{time} {unit}{colon}{state}{}", row.text)
    };
    let mut lines: Vec<String> = rows.rows.iter().map(line).collect();
    lines.extend(pinging(rows));
    lines
}

/// A sentence for each unit that sent pings.
fn pinging(rows: &Rows) -> impl Iterator<Item = String> {
    let lanes = rows.lanes.iter().enumerate();
    let pinging = lanes.filter(|(lane, _)| rows.pings.iter().any(|ping| ping.lane == *lane));
    pinging.map(|(_, name)| format!("Between these, {name} sent WATCHDOG=1."))
}

/// How long a wait was: `25 s`, `5 min`, `2 h 3 min`.
pub(super) fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    parts.join(" ")
}

/// How often a service pinged during a wait: from the first and the last of `count` pings.
pub(super) fn rhythm(first: Duration, last: Duration, count: usize) -> String {
    let gaps = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
    if gaps == 0 {
        return "WATCHDOG=1".to_owned();
    }
    match nearest_second((last - first) / gaps) {
        0 => "WATCHDOG=1 several times a second".to_owned(),
        seconds => format!("WATCHDOG=1 every {seconds} s"),
    }
}
