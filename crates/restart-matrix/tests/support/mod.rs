//! What is done with each measurement.

use std::path::{Path, PathBuf};
use std::{env, fs};

use restart_matrix::{Difference, Manual, Matrix};

/// Looks whether a file of the guide says what was measured; writes it if that is wanted.
pub(crate) fn assert_guide_has(name: &str, text: &str) {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../book/measured/{name}.md"));
    if env::var("BOOK_MEASURED").is_ok_and(|value| value == "write") {
        fs::write(&path, text).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == kept,
        "{} is not what the lab measured:\n{text}\n\
         if systemd is right, write it anew: BOOK_MEASURED=write, and the same command again",
        path.display()
    );
}

/// Compares it with the manual of its systemd.
pub(crate) fn assert_differences_to_manual_are_known(measured: &Matrix) {
    let manual = Manual::of(measured.version())
        .expect("it can be read")
        .expect("the manual of the guest's systemd is kept");
    let found = manual.differences(measured);
    let known: Vec<Difference> = manual
        .known
        .iter()
        .map(|known| known.difference.clone())
        .collect();
    assert_eq!(found, known, "(found, known) with {}", manual.source);
    assert!(manual.known.iter().all(|known| !known.why.is_empty()));
}
