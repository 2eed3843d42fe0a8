//! What the guest is given before a scenario begins: no part of what happens, and so before time 0.

use serde::{Deserialize, Serialize};

/// One thing that the guest is given before a scenario begins, after its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "preparation", rename_all = "kebab-case")]
pub enum Preparation {
    /// A system user with a group of its own name, as `useradd --system` makes them. One that is there already stays as it is.
    User {
        /// Its name.
        name: String,
    },
    /// A directory. Its parents are made like it, but belong to root. One that is there already gets this owner and mode.
    Directory {
        /// Absolute path.
        path: String,
        /// User, or `USER:GROUP`. A user alone stands for its own group, too.
        owner: String,
        /// Permission bits, e.g. `0o755`.
        mode: u32,
    },
    /// `systemctl enable UNIT`: makes the links that `[Install]` asks for.
    Enable {
        /// The unit's name.
        unit: String,
    },
    /// The calendar's time when the scenario begins. Without it, that is 2030-01-01 00:00:00 UTC.
    Date {
        /// Seconds since 1970-01-01 00:00:00 UTC.
        unix_s: i64,
    },
}
