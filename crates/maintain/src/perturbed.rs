//! Shows that what is measured does not depend on the image: measures everything again in guests that differ from the usual one as
//! if Debian had updated its packages. The boot takes longer, other processes have run, and the files' times and the boot ID are
//! different (`crates/systemd-lab/src/image/perturbation.rs`).
//!
//! `cargo maintain perturbed sample` measures some of everything in one such guest, and `everything` measures all of it in all six.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use exercise_check::Outcome;
use serde_json::Value;
use stages::cargo::{Workspace, build, cargo};
use stages::exercises::Workshop;
use systemd_lab::compare::Tolerance;
use systemd_lab::names::SIGKILL;
use systemd_lab::{Experiment, Fault, Guest, GuestFile, Lab, Probe, Timeline};
use systemd_lab_cli::say;
use tempfile::TempDir;

use crate::verified::{Tally, Verified};

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
If something does not hold in such a guest, find out what two events are so close to each other, or what makes the time depend on the \
boot. Do not raise the tolerance.

Examples:
    cargo maintain perturbed sample          five minutes
    cargo maintain perturbed everything      an hour
    SYSTEMD_LAB_PERTURBATION=3 cargo maintain verify 04";

const PERTURBATION: &str = "SYSTEMD_LAB_PERTURBATION";
const CACHE: &str = "SYSTEMD_LAB_CACHE";

/// Variables that would choose another guest, or let a check pass.
const UNWANTED: [&str; 4] = [
    "SYSTEMD_LAB_SUITE",
    "SYSTEMD_LAB_MIRROR",
    "SYSTEMD_LAB_SAVED",
    "INSTA_UPDATE",
];

/// How many such guests there are.
const ALL: [u32; 6] = [1, 2, 3, 4, 5, 6];

/// The guest of the sample: its boot takes the longest, and PIDs differ by hundreds.
const SAMPLE: [u32; 1] = [6];

/// What is measured: cargo's arguments.
const EVERYTHING: &[&[&str]] = &[
    &["maintain", "verify"],
    &["maintain", "guide", "--check"],
    OWN_SERVICE,
];

const SOME_OF_EVERYTHING: &[&[&str]] = &[
    &["maintain", "verify", "mistake", "03", "restart-secs"],
    &["maintain", "verify", "mistake", "04", "ready-from-helper"],
    &["maintain", "verify", "mistake", "04", "bad-configuration"],
    &["maintain", "verify", "variant", "03"],
    &["maintain", "verify", "solution", "05"],
    // The tables of settings, the guide's sentences, and the runs of a service with faults.
    &["maintain", "guide", "--check", "restart-table"],
    &["maintain", "guide", "--check", ".md:"],
    &["maintain", "guide", "--check", "run-"],
    OWN_SERVICE,
];

const MANIFEST: &str = "examples/own-service/Cargo.toml";
const OWN_SERVICE: &[&str] = &["test", "--manifest-path", MANIFEST];

const UNIT: &str = "examples/own-service/units/own.service";
const URL: &str = "http://127.0.0.1:8080/";

/// A service that fails every few minutes for half a day, and on which systemd never gives up. Small differences would add up.
pub(crate) const FLAKY: &str = "\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/sleep 97.3
Restart=always
RestartSec=203s
";

/// The subcommand's arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How much is measured again.
    which: Which,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Which {
    /// Some of everything, in one guest.
    Sample,
    /// Everything, in six guests.
    Everything,
}

/// Measures again, and reports what does not hold in which guest.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let (perturbations, commands) = match arguments.which {
        Which::Sample => (&SAMPLE[..], SOME_OF_EVERYTHING),
        Which::Everything => (&ALL[..], EVERYTHING),
    };
    let bench = Bench::new(workshop)?;
    let day = Day::new(&bench)?;
    let saved = day.experiment.saved(&day.timeline(&bench, None)?);
    let mut tally = Tally::default();
    for &number in perturbations {
        for command in commands {
            let output = bench.cargo(command, Some(number))?;
            let item = format!("{number}: cargo {}", command.join(" "));
            tally.add(&item, &verified(&output));
        }
        let timeline = day.timeline(&bench, Some(number))?;
        let difference = |tolerance| {
            let experiment = &day.experiment;
            experiment.difference_within(&saved, &timeline, tolerance)
        };
        let complaint = difference(Tolerance::SAME_SERVICE)?;
        let complaints: Vec<String> = complaint.into_iter().collect();
        tally.add(
            &format!("{number}: a day of two services"),
            &Verified::without(&complaints),
        );
        // Otherwise, these guests would prove nothing.
        let differs = match difference(Tolerance::NONE)? {
            Some(_) => Verified::Ok,
            None => Verified::Failed("nothing differs by as much as a millisecond".to_owned()),
        };
        tally.add(&format!("{number}: the guest differs"), &differs);
    }
    say!("{}", tally.summary());
    Ok(tally.outcome())
}

fn verified(output: &Output) -> Verified {
    match output.status.success() {
        true => Verified::Ok,
        false => Verified::Failed(shown(output)),
    }
}

/// Where commands are run.
struct Bench<'a> {
    root: &'a Path,
    target: PathBuf,
    /// A temporary cache with the usual image. The snapshots that are made in it disappear with it.
    cache: TempDir,
}

impl Bench<'_> {
    fn new(workshop: &Workshop) -> anyhow::Result<Bench<'_>> {
        let cache = tempfile::Builder::new().prefix("perturbed-").tempdir();
        let cache = cache.context("cannot make a temporary folder; is the disk full?")?;
        let lab = Lab::options().guest(&Guest::default()).open()?;
        let copied = Command::new("cp")
            .arg("--archive")
            .arg(lab.image())
            .arg(cache.path())
            .status();
        ensure!(
            copied.is_ok_and(|status| status.success()),
            "cannot copy the guest's image; is the disk full?"
        );
        Ok(Bench {
            root: &workshop.root,
            target: Workspace::read(&workshop.root)?.target,
            cache,
        })
    }

    /// Runs cargo in a guest with this perturbation, or in the usual one.
    fn cargo(&self, arguments: &[&str], perturbation: Option<u32>) -> anyhow::Result<Output> {
        let mut command = cargo(self.root);
        command
            .args(arguments)
            // The example is a separate workspace, and would build everything again.
            .env("CARGO_TARGET_DIR", &self.target)
            .env(CACHE, self.cache.path())
            .env_remove(PERTURBATION);
        for name in UNWANTED {
            command.env_remove(name);
        }
        if let Some(number) = perturbation {
            command.env(PERTURBATION, number.to_string());
        }
        command.output().context("cannot run cargo")
    }
}

/// Runs two services for a day: one with faults, and one that fails again and again.
struct Day {
    experiment: Experiment,
    arguments: Vec<String>,
    _folder: TempDir,
}

impl Day {
    fn new(bench: &Bench<'_>) -> anyhow::Result<Day> {
        let room = "cannot write a temporary file; is the disk full?";
        let folder = tempfile::tempdir().context(room)?;
        let flaky = folder.path().join("flaky.service");
        fs::write(&flaky, FLAKY).context(room)?;
        let program = own_service(bench)?;
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let experiment = Experiment::new(bench.root.join(UNIT))
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
        Ok(Day {
            experiment,
            arguments: arguments.map(str::to_owned).to_vec(),
            _folder: folder,
        })
    }

    fn timeline(&self, bench: &Bench<'_>, perturbation: Option<u32>) -> anyhow::Result<Timeline> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let output = bench.cargo(&arguments, perturbation)?;
        ensure!(output.status.success(), shown(&output));
        let document: Value = serde_json::from_slice(&output.stdout)
            .context("`run --json` printed something else")?;
        serde_json::from_value(document["timeline"].clone())
            .context("`run --json` printed no timeline")
    }
}

/// Builds the example in the same way as its tests.
fn own_service(bench: &Bench<'_>) -> anyhow::Result<PathBuf> {
    let target = bench.target.clone().into_os_string();
    let arguments: Vec<OsString> = vec![
        "--manifest-path".into(),
        MANIFEST.into(),
        "--target-dir".into(),
        target,
    ];
    let built = build(bench.root, &arguments)?;
    let program = built.executable(&bench.root.join(MANIFEST), "own-service");
    Ok(program
        .map_err(|why| anyhow!("own-service {why}"))?
        .to_owned())
}

fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
