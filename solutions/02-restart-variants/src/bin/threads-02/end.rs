//! How a role ends. The numbers are what systemd sees.

use anyhow::Error;

/// Each end with its exit code.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum End {
    /// Stopped, or all work done.
    Finished = 0,
    /// Nobody knows whether another try helps.
    Failed = 1,
    /// All work done except what was broken.
    FinishedWithSkips = 10,
    /// `EX_TEMPFAIL`: nothing has been touched.
    TryAgain = 75,
    /// `EX_CONFIG`: a person has to change a file first.
    WronglyConfigured = 78,
}

/// An end, with its message.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// How it ends.
    pub(crate) end: End,
    /// For the journal.
    pub(crate) why: Error,
}

/// Says what an error means for the process.
pub(crate) trait OrEnd<T> {
    /// How an error ends the process.
    fn or_end(self, end: End) -> Result<T, Unfinished>;
}

impl<T> OrEnd<T> for anyhow::Result<T> {
    fn or_end(self, end: End) -> Result<T, Unfinished> {
        self.map_err(|why| Unfinished { end, why })
    }
}
