//! Stored results of mutants. A run that was interrupted continues where it was, and what has not changed is not judged again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::{Fate, Mutant};

/// A folder with a file for each mutant.
pub(super) struct Results {
    folder: PathBuf,
}

impl Results {
    /// Opens the folder, and creates it if necessary.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Results> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Results {
            folder: folder.to_owned(),
        })
    }

    /// A key for the check and all files of the mutant.
    pub(super) fn key(&self, check: &Path, mutant: &Mutant) -> anyhow::Result<String> {
        let meta =
            fs::metadata(check).with_context(|| format!("cannot read {}", check.display()))?;
        let mut hash = Sha256::new();
        hash.update(format!("{} {:?}\n", meta.len(), meta.modified().ok()));
        for (path, text) in &mutant.files.0 {
            hash.update(format!("{path} {}\n{text}", text.len()));
        }
        let key = hash.finalize();
        Ok(key
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// The stored result, if there is one. Mutants whose check broke are tried again.
    pub(super) fn read(&self, key: &str) -> Option<Fate> {
        let text = fs::read(self.folder.join(key)).ok()?;
        let fate = serde_json::from_slice(&text).ok()?;
        (!matches!(fate, Fate::Broken(_))).then_some(fate)
    }

    /// Stores a result. If that fails, the mutant is judged again the next time.
    pub(super) fn write(&self, key: &str, fate: &Fate) {
        if let Ok(text) = serde_json::to_vec(fate) {
            let _ = fs::write(self.folder.join(key), text);
        }
    }
}
