//! Writes the SVG.
//!
//! Words take the colour of the page around them (`currentColor`), and colours only support what shapes and words say:
//! each kind of state and of mark has its own shape. Only a standalone picture has a background, chosen with
//! `prefers-color-scheme`; in a book the theme decides, whatever the system prefers.

use crate::visible::is_invisible;
use std::fmt::Write;

use super::Drawn;
use super::layout::{FONT, LINE, Layout, Legend, MARGIN, WIDTH};
use super::rows::{Mark, Rows, Span, State};

/// The space between two pictures of a column.
const BETWEEN: u32 = 24;

/// Half the height that a break takes out of the lanes.
const CUT: u32 = 5;

/// The distance from one stroke of a hatched bar to the next, and how far each rises.
const HATCH: u32 = 5;

/// How far below the middle of its line text must be so that it looks centred.
const BASELINE: u32 = 4;

/// Every rule names the class: a style sheet inside a page's SVG applies to the whole page. The dark colours are for
/// mdBook's dark themes and for a dark system. The plain colour before each custom property is for programs that do
/// not support them.
const STYLE: &str = "\
.systemd-timeline { display: block; width: 100%; max-width: 36rem; height: auto; }
.systemd-timeline { --timeline-good: #1f8a4c; --timeline-bad: #d03b2f; --timeline-change: #b36b00; --timeline-answer: #2f74c0; }
:is(.coal, .navy, .ayu) .systemd-timeline { --timeline-good: #3fb374; --timeline-bad: #f0655a; --timeline-change: #e09a2b; --timeline-answer: #6aa9ec; }
.systemd-timeline:root { background: #fff; color: #1f2328; }
@media (prefers-color-scheme: dark) { .systemd-timeline:root { background: #16181d; color: #e3e6ea; --timeline-good: #3fb374; --timeline-bad: #f0655a; --timeline-change: #e09a2b; --timeline-answer: #6aa9ec; } }
.systemd-timeline text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: currentColor; stroke: none; }
.systemd-timeline .title, .systemd-timeline .state { font-weight: bold; }
.systemd-timeline .time, .systemd-timeline .wait { opacity: .75; }
.systemd-timeline .wait { font-style: italic; }
.systemd-timeline .thin { stroke: currentColor; stroke-width: 1; opacity: .35; fill: none; }
.systemd-timeline .dot { fill: currentColor; }
.systemd-timeline .cut { stroke: currentColor; stroke-width: 1.2; opacity: .75; fill: none; }
.systemd-timeline .line { fill: none; stroke-width: 2; }
.systemd-timeline .good { fill: #1f8a4c; fill: var(--timeline-good); }
.systemd-timeline .good.line { fill: none; stroke: #1f8a4c; stroke: var(--timeline-good); }
.systemd-timeline .bad.line { stroke: #d03b2f; stroke: var(--timeline-bad); }
.systemd-timeline .change { fill: #b36b00; fill: var(--timeline-change); }
.systemd-timeline .change.line { fill: none; stroke: #b36b00; stroke: var(--timeline-change); }
.systemd-timeline .answer { fill: #2f74c0; fill: var(--timeline-answer); }
.systemd-timeline .note.line { stroke: currentColor; stroke-width: 1.5; opacity: .75; }
";

/// One document of these pictures, one below the other.
pub(super) fn document(drawn: &[Drawn]) -> String {
    let gaps = BETWEEN * u32::try_from(drawn.len().saturating_sub(1)).unwrap_or(0);
    let height = drawn.iter().map(|one| one.height).sum::<u32>() + gaps;
    let ids = |suffix: &str| {
        let ids: Vec<String> = drawn
            .iter()
            .map(|one| format!("{}-{suffix}", escaped(&one.id)))
            .collect();
        ids.join(" ")
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"systemd-timeline\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-labelledby=\"{}\" aria-describedby=\"{}\">\n",
        ids("title"),
        ids("words")
    );
    let mut y = 0;
    for (index, one) in drawn.iter().enumerate() {
        let id = escaped(&one.id);
        // A title must be its element's first child.
        let name = format!(
            "<title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-words\">{}</desc>\n",
            escaped(&one.title),
            escaped(&one.description)
        );
        if index == 0 {
            text += &name;
            text += &format!("<style>\n{STYLE}</style>\n");
            text += &one.body;
        } else {
            let _ = write!(
                text,
                "<g transform=\"translate(0 {y})\">\n{name}{}</g>\n",
                one.body
            );
        }
        y += one.height + BETWEEN;
    }
    text + "</svg>\n"
}

/// The shapes and words of one picture.
pub(super) fn body(rows: &Rows, layout: &Layout) -> String {
    let mut pen = Pen(String::new());
    for (y, line) in &layout.title {
        pen.text("title", MARGIN, *y, line);
    }
    let first_row = layout.rows.first().map_or(0, |place| place.y);
    for heading in &layout.headings {
        pen.text("lane", heading.x - MARGIN, heading.y, &heading.text);
        let begin = heading.y + LINE / 2;
        pen.path("thin", &format!("M{} {begin}V{first_row}", heading.x));
    }
    // Drawn below the bars: the line from a lane to its words.
    for (row, place) in rows.rows.iter().zip(&layout.rows) {
        if let Some(lane) = row.lane {
            let (from, to) = (layout.lanes_x[lane], layout.mark_x - 5);
            pen.path("thin", &format!("M{from} {}H{to}", place.y));
        }
    }
    for span in &rows.spans {
        pen.span(span, layout);
    }
    for (lane, y) in &layout.ticks {
        let x = layout.lanes_x[*lane];
        pen.path("note line", &format!("M{} {y}h7", x + 2));
    }
    // Drawn above the bars: the mark that shows whose line it is, which matters if the line crosses other lanes.
    for (row, place) in rows.rows.iter().zip(&layout.rows) {
        if let (Some(lane), true) = (row.lane, rows.lanes.len() > 1) {
            pen.path("dot", &circle(layout.lanes_x[lane], place.y, 2));
        }
    }
    pen.breaks(layout);
    for (row, place) in rows.rows.iter().zip(&layout.rows) {
        if let Some(time) = &place.time {
            pen.time(layout.times_x, place.y, time);
        }
        pen.mark(row.mark, layout, place.y);
        let class = match row.mark {
            Mark::State => "state",
            Mark::End => "wait",
            _ => "event",
        };
        pen.lines(class, layout.words_x, place.y, &place.lines);
    }
    for (y, legend) in &layout.legends {
        match legend {
            Legend::Pings => pen.path("note line", &format!("M{} {y}h7", layout.mark_x - 3)),
            Legend::Hanging => pen.bar(State::Hanging, layout.mark_x, y - 5, y + 5),
        }
        pen.text("wait", layout.words_x, *y, legend.words());
    }
    pen.0
}

struct Pen(String);

impl Pen {
    fn path(&mut self, class: &str, data: &str) {
        let _ = writeln!(self.0, "<path class=\"{class}\" d=\"{data}\"/>");
    }

    fn text(&mut self, class: &str, x: u32, middle: u32, text: &str) {
        let y = middle + BASELINE;
        let _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" font-size=\"{FONT}\">{}</text>",
            escaped(text)
        );
    }

    fn lines(&mut self, class: &str, x: u32, middle: u32, lines: &[String]) {
        for (line, y) in lines.iter().zip((middle..).step_by(LINE as usize)) {
            self.text(class, x, y, line);
        }
    }

    fn time(&mut self, x: u32, middle: u32, time: &str) {
        let y = middle + BASELINE;
        let _ = writeln!(
            self.0,
            "<text class=\"time\" x=\"{x}\" y=\"{y}\" font-size=\"{FONT}\" text-anchor=\"end\">{time}</text>"
        );
    }

    /// A state's bar, cut in two at a break.
    fn span(&mut self, span: &Span, layout: &Layout) {
        let x = layout.lanes_x[span.lane];
        let (mut from, to) = (layout.rows[span.rows.0].y, layout.rows[span.rows.1].y);
        for cut in &layout.breaks {
            if from < cut.y && cut.y < to {
                self.bar(span.state, x, from, cut.y - CUT);
                from = cut.y + CUT;
            }
        }
        self.bar(span.state, x, from, to);
    }

    fn bar(&mut self, state: State, x: u32, from: u32, to: u32) {
        let height = to.saturating_sub(from);
        let rectangle =
            |half: u32| format!("M{} {from}h{}v{height}h-{}z", x - half, 2 * half, 2 * half);
        match state {
            State::Dead => self.path("thin", &format!("M{x} {from}V{to}")),
            State::Running => self.path("good", &rectangle(5)),
            State::Starting => self.path("good line", &rectangle(4)),
            State::Hanging => {
                self.path("good line", &rectangle(4));
                self.path("bad line", &hatching(x, from, to));
            }
            State::Reloading => {
                self.path("good", &rectangle(2));
                self.path("good line", &rectangle(4));
            }
            State::Stopping => self.path("change", &rectangle(2)),
            State::Waiting => {
                // Dashes are a separate path, so that they start again after each cut.
                let dashes: String = (from..to)
                    .step_by(6)
                    .map(|y| format!("M{x} {y}v{}", 3.min(to - y)))
                    .collect();
                self.path("change line", &dashes);
            }
            State::Failed => self.path(
                "bad line",
                &format!("M{} {from}v{height}M{} {from}v{height}", x - 3, x + 3),
            ),
            State::Unanswered => self.path("bad line", &format!("M{x} {from}v{height}")),
        }
    }

    fn breaks(&mut self, layout: &Layout) {
        let (Some(first), Some(last)) = (layout.lanes_x.first(), layout.lanes_x.last()) else {
            return;
        };
        let waves = (last - first) / 8 + 2;
        for cut in &layout.breaks {
            for y in [cut.y - CUT + 2, cut.y + CUT - 2] {
                let mut wave = format!("M{} {y}", first - 8);
                for _ in 0..waves {
                    wave += "l4 -3l4 3";
                }
                self.path("cut", &wave);
            }
            let extra = LINE / 2 * (cut.lines.len().saturating_sub(1) as u32);
            self.lines("wait", layout.words_x, cut.y - extra, &cut.lines);
        }
    }

    fn mark(&mut self, mark: Mark, layout: &Layout, y: u32) {
        let x = layout.mark_x;
        match mark {
            Mark::State | Mark::End => {}
            Mark::Good => self.path("good", &circle(x, y, 4)),
            Mark::Note => self.path("note line", &circle(x, y, 3)),
            Mark::Bad => {
                let (left, top) = (x - 4, y - 4);
                self.path(
                    "bad line",
                    &format!("M{left} {top}l8 8M{left} {}l8 -8", y + 4),
                );
            }
            Mark::Signal => self.path("change", &format!("M{x} {}l5 5l-5 5l-5 -5z", y - 5)),
            Mark::Restart => {
                // Three quarters of a circle, and the head of an arrow.
                self.path(
                    "change line",
                    &format!("M{} {y}a4 4 0 1 1 -4 -4h3M{x} {}l3 3l-3 3", x + 4, y - 7),
                );
            }
            Mark::Answer => self.path("answer", &format!("M{} {}l8 5l-8 5z", x - 4, y - 5)),
        }
    }
}

/// Strokes across a bar, each rising to the right; at least one.
fn hatching(x: u32, from: u32, to: u32) -> String {
    let rise = HATCH.min(to.saturating_sub(from));
    let feet = (from + rise..=to).step_by(HATCH as usize);
    feet.map(|y| format!("M{} {y}l8 -{rise}", x - 4)).collect()
}

fn circle(x: u32, y: u32, radius: u32) -> String {
    let left = x - radius;
    let across = 2 * radius;
    format!("M{left} {y}a{radius} {radius} 0 1 1 {across} 0a{radius} {radius} 0 1 1 -{across} 0z")
}

/// Text from any source. Characters that XML cannot hold become a replacement character; line ends become spaces.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            c if is_invisible(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
