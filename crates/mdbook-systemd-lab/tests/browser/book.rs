//! The built guide.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;

/// The file that pins the version for everyone.
const PINNED_IN: &str = include_str!("../../../workshop/src/book.rs");

/// The guide as HTML, in a directory that disappears.
pub(crate) struct Book {
    directory: TempDir,
    /// Names of all pages, e.g. `01-plain.html`.
    pub(crate) pages: Vec<String>,
}

impl Book {
    /// Builds the guide.
    pub(crate) fn build() -> Book {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = TempDir::new().expect("a directory for the guide can be made");
        let output = Command::new(mdbook(&root))
            .arg("build")
            .arg(root.join("book"))
            .arg("--dest-dir")
            .arg(directory.path())
            .output()
            .expect("mdBook runs");
        let said = String::from_utf8_lossy(&output.stderr);
        // mdBook only warns about a missing include.
        let is_clean = output.status.success() && !said.contains("ERROR") && !said.contains("WARN");
        assert!(is_clean, "mdbook build: {said}");
        let entries = fs::read_dir(directory.path()).expect("mdBook has made the directory");
        let mut pages: Vec<String> = entries
            .map(|entry| entry.expect("the directory can be read").file_name())
            .filter_map(|name| name.into_string().ok())
            // Part of the other pages, for browsers without JavaScript.
            .filter(|name| name.ends_with(".html") && name != "toc.html")
            .collect();
        pages.sort();
        Book { directory, pages }
    }

    /// The source of a page; `None` for pages that mdBook adds.
    pub(crate) fn source(&self, page: &str) -> Option<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
        fs::read_to_string(root.join(page).with_extension("md")).ok()
    }

    /// A page as it was built.
    pub(crate) fn html(&self, page: &str) -> String {
        fs::read_to_string(self.directory.path().join(page)).expect("mdBook has made it")
    }

    /// The address of a page.
    pub(crate) fn address(&self, page: &str) -> String {
        format!("file://{}/{page}", self.directory.path().display())
    }
}

fn mdbook(root: &Path) -> PathBuf {
    let version = PINNED_IN
        .split_once("MDBOOK_VERSION: &str = \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(version, _)| version)
        .expect("`cargo workshop book` pins a version");
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(root.join("target/tools/bin"))
        .chain(env::split_paths(&path))
        .map(|directory| directory.join("mdbook"))
        .find(|mdbook| {
            let output = Command::new(mdbook).arg("--version").output();
            output.is_ok_and(|output| {
                String::from_utf8_lossy(&output.stdout).trim() == format!("mdbook v{version}")
            })
        })
        .unwrap_or_else(|| panic!("mdBook {version} is needed; `cargo workshop book` fetches it"))
}
