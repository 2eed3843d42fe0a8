//! The data of the page "Try it" is what the lab measures today.

use guide_tests::{measure, write};
use measured::{Measured, assert_all_kept};
use systemd_lab::Lab;

#[test]
fn the_page_shows_what_the_lab_measures() {
    let lab = Lab::open().expect("the lab opens");
    let choices = measure::measure(&lab).expect("every choice is measured");
    let with = lab.measured_with().expect("the lab works");
    let files = [
        Measured::document(
            "restart-page.json",
            write::json(&choices),
            write::with_outcomes,
            &with,
        ),
        Measured::text("restart-page.md", &write::list(&choices), &with),
    ];
    assert_all_kept(&files, "cargo book-tests");
}
