//! Checks the files of an experiment before they go into the guest.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::PlanError;
use crate::elf;
use crate::guest::Guest;
use crate::guest_file::{self, GuestFile};
use crate::image;
use crate::sight;
use crate::unit_files::{in_unit_directory, is_unit_name, text_of, texts};
use systemd_timeline::unit_file::{self, template_of};

/// Where the guest's loader looks for libraries, with the paths of the image's archive.
const LIBRARY_DIRECTORIES: [&str; 3] = ["usr/lib/x86_64-linux-gnu/", "usr/lib/", "usr/lib64/"];

/// What comes before a script's interpreter.
const SHEBANG: &[u8] = b"#!";

/// The longest first line that the kernel reads: BINPRM_BUF_SIZE.
const LONGEST_SHEBANG: usize = 256;

/// The names of the units among the files.
pub(super) fn units(files: &[GuestFile]) -> Vec<String> {
    let names = files
        .iter()
        .filter_map(|file| in_unit_directory(file.path()));
    let names = names.filter(|name| !name.contains('/') && is_unit_name(name));
    names.map(str::to_owned).collect()
}

/// The instances of templates among the files that units among the files name: `Wants=w@1.service`.
pub(super) fn instances(files: &[GuestFile]) -> Vec<String> {
    let templates = units(files);
    let texts = texts(files);
    let settings = texts.iter().flat_map(|(_, text)| unit_file::settings(text));
    let settings: Vec<_> = settings.collect();
    let words = settings.iter().flat_map(|it| it.value.split_whitespace());
    let named = words.filter(|word| {
        is_unit_name(word)
            && !word.contains("@.")
            && !word.contains('%')
            && templates.contains(&template_of(word))
    });
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    named.into_iter().collect()
}

/// Reads all files, and checks those that systemd will read.
pub(super) fn check(files: &[GuestFile]) -> Result<(), PlanError> {
    sight::check(files).map_err(PlanError::File)?;
    // For each unit, its own text and those of its drop-ins.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let path = file.path();
        if !path.starts_with('/') || path.ends_with('/') || path.split('/').any(|part| part == "..")
        {
            return Err(PlanError::BadGuestPath {
                path: path.to_owned(),
            });
        }
        check_place(path)?;
        let content = file.load().map_err(PlanError::File)?.content;
        let Some(name) = in_unit_directory(path) else {
            continue;
        };
        let unit = match name.split_once(".d/") {
            Some((unit, drop_in)) if drop_in.ends_with(".conf") => unit,
            None if is_unit_name(name) => name,
            _ => continue,
        };
        let text = text_of(&content).map_err(|line| PlanError::NotText {
            line,
            path: path.to_owned(),
        })?;
        texts.entry(unit.to_owned()).or_default().push(text);
    }
    for file in files {
        let inside = format!("{}/", file.path());
        if let Some(other) = files.iter().find(|it| it.path().starts_with(&inside)) {
            return Err(PlanError::FileAndDirectory {
                path: file.path().to_owned(),
                inside: other.path().to_owned(),
            });
        }
    }
    for unit in units(files) {
        let texts: Vec<&str> = texts
            .get(&unit)
            .map(|texts| texts.iter().map(String::as_str).collect())
            .unwrap_or_default();
        // A unit with an empty file is masked: the plan decides whether that matters.
        let is_empty = is_empty(files, &unit);
        if unit.ends_with(".service") && !is_empty && unit_file::starts_nothing(&texts) {
            return Err(PlanError::StartsNothing { unit });
        }
    }
    Ok(())
}

/// The longest name and the longest path on Linux, in bytes: limits.h, without the terminating zero.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// Checks whether a file may be put at this place in the guest.
fn check_place(path: &str) -> Result<(), PlanError> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    // /var/run is a link.
    let parts = match &parts[..] {
        ["var", rest @ ..] if rest.first() == Some(&"run") => rest,
        all => all,
    };
    let why = match parts {
        _ if path.contains('\0') => "it has a zero byte",
        _ if path.len() > PATH_MAX || parts.iter().any(|part| part.len() > NAME_MAX) => {
            "the name is too long"
        }
        ["proc" | "sys", ..] => "the kernel makes what is there",
        ["dev", rest @ ..] if rest.first() != Some(&"shm") => "devices are there",
        ["run", "systemd", "system", _, ..] => return Ok(()),
        ["run", "systemd", ..] => "systemd makes what is there",
        _ => return Ok(()),
    };
    Err(PlanError::UnusablePlace {
        path: path.to_owned(),
        why,
    })
}

/// Whether the unit's own file is empty: systemd.unit(5), "Description".
pub(super) fn is_empty(files: &[GuestFile], unit: &str) -> bool {
    let mut own = files
        .iter()
        .filter(|file| in_unit_directory(file.path()) == Some(unit));
    // An unreadable file is a different error.
    own.any(|file| file.load().is_ok_and(|loaded| loaded.content.is_empty()))
}

/// The unit among these that gets this name as an alias when it is enabled: systemd.unit(5), "Alias=".
pub(super) fn aliased(files: &[GuestFile], alias: &str) -> Option<String> {
    let mut texts = texts(files).into_iter();
    let (name, _) = texts.find(|(_, text)| {
        let settings = unit_file::settings(text);
        let mut aliases = settings.iter().filter(|setting| setting.name == "Alias");
        aliases.any(|setting| setting.value.split_whitespace().any(|it| it == alias))
    })?;
    Some(name)
}

/// The settings in these unit files that systemd will ignore or that the lab overrides, with reasons.
pub(super) fn warnings(files: &[GuestFile], guest: &Guest) -> Vec<String> {
    let texts = texts(files).into_iter();
    texts
        .flat_map(|(name, text)| {
            let mut warnings = match guest.systemd() {
                Some(_) => unit_file::unknown_names(&name, &text),
                None => Vec::new(),
            };
            warnings.extend(unit_file::random_delay(&name, &text));
            warnings.extend(sight::warnings(&name, &text));
            warnings
        })
        .collect()
}

/// Where packages install units, with the path of the image's archive.
const PACKAGED_UNITS: &str = "usr/lib/systemd/system/";

/// Checks whether the guest, which has these paths, has these units.
pub(super) fn check_packaged(
    units: &[String],
    files: &[GuestFile],
    guest: &HashSet<String>,
) -> Result<(), PlanError> {
    let own = self::units(files);
    let brought = guest
        .iter()
        .filter_map(|path| path.strip_prefix(PACKAGED_UNITS));
    let brought: BTreeSet<&str> = brought.filter(|name| !name.contains('/')).collect();
    for unit in units {
        let names = [unit.clone(), template_of(unit)];
        if names
            .iter()
            .any(|name| brought.contains(name.as_str()) || own.contains(name))
        {
            continue;
        }
        let can_be_started = |name: &&&str| {
            name.ends_with(".service") && !name.contains("@.") && !image::is_systemds_own(name)
        };
        let known = brought.iter().filter(can_be_started);
        return Err(PlanError::NotPackaged {
            unit: unit.clone(),
            known: known.map(|name| (*name).to_owned()).collect(),
        });
    }
    Ok(())
}

/// Checks whether the guest, which has these paths, has everything that the programs among the files need.
pub(super) fn check_programs(
    files: &[GuestFile],
    guest: &HashSet<String>,
) -> Result<(), PlanError> {
    let is_there = |path: &str| {
        let own = files.iter().any(|file| file.path() == path);
        let relative = path.trim_start_matches('/');
        // /bin and /lib are links to /usr/bin and /usr/lib.
        own || guest.contains(relative) || guest.contains(&format!("usr/{relative}"))
    };
    let has_library = |name: &str| {
        let own = files
            .iter()
            .any(|file| file.path().rsplit('/').next() == Some(name));
        own || LIBRARY_DIRECTORIES
            .iter()
            .any(|directory| guest.contains(&format!("{directory}{name}")))
    };
    for file in files {
        let Some(path) = file.host() else { continue };
        let content = guest_file::read(path).map_err(PlanError::File)?;
        if let Some(needs) = elf::needs(&content) {
            let interpreter = needs.interpreter.filter(|loader| !is_there(loader));
            let libraries = needs
                .libraries
                .into_iter()
                .filter(|name| !has_library(name));
            let missing: Vec<String> = interpreter.into_iter().chain(libraries).collect();
            if !missing.is_empty() {
                return Err(PlanError::MissingLibraries {
                    path: path.to_owned(),
                    libraries: missing,
                });
            }
        } else if let Some(interpreter) = interpreter(&content)
            && file.is_executable()
            && !is_there(&interpreter)
        {
            return Err(PlanError::MissingInterpreter {
                path: path.to_owned(),
                interpreter,
            });
        }
    }
    Ok(())
}

/// The interpreter in a script's first line.
fn interpreter(content: &[u8]) -> Option<String> {
    let line = content.strip_prefix(SHEBANG)?;
    let line = &line[..line.len().min(LONGEST_SHEBANG)];
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::suite::Suite;

    fn guest() -> HashSet<String> {
        let paths = ["usr/bin/bash", "usr/lib/x86_64-linux-gnu/libc.so.6"];
        paths.map(str::to_owned).into()
    }

    /// A list of the settings that testing's systemd knows would be old tomorrow.
    #[test]
    fn what_testing_ignores_is_left_to_its_systemd() {
        let text = "[Service]\nExecStart=/bin/true\nPrivateBPF=yes\n";
        let unit = GuestFile::text("/etc/systemd/system/my.service", text);
        let said = |suite| warnings(std::slice::from_ref(&unit), &Guest::new(suite));
        assert_eq!(said(Suite::Testing), [""; 0]);
        for suite in [Suite::Trixie, Suite::Bookworm] {
            assert!(said(suite)[0].contains("ignores PrivateBPF="), "{suite}");
        }
    }

    #[test]
    fn a_unit_of_a_package_is_a_file_of_its_name_or_of_its_template() {
        let paths = [
            "usr/lib/systemd/system/ssh.service",
            "usr/lib/systemd/system/sshd@.service",
            "usr/lib/systemd/system/systemd-reboot.service",
            "usr/lib/systemd/system/multi-user.target.wants/other.service",
            "usr/share/nginx.service",
        ];
        let guest = paths.map(str::to_owned).into();
        let template = GuestFile::text("/etc/systemd/system/w@.service", "");
        let check = |unit: &str| {
            check_packaged(&[unit.to_owned()], std::slice::from_ref(&template), &guest)
        };
        assert!(check("ssh.service").is_ok());
        assert!(check("sshd@1.service").is_ok());
        assert!(check("w@1.service").is_ok());
        assert!(check("other.service").is_err());
        let error = check("nginx.service").expect_err("that is not a place for units");
        insta::assert_snapshot!(error, @"the guest has no unit nginx.service: its packages contain no unit with this name; their services are: ssh.service");
    }

    fn script(first_line: &str) -> (tempfile::TempDir, GuestFile) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("script");
        fs::write(&path, first_line).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let file = GuestFile::from_host("/usr/bin/script", path);
        (folder, file)
    }

    #[test]
    fn a_script_needs_its_interpreter() {
        let (_folder, bash) = script("#!/bin/bash -e\n");
        assert!(check_programs(&[bash], &guest()).is_ok());
        let (_folder, python) = script("#!/usr/bin/python3\n");
        let error = check_programs(&[python], &guest()).expect_err("there is none");
        assert!(error.to_string().contains("/usr/bin/python3"), "{error}");
    }

    #[test]
    fn a_dynamic_binary_needs_its_libraries() {
        // This test itself is linked statically; the host's own programs are not.
        let dynamic = GuestFile::from_host("/usr/bin/sh", "/bin/sh");
        let error = check_programs(&[dynamic], &HashSet::new()).expect_err("the guest is empty");
        assert!(error.to_string().contains("libc.so.6"), "{error}");
    }
}
