//! How a role can fail, and the exit code that tells systemd which it was.
//!
//! systemd sees no reasons, only exit codes and signals. What it should treat differently needs a code of its own.

use anyhow::Error;

/// The role could not do what it is for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong, and will still be wrong at the next try.
    Configuration(Error),
    /// Something else is in the way. Nothing has been touched, and the next try may succeed.
    InTheWay(Error),
    /// Anything else.
    Other(Error),
}

impl Failure {
    /// The exit code: where there is one, that of sysexits(3).
    pub(crate) fn code(&self) -> u8 {
        match self {
            // EX_CONFIG
            Failure::Configuration(_) => 78,
            // EX_TEMPFAIL
            Failure::InTheWay(_) => 75,
            Failure::Other(_) => 1,
        }
    }

    /// What happened.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Failure::Configuration(error) | Failure::InTheWay(error) | Failure::Other(error) => {
                error
            }
        }
    }
}

/// With `?`, an error is one that nobody has classified.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}
