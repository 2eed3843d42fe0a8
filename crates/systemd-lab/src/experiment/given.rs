//! What an experiment's guest is given besides files: users, directories, variables, an enabled unit, a date.

use systemd_lab_protocol::scenario::Preparation;

use super::{Date, Experiment, PlanError, instance_of};
use crate::guest_file::{GuestFile, UNIT_DIRECTORY};
use crate::unit_files;
use systemd_timeline::unit_file::template_of;

/// The default mode of a directory.
pub const DIRECTORY_MODE: u32 = 0o755;

/// The default owner of a directory.
pub const DIRECTORY_OWNER: &str = "root";

/// The section that defines what enabling a unit does.
const INSTALL: &str = "[Install]";

/// All permission bits: chmod(2).
const MOST_MODE: u32 = 0o7777;

/// The longest name of a user: utmp(5) has no room for more.
const LONGEST_NAME: usize = 31;

/// What the guest is given besides files.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    users: Vec<String>,
    directories: Vec<Directory>,
    variables: Vec<Variable>,
    is_enabled: bool,
    date: Option<Date>,
}

#[derive(Debug, Clone)]
struct Directory {
    path: String,
    owner: String,
    mode: u32,
}

#[derive(Debug, Clone)]
struct Variable {
    unit: String,
    name: String,
    value: String,
}

impl Experiment {
    /// Starts this instance of the first unit, whose file is a template: `1` starts `w@1.service` of `w@.service`.
    #[must_use]
    pub fn instance(mut self, instance: &str) -> Experiment {
        let template = self.main_unit().to_owned();
        self.template = Some((template.clone(), instance.to_owned()));
        if let Some(first) = self.units.first_mut() {
            *first = instance_of(&template, instance);
        }
        for planned in &mut self.faults {
            if planned.unit == template {
                planned.unit = instance_of(&template, instance);
            }
        }
        self
    }

    /// Gives the guest a system user, with a group of the same name.
    #[must_use]
    pub fn user(mut self, name: &str) -> Experiment {
        self.given.users.push(name.to_owned());
        self
    }

    /// Gives the guest a directory that belongs to this user (`USER` or `USER:GROUP`).
    #[must_use]
    pub fn directory(mut self, path: &str, owner: &str, mode: u32) -> Experiment {
        self.given.directories.push(Directory {
            path: path.to_owned(),
            owner: owner.to_owned(),
            mode,
        });
        self
    }

    /// Sets a variable in a unit's environment, with `Environment=` in a drop-in. If two have the same name, the last one
    /// counts.
    #[must_use]
    pub fn variable(mut self, unit: &str, name: &str, value: &str) -> Experiment {
        let path = format!("{UNIT_DIRECTORY}/{unit}.d/lab-{name}.conf");
        let value_in_file = quoted(value);
        let text = format!("[Service]\nEnvironment=\"{name}={value_in_file}\"\n");
        self.files.retain(|file| file.path() != path);
        self.files.push(GuestFile::text(path, text));
        let is_same = |it: &Variable| it.unit == unit && it.name == name;
        self.given.variables.retain(|it| !is_same(it));
        self.given.variables.push(Variable {
            unit: unit.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// Enables the first unit before it is started, as `systemctl enable` does: its `[Install]` section takes effect.
    #[must_use]
    pub fn enabled(mut self) -> Experiment {
        self.given.is_enabled = true;
        self
    }

    /// Sets the guest's calendar at time 0; the default is 2030-01-01 00:00:00 UTC.
    #[must_use]
    pub fn date(mut self, date: Date) -> Experiment {
        self.given.date = Some(date);
        self
    }
}

impl Given {
    /// What the guest does before the scenario begins. The date comes last, because the others take time.
    pub(super) fn preparations(&self, main_unit: &str) -> Vec<Preparation> {
        let name = |name: &String| Preparation::User { name: name.clone() };
        let mut all: Vec<Preparation> = self.users.iter().map(name).collect();
        all.extend(self.directories.iter().map(|it| Preparation::Directory {
            path: it.path.clone(),
            owner: it.owner.clone(),
            mode: it.mode,
        }));
        if self.is_enabled {
            let unit = main_unit.to_owned();
            all.push(Preparation::Enable { unit });
        }
        all.extend(self.date.map(|date| Preparation::Date {
            unix_s: date.unix_seconds(),
        }));
        all
    }

    /// The settings that will have no effect.
    pub(super) fn warnings(&self, main_unit: &str, all: &[GuestFile]) -> Vec<String> {
        let names = [main_unit.to_owned(), template_of(main_unit)];
        let own = unit_files::texts(all).into_iter();
        let own: Vec<String> = own
            .filter(|(name, _)| names.contains(name))
            .map(|(_, text)| text)
            .collect();
        let can_be_enabled = |text: &String| text.lines().any(|line| line.trim() == INSTALL);
        // The unit of a package cannot be read here.
        match self.is_enabled && !own.is_empty() && !own.iter().any(can_be_enabled) {
            true => vec![format!(
                "{main_unit} has no {INSTALL} section: enabling it changes nothing"
            )],
            false => Vec::new(),
        }
    }

    /// Lines of the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .users
            .iter()
            .map(|name| format!("user {name}"))
            .collect();
        let directories = self.directories.iter();
        lines.extend(directories.map(|it| {
            format!(
                "directory {} of {}, mode {:04o}",
                it.path, it.owner, it.mode
            )
        }));
        let variables = self.variables.iter();
        lines.extend(variables.map(|it| format!("{}: {}={:?}", it.unit, it.name, it.value)));
        if self.is_enabled {
            lines.push("enabled before the start".to_owned());
        }
        lines.extend(self.date.map(|date| format!("from {date}")));
        lines
    }

    /// Checks whether all of it can be given, with these units.
    pub(super) fn check(&self, units: &[String]) -> Result<(), PlanError> {
        for name in &self.users {
            if !is_user_name(name) {
                return Err(PlanError::BadUserName { name: name.clone() });
            }
        }
        for directory in &self.directories {
            let path = directory.path.as_str();
            if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(PlanError::BadGuestPath {
                    path: path.to_owned(),
                });
            }
            if directory.mode > MOST_MODE {
                return Err(PlanError::BadMode {
                    path: path.to_owned(),
                    mode: format!("{:o}", directory.mode),
                });
            }
        }
        for variable in &self.variables {
            if !is_variable_name(&variable.name) {
                return Err(PlanError::BadVariable {
                    name: variable.name.clone(),
                });
            }
            if !units.contains(&variable.unit) && !units.contains(&template_of(&variable.unit)) {
                return Err(PlanError::VariableForNoUnit {
                    name: variable.name.clone(),
                    unit: variable.unit.clone(),
                    known: units.to_vec(),
                });
            }
        }
        Ok(())
    }
}

/// systemd's rule for users that it creates itself: "User/Group Name Syntax" in systemd's documentation.
fn is_user_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_other = |c: char| is_first(c) || c.is_ascii_digit() || c == '-';
    name.starts_with(is_first) && name.chars().all(is_other) && name.len() <= LONGEST_NAME
}

fn is_variable_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_other = |c: char| is_first(c) || c.is_ascii_digit();
    name.starts_with(is_first) && name.chars().all(is_other)
}

/// A value in double quotes for `Environment=`: systemd.syntax(7), "Quoting"; `%` begins a specifier.
fn quoted(value: &str) -> String {
    let letter = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '%' => "%%".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        other => other.to_string(),
    };
    value.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Guest;

    fn experiment() -> Experiment {
        Experiment::packaged("my.service")
    }

    #[test]
    fn a_value_is_quoted_for_the_unit_file() {
        let experiment = experiment().variable("my.service", "X", "1").variable(
            "my.service",
            "X",
            "50% \"of\" C:\\x $y\n",
        );
        let [file] = experiment.files() else {
            panic!("the last one counts");
        };
        assert_eq!(file.path(), "/etc/systemd/system/my.service.d/lab-X.conf");
        let text = String::from_utf8(file.load().expect("it is text").content);
        assert_eq!(
            text.as_deref(),
            Ok("[Service]\nEnvironment=\"X=50%% \\\"of\\\" C:\\\\x $y\\n\"\n")
        );
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        let experiment = experiment();
        let wrong = [
            experiment.clone().user("My"),
            experiment.clone().user("a:b"),
            experiment.clone().user(""),
            experiment.clone().directory("var/lib/my", "root", 0o755),
            experiment.clone().directory("/var/../my", "root", 0o755),
            experiment.clone().directory("/var/my", "root", 0o70000),
            experiment.clone().variable("my.service", "A-B", "1"),
            experiment.clone().variable("other.service", "A", "1"),
        ];
        for one in wrong {
            assert!(one.check().is_err(), "{:?}", one.given);
        }
        let right = experiment
            .user("_my-1")
            .directory("/var/lib/my", "_my-1", 0o2750);
        assert!(right.check().is_ok());
    }

    #[test]
    fn a_unit_without_an_install_section_cannot_be_enabled() {
        let with = |text: &str| {
            let file = GuestFile::text("/etc/systemd/system/my.service", text);
            experiment()
                .file(file)
                .enabled()
                .warnings(&Guest::default())
        };
        assert_eq!(
            with("[Service]\nExecStart=/bin/true\n"),
            ["my.service has no [Install] section: enabling it changes nothing"]
        );
        let right = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
        assert!(with(right).is_empty());
        assert!(
            experiment()
                .enabled()
                .warnings(&Guest::default())
                .is_empty()
        );
    }

    #[test]
    fn an_instance_takes_the_templates_place() {
        let template = Experiment::new("units/w@.service").instance("1");
        assert_eq!(template.main_unit(), "w@1.service");
    }
}
