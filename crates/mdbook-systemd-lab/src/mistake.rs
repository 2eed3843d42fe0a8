//! The wrong lines of a known mistake, from its patch. `cargo maintain verify` proves that the patch applies to the
//! solution, and that the result gets the diagnosis in the patch.

use std::fs;
use std::path::Path;

use diffy::Line;
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use crate::site::Site;

const FOLDER: &str = "mistakes";
const EXTENSION: &str = ".patch";

/// How many lines around a change to show. This is enough to find the place; the rest is in the reader's own file.
const CONTEXT: usize = 1;

/// Shown in place of omitted lines between two changes.
const GAP: &str = " …\n";

/// Each changed file's name, and below it a block with its wrong lines (`-`) and the right ones (`+`).
pub(crate) fn shown(site: &Site, arguments: &str) -> Result<String, String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let [number, name] = words[..] else {
        return Err(format!(
            "`{arguments}` is not a mistake; write a stage's number and a patch's name: 04 no-ready"
        ));
    };
    let folder = stage(site, number)?;
    let stage = site.repository().join(FOLDER).join(&folder);
    let names = names(&stage, EXTENSION);
    if !names.iter().any(|it| it == name) {
        return Err(format!(
            "there is no {FOLDER}/{folder}/{name}{EXTENSION}; there are: {}",
            listed(&names)
        ));
    }
    let patch = fs::read_to_string(stage.join(format!("{name}{EXTENSION}")));
    let blocks = patch
        .map_err(|error| error.to_string())
        .and_then(|text| blocks(&text))
        .map_err(|complaint| {
            format!(
                "{FOLDER}/{folder}/{name}{EXTENSION} is not a patch ({complaint}); `cargo maintain verify mistake {number} {name}` says more"
            )
        })?;
    // Attendees edit files with these names.
    let (solution, exercise) = (format!("solution-{number}"), format!("exercise-{number}"));
    let blocks = blocks.join("\n\n").replace(&solution, &exercise);
    Ok(blocks.replace(
        &format!("solutions/{folder}/"),
        &format!("exercises/{folder}/"),
    ))
}

/// `04-notify` for `04`.
fn stage(site: &Site, number: &str) -> Result<String, String> {
    let stages = names(&site.repository().join(FOLDER), "");
    let stages: Vec<String> = stages
        .into_iter()
        .filter(|name| site.repository().join(FOLDER).join(name).is_dir())
        .collect();
    let prefix = format!("{number}-");
    let found = stages.iter().find(|name| name.starts_with(&prefix));
    found.cloned().ok_or_else(|| {
        format!(
            "{FOLDER}/ has no stage with the number `{number}`; there are: {}",
            listed(&stages)
        )
    })
}

fn blocks(text: &str) -> Result<Vec<String>, String> {
    // A text for people comes before the patch.
    let start = text.find("\n--- ").ok_or("it has no line `--- a/…`")?;
    let mut blocks = Vec::new();
    for patch in PatchSet::parse(&text[start + 1..], ParseOptions::unidiff()) {
        let patch = patch.map_err(|error| error.to_string())?;
        let text = patch
            .patch()
            .as_text()
            .ok_or("it changes something that is not text")?;
        let path = match patch.operation().strip_prefix(1) {
            FileOperation::Create(path) | FileOperation::Delete(path) => path.into_owned(),
            FileOperation::Modify { modified, .. } => modified.into_owned(),
            other => return Err(format!("{other:?}")),
        };
        let hunks: Vec<String> = text
            .hunks()
            .iter()
            .map(|hunk| lines(&fixed(hunk.lines())))
            .collect();
        blocks.push(format!("`{path}`:\n\n```diff\n{}```", hunks.join(GAP)));
    }
    match blocks.is_empty() {
        true => Err("it changes nothing".to_owned()),
        false => Ok(blocks),
    }
}

/// The same in reverse: a patch makes the mistake, but people want to see how to fix it.
fn fixed<'a>(lines: &[Line<'a, str>]) -> Vec<Line<'a, str>> {
    let mut fixed = Vec::new();
    for run in lines.chunk_by(|one, other| is_changed(one) == is_changed(other)) {
        let wrong = run.iter().filter_map(|line| match line {
            Line::Insert(text) => Some(Line::Delete(*text)),
            _ => None,
        });
        fixed.extend(wrong);
        fixed.extend(run.iter().filter_map(|line| match line {
            Line::Insert(_) => None,
            Line::Delete(text) => Some(Line::Insert(*text)),
            Line::Context(text) => Some(Line::Context(*text)),
        }));
    }
    fixed
}

/// The changed lines of a hunk, with a little context.
fn lines(lines: &[Line<'_, str>]) -> String {
    let mut kept = String::new();
    let mut last = None;
    for (index, line) in lines.iter().enumerate() {
        let (sign, text) = match line {
            Line::Context(text) => (' ', *text),
            Line::Delete(text) => ('-', *text),
            Line::Insert(text) => ('+', *text),
        };
        if !is_kept(lines, index) {
            continue;
        }
        if last.is_some_and(|last| has_text(&lines[last + 1..index])) {
            kept.push_str(GAP);
        }
        kept.push_str(&format!("{sign}{}\n", text.trim_end()));
        last = Some(index);
    }
    kept
}

fn is_changed(line: &Line<'_, str>) -> bool {
    !matches!(line, Line::Context(_))
}

fn is_kept(lines: &[Line<'_, str>], index: usize) -> bool {
    let around = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(lines.len());
    match &lines[index] {
        Line::Context(text) if text.trim().is_empty() => false,
        // A section of a unit file is kept: without it, a setting in the wrong section looks right.
        Line::Context(text) if is_section(text) => {
            let mut below = lines[index + 1..].iter();
            let next = below.find(|line| {
                is_changed(line) || matches!(line, Line::Context(text) if is_section(text))
            });
            next.is_some_and(is_changed)
        }
        Line::Context(_) => lines[around].iter().any(is_changed),
        Line::Delete(_) | Line::Insert(_) => true,
    }
}

fn is_section(text: &str) -> bool {
    text.starts_with('[') && text.trim_end().ends_with(']')
}

fn has_text(lines: &[Line<'_, str>]) -> bool {
    lines.iter().any(|line| match line {
        Line::Context(text) | Line::Delete(text) | Line::Insert(text) => !text.trim().is_empty(),
    })
}

/// The names in a folder with this suffix, without it.
fn names(folder: &Path, end: &str) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            Some(name.strip_suffix(end)?.to_owned())
        })
        .collect();
    names.sort();
    names
}

fn listed(names: &[String]) -> String {
    match names.is_empty() {
        true => "none yet".to_owned(),
        false => names.join(", "),
    }
}
