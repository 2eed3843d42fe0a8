//! A test produces every error message, so that a person has read it in its context. `sentences` does the same for diagnoses.
//!
//! The messages are those of `#[error("…")]` in all crates. A test produces one if the message's constant parts are in a
//! snapshot, or in what a test compares with, in their order.

mod errors;
mod literals;
mod plans;
mod produced;
mod sentences;

use std::fs;
use std::path::{Path, PathBuf};

use produced::{Text, is_produced};

/// The folder that holds all crates.
fn crates() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("this package is in crates/")
}

/// Errors that end something inside a program, and that no one reads.
const NEVER_SHOWN: [&str; 1] = ["the processor is busy without a pause"];

#[test]
fn each_error_is_produced_by_some_test() {
    let (mut texts, mut documents) = (Vec::new(), Vec::new());
    for path in files(crates()) {
        let read = || fs::read_to_string(&path).expect("it is text");
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        match path.extension().and_then(|it| it.to_str()) {
            Some("snap") => documents.push(read()),
            Some("rs") if is_test => documents.push(produced::unescaped(&read())),
            Some("rs") => {
                let source = read();
                let (code, tests) = without_tests(&source);
                texts.extend(produced::error_texts(&path, code));
                documents.push(produced::unescaped(tests));
            }
            _ => {}
        }
    }
    let missing: Vec<&Text> = texts
        .iter()
        .filter(|text| !NEVER_SHOWN.iter().any(|shown| is_produced(text, shown)))
        .filter(|text| !documents.iter().any(|document| is_produced(text, document)))
        .collect();
    let missing: String = missing.iter().map(|text| format!("{text}\n")).collect();
    assert!(
        missing.is_empty(),
        "no test produces these texts:\n{missing}"
    );
    // If nothing were found, nothing would be missing.
    assert!(texts.len() > 40, "only {} texts", texts.len());
}

/// A source file's code before its tests, and the tests: by convention, they come last.
fn without_tests(source: &str) -> (&str, &str) {
    let at = source.find("#[cfg(test)]\nmod tests {");
    source.split_at(at.unwrap_or(source.len()))
}

/// All files below a folder, except for what cargo writes.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("it can be read").path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}
