//! What the guide and the manual say of restarts, against what systemd does today.
//!
//! To write the guide's tables anew: `BOOK_MEASURED=write cargo book-tests`, then read what changed.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use restart_matrix::{Difference, Manual, Matrix, TableId, measure};
use systemd_lab::Lab;

static MEASURED: LazyLock<Matrix> = LazyLock::new(|| {
    let lab = Lab::open().expect("the lab opens");
    measure(&lab, &TableId::ALL, false, |_, _| {}).expect("every cell is measured")
});

/// Looks whether a file of the guide says what was measured; writes it if that is wanted.
fn assert_guide_has(name: &str, text: &str) {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../book/measured/{name}.md"));
    if env::var("BOOK_MEASURED").is_ok_and(|value| value == "write") {
        fs::write(&path, text).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == kept,
        "{} is not what the lab measured:\n{text}\n\
         if systemd is right, write it anew: BOOK_MEASURED=write cargo book-tests",
        path.display()
    );
}

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
    let manual = Manual::of(MEASURED.version())
        .expect("it can be read")
        .expect("the manual of the guest's systemd is kept");
    let found = manual.differences(&MEASURED);
    let known: Vec<Difference> = manual
        .known
        .iter()
        .map(|known| known.difference.clone())
        .collect();
    assert_eq!(found, known, "(found, known) with {}", manual.source);
    assert!(manual.known.iter().all(|known| !known.why.is_empty()));
}
