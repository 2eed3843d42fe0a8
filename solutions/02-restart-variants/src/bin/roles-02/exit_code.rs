//! Exit codes that travel with an error.

use std::fmt;
use std::process::ExitCode;

use anyhow::Error;

/// All done.
pub(crate) const DONE: Code = Code(0);

/// Done, but for what was broken.
pub(crate) const DONE_IN_PART: Code = Code(10);

/// EX_TEMPFAIL of sysexits(3): nothing has been touched, so try again.
pub(crate) const TEMPORARY: Code = Code(75);

/// EX_CONFIG of sysexits(3): do not try again.
pub(crate) const CONFIGURATION: Code = Code(78);

/// For an error that carries none.
const UNKNOWN: Code = Code(1);

/// An exit code; as the context of an error, the one to end with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(u8);

impl Code {
    /// The one that the error carries.
    pub(crate) fn of(error: &Error) -> Code {
        error.downcast_ref().copied().unwrap_or(UNKNOWN)
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}
