//! Finds what in a scenario's files would keep the lab from seeing what systemd does: it refuses some files, and overrides some
//! settings.
//!
//! systemd's own log says what systemd did. It says nothing about a unit above its `LogLevelMax=`, so if a file uses that setting, a
//! drop-in of the lab overrides it for all units. The unit files stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use systemd_lab_protocol::sight::{BLINDING_SETTINGS, DROP_IN, drop_ins, is_own_unit};
use systemd_lab_protocol::{Blob, Scenario, Step};

use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::unit_files::unit_texts;
use systemd_timeline::UnitTexts;
use systemd_timeline::unit_file::{self, template_of};

const LOG_LEVEL_MAX: &str = "LogLevelMax";

/// systemd's names for the priorities of syslog(3), starting at 0: systemd.exec(5), `LogLevelMax=`.
const LEVELS: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// All paths that systemd reads contain this.
const SYSTEMD: &str = "/systemd/";

/// The files that configure journald: journald.conf(5).
const JOURNALD_CONFIGURATION: [&str; 2] = ["/systemd/journald.conf", "/systemd/journald.conf.d/"];

/// Where the lab's own programs are in the guest.
const LAB_FOLDER: &str = "/usr/lib/systemd-lab/";

/// Permission bits of the drop-ins.
const PLAIN: u32 = 0o644;

/// Finds a file that would replace what the lab needs.
///
/// # Errors
///
/// [`LabError::LabsOwn`] for the first one.
pub(crate) fn check(files: &[GuestFile]) -> Result<(), LabError> {
    for file in files {
        if let Some(why) = labs_own(file.path()) {
            return Err(LabError::LabsOwn {
                path: file.path().to_owned(),
                why,
            });
        }
    }
    Ok(())
}

fn labs_own(path: &str) -> Option<&'static str> {
    if path.starts_with(LAB_FOLDER) || path.ends_with(&format!("/{DROP_IN}")) {
        return Some("the lab needs its own file there");
    }
    if JOURNALD_CONFIGURATION.iter().any(|it| path.contains(it)) {
        return Some("the lab reads the journal, and needs it configured as it is");
    }
    let (_, rest) = path
        .rsplit_once("/system/")
        .filter(|_| path.contains(SYSTEMD))?;
    let unit = rest.split('/').next()?;
    // A drop-in, or a dependency of it.
    let unit = [".d", ".wants", ".requires", ".upholds"]
        .iter()
        .find_map(|end| unit.strip_suffix(end))
        .unwrap_or(unit);
    is_own_unit(unit).then_some("the lab needs its own unit of this name to see what happens")
}

/// The lab's drop-ins, if the scenario contains a setting that they override.
pub(crate) fn needed(scenario: &Scenario, files: &[GuestFile]) -> Vec<Blob> {
    let hides = |text: &str| BLINDING_SETTINGS.iter().any(|name| text.contains(name));
    let of_systemd = files.iter().filter(|file| file.path().contains(SYSTEMD));
    let is_needed = of_systemd
        .filter_map(GuestFile::text_content)
        .any(|text| hides(&text))
        || scenario.steps.iter().any(|step| step_has(step, &hides));
    let blobs = drop_ins().map(|(path, text)| Blob {
        path,
        mode: PLAIN,
        content: text.into_bytes(),
    });
    blobs.filter(|_| is_needed).collect()
}

fn step_has(step: &Step, wanted: &impl Fn(&str) -> bool) -> bool {
    match step {
        Step::WriteFile { content, .. } => wanted(content),
        Step::Run { argv, .. } | Step::RunInBackground { argv, .. } => {
            argv.iter().any(|word| wanted(word))
        }
        Step::Later { what, .. } => step_has(what, wanted),
        _ => false,
    }
}

/// `LogLevelMax=` as the files set it: by the unit's name, its template's, or its type.
pub(crate) fn log_levels(files: &[GuestFile]) -> BTreeMap<String, u8> {
    let texts = unit_texts(files);
    let units: BTreeSet<&str> = texts.iter().map(|(name, _)| unit_of(name)).collect();
    let levels = units
        .into_iter()
        .filter_map(|unit| Some((unit.to_owned(), log_level(&texts, unit)?)));
    levels.collect()
}

/// `my.service` for `my.service` and for `my.service.d/x.conf`.
fn unit_of(name: &str) -> &str {
    name.split_once(".d/").map_or(name, |(unit, _)| unit)
}

fn log_level(texts: &UnitTexts, unit: &str) -> Option<u8> {
    let template = template_of(unit);
    let applies = |(name, _): &(&str, &str)| {
        let of = unit_of(name);
        let of_type = unit.rsplit_once('.').is_some_and(|(_, kind)| of == kind);
        of == unit || of == template || of_type || (name.contains(".d/") && is_prefix(of, unit))
    };
    let mut read: Vec<(&str, &str)> = texts.iter().filter(applies).collect();
    // The unit's own file comes first, then drop-ins by name, whatever folder they are in.
    read.sort_by_key(|(name, _)| name.split_once(".d/").map(|(_, file)| file));
    let settings = read.iter().flat_map(|(_, text)| unit_file::settings(text));
    let mut level = None;
    for setting in settings.filter(|it| it.name == LOG_LEVEL_MAX) {
        match &*setting.value {
            "" => level = None,
            // systemd ignores unknown values.
            value => level = parsed(value).or(level),
        }
    }
    level
}

fn parsed(level: &str) -> Option<u8> {
    let named = LEVELS.iter().position(|name| *name == level);
    let number = || level.parse().ok().filter(|it| *it < LEVELS.len());
    u8::try_from(named.or_else(number)?).ok()
}

/// Whether `my-.service` applies to all units whose names begin with `my-`.
fn is_prefix(of: &str, unit: &str) -> bool {
    let split = of.rsplit_once('.').zip(unit.rsplit_once('.'));
    split.is_some_and(|((prefix, kind), (name, of_unit))| {
        prefix.ends_with('-') && kind == of_unit && name.starts_with(prefix)
    })
}

/// Reports the settings of a unit file that the lab overrides, and the consequences.
pub(crate) fn warnings(file: &str, text: &str) -> Vec<String> {
    let settings = unit_file::settings(text).into_iter();
    let blinding = settings.filter(|it| BLINDING_SETTINGS.contains(&it.name));
    let warning = |setting: unit_file::Setting<'_>| {
        let (line, name) = (setting.line, setting.name);
        let why = match name {
            LOG_LEVEL_MAX => {
                "with it, systemd would not log what it does about the unit, and that log is what the lab sees; what the service itself logs above the level is left out of the timeline"
            }
            _ => "with it, the unit would log into a journal that the lab does not read",
        };
        format!("{file}:{line}: the lab runs the unit without {name}=: {why}")
    };
    blinding
        .filter(|it| !it.value.is_empty())
        .map(warning)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_lab_needs_is_its_own() {
        for path in [
            "/etc/systemd/system/systemd-journald.service",
            "/etc/systemd/system/systemd-journald.socket.d/x.conf",
            "/run/systemd/system/systemd-lab-agent.service.d/x.conf",
            "/usr/lib/systemd/system/systemd-lab.target.wants/my.service",
            "/etc/systemd/system/systemd-journald@my.service",
            "/etc/systemd/journald.conf",
            "/usr/lib/systemd/journald.conf.d/my.conf",
            "/etc/systemd/system/service.d/~systemd-lab.conf",
            "/usr/lib/systemd-lab/agent",
        ] {
            assert!(labs_own(path).is_some(), "{path}");
        }
        for path in [
            "/etc/systemd/system/lab-agent.service",
            "/etc/systemd/system/lab.target",
            "/etc/systemd/system/systemd-journald-exporter.service",
            "/etc/systemd/system/systemd-journal-upload.service",
            "/etc/systemd/journald@my.conf",
            "/srv/system/systemd-journald.service",
        ] {
            assert_eq!(labs_own(path), None, "{path}");
        }
    }

    #[test]
    fn the_level_is_what_systemd_would_take() {
        let file = |name: &str, lines: &str| {
            let path = format!("/etc/systemd/system/{name}");
            GuestFile::text(path, format!("[Service]\n{lines}\n"))
        };
        let files = [
            file("a.service", "LogLevelMax=notice"),
            file("a.service.d/20.conf", "LogLevelMax=bogus"),
            file("b-c.service", "LogLevelMax=4"),
            file("b-.service.d/10.conf", "LogLevelMax=err"),
            file("d.service", "LogLevelMax=err"),
            file("d.service.d/10.conf", "LogLevelMax="),
            file("e.service", "ExecStart=/bin/e"),
        ];
        let levels = log_levels(&files);
        let expected = [("a.service", 5), ("b-.service", 3), ("b-c.service", 3)];
        let found: Vec<(&str, u8)> = levels
            .iter()
            .map(|(unit, level)| (unit.as_str(), *level))
            .collect();
        assert_eq!(found[..3], expected);
        assert!(!levels.contains_key("d.service") && !levels.contains_key("e.service"));
        let all = [
            file("service.d/10.conf", "LogLevelMax=info"),
            file("f.service", ""),
        ];
        let levels: Vec<(String, u8)> = log_levels(&all).into_iter().collect();
        assert_eq!(
            levels,
            [("f.service".to_owned(), 6), ("service".to_owned(), 6)]
        );
    }

    #[test]
    fn what_is_taken_back_is_said_with_its_line() {
        let text = "[Service]\nExecStart=/bin/x\nLogLevelMax=notice\nLogNamespace=my\n";
        let said = warnings("my.service", text);
        let [level, namespace] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert!(level.starts_with("my.service:3: the lab runs the unit without LogLevelMax=: "));
        assert!(
            namespace.starts_with("my.service:4: the lab runs the unit without LogNamespace=: ")
        );
    }
}
