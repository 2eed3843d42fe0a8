//! A picture of a sweep: a strip for each fault, with the time of the fault across and the recovery
//! time upward.

use std::fmt::Write;
use std::time::Duration;

use systemd_lab::Experiment;
use systemd_lab::experiment::span_text;
use systemd_lab::sweep::{Outcome, Swept, Trial};

use crate::counted::counted;

/// Sizes in pixels: of the whole picture, of a strip's bars, and of the text next to and between
/// them.
const WIDTH: f64 = 720.0;
const LEFT: f64 = 16.0;
const BAR: f64 = 64.0;
const TITLE: f64 = 22.0;
const FOOT: f64 = 20.0;
const MARGIN: f64 = 12.0;

/// The width of a bar if moments are far apart, and the smallest width.
const WIDEST: f64 = 6.0;
const THINNEST: f64 = 1.5;

const STYLE: &str = "\
.systemd-timeline { --good: #1f8a4c; --bad: #d03b2f; --idle: #8a9099; }
.systemd-timeline:root { background: #fff; color: #1f2328; }
@media (prefers-color-scheme: dark) { .systemd-timeline:root { background: #16181d; color: #e3e6ea; --good: #3fb374; --bad: #f0655a; } }
.systemd-timeline text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: currentColor; }
.systemd-timeline .title { font-weight: bold; }
.systemd-timeline .axis { stroke: currentColor; opacity: .4; }
.systemd-timeline .good { fill: var(--good); }
.systemd-timeline .bad { fill: var(--bad); }
.systemd-timeline .idle { fill: var(--idle); }
";

/// The picture. A service that did not recover has a bar of full height with a cross below it.
pub(super) fn draw(experiment: &Experiment, swept: &Swept) -> String {
    let faults = swept.faults();
    let trials = swept.trials.iter();
    let worst = trials.clone().filter_map(Trial::recovery).max();
    let worst = worst.unwrap_or_default().max(Duration::from_secs(1));
    let last = trials.map(|trial| trial.at).max().unwrap_or_default();
    let last = last.max(Duration::from_secs(1));
    let strip = TITLE + BAR + FOOT;
    let height = MARGIN * 2.0 + strip * faults.len() as f64;
    let title = format!(
        "{}: a fault at {}",
        experiment.main_unit(),
        counted(swept.moments.len(), "moment")
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"systemd-timeline\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{}\">\n<style>\n{STYLE}</style>\n",
        escaped(&title)
    );
    let across = |at: Duration| LEFT + (WIDTH - 2.0 * LEFT) * at.as_secs_f64() / last.as_secs_f64();
    for (number, fault) in faults.iter().enumerate() {
        let top = MARGIN + strip * number as f64;
        let base = top + TITLE + BAR;
        let of_fault: Vec<&Trial> = swept
            .trials
            .iter()
            .filter(|it| it.fault == *fault)
            .collect();
        let bad = of_fault.iter().filter(|trial| !trial.holds()).count();
        let heading = format!(
            "{fault}: {}, {bad} bad, full height {}",
            counted(of_fault.len(), "run"),
            span_text(Duration::from_millis(worst.as_millis() as u64))
        );
        let _ = writeln!(
            svg,
            "<text class=\"title\" x=\"{LEFT}\" y=\"{}\">{}</text>",
            top + TITLE - 8.0,
            escaped(&heading)
        );
        let room = (WIDTH - 2.0 * LEFT) / of_fault.len().max(1) as f64;
        let bar = room.clamp(THINNEST, WIDEST);
        for trial in &of_fault {
            let share = match (&trial.outcome, trial.recovery()) {
                (_, Some(recovery)) => recovery.as_secs_f64() / worst.as_secs_f64(),
                (Outcome::Refused | Outcome::Stopped { .. }, None) => 0.0,
                _ => 1.0,
            };
            let tall = (BAR * share).max(2.0);
            let class = match (trial.holds(), &trial.outcome) {
                (false, _) => "bad",
                (true, Outcome::Lost { .. } | Outcome::Unseen) => "bad",
                (true, Outcome::Refused | Outcome::NeverGone | Outcome::Stopped { .. }) => "idle",
                (true, _) => "good",
            };
            let x = across(trial.at) - bar / 2.0;
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{tall:.1}\"><title>{}</title></rect>",
                base - tall,
                escaped(&format!("{} {}", span_text(trial.at), trial.what)),
            );
            if class == "bad" {
                // A shape in addition to the colour.
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">×</text>",
                    across(trial.at),
                    base + 10.0
                );
            }
        }
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{base}\" y2=\"{base}\"/>\
             <text x=\"{LEFT}\" y=\"{}\">0s</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - LEFT,
            base + FOOT,
            WIDTH - LEFT,
            base + FOOT,
            span_text(Duration::from_millis(last.as_millis() as u64)),
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    let text = systemd_lab::visible(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
