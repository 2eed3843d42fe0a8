//! The plan of a game day: which fault comes when.
//!
//! Two plans are fixed, and the task shows them. Every other comes from a seed, and contains each kind of fault at least
//! once. The generator is our own, so that a seed means the same plan on every machine and forever.

use std::fmt;
use std::time::Duration;

/// One of the shop's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Web,
    Database,
    Worker,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Web, Part::Database, Part::Worker];
}

/// What happens to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL to the main process.
    Kill(Part),
    /// SIGSTOP to the main process, forever.
    Freeze(Part),
    /// The kernel kills it because its control group has no memory left.
    OutOfMemory(Part),
    /// The database does nothing for [`SLOW_FOR`].
    SlowDatabase,
    /// A lock in the database is taken twice: it accepts connections, and answers nobody.
    WedgedDatabase,
    /// The disk with the orders is full for [`FULL_FOR`].
    FullDisk,
    /// The operator reloads a configuration with a typo; later the web front end is killed, and a person must help.
    BadConfiguration,
    /// A record of the database's file is overwritten, and the database killed: a person must help.
    DamagedDatabase,
    /// The operator reloads a new configuration.
    Reload,
    /// The operator stops the shop, and starts it again after [`STOPPED_FOR`].
    StopAndStart,
}

/// A fault and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Counted from the beginning of the scenario.
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
}

/// How long the database is slow.
pub(crate) const SLOW_FOR: Duration = Duration::from_secs(3);

/// How long the disk is full: long enough for eight orders.
pub(crate) const FULL_FOR: Duration = Duration::from_secs(24);

/// How long the operator keeps the shop stopped.
pub(crate) const STOPPED_FOR: Duration = Duration::from_secs(10);

/// How long the shop serves with a file of configuration that it could not read, before it is killed. With
/// [`PERSON_NEEDS`], it is 3 s less than the longest outage that is allowed: a front end that ends at the reload has not
/// obeyed the operator, and whether its outage was too long does not hang on a few milliseconds.
pub(crate) const BAD_FOR: Duration = Duration::from_secs(7);

/// How long a person needs: to read the alert, to find the cause, to repair it.
pub(crate) const PERSON_NEEDS: Duration = Duration::from_secs(20);

/// Before the first fault: the shop has started, and has its first orders.
const FIRST: Duration = Duration::from_millis(30_500);

/// From one fault to the next: more than the longest outage that is allowed, so that it is clear what each one cost.
const SPACING: Duration = Duration::from_secs(48);

/// A seed moves each fault by up to so many steps, away from the grid. Half a second after a full second is 0.3 s after
/// an order, so it hits one that has just been acknowledged.
const STEPS: u64 = 3;
const STEP: Duration = Duration::from_secs(3);

/// The day of the first plan: a rather quiet one.
const DAY_1: [Fault; 12] = [
    Fault::Kill(Part::Web),
    Fault::Kill(Part::Database),
    Fault::Reload,
    Fault::SlowDatabase,
    Fault::Kill(Part::Worker),
    Fault::WedgedDatabase,
    Fault::OutOfMemory(Part::Web),
    Fault::FullDisk,
    Fault::StopAndStart,
    Fault::Freeze(Part::Web),
    Fault::BadConfiguration,
    Fault::DamagedDatabase,
];

/// The day of the second plan: it meets the database and the worker.
const DAY_2: [Fault; 12] = [
    Fault::FullDisk,
    Fault::Kill(Part::Database),
    Fault::Freeze(Part::Database),
    Fault::OutOfMemory(Part::Database),
    Fault::DamagedDatabase,
    Fault::Kill(Part::Worker),
    Fault::Kill(Part::Web),
    Fault::StopAndStart,
    Fault::WedgedDatabase,
    Fault::BadConfiguration,
    Fault::SlowDatabase,
    Fault::Reload,
];

/// A plan that the task shows: 1 or 2.
pub(crate) fn of_day(day: u32) -> Vec<Planned> {
    let faults = if day == 1 { DAY_1 } else { DAY_2 };
    let planned = (0_u32..).zip(faults);
    planned
        .map(|(index, fault)| Planned {
            at: FIRST + SPACING * index,
            fault,
        })
        .collect()
}

/// The plan of a seed: every kind of fault, in an order, at times and at services that depend on the seed.
pub(crate) fn of_seed(seed: u64) -> Vec<Planned> {
    let mut numbers = Numbers(seed);
    let mut faults = vec![
        Fault::Kill(Part::Web),
        Fault::Kill(Part::Database),
        Fault::Kill(Part::Worker),
        Fault::Freeze(numbers.part()),
        Fault::OutOfMemory(numbers.part()),
        Fault::SlowDatabase,
        Fault::WedgedDatabase,
        Fault::FullDisk,
        Fault::BadConfiguration,
        Fault::DamagedDatabase,
        Fault::Reload,
        Fault::StopAndStart,
    ];
    // Fisher and Yates: every order is possible.
    for last in (1..faults.len()).rev() {
        let other = numbers.below(last as u64 + 1) as usize;
        faults.swap(last, other);
    }
    let planned = (0_u32..).zip(faults);
    planned
        .map(|(index, fault)| Planned {
            at: FIRST + SPACING * index + STEP * numbers.below(STEPS) as u32,
            fault,
        })
        .collect()
}

/// When a day with this plan is over.
pub(crate) fn end(plan: &[Planned]) -> Duration {
    plan.last().map_or(FIRST, |last| last.at + SPACING)
}

/// SplitMix64: eight lines, and the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`. A bound of a dozen makes the bias of the remainder too small to matter.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn part(&mut self) -> Part {
        Part::ALL[self.below(Part::ALL.len() as u64) as usize]
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Web => "web front end",
            Part::Database => "database",
            Part::Worker => "worker",
        })
    }
}

/// What happened, e.g. `the database is killed`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(part) => write!(f, "the {part} is killed"),
            Fault::Freeze(part) => write!(f, "the {part} is frozen"),
            Fault::OutOfMemory(part) => write!(f, "the {part} is out of memory"),
            Fault::SlowDatabase => f.write_str("the database is slow"),
            Fault::WedgedDatabase => f.write_str("the database is wedged"),
            Fault::FullDisk => f.write_str("the disk is full"),
            Fault::BadConfiguration => f.write_str("the configuration is bad"),
            Fault::DamagedDatabase => f.write_str("the database is damaged"),
            Fault::Reload => f.write_str("the operator reloads"),
            Fault::StopAndStart => f.write_str("the operator stops and starts the shop"),
        }
    }
}
