//! What is tried: three game days.

use std::env;
use std::sync::LazyLock;

use exercise_check::Run;
use systemd_lab::GuestFile;

use crate::SUBJECT;
use crate::day::{self, DISK, DISK_UNIT};
use crate::plan::{self, Part, Planned};

/// Chooses the third day's plan: any number.
const SEED_VARIABLE: &str = "GAME_DAY_SEED";

/// The third day, unless you choose another.
const DEFAULT_SEED: u64 = 257;

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
        Day { plan, run }
    }
}

/// The days whose plans the task shows.
pub(crate) static DAY_1: LazyLock<Day> = LazyLock::new(|| Day::of("game day 1", plan::of_day(1)));
pub(crate) static DAY_2: LazyLock<Day> = LazyLock::new(|| Day::of("game day 2", plan::of_day(2)));

/// The day from a seed.
pub(crate) static DAY_3: LazyLock<Day> =
    LazyLock::new(|| Day::of("the game day of your seed", plan::of_seed(seed())));

/// The seed of the third day.
pub(crate) fn seed() -> u64 {
    let chosen = env::var(SEED_VARIABLE).ok();
    let chosen = chosen.map(|seed| {
        let number = seed.trim().parse();
        number.unwrap_or_else(|_| {
            panic!("{SEED_VARIABLE}={seed} is not a number; use one such as {SEED_VARIABLE}=7")
        })
    });
    chosen.unwrap_or(DEFAULT_SEED)
}
