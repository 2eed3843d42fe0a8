//! The service that is checked: its binary, its units, and how it gets into the guest.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use systemd_lab::diagnosis::{Case, Rule, diagnose, setup};
use systemd_lab::protocol::{Event, EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab, LabError, RunOptions, Timeline, UnitTexts, unit_texts};

use crate::error::{CheckError, host_error};
use crate::explanation;
use crate::report::{self, Record, Running};
use crate::snapshot::Snapshot;
use crate::stage::{Stage, UNITS, is_unit_of};
use crate::verdict::Observed;

/// Where every stage's service listens.
pub const ADDRESS: &str = "127.0.0.1:7878";

/// Names a binary that is checked in place of the package's own.
pub const BINARY_VARIABLE: &str = "EXERCISE_CHECK_BINARY";

/// Names a folder, laid out like the workspace, whose `units/` and package files are checked in place of its own.
pub const FILES_VARIABLE: &str = "EXERCISE_CHECK_FILES";

/// Asks a check for its long form, if it has one: `cargo maintain verify --soak` sets it.
pub const SOAK_VARIABLE: &str = "EXERCISE_CHECK_SOAK";

/// Set to `1`, lets the check of a solution write what it sees as its snapshots: `cargo maintain snapshots --write` sets
/// it. The check of an exercise does not look at it.
pub const WRITE_VARIABLE: &str = "EXERCISE_CHECK_WRITE";

/// Ten virtual hours under load take a minute or two of wall time; a slow machine may take its time.
const SOAK_DEADLINE: Duration = Duration::from_secs(900);

/// How often a run reports how far it has come. People read no faster.
const ANNOUNCED_EACH: Duration = Duration::from_millis(200);

/// Where the guest's systemd looks for units of the administrator: systemd.unit(5), "Unit File Load Path".
const UNIT_PATH: &str = "/etc/systemd/system";

/// A run, or why there is none. Shared, since several requirements may look at it.
pub type Seen = Result<Arc<Timeline>, Arc<CheckError>>;

/// What was tried, and what came of it.
#[derive(Debug)]
pub struct Run {
    scenario: Scenario,
    /// What came of it.
    pub seen: Seen,
}

impl Run {
    /// Runs the scenario: [`Subject::run`].
    pub fn of(subject: &Subject, scenario: Scenario, more: Vec<GuestFile>) -> Run {
        let seen = subject.run(&scenario, more);
        Run { scenario, seen }
    }

    /// The step at this place in the scenario.
    pub fn step(&self, index: usize) -> Option<&Step> {
        self.scenario.steps.get(index)
    }

    /// The place of the first such step after another.
    ///
    /// # Panics
    ///
    /// When the scenario has none: its author knows which steps it has.
    pub fn first(&self, after: usize, wanted: impl Fn(&Step) -> bool) -> usize {
        let steps = self.scenario.steps.iter().enumerate().skip(after);
        let found = steps
            .filter(|(_, step)| wanted(step))
            .map(|(index, _)| index)
            .next();
        found.expect("the scenario has such a step")
    }
}

/// A service under test.
#[derive(Debug)]
pub struct Subject {
    stage: Stage,
    /// The package that is checked, and how its units' names begin: `exercise-04` or `solution-04`.
    package: &'static str,
    /// In the snapshots every service is called this: `exercise-04`.
    canonical: String,
    /// The main unit's name.
    service: String,
    workspace: PathBuf,
    /// `None` if cargo was told to give it another name.
    binary: Option<PathBuf>,
    /// What its unit files say.
    units: UnitTexts,
    /// Where `units/` and the package's folder are looked for.
    files: PathBuf,
}

static LAB: LazyLock<Result<Lab, Arc<CheckError>>> = LazyLock::new(|| {
    let options = Lab::options().on_wait(|ahead| report::append(&Record::Waiting { ahead }));
    options.open().map_err(shared)
});

/// A failure of the lab, which several requirements may meet.
fn shared(error: LabError) -> Arc<CheckError> {
    Arc::new(CheckError::from(error))
}

/// Whether the long form of a check is asked for.
pub fn is_soak() -> bool {
    std::env::var_os(SOAK_VARIABLE).is_some()
}

impl Subject {
    /// The package in `manifest_dir` and its binary, or what the variables name in their place. `binary` is `None` when cargo
    /// built none with the package's name.
    pub fn new(
        folder: &'static str,
        package: &'static str,
        manifest_dir: &'static str,
        binary: Option<&'static str>,
    ) -> Subject {
        let workspace = Path::new(manifest_dir)
            .ancestors()
            .nth(2)
            .expect("packages of a stage lie two folders below the workspace");
        let instead = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        let files = instead(FILES_VARIABLE).unwrap_or_else(|| workspace.to_owned());
        // Where they cannot be read, the first run says so.
        let unit_files = unit_files(package, &files).unwrap_or_default();
        let stage = Stage::of_folder(folder).expect("folders of a stage are called NN-topic");
        let canonical = stage.package();
        Subject {
            stage,
            package,
            canonical,
            service: format!("{package}.service"),
            workspace: workspace.to_owned(),
            binary: instead(BINARY_VARIABLE).or(binary.map(PathBuf::from)),
            units: unit_texts(&unit_files),
            files,
        }
    }

    /// The package's name, which is also the main unit's without its suffix.
    pub fn package(&self) -> &'static str {
        self.package
    }

    /// The main unit's name, e.g. `exercise-04.service`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The name of one of its other units: `-client` stands for `exercise-04-client.service`.
    pub fn unit(&self, suffix: &str) -> String {
        format!("{}{suffix}.service", self.package)
    }

    /// The binary on the host.
    fn binary(&self) -> Result<&Path, Arc<CheckError>> {
        self.binary.as_deref().ok_or_else(|| {
            Arc::new(CheckError::NoBinary {
                name: self.package.to_owned(),
                manifest: format!("{}/Cargo.toml", self.package_folder()),
            })
        })
    }

    /// The binary's path in the guest.
    pub fn guest_binary(&self) -> String {
        guest_binary(self.package)
    }

    /// A file of the package, e.g. `prediction.md`.
    pub fn package_file(&self, name: &str) -> PathBuf {
        self.files.join(self.package_folder()).join(name)
    }

    /// `exercises/04-notify` or `solutions/04-notify`.
    fn package_folder(&self) -> String {
        if self.package == self.canonical {
            self.stage.exercise_folder()
        } else {
            self.stage.solution_folder()
        }
    }

    /// Whether snapshots are to be written: only ever those of a solution, as it is.
    pub(crate) fn writes_snapshots(&self) -> bool {
        let is_set = |variable: &str| std::env::var_os(variable).is_some();
        self.package != self.canonical
            && is_set(WRITE_VARIABLE)
            && !is_set(BINARY_VARIABLE)
            && !is_set(FILES_VARIABLE)
    }

    /// What a requirement is compared with.
    pub(crate) fn snapshot(&self, name: &str) -> Snapshot {
        let folder = format!("{}/tests/snapshots", self.stage.exercise_folder());
        Snapshot {
            folder: self.workspace.join(folder),
            name: name.to_owned(),
            canonical: self.canonical.clone(),
            own: self.package.to_owned(),
        }
    }

    /// What to type after a requirement was not met.
    pub(crate) fn next(&self, number: u32) -> String {
        let folder = self.package_folder();
        let package = self.package;
        format!(
            "Edit {folder} or units/{package}*.service, then type:\n\n    cargo test -p {package} r{number}\n"
        )
    }

    /// A drop-in that sets variables in the environment of one of its units, e.g. `DATA_PARTS=60`.
    pub fn environment(&self, unit: &str, assignments: &[&str]) -> GuestFile {
        let assignments = assignments.join(" ");
        GuestFile::unit(
            &format!("{unit}.d/environment.conf"),
            format!("[Service]\nEnvironment={assignments}\n"),
        )
    }

    /// Runs a scenario with the binary, all units of the package, and more files.
    pub fn run(&self, scenario: &Scenario, more: Vec<GuestFile>) -> Seen {
        // Before anything runs: what systemd does not know, the service cannot be blamed for.
        if let Some(needed) = self.systemd_needed()? {
            let guest = lab()?.guest();
            guest.ensure_systemd(needed).map_err(shared)?;
        }
        let mut files =
            guest_files(self.package, self.binary()?, &self.files).map_err(host_error)?;
        files.extend(more);
        let mut options = RunOptions::default();
        if is_soak() {
            options = options.deadline(SOAK_DEADLINE);
        }
        if report::is_wanted() {
            options = options.on_event(announcing(&scenario.name));
        }
        let result = lab()?.run_with(scenario, &files, options);
        if report::is_wanted() {
            let run = report::Run::new(scenario, &files, result.as_ref());
            report::append(&Record::Run(run));
        }
        let result = result.map(Arc::new);
        if let Ok(timeline) = &result {
            explanation::remember(scenario, &files, timeline);
        }
        result.map_err(shared)
    }

    /// The oldest systemd that has what the stage is about, where its `exercise.toml` names one.
    fn systemd_needed(&self) -> Result<Option<u32>, Arc<CheckError>> {
        let settings = self.stage.settings(&self.workspace);
        // With its cause: this is all that anyone sees of it.
        let settings = settings.map_err(|error| match error.source() {
            Some(cause) => host_error(format!("{error}: {cause}")),
            None => host_error(error),
        })?;
        Ok(settings.systemd)
    }

    /// What rules look at: the main unit in this run.
    pub fn case<'a>(&'a self, timeline: &'a Timeline) -> Case<'a> {
        Case {
            timeline,
            unit: &self.service,
            address: ADDRESS,
            units: &self.units,
        }
    }

    /// The same of another of its units.
    pub fn case_of<'a>(&'a self, unit: &'a str, timeline: &'a Timeline) -> Case<'a> {
        Case {
            unit,
            ..self.case(timeline)
        }
    }

    /// What is said of a run in which the guest was gone before its end, if a unit asks for that: `FailureAction=reboot`.
    pub(crate) fn ended_the_machine(&self) -> Option<Observed> {
        let nothing = Timeline::new(Vec::new());
        let case = self.case(&nothing);
        Some(Observed {
            shown: format!("the machine went down: {}\n", setup::machine_action(&case)?),
            diagnosis: setup::ends_the_machine(&case),
            witness: "the lab",
            scenario: None,
        })
    }

    /// What systemd showed of a run, and the first rule that explains it.
    pub fn observed(&self, timeline: &Timeline, shown: String, rules: &[&[Rule]]) -> Observed {
        let case = self.case(timeline);
        Observed {
            shown,
            diagnosis: rules.iter().find_map(|rules| diagnose(&case, rules)),
            witness: "systemd",
            scenario: Some(timeline.scenario().to_owned()),
        }
    }
}

/// Reports how far a run has come, now and then.
fn announcing(scenario: &str) -> impl FnMut(&Event) {
    let (mut began_us, mut last) = (None, None::<Instant>);
    move |event| {
        if matches!(event.kind, EventKind::ScenarioBegan { .. }) {
            began_us = Some(event.at_us);
        }
        let is_time = last.is_none_or(|last| last.elapsed() > ANNOUNCED_EACH);
        if let (Some(began_us), true) = (began_us, is_time) {
            last = Some(Instant::now());
            report::append(&Record::Running(Running {
                scenario: scenario.to_owned(),
                virtual_us: event.at_us.saturating_sub(began_us),
            }));
        }
    }
}

/// A package's binary and every file of `units/` in `root` whose name begins with the package's; drop-in folders as well.
///
/// # Errors
///
/// When `units/` cannot be read.
pub fn guest_files(package: &str, binary: &Path, root: &Path) -> std::io::Result<Vec<GuestFile>> {
    let mut files = vec![GuestFile::program(guest_binary(package), binary)];
    files.extend(unit_files(package, root)?);
    Ok(files)
}

fn unit_files(package: &str, root: &Path) -> std::io::Result<Vec<GuestFile>> {
    let mut files = Vec::new();
    for (name, path) in entries(&root.join(UNITS))? {
        if !is_unit_of(&name, package) {
            continue;
        }
        if path.is_dir() {
            for (drop_in, path) in entries(&path)? {
                files.push(GuestFile::copy(
                    format!("{UNIT_PATH}/{name}/{drop_in}"),
                    path,
                ));
            }
        } else {
            files.push(GuestFile::copy(format!("{UNIT_PATH}/{name}"), path));
        }
    }
    Ok(files)
}

fn guest_binary(package: &str) -> String {
    format!("/usr/local/bin/{package}")
}

/// The lab, opened once.
pub fn lab() -> Result<&'static Lab, Arc<CheckError>> {
    LAB.as_ref().map_err(Arc::clone)
}

/// Names and paths in a folder, sorted, so that the guest gets the same bytes each time.
fn entries(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push((name, entry.path()));
    }
    entries.sort();
    Ok(entries)
}
