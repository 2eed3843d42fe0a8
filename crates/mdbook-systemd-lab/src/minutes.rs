//! How long a page takes in a room: `book/minutes.toml` says it for each of its sections.

use std::collections::BTreeMap;
use std::fs;

use crate::page::{Page, identifier};
use crate::site::Site;

const FILE: &str = "minutes.toml";

/// Sections and their minutes, by page, in the order of the page.
type Minutes = BTreeMap<String, Vec<(String, u32)>>;

/// A line with the whole and each section's part of it.
pub(crate) fn shown(site: &Site, page: &Page) -> Result<String, String> {
    let name = page.path.with_extension("");
    let name = name.to_string_lossy();
    let all = read(site)?;
    let sections = all.get(name.as_ref()).ok_or_else(|| {
        format!(
            "{} has no line for this page: {name} = [[\"Section\", 5], …]",
            site.shown(&site.book.join(FILE))
        )
    })?;
    let unknown = sections
        .iter()
        .find(|(section, _)| !page.fragments.contains(&identifier(section)));
    if let Some((section, _)) = unknown {
        return Err(format!(
            "{} names a section that is not on this page: {section}",
            site.shown(&site.book.join(FILE))
        ));
    }
    let parts: Vec<String> = sections
        .iter()
        .map(|(section, minutes)| format!("{section} {minutes}"))
        .collect();
    Ok(format!(
        "*{} minutes in a room: {}*",
        sum(sections),
        parts.join(" · ")
    ))
}

/// The minutes of a whole page.
pub(crate) fn whole(site: &Site, name: &str) -> Result<u32, String> {
    let all = read(site)?;
    let sections = all
        .get(name)
        .ok_or_else(|| format!("{FILE} has no line for {name}"))?;
    Ok(sum(sections))
}

fn sum(sections: &[(String, u32)]) -> u32 {
    sections.iter().map(|(_, minutes)| minutes).sum()
}

fn read(site: &Site) -> Result<Minutes, String> {
    let path = site.book.join(FILE);
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", site.shown(&path)))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", site.shown(&path)))
}
