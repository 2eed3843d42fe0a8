//! `systemd-lab explore`: random faults from a seed, and the smallest plan that breaks a requirement.
//!
//! [`systemd_lab::explore`] does the work; this module has the options and the words.

mod report;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use signal_hook::consts::signal::SIGINT;
use systemd_lab::explore::{Budget, Explored, Limits, Progress};
use systemd_lab::{Experiment, ExperimentError, Explore, Fault, Lab};

use crate::counted::counted;
use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, note, put};
use crate::run::{self, Options, span};
use crate::style;
use crate::trials;

/// The faults that are tried unless others are named.
const FAULTS: [&str; 3] = ["kill", "freeze", "restart"];

/// How many plans are tried unless told otherwise: about a minute for a small service on two processors.
const PLANS: NonZeroUsize = NonZeroUsize::new(100).unwrap();

const AFTER_HELP: &str = "\
Each plan has one to --most faults at random times, and runs until a minute after the last one. The first plan that breaks a
requirement is made as small as possible: the fewest faults, then the roundest times. The same seed gives the same plans and
verdicts on every machine.

    systemd-lab explore --unit my.service --file target/debug/my:/usr/local/bin/my \\
        --get http://127.0.0.1:8080/ --fault kill,restart --require 'recovery <= 10s' --seed 7

A plan's file may have these options as a table that run ignores:

    [explore]
    fault = [\"kill\", \"freeze@db.service\"]
    most = 4
    apart = \"2s\"

Ctrl-C ends it and shows what is known by then; if nothing is broken so far, the exit status is 4. After a stop, requirements on
answers and recovery do not count.";

/// Hit a service with random faults from a seed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Also read the options above from this file, as run does, and those below from its table [explore].
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Write a case for each requirement to this file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Replace the file that --junit names, even if the lab did not write it.
    #[arg(long)]
    force: bool,
}

/// Which plans are made: on the command line, and as keys of a plan's table `explore`.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Chosen {
    /// The faults: kill, kill=SIGNAL, freeze, oom, stop, restart, reload, …, as run's --at has them; of another unit
    /// kill@db.service. Default: kill,freeze,restart.
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    fault: Vec<String>,
    /// The most faults in a plan. Default: 3.
    #[arg(long, value_name = "NUMBER")]
    most: Option<NonZeroUsize>,
    /// The shortest time between two faults. Default: none.
    #[arg(long, value_name = "TIME")]
    apart: Option<String>,
    /// The earliest time of a fault. Default: the start.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The latest time of a fault. Default: 30s.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The seed of the plans. Default: 1.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many plans to try. Default: 100.
    #[arg(long, value_name = "NUMBER", conflicts_with = "wall")]
    runs: Option<NonZeroUsize>,
    /// Try plans until this much wall time has passed, e.g. 10min.
    #[arg(long, value_name = "TIME")]
    wall: Option<String>,
}

/// Options of this command that `run` does not have, and whether a value follows each.
const OWN_OPTIONS: [(&str, bool); 12] = [
    // A run has its own length.
    ("--for", true),
    ("--fault", true),
    ("--most", true),
    ("--apart", true),
    ("--from", true),
    ("--until", true),
    ("--seed", true),
    ("--runs", true),
    ("--wall", true),
    ("--json", false),
    ("--junit", true),
    ("--force", false),
];

/// The table of a plan's file; whatever else is in the file belongs to `run`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PlanFile {
    explore: Chosen,
}

impl Chosen {
    /// These options, with those of the command line in their place.
    fn and(self, later: &Chosen) -> Chosen {
        let later = later.clone();
        // The command line says when to end: then the file does not.
        let (runs, wall) = match later.runs.is_some() || later.wall.is_some() {
            true => (later.runs, later.wall),
            false => (self.runs, self.wall),
        };
        Chosen {
            fault: match later.fault.is_empty() {
                true => self.fault,
                false => later.fault,
            },
            most: later.most.or(self.most),
            apart: later.apart.or(self.apart),
            from: later.from.or(self.from),
            until: later.until.or(self.until),
            seed: later.seed.or(self.seed),
            runs,
            wall,
        }
    }

    fn limits(&self) -> anyhow::Result<Limits> {
        let usual = Limits::default();
        let time = |name: &str, text: &Option<String>, usual| match text {
            Some(text) => span(name, text),
            None => Ok(usual),
        };
        Ok(Limits {
            most: self.most.unwrap_or(usual.most),
            apart: time("--apart", &self.apart, usual.apart)?,
            from: time("--from", &self.from, usual.from)?,
            until: time("--until", &self.until, usual.until)?,
        })
    }

    fn budget(&self) -> anyhow::Result<Budget> {
        Ok(match &self.wall {
            Some(text) => Budget::WallTime(span("--wall", text)?),
            None => Budget::Runs(self.runs.unwrap_or(PLANS)),
        })
    }

    fn explore(&self, experiment: Experiment) -> anyhow::Result<Explore> {
        /// Without a choice.
        const SEED: u64 = 1;
        let seed = self.seed.unwrap_or(SEED);
        let mut explore = Explore::new(experiment, seed).within(self.limits()?);
        let usual = FAULTS.map(str::to_owned);
        let faults = match self.fault.is_empty() {
            true => usual.as_slice(),
            false => self.fault.as_slice(),
        };
        for text in faults {
            let (fault, unit) = Fault::parse_with_unit(text).map_err(WrongUsage::because)?;
            explore = match unit {
                Some(unit) => explore.fault_on(unit, fault),
                None => explore.fault(fault),
            };
        }
        Ok(explore)
    }
}

/// Runs the exploration.
///
/// # Errors
///
/// [`WrongUsage`] when the plan makes no sense; otherwise the lab is broken.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    let junit = ("--junit", arguments.junit.as_deref());
    output::ensure_one_document(arguments.json, &[junit])?;
    let planned = run::planned(&arguments.options, arguments.plan.as_deref())?;
    let in_file = match &arguments.plan {
        Some(file) => run::read_with(file, |text| toml::from_str::<PlanFile>(text))?.explore,
        None => Chosen::default(),
    };
    if in_file.runs.is_some() && in_file.wall.is_some() {
        return Err(WrongUsage(
            "the plan's table [explore] has both runs and wall: keep the one that should end it"
                .to_owned(),
        )
        .into());
    }
    let chosen = in_file.and(&arguments.chosen);
    let explore = chosen.explore(planned.experiment.clone())?;
    let budget = chosen.budget()?;
    explore.check().map_err(WrongUsage::because)?;
    if planned.experiment.requirements().is_empty() {
        return Err(WrongUsage(
            "nothing is required, so no plan can break anything; add a requirement, e.g. --require 'recovery <= 10s'"
                .to_owned(),
        )
        .into());
    }
    if let Some(file) = &arguments.junit {
        output::ensure_writable(file, &planned.inputs, arguments.force)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    let lab = Lab::options().guest(&planned.guest).open()?;
    let explored = carried_out(&explore, &lab, budget, &stop).map_err(trials::of_lab)?;
    let violations = explored.violations.iter();
    let runs: Vec<_> = violations
        .map(|it| (explore.experiment(&it.plan), it.requirement.as_str()))
        .collect();
    let shown = trials::show_again(&lab, &stop, &runs).map_err(trials::of_lab)?;
    signal_hook::low_level::unregister(handler);
    let command = trials::run_command("explore", &OWN_OPTIONS, planned.guest.suite());
    let interrupted = stop.load(Ordering::Relaxed);
    let report = report::Report::new(
        &explore,
        &planned.experiment,
        &explored,
        &command,
        interrupted,
        shown,
    );
    let is_shown_elsewhere = arguments
        .junit
        .as_deref()
        .is_some_and(|file| file == Path::new(output::STANDARD_OUTPUT));
    if arguments.json {
        output::document(&(report.json()? + "\n"));
    } else if !is_shown_elsewhere {
        put!("{}", report.text());
    }
    if let Some(file) = &arguments.junit
        && output::write(file, &report.junit()?)
    {
        note!("{} is written.", file.display());
    }
    if interrupted {
        note!("Interrupted after {}.", counted(explored.plans, "plan"));
    }
    let is_broken =
        explored.without_fault.iter().any(|it| !it.holds) || !explored.violations.is_empty();
    Ok(match interrupted && !is_broken {
        // A plan that was not tried may break a requirement.
        true => ExitStatus::OutOfTime,
        false => ExitStatus::holds(explored.holds()),
    })
}

fn carried_out(
    explore: &Explore,
    lab: &Lab,
    budget: Budget,
    stop: &AtomicBool,
) -> Result<Explored, ExperimentError> {
    let spinner = style::spinner("one run without a fault");
    let explored = explore.run(lab, budget, stop, |progress| {
        spinner.set_message(in_words(progress));
    });
    spinner.finish_and_clear();
    explored
}

fn in_words(progress: Progress) -> String {
    let Progress {
        plans,
        combinations,
        violations,
        is_shrinking,
    } = progress;
    let what = match is_shrinking {
        true => ", making a plan smaller,",
        false => ",",
    };
    let [plans, combinations, violations] = [
        (plans, "plan"),
        (combinations, "combination"),
        (violations, "broken requirement"),
    ]
    .map(|(number, one)| counted(number, one));
    format!("{plans}, {combinations}, {violations}{what}")
}

#[cfg(test)]
mod tests {
    use systemd_lab::experiment::span_text;

    use super::*;

    fn in_file(text: &str) -> Chosen {
        let file: PlanFile = toml::from_str(text).expect("it is right");
        file.explore
    }

    #[test]
    fn the_command_line_takes_the_place_of_the_file() {
        let text = "unit = \"a.service\"\n[explore]\nfault = [\"kill\", \"freeze@b.service\"]\nmost = 4\nuntil = \"1min\"\nwall = \"10min\"\n";
        let alone = in_file(text);
        let limits = alone.limits().expect("it is right");
        assert_eq!(limits.most.get(), 4);
        assert_eq!(span_text(limits.until), "1min");
        assert!(matches!(alone.budget(), Ok(Budget::WallTime(_))));
        let said = Chosen {
            fault: vec!["oom".to_owned()],
            runs: NonZeroUsize::new(9),
            ..Chosen::default()
        };
        let both = in_file(text).and(&said);
        assert_eq!(both.fault, ["oom"]);
        assert_eq!(both.most, NonZeroUsize::new(4));
        assert!(matches!(both.budget(), Ok(Budget::Runs(runs)) if runs.get() == 9));
    }

    #[test]
    fn a_misspelt_limit_is_named() {
        let error =
            toml::from_str::<PlanFile>("[explore]\nmots = 4\n").expect_err("it is misspelt");
        assert!(error.message().contains("mots"), "{error}");
        let chosen = in_file("[explore]\napart = \"soon\"\n");
        let error = chosen.limits().expect_err("it is not a time");
        assert!(error.to_string().starts_with("--apart: "), "{error}");
    }
}
