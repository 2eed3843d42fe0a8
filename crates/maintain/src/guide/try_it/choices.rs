//! What readers can choose on the page, and the unit file for each choice.

use std::time::Duration;

use serde::Serialize;

/// How long a service runs, unless its [`CAUSE`] ends it at once.
const LIFE: Duration = Duration::from_secs(20);

/// One question of the page.
#[derive(Debug, Serialize)]
pub(super) struct Question {
    /// Its name in the link to a choice.
    pub(super) id: &'static str,
    /// What it is called.
    pub(super) label: &'static str,
    /// Its answers.
    pub(super) answers: &'static [Answer],
}

/// One answer, and what it puts into the unit file.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// Its name in the link to a choice, and in the units' names.
    pub(super) id: &'static str,
    /// What it is called.
    pub(super) label: &'static str,
    /// Lines for `[Unit]`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) unit: &'static [&'static str],
    /// Lines for `[Service]`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) service: &'static [&'static str],
}

/// A choice of one answer to each question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Indices into the answers of [`RESTART`], [`CAUSE`], [`DELAY`] and [`LIMIT`].
    pub(super) answers: [usize; 4],
}

const fn restart(id: &'static str, line: &'static [&'static str]) -> Answer {
    Answer {
        id,
        label: id,
        unit: &[],
        service: line,
    }
}

/// `Restart=`, in the order of the table in systemd.service(5).
pub(super) const RESTART: Question = Question {
    id: "restart",
    label: "Restart=",
    answers: &[
        restart("no", &["Restart=no"]),
        restart("always", &["Restart=always"]),
        restart("on-success", &["Restart=on-success"]),
        restart("on-failure", &["Restart=on-failure"]),
        restart("on-abnormal", &["Restart=on-abnormal"]),
        restart("on-abort", &["Restart=on-abort"]),
        restart("on-watchdog", &["Restart=on-watchdog"]),
    ],
};

const fn cause(id: &'static str, label: &'static str, service: &'static [&'static str]) -> Answer {
    Answer {
        id,
        label,
        unit: &[],
        service,
    }
}

/// How the service ends, each time. It runs for 20 s, which is longer than the default start limit's interval, so that a service that
/// starts well differs there from one that does not. A `$` is doubled for systemd.
pub(super) const CAUSE: Question = Question {
    id: "cause",
    label: "How it ends",
    answers: &[
        cause(
            "exit-1-at-once",
            "fails at start: exit code 1 at once",
            &["Type=exec", "ExecStart=/usr/bin/false"],
        ),
        cause(
            "hiccup",
            "fails at the first two starts, then runs",
            &[
                "Type=exec",
                "ExecStart=/usr/bin/bash -c 'mkdir /run/%N-1 || mkdir /run/%N-2 || exec sleep infinity; exit 1'",
            ],
        ),
        cause(
            "exit-1",
            "fails after 20 s: exit code 1",
            &["Type=exec", "ExecStart=/usr/bin/bash -c 'sleep 20; exit 1'"],
        ),
        cause(
            "exit-0",
            "is done after 20 s: exit code 0",
            &["Type=exec", "ExecStart=/usr/bin/sleep 20"],
        ),
        cause(
            "sigterm",
            "SIGTERM after 20 s, not from systemd",
            &[
                "Type=exec",
                "ExecStart=/usr/bin/bash -c 'sleep 20; kill -TERM $$$$'",
            ],
        ),
        cause(
            "sigkill",
            "SIGKILL after 20 s",
            &[
                "Type=exec",
                "ExecStart=/usr/bin/bash -c 'sleep 20; kill -KILL $$$$'",
            ],
        ),
        cause(
            "sigabrt",
            "crashes after 20 s: SIGABRT, core dump",
            &[
                "Type=exec",
                "ExecStart=/usr/bin/bash -c 'sleep 20; kill -ABRT $$$$'",
            ],
        ),
        cause(
            "start-timeout",
            "never says READY=1: start timeout after 20 s",
            &[
                "Type=notify",
                "TimeoutStartSec=20s",
                "ExecStart=/usr/bin/sleep infinity",
            ],
        ),
        cause(
            "watchdog",
            "hangs: watchdog timeout after 20 s",
            &[
                "Type=exec",
                "WatchdogSec=20s",
                "ExecStart=/usr/bin/sleep infinity",
            ],
        ),
    ],
};

/// `RestartSec=`.
pub(super) const DELAY: Question = Question {
    id: "delay",
    label: "RestartSec=",
    answers: &[
        cause("100ms", "100ms (default)", &["RestartSec=100ms"]),
        cause("5s", "5s", &["RestartSec=5s"]),
        cause("1min", "1min", &["RestartSec=1min"]),
    ],
};

const fn limit(id: &'static str, label: &'static str, unit: &'static [&'static str]) -> Answer {
    Answer {
        id,
        label,
        unit,
        service: &[],
    }
}

/// The start limit.
pub(super) const LIMIT: Question = Question {
    id: "limit",
    label: "Start limit",
    answers: &[
        limit(
            "5-in-10s",
            "5 starts in 10s (default)",
            &["StartLimitIntervalSec=10s", "StartLimitBurst=5"],
        ),
        limit(
            "3-in-5min",
            "3 starts in 5min",
            &["StartLimitIntervalSec=5min", "StartLimitBurst=3"],
        ),
        limit("off", "off", &["StartLimitIntervalSec=0"]),
    ],
};

/// All questions.
pub(super) const QUESTIONS: [Question; 4] = [RESTART, CAUSE, DELAY, LIMIT];

/// The choices for which delays and limits other than the default are measured as well: one setting that restarts after most causes, and
/// one that restarts after a clean end. Other signals end a service like these. Each start costs a fifth of a second of processor time,
/// so all 567 choices would take minutes.
const THOROUGHLY: [(&str, &[&str]); 2] = [
    (
        "on-failure",
        &[
            "exit-1-at-once",
            "hiccup",
            "exit-1",
            "sigabrt",
            "start-timeout",
            "watchdog",
        ],
    ),
    ("always", &["exit-0"]),
];

impl Choice {
    /// The choices that are measured, in the order of the questions.
    pub(super) fn measured() -> Vec<Choice> {
        let mut measured = Vec::new();
        for restart in 0..RESTART.answers.len() {
            for cause in 0..CAUSE.answers.len() {
                for delay in 0..DELAY.answers.len() {
                    for limit in 0..LIMIT.answers.len() {
                        let choice = Choice {
                            answers: [restart, cause, delay, limit],
                        };
                        if choice.is_measured() {
                            measured.push(choice);
                        }
                    }
                }
            }
        }
        measured
    }

    fn is_measured(&self) -> bool {
        let [restart, cause, delay, limit] = self.answers;
        let is_default = delay == 0 && limit == 0;
        let (restart, cause) = (RESTART.answers[restart].id, CAUSE.answers[cause].id);
        is_default
            || THOROUGHLY
                .iter()
                .any(|(setting, causes)| *setting == restart && causes.contains(&cause))
    }

    fn chosen(&self) -> impl Iterator<Item = &'static Answer> {
        QUESTIONS
            .into_iter()
            .zip(self.answers)
            .map(|(question, answer)| &question.answers[answer])
    }

    /// Its name in the data, e.g. `on-failure exit-1 5s off`.
    pub(super) fn key(&self) -> String {
        let ids: Vec<&str> = self.chosen().map(|answer| answer.id).collect();
        ids.join(" ")
    }

    /// The unit's name in the guest.
    pub(super) fn unit_name(&self) -> String {
        format!("{}.service", self.key().replace(' ', "_"))
    }

    /// The unit file, in full and as the page shows it.
    pub(super) fn unit_text(&self) -> String {
        let lines = |of: fn(&Answer) -> &'static [&'static str]| {
            let lines: Vec<&str> = self.chosen().flat_map(of).copied().collect();
            lines.join("\n")
        };
        format!(
            "[Unit]\n{}\n\n[Service]\n{}\n",
            lines(|answer| answer.unit),
            lines(|answer| answer.service)
        )
    }

    /// How long the service should run, and how long systemd should wait then. This only decides how long to watch.
    pub(super) fn round(&self) -> Duration {
        let [_, cause, delay, _] = self.answers;
        let life = match CAUSE.answers[cause].id {
            "exit-1-at-once" | "hiccup" => Duration::ZERO,
            _ => LIFE,
        };
        life + match DELAY.answers[delay].id {
            "1min" => Duration::from_secs(60),
            "5s" => Duration::from_secs(5),
            _ => Duration::from_millis(100),
        }
    }

    /// Whether the service ends at once and nothing slows systemd down: then it starts several times a second.
    pub(super) fn is_quick(&self) -> bool {
        let [_, cause, delay, limit] = self.answers;
        CAUSE.answers[cause].id == "exit-1-at-once"
            && DELAY.answers[delay].id == "100ms"
            && LIMIT.answers[limit].id == "off"
    }
}
