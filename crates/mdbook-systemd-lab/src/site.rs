//! Where the guide's files are, and how a problem in one is reported.

use std::path::{Path, PathBuf};

/// Where the guide's files are.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder of `book.toml`, which contains `measured/` and the folder of the pages. The repository is its parent
    /// folder.
    pub book: PathBuf,
    /// The folder of the pages, relative to `book`; usually `src`.
    pub pages: PathBuf,
}

/// Something in a page that would be wrong in the book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Problem {
    /// The page, relative to the repository: `book/src/05-watchdog.md`.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Site {
    /// The parent folder of the book.
    pub(crate) fn repository(&self) -> &Path {
        self.book.parent().unwrap_or(&self.book)
    }

    /// A path as people write it: relative to the repository.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.repository()).unwrap_or(path);
        path.display().to_string()
    }
}
