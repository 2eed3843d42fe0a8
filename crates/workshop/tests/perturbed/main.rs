//! What is measured does not depend on the image: everything is measured again in guests that differ from the usual one as
//! after an update of Debian's packages. The boot takes longer, other processes have run, files have other times, and the
//! boot ID is another one (`crates/systemd-lab/src/image/perturbation.rs`).
//!
//! `cargo perturbed-tests sample` takes one such guest and some of everything; without `sample`, it is all of it in all six,
//! which takes an hour.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use systemd_lab::compare::Tolerance;
use systemd_lab::{Experiment, Fault, Guest, GuestFile, Lab, Probe, Timeline};
use tempfile::TempDir;

const PERTURBATION: &str = "SYSTEMD_LAB_PERTURBATION";
const CACHE: &str = "SYSTEMD_LAB_CACHE";

/// As many as there are.
const ALL: [u32; 6] = [1, 2, 3, 4, 5, 6];

/// The boot takes longer by more than in any other, and PIDs differ by hundreds.
const SAMPLE: [u32; 1] = [6];

/// What is measured: cargo's arguments.
const EVERYTHING: &[&[&str]] = &[
    &["maintain", "verify"],
    &["book-tests", "--no-fail-fast"],
    OWN_SERVICE,
];

const SOME_OF_EVERYTHING: &[&[&str]] = &[
    &["maintain", "verify", "mistake", "03", "restart-secs"],
    &["maintain", "verify", "mistake", "04", "ready-from-helper"],
    &["maintain", "verify", "mistake", "04", "bad-configuration"],
    &["maintain", "verify", "variant", "03"],
    &["maintain", "verify", "solution", "05"],
    // The guide's sentences, the run of a service with faults, and the tables of restarts.
    &[
        "test",
        "--features=book-tests",
        "--package=guide-tests",
        "--test=words",
    ],
    &[
        "test",
        "--features=book-tests",
        "--package=workshop",
        "--test=measured",
    ],
    &[
        "test",
        "--features=book-tests",
        "--package=systemd-matrix",
        "--test=measured",
    ],
    OWN_SERVICE,
];

const OWN_SERVICE: &[&str] = &["test", "--manifest-path=examples/own-service/Cargo.toml"];

const UNIT: &str = "examples/own-service/units/own.service";
const URL: &str = "http://127.0.0.1:8080/";
const SIGKILL: i32 = 9;

/// A service that fails every few minutes for half a day, and never gives up: what adds up shows.
const FLAKY: &str = "\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/sleep 97.3
Restart=always
RestartSec=203s
";

#[test]
fn sample() {
    measure_again(&SAMPLE, SOME_OF_EVERYTHING);
}

#[test]
fn everything() {
    measure_again(&ALL, EVERYTHING);
}

fn measure_again(perturbations: &[u32], commands: &[&[&str]]) {
    let cache = cache_with_image();
    let day = Day::new();
    let saved = day.experiment.saved(&day.timeline(None, cache.path()));
    let mut complaints = Vec::new();
    for &number in perturbations {
        for command in commands {
            let output = cargo(command, Some(number), cache.path());
            if !output.status.success() {
                complaints.push(format!(
                    "{number}: cargo {}\n{}",
                    command.join(" "),
                    shown(&output)
                ));
            }
        }
        let timeline = day.timeline(Some(number), cache.path());
        let difference = |tolerance| {
            let difference = day
                .experiment
                .difference_within(&saved, &timeline, tolerance);
            difference.expect("it was saved just now")
        };
        if let Some(difference) = difference(Tolerance::SAME_SERVICE) {
            complaints.push(format!("{number}: a day\n{difference}"));
        }
        // Or these guests prove nothing.
        assert!(
            difference(Tolerance::NONE).is_some(),
            "{number}: nothing differs by as much as a millisecond"
        );
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// A day in the life of a service, with faults, and of another that fails again and again.
struct Day {
    experiment: Experiment,
    arguments: Vec<String>,
    _folder: TempDir,
}

impl Day {
    fn new() -> Day {
        let folder = tempfile::tempdir().expect("there is room");
        let flaky = folder.path().join("flaky.service");
        fs::write(&flaky, FLAKY).expect("there is room");
        let program = own_service();
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let experiment = Experiment::new(workspace().join(UNIT))
            .unit(&flaky)
            .file(GuestFile::program("/usr/local/bin/own-service", &program))
            .probe(Probe::get(URL).every(Duration::from_secs(20)))
            .fault(hours(1), Fault::Kill(SIGKILL))
            .fault(hours(6), Fault::Freeze)
            .fault(hours(7), Fault::Thaw)
            .fault_on("flaky.service", hours(12), Fault::Start)
            .lasting(hours(24));
        let program = format!("{}:/usr/local/bin/own-service", program.display());
        let arguments = [
            "workshop",
            "run",
            "--json",
            "--unit",
            UNIT,
            "--unit",
            &flaky.to_string_lossy(),
            "--file",
            &program,
            "--get",
            URL,
            "--every",
            "20s",
            "--at",
            "1h",
            "kill",
            "--at",
            "6h",
            "freeze",
            "--at",
            "7h",
            "thaw",
            "--at",
            "12h",
            "start@flaky.service",
            "--for",
            "24h",
        ];
        Day {
            experiment,
            arguments: arguments.map(str::to_owned).to_vec(),
            _folder: folder,
        }
    }

    fn timeline(&self, perturbation: Option<u32>, cache: &Path) -> Timeline {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let output = cargo(&arguments, perturbation, cache);
        assert!(output.status.success(), "{}", shown(&output));
        let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        serde_json::from_value(document["timeline"].clone()).expect("these are events")
    }
}

/// Builds the example, as its tests do.
fn own_service() -> PathBuf {
    let mut build = vec!["build"];
    build.extend_from_slice(&OWN_SERVICE[1..]);
    let output = command(&build).output().expect("cargo runs");
    assert!(output.status.success(), "{}", shown(&output));
    Path::new(assert_cmd::cargo::cargo_bin!("workshop")).with_file_name("own-service")
}

/// Where all of this is built: TARGET/HOST/debug/workshop.
fn target() -> &'static Path {
    let command = Path::new(assert_cmd::cargo::cargo_bin!("workshop"));
    let target = command.ancestors().nth(3);
    target.expect("cargo lays it out so")
}

fn workspace() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.canonicalize().expect("it is there")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(workspace());
    command
        // The example is a workspace of its own, and would build everything again.
        .env("CARGO_TARGET_DIR", target())
        .env_remove("SYSTEMD_LAB_SUITE")
        .env_remove("BOOK_MEASURED")
        .env_remove("SYSTEMD_LAB_SAVED")
        .env_remove("INSTA_UPDATE");
    command
}

fn cargo(arguments: &[&str], perturbation: Option<u32>, cache: &Path) -> Output {
    let mut command = command(arguments);
    command.env(CACHE, cache).env_remove(PERTURBATION);
    if let Some(number) = perturbation {
        command.env(PERTURBATION, number.to_string());
    }
    command.output().expect("cargo runs")
}

/// A cache of our own with the usual image: what is made here goes away with it.
fn cache_with_image() -> TempDir {
    let cache = tempfile::Builder::new()
        .prefix("perturbed-")
        .tempdir()
        .expect("there is room");
    let lab = Lab::open_guest(&Guest::default()).expect("the lab opens");
    let copied = Command::new("cp")
        .arg("--archive")
        .arg(lab.image())
        .arg(cache.path())
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "it is copied");
    cache
}

fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
