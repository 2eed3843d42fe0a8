//! mdBook's messages to a preprocessor, and the expected answer: JSON, of which we need little.
//!
//! The crate `mdbook-preprocessor` would add thirty other crates, which every attendee would have to compile.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::site::Site;

/// All chapters, in the form in which mdBook sends them and takes them back.
#[derive(Debug)]
pub struct Book(Value);

/// A page of the book.
#[derive(Debug)]
pub struct Chapter<'a> {
    /// Its file, relative to the folder of the pages.
    pub path: &'a str,
    /// Its Markdown.
    pub content: &'a str,
}

/// The input is not what mdBook 0.5 sends.
#[derive(Debug, thiserror::Error)]
#[error(
    "the input is not what mdBook 0.5 sends to a preprocessor; `cargo workshop book` has the right version"
)]
pub struct Unintelligible;

/// Reads mdBook's message: its context and the book.
///
/// # Errors
///
/// When it has a different version.
pub fn parse(text: &str) -> Result<(Site, Book), Unintelligible> {
    let read = || {
        let mut message: Value = serde_json::from_str(text).ok()?;
        let root = message[0]["root"].as_str()?;
        let pages = message[0]["config"]["book"]["src"]
            .as_str()
            .unwrap_or("src");
        let site = Site {
            book: PathBuf::from(root),
            pages: PathBuf::from(pages),
        };
        let book = message[1].take();
        book["items"].is_array().then_some((site, Book(book)))
    };
    read().ok_or(Unintelligible)
}

impl Book {
    /// A book of these pages, without mdBook: path and Markdown of each.
    pub fn of(pages: &[(String, String)]) -> Book {
        let chapters = pages.iter().map(|(path, content)| {
            json!({"Chapter": {
                "name": path, "content": content, "number": null, "sub_items": [],
                "path": path, "source_path": path, "parent_names": [],
            }})
        });
        Book(json!({ "items": chapters.collect::<Vec<_>>() }))
    }

    /// The pages, in order, without those that are announced but not written yet.
    pub fn chapters(&self) -> Vec<Chapter<'_>> {
        let mut found = Vec::new();
        collect(&self.0["items"], &mut found);
        found
    }

    /// Gives each page, in order, its new content.
    pub(crate) fn replace_contents(&mut self, contents: Vec<String>) {
        replace(&mut self.0["items"], &mut contents.into_iter());
    }

    /// The book in mdBook's format.
    pub fn to_json(&self) -> String {
        self.0.to_string()
    }
}

fn collect<'a>(items: &'a Value, found: &mut Vec<Chapter<'a>>) {
    for item in items.as_array().into_iter().flatten() {
        let chapter = &item["Chapter"];
        if let (Some(path), Some(content)) =
            (chapter["source_path"].as_str(), chapter["content"].as_str())
        {
            found.push(Chapter { path, content });
        }
        collect(&chapter["sub_items"], found);
    }
}

/// In the same order as [`collect`].
fn replace(items: &mut Value, contents: &mut impl Iterator<Item = String>) {
    for item in items.as_array_mut().into_iter().flatten() {
        let Some(chapter) = item.get_mut("Chapter") else {
            continue;
        };
        if chapter["source_path"].is_string()
            && chapter["content"].is_string()
            && let Some(content) = contents.next()
        {
            chapter["content"] = Value::String(content);
        }
        if let Some(below) = chapter.get_mut("sub_items") {
            replace(below, contents);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_at_every_depth_get_their_own_content() {
        let text = r#"[{"root": "/w/book", "config": {"book": {"src": "pages"}}}, {"items": [
            {"Chapter": {"content": "1", "source_path": "a.md", "sub_items": [
                {"Chapter": {"content": "", "source_path": null, "sub_items": []}},
                {"Chapter": {"content": "2", "source_path": "b/c.md", "sub_items": []}}]}},
            "Separator", {"PartTitle": "P"},
            {"Chapter": {"content": "3", "source_path": "d.md", "sub_items": []}}]}]"#;
        let (site, mut book) = parse(text).expect("it is mdBook's");
        assert_eq!(site.book.join(&site.pages), PathBuf::from("/w/book/pages"));
        let paths: Vec<&str> = book.chapters().iter().map(|one| one.path).collect();
        assert_eq!(paths, ["a.md", "b/c.md", "d.md"]);
        book.replace_contents(["x", "y", "z"].map(String::from).to_vec());
        let contents: Vec<&str> = book.chapters().iter().map(|one| one.content).collect();
        assert_eq!(contents, ["x", "y", "z"]);
        assert!(book.to_json().contains("\"Separator\""));
    }

    #[test]
    fn what_another_version_says_is_not_guessed_at() {
        for text in ["", "[]", r#"[{"root": "/w"}, {"sections": []}]"#] {
            let complaint = parse(text).expect_err(text).to_string();
            assert_eq!(
                complaint,
                "the input is not what mdBook 0.5 sends to a preprocessor; `cargo workshop book` has the right version"
            );
        }
    }
}
