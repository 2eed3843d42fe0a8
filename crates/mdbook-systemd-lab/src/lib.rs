//! Inserts what the lab measured into the guide, and finds what is broken: missing code, broken links.
//!
//! If an anchor or a file is missing, mdBook leaves it out with a passing remark, and succeeds. Here, each of these is a
//! [`Problem`], with its file and line, and there is no book until it is solved.
//!
//! Three steps for each page: directives in double braces (`directive`), included files (`include`), targets of
//! links (`link`). `measured` turns a timeline into a picture, `mistake` takes wrong lines out of a patch.

#![forbid(unsafe_code)]

mod command;
mod directive;
mod fence;
mod include;
mod link;
mod measured;
mod minutes;
mod mistake;
mod page;
mod path;
pub mod protocol;

use std::fs;
use std::path::{Path, PathBuf};

pub use command::command;
use directive::Medium;
use page::Page;
use protocol::{Book, Chapter};

/// Where the guide's files are.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder of `book.toml`, which contains `measured/` and the folder of the pages. The repository is its parent
    /// folder.
    pub book: PathBuf,
    /// The folder of the pages, relative to `book`; usually `src`.
    pub pages: PathBuf,
}

/// Something in a page that would be wrong in the book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Problem {
    /// The page, relative to the repository: `book/src/05-watchdog.md`.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Site {
    /// The parent folder of the book.
    fn repository(&self) -> &Path {
        self.book.parent().unwrap_or(&self.book)
    }

    /// A path as people write it: relative to the repository.
    fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.repository()).unwrap_or(path);
        path.display().to_string()
    }
}

/// Replaces our directives in all pages.
///
/// # Errors
///
/// All problems of all pages; then the book must not be used.
pub fn preprocess(site: &Site, book: &mut Book) -> Result<(), Vec<Problem>> {
    let pages: Vec<Page> = book.chapters().into_iter().map(Page::read).collect();
    let mut problems = Vec::new();
    let mut measured = measured::Measured::new(site);
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
    let mut measured = measured::Measured::new(site);
    let words = directive::replace(site, &page, Medium::Terminal, &mut measured, &mut complain);
    match problems.is_empty() {
        true => Ok(words),
        false => Err(problems),
    }
}
