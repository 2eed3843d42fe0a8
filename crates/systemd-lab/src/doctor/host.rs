//! What the lab needs of the host: its architecture, programs, and flags for the compiler.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finding, Remedy, State};
use crate::error::ELSEWHERE;
use crate::packages::{self, BY_OTHER_MEANS, FOR_IMAGE, IMPORT_IMAGE, Needed, QEMU, SETPRIV};

pub(super) fn machine() -> Finding {
    machine_of(env::consts::ARCH)
}

fn machine_of(architecture: &str) -> Finding {
    const NAME: &str = "machine";
    match architecture {
        "x86_64" => Finding::good(NAME, "x86-64"),
        other => {
            let remedy = Remedy::Advice(ELSEWHERE.to_owned());
            let detail = format!("{other}: what you build here is run in an x86-64 guest");
            Finding::new(NAME, State::Damaged, detail, Some(remedy))
        }
    }
}

/// All programs; if some that the lab needs are missing and it cannot install them, also the reason.
pub(super) fn programs(need_image: bool) -> Vec<Finding> {
    let [mmdebstrap, keys] = &FOR_IMAGE;
    let mut findings = vec![program("setpriv", &SETPRIV)];
    let mut missing = Vec::new();
    for (name, needed, now) in [
        ("QEMU", &QEMU, true),
        ("mmdebstrap", mmdebstrap, need_image),
        ("Debian's keys", keys, need_image),
    ] {
        let mut finding = program(name, needed);
        if finding.state == State::Missing && !now {
            let detail = "absent, and only needed to build the guest image";
            finding = Finding::new(name, State::Unneeded, detail, None);
        }
        if finding.state == State::Missing {
            missing.push(needed);
        }
        findings.push(finding);
    }
    let why_not = (!missing.is_empty()).then(packages::why_not_install);
    match why_not {
        // All of them exist.
        None => {}
        Some(None) => {
            let installable = |finding: &&mut Finding| finding.name != "setpriv";
            for finding in findings.iter_mut().filter(installable) {
                finding.remedy = finding.remedy.take().map(|_| Remedy::SetUp);
            }
        }
        Some(Some(why)) => {
            // Otherwise, each has a remedy of its own.
            if let Some(command) = packages::install_command(&missing) {
                findings.push(Finding::new(
                    "installing",
                    State::Missing,
                    format!("the lab cannot install these by itself: {why}"),
                    Some(Remedy::Type(command)),
                ));
            }
        }
    }
    findings
}

/// What to do where the host does not have this.
fn remedy(needed: &Needed) -> Remedy {
    let of_image = FOR_IMAGE.iter().any(|other| other.file == needed.file);
    match packages::install_command(&[needed]) {
        Some(command) => Remedy::Type(command),
        None if of_image => Remedy::Advice(IMPORT_IMAGE.to_owned()),
        None => Remedy::Advice(BY_OTHER_MEANS.to_owned()),
    }
}

fn program(name: &'static str, needed: &Needed) -> Finding {
    match packages::find(needed.file) {
        Some(path) => Finding::good(name, with_version(&path)),
        None => Finding::new(
            name,
            State::Missing,
            format!("{} is not installed", needed.file),
            Some(remedy(needed)),
        ),
    }
}

/// `7.2.22 (/usr/bin/qemu-system-x86_64)`; only the path if the program reports no version.
fn with_version(path: &Path) -> String {
    match version(path) {
        Some(version) => format!("{version} ({})", path.display()),
        None => path.display().to_string(),
    }
}

/// The first word that contains a digit in the first line of `--version`.
pub(super) fn version(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let word = text
        .lines()
        .next()?
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    Some(word.to_owned())
}

/// The user's own flags replace those of the workspace, which make binaries static. Cargo uses the first of
/// these.
pub(super) fn compiler_flags() -> Option<Finding> {
    const NAME: &str = "compiler flags";
    let (name, flags) = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"]
        .into_iter()
        .find_map(|name| Some((name, env::var(name).ok()?)))?;
    // Cargo treats an empty variable as unset.
    if flags.is_empty() {
        return None;
    }
    if flags.contains("+crt-static") {
        return Some(Finding::good(NAME, format!("{name} has +crt-static")));
    }
    Some(Finding::new(
        NAME,
        State::Damaged,
        format!("{name} replaces the flags that make binaries static"),
        Some(Remedy::Type(format!("unset {name}"))),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_told_what_works() {
        assert_eq!(machine_of("x86_64").state, State::Good);
        let finding = machine_of("aarch64");
        assert_eq!(finding.state, State::Damaged);
        assert!(
            finding.detail.starts_with("aarch64: "),
            "{}",
            finding.detail
        );
        assert_eq!(finding.remedy, Some(Remedy::Advice(ELSEWHERE.to_owned())));
    }
}
