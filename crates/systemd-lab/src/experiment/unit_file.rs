//! What is wrong with unit files, as far as it can be known before systemd reads them.
//!
//! Only what systemd itself would complain about. Values are left to systemd: it says what it thinks of them when it loads
//! the unit, and that is in the timeline.

use std::collections::HashSet;

use similar::TextDiff;

use super::PlanError;

/// All sections and settings that the guest's systemd knows, as `systemd --dump-configuration-items` prints them, without
/// their values. A test compares them with the guest's.
pub(super) const SETTINGS: &str = include_str!("settings.txt");

/// Sections and settings of this kind are other programs': systemd.unit(5).
const FOREIGN: &str = "X-";

/// Where a setting belongs that several sections have: nearly always in one of these.
const COMMON: [&str; 3] = ["Unit", "Service", "Install"];

/// How alike a misspelt name must be to one that is known, so that it is worth a question.
const ALIKE: f32 = 0.7;

/// A setting of a unit file.
struct Setting<'a> {
    line: usize,
    section: &'a str,
    name: &'a str,
    value: &'a str,
}

/// The lines of a unit file or a drop-in that are settings; a line that ends in a backslash goes on in the next.
fn settings(text: &str) -> Vec<Setting<'_>> {
    let mut section = "";
    let mut goes_on = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        let is_rest = std::mem::replace(&mut goes_on, line.ends_with('\\'));
        if is_rest {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name;
            // A section without settings may be misspelt, too.
            found.push(Setting {
                line: index + 1,
                section,
                name: "",
                value: "",
            });
        } else if let Some((name, value)) = line.split_once('=') {
            found.push(Setting {
                line: index + 1,
                section,
                name: name.trim(),
                value: value.trim(),
            });
        }
    }
    found
}

/// Finds the first section or setting that systemd does not know.
pub(super) fn check_names(file: &str, text: &str) -> Result<(), PlanError> {
    let known = known();
    for setting in settings(text) {
        let Setting {
            line,
            section,
            name,
            ..
        } = setting;
        if section.starts_with(FOREIGN) || name.starts_with(FOREIGN) {
            continue;
        }
        if !known.contains(&(section, "")) {
            let sections = known.iter().filter(|(_, name)| name.is_empty());
            return Err(PlanError::UnknownSection {
                file: file.to_owned(),
                line,
                section: section.to_owned(),
                hint: hint(section, sections.map(|(section, _)| *section), |it| {
                    format!("[{it}]")
                }),
            });
        }
        if !known.contains(&(section, name)) {
            let elsewhere = known.iter().filter(|(_, other)| *other == name);
            let places: Vec<&str> = elsewhere.map(|(section, _)| *section).collect();
            let place = COMMON.into_iter().find(|common| places.contains(common));
            let place = place.or_else(|| places.into_iter().min());
            let names = known
                .iter()
                .filter(|(in_section, _)| *in_section == section);
            let hint = match place {
                Some(place) => format!(": it belongs in [{place}]"),
                None => hint(name, names.map(|(_, name)| *name), |it| format!("{it}=")),
            };
            return Err(PlanError::UnknownSetting {
                file: file.to_owned(),
                line,
                section: section.to_owned(),
                setting: name.to_owned(),
                hint,
            });
        }
    }
    Ok(())
}

/// Pairs of section and setting; a section alone has an empty setting.
fn known() -> HashSet<(&'static str, &'static str)> {
    let settings = settings_of_dump();
    settings.collect()
}

fn settings_of_dump() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut section = "";
    SETTINGS.lines().map(move |line| {
        match line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(name) => {
                section = name;
                (section, "")
            }
            None => (section, line),
        }
    })
}

/// `: did you mean Restart=?`, or nothing.
fn hint<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str>,
    written: impl Fn(&str) -> String,
) -> String {
    let lower = wrong.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        TextDiff::from_chars(lower.as_str(), name.as_str()).ratio()
    };
    let rated = known.map(|name| (likeness(name), name));
    let best = rated
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of those that are equally alike, always the same.
        .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(left.1)));
    best.map_or_else(String::new, |(_, name)| {
        format!(": did you mean {}?", written(name))
    })
}

/// Whether systemd would find nothing to do in a service: these are the texts of its unit file and of its drop-ins.
/// systemd.service(5), `ExecStart=`.
pub(super) fn starts_nothing(texts: &[&str]) -> bool {
    let all: Vec<Setting<'_>> = texts.iter().flat_map(|text| settings(text)).collect();
    let is_set = |wanted: &str| {
        let of_service = all.iter().filter(|one| one.section == "Service");
        let mut of_it = of_service.filter(|one| one.name == wanted);
        // An empty value takes back what came before.
        of_it.next_back().is_some_and(|one| !one.value.is_empty())
    };
    let succeeds_alone = all.iter().any(|one| one.name == "SuccessAction");
    !is_set("ExecStart") && !is_set("ExecStop") && !succeeds_alone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> Option<String> {
        let error = check_names("my.service", text).err();
        error.map(|error| error.to_string())
    }

    #[test]
    fn what_systemd_knows_is_right() {
        let text = "# a comment = with a sign\n[Unit]\nDescription=x\n[Service]\nType=notify\nEnvironment=A=1 \\\n    Bogus=2\nExecStart=/bin/x\nX-Mine=1\n[X-Mine]\nAnything=1\n[Install]\nWantedBy=multi-user.target\n";
        assert_eq!(complaint(text), None);
    }

    #[test]
    fn what_it_does_not_know_is_named_with_its_line() {
        let said = complaint("[Service]\nExecStart=/bin/x\nRestrat=always\n").unwrap_or_default();
        assert!(
            said.contains("my.service:3") && said.contains("Restart="),
            "{said}"
        );
        let said = complaint("[Service]\nStartLimitBurst=3\n").unwrap_or_default();
        assert_eq!(said, "");
        let said = complaint("[Service]\nWantedBy=multi-user.target\n").unwrap_or_default();
        assert!(said.contains("[Install]"), "{said}");
        let said = complaint("[Unit]\nType=exec\n").unwrap_or_default();
        assert!(said.contains("[Service]"), "{said}");
        let said = complaint("[Sevrice]\n").unwrap_or_default();
        assert!(said.contains("[Service]"), "{said}");
        let said = complaint("Type=simple\n").unwrap_or_default();
        assert!(said.contains("my.service:1"), "{said}");
    }

    #[test]
    fn a_service_needs_something_to_start() {
        assert!(starts_nothing(&["[Service]\nType=exec\n"]));
        assert!(starts_nothing(&[
            "[Service]\nExecStart=/bin/x\nExecStart=\n"
        ]));
        assert!(starts_nothing(&["[Unit]\nExecStart=/bin/x\n"]));
        assert!(!starts_nothing(&["[Service]\nExecStart=/bin/x\n"]));
        assert!(!starts_nothing(&[
            "[Service]\n",
            "[Service]\nExecStart=/bin/x\n"
        ]));
        let only_stops = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/x\n";
        assert!(!starts_nothing(&[only_stops]));
    }
}
