//! `Result=resources`: systemd itself could not do something, and only its message says what.

use std::fs;
use std::time::Duration;

use systemd_lab::{Experiment, Fault, GuestFile};

use crate::support::lab;

/// Removes a file after 5 s, and allows no further control group below a slice.
const LATER: &str = "sleep 5; rm /srv/env; echo 0 >/sys/fs/cgroup/full.slice/cgroup.max.descendants; sleep infinity";

#[test]
fn only_a_missing_environment_file_is_called_one() {
    let folder = tempfile::tempdir().expect("there is room");
    let sleep = "ExecStart=/usr/bin/sleep infinity";
    let units = [
        (
            "main.service",
            format!("ExecStart=/usr/bin/bash -c '{LATER}'"),
        ),
        (
            "missing.service",
            format!("EnvironmentFile=/srv/env\nEnvironmentFile=/srv/absent\n{sleep}"),
        ),
        ("folder.service", format!("EnvironmentFile=/srv\n{sleep}")),
        (
            "stop.service",
            format!("EnvironmentFile=/srv/env\n{sleep}\nExecStop=/usr/bin/true"),
        ),
        ("group.service", format!("Slice=full.slice\n{sleep}")),
    ];
    let paths = units.map(|(name, lines)| {
        let path = folder.path().join(name);
        fs::write(&path, format!("[Service]\n{lines}\n")).expect("there is room");
        path
    });
    let [main, others @ ..] = paths;
    let second = Duration::from_secs(1);
    let mut experiment = Experiment::new(main)
        .file(GuestFile::text("/srv/env", "A=1\n"))
        .lasting(20 * second);
    for path in others {
        experiment = experiment.unit(path);
    }
    for (name, at) in [("missing", 1), ("folder", 2), ("stop", 3), ("group", 4)] {
        let name = format!("{name}.service");
        experiment = experiment.fault_on(&name, at * second, Fault::Start);
    }
    let experiment = experiment
        .fault_on("stop.service", 10 * second, Fault::Stop)
        .fault_on("group.service", 11 * second, Fault::Restart);
    let timeline = experiment.run(lab()).expect("the lab works");
    let findings = experiment.findings(&timeline);
    let mut told: Vec<String> = findings
        .iter()
        .map(|it| {
            let line = it.place.as_ref().map_or("", |place| place.text.as_str());
            [&it.what(), line, it.change(), it.manual()].join(" | ")
        })
        .collect();
    told.sort();
    insta::assert_snapshot!(told.join("\n"));
}
