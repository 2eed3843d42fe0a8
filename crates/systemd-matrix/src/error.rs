//! What can go wrong with a measurement.

use systemd_lab::LabError;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The lab could not run it.
    #[error(transparent)]
    Lab(#[from] LabError),

    /// A unit did not do what its row claims.
    #[error(
        "nothing was measured, because {what}; this is a fault of the workshop, please report it"
    )]
    NotAsClaimed {
        /// The unit, and what it did.
        what: String,
    },

    /// The stored table of the manual cannot be read.
    #[error("the manual's table of systemd {version} cannot be read: {source}; correct it")]
    BadManual {
        /// systemd's version.
        version: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
}

/// A unit did not do what its row claims.
pub(crate) fn not_as_claimed(what: impl Into<String>) -> MatrixError {
    MatrixError::NotAsClaimed { what: what.into() }
}
