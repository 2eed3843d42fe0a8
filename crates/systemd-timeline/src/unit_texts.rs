//! The text of a run's unit files: the effective settings may differ.

use std::borrow::Cow;

use crate::unit_file::{self, settings, template_of};

/// Settings whose lines add up to one list: systemd.service(5), systemd.exec(5).
const LISTS: [&str; 4] = [
    "RestartForceExitStatus",
    "RestartPreventExitStatus",
    "RestrictAddressFamilies",
    "SuccessExitStatus",
];

/// The unit files and drop-ins of a service and of the other units.
#[derive(Debug, Clone, Default)]
pub struct UnitTexts {
    /// Name (`my.service`, `my.service.d/x.conf`) and text, in the order in which systemd reads them.
    files: Vec<(String, String)>,
}

impl UnitTexts {
    /// Takes names below systemd's unit directory (`my.service`, `my.service.d/x.conf`) and texts, in the order in which
    /// systemd reads them.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> UnitTexts {
        UnitTexts {
            files: files.into_iter().collect(),
        }
    }

    /// Names and texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The value in the last line that has this setting. If its lines add up to a list, the whole list. An empty value resets
    /// the earlier ones.
    pub fn value(&self, unit: &str, name: &str) -> Option<String> {
        let mut found: Option<String> = None;
        for (_, text) in self.of_unit(unit) {
            for setting in settings(text).iter().filter(|it| it.name == name) {
                found = match found {
                    _ if setting.value.is_empty() => None,
                    Some(earlier) if LISTS.contains(&name) => {
                        Some(format!("{earlier} {}", setting.value))
                    }
                    _ => Some(setting.value.to_string()),
                };
            }
        }
        found
    }

    /// The last line of the unit's files that has this setting: the file's name and the value, which may be empty.
    pub fn last_line(&self, unit: &str, name: &str) -> Option<(&str, Cow<'_, str>)> {
        let lines = self.of_unit(unit).flat_map(|(file, text)| {
            let settings = settings(text).into_iter();
            settings.filter_map(move |it| (it.name == name).then_some((file, it.value)))
        });
        lines.last()
    }

    /// The first of these settings that a file contains, as written: `WorkingDirectory=/srv/hello`.
    pub fn first_of(&self, unit: &str, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let value = self.value(unit, name)?;
            Some(format!("{name}={value}"))
        })
    }

    /// The text of a line of the unit's own file, counted from 1. A setting of several lines is one text.
    pub fn line(&self, unit: &str, number: u32) -> Option<String> {
        let (_, text) = self.files.iter().find(|(file, _)| file == unit)?;
        let (_, text) = unit_file::line(text, usize::try_from(number).ok()?)?;
        Some(text)
    }

    /// The names and texts of the unit's own files, its template's, and their drop-ins.
    fn of_unit(&self, unit: &str) -> impl Iterator<Item = (&str, &str)> {
        let is_its_own = move |file: &str| {
            let of = file.split_once(".d/").map_or(file, |(of, _)| of);
            of == unit || of == template_of(unit)
        };
        self.iter().filter(move |(file, _)| is_its_own(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_the_last_line_says() {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let units = UnitTexts::new([
            file(
                "a.service",
                "[Service]\nRestartSec=20s\n User = x\nNice=1\n",
            ),
            file("a.service.d/b.conf", "[Service]\nRestartSec=5s\nNice=\n"),
            file("t@.service", "[Service]\nType=oneshot\n"),
        ]);
        let value = |unit: &str, name: &str| units.value(unit, name);
        assert_eq!(value("a.service", "RestartSec").as_deref(), Some("5s"));
        assert_eq!(value("a.service", "Nice"), None);
        assert_eq!(value("b.service", "RestartSec"), None);
        assert_eq!(value("t@x.service", "Type").as_deref(), Some("oneshot"));
        let first = units.first_of("a.service", &["Group", "User"]);
        assert_eq!(first.as_deref(), Some("User=x"));
        let line = units.line("a.service", 2);
        assert_eq!(line.as_deref(), Some("RestartSec=20s"));
    }

    #[test]
    fn the_lines_of_a_list_add_up() {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let units = UnitTexts::new([
            file(
                "a.service",
                "[Service]\nRestartPreventExitStatus=1\nRestartPreventExitStatus=78 SIGABRT\nSuccessExitStatus=3\n",
            ),
            file(
                "a.service.d/b.conf",
                "[Service]\nSuccessExitStatus=\nSuccessExitStatus=4\nSuccessExitStatus=5\n",
            ),
        ]);
        let value = |name: &str| units.value("a.service", name);
        assert_eq!(
            value("RestartPreventExitStatus").as_deref(),
            Some("1 78 SIGABRT")
        );
        assert_eq!(value("SuccessExitStatus").as_deref(), Some("4 5"));
    }
}
