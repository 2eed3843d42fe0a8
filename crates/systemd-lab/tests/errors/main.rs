//! Every error of the lab, provoked for real, and the text that a person reads then. This includes killed processes:
//! their tests take just as long, and here all of them share the cores.
//!
//! To see what changed: `INSTA_OUTPUT=diff`. To accept it: `INSTA_UPDATE=always`, then read each.

use std::path::Path;

#[path = "../support/mod.rs"]
mod support;

mod broken_qemu;
mod cache_directory;
mod carried;
mod damage;
mod doctor;
mod files;
mod installing;
mod no_shell;
mod processes;
mod programs;
mod runs;

#[test]
fn child() {
    support::be_a_child();
}

/// Compares a text with the snapshot of this name, after replacing what differs from machine to machine with names.
fn assert_text(name: &str, text: &str, names: &[(&Path, &str)]) {
    assert_snapshot(name, &renamed(text, names));
}

/// The same for a text with a number that depends on the machine: the one after these words is shown as `N`.
fn assert_text_but_for_number(name: &str, text: &str, words: &str, names: &[(&Path, &str)]) {
    let text = renamed(text, names);
    let (before, after) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("{words:?} is not in {text}"));
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    assert_ne!(rest, after, "a number follows {words:?} in {text}");
    assert_snapshot(name, &format!("{before}{words}N{rest}"));
}

fn renamed(text: &str, names: &[(&Path, &str)]) -> String {
    names.iter().fold(text.to_owned(), |text, (own, shown)| {
        text.replace(&own.display().to_string(), shown)
    })
}

fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
