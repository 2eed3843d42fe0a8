//! `cargo maintain verify`: what it demands.

use std::fs;

use insta::assert_snapshot;

use crate::{STARTER, code_mistake, shown, unit_mistake, verify, workshop, write};

#[test]
fn all_holds() {
    let root = workshop();
    let output = verify(root.path(), &["--soak", "--jobs", "3"]);
    assert_snapshot!("all_holds", shown(root.path(), &output));
}

#[test]
fn each_fault_fails_its_own_item() {
    let root = workshop();
    let put = |path: &str, content: &str| write(root.path(), path, content);
    put(
        "exercises/01-alpha/hints.toml",
        "1 = [\"what\", \"where\", \"\"]\n3 = [\"what\", \"where\", \"how\"]\n",
    );
    put(
        "exercises/01-alpha/src/main.rs",
        &STARTER.replace("nothing", "hello"),
    );
    put("units/exercise-01-client.service", "");
    fs::remove_file(root.path().join("book/src/01-alpha.md")).expect("it is there");
    let mistake = |name: &str, patch: &str| {
        put(&format!("mistakes/01-alpha/{name}.patch"), patch);
    };
    mistake("unit-1", &unit_mistake("bad-1", "it is something else"));
    mistake("unit-2", &unit_mistake("good", "it is right"));
    let stale = unit_mistake("bad-3", "it is bad-3");
    mistake("unit-3", &stale.replace("-good", "-better"));
    let unsaid = unit_mistake("bad-4", "it is bad-4");
    mistake("unit-4", &unsaid.replace("Diagnosis", "Because"));
    mistake("silent-2", &code_mistake("missing!()"));
    let output = verify(root.path(), &["01"]);
    assert_snapshot!("each_fault", shown(root.path(), &output));
}

#[test]
fn a_broken_lab_says_nothing_about_a_mistake() {
    let root = workshop();
    write(
        root.path(),
        "mistakes/01-alpha/unit-1.patch",
        &unit_mistake("broken", "it is broken"),
    );
    let output = verify(root.path(), &["01", "unit-1"]);
    assert_snapshot!("broken_lab", shown(root.path(), &output));
}

#[test]
fn no_item_has_the_words() {
    let root = workshop();
    let output = verify(root.path(), &["01", "unknown"]);
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!(
        "no_item_has_the_words",
        String::from_utf8_lossy(&output.stderr)
    );
}
