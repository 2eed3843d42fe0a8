//! What the guide and the manual say of restarts, against what systemd does today.
//!
//! To write the guide's tables: `BOOK_MEASURED=write cargo book-tests`, then read what changed.

mod support;

use std::sync::LazyLock;

use systemd_lab::Lab;
use systemd_matrix::{Matrix, TableId, measure};

use support::{assert_differences_to_manual_are_known, assert_guide_has};

const COMMAND: &str = "cargo book-tests";

static LAB: LazyLock<Lab> = LazyLock::new(|| Lab::open().expect("the lab opens"));

static MEASURED: LazyLock<Matrix> = LazyLock::new(|| {
    measure(&LAB, &TableId::ALL, false, |_, _| {}).expect("every cell is measured")
});

#[test]
fn the_guide_shows_what_the_lab_measures() {
    for table in &MEASURED.tables {
        // Some names are taken.
        let name = match table.id {
            TableId::Restart => "restart-table",
            id => id.name(),
        };
        assert_guide_has(&LAB, name, &table.to_markdown(MEASURED.version()), COMMAND);
    }
}

#[test]
fn the_cheat_sheet_shows_it_in_short() {
    let short = MEASURED.to_short_markdown();
    let short = short.expect("it was measured");
    assert_guide_has(&LAB, "restart-short", &short, COMMAND);
}

#[test]
fn each_difference_to_the_manual_is_known_and_explained() {
    assert_differences_to_manual_are_known(&MEASURED);
}
