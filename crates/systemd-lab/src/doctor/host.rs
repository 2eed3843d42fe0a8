//! What the lab needs of the host: its architecture, programs, and flags for the compiler.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finding, Remedy, State};
use crate::packages::{self, FOR_IMAGE, Needed, QEMU, SETPRIV};

pub(super) fn machine() -> Finding {
    const NAME: &str = "machine";
    match env::consts::ARCH {
        "x86_64" => Finding::good(NAME, "x86-64"),
        other => {
            let remedy = Remedy::Advice("use an x86-64 machine".to_owned());
            let detail = format!("{other}: the guest is x86-64, and runs what was built here");
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
        Some(Some(why)) => findings.push(Finding::new(
            "installing",
            State::Missing,
            format!("the lab cannot install these by itself: {why}"),
            Some(Remedy::Type(packages::install_command(&missing))),
        )),
    }
    findings
}

fn program(name: &'static str, needed: &Needed) -> Finding {
    match packages::find(needed.file) {
        Some(path) => Finding::good(name, with_version(&path)),
        None => Finding::new(
            name,
            State::Missing,
            format!("{} is not installed", needed.file),
            Some(Remedy::Type(packages::install_command(&[needed]))),
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
