//! The table of the page "Choosing a policy" is what the lab measures today.

use std::path::Path;
use std::{env, fs};

use guide_tests::policies;
use systemd_lab::Lab;

/// Asks for what was measured to be written, not compared, when it is `write`.
const VARIABLE: &str = "BOOK_MEASURED";

#[test]
fn the_page_shows_what_comes_of_the_policies() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book");
    let path = book.join("measured/policies.md");
    let lab = Lab::open().expect("the lab opens");
    let measured = policies::measure(&lab, &book).expect("each policy is measured");
    if env::var_os(VARIABLE).is_some_and(|value| value == "write") {
        fs::write(&path, &measured).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == measured,
        "book/measured/policies.md is not what the lab measured:\n{measured}\nif that is right, write it anew: \
         {VARIABLE}=write cargo book-tests"
    );
}
