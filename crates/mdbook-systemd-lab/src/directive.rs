//! Directives: what is in double braces.
//!
//! Our own directives are replaced here, and each is on a line of its own:
//!
//! - `{{#timeline NAME title="…" units="a.service b.service"}}`: a picture of `measured/NAME.json`. Without a title, the
//!   caption lists its units; without units, all are shown.
//! - `{{#output NAME}}`: the text in `measured/NAME.txt`.
//! - `{{#measured-with NAME}}`: the versions with which the table in `measured/NAME.md` was measured.
//! - `{{#mistake NN NAME}}`: the wrong lines of `mistakes/NN-topic/NAME.patch`.
//! - `{{#minutes}}`: how long the page takes in a room, by `book/minutes.toml`.
//! - `{{#path}}`: the picture of the first page.
//!
//! mdBook's own directives are left to mdBook, after a check of where they lead. mdBook treats unknown ones as text; we
//! do not, so that a misspelt one does not end up in the book. After a backslash, a directive is text.

use crate::include;
use crate::measured::{Measured, TimelineArguments};
use crate::mistake;
use crate::page::Page;
use crate::site::Site;
use crate::{minutes, path};

const TIMELINE: &str = "timeline";
const OUTPUT: &str = "output";
const MEASURED_WITH: &str = "measured-with";
const MISTAKE: &str = "mistake";
const MINUTES: &str = "minutes";
const PATH: &str = "path";
const OURS: [&str; 6] = [TIMELINE, OUTPUT, MEASURED_WITH, MISTAKE, MINUTES, PATH];
const TITLE: &str = "title";
const INCLUDES: [&str; 3] = ["include", "rustdoc_include", "playground"];

/// What a page is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// mdBook, which includes files itself.
    Book,
    /// A terminal: timelines in words, and included files in place.
    Terminal,
}

/// A directive, as written in a line.
struct Directive<'a> {
    /// With its braces.
    whole: &'a str,
    name: &'a str,
    arguments: &'a str,
}

/// The page with our directives replaced, unless there was a complaint.
pub(crate) fn replace(
    site: &Site,
    page: &Page,
    medium: Medium,
    measured: &mut Measured<'_>,
    complain: &mut impl FnMut(usize, String),
) -> String {
    let mut content = String::with_capacity(page.content.len());
    for (index, line) in page.content.split_inclusive('\n').enumerate() {
        let replaced = match directives(line) {
            Ok(found) => one_line(site, page, (index + 1, line), &found, medium, measured),
            Err(message) => Err(vec![message]),
        };
        match replaced {
            // A file within other lines of a code block.
            Ok(Some(text)) if page.is_code(index + 1) => content.push_str(&text),
            Ok(Some(text)) => {
                // Separates it from the paragraphs around it.
                content.push('\n');
                content.push_str(&text);
                content.push_str("\n\n");
            }
            Ok(None) => content.push_str(line),
            Err(messages) => {
                for message in messages {
                    complain(index + 1, message);
                }
            }
        }
    }
    content
}

/// The replacement for the line, if there is one.
fn one_line(
    site: &Site,
    page: &Page,
    (number, line): (usize, &str),
    found: &[Directive<'_>],
    medium: Medium,
    measured: &mut Measured<'_>,
) -> Result<Option<String>, Vec<String>> {
    let mut replaced = None;
    let mut messages = Vec::new();
    for directive in found {
        let name = directive.name;
        let result = match name {
            _ if OURS.contains(&name) && page.is_code(number) => Err(format!(
                "`#{name}` stands in a code block; put it on a line of its own, with nothing around it \
                 (a backslash before the braces shows them as they are)"
            )),
            _ if OURS.contains(&name)
                && (line.trim() != directive.whole || line.starts_with(' ')) =>
            {
                Err(format!(
                    "`#{name}` must be on a line of its own, without indentation"
                ))
            }
            TIMELINE => TimelineArguments::parse(directive.arguments)
                .and_then(|arguments| match medium {
                    Medium::Book => measured.timeline(&arguments),
                    Medium::Terminal => measured.timeline_in_words(&arguments),
                })
                .map(|text| replaced = Some(text)),
            OUTPUT => measured
                .output(directive.arguments.trim())
                .map(|text| replaced = Some(text)),
            MEASURED_WITH => measured
                .versions(directive.arguments)
                .map(|text| replaced = Some(text)),
            MISTAKE => mistake::shown(site, directive.arguments).map(|text| replaced = Some(text)),
            MINUTES => minutes::shown(site, page).map(|text| replaced = Some(text)),
            PATH => match medium {
                Medium::Book => path::picture(site),
                Medium::Terminal => path::in_words(site),
            }
            .map(|text| replaced = Some(text)),
            TITLE => Ok(()),
            _ if INCLUDES.contains(&name) => include::read(site, page, directive.arguments)
                .map(|text| replaced = (medium == Medium::Terminal).then_some(text)),
            _ => Err(format!(
                "there is no `#{name}`; there are: {}, {TITLE}, {} \
                 (a backslash before the braces shows them as they are)",
                OURS.join(", "),
                INCLUDES.join(", ")
            )),
        };
        messages.extend(result.err());
    }
    match messages.is_empty() {
        true => Ok(replaced),
        false => Err(messages),
    }
}

/// All directives in a line that are not escaped.
fn directives(line: &str) -> Result<Vec<Directive<'_>>, String> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = line[from..].find("{{").map(|at| from + at) {
        from = start + 2;
        let Some(inside) = line[from..].trim_start().strip_prefix('#') else {
            continue;
        };
        if line[..start].ends_with('\\') {
            continue;
        }
        let Some(end) = inside.find("}}") else {
            return Err("`{{#` has no `}}` in the same line; add it".to_owned());
        };
        let inside = &inside[..end];
        let begin_of_end = line[from..].find("}}").map_or(line.len(), |at| from + at);
        let whole = &line[start..begin_of_end + 2];
        let (name, arguments) = inside
            .split_once(char::is_whitespace)
            .unwrap_or((inside, ""));
        found.push(Directive {
            whole,
            name,
            arguments: arguments.trim(),
        });
        from = begin_of_end + 2;
    }
    Ok(found)
}
