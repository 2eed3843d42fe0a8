//! A page, read as Markdown: headings, links and code blocks, with their lines.

use std::ops::Range;
use std::path::PathBuf;

use pulldown_cmark::{BrokenLink, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::protocol::Chapter;

/// One page.
pub(crate) struct Page {
    /// Relative to the folder of the pages.
    pub(crate) path: PathBuf,
    pub(crate) content: String,
    /// The identifiers of its headings.
    pub(crate) fragments: Vec<String>,
    pub(crate) links: Vec<Link>,
    pub(crate) fences: Vec<Fence>,
    /// The lines of raw HTML with a link or an image in it.
    pub(crate) html_links: Vec<usize>,
    /// The lines of links to undefined labels.
    pub(crate) undefined: Vec<(usize, String)>,
    code_lines: Vec<Range<usize>>,
}

/// A link or an image.
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// A code block between fences.
pub(crate) struct Fence {
    /// The line of its first fence.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The extensions that mdBook 0.5 uses, as far as they decide what is a link, a heading or code.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
        // This turns `--` into one character, which changes the identifier.
        | Options::ENABLE_SMART_PUNCTUATION
}

impl Page {
    pub(crate) fn read(chapter: Chapter<'_>) -> Page {
        let content = chapter.content.to_owned();
        let line_of = |at: usize| content[..at].matches('\n').count() + 1;
        let mut undefined = Vec::new();
        // `[Install]` in prose is not a link; `[text][label]` is meant to be one.
        let mut broken = |link: BrokenLink<'_>| {
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push((line_of(link.span.start), link.reference.to_string()));
            }
            None
        };
        let parser = Parser::new_with_broken_link_callback(&content, options(), Some(&mut broken));
        let mut found = Found::default();
        for (event, span) in parser.into_offset_iter() {
            found.add(event, line_of(span.start), line_of(span.end));
        }
        Page {
            path: PathBuf::from(chapter.path),
            fragments: found.fragments,
            links: found.links,
            fences: found.fences,
            html_links: found.html_links,
            code_lines: found.code_lines,
            undefined,
            content,
        }
    }

    /// Whether a line is in a code block.
    pub(crate) fn is_code(&self, line: usize) -> bool {
        self.code_lines.iter().any(|lines| lines.contains(&line))
    }
}

#[derive(Default)]
struct Found {
    fragments: Vec<String>,
    links: Vec<Link>,
    fences: Vec<Fence>,
    html_links: Vec<usize>,
    code_lines: Vec<Range<usize>>,
    /// The open heading: its explicit identifier, and its text so far.
    heading: Option<(Option<String>, String)>,
    is_in_fence: bool,
}

impl Found {
    fn add(&mut self, event: Event<'_>, line: usize, end: usize) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let target = dest_url.to_string();
                self.links.push(Link { line, target });
            }
            Event::Start(Tag::Heading { id, .. }) => {
                self.heading = Some((id.map(|id| id.to_string()), String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((id, text)) = self.heading.take() {
                    let id = id.unwrap_or_else(|| self.unique(&identifier(&text)));
                    self.fragments.push(id);
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                self.code_lines.push(line..end.max(line + 1));
                if let CodeBlockKind::Fenced(language) = kind {
                    self.is_in_fence = true;
                    self.fences.push(Fence {
                        line,
                        language: language.to_string(),
                        text: String::new(),
                    });
                }
            }
            Event::End(TagEnd::CodeBlock) => self.is_in_fence = false,
            Event::Text(text) if self.is_in_fence => {
                if let Some(fence) = self.fences.last_mut() {
                    fence.text.push_str(&text);
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, heading)) = &mut self.heading {
                    heading.push_str(&text);
                }
            }
            Event::Html(html) | Event::InlineHtml(html)
                if ["<a ", "<img "].iter().any(|tag| html.contains(tag)) =>
            {
                self.html_links.push(line);
            }
            _ => {}
        }
    }

    /// mdBook numbers repeated identifiers.
    fn unique(&self, id: &str) -> String {
        let is_taken = |id: &str| self.fragments.iter().any(|taken| taken == id);
        let mut numbered = (1..).map(|number| format!("{id}-{number}"));
        match is_taken(id) {
            false => id.to_owned(),
            true => numbered
                .find(|id| !is_taken(id))
                .expect("some number is free"),
        }
    }
}

/// mdBook's identifier for a heading's text.
pub(crate) fn identifier(text: &str) -> String {
    text.trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_identifiers_that_mdbook_gives_them() {
        let content = "# A heading, `code` and a [B](a.md)\n## Two\n## Two\n## Three {#own}\n## B *b*_1\n\
                       ## Über \"Restart=\"\n## A -- b\n## Two-1\n## x & y...\n";
        let page = Page::read(Chapter {
            path: "a.md",
            content,
        });
        // The identifiers that mdBook 0.5.4 generated for this page.
        let made = [
            "a-heading-code-and-a-b",
            "two",
            "two-1",
            "own",
            "b-b_1",
            "über-restart",
            "a--b",
            "two-1-1",
            "x--y",
        ];
        assert_eq!(page.fragments, made);
    }
}
