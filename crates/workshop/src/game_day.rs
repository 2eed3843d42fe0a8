//! `game-day`: plays the day of a seed with the shop of stage 06, prints its incident review, and looks for a day that breaks a
//! promise.
//!
//! The exercise's own check plays the day: it knows the faults and the promises.

use anyhow::Context;
use exercise_check::Outcome;
use exercise_check::report::Report;
use exercise_check::stage::Stage;
use stages::cargo::LAB_BROKEN;
use stages::exercises::Workshop;
use systemd_lab::{Lab, dies_with_us, shrink, visible_lines};
use systemd_lab_cli::{WrongUsage, note, say, style};

use crate::check::process;

/// The stage's topic, and the test that plays the day of a seed.
const TOPIC: &str = "game-day";
const TEST: &str = "r7_";

/// What the test reads from its environment.
const SEED: &str = "GAME_DAY_SEED";
const FAULTS: &str = "GAME_DAY_FAULTS";

/// How many faults each plan has.
const HOW_MANY: u32 = 12;

/// How many days a hunt plays, unless another number is given: a quiet minute.
const DAYS: u64 = 10;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The day: any number. The same seed is the same day on every machine. A hunt begins with it.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Only these faults of the day, by their numbers in the plan, e.g. 3,7.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', conflicts_with = "hunt",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(HOW_MANY)))]
    faults: Option<Vec<u32>>,
    /// Play one seed after the other until a day breaks a promise, then find the fewest faults that do.
    #[arg(long)]
    hunt: bool,
    /// How many days a hunt plays at most.
    #[arg(long, value_name = "NUMBER", requires = "hunt", default_value_t = DAYS)]
    days: u64,
}

/// A day that was played.
struct Played {
    outcome: Outcome,
    report: Report,
}

/// Plays days of one exercise.
struct Player<'a> {
    workshop: &'a Workshop,
    exercise: &'a Stage,
    check: std::path::PathBuf,
}

/// Checks the seed that a person has chosen, if the exercise plays days. Its check would say the same, but only at its end.
pub(crate) fn ensure_seed(exercise: &Stage) -> Result<(), WrongUsage> {
    let chosen = std::env::var_os(SEED).filter(|_| exercise.topic == TOPIC);
    let chosen = chosen.map(|it| it.to_string_lossy().into_owned());
    match chosen {
        Some(chosen) if chosen.trim().parse::<u64>().is_err() => Err(WrongUsage(format!(
            "{SEED}={chosen} is not a number; set it to one, e.g. {SEED}=7"
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut exercises = workshop.exercises.iter();
    let exercise = exercises.find(|exercise| exercise.topic == TOPIC);
    let exercise =
        exercise.ok_or_else(|| WrongUsage(format!("this workshop has no stage {TOPIC}")))?;
    if let Err(error) = Lab::open() {
        say!("{LAB_BROKEN}\n\n{error}");
        return Ok(Outcome::LabBroken);
    }
    let built = match process::compile(workshop, exercise, false, &mut |_| {})? {
        Ok(built) => built,
        Err(failed) => {
            say!("{}", failed.text());
            return Ok(failed.outcome());
        }
    };
    let player = Player {
        workshop,
        exercise,
        check: built.path,
    };
    match arguments.hunt {
        true => player.hunt(arguments.seed, arguments.days),
        false => {
            let every = || (1..=HOW_MANY).collect();
            let faults = arguments.faults.clone().unwrap_or_else(every);
            let played = player.play(arguments.seed, &faults)?;
            say!("{}", review(&played));
            Ok(played.outcome)
        }
    }
}

impl Player<'_> {
    /// Looks for a day that breaks a promise, and for the fewest of its faults that do.
    fn hunt(&self, first: u64, days: u64) -> anyhow::Result<Outcome> {
        let every: Vec<u32> = (1..=HOW_MANY).collect();
        for seed in (first..).take(usize::try_from(days).unwrap_or(usize::MAX)) {
            let played = self.play(seed, &every)?;
            match played.outcome {
                Outcome::Passed => note!("seed {seed}: every promise holds"),
                Outcome::NotYet => {
                    note!(
                        "seed {seed}: a promise is broken; looking for the fewest faults that break one"
                    );
                    return self.smallest(seed, every);
                }
                other => {
                    say!("{}", review(&played));
                    return Ok(other);
                }
            }
        }
        say!(
            "{days} days, and every promise holds. More: cargo workshop game-day --hunt --seed {}",
            first + days
        );
        Ok(Outcome::Passed)
    }

    /// Leaves out faults for as long as a promise is broken.
    fn smallest(&self, seed: u64, faults: Vec<u32>) -> anyhow::Result<Outcome> {
        let faults = shrink::fewest(faults, |some| {
            let played = self.play(seed, some)?;
            let is_broken = played.outcome == Outcome::NotYet;
            let sign = if is_broken { "still broken" } else { "holds" };
            note!("  faults {}: {sign}", listed(some));
            anyhow::Ok(is_broken)
        })?;
        // Last, so that `timeline` shows this day.
        let played = self.play(seed, &faults)?;
        say!("{}", review(&played));
        say!(
            "\nAgain: {}",
            style::strong(format!(
                "cargo workshop game-day --seed {seed} --faults {}",
                listed(&faults)
            ))
        );
        Ok(played.outcome)
    }

    fn play(&self, seed: u64, faults: &[u32]) -> anyhow::Result<Played> {
        let mut command = dies_with_us("KILL", &self.check);
        command
            .arg(TEST)
            .env(SEED, seed.to_string())
            .env(FAULTS, listed(faults));
        let (report, ended) = process::run_as(self.workshop, self.exercise, command, |_| {})?;
        let verdict = report.verdicts.first();
        let verdict = verdict
            .with_context(|| format!("the day ended without a verdict:\n{}", ended.last_words))?;
        Ok(Played {
            outcome: verdict.outcome,
            report,
        })
    }
}

/// The incident review, and the reason for the first broken promise.
fn review(played: &Played) -> String {
    let reviews = played.report.reviews.iter();
    let reviews = reviews.map(|review| format!("{}:\n\n{}", review.scenario, review.text));
    let conclusions = played.report.verdicts.iter();
    let conclusions = conclusions.map(|verdict| verdict.conclusion.clone());
    let all: Vec<String> = reviews.chain(conclusions).collect();
    visible_lines(all.join("\n").trim_end())
}

/// `3,7`
fn listed(faults: &[u32]) -> String {
    let faults: Vec<String> = faults.iter().map(u32::to_string).collect();
    faults.join(",")
}
