//! Where everything goes. All lengths are in the picture's own units: at a width of 400 pixels, one is a pixel.

use std::time::Duration;

use crate::clock::{clock_time, nearest_second};

use super::rows::{Row, Rows, Span, State};
use super::words;

/// A small phone's width, so that text there has at least its intended size.
pub(super) const WIDTH: u32 = 400;

/// Size of all text. Legible on a phone; wider pages scale it up.
pub(super) const FONT: u32 = 12;

/// Advance of one character of a monospaced font, in hundredths of its size: the widest of the usual ones (DejaVu Sans
/// Mono). With a proportional font, the end of a text would be a guess.
const ADVANCE: u32 = 61;

/// Height of a line of text.
pub(super) const LINE: u32 = 16;

/// Height of a second in a short wait.
const SECOND: u32 = 2;

/// Waits longer than this, in seconds, are broken. Long enough to keep the proportion of `RestartSec=5s` to
/// `WatchdogSec=10s`.
pub(super) const LONGEST_WAIT: u64 = 15;

/// Height of a break, without its words.
const BREAK: u32 = 24;

/// Distance from one lane to the next, when there are few, and when there are many.
const LANE: u32 = 16;
const NARROW_LANE: u32 = 11;
const MANY_LANES: usize = 6;

/// Space for a mark between lanes and words.
const MARK: u32 = 16;

/// Margin at every edge.
pub(super) const MARGIN: u32 = 4;

/// Words in a row are not wrapped into more lines than this: the text alternative has all of them.
const MOST_LINES: usize = 3;

/// All positions.
pub(super) struct Layout {
    pub(super) title: Vec<(u32, String)>,
    pub(super) headings: Vec<Heading>,
    /// Where times end.
    pub(super) times_x: u32,
    pub(super) lanes_x: Vec<u32>,
    pub(super) mark_x: u32,
    pub(super) words_x: u32,
    pub(super) rows: Vec<Place>,
    pub(super) breaks: Vec<Break>,
    /// Lane and height of each tick.
    pub(super) ticks: Vec<(usize, u32)>,
    /// What ticks and hatched bars mean, at the bottom.
    pub(super) legends: Vec<(u32, Legend)>,
    pub(super) height: u32,
}

/// The meaning of a sign that has no row of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Legend {
    Pings,
    Hanging,
}

impl Legend {
    pub(super) fn words(self) -> &'static str {
        match self {
            Legend::Pings => "WATCHDOG=1",
            Legend::Hanging => "nothing answers",
        }
    }
}

/// A lane's name, with a line down to the lane.
pub(super) struct Heading {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) text: String,
}

/// Where a row is.
pub(super) struct Place {
    /// The middle of its first line.
    pub(super) y: u32,
    /// Written if it differs from the time of the row before.
    pub(super) time: Option<String>,
    pub(super) lines: Vec<String>,
}

/// A long wait.
pub(super) struct Break {
    /// Its middle.
    pub(super) y: u32,
    pub(super) lines: Vec<String>,
}

impl Layout {
    pub(super) fn of(rows: &Rows, title: Option<&str>) -> Layout {
        let last = rows.rows.last().map_or(0, Row::seconds);
        let times_x = MARGIN + text_width(&clock_time(last)).max(text_width("0:00"));
        let pitch = if rows.lanes.len() > MANY_LANES {
            NARROW_LANE
        } else {
            LANE
        };
        let lanes_x: Vec<u32> = (0..)
            .map(|lane| times_x + LANE + lane * pitch)
            .take(rows.lanes.len())
            .collect();
        let mark_x = lanes_x.last().map_or(times_x, |x| x + LANE);
        let words_x = mark_x + MARK / 2 + MARGIN;
        let mut layout = Layout {
            title: Vec::new(),
            headings: Vec::new(),
            times_x,
            lanes_x,
            mark_x,
            words_x,
            rows: Vec::new(),
            breaks: Vec::new(),
            ticks: Vec::new(),
            legends: Vec::new(),
            height: MARGIN,
        };
        layout.put_title(title);
        layout.put_headings(&rows.lanes);
        layout.put_rows(rows);
        let is_hanging = |span: &Span| span.state == State::Hanging;
        let wanted = [
            (!layout.ticks.is_empty(), Legend::Pings),
            (rows.spans.iter().any(is_hanging), Legend::Hanging),
        ];
        for (_, legend) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            layout.legends.push((layout.height + LINE, legend));
            layout.height += LINE;
        }
        if !layout.legends.is_empty() {
            layout.height += LINE / 2;
        }
        layout.height += MARGIN;
        layout
    }

    fn put_title(&mut self, title: Option<&str>) {
        for line in title.map_or(Vec::new(), |title| wrapped(title, MARGIN)) {
            self.title.push((self.height + LINE / 2, line));
            self.height += LINE;
        }
        if !self.title.is_empty() {
            self.height += LINE / 2;
        }
    }

    /// The headings are below each other, each at its lane: a line leads down from each name, to the left of the
    /// following names.
    fn put_headings(&mut self, lanes: &[String]) {
        for (name, &x) in lanes.iter().zip(&self.lanes_x) {
            self.headings.push(Heading {
                x,
                y: self.height + LINE / 2,
                text: shortened(name, x.saturating_sub(MARGIN)),
            });
            self.height += LINE;
        }
        self.height += LINE / 2;
    }

    fn put_rows(&mut self, rows: &Rows) {
        for (index, row) in rows.rows.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &rows.rows[before]);
            if let Some(before) = before {
                self.put_wait(rows, index - 1, (before.at, row.at));
            }
            let lines = wrapped(&row.text, self.words_x);
            let height = LINE * count(&lines);
            self.rows.push(Place {
                y: self.height + LINE / 2,
                time: (before.map(Row::seconds) != Some(row.seconds()))
                    .then(|| clock_time(row.seconds())),
                lines,
            });
            self.height += height;
        }
    }

    /// The space after a row, in which time passes.
    fn put_wait(&mut self, rows: &Rows, row: usize, (from, to): (Duration, Duration)) {
        let waited = nearest_second(to - from);
        if waited == 0 {
            return;
        }
        if waited <= LONGEST_WAIT {
            for ping in rows.pings_after(row) {
                let since = nearest_second(ping.at.clamp(from, to) - from).min(waited);
                self.ticks
                    .push((ping.lane, self.height + since as u32 * SECOND));
            }
            self.ticks.dedup();
            self.height += waited as u32 * SECOND;
            return;
        }
        let mut text = words::duration(waited);
        for lane in 0..rows.lanes.len() {
            let pings: Vec<Duration> = rows
                .pings_after(row)
                .filter(|ping| ping.lane == lane)
                .map(|ping| ping.at)
                .collect();
            if let (Some(first), Some(last)) = (pings.first(), pings.last()) {
                text += &format!(", {}", words::rhythm(*first, *last, pings.len()));
            }
        }
        let lines = wrapped(&text, self.words_x);
        let height = BREAK + LINE * count(&lines);
        self.breaks.push(Break {
            y: self.height + height / 2,
            lines,
        });
        self.height += height;
    }
}

fn count(lines: &[String]) -> u32 {
    u32::try_from(lines.len()).unwrap_or(u32::MAX)
}

/// How many terminal cells a character takes, which monospaced fonts follow: from the Hangul letters on, most scripts
/// take two.
fn cells(c: char) -> u32 {
    if c >= '\u{1100}' { 2 } else { 1 }
}

fn text_width(text: &str) -> u32 {
    let cells: u32 = text.chars().map(cells).sum();
    (cells * FONT * ADVANCE).div_ceil(100)
}

/// The text as lines that begin at `x` and end before the right margin.
fn wrapped(text: &str, x: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if fits(&longer, x) || line.is_empty() {
            *line = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines.iter().map(|line| shortened(line, x)).collect()
}

/// The text, or as much of it as fits, and an ellipsis.
fn shortened(text: &str, x: u32) -> String {
    if fits(text, x) {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if !fits(&format!("{short}{c}…"), x) {
            break;
        }
        short.push(c);
    }
    short.trim_end().to_owned() + "…"
}

pub(super) fn fits(text: &str, x: u32) -> bool {
    x + text_width(text) + MARGIN <= WIDTH
}
