//! The screen while a check runs: a line for each requirement, with its state. A terminal shows all of them at once;
//! elsewhere, each line appears as soon as it and all earlier ones are known.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use exercise_check::Verdict;
use exercise_check::report::{Report, Running};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use systemd_lab::{clock_time, visible};

use crate::outcome;
use systemd_lab_cli::say;
use systemd_lab_cli::style::{self, clocked_among, spinner_among};

/// The status once the service is built.
const RUNNING: &str = "running your service under systemd";

/// After an edit, cargo compiles only an exercise and its check. This many crates mean that nothing was built before.
const FIRST_BUILD: usize = 4;

/// The lines of one check.
pub(super) struct Screen {
    is_live: bool,
    bars: MultiProgress,
    status: ProgressBar,
    lines: Vec<ProgressBar>,
    /// The scenarios in progress, each with its own clock.
    running: BTreeMap<String, ProgressBar>,
    /// The check is built, and is running.
    is_running: bool,
    /// How many lines were printed permanently.
    printed: usize,
    /// How many crates were compiled.
    built: usize,
}

impl Screen {
    /// Shows only `status` for now.
    pub(super) fn new(status: &'static str) -> Screen {
        let bars = MultiProgress::new();
        Screen {
            is_live: stdout().is_terminal() && stderr().is_terminal(),
            status: spinner_among(&bars, status),
            bars,
            lines: Vec::new(),
            running: BTreeMap::new(),
            is_running: false,
            printed: 0,
            built: 0,
        }
    }

    /// Shows what was compiled last.
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

    /// Shows that the check is running. The time for the build no longer counts.
    pub(super) fn running(&mut self) {
        if !std::mem::replace(&mut self.is_running, true) {
            self.status.reset_elapsed();
        }
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
            let line = self.bars.add(plain());
            // Only now, because a message that is set before a line has its place is not drawn.
            line.set_message(format!("    {text}"));
            line.tick();
            self.lines.push(line);
        }
        for verdict in &report.verdicts {
            if let Some(line) = self.lines.get(verdict.number as usize - 1) {
                line.set_message(verdict_line(verdict));
            }
        }
        self.show_running(&report.running);
    }

    /// A line for each scenario in progress: how much time has passed in the guest, and here.
    fn show_running(&mut self, running: &[Running]) {
        self.running.retain(|scenario, line| {
            let is_running = running.iter().any(|it| it.scenario == *scenario);
            if !is_running {
                line.finish_and_clear();
                self.bars.remove(line);
            }
            is_running
        });
        for one in running {
            let line = self
                .running
                .entry(one.scenario.clone())
                .or_insert_with(|| clocked_among(&self.bars));
            let virtual_time = Duration::from_micros(one.virtual_us);
            let virtual_time = clock_time(virtual_time.as_secs());
            line.set_prefix(format!("{virtual_time} in the guest, "));
            line.set_message(format!(" here: {}", visible(&one.scenario)));
        }
    }

    /// Leaves the final lines on the screen.
    pub(super) fn finish(mut self, report: &Report) {
        self.clear();
        self.print_known(report);
        // The ones without a verdict did not finish: the text below covers them.
        for verdict in report.verdicts.iter().skip(self.printed) {
            say!("{}", verdict_line(verdict));
        }
        say!();
    }

    /// Leaves nothing on the screen.
    pub(super) fn clear(&self) {
        let running = self.running.values();
        for bar in self.lines.iter().chain(running).chain([&self.status]) {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }

    /// Prints the verdicts up to the first one that is missing.
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
        outcome::mark(verdict.outcome),
        verdict.number,
        verdict.title
    )
}

fn plain() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}
