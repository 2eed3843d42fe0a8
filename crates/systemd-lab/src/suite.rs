//! The Debian releases that a guest can run, and where their packages come from.

use std::fmt;

/// Sets the guest's suite if nothing else does, e.g. `SYSTEMD_LAB_SUITE=oldstable`.
pub const SUITE_VARIABLE: &str = "SYSTEMD_LAB_SUITE";

/// Sets the mirror that the guest's packages come from, e.g. `SYSTEMD_LAB_MIRROR=https://mirror.example.org/debian`.
pub const MIRROR_VARIABLE: &str = "SYSTEMD_LAB_MIRROR";

/// In place of a URL: the mirror that mmdebstrap uses anyway, however old it is.
pub const DEFAULT_MIRROR: &str = "default";

/// A Debian release that the guest can run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Debian 13, stable: systemd 257.
    #[default]
    Trixie,
    /// Debian 12, oldstable: systemd 252.
    Bookworm,
    /// Debian testing, with the newest systemd that Debian has tested. It changes every day, so an image of it shows one day's.
    Testing,
}

impl Suite {
    /// All suites, the default first.
    pub const ALL: [Suite; 3] = [Suite::Trixie, Suite::Bookworm, Suite::Testing];

    /// The name that the lab uses for it: the codename, which the archive keeps forever, because `stable` changes its meaning. For
    /// testing it is `testing`, because a release has its codename as `stable`, too.
    pub fn codename(self) -> &'static str {
        match self {
            Suite::Trixie => "trixie",
            Suite::Bookworm => "bookworm",
            Suite::Testing => "testing",
        }
    }

    /// Debian's current name for it, e.g. `oldstable`.
    pub fn alias(self) -> &'static str {
        match self {
            Suite::Trixie => "stable",
            Suite::Bookworm => "oldstable",
            Suite::Testing => "testing",
        }
    }

    /// All names of all suites, each once, the default suite first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let names = |suite: Suite| {
            let codename = Some(suite.codename()).filter(|name| *name != suite.alias());
            [suite.alias()].into_iter().chain(codename)
        };
        Suite::ALL.into_iter().flat_map(names)
    }

    /// The version of its systemd, e.g. 257, if the suite never changes it; `None` for testing, where only a guest knows.
    pub fn systemd(self) -> Option<u32> {
        match self {
            Suite::Trixie => Some(257),
            Suite::Bookworm => Some(252),
            Suite::Testing => None,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codename())
    }
}

/// For people: `trixie (stable), bookworm (oldstable) and testing`.
pub(crate) fn suites() -> String {
    let shown = |suite: Suite| match (suite.codename(), suite.alias()) {
        (codename, alias) if codename == alias => codename.to_owned(),
        (codename, alias) => format!("{codename} ({alias})"),
    };
    let [others @ .., last] = Suite::ALL.map(shown);
    format!("{} and {last}", others.join(", "))
}
