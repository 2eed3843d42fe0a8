//! The plans in `examples/services` that the guide shows, and what it shows of each.

/// The plan whose program is a release build.
pub(super) const RELEASE_BUILD: &str = "ten-faults/assert";

/// What a page shows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The picture of these units: `NAME.json`.
    Timeline(&'static [&'static str]),
    /// Findings and summary: `NAME.txt`.
    Findings,
    /// What its commands printed: `NAME-said.txt`.
    Said,
}

impl Shown {
    /// Its file, below `book/measured`.
    pub(super) fn file(self, plan: &str) -> String {
        match self {
            Shown::Timeline(_) => format!("{plan}.json"),
            Shown::Findings => format!("{plan}.txt"),
            Shown::Said => format!("{plan}-said.txt"),
        }
    }
}

/// A plan, and what is shown of it.
pub(super) struct Run {
    /// Its path below `examples/services`, without `.toml`. The measured files have the same path below `book/measured`.
    pub(super) plan: &'static str,
    pub(super) shown: &'static [Shown],
}

use Shown::{Findings, Said, Timeline};

/// In the order of the pages.
pub(super) const RUNS: &[Run] = &[
    Run {
        plan: "ten-faults/before",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/relative-path",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/action-stop",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/limits-in-service",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/start-timeout",
        shown: &[Timeline(&["start-timeout.service"])],
    },
    Run {
        plan: "ten-faults/no-delay",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/early-ready",
        shown: &[Timeline(&["after.service"]), Findings],
    },
    Run {
        plan: "ten-faults/ping-thread",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/assert",
        shown: &[Timeline(&["after.service"]), Findings],
    },
    Run {
        plan: "ten-faults/without-systemd",
        shown: &[Findings],
    },
    Run {
        plan: "ten-faults/no-drain",
        shown: &[Timeline(&["after.service"])],
    },
    Run {
        plan: "ten-faults/after",
        shown: &[Timeline(&["after.service"])],
    },
    Run {
        plan: "dependencies/strict",
        shown: &[Timeline(&["strict.service", "db.service"])],
    },
    Run {
        plan: "dependencies/relaxed",
        shown: &[Timeline(&["relaxed.service", "db.service"])],
    },
    Run {
        plan: "dependencies/patient",
        shown: &[Timeline(&["patient.service", "direct.service"])],
    },
    Run {
        plan: "dependencies/shop",
        shown: &[Timeline(&["shop.target", "web.service", "worker.service"])],
    },
    Run {
        plan: "memory/leaking",
        shown: &[Timeline(&["leaking.service"]), Findings],
    },
    Run {
        plan: "handover/late",
        shown: &[Timeline(&[
            "late.service",
            "ask@restart.service",
            "ask@kill.service",
        ])],
    },
    Run {
        plan: "handover/activated",
        shown: &[Timeline(&[
            "activated.service",
            "activated.socket",
            "ask@restart.service",
            "ask@kill.service",
        ])],
    },
    Run {
        plan: "handover/kept",
        shown: &[Timeline(&[
            "kept.service",
            "ask@restart.service",
            "ask@kill.service",
        ])],
    },
    Run {
        plan: "handover/gives-up",
        shown: &[Timeline(&["activated.service", "activated.socket"])],
    },
    Run {
        plan: "alerts/message",
        shown: &[Timeline(&[
            "shop.service",
            "alert@shop.service.service",
            "inbox.service",
        ])],
    },
    Run {
        plan: "alerts/flapping",
        shown: &[Said],
    },
    Run {
        plan: "alerts/rate-limit",
        shown: &[Said],
    },
    Run {
        plan: "beside/legacy",
        shown: &[Timeline(&["legacy.service"])],
    },
    Run {
        plan: "beside/fed",
        shown: &[Timeline(&["fed.service"])],
    },
    Run {
        plan: "beside/checker-dies",
        shown: &[Timeline(&["fed.service"])],
    },
    Run {
        plan: "beside/watched",
        shown: &[Timeline(&["watched.service", "checker.service"])],
    },
    Run {
        plan: "runit/at-once",
        shown: &[Timeline(&["at-once.service"])],
    },
    Run {
        plan: "runit/web",
        shown: &[Timeline(&["web.service"])],
    },
    Run {
        plan: "sysvinit/at-once",
        shown: &[Timeline(&["sysvinit.service"])],
    },
    Run {
        plan: "sysvinit/web",
        shown: &[Timeline(&["sysvinit.service"])],
    },
    Run {
        plan: "sysvinit/script",
        shown: &[Timeline(&["sysvinit.service"])],
    },
    Run {
        plan: "short/try",
        shown: &[Timeline(&["try.service"])],
    },
    Run {
        plan: "short/edit",
        shown: &[Said, Timeline(&["greeter.service"])],
    },
    Run {
        plan: "short/reload",
        shown: &[Said, Timeline(&["changed.service"])],
    },
    Run {
        plan: "short/missed",
        shown: &[Timeline(&[
            "nightly.timer",
            "nightly.service",
            "forgetful.timer",
            "forgetful.service",
        ])],
    },
    Run {
        plan: "short/linger",
        shown: &[Said, Timeline(&["user@1000.service"])],
    },
];
