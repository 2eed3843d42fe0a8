//! The options of a run: on the command line, and as keys of a plan's file, which are the same.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};
use systemd_lab::Suite;

use super::words;

/// The options for a guest, of every command that has one.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default)]
pub(crate) struct GuestOptions {
    /// A Debian package for the guest, with everything that it depends on. Its daemons are not started: name one with --unit.
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "one_or_more")]
    pub package: Vec<String>,
    /// The guest's Debian release: stable (systemd 257), oldstable (252) or testing (the newest). Default: SYSTEMD_LAB_SUITE, or stable.
    #[arg(long, value_name = "SUITE")]
    #[serde(deserialize_with = "parsed")]
    pub suite: Option<Suite>,
    /// The guest's memory, e.g. 768M or 2G. Default: 512M, or more if the packages need more.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

/// The value of a key that belongs to [`GuestOptions`]: such a key is not a mistake, but it is read there.
type OfGuest = IgnoredAny;

/// The plan of a run. Each field is an option and a key; the texts below are the help's.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// A unit file, or the name of a unit that a --package brings. The first one is started; it may pull the others in.
    #[arg(long, value_name = "UNIT")]
    #[serde(deserialize_with = "one_or_more")]
    pub unit: Vec<PathBuf>,
    /// Start this instance of the first unit, whose file is a template: --unit w@.service --instance 1.
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// clap has the guest's options here; a plan's file has them as keys beside the others: see [`Options::from_toml`].
    #[command(flatten)]
    #[serde(skip)]
    pub guest: GuestOptions,
    #[arg(skip)]
    package: OfGuest,
    #[arg(skip)]
    suite: OfGuest,
    #[arg(skip)]
    memory: OfGuest,
    /// The limits of `explore`, which reads this table itself.
    #[arg(skip)]
    explore: IgnoredAny,
    /// A file to put into the guest: a program, its configuration, a drop-in. Executable in the guest if it is on the host.
    #[arg(long, value_name = "HOST:GUEST")]
    #[serde(deserialize_with = "one_or_more")]
    pub file: Vec<String>,
    /// A system user for the guest, with a group of the same name.
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "one_or_more")]
    pub user: Vec<String>,
    /// A directory for the guest: /var/lib/my:my:0750. Default: root, 0755. Files in it keep their owner.
    #[arg(long, value_name = "PATH[:OWNER[:MODE]]")]
    #[serde(deserialize_with = "one_or_more")]
    pub dir: Vec<String>,
    /// A variable for a unit (the first one, if none is named): a drop-in with Environment=.
    #[arg(long, value_name = "[UNIT:]NAME=VALUE")]
    #[serde(deserialize_with = "one_or_more")]
    pub env: Vec<String>,
    /// Enable the first unit before it is started, as `systemctl enable` does: [Install] takes effect.
    #[arg(long)]
    pub enable: bool,
    /// The guest's date at the start, in UTC: '2026-03-29 00:59:30'. Default: 2030-01-01 00:00:00.
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
    /// A fault, and the time or the event at which it comes: --at 10s kill=SIGKILL, --at 'READY=1 + 200ms' freeze.
    #[arg(long, num_args = 2, value_names = ["WHEN", "FAULT"])]
    #[serde(deserialize_with = "pairs")]
    pub at: Vec<String>,
    /// Probe this URL until the end; a status below 400 is a success. Over a Unix socket: unix:/run/my.sock:/health.
    #[arg(long, value_name = "URL[,OPTION=…]")]
    #[serde(deserialize_with = "one_or_more")]
    pub get: Vec<String>,
    /// Probe this address or Unix socket by connecting, e.g. 127.0.0.1:22. Detects a service that is gone, not one that hangs.
    #[arg(long, value_name = "ADDRESS[,OPTION=…]")]
    #[serde(deserialize_with = "one_or_more")]
    pub connect: Vec<String>,
    /// Probe this address or Unix socket with a line: 127.0.0.1:6379,send=PING,expect=+PONG.
    #[arg(long, value_name = "ADDRESS,expect=…[,OPTION=…]")]
    #[serde(deserialize_with = "one_or_more")]
    pub ask: Vec<String>,
    /// Probe with this command in the guest; exit status 0 is a success: 'pg_isready -q,every=5s'.
    #[arg(long, value_name = "COMMAND[,OPTION=…]")]
    #[serde(deserialize_with = "one_or_more")]
    pub exec: Vec<String>,
    /// Time from one attempt of a probe to the next; an attempt that takes nine tenths of it has failed. Default: 1s.
    #[arg(long, value_name = "TIME")]
    pub every: Option<String>,
    /// How much virtual time to run. Default: until a minute after the last fault that has a time.
    #[arg(long = "for", value_name = "TIME")]
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// A requirement for the run, e.g. 'availability >= 99.9%'. Exit status 1 if it is not met.
    #[arg(long, value_name = "REQUIREMENT")]
    #[serde(deserialize_with = "one_or_more")]
    pub require: Vec<String>,
}

impl Options {
    /// Units with their files and variables in this guest, and nothing that happens to them.
    pub(crate) fn installing(
        unit: Vec<PathBuf>,
        file: Vec<String>,
        env: Vec<String>,
        guest: GuestOptions,
    ) -> Options {
        Options {
            unit,
            file,
            env,
            guest,
            ..Options::default()
        }
    }

    /// Reads the keys of a plan's file. Errors of serde say where they are only if each struct reads the file itself, so the guest's
    /// options are not flattened into the others.
    pub(super) fn from_toml(text: &str) -> Result<Options, toml::de::Error> {
        let options: Options = toml::from_str(text)?;
        let guest = toml::from_str(text)?;
        Ok(Options { guest, ..options })
    }

    /// Combines these options with later ones: lists grow, and later single values replace earlier ones.
    pub(super) fn and(self, later: Options) -> Options {
        fn all<T>(mut these: Vec<T>, later: Vec<T>) -> Vec<T> {
            these.extend(later);
            these
        }
        Options {
            unit: all(self.unit, later.unit),
            instance: later.instance.or(self.instance),
            guest: GuestOptions {
                package: all(self.guest.package, later.guest.package),
                suite: later.guest.suite.or(self.guest.suite),
                memory: later.guest.memory.or(self.guest.memory),
            },
            package: IgnoredAny,
            suite: IgnoredAny,
            memory: IgnoredAny,
            explore: IgnoredAny,
            file: all(self.file, later.file),
            user: all(self.user, later.user),
            dir: all(self.dir, later.dir),
            env: all(self.env, later.env),
            enable: self.enable || later.enable,
            date: later.date.or(self.date),
            at: all(self.at, later.at),
            get: all(self.get, later.get),
            connect: all(self.connect, later.connect),
            ask: all(self.ask, later.ask),
            exec: all(self.exec, later.exec),
            every: later.every.or(self.every),
            length: later.length.or(self.length),
            require: all(self.require, later.require),
        }
    }

    /// Makes the host's paths relative to this folder.
    pub(super) fn below(mut self, folder: &Path) -> Options {
        for unit in &mut self.unit {
            let path = folder.join(&unit);
            // A name without a folder may also be the name of a package's unit.
            if unit.components().count() > 1 || path.exists() {
                *unit = path;
            }
        }
        for file in &mut self.file {
            *file = folder.join(&file).to_string_lossy().into_owned();
        }
        self
    }
}

/// A string, or a list of strings.
fn one_or_more<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("a string or a list of strings")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = list.next_element()? {
                all.push(text);
            }
            Ok(all)
        }
    }

    let all = deserializer.deserialize_any(OneOrMore)?;
    Ok(all.into_iter().map(T::from).collect())
}

/// An element of a list of pairs, or what people write instead.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a time or an event and then a fault, such as [\"10s\", \"kill\"]"
)]
enum Pair {
    Words(Vec<String>),
    Text(String),
}

/// A list of pairs, in clap's form: one after the other.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<String>;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str(
                "a list of pairs, such as [[\"10s\", \"kill\"], [\"READY=1\", \"freeze\"]]",
            )
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Err(E::custom(words::pair_in_one(text)))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(pair) = list.next_element::<Pair>()? {
                let words = match pair {
                    Pair::Words(words) => words,
                    Pair::Text(text) => return Err(A::Error::custom(words::pair_in_one(&text))),
                };
                if words.len() != 2 {
                    return Err(A::Error::custom(format!(
                        "expected a time or an event and then a fault, such as [\"10s\", \"kill\"], got {words:?}"
                    )));
                }
                all.extend(words);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(Pairs)
}

fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}
