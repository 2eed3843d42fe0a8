//! Checks of the whole tree: format, lints, and that verifying leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::verified::Verified;
use stages::cargo::{cargo, text};

/// How much of a tool's output to show: the first complaint, without its consequences.
const OUTPUT_LINES: usize = 30;

/// What insta writes beside a snapshot that differs.
const STRAY: [&str; 2] = [".snap.new", ".pending-snap"];

/// The tree before anything was verified.
pub(super) struct Tree<'a> {
    root: &'a Path,
    target: &'a Path,
    status: String,
}

pub(super) fn format(root: &Path) -> anyhow::Result<Verified> {
    let arguments = ["fmt", "--all", "--check"];
    tool(root, &arguments, "run `cargo fmt --all`")
}

pub(super) fn clippy(root: &Path) -> anyhow::Result<Verified> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--quiet",
        "--",
        "--deny",
        "warnings",
    ];
    tool(root, &arguments, "correct what clippy names first")
}

fn tool(root: &Path, arguments: &[&str], remedy: &str) -> anyhow::Result<Verified> {
    let output = cargo(root)
        .args(arguments)
        .output()
        .context("cannot run cargo")?;
    if output.status.success() {
        return Ok(Verified::Ok);
    }
    let all = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    let lines: Vec<&str> = all.trim().lines().take(OUTPUT_LINES).collect();
    Ok(Verified::Failed(format!("{remedy}\n{}", lines.join("\n"))))
}

impl<'a> Tree<'a> {
    /// Records git's status before anything is verified.
    pub(super) fn before(root: &'a Path, target: &'a Path) -> anyhow::Result<Tree<'a>> {
        Ok(Tree {
            root,
            target,
            status: status(root)?,
        })
    }

    /// Files that are new since then, and files that should never exist.
    pub(super) fn after(&self) -> anyhow::Result<Verified> {
        let now = status(self.root)?;
        let mut complaints = Vec::new();
        for line in now.lines().filter(|line| !has(&self.status, line)) {
            complaints.push(format!("git status has a new line: {line}"));
        }
        for line in self.status.lines().filter(|line| !has(&now, line)) {
            complaints.push(format!("git status has lost a line: {line}"));
        }
        let mut stray = Vec::new();
        find_stray(self.root, self.target, &mut stray)?;
        for path in stray {
            let path = path.strip_prefix(self.root).unwrap_or(&path);
            complaints.push(format!("{} is left over; remove it", path.display()));
        }
        Ok(Verified::without(&complaints))
    }
}

fn has(status: &str, line: &str) -> bool {
    status.lines().any(|other| other == line)
}

fn status(root: &Path) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=all"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run git; install it")?;
    if !output.status.success() {
        bail!("git status failed: {}", text(&output.stderr));
    }
    // Not trimmed at its start: the first column may be empty.
    Ok(text(&output.stdout))
}

fn find_stray(folder: &Path, target: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let (path, name) = (entry.path(), entry.file_name());
        // A target directory that is not in use also contains cargo's tag.
        let is_built = path == target || name == ".git" || path.join("CACHEDIR.TAG").exists();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !is_built {
                find_stray(&path, target, found)?;
            }
        } else if STRAY
            .iter()
            .any(|end| name.to_string_lossy().ends_with(end))
        {
            found.push(path);
        }
    }
    Ok(())
}
