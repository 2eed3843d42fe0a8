//! All that is measured for the guide. To add something, add a line here and write the files anew.

/// One file in `book/measured`.
pub(crate) struct Item {
    /// Without its extension: `.json` for a timeline, `.txt` for text.
    pub(crate) name: &'static str,
    /// `05-watchdog`.
    pub(crate) stage: &'static str,
    pub(crate) whose: Whose,
    /// How the name of the test begins that makes the run: `r2_`.
    pub(crate) requirement: &'static str,
    pub(crate) shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Solution,
    /// As it was before anybody edited it.
    Starter,
}

#[derive(Clone, Copy)]
pub(crate) enum Shown {
    /// The run of this scenario.
    Timeline {
        scenario: &'static str,
        /// What follows the package's name in theirs: `-client.service`; [`MAIN_UNIT`] in it is the main unit.
        units: &'static [&'static str],
    },
    /// What the check says of the first requirement that is not met.
    Finding,
}

impl Item {
    pub(crate) fn file_name(&self) -> String {
        match self.shown {
            Shown::Timeline { .. } => format!("{}.json", self.name),
            Shown::Finding => format!("{}.txt", self.name),
        }
    }
}

/// As in unit files: systemd.unit(5), "Specifiers".
pub(crate) const MAIN_UNIT: &str = "%n";

const STOP: Shown = Shown::Timeline {
    scenario: "start, then stop with requests in flight",
    units: &[".service"],
};

const ENDS: Shown = Shown::Timeline {
    scenario: "three services and how they end",
    units: &[".service"],
};

const OUTAGE: Shown = Shown::Timeline {
    scenario: "the database never comes",
    units: &[".service", "-alert@%n.service"],
};

const READY: Shown = Shown::Timeline {
    scenario: "start a dependent unit, then stop with requests in flight",
    units: &[".service", "-client.service"],
};

const DEADLOCK: Shown = Shown::Timeline {
    scenario: "a deadlock",
    units: &[".service"],
};

pub(crate) const ITEMS: &[Item] = &[
    solution("01-stop", "01-plain", "r4_", STOP),
    starter("01-starter", "01-plain", "r1_", Shown::Finding),
    solution("02-ends", "02-restart", "r2_", ENDS),
    starter("02-ends-starter", "02-restart", "r2_", ENDS),
    solution("03-outage", "03-restart-sec", "r3_", OUTAGE),
    starter("03-outage-starter", "03-restart-sec", "r3_", OUTAGE),
    solution("04-ready", "04-notify", "r1_", READY),
    starter("04-ready-starter", "04-notify", "r1_", READY),
    starter("04-starter", "04-notify", "r1_", Shown::Finding),
    solution("05-deadlock", "05-watchdog", "r2_", DEADLOCK),
    starter("05-deadlock-starter", "05-watchdog", "r2_", DEADLOCK),
];

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
