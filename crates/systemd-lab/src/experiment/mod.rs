//! Experiments with any service: its unit and files, faults at chosen times or upon events, probes that ask all the while
//! whether it is there, and requirements that a run is held against.
//!
//! ```no_run
//! use std::time::Duration;
//! use systemd_lab::experiment::{Experiment, Fault, Probe, When};
//! use systemd_lab::{GuestFile, Lab};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let experiment = Experiment::new("units/my.service")
//!     .file(GuestFile::from_host("/usr/bin/my", "target/release/my"))
//!     .fault(Duration::from_secs(10), "kill=SIGKILL".parse()?)
//!     .fault(Duration::from_secs(60), Fault::Freeze)
//!     .fault("restart 2 + 200ms".parse::<When>()?, Fault::Oom)
//!     .probe(Probe::get("http://127.0.0.1:8080/health"))
//!     .require("recovery <= 15s".parse()?)
//!     .lasting(Duration::from_secs(3600));
//! let timeline = experiment.run(&Lab::open()?)?;
//! println!("{}", experiment.text(&timeline));
//! let summary = experiment.summary(&timeline);
//! assert!(summary.availability() > Some(0.999));
//! for verdict in experiment.verdicts(&timeline) {
//!     assert!(verdict.holds, "{}: {}", verdict.requirement, verdict.measured);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Time 0 is when systemd is asked to start the unit. All times are the guest's virtual time.

mod check;
mod date;
mod error;
mod fault;
mod files;
mod given;
mod outages;
mod probe;
mod programs;
mod requirement;
mod saved;
mod steps;
mod story;
mod summary;
mod verdict;
mod when;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use systemd_lab_protocol::scenario::ProbeTarget;
use systemd_lab_protocol::{Event, Scenario};

use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::lab::Lab;
use systemd_timeline::Timeline;
use systemd_timeline::findings::{self, Asked, Finding, Harm, Sources};
use systemd_timeline::names::{SIGCONT, SIGSTOP};
use systemd_timeline::picture::Picture;
use systemd_timeline::{visible, visible_lines};

use check::{check_instance, not_prepared};
use given::Given;

pub use date::Date;
pub use error::{ExperimentError, PlanError};
pub use fault::Fault;
pub use files::unit_texts;
pub use given::{DIRECTORY_MODE, DIRECTORY_OWNER};
pub use outages::ListenerOutage;
pub use probe::Probe;
pub use requirement::{Requirement, Share, Sign, Wanted};
pub use saved::{SAVED_VARIABLE, SavedError};
pub use story::{Detail, Line};
pub use summary::{
    FaultSummary, JobOutcome, ProbeRecovery, ProbeSummary, Recovery, Summary, UnitSummary,
};
pub use systemd_timeline::span::{parse_span, span_text};
pub use verdict::Verdict;
pub use when::{On, When};

/// Where units are put: they win over the same ones of packages.
const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// How long an experiment lasts after its last fault, if nothing else is said: `RestartSec=` of a few seconds and
/// `StartLimitIntervalSec=` of 10 s are over by then.
const AFTER_LAST_FAULT: Duration = Duration::from_secs(60);

/// By then systemd has logged what a fault did at once.
const SOON_AFTER_FAULT: Duration = Duration::from_secs(1);

/// Wall time for a run: to restore and start, and for each virtual hour. An hour with a probe each second takes ten to
/// 30 s; a busy machine may take its time.
const WALL_TIME: Duration = Duration::from_secs(120);
const WALL_TIME_PER_HOUR: Duration = Duration::from_secs(240);
const HOUR_S: u64 = 3600;

/// A unit, its files, and what is to happen to it.
#[derive(Debug, Clone)]
pub struct Experiment {
    units: Vec<String>,
    /// Those of the units that are not files of ours.
    packaged: Vec<String>,
    files: Vec<GuestFile>,
    faults: Vec<PlannedFault>,
    probes: Vec<Probe>,
    requirements: Vec<Requirement>,
    given: Given,
    /// The template that was named, and the instance of it that is started.
    template: Option<(String, String)>,
    length: Option<Duration>,
}

/// A fault, when it comes, and whom it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFault {
    /// At a time, counted from the start of the unit, or upon an event.
    pub when: When,
    /// What is done.
    pub fault: Fault,
    /// To which unit.
    pub unit: String,
}

impl Experiment {
    /// An experiment with the unit of this unit file on the host, which is started at time 0. It has the file's name.
    pub fn new(unit_file: impl Into<PathBuf>) -> Experiment {
        Experiment::empty().unit(unit_file)
    }

    /// An experiment with a unit that a Debian package brings, e.g. `ssh.service`. The lab's guest must have the package:
    ///
    /// ```no_run
    /// # use systemd_lab::{Experiment, Guest, Lab};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let lab = Lab::open_guest(&Guest::default().package("openssh-server")?)?;
    /// let timeline = Experiment::packaged("ssh.service").run(&lab)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn packaged(unit: impl Into<String>) -> Experiment {
        Experiment::empty().packaged_unit(unit)
    }

    fn empty() -> Experiment {
        Experiment {
            units: Vec::new(),
            packaged: Vec::new(),
            files: Vec::new(),
            faults: Vec::new(),
            probes: Vec::new(),
            requirements: Vec::new(),
            given: Given::default(),
            template: None,
            length: None,
        }
    }

    /// Adds another unit file of the host. The unit is there for others to pull in; [`Fault::Start`] starts it.
    #[must_use]
    pub fn unit(mut self, unit_file: impl Into<PathBuf>) -> Experiment {
        let unit_file = unit_file.into();
        let name = file_name(&unit_file);
        self.files.push(GuestFile::copy(
            format!("{UNIT_DIRECTORY}/{name}"),
            unit_file,
        ));
        self.units.push(name);
        self
    }

    /// Adds another unit that a package brings, for faults to be aimed at.
    #[must_use]
    pub fn packaged_unit(mut self, unit: impl Into<String>) -> Experiment {
        let unit = unit.into();
        self.units.push(unit.clone());
        self.packaged.push(unit);
        self
    }

    /// Adds any file: a program, its configuration, a drop-in at `/etc/systemd/system/my.service.d/NAME.conf`.
    #[must_use]
    pub fn file(mut self, file: GuestFile) -> Experiment {
        self.files.push(file);
        self
    }

    /// Does this to the unit at this time, or upon this event (`"READY=1 + 200ms".parse::<When>()?`).
    #[must_use]
    pub fn fault(self, when: impl Into<When>, fault: Fault) -> Experiment {
        let unit = self.main_unit().to_owned();
        self.fault_on(&unit, when, fault)
    }

    /// Does this to another unit of the experiment.
    #[must_use]
    pub fn fault_on(mut self, unit: &str, when: impl Into<When>, fault: Fault) -> Experiment {
        self.faults.push(PlannedFault {
            when: when.into(),
            fault,
            unit: unit.to_owned(),
        });
        // Those with a time first. Stable: of those at the same time, the one that was named first comes first.
        self.faults
            .sort_by_key(|planned| planned.when.time().unwrap_or(Duration::MAX));
        self
    }

    /// Asks all the while.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Experiment {
        self.probes.push(probe);
        self
    }

    /// Requires something of the run: see [`Self::verdicts`].
    #[must_use]
    pub fn require(mut self, requirement: Requirement) -> Experiment {
        self.requirements.push(requirement);
        self
    }

    /// Ends after this much virtual time; without this, a minute after the last fault.
    #[must_use]
    pub fn lasting(self, length: Duration) -> Experiment {
        Experiment {
            length: Some(length),
            ..self
        }
    }

    /// The same with only those requirements for which `keep` is true.
    #[must_use]
    pub(crate) fn with_requirements(mut self, keep: impl Fn(&Requirement) -> bool) -> Experiment {
        self.requirements.retain(keep);
        self
    }

    /// Its units, the one that is started first.
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// What it requires.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Its probes.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The unit that is started.
    pub fn main_unit(&self) -> &str {
        self.units.first().map_or("", String::as_str)
    }

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        let times = self.faults.iter().filter_map(|planned| planned.when.time());
        let last = times.max().unwrap_or_default();
        self.length.unwrap_or(last.saturating_add(AFTER_LAST_FAULT))
    }

    /// The faults: those with a time in order, then those that wait for an event.
    pub fn faults(&self) -> &[PlannedFault] {
        &self.faults
    }

    /// All of it as a scenario, for [`Lab::run`].
    pub fn scenario(&self) -> Scenario {
        let unit = self.main_unit();
        let name = format!("{unit} for {}", span_text(self.length()));
        let mut scenario = Scenario::new(name).go_on_when_refused();
        for unit in self.observed() {
            scenario = scenario.observe(&unit);
        }
        let preparations = self.given.preparations(unit).into_iter();
        let scenario = preparations.fold(scenario, Scenario::prepare);
        let steps = self.steps().into_iter();
        steps.fold(scenario, |scenario, (_, step)| scenario.step(step))
    }

    /// The units whose properties are asked for at the end: instances of templates, and no templates.
    fn observed(&self) -> Vec<String> {
        let units = self.units.iter().filter(|unit| !unit.contains("@."));
        let mut units: Vec<String> = units.cloned().collect();
        let mut instances = files::instances(&self.files);
        instances.retain(|instance| !units.contains(instance));
        units.append(&mut instances);
        units
    }

    /// The files that it puts into the guest, for [`Lab::run`].
    pub fn files(&self) -> &[GuestFile] {
        &self.files
    }

    /// The unit of the plan that would have this name as well if it were enabled: `Alias=`.
    pub fn aliased(&self, alias: &str) -> Option<String> {
        files::aliased(&self.files, alias)
    }

    /// Finds what is wrong with the plan and its files, as far as it can be known without a lab.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        let unit = self.main_unit();
        if !is_unit_name(unit) {
            return Err(PlanError::NoUnitFile {
                path: PathBuf::from(unit),
            });
        }
        if let Some((template, instance)) = &self.template {
            check_instance(template, instance)?;
        }
        let mut units = self.units.iter();
        if let Some(name) = units.find(|name| is_unit_name(name) && !is_valid_name(name)) {
            return Err(PlanError::BadUnitName { name: name.clone() });
        }
        if unit.contains("@.") {
            return Err(PlanError::Template {
                unit: unit.to_owned(),
            });
        }
        for (number, unit) in self.units.iter().enumerate() {
            if self.units[..number].contains(unit) {
                return Err(PlanError::SameUnit { unit: unit.clone() });
            }
        }
        if files::is_empty(&self.files, unit) {
            return Err(PlanError::Masked {
                unit: unit.to_owned(),
            });
        }
        let mut units = files::units(&self.files);
        units.extend_from_slice(&self.packaged);
        for planned in &self.faults {
            self.check_fault(planned, &units)?;
        }
        self.given.check(&units)?;
        for (number, probe) in self.probes.iter().enumerate() {
            probe.check()?;
            let name = probe.name();
            if self.probes[..number].iter().any(|it| it.name() == name) {
                return Err(PlanError::SameProbe { name });
            }
        }
        let mut requirements = self.requirements.iter();
        requirements.try_for_each(|it| it.check(self, &units))?;
        files::check(&self.files)
    }

    /// What systemd will ignore in the unit files, with file and line, and where a setting belongs or what it may have been meant
    /// to be. A unit with such lines runs, without them.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = files::warnings(&self.files);
        warnings.extend(self.given.warnings(self.main_unit(), &self.files));
        warnings.iter().map(|warning| visible(warning)).collect()
    }

    /// Finds out, as far as that is known, whether the guest has the units of packages, and what the programs need.
    ///
    /// # Errors
    ///
    /// The first thing that it lacks.
    pub fn check_guest(&self, lab: &Lab) -> Result<(), PlanError> {
        match lab.guest_paths() {
            Some(paths) => {
                files::check_packaged(&self.packaged, &self.files, &paths)?;
                files::check_programs(&self.files, &paths)
            }
            // It has a snapshot and no image: then systemd says what it cannot run.
            None => Ok(()),
        }
    }

    /// Names the programs that its unit files start and this lab's guest lacks, with file and line. A run takes place all the same:
    /// something may put a program there in time, and what systemd does without it may be just what is asked.
    pub fn guest_warnings(&self, lab: &Lab) -> Vec<String> {
        let paths = lab.guest_paths();
        paths.map_or_else(Vec::new, |paths| programs::warnings(&self.files, &paths))
    }

    /// Checks the plan, and runs it.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Plan`] if something is wrong with it: then nothing has run. A service that fails is not an error.
    pub fn run(&self, lab: &Lab) -> Result<Timeline, ExperimentError> {
        self.run_live(lab, |_| {})
    }

    /// Like [`Self::run`], and hands each event over as soon as the guest has sent it: [`Lab::run_live`].
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn run_live(
        &self,
        lab: &Lab,
        on_event: impl FnMut(&Event),
    ) -> Result<Timeline, ExperimentError> {
        self.check()?;
        self.check_guest(lab)?;
        let hours = self.length().as_secs().div_ceil(HOUR_S);
        let hours = u32::try_from(hours).unwrap_or(u32::MAX);
        let deadline = WALL_TIME.saturating_add(WALL_TIME_PER_HOUR.saturating_mul(hours));
        let lab = lab.clone().with_deadline(deadline);
        let timeline = lab
            .run_live(&self.scenario(), &self.files, on_event)
            .map_err(|error| self.not_put(error))?;
        match not_prepared(&timeline) {
            Some(error) => Err(error.into()),
            None => Ok(timeline),
        }
    }

    /// What the agent could not put where the plan wants it, in the place of the agent's error.
    fn not_put(&self, error: LabError) -> ExperimentError {
        let LabError::Agent { message } = &error else {
            return error.into();
        };
        let why = |file: &GuestFile| {
            let why = message.strip_prefix(&format!("cannot write {}: ", file.path()))?;
            Some((file.path().to_owned(), why.to_owned()))
        };
        match self.files.iter().find_map(why) {
            Some((path, message)) => ExperimentError::Plan(PlanError::NotPrepared {
                what: format!("the file {path}"),
                message,
            }),
            None => error.into(),
        }
    }

    /// The timeline as text, for people: plan, then a line for each event that matters, with whole seconds. To keep one in a
    /// file, see [`Self::saved`].
    pub fn text(&self, timeline: &Timeline) -> String {
        let lines = self.lines(timeline, Detail::Usual);
        self.plan() + "\n" + &story::render(&lines)
    }

    /// The plan in some lines, each beginning with `#`.
    pub fn plan(&self) -> String {
        let mut plan = format!("# {} for {}\n", self.main_unit(), span_text(self.length()));
        for line in self.given.lines() {
            plan += &format!("# {line}\n");
        }
        for probe in &self.probes {
            plan += &format!("# {}\n", probe.line());
        }
        for planned in &self.faults {
            plan += &format!("# at {} {}\n", planned.when, self.fault_text(planned));
        }
        visible_lines(&plan)
    }

    /// `kill=SIGKILL`; with its unit if that is not the main one.
    pub fn fault_text(&self, planned: &PlannedFault) -> String {
        match planned.unit == self.main_unit() {
            true => planned.fault.to_string(),
            false => format!("{}@{}", planned.fault, planned.unit),
        }
    }

    /// The timeline, line by line.
    pub fn lines(&self, timeline: &Timeline, detail: Detail) -> Vec<Line> {
        story::tell(self, timeline, detail)
    }

    /// The timeline as a picture, with its faults.
    pub fn picture(&self, timeline: &Timeline) -> Picture {
        let scenario = self.scenario();
        let faults = (0..scenario.steps.len()).filter_map(|index| {
            let planned = self.fault_of_step(index)?;
            Some((index, story::fault_line(&self.fault_text(planned))))
        });
        Picture::everything(timeline)
            .title(&scenario.name)
            .steps(faults.collect())
    }

    /// What the run shows that the author of its units should know.
    pub fn findings(&self, timeline: &Timeline) -> Vec<Finding> {
        let mut sources = Sources::new(self.observed(), unit_texts(&self.files));
        for (at, _, planned) in self.faults_that_came(timeline) {
            let harm = match planned.fault {
                Fault::Freeze | Fault::KillAll(SIGSTOP) => Harm::Freeze,
                Fault::Kill(SIGSTOP) => Harm::StopMain,
                Fault::Thaw | Fault::Kill(SIGCONT) | Fault::KillAll(SIGCONT) => Harm::Continue,
                Fault::Stop | Fault::Restart => Harm::Stop,
                Fault::Start => Harm::Start,
                Fault::Reload => Harm::Reload,
                _ => Harm::Other,
            };
            let unit = match planned.fault.hits_unit() {
                true => planned.unit.as_str(),
                false => "",
            };
            sources.harms(unit, at, harm);
        }
        for probe in &self.probes {
            if let Some(unit) = outages::asked_unit(timeline, probe) {
                sources.asks(Asked {
                    name: probe.name(),
                    unit,
                    is_answered: matches!(
                        probe.target,
                        ProbeTarget::Get(_) | ProbeTarget::Ask { .. }
                    ),
                    every: probe.every,
                });
            }
        }
        let mut findings = findings::find(timeline, &sources);
        findings.retain(|finding| !self.caused(timeline, finding));
        findings
    }

    /// Whether what was found is what the plan itself did: a service cannot help it.
    fn caused(&self, timeline: &Timeline, finding: &Finding) -> bool {
        let is_planned = |at_us: u64| {
            let shown = Duration::from_micros(at_us);
            let mut faults = self.faults_that_came(timeline);
            faults.any(|(at, _, planned)| {
                planned.fault == Fault::Oom
                    && planned.unit == finding.unit
                    && (at..at + SOON_AFTER_FAULT).contains(&shown)
            })
        };
        match &finding.rule {
            findings::Rule::OutOfMemory { .. } => {
                finding.at_us.iter().all(|at_us| is_planned(*at_us))
            }
            findings::Rule::MachineEnded { setting: None, .. } => self
                .faults_that_came(timeline)
                .any(|(_, _, planned)| planned.fault == Fault::Reboot),
            _ => false,
        }
    }

    /// Each requirement with what was measured, in the order in which they were added.
    pub fn verdicts(&self, timeline: &Timeline) -> Vec<Verdict> {
        let summary = self.summary(timeline);
        let verdicts = self.requirements.iter();
        verdicts.map(|it| it.verdict(timeline, &summary)).collect()
    }

    /// What came of it, in figures.
    pub fn summary(&self, timeline: &Timeline) -> Summary {
        summary::of(self, timeline)
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Kinds of units that systemd reads from files and that can be started in the guest.
const UNIT_KINDS: [&str; 9] = [
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
];

/// Whether systemd would take this for the name of a unit that it reads from a file and that can be started in the guest.
pub fn is_unit_name(name: &str) -> bool {
    UNIT_KINDS
        .iter()
        .any(|kind| name.strip_suffix(kind).is_some_and(|stem| !stem.is_empty()))
}

/// UNIT_NAME_MAX of systemd's unit-name.h, without the zero at the end.
const LONGEST_UNIT_NAME: usize = 255;

/// Whether a unit of this kind may have this name: `unit_name_is_valid` of systemd's unit-name.c.
fn is_valid_name(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    name.len() <= LONGEST_UNIT_NAME && !stem.starts_with('@') && stem.chars().all(is_valid)
}

/// `worker@1.service` of `worker@.service`.
fn instance_of(template: &str, instance: &str) -> String {
    template.replacen("@.", &format!("@{instance}."), 1)
}
