//! Mutants of the code. cargo-mutants (<https://mutants.rs>) proposes the changes; they are built and judged here, like mistakes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Kind, Mutant};
use stages::files::Files;

/// An entry in the output of `cargo mutants --list --json`.
#[derive(Deserialize)]
struct Listed {
    file: String,
    name: String,
    replacement: String,
    span: Span,
}

#[derive(Deserialize)]
struct Span {
    start: Position,
    end: Position,
}

/// Counted from 1, in characters.
#[derive(Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

/// The mutants of a solution's code.
///
/// # Errors
///
/// When cargo-mutants is not installed, or fails.
pub(super) fn of(
    root: &Path,
    stage: &str,
    package: &str,
    solution: &Files,
) -> anyhow::Result<Vec<Mutant>> {
    let output = Command::new("cargo")
        .args(["mutants", "--list", "--json", "--package", package])
        .current_dir(root)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "cargo mutants failed; is it installed? type: cargo install --locked cargo-mutants\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    let listed: Vec<Listed> =
        serde_json::from_slice(&output.stdout).context("cannot parse what cargo mutants prints")?;
    let mut mutants = Vec::new();
    for one in listed {
        let text = solution.0.get(&one.file);
        let text = text.with_context(|| format!("{} is not in the solution", one.file))?;
        let changed = replaced(text, &one.span, &one.replacement).with_context(|| {
            format!(
                "{} has no line and column for this mutant: {}",
                one.file, one.name
            )
        })?;
        let mut files = solution.clone();
        files.0.insert(one.file.clone(), changed);
        let file = one
            .file
            .rsplit_once("/src/")
            .map_or(one.file.as_str(), |(_, file)| file);
        let name = one
            .name
            .rsplit_once(".rs:")
            .map_or(one.name.as_str(), |(_, rest)| rest);
        mutants.push(Mutant {
            stage: stage.to_owned(),
            kind: Kind::Code,
            file: one.file.clone(),
            change: format!("{file}:{name}"),
            files,
        });
    }
    Ok(mutants)
}

fn replaced(text: &str, span: &Span, replacement: &str) -> Option<String> {
    let (start, end) = (offset(text, &span.start)?, offset(text, &span.end)?);
    let (before, after) = (text.get(..start)?, text.get(end..)?);
    Some(format!("{before}{replacement}{after}"))
}

/// The index of the byte at a position.
fn offset(text: &str, position: &Position) -> Option<usize> {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.clone().take(position.line - 1).map(str::len).sum();
    let line = lines.clone().nth(position.line - 1)?;
    let characters = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    Some(before + characters.clone().nth(position.column - 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_counted_in_lines_and_characters() {
        let text = "fn é() {\n    ä == b\n}\n";
        let span = |from: (usize, usize), to: (usize, usize)| Span {
            start: Position {
                line: from.0,
                column: from.1,
            },
            end: Position {
                line: to.0,
                column: to.1,
            },
        };
        assert_eq!(
            replaced(text, &span((2, 7), (2, 9)), "!=").as_deref(),
            Some("fn é() {\n    ä != b\n}\n")
        );
        assert_eq!(
            replaced(text, &span((2, 5), (3, 1)), "").as_deref(),
            Some("fn é() {\n    }\n")
        );
        assert_eq!(replaced(text, &span((9, 1), (9, 2)), "x"), None);
    }
}
