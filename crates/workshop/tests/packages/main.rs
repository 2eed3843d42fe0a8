//! `cargo workshop run` in guests with Debian packages, and in Debian's oldstable and testing.

#[path = "../fixture/mod.rs"]
mod fixture;

use std::fs;
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::Value;
use systemd_lab::{DEFAULT_MIRROR, MIRROR_VARIABLE};

use fixture::Fixture;

/// A library that is not in every guest, and its name for the linker.
const LIBRARY_PACKAGE: &str = "libyaml-0-2";
const LIBRARY: &str = "libyaml-0.so.2";

/// One guest for all tests that need one, because building it takes longer than the tests.
const PACKAGES: [&str; 6] = [
    "--package",
    "openssh-server",
    "--package",
    "nginx",
    "--package",
    LIBRARY_PACKAGE,
];

/// Faults in a daemon's life, and its end.
const FAULTS: [&str; 11] = [
    "--at", "10s", "kill", "--at", "60s", "freeze", "--at", "90s", "thaw", "--for", "3min",
];

fn run(fixture: &Fixture, arguments: &[&str]) -> Output {
    let mut command = fixture.command(&["run"]);
    let command = command.current_dir(fixture.root()).args(arguments);
    command.output().expect("the command runs")
}

/// The summary of a run with [`PACKAGES`] and [`FAULTS`].
fn summary(arguments: &[&str]) -> Value {
    let arguments = [&PACKAGES[..], &FAULTS, &["--json"], arguments].concat();
    let fixture = Fixture::new();
    let output = run(&fixture, &arguments);
    assert!(output.status.success(), "{}", fixture.shown(&output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    assert_eq!(document["guest"]["packages"][0], LIBRARY_PACKAGE, "sorted");
    document["summary"].clone()
}

#[test]
fn sshd_comes_back_and_a_hang_is_no_refused_connection() {
    let summary = summary(&["--unit", "ssh.service", "--connect", "127.0.0.1:22"]);
    assert_eq!(summary["restarts"], 1);
    let running = |fault: usize| &summary["faults"][fault]["running"];
    let after = running(0)["after"].as_u64().expect("it came back");
    // RestartSec=100ms, and the time for a start.
    assert!((100_000..2_000_000).contains(&after), "{after}");
    // The kernel accepts connections for a service that hangs.
    for fault in [1, 2] {
        assert_eq!(*running(fault), "never-gone");
        assert_eq!(summary["faults"][fault]["answering"], "never-gone");
    }
}

#[test]
fn nginx_as_debian_ships_it_stays_down_and_with_a_drop_in_it_comes_back() {
    let nginx = ["--unit", "nginx.service", "--get", "http://127.0.0.1/"];
    let plain = summary(&nginx);
    assert_eq!(plain["restarts"], 0);
    assert_eq!(plain["state_at_end"], "failed");
    assert_eq!(plain["faults"][0]["answering"], "not-again");

    let fixture = Fixture::new();
    fixture.write("restart.conf", "[Service]\nRestart=on-failure\n");
    let file = format!(
        "{}:/etc/systemd/system/nginx.service.d/restart.conf",
        fixture.path("restart.conf").display()
    );
    let repaired = summary(&[&nginx[..], &["--file", &file]].concat());
    assert_eq!(repaired["restarts"], 1);
    assert_eq!(repaired["state_at_end"], "running");
    let after = |fault: usize, what: &str| repaired["faults"][fault][what]["after"].as_u64();
    assert!(after(0, "running").is_some(), "{repaired}");
    // Frozen at 60 s and thawed at 90 s: nothing recovers before that.
    assert_eq!(repaired["faults"][1]["answering"], "not-before-next");
    let silent = after(2, "answering").unwrap_or_default();
    assert!(silent < 2_000_000, "{repaired}");
}

/// Linked against a stub on the host; in the guest, the package's own library answers.
#[test]
fn a_package_brings_a_library() {
    let fixture = Fixture::new();
    fixture.write(
        "library.c",
        "const char *yaml_get_version_string(void) { return \"\"; }\n",
    );
    fixture.write(
        "program.c",
        "int puts(const char *);\nconst char *yaml_get_version_string(void);\n\
         int main(void) { return puts(yaml_get_version_string()) < 0; }\n",
    );
    let soname = format!("-Wl,-soname,{LIBRARY}");
    for arguments in [
        &["-shared", "-fPIC", &soname, "-o", LIBRARY, "library.c"][..],
        &["-o", "program", "program.c", LIBRARY],
    ] {
        let mut compiler = Command::new("cc");
        let status = compiler
            .args(arguments)
            .current_dir(fixture.root())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "Rust needs cc, too"
        );
    }
    fixture.write(
        "my.service",
        "[Service]\nType=oneshot\nExecStart=/usr/bin/program\n",
    );
    let arguments = [
        "--unit",
        "my.service",
        "--file",
        "program:/usr/bin/program",
        "--for",
        "5s",
        "--logs",
    ];
    let output = run(&fixture, &arguments);
    assert_snapshot!("library_is_absent", fixture.shown(&output));
    let output = run(&fixture, &[&PACKAGES[..], &arguments].concat());
    let said = fixture.shown(&output);
    assert!(
        said.contains("log: 0.") && said.ends_with("exit status 0"),
        "{said}"
    );
}

#[test]
fn what_no_package_brings() {
    let fixture = Fixture::new();
    let said = |arguments: &[&str]| fixture.shown(&run(&fixture, arguments));
    let nobody = [
        "--package",
        "nginxx",
        "--package",
        "no-such-package",
        "--unit",
        "nginx.service",
    ];
    assert_snapshot!("unknown_package", said(&nobody));
    let unit = ["--unit", "sshd.service"];
    assert_snapshot!("unknown_unit", said(&[&PACKAGES[..], &unit].concat()));
}

/// runit comes in a guest of its own, and sysvinit's `init` from a package that no guest can have.
#[test]
fn the_tables_of_other_supervisors_are_those_of_the_guide() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&["matrix", "runit", "sysvinit", "--format", "markdown"]);
    let tables = [
        ("runit/ends.md", "What runit does after each end"),
        ("sysvinit/ends.md", "What sysvinit does after each end"),
    ];
    let of_guide = tables.map(|(file, title)| {
        let measured = concat!(env!("CARGO_MANIFEST_DIR"), "/../../book/measured");
        let text = fs::read_to_string(format!("{measured}/{file}")).expect("it is there");
        format!("## {title}\n\n{}", measured::without_header(&text))
    });
    assert_eq!(
        fixture.shown(&command.output().expect("it runs")),
        format!("{}exit status 0", of_guide.join("\n"))
    );
}

/// Debian 12's systemd reports the settings that it does not know.
#[test]
fn oldstable_has_an_older_systemd() {
    let fixture = Fixture::new();
    fixture.write(
        "my.service",
        "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=on-failure\nRestartSteps=3\n",
    );
    let output = run(
        &fixture,
        &[
            "--suite",
            "oldstable",
            "--unit",
            "my.service",
            "--for",
            "5s",
        ],
    );
    assert_snapshot!("oldstable", fixture.shown(&output));
}

/// Three versions of systemd, from one mirror that may be old. What the first two do never changes; the third is whatever is newest.
#[test]
fn three_releases_are_compared() {
    let fixture = Fixture::new();
    let arguments = [
        "matrix",
        "oneshot",
        "--suite",
        "testing",
        "--compare=stable,oldstable",
        "--format",
        "json",
    ];
    let mut command = fixture.command(&arguments);
    let output = command.env(MIRROR_VARIABLE, DEFAULT_MIRROR).output();
    let output = output.expect("the command runs");
    assert!(output.status.success(), "{}", fixture.shown(&output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    let version = |index: usize| {
        let text = document["systemd"][index].as_str().unwrap_or_default();
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().expect("it begins with a number")
    };
    assert_eq!([version(0), version(1)], [252, 257]);
    assert!(version(2) > 257, "{}", version(2));
    let changes = document["changes"].as_array().expect("it is a list");
    let forced = changes
        .iter()
        .find(|change| change["row"] == "exit code 0, forced" && change["column"] == "`no`");
    let cells = forced.expect("they differ")["cells"].as_array();
    let kinds: Vec<&Value> = cells
        .expect("a list")
        .iter()
        .map(|it| &it["kind"])
        .collect();
    assert_eq!(kinds[..2], ["refused", "not-restarted"]);
    assert_eq!(kinds.len(), 3);
}
