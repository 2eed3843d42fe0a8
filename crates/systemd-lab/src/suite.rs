//! The Debian releases that a guest can run.

use std::fmt;

/// Sets the guest's suite if nothing else does, e.g. `SYSTEMD_LAB_SUITE=oldstable`.
pub const SUITE_VARIABLE: &str = "SYSTEMD_LAB_SUITE";

/// A Debian release that the guest can run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Debian 13, stable: systemd 257.
    #[default]
    Trixie,
    /// Debian 12, oldstable: systemd 252.
    Bookworm,
}

impl Suite {
    /// All suites, the default first.
    pub const ALL: [Suite; 2] = [Suite::Trixie, Suite::Bookworm];

    /// The codename, which the archive keeps forever; `stable` changes its meaning.
    pub fn codename(self) -> &'static str {
        match self {
            Suite::Trixie => "trixie",
            Suite::Bookworm => "bookworm",
        }
    }

    /// Debian's current name for it, e.g. `oldstable`.
    pub fn alias(self) -> &'static str {
        match self {
            Suite::Trixie => "stable",
            Suite::Bookworm => "oldstable",
        }
    }

    /// The version of its systemd, e.g. 257. A suite never changes it.
    pub fn systemd(self) -> u32 {
        match self {
            Suite::Trixie => 257,
            Suite::Bookworm => 252,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codename())
    }
}

/// For people: `trixie (stable) and bookworm (oldstable)`.
pub(crate) fn suites() -> String {
    let shown = |suite: Suite| format!("{} ({})", suite.codename(), suite.alias());
    Suite::ALL.map(shown).join(" and ")
}
