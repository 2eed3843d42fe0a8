//! Every sentence of a diagnosis is produced by some test, so that somebody has read it as an attendee would, and knows that it
//! is true where it is said.
//!
//! A sentence is a literal of a rule that has words in it. It is produced if its constant parts are, in order, in the diagnosis
//! of a known mistake or of a starter, which `cargo maintain verify` compares word for word, or in what a test of rules compares
//! with. Of a sentence that is put together from several literals, that goes for each.

use std::fs;
use std::path::{Path, PathBuf};

use crate::literals::{Literal, literals};
use crate::produced::{Text, is_produced, unescaped};
use crate::{crates, files, without_tests};

/// What is given to these is compared with something, or only a programmer reads it.
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

/// What looks like a sentence of a diagnosis and is not one.
const NOT_SENTENCES: [&str; 10] = [
    // What systemd or Rust's runtime says, and a rule looks for.
    "Failed at step ",
    "Failed to enqueue OnFailure=",
    "No main process to kill",
    "No process to kill",
    "not loaded",
    "note: run with `RUST_BACKTRACE",
    // What a service says in STATUS= when something is wrong.
    "not answer",
    "timed out",
    // What a service answers.
    "Hello again!",
    // A line of what the check of stage 01 shows.
    "main process exited, status other than 0",
];

/// The sentences of all rules, and what they are looked for in.
#[derive(Default)]
struct Rules {
    sentences: Vec<Text>,
    documents: Vec<String>,
    /// Those of [`NOT_SENTENCES`] that were met.
    passed_over: Vec<String>,
}

impl Rules {
    /// The rules that know systemd, and their tests.
    fn of_the_lab(&mut self) {
        for path in files(&crates().join("systemd-timeline/src/diagnosis")) {
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

    /// The rules of the stages' checks and of what these share, and their tests. What else there is in words is lines of what is
    /// shown.
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
            // What is wrong with a measurement of the table is the lab's affair.
            if !is_source(&path) || !is_of_check || path.ends_with("table/measure.rs") {
                continue;
            }
            // It says why systemd does what it does, and nothing else.
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

    /// The sentences of a rule's source: literals with a space between words.
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

    /// Each literal of a test by itself: no sentence is put together from two.
    fn test(&mut self, tests: &str) {
        let compared = literals(tests).into_iter().map(|one| one.text);
        self.documents.extend(compared);
    }
}

/// A check has lines of what is shown beside its rules.
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
    // Were nothing found, nothing would be missing.
    let count = rules.sentences.len();
    assert!(count > 250, "only {count} sentences");
    let unmet: Vec<&str> = NOT_SENTENCES
        .into_iter()
        .filter(|text| !rules.passed_over.iter().any(|met| met == text))
        .collect();
    assert!(unmet.is_empty(), "no rule has these any more: {unmet:?}");
}
