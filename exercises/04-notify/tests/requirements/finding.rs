//! What a check finds first, as text: for tests of the check itself.

use crate::requirements::{self, Subject};

/// When there is nothing to find.
pub(crate) const NOTHING: &str = "every requirement is met";

/// The first requirement that is not met, and what an attendee is told.
pub(crate) fn first_finding(subject: &Subject) -> String {
    for stage in requirements::ALL {
        let (requirement, observed) = stage.observe(subject);
        let verdict = requirement.compare(observed.as_ref().map_err(|error| error.as_ref()));
        if !verdict.report.is_empty() {
            let told = verdict.diagnosis.unwrap_or(verdict.report);
            return format!("requirement {}: {told}", verdict.number);
        }
    }
    NOTHING.to_owned()
}
