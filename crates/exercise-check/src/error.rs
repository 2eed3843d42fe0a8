//! Why a check can say nothing about a service, and what to do about each.

use std::path::PathBuf;
use std::sync::Arc;

use systemd_lab::LabError;

/// Why a check can say nothing about a service. Every text names the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The lab could not run it.
    #[error(transparent)]
    Lab(#[from] LabError),

    /// cargo built no binary with the name that is looked for.
    #[error(
        "cargo built no binary called {name}: `name` under [[bin]] in {manifest} is another; set it to \"{name}\" again"
    )]
    NoBinary {
        /// The name.
        name: String,
        /// Where it is set.
        manifest: String,
    },

    /// What a requirement is compared with cannot be read.
    #[error("cannot read {}, which says what systemd should show: {why}; get it back with: git checkout -- {}", path.display(), path.display())]
    NoSnapshot {
        /// The snapshot.
        path: PathBuf,
        /// Why.
        why: String,
    },

    /// Something that the check does on the host, beside the guest, failed. The message names the remedy.
    #[error("{message}")]
    Host {
        /// Why, and what to do.
        message: String,
    },
}

/// Wraps a failure of the check itself, which says nothing about the service.
pub fn host_error(error: impl std::fmt::Display) -> Arc<CheckError> {
    Arc::new(CheckError::Host {
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_with_another_name() {
        let error = CheckError::NoBinary {
            name: "exercise-01".to_owned(),
            manifest: "exercises/01-plain/Cargo.toml".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "cargo built no binary called exercise-01: `name` under [[bin]] in exercises/01-plain/Cargo.toml is another; set it to \"exercise-01\" again"
        );
    }
}
