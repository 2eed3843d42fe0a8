//! What the guest is given before a scenario begins. It is not part of what happens, so it comes before time 0.

use serde::{Deserialize, Serialize};

/// One thing that the guest is given before a scenario begins, after its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "preparation", rename_all = "kebab-case")]
pub enum Preparation {
    /// A system user with a group of the same name, as `useradd --system` creates them. An existing user stays as it is.
    User {
        /// Its name.
        name: String,
    },
    /// A directory. Missing parents are created in the same way, but belong to root. An existing directory gets this owner and
    /// mode.
    Directory {
        /// Absolute path.
        path: String,
        /// User, or `USER:GROUP`. A user alone also stands for the group of the same name.
        owner: String,
        /// Permission bits, e.g. `0o755`.
        mode: u32,
    },
    /// `systemctl enable UNIT`: creates the links that `[Install]` asks for.
    Enable {
        /// The unit's name.
        unit: String,
    },
    /// The calendar time at which the scenario begins. The default is 2030-01-01 00:00:00 UTC.
    Date {
        /// Seconds since 1970-01-01 00:00:00 UTC.
        unix_s: i64,
    },
}
