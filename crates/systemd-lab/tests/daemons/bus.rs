//! `Type=dbus`: a service that never takes its name, and Debian's avahi-daemon, which does.

use std::fs;
use std::time::Duration;

use systemd_lab::experiment::{Experiment, Fault};
use systemd_lab::findings::Rule;
use systemd_lab::{Guest, Lab};

const NAMELESS: &str = "\
[Service]
Type=dbus
BusName=com.example.Never
TimeoutStartSec=5s
ExecStart=/usr/bin/sleep infinity
";

#[test]
fn a_name_that_is_never_taken_is_a_finding() {
    let guest = ["dbus", "avahi-daemon"]
        .into_iter()
        .try_fold(Guest::default(), Guest::package)
        .expect("they are names");
    let lab = Lab::options().guest(&guest).open().expect("the lab opens");
    let folder = tempfile::tempdir().expect("there is room");
    let unit = folder.path().join("nameless.service");
    fs::write(&unit, NAMELESS).expect("there is room");
    let experiment = Experiment::packaged("avahi-daemon.service")
        .unit(unit)
        .fault_on("nameless.service", Duration::from_secs(2), Fault::Start)
        .lasting(Duration::from_secs(20));
    let timeline = experiment.run(&lab).expect("the lab works");
    let found = experiment.findings(&timeline);
    let [finding] = found.as_slice() else {
        panic!("{found:#?}\n{}", experiment.text(&timeline))
    };
    assert_eq!(finding.unit, "nameless.service");
    assert!(
        matches!(&finding.rule, Rule::NoBusName { name } if name == "com.example.Never"),
        "{finding:#?}"
    );
    let place = finding.place.as_ref().expect("the unit file says so");
    assert_eq!(
        (place.line, place.text.as_str()),
        (3, "BusName=com.example.Never")
    );
    let avahi = timeline.text_property("avahi-daemon.service", "SubState");
    assert_eq!(avahi, Some("running"), "{}", experiment.text(&timeline));
}
