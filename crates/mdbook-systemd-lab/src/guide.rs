//! Turns the guide's pages into those of the book, or one of them into words for a terminal.

use std::fs;
use std::path::Path;

use crate::directive::{self, Medium};
use crate::measured::Measured;
use crate::page::Page;
use crate::protocol::{Book, Chapter};
use crate::site::{Problem, Site};
use crate::{fence, link};

/// Replaces our directives in all pages.
///
/// # Errors
///
/// All problems of all pages; then the book must not be used.
pub fn preprocess(site: &Site, book: &mut Book) -> Result<(), Vec<Problem>> {
    let pages: Vec<Page> = book.chapters().into_iter().map(Page::read).collect();
    let mut problems = Vec::new();
    let mut measured = Measured::new(site);
    let mut contents = Vec::new();
    for page in &pages {
        let mut complain = |line: usize, message: String| {
            let file = site.book.join(&site.pages).join(&page.path);
            problems.push(Problem {
                file: site.shown(&file),
                line,
                message,
            });
        };
        fence::check(page, &mut complain);
        link::check(site, page, &pages, &mut complain);
        contents.push(directive::replace(
            site,
            page,
            Medium::Book,
            &mut measured,
            &mut complain,
        ));
    }
    if problems.is_empty() {
        book.replace_contents(contents);
        return Ok(());
    }
    problems.sort();
    problems.dedup();
    Err(problems)
}

/// A page as Markdown for a terminal: measurements in words, and included files in place.
///
/// `path` is relative to the folder of the pages, e.g. `04-notify.md`.
///
/// # Errors
///
/// All problems of its directives; links are not checked.
pub fn in_words(site: &Site, path: &Path) -> Result<String, Vec<Problem>> {
    let file = site.book.join(&site.pages).join(path);
    let mut problems = Vec::new();
    let mut complain = |line: usize, message: String| {
        problems.push(Problem {
            file: site.shown(&file),
            line,
            message,
        });
    };
    let content = match fs::read_to_string(&file) {
        Ok(content) => content,
        Err(error) => {
            complain(1, format!("the page cannot be read: {error}"));
            return Err(problems);
        }
    };
    let page = Page::read(Chapter {
        path: &path.display().to_string(),
        content: &content,
    });
    let mut measured = Measured::new(site);
    let words = directive::replace(site, &page, Medium::Terminal, &mut measured, &mut complain);
    match problems.is_empty() {
        true => Ok(words),
        false => Err(problems),
    }
}
