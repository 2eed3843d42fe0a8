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

/// Where the guide has a table; some names are taken.
fn file(id: TableId) -> PathBuf {
    let name = match id {
        TableId::Restart => "restart-table",
        id => id.name(),
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../book/measured/{name}.md"))
}

#[test]
fn the_guide_shows_what_the_lab_measures() {
    let writes = env::var("BOOK_MEASURED").is_ok_and(|value| value == "write");
    for table in &MEASURED.tables {
        let (path, text) = (file(table.id), table.to_markdown(MEASURED.version()));
        if writes {
            fs::write(&path, &text).expect("the file can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == kept,
            "{} is not what the lab measured:\n{text}\n\
             if systemd is right, write it anew: BOOK_MEASURED=write cargo book-tests",
            path.display()
        );
    }
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
