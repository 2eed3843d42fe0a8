//! A test produces every sentence of a diagnosis, so that a person has read it like an attendee, and knows that it is true
//! where it is used.
//!
//! A sentence is a string literal in a rule that contains words. It counts as produced if its constant parts are, in order, in
//! the diagnosis of a known mistake or of a starter, which `cargo maintain verify` compares word for word, or in what a test of
//! rules compares with. If a sentence is assembled from several literals, each of them must be produced.

use std::fs;
use std::path::{Path, PathBuf};

use crate::literals::{Literal, literals};
use crate::produced::{Text, is_produced, unescaped};
use crate::{crates, files, without_tests};

/// Arguments of these are compared with something, or only a programmer reads them.
const COMPARED: [&str; 9] = [
    "contains",
    "ends_with",
    "expect",
    "is_request",
    "response",
    "rsplit_once",
    "split_once",
    "starts_with",
    "strip_prefix",
];

/// Literals that look like a sentence of a diagnosis but are not.
const NOT_SENTENCES: [&str; 10] = [
    // Words of systemd or Rust's runtime that a rule looks for.
    "Failed at step ",
    "Failed to enqueue OnFailure=",
    "No main process to kill",
    "No process to kill",
    "not loaded",
    "note: run with `RUST_BACKTRACE",
    // What a service writes into STATUS= when something is wrong.
    "not answer",
    "timed out",
    // What a service answers.
    "Hello again!",
    // A line in the output of stage 01's check.
    "main process exited, status other than 0",
];

/// The sentences of all rules, and the texts that are searched for them.
#[derive(Default)]
struct Rules {
    sentences: Vec<Text>,
    documents: Vec<String>,
    /// Those of [`NOT_SENTENCES`] that were found.
    passed_over: Vec<String>,
}

impl Rules {
    /// The rules that know systemd, and their tests.
    fn of_the_lab(&mut self) {
        let timeline = crates().join("systemd-timeline/src");
        let mut rules = files(&timeline.join("diagnosis"));
        rules.push(timeline.join("diagnosis.rs"));
        for path in rules {
            let source = read(&path);
            let is_test = path.ends_with("tests.rs") || path.ends_with("fixture.rs");
            let (code, tests) = match is_test {
                true => ("", source.as_str()),
                false => without_tests(&source),
            };
            self.say(&path, code, |_| true);
            self.test(tests);
        }
    }

    /// The rules of the stages' checks and of their shared code, and their tests. All other words there are lines of the output.
    fn of_the_checks(&mut self) {
        let shared = crates().join("exercise-check");
        let spinning = shared.join("src/spinning.rs");
        let source = read(&spinning);
        let (code, tests) = without_tests(&source);
        self.say(&spinning, code, is_of_a_diagnosis);
        self.test(tests);
        for path in files(&shared.join("tests")) {
            self.test(&read(&path));
        }
        for path in files(&workspace().join("exercises")) {
            let is_of_check = path.components().any(|part| part.as_os_str() == "tests");
            // An incorrect measurement of the table is the lab's own business.
            if !is_source(&path) || !is_of_check || path.ends_with("table/measure.rs") {
                continue;
            }
            // This file only says why systemd does what it does.
            let is_all = path.ends_with("table/reasons.rs");
            self.say(&path, &read(&path), |one| is_all || is_of_a_diagnosis(one));
        }
    }

    /// What `cargo maintain verify` compares with.
    fn of_verify(&mut self) {
        for path in files(&workspace().join("mistakes")) {
            if path.extension().is_some_and(|it| it == "patch") {
                let patch = read(&path);
                let lines = patch.lines();
                let diagnoses = lines.filter_map(|line| line.strip_prefix("Diagnosis: "));
                self.documents.extend(diagnoses.map(str::to_owned));
            }
        }
        for path in files(&workspace().join("exercises")) {
            if path.ends_with("exercise.toml") {
                let settings = read(&path);
                let starter = settings.lines().find(|line| line.starts_with("starter = "));
                self.documents.extend(starter.map(unescaped));
            }
        }
    }

    /// The sentences in a rule's source: literals with a space between words.
    fn say(&mut self, file: &Path, code: &str, is_said: impl Fn(&Literal) -> bool) {
        let file: PathBuf = file.strip_prefix(workspace()).unwrap_or(file).to_owned();
        for literal in literals(code) {
            if NOT_SENTENCES.contains(&literal.text.as_str()) {
                self.passed_over.push(literal.text);
            } else if is_said(&literal) && !literal.is_given_to(&COMPARED) {
                let text = Text::of(&file, literal.line, &literal.text);
                let is_prose = |text: &Text| {
                    let mut parts = text.parts().iter();
                    parts.any(|part| part.trim().contains(' '))
                };
                self.sentences.extend(text.filter(is_prose));
            }
        }
    }

    /// Each literal of a test separately: no sentence comes from two of them.
    fn test(&mut self, tests: &str) {
        let compared = literals(tests).into_iter().map(|one| one.text);
        self.documents.extend(compared);
    }
}

/// Besides its rules, a check contains lines of the output.
fn is_of_a_diagnosis(literal: &Literal) -> bool {
    literal.is_of_function_returning("Option<String>")
        || literal.is_within(&["Some", "Err", "map_err", "ok_or_else"])
}

fn workspace() -> &'static Path {
    crates().parent().expect("crates/ is in the workspace")
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "rs")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is text")
}

#[test]
fn each_sentence_of_a_diagnosis_is_produced_by_some_test() {
    let mut rules = Rules::default();
    rules.of_the_lab();
    rules.of_the_checks();
    rules.of_verify();
    let is_missing = |text: &&Text| {
        let mut documents = rules.documents.iter();
        !documents.any(|document| is_produced(text, document))
    };
    let missing = rules.sentences.iter().filter(is_missing);
    let missing: String = missing.map(|text| format!("{text}\n")).collect();
    assert!(
        missing.is_empty(),
        "no test produces these sentences ({} of {}):\n{missing}",
        missing.lines().count(),
        rules.sentences.len()
    );
    // If nothing were found, nothing would be missing.
    let count = rules.sentences.len();
    assert!(count > 250, "only {count} sentences");
    let unmet: Vec<&str> = NOT_SENTENCES
        .into_iter()
        .filter(|text| !rules.passed_over.iter().any(|met| met == text))
        .collect();
    assert!(unmet.is_empty(), "no rule has these any more: {unmet:?}");
}
