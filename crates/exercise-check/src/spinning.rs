//! Tells a service that computes without pause from a QEMU that hangs: both run out of time, but only one of them has had
//! the processor.

use std::time::Duration;

use systemd_lab::LabError;

use crate::error::CheckError;
use crate::verdict::Observed;

/// A run of a service that waits now and then needs some seconds of the processor. One that has had half of its deadline and
/// more had something to compute all the time.
const SHARE: u32 = 2;

/// What is said of a run that took too long, if its guest computed all the while.
pub(crate) fn observed(error: &CheckError) -> Option<Observed> {
    let CheckError::Lab(LabError::OutOfTime {
        deadline,
        used,
        virtual_ms,
    }) = error
    else {
        return None;
    };
    (*used >= *deadline / SHARE).then(|| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_that_had_the_processor_computed() {
        let observed_after = |used| {
            observed(&CheckError::Lab(LabError::OutOfTime {
                deadline: Duration::from_secs(120),
                used: Duration::from_secs(used),
                virtual_ms: 900,
            }))
        };
        assert!(observed_after(59).is_none());
        let diagnosis = observed_after(121).and_then(|observed| observed.diagnosis);
        assert_eq!(
            diagnosis.as_deref(),
            Some(
                "something in the service computes without pause: after 121 s of computing the run had come to second 0, where it should have been over long before; look for a loop that waits for nothing"
            )
        );
    }
}
