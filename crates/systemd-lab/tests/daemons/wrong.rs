//! Guests that cannot be built.

use systemd_lab::{Guest, Lab};

use crate::assert_snapshot;

#[test]
fn a_package_that_does_not_exist_is_named() {
    let guest = ["openssh-server", "nginxx", "no-such-package"]
        .into_iter()
        .try_fold(Guest::default(), Guest::package)
        .expect("they are names");
    let error = Lab::open_guest(&guest).expect_err("there is no such package");
    assert!(error.is_wrong_usage());
    assert_snapshot("unknown_package", &error.to_string());
    assert!(
        Lab::find_guest(&guest)
            .expect("the cache can be read")
            .is_none()
    );
}
