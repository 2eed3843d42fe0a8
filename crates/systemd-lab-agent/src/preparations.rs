//! Gives the guest what a scenario starts with: users, directories, enabled units, a date.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::scenario::Preparation;

use crate::dbus::CallError;
use crate::prepare;
use crate::systemd;

/// System users have lower numbers than this: one more than `SYS_UID_MAX` in Debian's login.defs(5).
const FIRST_USUAL: u32 = 1000;

/// Debian's own fixed users have lower numbers than this: Debian Policy, 9.2.2.
const FIRST_FREE: u32 = 100;

/// The mode of parent directories, as for most directories that come with packages.
const PARENT_MODE: u32 = 0o755;

/// Carries the preparations out, and returns the event for the first one that is not possible.
///
/// # Errors
///
/// When the lab is broken.
pub fn carry_out(preparations: &[Preparation]) -> anyhow::Result<Option<EventKind>> {
    let accounts = Accounts::of(Path::new("/etc"));
    for preparation in preparations {
        let result = match preparation {
            Preparation::User { name } => words(accounts.add(name)),
            Preparation::Directory { path, owner, mode } => words(
                accounts
                    .owner(owner)
                    .and_then(|owner| make(path, owner, *mode)),
            ),
            Preparation::Enable { unit } => match systemd::enable(unit) {
                Ok(()) => Ok(()),
                Err(CallError::Refused { message, .. }) => Err(message),
                Err(error) => return Err(error.into()),
            },
            Preparation::Date { unix_s } => {
                prepare::set_date(*unix_s)?;
                Ok(())
            }
        };
        if let Err(message) = result {
            return Ok(Some(EventKind::NotPrepared {
                preparation: preparation.clone(),
                message,
            }));
        }
    }
    Ok(None)
}

fn words(result: io::Result<()>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

fn make(path: &str, (user, group): (u32, u32), mode: u32) -> io::Result<()> {
    let path = Path::new(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(PARENT_MODE);
    builder.create(path)?;
    chown(path, Some(user), Some(group))?;
    // Last, because a change of owner clears special bits. Setting the mode explicitly also ignores
    // the umask.
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// passwd(5) and group(5).
struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
}

impl Accounts {
    fn of(directory: &Path) -> Accounts {
        Accounts {
            passwd: directory.join("passwd"),
            group: directory.join("group"),
        }
    }

    /// Adds a system user with a group of the same name.
    fn add(&self, name: &str) -> io::Result<()> {
        let (users, groups) = (entries(&self.passwd)?, entries(&self.group)?);
        if users.iter().any(|(known, ..)| known == name) {
            return Ok(());
        }
        let is_free = |id: &u32| users.iter().chain(&groups).all(|(_, taken, _)| taken != id);
        let mut free = (FIRST_FREE..FIRST_USUAL).rev().filter(is_free);
        let id = free.next().ok_or(ErrorKind::StorageFull)?;
        let group = groups.iter().find(|(known, ..)| known == name);
        let group = match group {
            Some((_, group, _)) => *group,
            None => {
                append(&self.group, &format!("{name}:x:{id}:\n"))?;
                id
            }
        };
        append(
            &self.passwd,
            &format!("{name}:x:{id}:{group}::/:/usr/sbin/nologin\n"),
        )
    }

    /// The user and group numbers for `USER` (with the group of the same name) or `USER:GROUP`.
    fn owner(&self, owner: &str) -> io::Result<(u32, u32)> {
        let (user, group) = match owner.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (owner, None),
        };
        let missing = |kind, name: &str| {
            let message = format!("the guest has no {kind} {name}");
            io::Error::new(ErrorKind::NotFound, message)
        };
        let users = entries(&self.passwd)?;
        let user = users
            .iter()
            .find(|(known, ..)| known == user)
            .ok_or_else(|| missing("user", user))?;
        let group = match group {
            None => user.2,
            Some(name) => {
                let groups = entries(&self.group)?;
                let found = groups.iter().find(|(known, ..)| known == name);
                found.ok_or_else(|| missing("group", name))?.1
            }
        };
        Ok((user.1, group))
    }
}

/// The first field of each line, the third, and the fourth if it is a number.
fn entries(file: &Path) -> io::Result<Vec<(String, u32, u32)>> {
    let text = fs::read_to_string(file)?;
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let id = fields.get(2)?.parse().ok()?;
        let group = fields.get(3).and_then(|field| field.parse().ok());
        Some((fields[0].to_owned(), id, group.unwrap_or(id)))
    };
    Ok(text.lines().filter_map(entry).collect())
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .open(file)?
        .write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_get_numbers_and_groups_that_are_free() {
        let folder = std::env::temp_dir().join(format!("lab-agent-users-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be made");
        let accounts = Accounts::of(&folder);
        fs::write(
            &accounts.passwd,
            "root:x:0:0:root:/root:/bin/bash\nold:x:999:997::/:/bin/sh\n",
        )
        .expect("it can be written");
        fs::write(
            &accounts.group,
            "root:x:0:\nadm:x:4:\ntaken:x:998:\nwith-group:x:500:\n",
        )
        .expect("it can be written");
        for name in ["my", "with-group", "my", "old"] {
            accounts.add(name).expect(name);
        }
        assert_eq!(
            ["my", "my:adm", "with-group", "root"].map(|owner| accounts.owner(owner).expect(owner)),
            [(997, 997), (997, 4), (996, 500), (0, 0)]
        );
        let lines = fs::read_to_string(&accounts.passwd).expect("it is there");
        assert_eq!(lines.lines().count(), 4);
        let error = accounts.owner("my:nobody").expect_err("there is none");
        assert_eq!(error.to_string(), "the guest has no group nobody");
        assert!(accounts.owner("other").is_err());
        fs::remove_dir_all(folder).expect("it can be removed");
    }
}
