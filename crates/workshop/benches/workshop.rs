//! How long an attendee waits for a check, and a maintainer for all of them, measured on this machine.
//!
//! `cargo bench -p workshop` takes about twenty minutes. `cargo bench -p workshop -- --quick` leaves out the parts
//! that take minutes each: the soak, all tests and `cargo maintain verify`.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};

/// Enough runs for a median that one busy moment does not change.
const RUNS: usize = 5;

/// The time limit for each stage's check, once it is compiled, in seconds.
const STAGES: [(&str, f64); 6] = [
    ("01", 5.0),
    ("02", 5.0),
    ("03", 5.0),
    ("04", 5.0),
    ("05", 8.0),
    ("06", 25.0),
];

fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    println!(
        "{:<58}{:>12}{:>14}",
        "median of the runs", "measured", "to reach"
    );
    // Everything is compiled before anything is measured.
    cargo(&["test", "--no-run"])?;

    for (stage, limit) in STAGES {
        let package = format!("solution-{stage}");
        let test = ["test", "--package", &package];
        cargo(&test)?;
        let time = median(|| cargo(&test))?;
        row(&format!("cargo test -p {package}"), time, limit);
    }

    let edited = median(|| {
        touch(&root().join("solutions/04-notify/src/main.rs"))?;
        cargo(&["test", "--package", "solution-04"])
    })?;
    row("cargo test -p solution-04 after an edit", edited, 5.0);

    companion()?;

    let table = median(|| {
        forget_table()?;
        cargo(&["test", "--package", "solution-02", "r1"])
    })?;
    row("the table of stage 02: 77 cells", table, 20.0);

    if !quick {
        // The alias would pass the same arguments; the point is not to measure cargo itself.
        cargo(&["build", "--package", "maintain"])?;
        let soak = cargo(&["maintain", "verify", "soak 05", "--soak"])?;
        row("ten virtual hours of stage 05", soak, 120.0);
        let all = cargo(&["test"])?;
        row("cargo test", all, 120.0);
        let verify = cargo(&["maintain", "verify"])?;
        row("cargo maintain verify", verify, 600.0);
    }
    Ok(())
}

/// What an attendee types all day: everything that happens between Enter and the answer, including cargo.
fn companion() -> anyhow::Result<()> {
    cargo(&["build", "--package", "workshop"])?;
    for arguments in [&["workshop"][..], &["workshop", "list"]] {
        let time = median(|| until(arguments, b"", "05 watchdog"))?;
        row(&format!("cargo {}", arguments.join(" ")), time, 0.2);
    }
    let edited = || touch(&root().join("exercises/04-notify/src/main.rs"));
    let check = ["workshop", "check", "04"];
    let first = median(|| {
        edited()?;
        until(&check, b"", " 1  ")
    })?;
    row(
        "cargo workshop check 04 after an edit: first result",
        first,
        3.0,
    );
    let whole = median(|| {
        edited()?;
        until(&check, b"", "cargo workshop timeline 04")
    })?;
    row("cargo workshop check 04 after an edit", whole, 5.0);
    let shell = median(|| until(&["workshop", "shell", "04"], b"exit\n", "root@lab"))?;
    row("cargo workshop shell 04: the prompt", shell, 2.0);
    Ok(())
}

/// How long it takes until cargo has printed these words; then waits for its end, which does not count.
fn until(arguments: &[&str], input: &[u8], words: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run cargo")?;
    let (to, from) = child
        .stdin
        .take()
        .zip(child.stdout.take())
        .context("both are pipes")?;
    { to }.write_all(input).context("cannot write to cargo")?;
    let mut printed = Vec::new();
    let mut seen = None;
    for byte in BufReader::new(from).bytes() {
        printed.push(byte.context("cannot read what cargo prints")?);
        if seen.is_none() && printed.ends_with(words.as_bytes()) {
            seen = Some(began.elapsed());
        }
    }
    child.wait().context("cannot wait for cargo")?;
    seen.with_context(|| {
        format!(
            "cargo {} did not print {words:?}; run it by hand to see why",
            arguments.join(" ")
        )
    })
}

/// How long cargo takes; it must succeed.
fn cargo(arguments: &[&str]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "cargo {} fails; run it by hand to see why",
        arguments.join(" ")
    );
    Ok(began.elapsed())
}

/// For cargo, a touched file is an edited file.
fn touch(file: &Path) -> anyhow::Result<()> {
    File::options()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch {}", file.display()))
}

/// The table does not depend on anything that attendees edit, so the cache has its runs. Without those files, the
/// table is measured again.
fn forget_table() -> anyhow::Result<()> {
    let cache = match std::env::var_os("SYSTEMD_LAB_CACHE") {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()
            .context("no home directory; set SYSTEMD_LAB_CACHE")?
            .join(".cache/systemd-lab"),
    };
    for entry in fs::read_dir(&cache).with_context(|| format!("cannot read {}", cache.display()))? {
        let remembered = entry?.path().join("remembered");
        if remembered.is_dir() {
            fs::remove_dir_all(&remembered)
                .with_context(|| format!("cannot remove {}", remembered.display()))?;
        }
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

fn median(mut run: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut times = (0..RUNS).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    Ok(times[times.len() / 2])
}

fn row(what: &str, measured: Duration, to_reach: f64) {
    let measured = format!("{:.2} s", measured.as_secs_f64());
    let to_reach = format!("<= {to_reach:.2} s");
    println!("{what:<58}{measured:>12}{to_reach:>14}");
}
