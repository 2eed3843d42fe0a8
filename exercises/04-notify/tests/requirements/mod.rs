//! The requirements of stage 04: what each tries, what it looks at, and which causes it knows.

mod scenarios;
mod transcript;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::protocol::{self, ProtocolError, Transcript};
use systemd_lab::check::{Observed, Requirement};
use systemd_lab::diagnosis::{Case, Rule, diagnose, readiness, stopping, unit_file};
use systemd_lab::{GuestFile, LabError, Timeline, View};

/// Where the service must listen.
const ADDRESS: &str = "127.0.0.1:7878";

/// In the snapshots every service is called this.
const CANONICAL_NAME: &str = "exercise-04";

/// A service under test, and what has been seen of it so far.
pub(crate) struct Subject {
    /// The package that is checked, and the name of its units.
    package: String,
    /// What a person types to check again.
    command: String,
    /// The files that a person edits.
    sources: [PathBuf; 2],
    binary: PathBuf,
    unit: PathBuf,
    client_unit: PathBuf,
    start_and_stop: OnceLock<Seen>,
    hanging_start: OnceLock<Seen>,
    long_warm_up: OnceLock<Seen>,
    protocol: OnceLock<Heard>,
    by_hand: OnceLock<Heard>,
}

impl Subject {
    /// A package's binary and unit file, or others that take their place.
    pub(crate) fn new(package: &str, binary: PathBuf, unit: PathBuf) -> Subject {
        let folder = if package == CANONICAL_NAME {
            "exercises"
        } else {
            "solutions"
        };
        Subject {
            package: package.to_owned(),
            command: format!("cargo test -p {package}"),
            sources: [
                format!("{folder}/04-notify/src/main.rs").into(),
                format!("units/{package}.service").into(),
            ],
            binary,
            unit,
            client_unit: root().join(format!("units/{package}-client.service")),
            start_and_stop: OnceLock::new(),
            hanging_start: OnceLock::new(),
            long_warm_up: OnceLock::new(),
            protocol: OnceLock::new(),
            by_hand: OnceLock::new(),
        }
    }

    fn service(&self) -> String {
        format!("{}.service", self.package)
    }

    fn client(&self) -> String {
        format!("{}-client.service", self.package)
    }

    fn files(&self) -> Vec<GuestFile> {
        vec![
            GuestFile::program(format!("/usr/local/bin/{}", self.package), &self.binary),
            GuestFile::copy(
                format!("/etc/systemd/system/{}", self.service()),
                &self.unit,
            ),
            GuestFile::copy(
                format!("/etc/systemd/system/{}", self.client()),
                &self.client_unit,
            ),
        ]
    }

    /// A drop-in that sets one variable of the service's environment: `src/data.rs` says which there are.
    fn environment(&self, assignment: &str) -> GuestFile {
        let path = format!("/etc/systemd/system/{}.d/environment.conf", self.service());
        GuestFile::text(path, format!("[Service]\nEnvironment={assignment}\n"))
    }

    /// Three requirements look at the same run, from a dependent's start to the end of the stop.
    pub(crate) fn start_and_stop(&self) -> Seen {
        let run = || scenarios::start_and_stop(self);
        self.start_and_stop.get_or_init(run).clone()
    }

    pub(crate) fn hanging_start(&self) -> Seen {
        let run = || scenarios::hanging_start(self);
        self.hanging_start.get_or_init(run).clone()
    }

    pub(crate) fn long_warm_up(&self) -> Seen {
        let run = || scenarios::long_warm_up(self);
        self.long_warm_up.get_or_init(run).clone()
    }

    pub(crate) fn protocol(&self) -> Heard {
        let run = || heard(protocol::with_notify_socket(&self.binary));
        self.protocol.get_or_init(run).clone()
    }

    pub(crate) fn by_hand(&self) -> Heard {
        let run = || heard(protocol::by_hand(&self.binary));
        self.by_hand.get_or_init(run).clone()
    }
}

/// A transcript, or why there is none.
type Heard = Result<Arc<Transcript>, Arc<LabError>>;

fn heard(transcript: Result<Transcript, ProtocolError>) -> Heard {
    transcript.map(Arc::new).map_err(|error| {
        Arc::new(LabError::Host {
            message: error.to_string(),
        })
    })
}

/// A run, or why there is none. Shared, since several requirements may look at it.
type Seen = Result<Arc<Timeline>, Arc<LabError>>;

/// One requirement of the stage.
pub(crate) struct Stage04 {
    number: u32,
    title: &'static str,
    snapshot: &'static str,
    observe: fn(&Subject) -> Result<Observed, Arc<LabError>>,
}

/// All requirements, in the order in which a person meets them.
pub(crate) const ALL: [&Stage04; 7] = [
    &READY,
    &STATUS,
    &STOP,
    &HANGING_START,
    &LONG_WARM_UP,
    &PROTOCOL,
    &BY_HAND,
];

pub(crate) const READY: Stage04 = Stage04 {
    number: 1,
    title: "READY=1 means that it answers",
    snapshot: "ready",
    observe: |subject| {
        let timeline = subject.start_and_stop()?;
        let (service, client) = (subject.service(), subject.client());
        let view = View::of(&[&service, &client])
            .jobs()
            .states()
            .notifications(&["READY=1"])
            .exits()
            .logs_of(&client);
        let shown = view.until("stop-sigterm").render(&timeline);
        Ok(observed(
            subject,
            &timeline,
            shown,
            &[unit_file::RULES, readiness::START],
        ))
    },
};

pub(crate) const STATUS: Stage04 = Stage04 {
    number: 2,
    title: "STATUS= says what it does",
    snapshot: "status",
    observe: |subject| {
        let timeline = subject.start_and_stop()?;
        let shown = scenarios::statuses(subject, &timeline);
        Ok(observed(
            subject,
            &timeline,
            shown,
            &[
                unit_file::RULES,
                readiness::START,
                &[stopping::no_signal_handler, readiness::status_missing],
            ],
        ))
    },
};

pub(crate) const STOP: Stage04 = Stage04 {
    number: 3,
    title: "a stop is announced, answers what is in flight, and is bounded",
    snapshot: "stop",
    observe: |subject| {
        let timeline = subject.start_and_stop()?;
        let view = View::of(&[&subject.service()])
            .states()
            .notifications(&["STOPPING=1"])
            .exits()
            .results();
        // Any time below TimeoutStopSec= will do: whether it was kept shows in how the process ended.
        let view = view
            .deadlines()
            .responses()
            .jobs()
            .since("stop-sigterm")
            .without_distances();
        Ok(observed(
            subject,
            &timeline,
            view.render(&timeline),
            &[unit_file::RULES, stopping::RULES],
        ))
    },
};

pub(crate) const HANGING_START: Stage04 = Stage04 {
    number: 4,
    title: "a start that hangs is ended after 10 s",
    snapshot: "hanging-start",
    observe: |subject| {
        let timeline = subject.hanging_start()?;
        let view = View::of(&[&subject.service()])
            .states()
            .exits()
            .results()
            .deadlines()
            .jobs();
        let rules = [
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::GIVEN_UP,
            readiness::START,
        ];
        Ok(observed(subject, &timeline, view.render(&timeline), &rules))
    },
};

pub(crate) const LONG_WARM_UP: Stage04 = Stage04 {
    number: 5,
    title: "a warm-up of 30 s is kept alive",
    snapshot: "long-warm-up",
    observe: |subject| {
        let timeline = subject.long_warm_up()?;
        let view = View::of(&[&subject.service()])
            .states()
            .exits()
            .deadlines()
            .jobs()
            .notifications(&["READY=1"]);
        let rules = [
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::KEPT_ALIVE,
            readiness::START,
        ];
        Ok(observed(
            subject,
            &timeline,
            view.until("stop-sigterm").render(&timeline),
            &rules,
        ))
    },
};

pub(crate) const PROTOCOL: Stage04 = Stage04 {
    number: 6,
    title: "it speaks the notification protocol, in order",
    snapshot: "protocol",
    observe: |subject| Ok(observed_on_host(&*subject.protocol()?)),
};

pub(crate) const BY_HAND: Stage04 = Stage04 {
    number: 7,
    title: "it runs by hand, without systemd",
    snapshot: "by-hand",
    observe: |subject| Ok(observed_on_host(&*subject.by_hand()?)),
};

fn observed_on_host(transcript: &Transcript) -> Observed {
    Observed {
        shown: transcript.lines.join("\n"),
        diagnosis: transcript::diagnose(&transcript.lines),
        witness: "the other end of the notify socket",
    }
}

fn observed(subject: &Subject, timeline: &Timeline, shown: String, rules: &[&[Rule]]) -> Observed {
    let case = Case {
        timeline,
        unit: &subject.service(),
        address: ADDRESS,
    };
    Observed {
        shown,
        diagnosis: rules.iter().find_map(|rules| diagnose(&case, rules)),
        witness: "systemd",
    }
}

impl Stage04 {
    /// What is asked, and what was seen.
    pub(crate) fn observe(
        &self,
        subject: &Subject,
    ) -> (Requirement, Result<Observed, Arc<LabError>>) {
        (self.requirement(subject), (self.observe)(subject))
    }

    fn requirement(&self, subject: &Subject) -> Requirement {
        let [code, unit] = &subject.sources;
        Requirement {
            number: self.number,
            of: ALL.len() as u32,
            title: self.title.to_owned(),
            snapshot: (
                root().join("exercises/04-notify/tests/snapshots"),
                self.snapshot.to_owned(),
            ),
            names: vec![(CANONICAL_NAME.to_owned(), subject.package.clone())],
            next: format!(
                "Edit {} or {}, then type:\n\n    {} r{}\n",
                code.display(),
                unit.display(),
                subject.command,
                self.number
            ),
        }
    }
}

/// The workspace: the tests of exercise, solution and mistakes lie equally deep in it.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .nth(2)
        .expect("packages of a stage lie two folders below the workspace")
}
