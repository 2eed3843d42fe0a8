//! Checks where links and images lead: to a page of the book and a heading in it, to a file next to the pages, or
//! to another host, which is not contacted.

use std::path::{Component, Path, PathBuf};

use crate::page::Page;
use crate::site::Site;

pub(crate) fn check(
    site: &Site,
    page: &Page,
    pages: &[Page],
    complain: &mut impl FnMut(usize, String),
) {
    for link in &page.links {
        if let Err(message) = follow(site, page, pages, &link.target) {
            complain(link.line, message);
        }
    }
    for (line, label) in &page.undefined {
        complain(
            *line,
            format!("[{label}] is not defined; add a line `[{label}]: …`"),
        );
    }
    for line in &page.html_links {
        let message = "a link or an image in HTML is not checked; write it in Markdown";
        complain(*line, message.to_owned());
    }
}

fn follow(site: &Site, page: &Page, pages: &[Page], target: &str) -> Result<(), String> {
    if let Some((scheme, _)) = target.split_once(':')
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return match scheme {
            "https" => Ok(()),
            _ => Err(format!("{target} is not an https address; use one")),
        };
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let place = match path {
        "" => page.path.clone(),
        _ => resolved(page.path.parent().unwrap_or(Path::new("")), path)
            .ok_or_else(|| format!("{target} is outside the book"))?,
    };
    let shown = site.shown(&site.book.join(&site.pages).join(&place));
    let found = pages.iter().find(|other| other.path == place);
    match found {
        None if place.extension().is_some_and(|it| it == "md") => Err(format!(
            "{shown} is not a page of the book; correct the link, or name the page in SUMMARY.md"
        )),
        None if !site.book.join(&site.pages).join(&place).is_file() => Err(format!(
            "{shown} is not a file; correct the link (to a page: by its name with .md)"
        )),
        None => Ok(()),
        Some(_) if fragment.is_empty() => Ok(()),
        Some(other) if other.fragments.iter().any(|it| it == fragment) => Ok(()),
        Some(other) => Err(format!(
            "{shown} has no heading #{fragment}; it has: #{}",
            other.fragments.join(", #")
        )),
    }
}

/// The target of a relative link, relative to the folder of the pages; `None` if it is outside.
fn resolved(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut place = folder.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir if place.pop() => {}
            _ => return None,
        }
    }
    Some(place)
}
