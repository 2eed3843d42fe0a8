//! Guests that cannot be built.

use systemd_lab::{Guest, Lab, LabErrorKind};

use crate::assert_snapshot;

#[test]
fn a_package_that_does_not_exist_is_named() {
    let guest = ["openssh-server", "nginxx", "no-such-package"]
        .into_iter()
        .try_fold(Guest::default(), Guest::package)
        .expect("they are names");
    let error = Lab::options()
        .guest(&guest)
        .open()
        .expect_err("the package does not exist");
    assert!(error.kind() == LabErrorKind::Usage);
    assert_snapshot("unknown_package", &error.to_string());
    assert!(
        Lab::options()
            .guest(&guest)
            .find()
            .expect("the cache can be read")
            .is_none()
    );
}
