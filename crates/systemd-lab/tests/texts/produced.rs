//! Finds texts in source code, and checks whether a test produces them.

use std::fmt;
use std::path::{Path, PathBuf};

/// Shorter parts are not specific enough: `: `, `; use `.
const SHORTEST_PART: usize = 8;

/// A text with gaps, e.g. `cannot read {}: {source}`.
#[derive(Debug)]
pub(crate) struct Text {
    file: PathBuf,
    line: usize,
    /// The constant parts, in order.
    parts: Vec<String>,
}

impl Text {
    /// `None` if it consists only of gaps.
    pub(crate) fn of(file: &Path, line: usize, template: &str) -> Option<Text> {
        let parts: Vec<String> = constant_parts(template)
            .into_iter()
            .filter(|part| part.len() >= SHORTEST_PART)
            .collect();
        (!parts.is_empty()).then(|| Text {
            file: file.to_owned(),
            line,
            parts,
        })
    }

    pub(crate) fn parts(&self) -> &[String] {
        &self.parts
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "{file}:{}: {}", self.line, self.parts.join("…"))
    }
}

/// The texts of `#[error("…")]`, except for those that consist only of gaps.
pub(crate) fn error_texts(file: &Path, code: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    for (at, attribute) in code.match_indices("#[error(") {
        let rest = code[at + attribute.len()..].trim_start();
        // `transparent`: another error's text.
        let Some(literal) = rest.strip_prefix('"') else {
            continue;
        };
        let line = 1 + code[..at].matches('\n').count();
        texts.extend(Text::of(file, line, &unescaped(until_quote(literal))));
    }
    texts
}

/// Whether all parts are present, in order.
pub(crate) fn is_produced(text: &Text, document: &str) -> bool {
    let mut rest = document;
    text.parts
        .iter()
        .all(|part| match rest.split_once(&**part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
}

/// A string literal's text, from here up to its end.
fn until_quote(literal: &str) -> &str {
    let mut is_escaped = false;
    let end = literal.find(|c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    &literal[..end.unwrap_or(literal.len())]
}

/// Source code, with escapes replaced by what they stand for.
pub(crate) fn unescaped(code: &str) -> String {
    let mut text = String::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            // The text continues at the first word of the next line.
            Some('\n') => while letters.next_if(|c| c.is_whitespace()).is_some() {},
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

/// The parts outside `{…}`. Doubled brackets stand for themselves.
fn constant_parts(template: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = template.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_doubled = "{}".contains(letter) && letters.next_if_eq(&letter).is_some();
        if letter != '{' || is_doubled {
            parts.last_mut().expect("there is one").push(letter);
        } else {
            while letters.next_if(|c| *c != '}').is_some() {}
            letters.next();
            parts.push(String::new());
        }
    }
    parts
}

#[test]
fn texts_are_found_with_their_gaps() {
    let code = r##"
enum E {
    #[error("cannot read {}: {source}; is it \"yours\"?\nuse {{braces}}", path.display())]
    A,
    #[error(
        "this one begins on another line, and \
         goes on in the next"
    )]
    B,
    #[error(transparent)]
    C,
    #[error("{message}")]
    D,
}
"##;
    let texts = error_texts(Path::new("e.rs"), code);
    let shown: Vec<String> = texts.iter().map(Text::to_string).collect();
    assert_eq!(
        shown,
        [
            "e.rs:3: cannot read …; is it \"yours\"?\nuse {braces}",
            "e.rs:5: this one begins on another line, and goes on in the next",
        ]
    );
    let [read, _] = &texts[..] else { panic!("two") };
    assert!(is_produced(
        read,
        "so: cannot read /x: no; is it \"yours\"?\nuse {braces}"
    ));
    assert!(!is_produced(read, "cannot read /x: no"));
    assert!(!is_produced(
        read,
        "; is it \"yours\"?\nuse {braces} cannot read "
    ));
}
