//! `systemd-lab doctor`: what the lab needs, whether it is available, and what to type if not.

use anstyle::{AnsiColor, Style};
use systemd_lab::Lab;
use systemd_lab::doctor::{self, Finding, Remedy, State};

use crate::exit::ExitStatus;
use crate::output::say;
use crate::program::program;

/// The longest name of a finding.
const NAME_WIDTH: usize = 14;

/// Where remedies and further lines begin: after mark and name.
const INDENT: usize = NAME_WIDTH + 4;

/// Check everything that the lab needs, and say how to fix what is missing.
#[derive(clap::Args)]
pub struct Arguments {
    /// Set up what is missing and rebuild what is damaged, then check again.
    #[arg(long)]
    pub fix: bool,
}

/// Checks everything, after repairing it if `repair` is set. Also shows `more`, which the lab does
/// not need.
///
/// # Errors
///
/// When the lab cannot be repaired.
pub fn run(arguments: &Arguments, more: &[Finding]) -> anyhow::Result<ExitStatus> {
    if arguments.fix {
        Lab::options().repaired().open()?;
    }
    let findings = doctor::examine();
    for finding in &findings {
        show(finding);
    }
    for finding in more {
        show(finding);
    }
    let bad = findings.iter().filter(|finding| finding.state.is_bad());
    let unknown = findings
        .iter()
        .any(|finding| finding.state == State::Unknown);
    Ok(conclude(&bad.collect::<Vec<_>>(), unknown, arguments.fix))
}

fn conclude(bad: &[&Finding], unknown: bool, fixed: bool) -> ExitStatus {
    say!();
    let can_be_fixed = |finding: &&&Finding| finding.remedy == Some(Remedy::SetUp);
    match bad.iter().find(|finding| !can_be_fixed(finding)) {
        None if bad.is_empty() && unknown => {
            say!("Nothing is wrong, as far as a quick look can tell.");
            return ExitStatus::Passed;
        }
        None if bad.is_empty() => {
            say!("The lab is ready.");
            return ExitStatus::Passed;
        }
        None if !fixed => {
            say!("The lab is not ready. Type: {} doctor --fix", program());
        }
        None => say!(
            "The lab is not ready, although everything was rebuilt. The text above says what is wrong."
        ),
        Some(first) => say!(
            "The lab is not ready. Begin with the first remedy above: {}.",
            first.name
        ),
    }
    ExitStatus::LabBroken
}

fn show(finding: &Finding) {
    let (mark, style) = mark(finding.state);
    // Error messages may have several lines.
    let detail = finding
        .detail
        .trim_end()
        .replace('\n', &format!("\n{:INDENT$}", ""));
    say!(
        "{style}{mark}{style:#} {:NAME_WIDTH$}  {detail}",
        finding.name
    );
    let remedy = match &finding.remedy {
        None => return,
        // Nothing is wrong, so there is no remedy.
        Some(_) if finding.state == State::Good => return,
        Some(Remedy::SetUp) => format!("type: {} doctor --fix", program()),
        Some(Remedy::Type(command)) => format!("type: {command}"),
        Some(Remedy::Advice(advice)) => advice.clone(),
    };
    say!("{:INDENT$}{remedy}", "");
}

fn mark(state: State) -> (char, Style) {
    let colour = |colour: AnsiColor| colour.on_default();
    match state {
        State::Good => ('✓', colour(AnsiColor::Green)),
        State::Missing | State::Damaged => ('✗', colour(AnsiColor::Red)),
        State::Unneeded => ('-', Style::new().dimmed()),
        State::Unknown => ('?', colour(AnsiColor::Yellow)),
    }
}
