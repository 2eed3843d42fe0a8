//! Random plans from a seed: the same faults and limits give the same plans on every machine.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

use crate::experiment::{Experiment, Fault, PlannedFault};

/// How far from an event of the run without faults a fault may come, if it is aimed at that event.
const NEAR: Duration = Duration::from_millis(40);

/// Plans come in groups of this size: all but the first begin like the one before, so what they have in common runs only once. Larger
/// groups save little more time, and their plans begin in fewer ways.
pub(super) const FAMILY: usize = 4;

/// How often a time is drawn again because it is too close to another fault's, or a plan because there is one like it.
const DRAWS: usize = 8;

/// Which plans are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many faults a plan has at most.
    pub most: NonZeroUsize,
    /// The shortest time between two of them.
    pub apart: Duration,
    /// The earliest time of a fault.
    pub from: Duration,
    /// The latest time of a fault.
    pub until: Duration,
}

impl Default for Limits {
    /// Up to three faults in the first half minute, at any time.
    fn default() -> Limits {
        Limits {
            most: const { NonZeroUsize::new(3).unwrap() },
            apart: Duration::ZERO,
            from: Duration::ZERO,
            until: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Whether a plan may have these times.
    pub(super) fn allow(&self, faults: &[PlannedFault]) -> bool {
        let mut times: Vec<Duration> = faults.iter().filter_map(|it| it.when.time()).collect();
        times.sort();
        let is_within = times
            .iter()
            .all(|time| (self.from..=self.until).contains(time));
        let mut pairs = times.windows(2);
        is_within && pairs.all(|pair| pair[1] - pair[0] >= self.apart)
    }
}

/// The faults of one run, in order of their times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    /// The faults.
    pub faults: Vec<PlannedFault>,
}

impl Plan {
    pub(super) fn of(mut faults: Vec<PlannedFault>) -> Plan {
        faults.sort_by_key(|planned| planned.when.time());
        Plan { faults }
    }

    /// The experiment with these faults in addition.
    pub(super) fn added_to(&self, base: &Experiment) -> Experiment {
        let (_, last) = self.span();
        let faults = self.faults.iter();
        faults
            .fold(base.clone(), |experiment, planned| {
                let when = planned.when.clone();
                experiment.fault_on(&planned.unit, when, planned.fault.clone())
            })
            .lasting(base.length_after(last))
    }

    /// When its faults come, first and last.
    pub(super) fn span(&self) -> (Duration, Duration) {
        let mut times = self.faults.iter().filter_map(|it| it.when.time());
        let first = times.next().unwrap_or_default();
        (first, times.next_back().unwrap_or(first))
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). A crate's generator may draw other
/// numbers in its next version.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is not zero. The bias is below 2^-32 for anything that is drawn here.
    fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        (product >> 64) as usize
    }

    fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        match items.len() {
            0 => None,
            length => items.get(self.below(length)),
        }
    }
}

/// Makes plans. Those that showed something new are changed a little and tried again.
pub(super) struct Generator<'a> {
    random: Random,
    limits: Limits,
    faults: &'a [(Fault, String)],
    /// Moments of the run without faults.
    moments: Vec<Duration>,
    fruitful: Vec<Plan>,
}

impl<'a> Generator<'a> {
    pub(super) fn new(
        seed: u64,
        limits: Limits,
        faults: &'a [(Fault, String)],
        moments: impl IntoIterator<Item = Duration>,
    ) -> Generator<'a> {
        let window = limits.from..=limits.until;
        Generator {
            random: Random(seed),
            limits,
            faults,
            moments: moments
                .into_iter()
                .filter(|at| window.contains(at))
                .collect(),
            fruitful: Vec::new(),
        }
    }

    /// Tells that this plan showed something new.
    pub(super) fn reward(&mut self, plan: &Plan) {
        self.fruitful.push(plan.clone());
    }

    /// The next plans. Each has at least one fault.
    pub(super) fn batch(&mut self, size: usize) -> Vec<Plan> {
        let mut plans: Vec<Plan> = Vec::new();
        for number in 0..size {
            let before = plans.last().filter(|_| number % FAMILY > 0);
            let related = before.and_then(|before| {
                let mut drawn = (0..DRAWS).filter_map(|_| self.related(before));
                drawn.find(|plan| !plans.contains(plan))
            });
            plans.push(related.unwrap_or_else(|| self.unrelated()));
        }
        plans
    }

    fn unrelated(&mut self) -> Plan {
        let mut faults = match self.random.below(2) {
            0 => Vec::new(),
            _ => self.changed(),
        };
        if faults.is_empty() {
            let number = 1 + self.random.below(self.limits.most.get());
            for _ in 0..number {
                self.add(&mut faults);
            }
        }
        Plan::of(faults)
    }

    /// A plan that begins like this one, with one fault or more, and goes on like another one; `None` if this one has no fault.
    fn related(&mut self, plan: &Plan) -> Option<Plan> {
        let other = self.unrelated();
        let kept = 1 + self.random.below(plan.faults.len());
        if kept > plan.faults.len() {
            return None;
        }
        let mut faults = plan.faults[..kept].to_vec();
        let last = faults.last().and_then(|it| it.when.time());
        let first_free = last.unwrap_or_default().saturating_add(self.limits.apart);
        let room = self.limits.most.get() - kept;
        let later = other.faults.iter().filter(|it| {
            let time = it.when.time();
            time > last && time >= Some(first_free)
        });
        faults.extend(later.take(room).cloned());
        Some(Plan { faults })
    }

    /// A fruitful plan with one change; nothing if there is none.
    fn changed(&mut self) -> Vec<PlannedFault> {
        let Some(plan) = self.random.choose(&self.fruitful) else {
            return Vec::new();
        };
        let mut faults = plan.faults.clone();
        if faults.is_empty() {
            return faults;
        }
        let place = self.random.below(faults.len());
        match self.random.below(3) {
            0 if faults.len() < self.limits.most.get() => self.add(&mut faults),
            1 if faults.len() > 1 => {
                faults.remove(place);
            }
            _ => {
                faults.remove(place);
                self.add(&mut faults);
            }
        }
        faults
    }

    /// Adds a fault, if there is room for its time.
    fn add(&mut self, faults: &mut Vec<PlannedFault>) {
        let Some((fault, unit)) = self.random.choose(self.faults).cloned() else {
            return;
        };
        for _ in 0..DRAWS {
            let time = self.time();
            let mut times = faults.iter().filter_map(|it| it.when.time());
            if times.all(|other| time.abs_diff(other) >= self.limits.apart) {
                faults.push(PlannedFault {
                    when: time.into(),
                    fault,
                    unit,
                });
                return;
            }
        }
    }

    /// Half of the times are near an event, the others anywhere.
    fn time(&mut self) -> Duration {
        let (from, until) = (self.limits.from, self.limits.until);
        let near = match self.random.below(2) {
            0 => None,
            _ => self.random.choose(&self.moments).copied(),
        };
        let (from, until) = match near {
            Some(moment) => (
                from.max(moment.saturating_sub(NEAR)),
                until.min(moment + NEAR),
            ),
            None => (from, until),
        };
        let width = usize::try_from(until.saturating_sub(from).as_millis()).unwrap_or(usize::MAX);
        let offset = self.random.below(width.saturating_add(1));
        from + Duration::from_millis(offset as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            most: NonZeroUsize::new(3).expect("it is not zero"),
            apart: Duration::from_secs(1),
            from: Duration::from_secs(2),
            until: Duration::from_secs(20),
        }
    }

    fn plans(seed: u64, number: usize) -> Vec<Plan> {
        let faults = [
            (Fault::Freeze, "a.service".to_owned()),
            (Fault::Restart, "b.service".to_owned()),
        ];
        let moments = [1, 5, 6, 30].map(Duration::from_secs);
        let mut generator = Generator::new(seed, limits(), &faults, moments);
        let mut plans = Vec::new();
        while plans.len() < number {
            let batch = generator.batch(20);
            for plan in batch.iter().step_by(5) {
                generator.reward(plan);
            }
            plans.extend(batch);
        }
        plans
    }

    /// A plan with rounder times is also one.
    #[test]
    fn limits_are_for_all_times_of_a_plan() {
        let allowed = |times: &[u64]| {
            let faults = times.iter().map(|time| PlannedFault {
                when: Duration::from_millis(*time).into(),
                fault: Fault::Freeze,
                unit: "a.service".to_owned(),
            });
            limits().allow(&faults.collect::<Vec<_>>())
        };
        assert!(allowed(&[2000, 3000, 20_000]));
        assert!(allowed(&[5000, 3000]));
        assert!(!allowed(&[1999]));
        assert!(!allowed(&[20_001]));
        assert!(!allowed(&[5000, 9000, 4001]));
        assert!(!allowed(&[5000, 5000]));
    }

    /// Values of the paper's algorithm, as in Java's SplittableRandom with the seed 0.
    #[test]
    fn a_seed_means_the_same_numbers_forever() {
        let mut random = Random(0);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
    }

    #[test]
    fn plans_depend_on_the_seed_alone_and_keep_the_limits() {
        let of_seed = plans(7, 300);
        assert_eq!(of_seed, plans(7, 300));
        assert_ne!(of_seed, plans(8, 300));
        for plan in &of_seed {
            assert!((1..=3).contains(&plan.faults.len()), "{plan:?}");
            assert!(limits().allow(&plan.faults), "{plan:?}");
        }
        // All numbers of faults and all faults occur, and some times are near the two moments in the window.
        for number in 1..=3 {
            assert!(of_seed.iter().any(|plan| plan.faults.len() == number));
        }
        // Most begin like the one before, and differ from it.
        let pairs = || of_seed.windows(2);
        let alike = pairs().filter(|it| it[0].faults[0] == it[1].faults[0]);
        assert!(alike.count() > of_seed.len() / 2);
        let same = pairs().filter(|it| it[0] == it[1]);
        assert_eq!(same.count(), 0);
        let near = |plan: &&Plan| {
            let (first, _) = plan.span();
            first.abs_diff(Duration::from_secs(5)) <= NEAR
        };
        assert!(of_seed.iter().filter(near).count() > 30);
        for unit in ["a.service", "b.service"] {
            let hit = |plan: &Plan| plan.faults.iter().any(|it| it.unit == unit);
            assert!(of_seed.iter().any(hit));
        }
    }
}
