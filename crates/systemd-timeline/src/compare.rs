//! Compares a run with an earlier run: event by event, within a stated tolerance.
//!
//! Two runs of the same service are not equal to the microsecond once anything below it has changed: a Debian update makes
//! a start some milliseconds longer or shorter. What happens, in which order, and when must stay the same, within a
//! [`Tolerance`]:
//!
//! - Each unit has the same events in the same order. The comparison ignores PIDs, and what the kernel chooses in names: the port or PID of a
//!   client for which a socket started a unit, and the PIDs in the names of `systemd-run`. What the kernel saw of a unit's sockets, what
//!   systemd logged, and what the unit's processes logged are accounts of the same instant, each with its own order.
//! - Each event is on time: as long after the beginning of the run as before, or as long after the previous event of its
//!   unit. The second rule is for long runs: one start that takes a little longer can push a systemd timer to the next
//!   multiple of 250 ms, and everything that follows with it.
//! - Events of different units or accounts that were further apart than [`AT_ONCE`] have the same order, too. So do
//!   activations that waited for each other.

mod difference;
mod words;

pub use crate::timeline::Moment;

use std::collections::BTreeMap;
use std::time::Duration;

use similar::{Algorithm, DiffOp, capture_diff_slices};

pub use difference::Difference;
pub use difference::exact_time;
pub(crate) use words::comparable;
pub use words::texts;
use words::{Witness, is_activation};

/// How far apart events of different units must be for their order to count. The kernel decides how two processes that run at the
/// same time take turns, and each may take some tens of milliseconds longer after an update.
pub const AT_ONCE: Duration = Duration::from_millis(50);

/// The same for the beginning of one unit's activation and the end of another's. `After=` controls that order, and systemd decides
/// it, not the kernel. The remaining uncertainty is a tick of the kernel's clock, which comes every 4 ms; starting a process takes
/// longer.
const IN_ACTIVATION: Duration = Duration::from_millis(5);

/// How much earlier or later an event may come than in the expected run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// How much earlier.
    pub early: Duration,
    /// How much later.
    pub late: Duration,
}

impl Tolerance {
    /// For the same service in a different guest. systemd's timers have a slack of 250 ms (`DEFAULT_ACCURACY_USEC` in
    /// sd-event.c): a distance between two of them may be that much longer or shorter. The same amount again is for
    /// what runs between them: a start takes some tens of milliseconds, several of them a few hundred.
    pub const SAME_SERVICE: Tolerance = Tolerance {
        early: Duration::from_millis(500),
        late: Duration::from_millis(500),
    };

    /// For any service that does what is asked. Its own work may take nearly a second longer than in the measured service,
    /// and it may be a timer's slack faster.
    pub const ANY_SERVICE: Tolerance = Tolerance {
        early: Duration::from_millis(300),
        late: Duration::from_millis(900),
    };

    /// No tolerance at all.
    pub const NONE: Tolerance = Tolerance {
        early: Duration::ZERO,
        late: Duration::ZERO,
    };

    /// Whether something may take `seen` if `expected` was expected.
    pub fn allows(&self, expected: Duration, seen: Duration) -> bool {
        seen.saturating_add(self.early) >= expected && seen <= expected.saturating_add(self.late)
    }
}

/// What differs; `None` if nothing does.
pub fn compare(expected: &[Moment], seen: &[Moment], tolerance: Tolerance) -> Option<Difference> {
    let pairs = pairs(expected, seen, tolerance);
    let is_same = pairs.len() == expected.len()
        && pairs.len() == seen.len()
        && pairs.iter().all(|pair| pair.is_on_time && pair.is_in_order);
    (!is_same).then(|| Difference::of(expected, seen, &pairs))
}

/// The same event in both.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Its index in the expected run.
    expected: usize,
    /// Its index in the seen run.
    seen: usize,
    is_on_time: bool,
    /// Whether it came after all events of other units that it should follow.
    is_in_order: bool,
}

/// All events that are in both runs, by their index in the seen run.
fn pairs(expected: &[Moment], seen: &[Moment], tolerance: Tolerance) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (of_expected, of_seen) in by_account(expected, seen).into_values() {
        let mut before: Option<(usize, usize)> = None;
        for (expected_at, seen_at) in aligned(expected, &of_expected, seen, &of_seen) {
            let (one, other) = (&expected[expected_at], &seen[seen_at]);
            let since_last = before.is_some_and(|(expected_before, seen_before)| {
                tolerance.allows(
                    one.at.saturating_sub(expected[expected_before].at),
                    other.at.saturating_sub(seen[seen_before].at),
                )
            });
            pairs.push(Pair {
                expected: expected_at,
                seen: seen_at,
                is_on_time: tolerance.allows(one.at, other.at) || since_last,
                is_in_order: true,
            });
            before = Some((expected_at, seen_at));
        }
    }
    check_order(expected, seen, &mut pairs);
    pairs.sort_by_key(|pair| pair.seen);
    pairs
}

/// A unit's name for the comparison, and whose account of it this is.
type Account = (String, Witness);

/// The indices of the events of each account, in both.
fn by_account(expected: &[Moment], seen: &[Moment]) -> BTreeMap<Account, (Vec<usize>, Vec<usize>)> {
    let mut accounts: BTreeMap<Account, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, moment) in expected.iter().enumerate() {
        accounts.entry(moment.account()).or_default().0.push(index);
    }
    for (index, moment) in seen.iter().enumerate() {
        accounts.entry(moment.account()).or_default().1.push(index);
    }
    accounts
}

impl Moment {
    fn account(&self) -> Account {
        (comparable(&self.unit), Witness::of(&self.what))
    }
}

/// The events of one account that are the same in both runs and in the same order, as indices.
fn aligned(
    expected: &[Moment],
    of_expected: &[usize],
    seen: &[Moment],
    of_seen: &[usize],
) -> Vec<(usize, usize)> {
    let what = |moments: &[Moment], indices: &[usize]| -> Vec<String> {
        let indices = indices.iter();
        indices
            .map(|index| comparable(&moments[*index].what))
            .collect()
    };
    let (one, other) = (what(expected, of_expected), what(seen, of_seen));
    let mut same = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &one, &other) {
        if let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        {
            let indices = (0..len)
                .map(|offset| (of_expected[old_index + offset], of_seen[new_index + offset]));
            same.extend(indices);
        }
    }
    same
}

/// Marks the pairs that come before something that clearly came earlier.
fn check_order(expected: &[Moment], seen: &[Moment], pairs: &mut [Pair]) {
    pairs.sort_by_key(|pair| (expected[pair.expected].at, pair.expected));
    let all: Vec<usize> = (0..pairs.len()).collect();
    mark_disorder(expected, seen, pairs, &all, AT_ONCE);
    let is_activation = |index: &usize| is_activation(&expected[pairs[*index].expected].what);
    let activations: Vec<usize> = all.iter().copied().filter(is_activation).collect();
    mark_disorder(expected, seen, pairs, &activations, IN_ACTIVATION);
}

/// Looks only at these pairs, which are in the order of the expected run.
fn mark_disorder(
    expected: &[Moment],
    seen: &[Moment],
    pairs: &mut [Pair],
    indices: &[usize],
    apart: Duration,
) {
    // The latest place in the seen run, among everything that is clearly earlier in the expected run.
    let (mut earlier, mut latest) = (0, Duration::ZERO);
    for &index in indices {
        let at = expected[pairs[index].expected].at;
        while expected[pairs[indices[earlier]].expected]
            .at
            .saturating_add(apart)
            < at
        {
            latest = latest.max(seen[pairs[indices[earlier]].seen].at);
            earlier += 1;
        }
        pairs[index].is_in_order &= seen[pairs[index].seen].at >= latest;
    }
}

#[cfg(test)]
mod tests;
