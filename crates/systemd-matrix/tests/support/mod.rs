//! What is done with each measurement.

use measured::Measured;
use systemd_lab::Lab;

use systemd_matrix::{Difference, Manual, Matrix};

/// Makes sure that a file of the guide says what was measured; `command` is what a maintainer types to write it.
pub(crate) fn assert_guide_has(lab: &Lab, name: &str, text: &str, command: &str) {
    let with = lab.measured_with().expect("the lab works");
    Measured::text(&format!("{name}.md"), text, &with).assert_kept(command);
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
