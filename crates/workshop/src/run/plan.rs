//! From words on the command line to an experiment.

use std::path::Path;
use std::time::Duration;

use systemd_lab::experiment::{When, parse_span};
use systemd_lab::{Experiment, Fault, Guest, GuestFile, Probe};

use super::{Arguments, wrong};
use crate::WrongUsage;

/// The guest that the arguments ask for.
pub(super) fn guest(arguments: &Arguments) -> anyhow::Result<Guest> {
    let guest = match arguments.suite {
        Some(suite) => Guest::new(suite),
        None => Guest::from_environment()?,
    };
    let guest = match &arguments.memory {
        Some(size) => guest.memory_mib(mebibytes(size)?)?,
        None => guest,
    };
    let mut packages = arguments.packages.iter();
    Ok(packages.try_fold(guest, |guest, package| guest.package(package))?)
}

/// A size as QEMU's `-m` and systemd's `MemoryMax=` take it, with M or G.
fn mebibytes(size: &str) -> anyhow::Result<u32> {
    let units = [('M', 1), ('G', 1024)];
    let read = units.iter().find_map(|(suffix, mib)| {
        let number: u32 = size.strip_suffix(*suffix)?.parse().ok()?;
        number.checked_mul(*mib)
    });
    read.ok_or_else(|| {
        WrongUsage(format!(
            "--memory: expected a size such as 768M or 2G, got {size:?}"
        ))
        .into()
    })
}

/// A unit as it is named with `--unit`.
enum Unit<'a> {
    File(&'a Path),
    Packaged(&'a str),
}

/// A name without a folder that is no file is that of a package's unit.
fn unit<'a>(arguments: &Arguments, named: &'a Path) -> anyhow::Result<Unit<'a>> {
    match named.to_str() {
        Some(name) if !name.contains('/') && !named.exists() => {
            if arguments.packages.is_empty() && !has_template(arguments, name) {
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

/// Whether the unit is an instance, and its template is among the units or files.
fn has_template(arguments: &Arguments, name: &str) -> bool {
    let Some(((stem, _), (_, kind))) = name.split_once('@').zip(name.rsplit_once('.')) else {
        return false;
    };
    let template = format!("{stem}@.{kind}");
    let is_it = |path: &str| Path::new(path).file_name() == Some(template.as_ref());
    let mut units = arguments.units.iter().map(|unit| unit.to_string_lossy());
    let mut files = arguments.files.iter();
    units.any(|unit| is_it(&unit)) || files.any(|file| is_it(file))
}

/// The experiment that the arguments describe. It is not checked yet.
pub(super) fn experiment(arguments: &Arguments) -> anyhow::Result<Experiment> {
    let (first, others) = arguments
        .units
        .split_first()
        .ok_or_else(|| WrongUsage("name a unit file with --unit".to_owned()))?;
    let mut experiment = match unit(arguments, first)? {
        Unit::File(file) => Experiment::new(file),
        Unit::Packaged(name) => Experiment::packaged(name),
    };
    for other in others {
        experiment = match unit(arguments, other)? {
            Unit::File(file) => experiment.unit(file),
            Unit::Packaged(name) => experiment.packaged_unit(name),
        };
    }
    for file in &arguments.files {
        experiment = experiment.file(guest_file(file)?);
    }
    // clap gives them in pairs.
    for pair in arguments.faults.chunks_exact(2) {
        let when = when(&pair[0], &pair[1])?;
        let (fault, unit) = Fault::parse_with_unit(&pair[1]).map_err(wrong)?;
        experiment = match unit {
            Some(unit) => experiment.fault_on(unit, when, fault),
            None => experiment.fault(when, fault),
        };
    }
    let every = span("--every", &arguments.every)?;
    let gets = arguments.get.iter().map(|url| Probe::get(url));
    let connects = arguments
        .connect
        .iter()
        .map(|address| Probe::connect(address));
    for probe in gets.chain(connects) {
        experiment = experiment.probe(probe.every(every));
    }
    match &arguments.length {
        Some(length) => Ok(experiment.lasting(span("--for", length)?)),
        None => Ok(experiment),
    }
}

/// When a fault comes. What people write instead are the two in the other order, or with a comma.
fn when(when: &str, fault: &str) -> anyhow::Result<When> {
    let expected = |got: &str, right: &str| {
        WrongUsage(format!(
            "--at: expected a time and then a fault, got {got}; write: --at {right}"
        ))
        .into()
    };
    let is_fault = |text: &str| Fault::parse_with_unit(text).is_ok();
    if let Some((time, in_one)) = in_one_word(when) {
        let got = format!("{time:?} and {in_one:?} in one word");
        return Err(expected(
            &got,
            &format!("{} {}", quoted(time), quoted(in_one)),
        ));
    }
    match when.parse::<When>() {
        Ok(when) => Ok(when),
        Err(_) if is_fault(when) && fault.parse::<When>().is_ok() => Err(expected(
            &format!("{when:?} first"),
            &format!("{} {}", quoted(fault), quoted(when)),
        )),
        Err(error) => Err(WrongUsage(format!("--at: {error}")).into()),
    }
}

/// A time and a fault that are joined, e.g. `10s,kill`.
pub(super) fn in_one_word(text: &str) -> Option<(&str, &str)> {
    let joints = text.match_indices([',', '=', ':', ' ']);
    let mut parts = joints.map(|(at, _)| (text[..at].trim(), text[at + 1..].trim()));
    parts
        .find(|(time, fault)| time.parse::<When>().is_ok() && Fault::parse_with_unit(fault).is_ok())
}

/// As a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "=-_.@:/+,%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn span(option: &str, text: &str) -> anyhow::Result<Duration> {
    parse_span(text).map_err(|message| WrongUsage(format!("{option}: {message}")).into())
}

/// `HOST:GUEST`. The guest's path is absolute, so a colon before it is no part of either.
fn guest_file(text: &str) -> anyhow::Result<GuestFile> {
    let parts = text.rsplit_once(":/");
    let (host, guest) = parts.filter(|(host, _)| !host.is_empty()).ok_or_else(|| {
        WrongUsage(format!(
            "--file: {text:?} does not say where the file goes; write HOST:GUEST with an absolute path, e.g. target/release/my:/usr/bin/my"
        ))
    })?;
    if Path::new(host).is_dir() {
        return Err(WrongUsage(format!(
            "--file: {host} is a folder; name its files one by one"
        ))
        .into());
    }
    Ok(GuestFile::from_host(format!("/{guest}"), host))
}
