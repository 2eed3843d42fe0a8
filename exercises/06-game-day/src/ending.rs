//! How a role can fail, and the exit code that tells systemd which way it was. You do not need to change this file.
//!
//! systemd does not see reasons, only exit codes and signals. What it should treat differently needs its own exit code.

use anyhow::Error;

/// The role could not do its job.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong, and will still be wrong on the next try.
    Configuration(Error),
    /// The data is damaged, and will still be damaged on the next try.
    Damaged(Error),
    /// Something else is in the way. Nothing has been touched, and the next try may succeed.
    InTheWay(Error),
    /// Anything else.
    Other(Error),
}

impl Failure {
    /// The exit code: the one from sysexits(3), if there is one.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // EX_CONFIG
            Failure::Configuration(_) => 78,
            // EX_DATAERR
            Failure::Damaged(_) => 65,
            // EX_TEMPFAIL
            Failure::InTheWay(_) => 75,
            Failure::Other(_) => 1,
        }
    }

    /// What happened.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Failure::Configuration(error)
            | Failure::Damaged(error)
            | Failure::InTheWay(error)
            | Failure::Other(error) => error,
        }
    }
}

/// `?` turns any error into one that nobody has classified.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}
