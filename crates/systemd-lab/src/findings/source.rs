//! The unit files of a run, for findings that name the line that decides.

use super::Place;
use crate::experiment::unit_file;

/// The units of a run, and what their files say.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    units: Vec<String>,
    /// Name (`my.service`, `my.service.d/x.conf`) and text, in the order in which systemd reads them.
    files: Vec<(String, String)>,
    /// Units whose processes a fault has stopped for good, and when, in microseconds.
    frozen: Vec<(String, u64)>,
    /// Units that a fault has stopped or restarted.
    stopped: Vec<String>,
}

impl Sources {
    pub(crate) fn new(units: Vec<String>, files: Vec<(String, String)>) -> Sources {
        Sources {
            units,
            files,
            ..Sources::default()
        }
    }

    pub(crate) fn freezes(&mut self, unit: &str, at_us: u64) {
        self.frozen.push((unit.to_owned(), at_us));
    }

    pub(crate) fn stops(&mut self, unit: &str) {
        self.stopped.push(unit.to_owned());
    }

    pub(crate) fn units(&self) -> &[String] {
        &self.units
    }

    pub(super) fn frozen(&self, unit: &str) -> Option<u64> {
        let mut frozen = self.frozen.iter();
        frozen.find(|(it, _)| it == unit).map(|(_, at_us)| *at_us)
    }

    pub(super) fn is_stopped_by_plan(&self, unit: &str) -> bool {
        self.stopped.iter().any(|it| it == unit)
    }

    /// The last line that sets this in the unit's own file, its template's or a drop-in. An empty value takes back what came
    /// before.
    pub(super) fn setting(&self, unit: &str, name: &str) -> Option<Place> {
        let mut found = None;
        for (file, text) in &self.files {
            let of = file.split_once(".d/").map_or(file.as_str(), |(of, _)| of);
            if of != unit && of != crate::experiment::template_of(unit) {
                continue;
            }
            for setting in unit_file::settings(text) {
                if setting.name == name {
                    found = (!setting.value.is_empty()).then(|| Place {
                        file: file.clone(),
                        line: setting.line,
                        text: format!("{}={}", setting.name, setting.value),
                    });
                }
            }
        }
        found
    }

    /// The first of these settings that is written.
    pub(super) fn any(&self, unit: &str, names: &[&str]) -> Option<Place> {
        names.iter().find_map(|name| self.setting(unit, name))
    }
}
