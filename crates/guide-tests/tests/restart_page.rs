//! The data of the page "Try it" is what the lab measures today, byte for byte.

use std::path::{Path, PathBuf};
use std::{env, fs};

use guide_tests::{measure, write};
use systemd_lab::Lab;

/// Asks for what was measured to be written, not compared, when it is `write`.
const VARIABLE: &str = "BOOK_MEASURED";

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book")
}

#[test]
fn the_page_shows_what_the_lab_measures() {
    let lab = Lab::open().expect("the lab opens");
    let measured = measure::measure(&lab).expect("every choice is measured");
    let files = [
        ("measured/restart-page.json", write::json(&measured)),
        ("measured/restart-page.md", write::list(&measured)),
    ];
    for (name, text) in files {
        let path = book().join(name);
        if env::var_os(VARIABLE).is_some_and(|value| value == "write") {
            fs::write(&path, &text).expect("the file can be written");
            continue;
        }
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        let differing = text
            .lines()
            .zip(checked_in.lines())
            .find(|(new, old)| new != old);
        assert!(
            text == checked_in,
            "book/{name} is not what the lab measured; the first difference (measured, checked in): {differing:#?}\n\
             if systemd is right, write it anew: {VARIABLE}=write cargo book-tests"
        );
    }
}
