//! Plans that are refused before anything runs.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;
use systemd_lab::GuestFile;
use systemd_lab::experiment::{Experiment, Probe};

/// The error of an experiment with this unit file.
fn refused(unit: &[u8], planned: impl FnOnce(Experiment) -> Experiment) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("my.service");
    fs::write(&path, unit).expect("a file");
    let error = planned(Experiment::new(&path)).check();
    error.expect_err("it is refused").to_string()
}

#[test]
fn a_probe_that_comes_too_often() {
    let often = |every| {
        refused(b"[Service]\nExecStart=/usr/bin/true\n", |experiment| {
            let probe = Probe::get("http://127.0.0.1:8080/").every(every);
            experiment.probe(probe)
        })
    };
    assert_snapshot!("interval", often(Duration::from_millis(9)));
    assert!(often(Duration::ZERO).contains("10ms"));
}

#[test]
fn a_unit_file_that_is_not_text() {
    assert_snapshot!("unit_is_not_text", refused(b"\xff\xfe[\0S\0", |it| it));
}

#[test]
fn units_that_systemd_would_not_start() {
    assert_eq!(
        refused(b"", |it| it),
        "my.service is an empty file, which systemd takes for a masked unit and never starts; write something into it"
    );
    assert_eq!(
        refused(b"[Service]\nExecStart=/usr/bin/true\n", |it| it
            .unit("elsewhere/my.service")),
        "two of the units are called my.service, and the guest can have only one; give the other one another name, or take it as a drop-in, at /etc/systemd/system/my.service.d/more.conf"
    );
}

#[test]
fn a_unit_that_is_masked_may_be_there_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let aliased =
        "[Service]\nExecStart=/usr/bin/true\n[Install]\nAlias=one.service other.service\n";
    let experiment = Experiment::new(file("my.service", aliased)).unit(file("masked.service", ""));
    experiment.check().expect("it is right");
    let unit = experiment.aliased("other.service");
    assert_eq!(unit.as_deref(), Some("my.service"));
    assert_eq!(experiment.aliased("no.service"), None);
}

#[test]
fn a_place_that_is_not_in_the_guest() {
    let unit = b"[Service]\nExecStart=/usr/bin/true\n";
    let at = |path: &str| {
        refused(unit, |experiment| {
            experiment.file(GuestFile::text(path, ""))
        })
    };
    assert_snapshot!("relative_place", at("usr/bin/my"));
    assert!(at("/usr/../my").starts_with("\"/usr/../my\" is not a place"));
    let long = at(&format!("/usr/{}", "n".repeat(256)));
    assert!(
        long.contains("cannot be a file in the guest: the name is too long"),
        "{long}"
    );
}

#[test]
fn what_a_guest_cannot_be_given() {
    let unit = b"[Service]\nExecStart=/usr/bin/true\n";
    assert_eq!(
        refused(unit, |it| it.directory("/srv/my", "root", 0o10000)),
        "10000 is not a mode for /srv/my; expected an octal number such as 0750"
    );
    assert_eq!(
        refused(unit, |it| it.variable("my.service", "1X", "v")),
        "\"1X\" is not the name of a variable; use letters, digits and _, and do not begin with a digit"
    );
    assert_eq!(
        refused(unit, |it| it.variable("other.service", "X", "v")),
        "the variable X is for other.service, but no such unit is among the files; the units are: my.service"
    );
}

#[test]
fn a_probe_that_does_not_wait() {
    let unit = b"[Service]\nExecStart=/usr/bin/true\n";
    let said = refused(unit, |experiment| {
        experiment.probe(Probe::get("http://127.0.0.1:8080/").timeout(Duration::ZERO))
    });
    assert_eq!(
        said,
        "a probe's timeout must be longer than 0; use 10ms or more"
    );
}
