//! What the guide shows of a mistake: the timeline of one run, and what the check found. Verifying a mistake measures
//! both anyway, so it costs nothing to compare them with the guide's files.
//!
//! Timelines are reduced to what their pictures show ([`Picture::essence`]).
//! The solution gets the exercise's name, because attendees see `exercise-05.service`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use exercise_check::Outcome;
use exercise_check::report::Report;
use measured::Measured;
use systemd_lab::{Picture, Timeline};

use super::stage::{Material, MistakeFile};
use crate::verified::Verified;
use stages::files::{names, split_patch};

/// Its folder, relative to the workshop.
const FOLDER: &str = "book/measured/mistakes";

/// The command for a maintainer who has changed a mistake, its solution or its check.
const WRITE: &str = "cargo maintain guide --write mistakes";

/// The beginnings of the lines in a patch's header.
const SCENARIO: &str = "Guide: ";
const UNITS: &str = "Guide units: ";
const UNTIL: &str = "Guide until: ";

/// The end of the time after [`UNTIL`].
const SECONDS: &str = " s";

const SECOND_US: u64 = 1_000_000;

/// How many parts of a report are shown: the headline and the finding. The rest says in words what the picture shows.
const PARAGRAPHS: usize = 2;

/// What a patch's header asks the guide to show.
pub(super) struct Guide {
    /// The scenario whose run is shown.
    scenario: String,
    /// The solution's names for the units.
    units: Vec<String>,
    /// The picture ends here, because what comes later adds nothing.
    until: Option<u64>,
}

impl Guide {
    /// `None` if the lines do not say that the guide shows it. The error says what to correct.
    pub(super) fn read(lines: &str, stage: &Material) -> Result<Option<Guide>, String> {
        let line = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name));
        let Some(scenario) = line(SCENARIO) else {
            return Ok(None);
        };
        let units = match line(UNITS) {
            Some(units) => units.split_whitespace().map(str::to_owned).collect(),
            None => vec![format!("{}.service", stage.solution())],
        };
        let seconds = |until: &str| until.strip_suffix(SECONDS)?.parse().ok();
        let until = line(UNTIL).map(|until| {
            seconds(until).ok_or_else(|| {
                format!(
                    "`{UNTIL}{until}` is not a time; write one at which nothing happens, as `{UNTIL}20 s`"
                )
            })
        });
        Ok(Some(Guide {
            scenario: scenario.trim().to_owned(),
            units,
            until: until.transpose()?,
        }))
    }

    /// Takes it from the check's report. The error says what to correct.
    pub(super) fn measured(
        &self,
        stage: &Material,
        mistake: &str,
        report: &Report,
    ) -> Result<[Measured; 2], String> {
        let run = report.run(&self.scenario);
        let timeline = run.and_then(|run| run.timeline.as_ref()).ok_or_else(|| {
            let runs: Vec<&str> = report
                .runs
                .iter()
                .map(|run| run.scenario.name.as_str())
                .collect();
            format!(
                "`{SCENARIO}{}` is not a run of its check; up to this requirement, there are: {}",
                self.scenario,
                runs.join("; ")
            )
        })?;
        let units: Vec<&str> = self.units.iter().map(String::as_str).collect();
        let essence = self.begin(Picture::of(&units).essence(timeline));
        let is_told = |unit: &&&str| {
            let mut events = essence.events().iter();
            events.any(|event| event.unit.as_deref() == Some(**unit))
        };
        if let Some(unit) = units.iter().find(|unit| !is_told(unit)) {
            return Err(format!(
                "nothing happens to {unit} in the run \"{}\"; correct `{SCENARIO}` or `{UNITS}`",
                self.scenario
            ));
        }
        let mut verdicts = report.verdicts.iter();
        let open = verdicts.find(|verdict| verdict.outcome == Outcome::NotYet);
        let said = open.map_or("", |verdict| verdict.conclusion.trim());
        let said: Vec<&str> = said.split("\n\n").take(PARAGRAPHS).collect();
        let with = timeline
            .measured_with()
            .ok_or("the run does not say what it was measured with")?;
        let name = |extension: &str| format!("{}.{extension}", name(stage, mistake));
        let called = |text: &str| text.replace(&stage.solution(), &stage.package());
        let essence = measured::parse(&called(&essence.to_json_lines()))?;
        let said = called(&said.join("\n\n")) + "\n";
        Ok([
            Measured::timeline(&name("json"), essence),
            Measured::text(&name("txt"), &said, &with),
        ])
    }

    fn begin(&self, essence: Timeline) -> Timeline {
        let Some(until) = self.until else {
            return essence;
        };
        let events = essence.events().iter();
        let events = events.filter(|event| event.at_us <= until * SECOND_US);
        Timeline::new(events.cloned().collect())
    }
}

/// Compares it with the guide's files.
pub(super) fn compare(measured: &[Measured], root: &Path) -> Verified {
    let complaints = measured.iter().filter_map(|one| {
        let complaint = one.complaint(root)?;
        Some(format!(
            "{complaint}\nIf what is measured now is right, type `{WRITE}`, then read what changed"
        ))
    });
    Verified::without(&complaints.collect::<Vec<String>>())
}

/// Writes it into the guide's files.
pub(super) fn write(measured: &[Measured], root: &Path) -> anyhow::Result<()> {
    for one in measured {
        one.write(root).context("cannot write into book/measured")?;
    }
    Ok(())
}

/// The path of a mistake's files below `book/measured`, without an extension.
pub(super) fn name(stage: &Material, mistake: &str) -> String {
    format!("mistakes/{}-{mistake}", stage.number)
}

/// Whether the guide shows a mistake. If it cannot be read, verifying it says so.
pub(super) fn is_shown(mistake: &MistakeFile) -> bool {
    let text = fs::read_to_string(&mistake.path).unwrap_or_default();
    let header = split_patch(&text).map_or("", |(header, _)| header);
    header.lines().any(|line| line.starts_with(SCENARIO))
}

/// Files of the guide that no mistake asks for any more.
pub(super) fn left_over(root: &Path, stage: &Material) -> Vec<String> {
    let shown = stage.mistakes.iter().filter(|mistake| is_shown(mistake));
    let shown: Vec<String> = shown
        .map(|mistake| format!("{}-{}", stage.number, mistake.name))
        .collect();
    let is_left_over = |name: &String| {
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        name.starts_with(&format!("{}-", stage.number)) && !shown.iter().any(|it| it == stem)
    };
    let files = names(&root.join(FOLDER)).into_iter().filter(is_left_over);
    files
        .map(|name| {
            format!(
                "no patch asks for {FOLDER}/{name} with a line `{SCENARIO}<scenario>`; remove it"
            )
        })
        .collect()
}
