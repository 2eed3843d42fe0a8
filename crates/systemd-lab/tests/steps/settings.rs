//! The list of settings that unit files are checked against before the boot is the list of the guest's own systemd.

use std::fs;
use std::path::Path;

use systemd_lab::protocol::Scenario;

use crate::commands;
use crate::support::{LONG, run};

/// If this is `write`, the test writes the list instead of comparing it: after the guest got a different systemd.
const VARIABLE: &str = "SYSTEMD_LAB_SETTINGS";

/// Sections and names, without the format of values.
const DUMP: &str = "/usr/lib/systemd/systemd --dump-configuration-items | sed 's/=.*//;/^$/d'";

#[test]
fn the_list_of_settings_is_that_of_the_guests_systemd() {
    let timeline = run(
        &Scenario::new("settings").run(&["/usr/bin/bash", "-c", DUMP], LONG),
        &[],
    );
    let [(0, seen)] = commands(&timeline)[..] else {
        panic!("systemd said something else: {:?}", commands(&timeline));
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd-timeline/src/settings.txt");
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "write") {
        fs::write(&file, seen).expect("the clone can be written to");
    }
    let kept = fs::read_to_string(&file).expect("it is there");
    let differs = kept
        .lines()
        .zip(seen.lines())
        .find(|(kept, seen)| kept != seen);
    assert!(
        kept == seen,
        "the guest's systemd knows other settings than settings.txt has, first: {differs:?}; type: \
         {VARIABLE}=write cargo test -p systemd-lab --test steps settings"
    );
}
