//! Checks where an include leads. mdBook does the including; for a terminal, it is done here.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::Page;
use crate::site::Site;

/// Folders of the repository whose subfolders are crates, which are tested.
const CRATES: [&str; 4] = ["crates", "examples", "exercises", "solutions"];

/// Folders of the repository whose files may also be included.
const OTHERS: [&str; 2] = ["units", "book"];

/// The part of the include after the first colon.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Whole,
    Anchor(&'a str),
    /// Counted from 1, both inclusive. Without an end: up to the last line.
    Lines(usize, Option<usize>),
}

/// The included text. Complains unless the file exists, may be shown, and has the anchor or the lines.
pub(crate) fn read(site: &Site, page: &Page, arguments: &str) -> Result<String, String> {
    let target = arguments.split_whitespace().next().unwrap_or_default();
    let (path, part) = target.split_once(':').unwrap_or((target, ""));
    let pages = site.book.join(&site.pages);
    let page = pages.join(&page.path);
    let file = page.parent().unwrap_or(&pages).join(path);
    let file = site.repository().join(permitted(site, &file)?);
    let shown = site.shown(&file);
    let content = fs::read_to_string(&file).map_err(|_| {
        format!("{shown} cannot be read; correct the path, which begins at the page")
    })?;
    match part_of(part)? {
        Part::Whole if content.trim().is_empty() => Err(format!("{shown} is empty")),
        Part::Whole => Ok(content),
        Part::Anchor(anchor) => anchored(&content, anchor)
            .map_err(|complaint| format!("{shown} {complaint}; it has: {}", anchors(&content))),
        Part::Lines(from, to) => {
            let there = content.lines().count();
            let last = to.unwrap_or(from);
            match (1..=there).contains(&from) && (from..=there).contains(&last) {
                true => {
                    let last = if to.is_none() && part.ends_with(':') {
                        there
                    } else {
                        last
                    };
                    let lines = content.lines().take(last).skip(from - 1);
                    Ok(lines.map(|line| format!("{line}\n")).collect())
                }
                false => Err(format!(
                    "{shown} has {there} lines; correct `:{part}` (an anchor stays right when lines move)"
                )),
            }
        }
    }
}

/// The file relative to the repository, if tests notice when it breaks.
fn permitted(site: &Site, file: &Path) -> Result<PathBuf, String> {
    let repository = site.repository();
    let inside = normal(file)
        .and_then(|file| Some(file.strip_prefix(normal(repository)?).ok()?.to_owned()))
        .ok_or_else(|| {
            format!(
                "{} is outside the repository; include a file from it",
                file.display()
            )
        })?;
    let folders: Vec<String> = inside
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let (first, is_below) = match &folders[..] {
        [first, _, ..] => (first.as_str(), true),
        _ => ("", false),
    };
    let is_in_crate = || {
        let package = repository.join(first).join(&folders[1]).join("Cargo.toml");
        CRATES.contains(&first) && package.is_file()
    };
    if is_below && (OTHERS.contains(&first) || is_in_crate()) {
        return Ok(inside);
    }
    Err(format!(
        "{} belongs to no crate of this repository, nor to {}: nothing would notice when it breaks",
        inside.display(),
        OTHERS.join("/ or ") + "/"
    ))
}

/// The path without `.` and `..`; `None` if it leads above the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            other => normal.push(other),
        }
    }
    Some(normal)
}

fn part_of(text: &str) -> Result<Part<'_>, String> {
    let wrong =
        || format!("`:{text}` is neither an anchor nor lines; write :name, :7, :7: or :7:9");
    let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
    match text.split_once(':') {
        None if text.is_empty() => Ok(Part::Whole),
        None if text.parse::<usize>().is_ok() => number(text).map(|line| Part::Lines(line, None)),
        None => Ok(Part::Anchor(text)),
        Some(("", "")) => Err(wrong()),
        Some(("", to)) => Ok(Part::Lines(1, Some(number(to)?))),
        // Up to the last line.
        Some((from, "")) => Ok(Part::Lines(number(from)?, None)),
        Some((from, to)) => Ok(Part::Lines(number(from)?, Some(number(to)?))),
    }
}

/// The name in a line `// ANCHOR: name`, or in the line that ends it.
fn name_after<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let (_, after) = line.split_once(keyword)?;
    let after = after.trim_start();
    let end = after
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(after.len());
    (end > 0).then(|| &after[..end])
}

const BEGIN: &str = "ANCHOR:";
const END: &str = "ANCHOR_END:";

/// The text in the anchor. Complains unless the anchor exists, ends, and is not empty.
fn anchored(content: &str, anchor: &str) -> Result<String, String> {
    let mut lines = content
        .lines()
        .skip_while(|line| name_after(line, BEGIN) != Some(anchor));
    if lines.next().is_none() {
        return Err(format!("has no anchor `{anchor}`"));
    }
    let mut inside = String::new();
    for line in lines {
        if name_after(line, END) == Some(anchor) {
            return match inside.trim().is_empty() {
                true => Err(format!("has nothing in its anchor `{anchor}`")),
                false => Ok(inside),
            };
        }
        let is_mark = line.contains(BEGIN) || line.contains(END);
        if !is_mark {
            inside += line;
            inside.push('\n');
        }
    }
    Err(format!("has no `{END} {anchor}`"))
}

fn anchors(content: &str) -> String {
    let names: Vec<&str> = content
        .lines()
        .filter_map(|line| name_after(line, BEGIN))
        .collect();
    match names.is_empty() {
        true => "no anchors at all".to_owned(),
        false => names.join(", "),
    }
}
