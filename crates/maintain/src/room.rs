//! `cargo maintain room`: shows that a kit is enough. On a fresh machine (a Debian root with nothing but a Rust toolchain), without a
//! network, an ordinary user types what the guide's page says.

use std::fs;
use std::time::Instant;

use anyhow::{Context, ensure};
use exercise_check::Outcome;
use stages::cargo::{Workspace, cargo};
use stages::exercises::Workshop;
use systemd_lab::host_packages;
use systemd_lab_cli::say;

use crate::root::{Network, Root, USER};
use crate::verified::{Tally, Verified};

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Needs root, and a network to make the kit. What is not committed is not in it.

Example:
    cargo maintain room    six minutes on two cores, the first time";

/// The page, and the heading above its block of commands.
const PAGE: &str = "book/src/room.md";
const HEADING: &str = "## On each machine\n";

/// A block of commands is indented by this.
const INDENT: &str = "    ";

/// The kit's name on the page.
const KIT: &str = "kit.tar";

/// A program that is built offline has its crates from the kit: cargo's own folder is empty.
const HOME: &str = "/home/attendee";

/// Makes a kit, and uses it as its page says.
pub(crate) fn run(workshop: &Workshop) -> anyhow::Result<Outcome> {
    let page = fs::read_to_string(workshop.root.join(PAGE)).context("cannot read the page")?;
    let commands = commands(&page).context("the page has no block of commands")?;
    let release = host_packages::release().context("this machine does not name its release")?;
    let (_, suite) = release
        .split_once(' ')
        .context("this machine does not name its release")?;
    let target = Workspace::read(&workshop.root)?.target;
    let mut tally = Tally::default();

    // Before: only the linker, which a Rust toolchain needs.
    let began = Instant::now();
    let root = Root::make(&target.join("roots"), suite, &[])?;
    tally.add(
        &format!("a fresh root, {release}"),
        &Verified::OkIn(began.elapsed()),
    );
    let began = Instant::now();
    let kit = root.path(HOME).join(KIT);
    let exported = cargo(&workshop.root)
        .args(["workshop", "room", "export"])
        .arg(&kit)
        .status()
        .context("cannot run cargo")?;
    ensure!(
        exported.success(),
        "the kit was not made; the text above says why"
    );
    tally.add(&"room export", &Verified::OkIn(began.elapsed()));
    let size = kit.metadata().context("there is no kit")?.len() >> 20;
    root.as_root(&format!("chown {USER}:{USER} {HOME}/{KIT}"))?;

    // Each command in a shell of its own: the folder stays the one that the first changes to.
    let mut folder = HOME.to_owned();
    for command in &commands {
        let began = Instant::now();
        let script = format!("cd {folder} && {command} && pwd >{HOME}/folder");
        let output = root.run(USER, Network::None, &script)?;
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        // The last one is the first check of the starter, which is not yet solved.
        let as_expected = match command.contains(" check ") {
            true => printed.contains("NOT YET"),
            false => output.status.success(),
        };
        let verified = match as_expected {
            true => Verified::OkIn(began.elapsed()),
            false => Verified::Failed(format!("{}:\n{printed}", output.status)),
        };
        tally.add(command, &verified);
        if output.status.success() {
            let now = fs::read_to_string(root.path(HOME).join("folder"));
            folder = now.context("cannot read the folder")?.trim_end().to_owned();
        }
    }
    let began = Instant::now();
    let guide =
        format!("cd {folder} && cargo workshop book --no-open && cargo workshop guide room");
    let output = root.run(USER, Network::None, &guide)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let index = printed
        .lines()
        .find_map(|line| line.split_once("kit: "))
        .map(|(_, path)| root.path(path.trim()));
    let is_readable = index.is_some_and(|index| {
        fs::read_to_string(index).is_ok_and(|page| page.contains("Service Resilience"))
    }) && printed.contains("One file holds everything");
    let verified = match is_readable {
        true => Verified::OkIn(began.elapsed()),
        false => Verified::Failed(format!(
            "{printed}{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    };
    tally.add(&"the guide is readable", &verified);
    say!("\nThe kit has {size} MiB.");
    say!("{}", tally.summary());
    Ok(tally.outcome())
}

/// The commands in the first block below the heading, a line each.
fn commands(page: &str) -> Option<Vec<String>> {
    let (_, rest) = page.split_once(HEADING)?;
    let block = rest
        .lines()
        .skip_while(|line| !line.starts_with(INDENT))
        .map_while(|line| line.strip_prefix(INDENT));
    Some(block.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_commands_of_a_fresh_machine() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../book/src/room.md");
        let page = fs::read_to_string(page).expect("it is there");
        let commands = commands(&page).expect("it has a block");
        assert_eq!(commands.len(), 4);
        assert_eq!(commands[1], format!("cargo workshop room import ../{KIT}"));
    }
}
