//! A timeline that is stored in a file, to compare later ones with.
//!
//! The file is text that people can read and commit. It has the versions that it was measured with and the plan, in lines
//! that begin with `#`; an empty line; then a line for each event: time, unit (`-` for none) and what happened.
//! [`compare`](systemd_timeline::compare) says what may differ.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use similar::TextDiff;

use super::Experiment;
use super::story::{Detail, END, Line};
use systemd_timeline::Timeline;
use systemd_timeline::compare::{Moment, Tolerance, compare, exact_time};

/// Asks [`Experiment::check_saved`] to write the file when it is `write`.
pub const SAVED_VARIABLE: &str = "SYSTEMD_LAB_SAVED";

/// The beginning of the line with the versions.
const MEASURED_WITH: &str = "# measured with ";

/// The beginning of the lines of the plan.
const PLAN: &str = "#";

/// No run is longer: a file with a later time is damaged.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// The unit of an event that is not about a unit.
const NO_UNIT: &str = "-";

/// Why a timeline does not match the file.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The file does not exist, or cannot be read or written.
    #[error("cannot use {path}: {source}; to write it, set {SAVED_VARIABLE}=write")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not a saved timeline.
    #[error(
        "line {line} of the saved timeline is {text:?}; expected a time, a unit and an event, such as \"0:05.250  my.service  restart 1\". Save it again"
    )]
    Format {
        /// The line's number, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// There is no event in the file.
    #[error("there is no event in the saved timeline; it is empty, or another file. Save it again")]
    Empty,
    /// The file lacks its last line.
    #[error("the saved timeline ends early; expected \"{END}\" as its last line. Save it again")]
    CutOff,
    /// A different event happened.
    #[error(
        "not as in {path} (-), but (+):\n\n{difference}\nIf this is right, set {SAVED_VARIABLE}=write once, and read what changed"
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// The difference, for people.
        difference: String,
    },
}

impl Experiment {
    /// The timeline in the form of a file: what it was measured with, the plan, and each event with its exact time. It leaves
    /// out what services log and write into `STATUS=`.
    pub fn saved(&self, timeline: &Timeline) -> String {
        let mut text = String::new();
        if let Some(with) = timeline.measured_with() {
            let _ = writeln!(text, "{MEASURED_WITH}{with}");
        }
        let moments = self.moments(timeline);
        text += &self.plan();
        text.push('\n');
        let widest = |of: &dyn Fn(&Moment) -> usize| moments.iter().map(of).max().unwrap_or(0);
        let times = widest(&|moment| exact_time(moment.at).len());
        let units = widest(&|moment| moment.unit.len());
        for moment in &moments {
            let unit = match moment.unit.as_str() {
                "" => NO_UNIT,
                unit => unit,
            };
            let (time, what) = (exact_time(moment.at), &moment.what);
            let _ = writeln!(text, "{time:>times$}  {unit:units$}  {what}");
        }
        text
    }

    /// The difference from a saved timeline, for people; `None` if there is none. [`compare`](systemd_timeline::compare) says what
    /// may differ.
    ///
    /// # Errors
    ///
    /// [`SavedError::Format`] when `saved` is not a saved timeline.
    pub fn difference(
        &self,
        saved: &str,
        timeline: &Timeline,
    ) -> Result<Option<String>, SavedError> {
        self.difference_within(saved, timeline, Tolerance::SAME_SERVICE)
    }

    /// As [`Self::difference`], with a different tolerance.
    ///
    /// # Errors
    ///
    /// As [`Self::difference`].
    pub fn difference_within(
        &self,
        saved: &str,
        timeline: &Timeline,
        tolerance: Tolerance,
    ) -> Result<Option<String>, SavedError> {
        let saved = Saved::parse(saved)?;
        let moments = self.moments(timeline);
        let mut text = String::new();
        let plan = self.plan();
        if saved.plan != plan {
            text += &indented(&saved.plan, &plan);
        }
        if let Some(difference) = compare(&saved.moments, &moments, tolerance) {
            text += &difference.hunks();
        }
        if text.is_empty() {
            return Ok(None);
        }
        let with = timeline.measured_with().map(|with| with.to_string());
        if let (Some(now), Some(then)) = (&with, &saved.measured_with)
            && now != then
        {
            let _ = write!(
                text,
                "\nThe guest is a different one, which may be why. It was measured with {then};\nthis is {now}.\n"
            );
        }
        Ok(Some(text))
    }

    /// Everything that is stored and compared. What commands print is left out, like what services log.
    fn moments(&self, timeline: &Timeline) -> Vec<Moment> {
        let lines = self.lines(timeline, Detail::Usual);
        let kept = lines.iter().filter(|line| !line.is_output());
        kept.map(Line::moment).collect()
    }

    /// Checks that a timeline matches the file: for tests. If [`SAVED_VARIABLE`] is `write`, it overwrites a file that does not
    /// match.
    ///
    /// # Errors
    ///
    /// The difference, or why the file cannot be used.
    pub fn check_saved(
        &self,
        path: impl AsRef<Path>,
        timeline: &Timeline,
    ) -> Result<(), SavedError> {
        let path = path.as_ref();
        let cannot = |source| SavedError::File {
            path: path.to_owned(),
            source,
        };
        let write = env::var_os(SAVED_VARIABLE).is_some_and(|value| value == "write");
        let difference = match fs::read_to_string(path) {
            Ok(saved) => self.difference(&saved, timeline),
            Err(error) if !write => return Err(cannot(error)),
            Err(_) => Ok(Some(String::new())),
        };
        match difference {
            Ok(None) => Ok(()),
            _ if write => fs::write(path, self.saved(timeline)).map_err(cannot),
            Ok(Some(difference)) => Err(SavedError::Differs {
                path: path.to_owned(),
                difference,
            }),
            Err(error) => Err(error),
        }
    }
}

/// The content of such a file.
struct Saved {
    measured_with: Option<String>,
    plan: String,
    moments: Vec<Moment>,
}

impl Saved {
    fn parse(text: &str) -> Result<Saved, SavedError> {
        let mut saved = Saved {
            measured_with: None,
            plan: String::new(),
            moments: Vec::new(),
        };
        // Editors on Windows put a byte order mark there.
        let text = text.trim_start_matches('\u{feff}');
        for (index, line) in text.lines().enumerate() {
            if let Some(with) = line.strip_prefix(MEASURED_WITH) {
                saved.measured_with = Some(with.to_owned());
            } else if line.starts_with(PLAN) {
                saved.plan += &format!("{line}\n");
            } else if !line.trim().is_empty() {
                let moment = moment(line).ok_or_else(|| SavedError::Format {
                    line: index + 1,
                    text: line.to_owned(),
                })?;
                saved.moments.push(moment);
            }
        }
        match saved.moments.last() {
            None => Err(SavedError::Empty),
            Some(last) if last.what != END => Err(SavedError::CutOff),
            Some(_) => Ok(saved),
        }
    }
}

/// Reads e.g. `0:05.250  my.service  restart 1`.
fn moment(line: &str) -> Option<Moment> {
    let (time, rest) = line.trim_start().split_once("  ")?;
    let (unit, what) = rest.split_once("  ")?;
    Some(Moment {
        at: parsed(time)?,
        unit: match unit {
            NO_UNIT => String::new(),
            unit => unit.to_owned(),
        },
        what: what.trim().to_owned(),
    })
}

/// Reads e.g. `1:00:05.250`.
fn parsed(time: &str) -> Option<Duration> {
    let (whole, thousandths) = time.split_once('.')?;
    let seconds = whole.split(':').try_fold(0_u64, |seconds, part| {
        seconds.checked_mul(60)?.checked_add(part.parse().ok()?)
    })?;
    let thousandths: u64 = thousandths.parse().ok().filter(|it| *it < 1000)?;
    let seconds = Duration::from_secs(seconds);
    (seconds < LONGEST).then(|| seconds + Duration::from_millis(thousandths))
}

/// A diff of two plans.
fn indented(expected: &str, seen: &str) -> String {
    let diff = TextDiff::from_lines(expected, seen);
    let changes = diff.iter_all_changes();
    changes
        .map(|change| format!("  {} {change}", change.tag()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;
    use systemd_lab_protocol::{Event, EventKind};

    fn experiment() -> Experiment {
        Experiment::new("a.service").lasting(Duration::from_secs(20))
    }

    fn timeline(kernel: &str, restart_ms: u64) -> Timeline {
        let event = |at_ms: u64, unit: Option<&str>, kind| Event {
            at_us: at_ms * 1000,
            unit: unit.map(str::to_owned),
            source: Source::Agent,
            kind,
        };
        let changed = |from: &str, to: &str| EventKind::StateChanged {
            from: from.into(),
            to: to.into(),
        };
        let hello = EventKind::Hello {
            protocol: 1,
            kernel: kernel.into(),
            systemd: "257".into(),
            qemu: Some("7.2.22".into()),
        };
        let began = EventKind::ScenarioBegan { name: "t".into() };
        let unit = Some("a.service");
        Timeline::new(vec![
            event(55_000, None, hello),
            event(60_000, None, began),
            event(60_048, unit, changed("dead", "running")),
            event(
                60_000 + restart_ms,
                unit,
                EventKind::RestartScheduled { counter: 1 },
            ),
            event(80_000, None, EventKind::ScenarioEnded),
        ])
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let saved = experiment().saved(&timeline("6.12", 5_250));
        insta::assert_snapshot!(saved, @r"
        # measured with Linux 6.12, systemd 257, QEMU 7.2.22
        # a.service for 20s

        0:00.048  a.service  dead -> running
        0:05.250  a.service  restart 1
        0:20.000  -          end
        ");
        let difference = experiment().difference(&saved, &timeline("6.12", 5_250));
        assert_eq!(difference.expect("it is right"), None);
        let exact =
            experiment().difference_within(&saved, &timeline("6.12", 5_250), Tolerance::NONE);
        assert_eq!(exact.expect("it is right"), None);
    }

    #[test]
    fn another_guest_is_named_only_where_something_differs() {
        let saved = experiment().saved(&timeline("6.12", 5_250));
        let difference = |restart_ms| {
            let difference = experiment().difference(&saved, &timeline("6.13", restart_ms));
            difference.expect("it is right")
        };
        assert_eq!(difference(5_500), None);
        insta::assert_snapshot!(difference(7_250).expect("it differs"), @r"
            0:00  a.service  dead -> running
          - 0:05  a.service  restart 1
          + 0:07  a.service  restart 1
            0:20             end

        The guest is a different one, which may be why. It was measured with Linux 6.12, systemd 257, QEMU 7.2.22;
        this is Linux 6.13, systemd 257, QEMU 7.2.22.
        ");
    }

    #[test]
    fn a_file_that_is_empty_or_cut_off_is_named() {
        let saved = experiment().saved(&timeline("6.12", 5_250));
        let cut = &saved[..saved.len() - "0:20.000  -          end\n".len()];
        let error = |text: &str| experiment().difference(text, &timeline("6.12", 5_250));
        assert_eq!(
            error(cut).expect_err("it is cut").to_string(),
            "the saved timeline ends early; expected \"end\" as its last line. Save it again"
        );
        for empty in ["", "# a.service for 20s\n"] {
            assert_eq!(
                error(empty).expect_err("it is empty").to_string(),
                "there is no event in the saved timeline; it is empty, or another file. Save it again"
            );
        }
        let marked = format!("\u{feff}{}", saved.replace('\n', "\r\n"));
        assert_eq!(error(&marked).expect("an editor saved it"), None);
    }

    #[test]
    fn a_test_says_what_differs_and_what_to_do() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let saved = experiment().saved(&timeline("6.12", 5_250));
        fs::write(file.path(), saved).expect("it is ours");
        let error = experiment().check_saved(file.path(), &timeline("6.12", 7_250));
        let error = error.expect_err("it differs").to_string();
        assert_eq!(
            error.replace(&file.path().display().to_string(), "FILE"),
            "not as in FILE (-), but (+):\n\n    0:00  a.service  dead -> running\n  - 0:05  a.service  restart 1\n  + 0:07  a.service  restart 1\n    0:20             end\n\nIf this is right, set SYSTEMD_LAB_SAVED=write once, and read what changed"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_to_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("absent");
        let error = experiment().check_saved(&path, &timeline("6.12", 5_250));
        assert_eq!(
            error
                .expect_err("it is absent")
                .to_string()
                .replace(&path.display().to_string(), "FILE"),
            "cannot use FILE: No such file or directory (os error 2); to write it, set SYSTEMD_LAB_SAVED=write"
        );
    }

    #[test]
    fn another_plan_is_a_difference() {
        let saved = experiment().saved(&timeline("6.12", 5_250));
        let longer = experiment().lasting(Duration::from_secs(30));
        let difference = longer.difference(&saved, &timeline("6.12", 5_250));
        let difference = difference.expect("it is right").expect("they differ");
        assert!(difference.contains("- # a.service for 20s"), "{difference}");
    }

    #[test]
    fn a_file_that_is_something_else_is_named_with_its_line() {
        for wrong in [
            "0:05  a.service  restart 1",
            "0:05.250 a",
            "x.250  a  b",
            "9:99.9999  a  b",
            "18446744073709551615.999  a  b",
        ] {
            let text = format!("# plan\n\n{wrong}\n");
            let error = experiment().difference(&text, &timeline("6.12", 5_250));
            assert_eq!(
                error.expect_err(wrong).to_string(),
                format!(
                    "line 3 of the saved timeline is \"{wrong}\"; expected a time, a unit and an event, such as \"0:05.250  my.service  restart 1\". Save it again"
                )
            );
        }
    }
}
