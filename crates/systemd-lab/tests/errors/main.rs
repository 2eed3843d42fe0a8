//! Every error of the lab, provoked for real, and the text that a person reads then. Processes that are killed are among
//! it: their tests take as long, and this way all of them share the cores.
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
mod processes;
mod programs;
mod runs;

#[test]
fn child() {
    support::be_a_child();
}

/// Compares a text with the snapshot of this name, after giving what differs from machine to machine a name.
fn assert_text(name: &str, text: &str, names: &[(&Path, &str)]) {
    assert_snapshot(name, &renamed(text, names));
}

/// The same for a text with numbers that are counted or measured: each is shown as `N`.
fn assert_text_but_for_numbers(name: &str, text: &str, names: &[(&Path, &str)]) {
    assert_snapshot(name, &without_numbers(&renamed(text, names)));
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

fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' if shown.ends_with('N') => {}
            '0'..='9' => shown.push('N'),
            other => shown.push(other),
        }
    }
    shown
}
