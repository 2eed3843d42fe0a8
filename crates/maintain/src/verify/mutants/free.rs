//! Which mutants may survive, and why: `mistakes/free.toml`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::Mutant;

/// Relative to the workshop.
pub(super) const FILE: &str = "mistakes/free.toml";

/// Its entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Free {
    #[serde(default, rename = "free")]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Each of these is in the mutant's line.
    words: Vec<String>,
    /// Why the task says nothing of it.
    #[allow(dead_code, reason = "it is for people, and must be there")]
    why: String,
    /// Whether some mutant needed it.
    #[serde(skip)]
    is_used: bool,
}

impl Free {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or an entry has no reason.
    pub(super) fn read(root: &Path) -> anyhow::Result<Free> {
        let text = fs::read_to_string(root.join(FILE));
        let text = text.with_context(|| format!("cannot read {FILE}"))?;
        toml::from_str(&text).with_context(|| format!("{FILE} is not as it should be"))
    }

    /// Whether the mutant may survive.
    pub(super) fn allows(&mut self, mutant: &Mutant) -> bool {
        let line = mutant.to_string();
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.words.iter().all(|word| line.contains(word)));
        if let Some(entry) = entry {
            entry.is_used = true;
            return true;
        }
        false
    }

    /// Entries that no mutant needed.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.entries.iter().filter(|entry| !entry.is_used);
        unused.map(|entry| entry.words.join(" ")).collect()
    }
}
