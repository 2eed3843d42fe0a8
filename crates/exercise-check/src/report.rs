//! What a check reports beside its tests' own output: for the command line, for JSON, for anything that collects reports.
//!
//! When the variable [`VARIABLE`] names a file, a check appends to it, one line of JSON at a time: first its plan, then
//! each run in the lab and each verdict as soon as there is one. A reader may follow along.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use systemd_lab::protocol::Scenario;
use systemd_lab::{GuestFile, LabError, Timeline};

use crate::verdict::Verdict;

/// Names the file to which each [`Record`] is appended.
pub const VARIABLE: &str = "SYSTEMD_LAB_REPORT";

/// One line of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// What will be judged. May come more than once.
    Plan {
        /// All requirements of the check, in order.
        requirements: Vec<Planned>,
    },
    /// A run waits for a processor. May come again and again.
    Waiting {
        /// How many runs of other processes are ahead. None: it has begun.
        ahead: usize,
    },
    /// A run in the lab has begun, and come so far. May come again and again.
    Running(Running),
    /// A run in the lab has ended.
    Run(Run),
    /// What a run comes to, for a person, whatever the verdicts are: e.g. the incident review of a game day.
    Review(Review),
    /// A requirement was judged.
    Verdict(Verdict),
}

/// A text about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The name of its scenario.
    pub scenario: String,
    /// Its lines.
    pub text: String,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The name of its scenario.
    pub scenario: String,
    /// The guest's time since the scenario began, as its last event says.
    pub virtual_us: u64,
}

/// A requirement that is going to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its place among the requirements, from 1.
    pub number: u32,
    /// Its title.
    pub title: String,
}

/// A run in the lab: all that it takes to make it again, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// What was tried. Its name tells the runs of a check apart.
    pub scenario: Scenario,
    /// What was put into the guest. Files of the host are named here, not kept.
    pub files: Vec<GuestFile>,
    /// What happened; nothing when the lab failed.
    pub timeline: Option<Timeline>,
    /// Why the lab failed.
    pub error: Option<String>,
}

impl Run {
    /// Records a run.
    pub fn new(
        scenario: &Scenario,
        files: &[GuestFile],
        result: Result<&Timeline, &LabError>,
    ) -> Run {
        Run {
            scenario: scenario.clone(),
            files: files.to_vec(),
            timeline: result.ok().cloned(),
            error: result.err().map(LabError::to_string),
        }
    }
}

/// Whether anybody collects: a record may be large.
pub fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Appends a record to the report, if one is wanted.
///
/// A report that cannot be written is not a reason to fail a check: the person who asked for it will miss it.
pub fn append(record: &Record) {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return;
    };
    let Ok(mut line) = serde_json::to_vec(record) else {
        return;
    };
    line.push(b'\n');
    // One write to a file opened for appending: tests of other threads and processes do the same.
    if let Ok(mut file) = File::options()
        .create(true)
        .append(true)
        .open(Path::new(&path))
    {
        let _ = file.write_all(&line);
    }
}

/// A report, as far as it has come.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// All requirements, in order. Empty until the check has begun.
    pub plan: Vec<Planned>,
    /// How many runs of other processes a run waits for, as it last said.
    pub waiting: usize,
    /// The runs that have begun and not ended, in the order in which they began.
    pub running: Vec<Running>,
    /// The runs, in the order of their scenarios' names.
    pub runs: Vec<Run>,
    /// Texts about the runs, in the order of their scenarios' names.
    pub reviews: Vec<Review>,
    /// The verdicts, in the order of their requirements.
    pub verdicts: Vec<Verdict>,
    /// How many lines were read.
    lines: usize,
}

/// A line of a report that no check of this version has written.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the check's report is not a record of this version; check again")]
pub struct ReportError {
    /// Counted from 1.
    pub line: usize,
    /// Why.
    source: serde_json::Error,
}

impl Report {
    /// Reads a report. An incomplete last line is still being written, and left out.
    ///
    /// # Errors
    ///
    /// When a line is damaged.
    pub fn parse(text: &str) -> Result<Report, ReportError> {
        let mut report = Report::default();
        report.go_on(text)?;
        Ok(report)
    }

    /// Reads what comes after that which was read before, and returns how many bytes of it were whole lines: the others are to be
    /// given again, with what follows them.
    ///
    /// # Errors
    ///
    /// When a line is damaged.
    pub fn go_on(&mut self, text: &str) -> Result<usize, ReportError> {
        let mut read = 0;
        for line in text.split_inclusive('\n') {
            if !line.ends_with('\n') {
                break;
            }
            self.lines += 1;
            let record = serde_json::from_str(line).map_err(|source| ReportError {
                line: self.lines,
                source,
            })?;
            self.add(record);
            read += line.len();
        }
        Ok(read)
    }

    /// Adds a record.
    pub fn add(&mut self, record: Record) {
        match record {
            Record::Plan { requirements } => self.plan = requirements,
            Record::Waiting { ahead } => self.waiting = ahead,
            Record::Running(running) => {
                let mut all = self.running.iter_mut();
                match all.find(|it| it.scenario == running.scenario) {
                    Some(known) => *known = running,
                    None => self.running.push(running),
                }
            }
            Record::Run(run) => {
                self.running
                    .retain(|running| running.scenario != run.scenario.name);
                // Not as they ended: which of them ends first is the host's affair.
                let later = |other: &Run| other.scenario.name > run.scenario.name;
                let place = self.runs.iter().position(later);
                self.runs.insert(place.unwrap_or(self.runs.len()), run);
            }
            Record::Review(review) => {
                let later = |other: &Review| other.scenario > review.scenario;
                let place = self.reviews.iter().position(later);
                let place = place.unwrap_or(self.reviews.len());
                self.reviews.insert(place, review);
            }
            Record::Verdict(verdict) => {
                let later = |other: &Verdict| other.number > verdict.number;
                let place = self.verdicts.iter().position(later);
                let place = place.unwrap_or(self.verdicts.len());
                self.verdicts.insert(place, verdict);
            }
        }
    }

    /// The run of this scenario.
    pub fn run(&self, scenario: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.scenario.name == scenario)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::Outcome;

    /// What a report is made of.
    const PARTS: &[&str] = &[
        "\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "\\",
        "\"record\":",
        "\"plan\"",
        "\"run\"",
        "\"verdict\"",
        "\"number\":",
        "\"requirements\":[]",
        "{\"record\":\"waiting\",\"ahead\":1}\n",
        "-1",
        "1e999",
        "null",
        "\u{feff}",
        "\u{0}",
        "99999999999999999999",
    ];

    proptest! {
        #![proptest_config(fuzzed::config())]

        /// An attendee may edit what the last check left, and a check may be ended while it writes.
        #[test]
        fn any_text_is_read_without_a_panic(parts in prop::collection::vec(prop::sample::select(PARTS), 0..30)) {
            let text = parts.concat();
            let mut report = Report::default();
            if let Ok(read) = report.go_on(&text) {
                prop_assert_eq!(&text[read..], text.rsplit('\n').next().unwrap_or_default());
            }
        }
    }

    fn verdict(number: u32) -> Record {
        Record::Verdict(Verdict {
            number,
            of: 2,
            title: "t".into(),
            outcome: Outcome::Passed,
            diagnosis: None,
            scenario: None,
            difference: String::new(),
            conclusion: String::new(),
        })
    }

    fn lines(records: &[Record]) -> String {
        let line = |record: &Record| serde_json::to_string(record).expect("it is JSON") + "\n";
        records.iter().map(line).collect()
    }

    #[test]
    fn verdicts_are_sorted_and_half_a_line_is_left_for_later() {
        let text = lines(&[verdict(2), verdict(1), verdict(3)]);
        let report = Report::parse(&text[..text.len() - 1]).expect("what is whole is good");
        let numbers: Vec<u32> = report.verdicts.iter().map(|one| one.number).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn reviews_are_sorted_by_their_scenarios() {
        let review = |scenario: &str| {
            Record::Review(Review {
                scenario: scenario.to_owned(),
                text: format!("about {scenario}"),
            })
        };
        let report = Report::parse(&lines(&[review("b"), review("a")])).expect("it is good");
        let texts: Vec<&str> = report.reviews.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(texts, ["about a", "about b"]);
    }

    #[test]
    fn a_run_is_under_way_until_it_has_ended() {
        let running = |scenario: &str, virtual_us| {
            Record::Running(Running {
                scenario: scenario.to_owned(),
                virtual_us,
            })
        };
        let ended = Run::new(&Scenario::new("b"), &[], Ok(&Timeline::new(Vec::new())));
        let first = lines(&[running("b", 0), running("a", 0), running("b", 7)]);
        let mut report = Report::default();
        // Half a line is given again.
        let read = report.go_on(&first[..first.len() - 5]).expect("it is good");
        report.go_on(&first[read..]).expect("it is good");
        let under_way = |report: &Report| -> Vec<(String, u64)> {
            let all = report.running.iter();
            all.map(|it| (it.scenario.clone(), it.virtual_us)).collect()
        };
        assert_eq!(under_way(&report), [("b".into(), 7), ("a".into(), 0)]);
        let rest = lines(&[Record::Run(ended)]);
        report.go_on(&rest).expect("it is good");
        assert_eq!(under_way(&report), [("a".into(), 0)]);
        let damaged = report.go_on("{}\n").expect_err("it is not a record");
        assert_eq!(damaged.line, 5);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let text = lines(&[verdict(1)]) + "{}\n";
        let error = Report::parse(&text).expect_err("an empty object is not a record");
        assert!(
            error
                .to_string()
                .starts_with("line 2 of the check's report")
        );
    }
}
