//! The mutants that may survive, with reasons: `mistakes/free.toml`.

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
    /// The mutant's line must contain all of these.
    words: Vec<String>,
    /// Why the task leaves it open.
    #[allow(dead_code, reason = "it is for people, and must be there")]
    why: String,
    /// Whether a mutant needed this entry.
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
        toml::from_str(&text).with_context(|| format!("cannot parse {FILE}"))
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
