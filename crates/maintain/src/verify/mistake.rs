//! A known mistake: a text for people, what the check must say, and a patch that breaks the solution.

use std::fs;
use std::path::Path;

use super::guide::Guide;
use super::stage::{Material, MistakeFile};
use crate::judge::Finding;
use stages::files::{Files, split_patch};

/// A mistake, applied.
pub(super) struct Mistake {
    pub(super) expected: Finding,
    pub(super) files: Files,
    /// Whether it has a binary of its own.
    pub(super) is_in_code: bool,
    /// What the guide shows of it, if anything.
    pub(super) guide: Option<Guide>,
}

impl Mistake {
    /// Reads and applies it. The error says what to correct.
    pub(super) fn read(
        root: &Path,
        stage: &Material,
        file: &MistakeFile,
    ) -> Result<Mistake, String> {
        let text = fs::read_to_string(&file.path)
            .map_err(|error| format!("cannot be read: {error}; write it in UTF-8"))?;
        let (header, patch) = split_patch(&text)?;
        let (text, lines) = blocks(header);
        let expected = expected(text, lines)?;
        let mut files = stage
            .solution_files(root)
            .map_err(|error| format!("{error:#}"))?;
        let changed = files.apply(patch)?;
        let code = format!("{}/", stage.solution_folder());
        let is_in_code = changed.iter().any(|path| {
            path.strip_prefix(&code)
                .is_some_and(|path| path.starts_with("src/") || path == "Cargo.toml")
        });
        Ok(Mistake {
            expected,
            files,
            is_in_code,
            guide: Guide::read(lines, stage)?,
        })
    }
}

/// The last block before the patch has the lines for the command. Everything before that is text for people.
fn blocks(header: &str) -> (&str, &str) {
    let header = header.trim_end();
    header.rsplit_once("\n\n").unwrap_or(("", header))
}

fn expected(text: &str, lines: &str) -> Result<Finding, String> {
    let line = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name));
    let missing = |line: &str| {
        format!(
            "has no line `{line}`: put it between the text and the patch, with an empty line before it"
        )
    };
    let number = line("Requirement: ").ok_or_else(|| missing("Requirement: <number>"))?;
    let number = number.parse().map_err(|_| {
        format!("`Requirement: {number}` is not a number; say which requirement fails first")
    })?;
    let diagnosis = line("Diagnosis: ").ok_or_else(|| missing("Diagnosis: <one line>"))?;
    if text.trim().is_empty() {
        return Err("has no text at the beginning; say what is wrong and why people do it".into());
    }
    Ok(Finding {
        number,
        text: diagnosis.to_owned(),
    })
}
