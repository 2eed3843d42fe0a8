//! Makes a failing plan smaller while it still fails: the fewest items first, then the roundest times.
//!
//! The question whether a smaller plan still fails is the caller's, and usually a run in the lab, so few questions are asked.

use std::time::Duration;

/// Times are rounded to the coarsest of these that will do.
const STEPS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(1),
    Duration::from_millis(100),
    Duration::from_millis(10),
];

/// The items that are needed for the failure: without any one of the result, it does not fail. Tries halves before single items.
///
/// # Errors
///
/// As `fails`.
pub fn fewest<T: Clone, E>(
    items: Vec<T>,
    mut fails: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut kept = items;
    let mut size = kept.len().div_ceil(2);
    while size > 0 && kept.len() > 1 {
        let mut any = false;
        let mut from = 0;
        while from < kept.len() && kept.len() > 1 {
            let to = (from + size).min(kept.len());
            let fewer: Vec<T> = [&kept[..from], &kept[to..]].concat();
            if !fewer.is_empty() && fails(&fewer)? {
                kept = fewer;
                any = true;
            } else {
                from = to;
            }
        }
        // A single item may turn out to be unnecessary once another one is gone.
        if !(any && size == 1) {
            size /= 2;
        }
    }
    Ok(kept)
}

/// The roundest time near this one for which the plan still fails.
///
/// # Errors
///
/// As `fails`.
pub fn roundest<E>(
    time: Duration,
    mut fails: impl FnMut(Duration) -> Result<bool, E>,
) -> Result<Duration, E> {
    let mut tried = vec![time];
    for step in STEPS {
        for rounded in nearest(time, step) {
            if rounded == time {
                return Ok(time);
            }
            if tried.contains(&rounded) {
                continue;
            }
            tried.push(rounded);
            if fails(rounded)? {
                return Ok(rounded);
            }
        }
    }
    Ok(time)
}

/// The two multiples of the step around the time, the nearer one first.
fn nearest(time: Duration, step: Duration) -> [Duration; 2] {
    let above = time.as_nanos() % step.as_nanos();
    let above = Duration::from_nanos(u64::try_from(above).unwrap_or(0));
    let (down, up) = (time - above, time - above + step);
    match above * 2 <= step {
        true => [down, up],
        false => [up, down],
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn fewest_of(items: &[u32], needed: &[u32]) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let Ok(kept) = fewest(items.to_vec(), |some| {
            asked += 1;
            Ok::<bool, Infallible>(needed.iter().all(|it| some.contains(it)))
        });
        (kept, asked)
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        assert_eq!(fewest_of(&[1, 2, 3, 4, 5, 6, 7, 8], &[3, 8]).0, [3, 8]);
        assert_eq!(fewest_of(&[1, 2, 3], &[1, 2, 3]).0, [1, 2, 3]);
        // One of eight takes a question for each half, not one for each item.
        let (kept, asked) = fewest_of(&[1, 2, 3, 4, 5, 6, 7, 8], &[1]);
        assert_eq!(kept, [1]);
        assert!(asked <= 6, "{asked}");
        // Nothing fails without any item: that is never asked.
        assert_eq!(fewest_of(&[1], &[]), (vec![1], 0));
    }

    /// Each item of the result is needed, also if that depends on which others are there.
    #[test]
    fn an_item_that_another_one_made_necessary_goes_with_it() {
        // It fails with an even number of items that contains 7.
        let Ok(kept) = fewest(vec![7, 1, 2, 3], |some| {
            Ok::<bool, Infallible>(some.contains(&7) && some.len() != 3)
        });
        assert_eq!(kept, [7]);
    }

    #[test]
    fn times_are_as_round_as_the_failure_allows() {
        let ms = Duration::from_millis;
        // It fails in this range of milliseconds.
        let roundest = |time, range: std::ops::RangeInclusive<u64>| {
            let fails = |it| range.contains(&u64::try_from(Duration::as_millis(&it)).unwrap_or(0));
            let Ok(round) = roundest(ms(time), |it| Ok::<bool, Infallible>(fails(it)));
            round
        };
        assert_eq!(roundest(12_345, 0..=100_000), ms(10_000));
        assert_eq!(roundest(12_345, 12_000..=100_000), ms(20_000));
        assert_eq!(roundest(12_345, 12_000..=19_999), ms(12_000));
        assert_eq!(roundest(12_345, 12_200..=12_399), ms(12_300));
        assert_eq!(roundest(12_345, 12_345..=12_345), ms(12_345));
        assert_eq!(roundest(12_000, 12_000..=12_000), ms(12_000));
    }
}
