//! What cannot be built, and whose fault that is.

use std::process::{Command, Output};

use crate::fixture::Fixture;

/// The command's output after `script` in a shell. The exercise's package depends on one of the lab's
/// crates.
fn check_after(fixture: &Fixture, script: &str) -> String {
    let plain = fixture.command(&["check", "01"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script} exec \"$0\" \"$@\"")]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("CARGO_INCREMENTAL", "0");
    let output: Output = command.output().expect("it runs");
    fixture.shown(&output)
}

fn with_a_crate_of_the_labs() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/*\", \"crates/lab\"]\n",
    );
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{more}")
    };
    fixture.write("crates/lab/Cargo.toml", &package("lab", ""));
    fixture.write("crates/lab/src/lib.rs", "");
    let dependency = "[dev-dependencies]\nlab = { path = \"../../crates/lab\" }\n";
    fixture.write(
        "exercises/01-alpha/Cargo.toml",
        &package("exercise-01", dependency),
    );
    fixture
}

fn assert_broken(said: &str, why: &str) {
    let begin = format!("LAB BROKEN (this is not your service's fault)\n\n{why}");
    assert!(said.contains(&begin), "{why}: {said}");
    assert!(!said.contains("Edit "), "{said}");
    assert!(!said.contains("DID NOT BUILD"), "{said}");
    assert!(said.ends_with("exit status 5"), "{said}");
}

#[test]
fn the_labs_own_code() {
    let fixture = with_a_crate_of_the_labs();
    fixture.write("crates/lab/src/lib.rs", "fn f() -> u8 { \"\" }\n");
    let said = check_after(&fixture, "");
    assert_broken(
        &said,
        "a crate other than the exercise does not compile:\n\nerror[E0308]",
    );
    // Both are wrong: the attendee can fix only one of them.
    fixture.write(
        "exercises/01-alpha/src/main.rs",
        "fn main() { missing() }\n",
    );
    let said = check_after(&fixture, "");
    let own = said.contains("cannot find function `missing`") && said.ends_with("exit status 3");
    assert!(own || said.ends_with("exit status 5"), "{said}");
    fixture.write("crates/lab/src/lib.rs", "");
    let said = check_after(&fixture, "");
    assert!(said.contains("Edit exercises/01-alpha"), "{said}");
    assert!(said.ends_with("exit status 3"), "{said}");
}

/// The workspace's own manifest is not the attendee's, either.
#[test]
fn the_labs_own_manifest() {
    let fixture = with_a_crate_of_the_labs();
    fixture.write("crates/lab/Cargo.toml", "[package\n");
    assert_broken(&check_after(&fixture, ""), "cargo cannot build:\n\n");
}

/// A real disk that is full: a mount that only this process sees.
#[test]
fn a_full_disk() {
    let fixture = with_a_crate_of_the_labs();
    for size in ["64k", "400k", "1m"] {
        let script = format!(
            "[ \"$MOUNTED\" ] || {{ export MOUNTED=1; exec unshare --user --map-root-user --mount sh -c '\
             mkdir -p \"$CARGO_TARGET_DIR\" && mount -t tmpfs -o size={size} none \"$CARGO_TARGET_DIR\" && exec \"$0\" \"$@\"' \"$0\" \"$@\"; }};"
        );
        assert_broken(
            &check_after(&fixture, &script),
            "cargo cannot build: the disk is full",
        );
    }
}

#[test]
fn too_few_open_files() {
    let fixture = with_a_crate_of_the_labs();
    let mut broken = 0;
    for limit in 8..24 {
        let said = check_after(&fixture, &format!("ulimit -n {limit};"));
        // How many are enough depends on what started this test.
        if said.ends_with("exit status 0") {
            break;
        }
        broken += 1;
        assert!(said.ends_with("exit status 5"), "{limit}: {said}");
        assert!(said.contains("Too many open files"), "{limit}: {said}");
        assert!(!said.contains("Edit "), "{said}");
        let twice = "Too many open files (os error 24): Too many open files";
        assert!(!said.contains(twice), "{said}");
    }
    assert!(broken > 0, "8 open files are too few");
}

#[test]
fn too_little_memory() {
    let fixture = with_a_crate_of_the_labs();
    let said = check_after(&fixture, "ulimit -v 400000;");
    assert!(said.ends_with("exit status 5"), "{said}");
    assert!(!said.contains("Edit "), "{said}");
}

#[test]
fn files_that_must_be_small() {
    // The limit is to meet the compiler, and not the first boot of a guest.
    systemd_lab::Lab::open().expect("the lab opens");
    let fixture = with_a_crate_of_the_labs();
    let said = check_after(&fixture, "ulimit -f 100;");
    assert_broken(
        &said,
        "cargo cannot build: a limit on the size of files is too small",
    );
}
