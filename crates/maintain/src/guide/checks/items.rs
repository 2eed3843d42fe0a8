//! What the guide shows of exercises and solutions. To add something, add a line here and write the files.

/// One file in `book/measured`.
pub(super) struct Item {
    /// Without its extension: `.json` for a timeline, `.txt` for text.
    pub(super) name: &'static str,
    /// The stage's folder, e.g. `05-watchdog`.
    pub(super) stage: &'static str,
    pub(super) whose: Whose,
    /// The beginning of the name of the test that makes the run, e.g. `r2_`.
    pub(super) requirement: &'static str,
    pub(super) shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Solution,
    /// The exercise before anybody edits it.
    Starter,
}

#[derive(Clone, Copy)]
pub(super) enum Shown {
    /// The run of this scenario.
    Timeline {
        scenario: &'static str,
        /// The ends of the units' names, after the package's name: `-client.service`. [`MAIN_UNIT`] among them is the main unit.
        units: &'static [&'static str],
        /// The label of the step before which the picture ends, if it is not that of the whole run.
        until: Option<&'static str>,
    },
    /// What the check says about the first requirement that is not met.
    Finding,
    /// The review of the run of this scenario.
    Review(&'static str),
}

impl Item {
    pub(super) fn file_name(&self) -> String {
        match self.shown {
            Shown::Timeline { .. } => format!("{}.json", self.name),
            Shown::Finding | Shown::Review(_) => format!("{}.txt", self.name),
        }
    }
}

/// As in unit files: systemd.unit(5), "Specifiers".
pub(super) const MAIN_UNIT: &str = "%n";

const STOP: Shown = timeline("start, then stop with requests in flight", &[".service"]);

const ENDS: &str = "three services and how they end";

const OUTAGE: Shown = timeline(
    "the database never comes",
    &[".service", "-alert@%n.service"],
);

const OUTAGE_ENDS: Shown = timeline(
    "start two minutes before the database",
    &[".service", "-database.service"],
);

const READY: Shown = timeline(
    "start a dependent unit, then stop with requests in flight",
    &[".service", "-client.service"],
);

const DEADLOCK: Shown = timeline("a deadlock", &[".service"]);

const KEEPS_HANGING: Shown = timeline(
    "a service that keeps hanging",
    &[".service", "-alert@%n.service"],
);

const GAME_DAY_1: &str = "game day 1";

/// The first two faults: the whole day would be a picture of a dozen pages.
const GAME_DAY: Shown = Shown::Timeline {
    scenario: GAME_DAY_1,
    units: &[".service", "-database.service", "-worker.service"],
    until: Some("the operator reloads"),
};

pub(super) const ITEMS: &[Item] = &[
    solution("01-stop", "01-plain", "r4_", STOP),
    starter("01-starter", "01-plain", "r1_", Shown::Finding),
    solution("02-web", "02-restart", "r2_", timeline(ENDS, &[".service"])),
    starter(
        "02-web-starter",
        "02-restart",
        "r2_",
        timeline(ENDS, &[".service"]),
    ),
    solution(
        "02-worker",
        "02-restart",
        "r3_",
        timeline(ENDS, &["-worker.service"]),
    ),
    solution(
        "02-database",
        "02-restart",
        "r4_",
        timeline(ENDS, &["-database.service"]),
    ),
    solution(
        "02-configuration",
        "02-restart",
        "r5_",
        timeline("a configuration error", &[".service"]),
    ),
    solution("03-outage", "03-restart-sec", "r3_", OUTAGE),
    starter("03-outage-starter", "03-restart-sec", "r3_", OUTAGE),
    solution("03-outage-ends", "03-restart-sec", "r1_", OUTAGE_ENDS),
    starter("03-starter", "03-restart-sec", "r2_", Shown::Finding),
    solution("04-ready", "04-notify", "r1_", READY),
    starter("04-ready-starter", "04-notify", "r1_", READY),
    starter("04-starter", "04-notify", "r1_", Shown::Finding),
    solution(
        "04-stalled",
        "04-notify",
        "r4_",
        timeline("start with data that stalls", &[".service"]),
    ),
    solution(
        "04-long",
        "04-notify",
        "r5_",
        timeline("start with a warm-up of 30 s", &[".service"]),
    ),
    solution(
        "04-reload",
        "04-notify",
        "r6_",
        timeline(
            "reload with a good and with a bad configuration",
            &[".service"],
        ),
    ),
    solution("05-deadlock", "05-watchdog", "r2_", DEADLOCK),
    starter("05-deadlock-starter", "05-watchdog", "r2_", DEADLOCK),
    starter("05-starter", "05-watchdog", "r2_", Shown::Finding),
    solution(
        "05-blocked",
        "05-watchdog",
        "r3_",
        timeline("a blocked executor, a stopped process", &[".service"]),
    ),
    solution(
        "05-wedge",
        "05-watchdog",
        "r5_",
        timeline("a wedged dependency", &[".service"]),
    ),
    solution("05-keeps-hanging", "05-watchdog", "r6_", KEEPS_HANGING),
    solution("06-day", "06-game-day", "r1_", GAME_DAY),
    starter("06-day-starter", "06-game-day", "r1_", GAME_DAY),
    starter(
        "06-review-starter",
        "06-game-day",
        "r1_",
        Shown::Review(GAME_DAY_1),
    ),
    solution("06-review", "06-game-day", "r1_", Shown::Review(GAME_DAY_1)),
];

const fn timeline(scenario: &'static str, units: &'static [&'static str]) -> Shown {
    Shown::Timeline {
        scenario,
        units,
        until: None,
    }
}

const fn solution(
    name: &'static str,
    stage: &'static str,
    requirement: &'static str,
    shown: Shown,
) -> Item {
    let whose = Whose::Solution;
    Item {
        name,
        stage,
        whose,
        requirement,
        shown,
    }
}

const fn starter(
    name: &'static str,
    stage: &'static str,
    requirement: &'static str,
    shown: Shown,
) -> Item {
    let whose = Whose::Starter;
    Item {
        whose,
        ..solution(name, stage, requirement, shown)
    }
}
