//! The English of everything that people read: phrases that no one says stay out.
//!
//! The list is short on purpose: it has phrases that were translated from another language, and that are wrong
//! everywhere.

use std::fs;
use std::process::Command;

use super::repository;

/// A phrase that we avoid, and what we write instead.
const PHRASES: &[(&str, &str)] = &[
    ("anew", "again, from scratch"),
    ("are told apart", "differ by"),
    ("as ever", "as always"),
    ("at the least", "at least"),
    ("at the most", "at most"),
    ("be had", "is available"),
    ("belongs into", "belongs in"),
    ("beside each other", "side by side"),
    ("brought about", "caused"),
    ("cannot be had", "is not available"),
    ("for ever", "forever"),
    ("had something to say", "reported"),
    ("has something to say", "reports"),
    ("how it stands with", "the state of"),
    ("is made up for", "is caught up"),
    ("leads nowhere", "is broken"),
    ("mend", "fix, repair"),
    ("mends", "fixes, repairs"),
    ("needs no change", "you do not need to change it"),
    ("nobody in particular", "no one"),
    ("nothing to say", "reports nothing"),
    ("of no interest", "does not matter"),
    ("patience", "timeout"),
    ("sent only in part", "half-sent"),
    ("shall", "should, is to"),
    ("starts upon", "starts on"),
    ("the very same", "the same"),
    ("there is no such", "it does not exist"),
    ("typing error", "typo"),
    ("what it is about", "its topic"),
    ("whoever", "anyone who"),
    ("writes upon", "makes it worse"),
];

/// Instead of "X is no Y", we write "X is not a Y". These words are idioms, or follow "there".
const NO: [&str; 5] = ["longer", "more", "one", "always", "better"];

/// Files with other authors' words.
fn is_quoted(path: &str) -> bool {
    path.starts_with("LICENSE") || path.ends_with("Cargo.lock") || path.ends_with("tools/prose.rs")
}

#[test]
fn nothing_reads_like_a_translation() {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository())
        .output()
        .expect("git runs");
    let names = String::from_utf8(listed.stdout).expect("names are text");
    let names = names.split('\0').filter(|name| !name.is_empty());
    let mut found = Vec::new();
    let mut read = 0;
    for name in names.filter(|name| !is_quoted(name)) {
        // Pictures are not text, and a file may be deleted but not yet committed.
        let Ok(text) = fs::read_to_string(repository().join(name)) else {
            continue;
        };
        read += 1;
        for (number, line) in (1..).zip(text.lines()) {
            for complaint in complaints(line) {
                found.push(format!("{name}:{number}: {complaint}"));
            }
        }
    }
    assert!(read > 500, "{read} files");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is wrong with a line.
fn complaints(line: &str) -> Vec<String> {
    let words: Vec<String> = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut complaints = Vec::new();
    for (phrase, better) in PHRASES {
        let phrase_words: Vec<&str> = phrase.split(' ').collect();
        if words
            .windows(phrase_words.len())
            .any(|it| it == phrase_words)
        {
            complaints.push(format!("\"{phrase}\"; write: {better}"));
        }
    }
    for four in words.windows(4) {
        let [before, verb, no, noun] = four else {
            continue;
        };
        let is_verb = ["is", "are", "was", "were"].contains(&verb.as_str());
        let is_idiom = ["there", "here"].contains(&before.as_str())
            || NO.contains(&noun.as_str())
            || noun.chars().any(|c| c.is_ascii_digit());
        if is_verb && no == "no" && !is_idiom {
            complaints.push(format!("\"{verb} no {noun}\"; write: {verb} not a {noun}"));
        }
    }
    complaints
}

#[test]
fn a_phrase_is_found_as_words() {
    let found = |line: &str| complaints(line).len();
    assert_eq!(found("It waits for ever, at the most."), 2);
    assert_eq!(found("A clean end is no failure."), 1);
    for right in [
        "for every end, an amendment, marshalling",
        "There is no failure, and it is no longer there.",
        "`for-ever.patch`, fn signals_are_no_answers()",
    ] {
        assert_eq!(found(right), 0, "{right}");
    }
}
