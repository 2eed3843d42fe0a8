//! The messages of errors that no test can cause on an ordinary machine. All others are caused for real:
//! `tests/errors`.

use insta::assert_snapshot;
use systemd_lab::{Guest, LabError};

#[test]
fn errors_of_other_machines() {
    let arch = "aarch64";
    assert_snapshot!("unsupported_host", LabError::UnsupportedHost { arch });
}

#[test]
fn a_guest_with_hardly_any_memory_or_too_much() {
    let error = |mib| Guest::default().memory_mib(mib).expect_err("it is refused");
    assert_snapshot!("too_little_memory", error(255));
    assert!(error(16 * 1024 + 1).to_string().contains("16385 MiB"));
    assert!(Guest::default().memory_mib(256).is_ok());
    assert!(Guest::default().memory_mib(16 * 1024).is_ok());
}

/// The self-test's own tests cover which of its findings are bad.
#[test]
fn a_self_test_that_comes_out_wrong() {
    let error = LabError::SelfTest {
        what: "virtual time is off",
        snapshot: "[SNAPSHOT]".into(),
    };
    assert_snapshot!("self_test", error);
}

/// The image is checked before a snapshot is made of it: its manifest can only disappear in between.
#[test]
fn an_image_without_a_manifest() {
    let error = LabError::ImageIncomplete {
        what: "manifest",
        path: "[IMAGE]".into(),
    };
    assert_snapshot!("image_without_manifest", error);
}

/// When the caller ends a run, the text says how far it came: `steps::waiting` causes it, and cannot know how far.
#[test]
fn a_run_that_its_caller_ended() {
    let error = LabError::Interrupted { virtual_ms: 1500 };
    assert_snapshot!("interrupted", error);
}
