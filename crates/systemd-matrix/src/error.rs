//! What can go wrong with a measurement.

use systemd_lab::LabError;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The lab could not run it.
    #[error(transparent)]
    Lab(#[from] LabError),

    /// A unit did something else than its row claims.
    #[error(
        "nothing was measured, since {what}; this is a fault of the workshop, please report it"
    )]
    NotAsClaimed {
        /// Which unit, and what it did.
        what: String,
    },

    /// The manual's table, as it is kept here, cannot be read.
    #[error("the manual's table of systemd {version} cannot be read: {source}; correct it")]
    BadManual {
        /// systemd's version.
        version: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
}

/// A unit did something else than its row claims.
pub(crate) fn not_as_claimed(what: impl Into<String>) -> MatrixError {
    MatrixError::NotAsClaimed { what: what.into() }
}
