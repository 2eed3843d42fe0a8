//! What the lab needs on this machine, whether it is available, and what to do if not.
//!
//! [`look`] changes nothing, downloads nothing and starts no guest. [`self_test()`] proves that the lab works.

mod host;
mod parts;
mod self_test;

use crate::cache::Cache;
use crate::lab::Lab;

pub use self_test::{SelfTest, self_test};

/// One thing that the lab needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name, in a word or two.
    pub name: &'static str,
    /// Its state.
    pub state: State,
    /// What was found, e.g. a version and a path.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<Remedy>,
}

/// The state of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As required.
    Good,
    /// Missing, and needed.
    Missing,
    /// Missing, but not needed at the moment.
    Unneeded,
    /// Available, but not as required.
    Damaged,
    /// Possibly good: checking would take long.
    Unknown,
}

impl State {
    /// Whether this keeps the lab from working.
    pub fn is_bad(self) -> bool {
        matches!(self, State::Missing | State::Damaged)
    }
}

/// What to do about a [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// [`LabOptions::repaired`](crate::LabOptions::repaired) fixes it.
    SetUp,
    /// Type this command.
    Type(String),
    /// Any other advice, in words.
    Advice(String),
}

/// Checks everything, in the order in which it is needed.
pub fn look() -> Vec<Finding> {
    let parts = parts::Parts::look();
    let mut findings = vec![host::machine()];
    findings.extend(host::programs(parts.need_image()));
    findings.extend(host::compiler_flags());
    findings.extend(parts.findings());
    findings
}

/// [`look`], and a [`self_test()`] if the lab is set up.
pub fn examine() -> Vec<Finding> {
    let before = Cache::locate()
        .ok()
        .and_then(|cache| SelfTest::last(&cache));
    let result = match Lab::options().find() {
        Ok(Some(lab)) => Some(self_test(&lab)),
        // If something prevents that, `look` reports it.
        Ok(None) | Err(_) => None,
    };
    let mut findings = look();
    match result {
        None => findings.push(self_test::not_run(before.as_ref())),
        Some(Ok(test)) => findings.extend(test.findings(before.as_ref())),
        Some(Err(error)) => findings.push(Finding::new(
            self_test::NAME,
            State::Damaged,
            error.to_string(),
            Some(Remedy::SetUp),
        )),
    }
    findings
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Finding {
        Finding::new(name, State::Good, detail, None)
    }

    fn new(
        name: &'static str,
        state: State,
        detail: impl Into<String>,
        remedy: Option<Remedy>,
    ) -> Finding {
        Finding {
            name,
            state,
            detail: detail.into(),
            remedy,
        }
    }
}
