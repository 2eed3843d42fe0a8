//! The unit files of a run, for findings that name the deciding line.

use std::time::Duration;

use super::Place;
use crate::unit_file::{self, template_of};
use crate::unit_texts::UnitTexts;

/// What a plan did to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// All its processes hang.
    Freeze,
    /// Its main process hangs.
    StopMain,
    /// Its processes run again.
    Continue,
    /// It was stopped or restarted.
    Stop,
    /// It was started.
    Start,
    /// It was reloaded.
    Reload,
    /// Anything else, e.g. a kill.
    Other,
}

/// A probe of the plan, and the unit that it asks.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The probe's name.
    pub name: String,
    /// Which unit it asks.
    pub unit: String,
    /// Whether the service itself answers, rather than the kernel on its behalf.
    pub is_answered: bool,
    /// How late the probe may notice that the service does not answer: its interval.
    pub every: Duration,
}

/// The units of a run, and what their files say.
#[derive(Debug, Default)]
pub struct Sources {
    units: Vec<String>,
    files: UnitTexts,
    /// The actions on each unit and their times, in order.
    harms: Vec<(String, Duration, Harm)>,
    asked: Vec<Asked>,
}

impl Sources {
    /// The sources for these units, with the text of their files.
    pub fn new(units: Vec<String>, files: UnitTexts) -> Sources {
        Sources {
            units,
            files,
            ..Sources::default()
        }
    }

    /// Records that the plan did this to the unit. Calls must come in the order of time.
    pub fn harms(&mut self, unit: &str, at: Duration, harm: Harm) {
        self.harms.push((unit.to_owned(), at, harm));
    }

    /// The plan has this probe.
    pub fn asks(&mut self, asked: Asked) {
        self.asked.push(asked);
    }

    pub(super) fn units(&self) -> &[String] {
        &self.units
    }

    /// What the plan did to this unit.
    pub(super) fn harms_of<'a>(
        &'a self,
        unit: &'a str,
    ) -> impl DoubleEndedIterator<Item = (Duration, Harm)> + 'a {
        let harms = self.harms.iter().filter(move |(it, ..)| it == unit);
        harms.map(|(_, at, harm)| (*at, *harm))
    }

    /// The probes that ask this unit.
    pub(super) fn asking<'a>(&'a self, unit: &'a str) -> impl Iterator<Item = &'a Asked> + 'a {
        self.asked.iter().filter(move |asked| asked.unit == unit)
    }

    /// Since when all processes of the unit hang forever, if they do.
    pub(super) fn frozen(&self, unit: &str) -> Option<Duration> {
        let mut frozen = None;
        for (at, harm) in self.harms_of(unit) {
            match harm {
                Harm::Freeze => frozen = frozen.or(Some(at)),
                Harm::Continue => frozen = None,
                _ => {}
            }
        }
        frozen
    }

    /// Whether a fault made processes of the unit hang before this time.
    pub(super) fn hangs_at(&self, unit: &str, time: Duration) -> bool {
        let mut before = self.harms_of(unit).filter(|(at, _)| *at <= time);
        before.any(|(_, harm)| matches!(harm, Harm::Freeze | Harm::StopMain))
    }

    pub(super) fn is_stopped_by_plan(&self, unit: &str) -> bool {
        self.harms_of(unit).any(|(_, harm)| harm == Harm::Stop)
    }

    /// The last line that sets this in the unit's own file, its template's or a drop-in. An empty value resets the earlier
    /// ones.
    pub(super) fn setting(&self, unit: &str, name: &str) -> Option<Place> {
        self.settings(unit, name).pop().map(|(place, _)| place)
    }

    /// The first line that sets this to such a value, for settings that may appear many times.
    pub(super) fn setting_with(
        &self,
        unit: &str,
        name: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<Place> {
        let mut settings = self.settings(unit, name).into_iter();
        settings.find_map(|(place, value)| wanted(&value).then_some(place))
    }

    /// The lines that set this and take effect, in order.
    pub(super) fn lines(&self, unit: &str, name: &str) -> Vec<Place> {
        let settings = self.settings(unit, name).into_iter();
        settings.map(|(place, _)| place).collect()
    }

    /// The line of any unit whose command stops this one: `systemctl stop`.
    pub(super) fn line_that_stops(&self, unit: &str) -> Option<Place> {
        let stem = unit.strip_suffix(".service").unwrap_or(unit);
        let names_it = |word: &str| word == unit || word == stem || ["%n", "%N"].contains(&word);
        let mut files = self.files.iter();
        files.find_map(|(file, text)| {
            let settings = unit_file::settings(text);
            let stops = settings.into_iter().find(|setting| {
                let is_word = |c: char| c.is_whitespace() || "\"';&|()".contains(c);
                let words: Vec<&str> = setting.value.split(is_word).collect();
                setting.name.starts_with("Exec")
                    && setting.value.contains("systemctl")
                    && words.contains(&"stop")
                    && words.iter().any(|word| names_it(word))
            })?;
            Some(Place {
                file: file.to_owned(),
                line: stops.line,
                text: format!("{}={}", stops.name, stops.value),
            })
        })
    }

    /// The lines that set this and take effect, with their values.
    fn settings(&self, unit: &str, name: &str) -> Vec<(Place, String)> {
        let mut found = Vec::new();
        for (file, text) in self.files.iter() {
            let of = file.split_once(".d/").map_or(file, |(of, _)| of);
            if of != unit && of != template_of(unit) {
                continue;
            }
            for setting in unit_file::settings(text) {
                if setting.name != name {
                    continue;
                }
                if setting.value.is_empty() {
                    found.clear();
                    continue;
                }
                let place = Place {
                    file: file.to_owned(),
                    line: setting.line,
                    text: format!("{}={}", setting.name, setting.value),
                };
                found.push((place, setting.value.into_owned()));
            }
        }
        found
    }

    /// A line of a file that systemd names by its path in the guest. A setting of several lines is shown as a whole: systemd names the
    /// last of them.
    pub(super) fn line(&self, path: &str, line: usize) -> Option<Place> {
        let mut files = self.files.iter();
        let (file, text) = files.find(|(file, _)| path.ends_with(&format!("/{file}")))?;
        let (line, text) = unit_file::line(text, line)?;
        Some(Place {
            file: file.to_owned(),
            line,
            text,
        })
    }

    /// The first line of any `Condition…=` or `Assert…=` with such a value.
    pub(super) fn condition_with(
        &self,
        unit: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<Place> {
        let names = self
            .files
            .iter()
            .flat_map(|(_, text)| unit_file::settings(text));
        let mut names = names
            .map(|setting| setting.name.to_owned())
            .filter(|name| name.starts_with("Condition") || name.starts_with("Assert"));
        names.find_map(|name| self.setting_with(unit, &name, &wanted))
    }

    /// The first of these settings that a file contains.
    pub(super) fn any(&self, unit: &str, names: &[&str]) -> Option<Place> {
        names.iter().find_map(|name| self.setting(unit, name))
    }
}
