//! Which guest a lab runs: a Debian suite, and packages in addition to those that every guest has.

use std::collections::BTreeSet;
use std::env;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::LabError;
use crate::suite::{SUITE_VARIABLE, Suite};

/// What the guest consists of, in addition to what every guest has. Each combination has its own image and snapshot in the
/// cache.
///
/// ```
/// use systemd_lab::{Guest, Suite};
///
/// # fn main() -> Result<(), systemd_lab::LabError> {
/// let guest = Guest::new(Suite::Bookworm).package("openssh-server")?;
/// assert_eq!(guest.systemd(), 252);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Guest {
    suite: Suite,
    packages: BTreeSet<String>,
    memory_mib: Option<u32>,
}

/// The minimum and the maximum memory of a guest, in MiB. With less than the minimum, it does not boot; the maximum is more
/// than most machines that run the lab have.
const MEMORY_MIB: RangeInclusive<u32> = 256..=16384;

impl Guest {
    /// A guest of this suite, without additional packages.
    pub fn new(suite: Suite) -> Guest {
        Guest {
            suite,
            packages: BTreeSet::new(),
            memory_mib: None,
        }
    }

    /// The guest that [`SUITE_VARIABLE`] asks for; the default guest if it is not set.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownSuite`] when the name is not one of the suites.
    pub fn from_environment() -> Result<Guest, LabError> {
        match env::var_os(SUITE_VARIABLE).filter(|value| !value.is_empty()) {
            None => Ok(Guest::default()),
            Some(name) => Ok(Guest::new(name.to_string_lossy().parse()?)),
        }
    }

    /// Adds a Debian package, with everything that it depends on. Its daemons are not started at boot; a scenario starts them.
    ///
    /// # Errors
    ///
    /// [`LabError::BadPackageName`] when no package can have this name. Whether a package has it is known only when
    /// the image is built.
    pub fn package(mut self, name: &str) -> Result<Guest, LabError> {
        if !is_package_name(name) {
            return Err(LabError::BadPackageName {
                name: name.to_owned(),
            });
        }
        self.packages.insert(name.to_owned());
        Ok(self)
    }

    /// Sets the size of its memory, in MiB. By default, it follows the size of the packages: 512 MiB, or more if they need
    /// more. Files are in memory, too, because the guest has no disk.
    ///
    /// # Errors
    ///
    /// [`LabError::BadMemory`] for less than 256 MiB or more than 16 GiB.
    pub fn memory_mib(mut self, mib: u32) -> Result<Guest, LabError> {
        if !MEMORY_MIB.contains(&mib) {
            return Err(LabError::BadMemory {
                mib,
                least: *MEMORY_MIB.start(),
                most: *MEMORY_MIB.end(),
            });
        }
        self.memory_mib = Some(mib);
        Ok(self)
    }

    /// The size of its memory, if [`Self::memory_mib`] set one.
    pub(crate) fn chosen_memory_mib(&self) -> Option<u32> {
        self.memory_mib
    }

    /// Its suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The additional packages, sorted.
    pub fn packages(&self) -> impl ExactSizeIterator<Item = &str> {
        self.packages.iter().map(String::as_str)
    }

    /// The version of its systemd, e.g. 257.
    pub fn systemd(&self) -> u32 {
        self.suite.systemd()
    }

    /// Makes sure that its systemd is at least version `needed`: an older one ignores settings that it does not know,
    /// and a service would be blamed for that.
    ///
    /// # Errors
    ///
    /// [`LabError::SystemdTooOld`] when it is older.
    pub fn ensure_systemd(&self, needed: u32) -> Result<(), LabError> {
        if self.systemd() < needed {
            let suite = self.suite;
            return Err(LabError::SystemdTooOld { needed, suite });
        }
        Ok(())
    }
}

/// Debian Policy 5.6.1: lower case letters, digits, `+`, `-` and `.`, at least two, the first a letter or digit.
fn is_package_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() >= 2
        && bytes.first().is_some_and(|first| is_plain(*first))
        // apt treats a `+` or `-` at the end as an order to install or remove, but looks for the package first.
        && bytes.iter().all(|byte| is_plain(*byte) || b"+-.".contains(byte))
}

impl FromStr for Suite {
    type Err = LabError;

    /// Accepts a codename (`bookworm`) or Debian's current name (`oldstable`).
    fn from_str(name: &str) -> Result<Suite, LabError> {
        let is_it = |suite: &Suite| name == suite.codename() || name == suite.alias();
        let found = Suite::ALL.into_iter().find(is_it);
        found.ok_or_else(|| LabError::UnknownSuite {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_has_two_names() {
        for (name, suite) in [
            ("trixie", Suite::Trixie),
            ("stable", Suite::Trixie),
            ("bookworm", Suite::Bookworm),
            ("oldstable", Suite::Bookworm),
        ] {
            assert_eq!(name.parse::<Suite>().ok(), Some(suite));
        }
        let error = "sid".parse::<Suite>().map_err(|error| error.to_string());
        insta::assert_snapshot!(error.expect_err("the lab does not know it"), @"unknown Debian suite sid; the lab supports trixie (stable) and bookworm (oldstable), also as the value of SYSTEMD_LAB_SUITE");
    }

    #[test]
    fn an_old_systemd_differs_from_a_new_one() {
        assert!(Guest::new(Suite::Bookworm).ensure_systemd(252).is_ok());
        let error = Guest::new(Suite::Bookworm).ensure_systemd(254);
        insta::assert_snapshot!(error.expect_err("it has 252"), @"this needs systemd 254 or newer, and the guest's is 252 (Debian bookworm); type: unset SYSTEMD_LAB_SUITE");
    }

    #[test]
    fn order_and_repetition_make_no_other_guest() {
        let guest = |names: [&str; 3]| {
            names
                .into_iter()
                .try_fold(Guest::default(), Guest::package)
                .expect("they are names")
        };
        let one = guest(["nginx", "redis-server", "nginx"]);
        assert_eq!(one, guest(["redis-server", "nginx", "redis-server"]));
        assert_eq!(
            one.packages().collect::<Vec<_>>(),
            ["nginx", "redis-server"]
        );
    }

    #[test]
    fn only_names_reach_mmdebstrap() {
        for name in ["g++", "libc6", "0ad", "python3.13"] {
            assert!(Guest::default().package(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "a",
            "Nginx",
            "-o=x",
            "a,b",
            "a b",
            "nginx=1.2",
            "nginx/sid",
            "../x",
        ] {
            assert!(Guest::default().package(name).is_err(), "{name}");
        }
        let error = Guest::default().package("nginx=1.2");
        insta::assert_snapshot!(error.expect_err("a version is not a name"), @r#""nginx=1.2" is not a name of a Debian package; names have lower case letters, digits, `+`, `-` and `.` only, e.g. openssh-server"#);
    }
}
