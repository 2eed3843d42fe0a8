//! Tells a service that computes without pause from a machine that is too busy: both run out of wall time, but only one of
//! them has had the processor all the while.

use std::fs;
use std::time::Duration;

use systemd_lab::LabError;
use systemd_lab::check::Observed;

/// In /proc/self/stat (proc_pid_stat(5)): where `cutime` and `cstime` are, counted from the state, which follows the name.
const CHILDREN: [usize; 2] = [13, 14];

/// A tick in /proc/self/stat: `USER_HZ`, which is 100 wherever Linux runs.
const TICK: Duration = Duration::from_millis(10);

/// A run of a service that waits now and then needs some seconds of the processor. One that has had half of its deadline and
/// more had something to compute all the time.
const SHARE: u32 = 2;

/// What is said of a run that took too long, if its guest computed all the while.
pub(crate) fn observed(error: &LabError) -> Option<Observed> {
    let LabError::OutOfTime {
        deadline,
        virtual_ms,
    } = error
    else {
        return None;
    };
    let used = used_by_children(&fs::read_to_string("/proc/self/stat").ok()?)?;
    (used >= *deadline / SHARE).then(|| {
        let came = Duration::from_millis(*virtual_ms).as_secs();
        Observed {
            shown: "the run did not end: the guest computed without pause\n".to_owned(),
            diagnosis: Some(format!(
                "something in the service computes without pause: after {} s of computing the run had come to second {came}, where it should have been over long before; look for a loop that waits for nothing",
                used.as_secs()
            )),
            witness: "the lab",
            scenario: None,
        }
    })
}

/// How long the processor worked for this process's children that have ended: QEMU above all.
fn used_by_children(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let mut ticks = 0;
    for index in CHILDREN {
        ticks += fields.get(index)?.parse::<u32>().ok()?;
    }
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_read_from_behind_the_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 330 44 20 0 1 0 5 6 7";
        assert_eq!(used_by_children(stat), Some(Duration::from_millis(3740)));
        assert_eq!(used_by_children("7 (x) S 1"), None);
    }

    #[test]
    fn a_busy_machine_is_not_the_service() {
        let error = LabError::OutOfTime {
            deadline: Duration::from_secs(120),
            virtual_ms: 900,
        };
        // This test has no children.
        assert!(observed(&error).is_none());
    }
}
