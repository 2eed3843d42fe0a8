//! What can be wrong with an experiment before anything runs.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::LabError;
use systemd_timeline::span::span_text;

/// Why an experiment cannot be carried out as planned. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A word that is not a fault.
    #[error("unknown fault {fault:?}; expected one of: {known}")]
    UnknownFault {
        /// The word.
        fault: String,
        /// The faults that exist.
        known: &'static str,
    },
    /// A word that is not a signal.
    #[error("unknown signal {signal:?}; expected one of: {known}")]
    UnknownSignal {
        /// The word.
        signal: String,
        /// The signals that exist.
        known: String,
    },
    /// The earliest time of a random fault is after the latest.
    #[error(
        "the earliest time of a random fault, {}, is after the latest, {}; choose an earlier or a later one",
        span_text(*from),
        span_text(*until)
    )]
    EmptyWindow {
        /// The earliest time.
        from: Duration,
        /// The latest time.
        until: Duration,
    },
    /// Words that are neither a time nor an event.
    #[error(
        "expected a time such as 10s, or an event such as READY=1, restart 2, running or \"log TEXT\" (each with #2 for the second one, @UNIT, and + 200ms), got {when:?}"
    )]
    BadWhen {
        /// The words.
        when: String,
    },
    /// Words that are not a date.
    #[error("expected a date in UTC such as \"2026-03-29 00:59:30\" (1971 to 2199), got {date:?}")]
    BadDate {
        /// The words.
        date: String,
    },
    /// systemd would not accept this name for a user.
    #[error(
        "{name:?} is not a name for a system user; take a lower-case letter or _, then lower-case letters, digits, _ and -, 31 at most"
    )]
    BadUserName {
        /// The name.
        name: String,
    },
    /// A mode with more than permission bits.
    #[error("{mode} is not a mode for {path}; expected an octal number such as 0750")]
    BadMode {
        /// The directory.
        path: String,
        /// The mode.
        mode: String,
    },
    /// This is not a valid name of a variable.
    #[error(
        "{name:?} is not the name of a variable; use letters, digits and _, and do not begin with a digit"
    )]
    BadVariable {
        /// The name.
        name: String,
    },
    /// A variable is set for a unit that does not exist.
    #[error("the variable {name} is for {unit}, but no such unit is among the files; the units are: {}", known.join(" "))]
    VariableForNoUnit {
        /// The variable.
        name: String,
        /// The unit.
        unit: String,
        /// The units that exist.
        known: Vec<String>,
    },
    /// An instance of a unit that is not a template.
    #[error(
        "{unit} is not a template, so it has no instance {instance:?}; name a unit file such as my@.service"
    )]
    NoTemplate {
        /// The unit.
        unit: String,
        /// The instance.
        instance: String,
    },
    /// systemd does not accept this name for an instance.
    #[error(
        "{instance:?} cannot be the name of an instance: only letters, digits and :-_.\\@ can; systemd-escape makes such a name of any text"
    )]
    BadInstance {
        /// The instance.
        instance: String,
    },
    /// The guest could not be given something from the plan.
    #[error("the guest cannot be given {what}: {message}")]
    NotPrepared {
        /// What it could not be given.
        what: String,
        /// The reason.
        message: String,
    },
    /// Words that are not a requirement.
    #[error("unknown requirement {requirement:?}; expected one like: {known}")]
    UnknownRequirement {
        /// The words.
        requirement: String,
        /// The requirements that exist.
        known: &'static str,
    },
    /// The experiment does not measure what is required.
    #[error("cannot tell whether {requirement:?} holds: {why}")]
    NotMeasured {
        /// The requirement.
        requirement: String,
        /// The reason, and what to do.
        why: String,
    },
    /// A fault that does not affect a particular unit is aimed at one.
    #[error("{fault} does not concern a particular unit; write {fault} without @{unit}")]
    HitsNoUnit {
        /// The fault.
        fault: String,
        /// The unit.
        unit: String,
    },
    /// A fault waits for a unit that does not exist.
    #[error("{fault} waits for {unit}, but no such unit is among the files; the units are: {}", known.join(" "))]
    WaitsForNoUnit {
        /// The fault.
        fault: String,
        /// The unit.
        unit: String,
        /// The units that exist.
        known: Vec<String>,
    },
    /// The fault would come after the end.
    #[error("{fault} at {} comes after the end, at {}; let the experiment last longer", span_text(*at), span_text(*length))]
    FaultAfterEnd {
        /// The fault.
        fault: String,
        /// When it should come.
        at: Duration,
        /// How long the experiment lasts.
        length: Duration,
    },
    /// The path does not end in the name of a unit.
    #[error("{} is not a unit file; expected a name that ends in .service, .socket, .timer, .path, .mount, .automount, .swap, .slice or .target", path.display())]
    NoUnitFile {
        /// The path.
        path: PathBuf,
    },
    /// A template can only be started as one of its instances.
    #[error(
        "{unit} is a template, and systemd starts only instances of it; name one, such as {}, and add the template as a file",
        super::instance_of(unit, "1")
    )]
    Template {
        /// Its name.
        unit: String,
    },
    /// A fault is aimed at a unit that does not exist.
    #[error("{fault} is aimed at {unit}, but no such unit is among the files; the units are: {}", known.join(" "))]
    NoSuchUnit {
        /// The fault.
        fault: String,
        /// The unit.
        unit: String,
        /// The units that exist.
        known: Vec<String>,
    },
    /// A unit that should come from a package does not.
    #[error(
        "the guest has no unit {unit}: its packages contain no unit with this name; their services are: {}",
        known.join(" ")
    )]
    NotPackaged {
        /// The unit.
        unit: String,
        /// The services of its packages that can be started.
        known: Vec<String>,
    },
    /// A service has nothing to start.
    #[error(
        "{unit} has no ExecStart=, and systemd refuses a service that starts nothing; add one to its [Service] section"
    )]
    StartsNothing {
        /// Its name.
        unit: String,
    },
    /// An empty unit file.
    #[error(
        "{unit} is an empty file, which systemd takes for a masked unit and never starts; write something into it"
    )]
    Masked {
        /// Its name.
        unit: String,
    },
    /// Two unit files have the same name.
    #[error(
        "two of the units are called {unit}, and the guest can have only one; give the other one another name, or take it as a drop-in, at /etc/systemd/system/{unit}.d/more.conf"
    )]
    SameUnit {
        /// Their name.
        unit: String,
    },
    /// A unit file is not text.
    #[error(
        "line {line} of {path} is not UTF-8, and systemd would not load such a unit file; is it the right file? if so, save it as UTF-8"
    )]
    NotText {
        /// The line, counted from 1.
        line: usize,
        /// Its path in the guest.
        path: String,
    },
    /// The path in the guest is not absolute, or contains `..`.
    #[error("{path:?} is not a place in the guest; name an absolute path, e.g. /usr/bin/my")]
    BadGuestPath {
        /// The path.
        path: String,
    },
    /// No file can be put at this place in the guest.
    #[error(
        "{path:?} cannot be a file in the guest: {why}; put it elsewhere, e.g. below /etc or /usr"
    )]
    UnusablePlace {
        /// The path.
        path: String,
        /// What is there.
        why: &'static str,
    },
    /// A file is where another file needs a directory.
    #[error(
        "{path} cannot be a file, because {inside} would be inside it; put one of them elsewhere"
    )]
    FileAndDirectory {
        /// The file.
        path: String,
        /// The file that is below it.
        inside: String,
    },
    /// A name that systemd refuses.
    #[error(
        "systemd does not accept {name:?} as the name of a unit; use letters, digits and `:-_.\\@` before the end, at most 255 characters in all"
    )]
    BadUnitName {
        /// The name.
        name: String,
    },
    /// A probe does not have a valid address.
    #[error("cannot probe {address}: {why}")]
    BadProbe {
        /// The address.
        address: String,
        /// What is wrong, and what is right.
        why: &'static str,
    },
    /// A probe's interval is too short.
    #[error("probe interval {} is too short; use 10ms or more", span_text(*every))]
    BadInterval {
        /// The interval.
        every: Duration,
    },
    /// A probe's timeout is zero.
    #[error("a probe's timeout must be longer than 0; use 10ms or more")]
    BadTimeout,
    /// Two probes have the same name.
    #[error(
        "two probes are called {name:?}; give each its own name: Probe::named, or ,name=health after its target"
    )]
    SameProbe {
        /// The name.
        name: String,
    },
    /// A binary would not start in the guest.
    #[error(
        "{} needs {}, which the guest lacks; link it statically (-Ctarget-feature=+crt-static), or add the Debian package that brings the library, or put it into the guest as a file, e.g. at /usr/lib",
        path.display(),
        libraries.join(" and ")
    )]
    MissingLibraries {
        /// The binary, on the host.
        path: PathBuf,
        /// What the guest lacks.
        libraries: Vec<String>,
    },
    /// A script would not start in the guest.
    #[error("{} is a script for {interpreter}, which the guest lacks; add the Debian package that brings it, put it into the guest as a file, or use a program that needs no interpreter", path.display())]
    MissingInterpreter {
        /// The script, on the host.
        path: PathBuf,
        /// The interpreter in its first line.
        interpreter: String,
    },
    /// A file that cannot be put into the guest.
    #[error(transparent)]
    File(LabError),
}

/// Why there is no timeline.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// Something is wrong with the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The lab failed, or the wall time ran out.
    #[error(transparent)]
    Lab(#[from] LabError),
}
