//! Experiments with any service: its unit and files, faults at chosen times or events, probes that keep asking whether
//! the service answers, and requirements for the run.
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
//! Time 0 is when the lab asks systemd to start the unit. All times are the guest's virtual time.

mod branches;
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
mod specifiers;
mod steps;
mod story;
mod summary;
mod time_zones;
mod verdict;
mod when;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use systemd_lab_protocol::Scenario;
use systemd_lab_protocol::scenario::ProbeTarget;

use crate::error::LabError;
use crate::guest::Guest;
use crate::guest_file::{GuestFile, UNIT_DIRECTORY};
use crate::lab::Lab;
use crate::lab::options::RunOptions;
use systemd_timeline::Timeline;
use systemd_timeline::findings::{self, Asked, Finding, Harm, Sources};
use systemd_timeline::names::{SIGCONT, SIGSTOP};
use systemd_timeline::picture::Picture;
use systemd_timeline::{visible, visible_lines};

use check::{check_instance, not_prepared};
use given::Given;

pub use crate::unit_files::{is_unit_name, unit_texts};
pub(crate) use branches::{Beginnings, Branches};
pub use date::Date;
pub use error::{ExperimentError, PlanError};
pub use fault::Fault;
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

/// How long an experiment lasts after its last fault by default: by then, `RestartSec=` of a few seconds, start limits of 10 s, stop
/// timeouts of 30 s and watchdogs are over.
const AFTER_LAST_FAULT: Duration = Duration::from_secs(60);

/// By then, systemd has logged the direct effects of a fault.
const SOON_AFTER_FAULT: Duration = Duration::from_secs(1);

/// Wall time for a run: to restore and start the guest, and for each virtual hour. An hour with a probe each second
/// takes ten to 30 s; a busy machine may take longer.
const WALL_TIME: Duration = Duration::from_secs(120);
const WALL_TIME_PER_HOUR: Duration = Duration::from_secs(240);
const HOUR_S: u64 = 3600;

/// A unit, its files, and what is to happen to it.
#[derive(Debug, Clone)]
pub struct Experiment {
    units: Vec<String>,
    /// The units that do not come from the experiment's files.
    packaged: Vec<String>,
    files: Vec<GuestFile>,
    faults: Vec<PlannedFault>,
    probes: Vec<Probe>,
    requirements: Vec<Requirement>,
    given: Given,
    /// The template that was given, and the instance of it that is started.
    template: Option<(String, String)>,
    length: Option<Duration>,
}

/// A fault, its time, and its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFault {
    /// The time since the start of the unit, or an event.
    pub when: When,
    /// The fault.
    pub fault: Fault,
    /// The unit that it affects.
    pub unit: String,
}

impl Experiment {
    /// An experiment with the unit in this unit file on the host. The unit has the file's name, and is started at time 0.
    pub fn new(unit_file: impl Into<PathBuf>) -> Experiment {
        Experiment::empty().unit(unit_file)
    }

    /// An experiment with a unit from a Debian package, e.g. `ssh.service`. The lab's guest must have the package:
    ///
    /// ```no_run
    /// # use systemd_lab::{Experiment, Guest, Lab};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let lab = Lab::options().guest(&Guest::default().package("openssh-server")?).open()?;
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

    /// Adds another unit file from the host. Other units may pull this unit in, or [`Fault::Start`] starts it.
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

    /// Adds another unit from a package, for faults to be aimed at.
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

    /// Plans this fault for the unit at this time, or at this event (`"READY=1 + 200ms".parse::<When>()?`).
    #[must_use]
    pub fn fault(self, when: impl Into<When>, fault: Fault) -> Experiment {
        let unit = self.main_unit().to_owned();
        self.fault_on(&unit, when, fault)
    }

    /// Plans this fault for another unit of the experiment.
    #[must_use]
    pub fn fault_on(mut self, unit: &str, when: impl Into<When>, fault: Fault) -> Experiment {
        self.faults.push(PlannedFault {
            when: when.into(),
            fault,
            unit: unit.to_owned(),
        });
        // Faults with a time come first. The sort is stable: of those with the same time, the one that was added first comes first.
        self.faults
            .sort_by_key(|planned| planned.when.time().unwrap_or(Duration::MAX));
        self
    }

    /// Adds a probe, which asks again and again until the end.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Experiment {
        self.probes.push(probe);
        self
    }

    /// Adds a requirement for the run: see [`Self::verdicts`].
    #[must_use]
    pub fn require(mut self, requirement: Requirement) -> Experiment {
        self.requirements.push(requirement);
        self
    }

    /// Ends after this much virtual time; the default is a minute after the last fault.
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

    /// How long it lasts if a further fault comes at this time: no shorter than itself, and until a minute after the fault.
    pub fn length_after(&self, fault: Duration) -> Duration {
        self.length().max(fault.saturating_add(AFTER_LAST_FAULT))
    }

    /// The faults: those with a time in order, then those that wait for an event.
    pub fn faults(&self) -> &[PlannedFault] {
        &self.faults
    }

    /// The experiment as a scenario, for [`Lab::run`].
    pub fn scenario(&self) -> Scenario {
        self.add_steps(self.prepared_scenario())
    }

    /// Everything of the scenario but its steps.
    fn prepared_scenario(&self) -> Scenario {
        let unit = self.main_unit();
        let name = format!("{unit} for {}", span_text(self.length()));
        let mut scenario = Scenario::new(name).go_on_when_refused();
        for unit in self.observed() {
            scenario = scenario.observe(&unit);
        }
        let preparations = self.given.preparations(unit).into_iter();
        preparations.fold(scenario, Scenario::prepare)
    }

    /// The units whose properties are recorded at the end: instances of templates, but not templates.
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

    /// The unit of the plan that would also have this name if it were enabled: `Alias=`.
    pub fn aliased(&self, alias: &str) -> Option<String> {
        files::aliased(&self.files, alias)
    }

    /// Finds what is wrong with the plan and its files, as far as possible without a lab.
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

    /// The settings in the unit files that this guest's systemd will ignore, with file and line, and with the right section or a similar
    /// name. A unit with such lines still runs, without these settings. The systemd of testing knows settings that no list here has: what
    /// that one ignores is only in the timeline.
    pub fn warnings(&self, guest: &Guest) -> Vec<String> {
        let mut warnings = files::warnings(&self.files, guest);
        warnings.extend(self.given.warnings(self.main_unit(), &self.files));
        warnings.iter().map(|warning| visible(warning)).collect()
    }

    /// Checks, as far as possible, whether the guest has the units of packages, and what the programs need.
    ///
    /// # Errors
    ///
    /// The first thing that is missing.
    pub fn check_guest(&self, lab: &Lab) -> Result<(), PlanError> {
        match lab.guest_paths() {
            Some(paths) => {
                files::check_packaged(&self.packaged, &self.files, &paths)?;
                files::check_programs(&self.files, &paths)
            }
            // The lab has a snapshot but no image: then systemd reports what it cannot run.
            None => Ok(()),
        }
    }

    /// Lists the programs and time zones that the unit files name and that this lab's guest lacks, with file and line. The run takes
    /// place anyway: something may put a program there in time, and how systemd behaves without it may be the point.
    pub fn guest_warnings(&self, lab: &Lab) -> Vec<String> {
        let Some(paths) = lab.guest_paths() else {
            return Vec::new();
        };
        let mut known = self.observed();
        known.extend(self.faults.iter().map(|planned| planned.unit.clone()));
        let mut warnings = programs::warnings(&self.files, &known, &paths);
        warnings.extend(time_zones::warnings(&self.files, &paths));
        warnings
    }

    /// Checks the plan, and runs it.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Plan`] if something is wrong with the plan: then nothing has run. A service that fails is not an error.
    pub fn run(&self, lab: &Lab) -> Result<Timeline, ExperimentError> {
        self.run_with(lab, RunOptions::default())
    }

    /// Like [`Self::run`], with options. The deadline follows the length of the plan, whatever the options say.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn run_with(
        &self,
        lab: &Lab,
        options: RunOptions<'_>,
    ) -> Result<Timeline, ExperimentError> {
        self.check()?;
        self.check_guest(lab)?;
        let options = options.deadline(self.deadline());
        self.prepared(lab.run_with(&self.scenario(), &self.files, options))
    }

    /// How much processor time its run may take.
    fn deadline(&self) -> Duration {
        let hours = self.length().as_secs().div_ceil(HOUR_S);
        let hours = u32::try_from(hours).unwrap_or(u32::MAX);
        WALL_TIME.saturating_add(WALL_TIME_PER_HOUR.saturating_mul(hours))
    }

    /// The timeline, unless something that the experiment needs could not be put in place.
    fn prepared(&self, result: Result<Timeline, LabError>) -> Result<Timeline, ExperimentError> {
        let timeline = result.map_err(|error| self.not_put(error))?;
        match not_prepared(&timeline) {
            Some(error) => Err(error.into()),
            None => Ok(timeline),
        }
    }

    /// The error about what the agent could not put in place, instead of the agent's own error.
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

    /// The timeline as text for people: the plan, then a line for each event that matters, with whole seconds. To store one
    /// in a file, see [`Self::saved`].
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

    /// `kill=SIGKILL`; with its unit unless that is the main unit.
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
        let faults = self.faults.iter().enumerate().map(|(number, planned)| {
            let text = story::fault_line(&self.fault_text(planned));
            (steps::fault_label(number), text)
        });
        Picture::everything(timeline)
            .title(&self.scenario().name)
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

    /// Whether the plan itself caused what was found: the service is not to blame for that.
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

    /// Each requirement with the measured figure, in the order in which they were added.
    pub fn verdicts(&self, timeline: &Timeline) -> Vec<Verdict> {
        let summary = self.summary(timeline);
        let verdicts = self.requirements.iter();
        verdicts.map(|it| it.verdict(timeline, &summary)).collect()
    }

    /// The same for faults that may come while the service still recovers from the one before: a recovery that the next fault cuts off
    /// counts only if more time had passed than is required. If no recovery is left, nothing is said about it.
    pub(crate) fn verdicts_of_overlapping(&self, timeline: &Timeline) -> Vec<Verdict> {
        let summary = self.summary(timeline);
        let verdicts = self.requirements.iter().filter_map(|it| {
            let mut summary = summary.clone();
            summary.leave_out_cut_off(it);
            let mut faults = summary.faults.iter();
            let is_measured = !it.is_about_recovery() || faults.any(FaultSummary::has_hit);
            is_measured.then(|| it.verdict(timeline, &summary))
        });
        verdicts.collect()
    }

    /// The figures of the run.
    pub fn summary(&self, timeline: &Timeline) -> Summary {
        summary::of(self, timeline)
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// UNIT_NAME_MAX of systemd's unit-name.h, without the terminating zero.
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
