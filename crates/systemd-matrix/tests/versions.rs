//! What the guide and the manual say of the systemd of Debian's oldstable.
//!
//! To write the guide's table:
//! `BOOK_MEASURED=write cargo setup-tests`, then read what changed.

mod support;

use systemd_lab::{Guest, Lab, Suite};
use systemd_matrix::{Comparison, Matrix, TableId, measure};

use support::{assert_differences_to_manual_are_known, assert_guide_has};

fn lab(suite: Suite) -> Lab {
    Lab::open_guest(&Guest::new(suite)).expect("the lab opens")
}

fn measured(lab: &Lab) -> Matrix {
    measure(lab, &TableId::ALL, false, |_, _| {}).expect("every cell is measured")
}

#[test]
fn the_guide_shows_where_two_systemds_differ() {
    let old = measured(&lab(Suite::Bookworm));
    assert_differences_to_manual_are_known(&old);
    let stable = lab(Suite::Trixie);
    let comparison = Comparison::of(&old, &measured(&stable));
    let text = comparison.to_markdown();
    assert_guide_has(&stable, "versions", &text, "cargo setup-tests");
}
