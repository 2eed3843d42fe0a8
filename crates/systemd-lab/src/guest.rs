//! Which guest a lab runs: a Debian suite, and packages in addition to those that every guest has.

use std::collections::BTreeSet;
use std::env;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::LabError;
use crate::suite::{DEFAULT_MIRROR, MIRROR_VARIABLE, SUITE_VARIABLE, Suite};

/// What the guest consists of, in addition to what every guest has. Each combination has its own image and snapshot in the
/// cache.
///
/// ```
/// use systemd_lab::{Guest, Suite};
///
/// # fn main() -> Result<(), systemd_lab::LabError> {
/// let guest = Guest::new(Suite::Bookworm).package("openssh-server")?;
/// assert_eq!(guest.systemd(), Some(252));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Guest {
    suite: Suite,
    packages: BTreeSet<String>,
    memory_mib: Option<u32>,
    mirror: Option<String>,
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
            mirror: None,
        }
    }

    /// The guest that [`SUITE_VARIABLE`] and [`MIRROR_VARIABLE`] ask for; the default guest if neither is set.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownSuite`] when the name is not one of the suites; [`LabError::BadMirror`].
    pub fn from_environment() -> Result<Guest, LabError> {
        let suite = match variable(SUITE_VARIABLE) {
            None => Suite::default(),
            Some(name) => name.parse()?,
        };
        Guest::new(suite).mirror_from_environment()
    }

    /// A guest of the suite that a person chose, else the one of [`Guest::from_environment`]; its packages come from the mirror that
    /// [`MIRROR_VARIABLE`] names.
    ///
    /// # Errors
    ///
    /// As [`Guest::from_environment`].
    pub fn chosen(suite: Option<Suite>) -> Result<Guest, LabError> {
        match suite {
            None => Guest::from_environment(),
            Some(suite) => Guest::new(suite).mirror_from_environment(),
        }
    }

    fn mirror_from_environment(self) -> Result<Guest, LabError> {
        match variable(MIRROR_VARIABLE) {
            None => Ok(self),
            Some(url) => self.mirror(&url),
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

    /// Takes its packages from the mirror with this URL instead of mmdebstrap's default, and from nowhere else; or from the default, if this
    /// is [`DEFAULT_MIRROR`]. The mirror may be a dated snapshot, or one
    /// that is no longer updated: it does not matter that its Release file has expired. The signature of that file must be Debian's.
    /// A guest with a mirror has an image of its own.
    ///
    /// # Errors
    ///
    /// [`LabError::BadMirror`] when this is not the URL of a mirror.
    pub fn mirror(mut self, url: &str) -> Result<Guest, LabError> {
        let bad = || LabError::BadMirror {
            url: url.to_owned(),
        };
        if url == DEFAULT_MIRROR {
            self.mirror = Some(url.to_owned());
            return Ok(self);
        }
        let place = MIRROR_SCHEMES
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let place = place.ok_or_else(bad)?;
        // A space or a bracket would mean something else in apt's list of sources.
        if place.is_empty()
            || !place
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"[]#".contains(&byte))
        {
            return Err(bad());
        }
        self.mirror = Some(url.trim_end_matches('/').to_owned());
        Ok(self)
    }

    /// The mirror that [`Self::mirror`] set.
    pub fn chosen_mirror(&self) -> Option<&str> {
        self.mirror.as_deref()
    }

    /// Its URL, unless it is mmdebstrap's default.
    pub(crate) fn mirror_url(&self) -> Option<&str> {
        self.chosen_mirror().filter(|url| *url != DEFAULT_MIRROR)
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

    /// The version of its systemd, e.g. 257, if its suite never changes it: see [`Suite::systemd`].
    pub fn systemd(&self) -> Option<u32> {
        self.suite.systemd()
    }

    /// Makes sure that its systemd is at least version `needed`: an older one ignores settings that it does not know,
    /// and a service would be blamed for that. Testing's is taken to be new enough.
    ///
    /// # Errors
    ///
    /// [`LabError::SystemdTooOld`] when it is older.
    pub fn ensure_systemd(&self, needed: u32) -> Result<(), LabError> {
        match self.systemd() {
            Some(systemd) if systemd < needed => Err(LabError::SystemdTooOld {
                needed,
                systemd,
                suite: self.suite,
            }),
            _ => Ok(()),
        }
    }
}

/// Where apt gets packages from without more programs than mmdebstrap's.
const MIRROR_SCHEMES: [&str; 3] = ["http://", "https://", "file:///"];

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
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
            ("testing", Suite::Testing),
        ] {
            assert_eq!(name.parse::<Suite>().ok(), Some(suite));
        }
        let error = "sid".parse::<Suite>().map_err(|error| error.to_string());
        insta::assert_snapshot!(error.expect_err("the lab does not know it"), @"unknown Debian suite sid; the lab supports trixie (stable), bookworm (oldstable) and testing, also as the value of SYSTEMD_LAB_SUITE");
    }

    #[test]
    fn an_old_systemd_differs_from_a_new_one() {
        assert!(Guest::new(Suite::Bookworm).ensure_systemd(252).is_ok());
        assert!(Guest::new(Suite::Testing).ensure_systemd(258).is_ok());
        let error = Guest::new(Suite::Bookworm).ensure_systemd(254);
        insta::assert_snapshot!(error.expect_err("it has 252"), @"this needs systemd 254 or newer, and the guest's is 252 (Debian bookworm); type: unset SYSTEMD_LAB_SUITE");
    }

    #[test]
    fn a_mirror_is_a_url_and_nothing_else_of_apts() {
        let mirror = |url: &str| Guest::default().mirror(url);
        for url in [
            "http://mirror.example.org/debian",
            "https://mirror.example.org/archive/debian/20261030T000000Z/",
            "default",
            "file:///srv/mirror",
        ] {
            let guest = mirror(url).expect("it is a mirror");
            assert_eq!(guest.chosen_mirror(), Some(url.trim_end_matches('/')));
            assert_ne!(guest, Guest::default());
        }
        for url in [
            "",
            "mirror.example.org/debian",
            "http://",
            "/srv/mirror",
            "-",
            "deb [trusted=yes] http://x/debian testing main",
            "http://x/debian testing main",
            "http://x/debian#fragment",
            "http://x/debian\n",
        ] {
            assert!(mirror(url).is_err(), "{url:?}");
        }
        let error = mirror("mirror.example.org").expect_err("it has no scheme");
        insta::assert_snapshot!(error, @r#""mirror.example.org" is not a mirror of Debian's archive; expected a URL such as SYSTEMD_LAB_MIRROR=https://mirror.example.org/debian, or the word default"#);
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
