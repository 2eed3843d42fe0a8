//! What is tried: three game days.

use std::env;
use std::sync::LazyLock;

use exercise_check::Run;
use exercise_check::report::{self, Record};
use systemd_lab::GuestFile;

use crate::SUBJECT;
use crate::day::{self, DISK, DISK_UNIT};
use crate::incident;
use crate::plan::{self, Part, Planned};
use crate::review::Review;

/// Chooses the third day's plan: any number.
const SEED_VARIABLE: &str = "GAME_DAY_SEED";

/// Keeps only some faults of the third day, by their numbers from 1, e.g. `3,7`: `cargo workshop game-day` looks in this way for
/// those that it takes to break a promise.
const FAULTS_VARIABLE: &str = "GAME_DAY_FAULTS";

/// The third day, unless you choose another: its freeze and its lack of memory meet the worker, which days 1 and 2 spare.
const DEFAULT_SEED: u64 = 6;

/// A game day: its plan, and what came of it.
pub(crate) struct Day {
    pub(crate) plan: Vec<Planned>,
    pub(crate) run: Run,
}

impl Day {
    fn of(name: &str, plan: Vec<Planned>) -> Day {
        let more = vec![
            GuestFile::unit(DISK, DISK_UNIT),
            SUBJECT.environment(&day::unit(Part::Database), &["FAULTS=1"]),
        ];
        let run = Run::of(&SUBJECT, day::scenario(name, &plan), more);
        if let Ok(timeline) = &run.seen {
            report::append(&Record::Review(report::Review {
                scenario: name.to_owned(),
                text: incident::text(&Review::of(timeline, &plan)),
            }));
        }
        Day { plan, run }
    }
}

/// The days whose plans the task shows.
pub(crate) static DAY_1: LazyLock<Day> = LazyLock::new(|| Day::of("game day 1", plan::of_day(1)));
pub(crate) static DAY_2: LazyLock<Day> = LazyLock::new(|| Day::of("game day 2", plan::of_day(2)));

/// The day from a seed. If the seed is not a number, the requirement says so and looks no further.
pub(crate) static DAY_3: LazyLock<Day> = LazyLock::new(|| {
    let seed = seed().unwrap_or(DEFAULT_SEED);
    let name = format!("the game day of seed {seed}");
    Day::of(&name, kept(plan::of_seed(seed)))
});

/// The seed of the third day.
pub(crate) fn seed() -> Result<u64, String> {
    env::var_os(SEED_VARIABLE).map_or(Ok(DEFAULT_SEED), |chosen| number(&chosen.to_string_lossy()))
}

/// The seed that this text means.
pub(crate) fn number(chosen: &str) -> Result<u64, String> {
    let number = chosen.trim().parse();
    number.map_err(|_| {
        format!("{SEED_VARIABLE}={chosen} is not a number; set it to one, e.g. {SEED_VARIABLE}=7")
    })
}

/// The faults that are kept.
fn kept(plan: Vec<Planned>) -> Vec<Planned> {
    let Ok(faults) = env::var(FAULTS_VARIABLE) else {
        return plan;
    };
    let is_kept = |number: usize| {
        faults
            .split(',')
            .any(|one| one.trim() == number.to_string())
    };
    let numbered = (1..).zip(plan).filter(|(number, _)| is_kept(*number));
    numbered.map(|(_, planned)| planned).collect()
}
