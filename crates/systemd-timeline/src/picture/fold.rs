//! Repetitions are drawn a few times and counted: a service that systemd restarts forever would make a picture of a
//! thousand screens.

use super::rows::{Mark, Ping, Row, Rows, Span};

/// How often the same rows must come in a row. The restarts up to the usual start limit (5) are all drawn.
const OFTEN: usize = 7;

/// How often they are drawn before the rest is only counted. The last time is drawn, too, because it shows how the loop
/// ended.
const DRAWN: usize = 2;

/// A sequence of more rows than this does not count as a repetition.
const LONGEST: usize = 24;

/// The same rows, without the repetitions.
pub(super) fn folded(rows: Rows) -> Rows {
    let mut kept = Vec::new();
    // The new index of each row. The new row takes the place of the rows that are left out.
    let mut places = Vec::with_capacity(rows.rows.len());
    let mut from = 0;
    while from < rows.rows.len() {
        let Some((period, times)) = repetition(&rows.rows[from..]) else {
            places.push(kept.len());
            kept.push(rows.rows[from].clone());
            from += 1;
            continue;
        };
        let end = from + period * times;
        let left_out = from + period * DRAWN..end - period;
        for index in from..end {
            if index == left_out.start {
                kept.push(Row {
                    at: rows.rows[index].at,
                    lane: None,
                    mark: Mark::End,
                    text: format!("… the same {} times more …", times - DRAWN - 1),
                });
            }
            if left_out.contains(&index) {
                places.push(kept.len() - 1);
            } else {
                places.push(kept.len());
                kept.push(rows.rows[index].clone());
            }
        }
        from = end;
    }
    let spans = rows.spans.into_iter().filter_map(|span| {
        let (from, to) = (places[span.rows.0], places[span.rows.1]);
        let rows = (from, to);
        (from < to).then_some(Span { rows, ..span })
    });
    let is_kept = |index: &usize| *index == 0 || places[*index] != places[index - 1];
    let pings = rows.pings.into_iter().filter_map(|ping| {
        let before = ping.after_rows.checked_sub(1)?;
        is_kept(&before).then(|| Ping {
            after_rows: places[before] + 1,
            ..ping
        })
    });
    Rows {
        lanes: rows.lanes,
        spans: spans.collect(),
        pings: pings.collect(),
        rows: kept,
    }
}

/// How many rows repeat, and how often, if the rows begin with a frequent repetition.
fn repetition(rows: &[Row]) -> Option<(usize, usize)> {
    (1..=LONGEST).find_map(|period| {
        let later = rows.iter().skip(period);
        let alike = rows
            .iter()
            .zip(later)
            .take_while(|(one, other)| one.is_like(other));
        let times = alike.count() / period + 1;
        (times >= OFTEN).then_some((period, times))
    })
}

impl Row {
    /// Whether the other row says the same, at a different time. Only the number of a restart may differ.
    fn is_like(&self, other: &Row) -> bool {
        let is_restart = self.mark == Mark::Restart;
        (self.lane, self.mark) == (other.lane, other.mark)
            && (is_restart || self.text == other.text)
    }
}
