//! From words on the command line to an experiment.

use std::path::Path;
use std::time::Duration;

use systemd_lab::experiment::parse_span;
use systemd_lab::{Experiment, Fault, GuestFile, Probe};

use super::{Arguments, wrong};
use crate::WrongUsage;

/// The experiment that the arguments describe. It is not checked yet.
pub(super) fn experiment(arguments: &Arguments) -> anyhow::Result<Experiment> {
    let (first, others) = arguments
        .units
        .split_first()
        .ok_or_else(|| WrongUsage("name a unit file with --unit".to_owned()))?;
    let mut experiment = Experiment::new(first);
    for unit in others {
        experiment = experiment.unit(unit);
    }
    for file in &arguments.files {
        experiment = experiment.file(guest_file(file)?);
    }
    // clap gives them in pairs.
    for pair in arguments.faults.chunks_exact(2) {
        let at = span("--at", &pair[0])?;
        let (fault, unit) = match pair[1].split_once('@') {
            Some((fault, unit)) => (fault, Some(unit)),
            None => (pair[1].as_str(), None),
        };
        let fault = fault.parse::<Fault>().map_err(wrong)?;
        experiment = match unit {
            Some(unit) => experiment.fault_on(unit, at, fault),
            None => experiment.fault(at, fault),
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
