//! What came of each mutant, kept: a run that is ended goes on where it was, and what has not changed is not judged again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::{Fate, Mutant};

/// A folder with a file for each.
pub(super) struct Results {
    folder: PathBuf,
}

impl Results {
    /// Opens the folder, made if it is not there.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Results> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Results {
            folder: folder.to_owned(),
        })
    }

    /// Stands for the check and for all files of the mutant.
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

    /// What came of it, if that is known. What broke is tried again.
    pub(super) fn read(&self, key: &str) -> Option<Fate> {
        let text = fs::read(self.folder.join(key)).ok()?;
        let fate = serde_json::from_slice(&text).ok()?;
        (!matches!(fate, Fate::Broken(_))).then_some(fate)
    }

    /// Keeps it. What cannot be kept is judged again the next time.
    pub(super) fn write(&self, key: &str, fate: &Fate) {
        if let Ok(text) = serde_json::to_vec(fate) {
            let _ = fs::write(self.folder.join(key), text);
        }
    }
}
