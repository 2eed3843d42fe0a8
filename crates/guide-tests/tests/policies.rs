//! The table of the page "Choosing a policy" is what the lab measures today.

use std::path::Path;

use guide_tests::policies;
use measured::Measured;
use systemd_lab::Lab;

#[test]
fn the_page_shows_what_comes_of_the_policies() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book");
    let lab = Lab::open().expect("the lab opens");
    let table = policies::measure(&lab, &book).expect("each policy is measured");
    let with = lab.measured_with().expect("the lab works");
    Measured::text("policies.md", &table, &with).assert_kept("cargo book-tests");
}
