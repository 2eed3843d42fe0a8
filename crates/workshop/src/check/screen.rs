//! What a person sees while a check runs: a line for each requirement, with its state. On a terminal all of them at once;
//! elsewhere each as soon as it and those before it are known.

use std::io::{IsTerminal, stderr, stdout};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use systemd_lab::check::Verdict;
use systemd_lab::check::report::Report;

use crate::output::say;
use crate::style::{self, spinner_among};

/// What is going on once the service is built.
const RUNNING: &str = "running your service under systemd";

/// After an edit, cargo compiles an exercise and its check. So many crates are more than that: nothing is built yet.
const FIRST_BUILD: usize = 4;

/// The lines of one check.
pub(super) struct Screen {
    is_live: bool,
    bars: MultiProgress,
    status: ProgressBar,
    lines: Vec<ProgressBar>,
    /// How many lines were printed for good.
    printed: usize,
    /// How many crates were compiled.
    built: usize,
}

impl Screen {
    /// Nothing is shown yet but `status`.
    pub(super) fn new(status: &'static str) -> Screen {
        let bars = MultiProgress::new();
        Screen {
            is_live: stdout().is_terminal() && stderr().is_terminal(),
            status: spinner_among(&bars, status),
            bars,
            lines: Vec::new(),
            printed: 0,
            built: 0,
        }
    }

    /// Says what was compiled last.
    pub(super) fn built(&mut self, name: &str) {
        self.built += 1;
        let message = match self.built {
            ..FIRST_BUILD => format!("building {name}"),
            crates => {
                format!("building for the first time, a minute or two: {crates} crates, {name}")
            }
        };
        self.status.set_message(message);
    }

    /// Says that the check runs.
    pub(super) fn running(&self) {
        self.status.set_message(RUNNING);
    }

    /// Shows what is known now.
    pub(super) fn show(&mut self, report: &Report) {
        match report.waiting {
            0 => self.running(),
            ahead => self.status.set_message(waiting(ahead)),
        }
        if !self.is_live {
            self.print_known(report);
            return;
        }
        for planned in report.plan.iter().skip(self.lines.len()) {
            let text = style::faint(format!("{}  {}", planned.number, planned.title));
            self.lines.push(self.bars.add(plain(format!("    {text}"))));
        }
        for verdict in &report.verdicts {
            if let Some(line) = self.lines.get(verdict.number as usize - 1) {
                line.set_message(verdict_line(verdict));
            }
        }
    }

    /// Leaves the final lines behind.
    pub(super) fn finish(mut self, report: &Report) {
        self.clear();
        self.print_known(report);
        // Those that have no verdict came to no end: they are told about below.
        for verdict in report.verdicts.iter().skip(self.printed) {
            say!("{}", verdict_line(verdict));
        }
        say!();
    }

    /// Leaves nothing behind.
    pub(super) fn clear(&self) {
        for bar in self.lines.iter().chain([&self.status]) {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }

    /// The verdicts up to the first that is missing.
    fn print_known(&mut self, report: &Report) {
        for verdict in report.verdicts.iter().skip(self.printed) {
            if verdict.number as usize != self.printed + 1 {
                break;
            }
            say!("{}", verdict_line(verdict));
            self.printed += 1;
        }
    }
}

fn waiting(ahead: usize) -> String {
    let runs = if ahead == 1 { "run" } else { "runs" };
    format!("waiting for a processor: {ahead} {runs} of other commands ahead")
}

fn verdict_line(verdict: &Verdict) -> String {
    format!(
        "  {} {}  {}",
        style::mark(verdict.outcome),
        verdict.number,
        verdict.title
    )
}

fn plain(text: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text);
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}
