//! What should be seen, in a file: reads it, compares with it, writes it.
//!
//! The file has insta's format, but insta does not compare it: insta obeys variables of the environment (`INSTA_FORCE_PASS`,
//! `INSTA_UPDATE`), and a verdict must not depend on those.

mod lines;

use std::path::PathBuf;
use std::{fs, io};

use crate::error::CheckError;

/// What stands above a snapshot's content: insta's header.
const HEADER: &str = "---\nsource: crates/exercise-check/src/snapshot.rs\n---\n";

/// The file of one requirement, and the service that is compared with it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// `exercises/04-notify/tests/snapshots`.
    pub(crate) folder: PathBuf,
    /// The file's name without its `.snap`.
    pub(crate) name: String,
    /// What the service is called in the file, whatever its name: `exercise-04`.
    pub(crate) canonical: String,
    /// What it is called: `solution-04`.
    pub(crate) own: String,
}

impl Snapshot {
    /// The file's content, without insta's header.
    ///
    /// # Errors
    ///
    /// When it is not there, or damaged.
    pub(crate) fn expected(&self) -> Result<String, CheckError> {
        let path = self.file();
        let unreadable = |why: String| CheckError::NoSnapshot {
            path: path.clone(),
            why,
        };
        let file = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let content = file
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"));
        let (_, content) = content.ok_or_else(|| unreadable("its header is gone".to_owned()))?;
        Ok(content.trim_matches('\n').to_owned())
    }

    /// Whether the same was seen, at about the same distances.
    pub(crate) fn holds(&self, shown: &str) -> bool {
        self.expected()
            .is_ok_and(|expected| lines::is_as_expected(&expected, &self.canonical(shown)))
    }

    /// Both, line by line: `-` what was expected, `+` what was seen.
    pub(crate) fn difference(&self, shown: &str) -> String {
        // It was read before.
        let expected = self.expected().unwrap_or_default();
        let difference = lines::diff(&expected, &self.canonical(shown));
        difference.replace(&self.canonical, &self.own)
    }

    /// Writes what was seen, unless the snapshot holds: then the times in it stay as they were.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write(&self, shown: &str) -> io::Result<()> {
        if self.holds(shown) {
            return Ok(());
        }
        let content = self.canonical(shown);
        fs::create_dir_all(&self.folder)?;
        fs::write(
            self.file(),
            format!("{HEADER}{}\n", content.trim_matches('\n')),
        )
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.snap", self.name))
    }

    fn canonical(&self, shown: &str) -> String {
        shown.replace(&self.own, &self.canonical)
    }
}
