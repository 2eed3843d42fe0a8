//! What the guide and the manual say of restarts, against what systemd does today.
//!
//! To write the guide's tables anew: `BOOK_MEASURED=write cargo book-tests`, then read what changed.

mod support;

use std::sync::LazyLock;

use restart_matrix::{Matrix, TableId, measure};
use systemd_lab::Lab;

use support::{assert_differences_to_manual_are_known, assert_guide_has};

static MEASURED: LazyLock<Matrix> = LazyLock::new(|| {
    let lab = Lab::open().expect("the lab opens");
    measure(&lab, &TableId::ALL, false, |_, _| {}).expect("every cell is measured")
});

#[test]
fn the_guide_shows_what_the_lab_measures() {
    for table in &MEASURED.tables {
        // Some names are taken.
        let name = match table.id {
            TableId::Restart => "restart-table",
            id => id.name(),
        };
        assert_guide_has(name, &table.to_markdown(MEASURED.version()));
    }
}

#[test]
fn the_cheat_sheet_shows_it_in_short() {
    let short = MEASURED.to_short_markdown();
    assert_guide_has("restart-short", &short.expect("it was measured"));
}

#[test]
fn each_difference_to_the_manual_is_known_and_explained() {
    assert_differences_to_manual_are_known(&MEASURED);
}
