//! How a role can end, and the exit code that tells systemd which it was.
//!
//! systemd sees no reasons, only exit codes and signals. What it should treat differently needs a code of its own.

use anyhow::Error;

/// The role has done what it is for.
#[derive(Debug)]
pub(crate) enum Done {
    /// All of it.
    Completely,
    /// All but what was broken: still a success, but one that a person may want to look at.
    WithSkips,
}

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

impl Done {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        // TODO: the two are not the same.
        match self {
            Done::Completely | Done::WithSkips => 0,
        }
    }
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        // TODO: all three look the same to systemd. Where there is one, take the code of sysexits(3).
        match self {
            Failure::Configuration(_) | Failure::InTheWay(_) | Failure::Other(_) => 1,
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
