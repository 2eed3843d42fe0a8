//! Turns the options, and a plan's file, into an experiment and its guest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use systemd_lab::experiment::{Date, Requirement, is_unit_name};
use systemd_lab::{Experiment, Fault, Guest, GuestFile, Probe, visible_lines};

use super::options::{GuestOptions, Options};
use super::{file, words};
use crate::exit::WrongUsage;
use crate::output::note;
use crate::style;

/// As often as eager monitoring does.
const EVERY: Duration = Duration::from_secs(1);

/// A unit file is a page or two long.
const LARGEST: u64 = 1 << 20;

/// The setting that names a service's program in its unit file.
const EXEC_START: &str = "ExecStart=";

/// What the options describe.
pub(crate) struct Planned {
    pub(crate) guest: Guest,
    /// Not checked yet.
    pub(crate) experiment: Experiment,
    /// The files on the host that it consists of: nothing may replace them.
    pub(crate) inputs: Vec<PathBuf>,
}

/// What the options and a plan's file describe. Reports what systemd will ignore in the unit files.
pub(crate) fn planned(options: &Options, file: Option<&Path>) -> anyhow::Result<Planned> {
    let mut options = options.clone();
    if let Some(file) = file {
        options = file::read(file)?.and(options);
    }
    let guest = guest(&options.guest)?;
    let experiment = experiment(&options)?;
    warn(&experiment.warnings(&guest));
    let mut inputs = inputs(&options);
    inputs.extend(file.map(Path::to_owned));
    Ok(Planned {
        guest,
        experiment,
        inputs,
    })
}

/// What a shell needs: the guest, its files, and the name of the first unit.
pub(crate) fn guest_and_files(
    options: &Options,
) -> anyhow::Result<(Guest, Vec<GuestFile>, Option<String>)> {
    let guest = guest(&options.guest)?;
    if options.unit.is_empty() {
        return Ok((guest, files(options)?, None));
    }
    let experiment = experiment(options)?;
    warn(&experiment.warnings(&guest));
    experiment.check().map_err(WrongUsage::because)?;
    let unit = experiment.main_unit().to_owned();
    Ok((guest, experiment.files().to_vec(), Some(unit)))
}

/// Prints warnings.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        note!("{} {}", style::strong("warning:"), visible_lines(warning));
    }
}

/// The files on the host that the options name.
fn inputs(options: &Options) -> Vec<PathBuf> {
    let mut inputs = options.unit.clone();
    for file in &options.file {
        let host = words::host_and_guest(file).map_or(file.as_str(), |(host, _)| host);
        inputs.push(PathBuf::from(host));
    }
    inputs
}

/// The guest that the options ask for.
fn guest(options: &GuestOptions) -> anyhow::Result<Guest> {
    let guest = Guest::chosen(options.suite)?;
    let guest = match &options.memory {
        Some(size) => guest.memory_mib(words::mebibytes(size)?)?,
        None => guest,
    };
    let mut packages = options.package.iter();
    Ok(packages.try_fold(guest, |guest, package| guest.package(package))?)
}

/// A unit as given with `--unit`.
enum Unit<'a> {
    File(&'a Path),
    Packaged(&'a str),
}

/// If a name has no folder and is not a file, it is the name of a package's unit.
fn unit<'a>(options: &Options, named: &'a Path) -> anyhow::Result<Unit<'a>> {
    if let Some(error) = swapped(options, named) {
        return Err(error);
    }
    if let Some(error) = with_place(named) {
        return Err(error);
    }
    match named.to_str() {
        Some(name) if !name.contains('/') && !named.exists() => {
            if options.guest.package.is_empty() && !has_template(options, name) {
                return Err(WrongUsage(format!(
                    "there is no unit file {name} here; correct the path, or name the Debian package that brings this unit \
                     with --package"
                ))
                .into());
            }
            Ok(Unit::Packaged(name))
        }
        _ => Ok(Unit::File(named)),
    }
}

/// A unit file that was given with its place in the guest, as for `--file`.
fn with_place(named: &Path) -> Option<anyhow::Error> {
    let text = named.to_str().filter(|_| !named.exists())?;
    let (host, _) = words::host_and_guest(text)?;
    let name = Path::new(host).file_name()?.to_string_lossy().into_owned();
    is_unit_name(&name).then(|| {
        WrongUsage(format!(
            "--unit: expected a unit file alone, got {text:?}; the guest has it as /etc/systemd/system/{name}; write: --unit {host}"
        ))
        .into()
    })
}

/// A program was given with `--unit`, and its unit file with `--file`.
fn swapped(options: &Options, named: &Path) -> Option<anyhow::Error> {
    let is_unit = |path: &str| {
        let name = Path::new(path).file_name().unwrap_or_default();
        is_unit_name(&name.to_string_lossy())
    };
    let program = named.to_str().filter(|path| !is_unit(path))?;
    let mut files = options.file.iter();
    let (unit, ..) = files.find_map(|file| {
        let host = words::host_and_guest(file).map_or(file.as_str(), |(host, _)| host);
        is_unit(host).then_some((host, file))
    })?;
    let place = started_by(Path::new(unit)).unwrap_or_else(|| {
        let name = named.file_name().unwrap_or_default();
        format!("/usr/bin/{}", name.to_string_lossy())
    });
    Some(
        WrongUsage(format!(
            "--unit: {program} is not a unit file, and --file names one; write: --unit {unit} --file {program}:{place}"
        ))
        .into(),
    )
}

/// The program that a unit file starts.
fn started_by(unit: &Path) -> Option<String> {
    let text = systemd_lab::read_text(unit, LARGEST).ok()?;
    let command = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(EXEC_START))?;
    let program = command.split_whitespace().next()?;
    let program = program.trim_start_matches(['-', '@', ':', '+', '!']);
    program.starts_with('/').then(|| program.to_owned())
}

/// Whether the unit is an instance, and its template is among the units or files.
fn has_template(options: &Options, name: &str) -> bool {
    let Some(((stem, _), (_, kind))) = name.split_once('@').zip(name.rsplit_once('.')) else {
        return false;
    };
    let template = format!("{stem}@.{kind}");
    let is_it = |path: &str| Path::new(path).file_name() == Some(template.as_ref());
    let mut units = options.unit.iter().map(|unit| unit.to_string_lossy());
    let mut files = options.file.iter();
    units.any(|unit| is_it(&unit)) || files.any(|file| is_it(file))
}

/// The experiment that the options describe, not checked yet.
fn experiment(options: &Options) -> anyhow::Result<Experiment> {
    let (first, others) = options.unit.split_first().ok_or_else(|| {
        WrongUsage(
            "nothing to start; name a unit file with --unit, or a plan that has one with --plan"
                .to_owned(),
        )
    })?;
    let mut experiment = match unit(options, first)? {
        Unit::File(file) => Experiment::new(file),
        Unit::Packaged(name) => Experiment::packaged(name),
    };
    for other in others {
        experiment = match unit(options, other)? {
            Unit::File(file) => experiment.unit(file),
            Unit::Packaged(name) => experiment.packaged_unit(name),
        };
    }
    if let Some(instance) = &options.instance {
        experiment = experiment.instance(instance);
    }
    for file in files(options)? {
        experiment = experiment.file(file);
    }
    let experiment = given(options, experiment)?;
    let experiment = faults(options, experiment)?;
    let mut experiment = probes(options, experiment)?;
    for requirement in &options.require {
        let parsed = requirement.parse::<Requirement>();
        let requirement =
            parsed.map_err(|error| WrongUsage::because(format!("--require: {error}")))?;
        experiment = experiment.require(requirement);
    }
    match &options.length {
        Some(length) => Ok(experiment.lasting(words::span("--for", length)?)),
        None => Ok(experiment),
    }
}

/// The files of `--file`.
fn files(options: &Options) -> anyhow::Result<Vec<GuestFile>> {
    let files = options.file.iter();
    files.map(|file| words::guest_file(file)).collect()
}

fn given(options: &Options, mut experiment: Experiment) -> anyhow::Result<Experiment> {
    for name in &options.user {
        experiment = experiment.user(name);
    }
    for directory in &options.dir {
        let (path, owner, mode) = words::directory(directory)?;
        experiment = experiment.directory(path, &owner, mode);
    }
    for variable in &options.env {
        let (unit, name, value) = words::variable(variable)?;
        let unit = unit.unwrap_or(experiment.main_unit()).to_owned();
        experiment = experiment.variable(&unit, name, value);
    }
    if options.enable {
        experiment = experiment.enabled();
    }
    match &options.date {
        Some(date) => Ok(experiment.date(
            date.parse::<Date>()
                .map_err(|error| WrongUsage::because(format!("--date: {error}")))?,
        )),
        None => Ok(experiment),
    }
}

fn faults(options: &Options, mut experiment: Experiment) -> anyhow::Result<Experiment> {
    // clap takes them in pairs.
    for pair in options.at.chunks_exact(2) {
        let when = words::when(&pair[0], &pair[1])?;
        let (fault, unit) = Fault::parse_with_unit(&pair[1]).map_err(WrongUsage::because)?;
        experiment = match unit {
            Some(unit) => experiment.fault_on(unit, when, fault),
            None => experiment.fault(when, fault),
        };
    }
    Ok(experiment)
}

fn probes(options: &Options, mut experiment: Experiment) -> anyhow::Result<Experiment> {
    let every = match &options.every {
        Some(every) => words::span("--every", every)?,
        None => EVERY,
    };
    for url in &options.get {
        experiment = experiment.probe(words::probe("--get", url, every, Probe::get)?);
    }
    for address in &options.connect {
        experiment = experiment.probe(words::probe("--connect", address, every, Probe::connect)?);
    }
    for question in &options.ask {
        experiment = experiment.probe(words::question(question, every)?);
    }
    for command in &options.exec {
        experiment = experiment.probe(words::probe("--exec", command, every, Probe::exec)?);
    }
    Ok(experiment)
}
