//! What the tests of this directory share: a lab, services, and the tests' own binary as a process that can get a
//! different environment, or be killed.

#![allow(dead_code, reason = "each test crate uses some of it")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use systemd_lab::protocol::Scenario;
use systemd_lab::{
    Experiment, Guest, GuestFile, Lab, LabError, Probe, RunOptions, Sweep, Timeline,
};
use tempfile::TempDir;

/// In virtual time: longer than any wait in these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// How often to poll something on the host that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(10);

/// In wall time, on a busy machine.
const HOST_DEADLINE: Duration = Duration::from_secs(180);

/// Tells a child process what to do.
const ORDER: &str = "SYSTEMD_LAB_TEST_ORDER";

/// Comes before a child process's answer.
const ANSWER_BEGINS: &str = "<answer>";
const ANSWER_ENDS: &str = "</answer>";

pub(crate) const UNIT: &str = "t.service";

static LAB: LazyLock<Lab> = LazyLock::new(|| Lab::open().expect("the lab opens"));

/// The default lab.
pub(crate) fn lab() -> &'static Lab {
    &LAB
}

/// Runs it in the default lab.
pub(crate) fn run(scenario: &Scenario, files: &[GuestFile]) -> Timeline {
    lab().run(scenario, files).expect("the lab works")
}

/// The unit [`UNIT`], with these lines in its `[Service]` section.
pub(crate) fn unit(service: &str) -> GuestFile {
    other_unit(UNIT, service)
}

pub(crate) fn other_unit(name: &str, service: &str) -> GuestFile {
    GuestFile::text(
        format!("/etc/systemd/system/{name}"),
        format!("[Service]\n{service}\n"),
    )
}

/// The program of `tests/guest`.
pub(crate) const PROGRAM: &str = "/usr/local/bin/test-service";

pub(crate) fn program() -> GuestFile {
    GuestFile::program(PROGRAM, env!("CARGO_BIN_EXE_systemd-lab-test-service"))
}

/// Something short that shows that the lab works.
pub(crate) fn short_run(lab: &Lab) -> Result<Timeline, LabError> {
    short_run_with(lab, RunOptions::default())
}

fn short_run_with(lab: &Lab, options: RunOptions<'_>) -> Result<Timeline, LabError> {
    let scenario = Scenario::new("short")
        .start(UNIT)
        .wait_for_state(UNIT, &["running"], LONG);
    lab.run_with(
        &scenario,
        &[unit("ExecStart=/usr/bin/sleep infinity")],
        options,
    )
}

/// A separate cache with a copy of the default one.
pub(crate) fn copied_cache() -> TempDir {
    copy_of(&[&lab().image(), lab().snapshot()])
}

/// A separate cache with only the default one's image.
pub(crate) fn cache_with_image() -> TempDir {
    copy_of(&[&lab().image()])
}

/// The default lab's image as a file, as `image export` packs it, but with fast compression.
pub(crate) fn packed_image(to: &Path) {
    const FASTEST: i32 = 1;
    let image = lab().image();
    let name = image.file_name().expect("it has a name").to_string_lossy();
    let key = name.strip_prefix("image-").expect("that is its kind");
    let file = fs::File::create(to).expect("it can be made");
    let encoder = zstd::Encoder::new(file, FASTEST).expect("it can be written");
    let mut tar = tar::Builder::new(encoder.auto_finish());
    let mut header = tar::Header::new_gnu();
    header.set_size(key.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "key", key.as_bytes())
        .expect("it can be written");
    for name in ["manifest.json", "kernel", "initrd"] {
        tar.append_path_with_name(image.join(name), name)
            .expect("it can be written");
    }
    tar.finish().expect("it can be written");
}

/// The default cache may also contain entries of other guests.
fn copy_of(directories: &[&Path]) -> TempDir {
    let copy = empty_cache();
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=always"])
        .args(directories)
        .arg(copy.path())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cp works");
    copy
}

/// An empty cache below the directory of the default one: on the same disk, which has room.
pub(crate) fn empty_cache() -> TempDir {
    let parent = ordinary_cache();
    let parent = parent.parent().expect("a cache has a parent");
    fs::create_dir_all(parent).expect("it can be made");
    tempfile::Builder::new()
        .prefix("systemd-lab-test-")
        .tempdir_in(parent)
        .expect("it can be made")
}

pub(crate) fn ordinary_cache() -> PathBuf {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    variable("SYSTEMD_LAB_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("systemd-lab")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/systemd-lab")))
        .expect("the lab has opened, so there is one")
}

/// The names in a cache that begin like this, sorted.
pub(crate) fn entries(cache: &Path, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

/// The newest entry of a cache that begins like this.
pub(crate) fn only(cache: &Path, prefix: &str) -> PathBuf {
    let modified = |path: &PathBuf| path.metadata().and_then(|meta| meta.modified()).ok();
    entries(cache, prefix)
        .into_iter()
        .map(|name| cache.join(name))
        .max_by_key(modified)
        .unwrap_or_else(|| panic!("the cache has no {prefix}*"))
}

/// Writes these bytes into the middle of a file, and keeps its times.
pub(crate) fn damage(file: &Path, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let meta = file.metadata().expect("it is there");
    let open = fs::File::options()
        .write(true)
        .open(file)
        .expect("it can be written");
    open.write_all_at(bytes, meta.len() / 2)
        .expect("it can be written");
    open.set_modified(meta.modified().expect("files have times"))
        .expect("it is ours");
}

/// The test binary as a separate process that opens the lab of this cache and carries out `order`.
pub(crate) fn child_process(order: &str, cache: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(env::current_exe().expect("it runs"));
    as_child(&mut command, order, cache);
    command
}

pub(crate) fn as_child(command: &mut Command, order: &str, cache: impl AsRef<OsStr>) {
    command
        .args(["child", "--exact", "--nocapture"])
        .env(ORDER, order)
        .env("SYSTEMD_LAB_CACHE", cache)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
}

/// The answer of a child process.
pub(crate) fn answer(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = text
        .split_once(ANSWER_BEGINS)
        .and_then(|(_, rest)| rest.split_once(ANSWER_ENDS));
    match answer {
        Some((answer, _)) => answer.to_owned(),
        None => panic!("the child process said:\n{text}"),
    }
}

/// The body of the test `child` in each test crate.
pub(crate) fn be_a_child() {
    let Ok(order) = env::var(ORDER) else {
        // Not a child process: behave like any other test.
        Lab::open().expect("the lab opens");
        return;
    };
    let answer = match obey(&order) {
        Ok(answer) => answer,
        Err(error) => error.to_string(),
    };
    println!("{ANSWER_BEGINS}{answer}{ANSWER_ENDS}");
}

fn obey(order: &str) -> Result<String, LabError> {
    if order == "examine" {
        // Does not open the lab, because that would repair it.
        return Ok(bad_findings());
    }
    if order == "unknown" {
        let findings = systemd_lab::doctor::look();
        let unknown = findings
            .iter()
            .filter(|finding| finding.state == systemd_lab::doctor::State::Unknown);
        let names: Vec<&str> = unknown.map(|finding| finding.name).collect();
        return Ok(names.join(", "));
    }
    if let Some(file) = order.strip_prefix("import ") {
        return Lab::options()
            .import_image(Path::new(file))
            .map(|()| "imported".to_owned());
    }
    if let Some(folder) = order.strip_prefix("host-packages ") {
        return systemd_lab::host_packages::download(Path::new(folder))
            .map(|()| "downloaded".to_owned());
    }
    if let Some(folder) = order.strip_prefix("install-from ") {
        return systemd_lab::host_packages::install(Path::new(folder))
            .map(|()| "installed".to_owned());
    }
    if order == "repair" {
        return Lab::options()
            .repaired()
            .open()
            .map(|_| "opened".to_owned());
    }
    if let Some(packages) = order.strip_prefix("open-with ") {
        let mut guest = Guest::default();
        for package in packages.split(' ') {
            guest = guest.package(package)?;
        }
        return Lab::options()
            .guest(&guest)
            .open()
            .map(|_| "opened".to_owned());
    }
    let lab = Lab::open()?;
    match order {
        "open" => Ok("opened".to_owned()),
        "run" => Ok(short_run(&lab)?.to_json_lines()),
        "run-briefly" => {
            let options = RunOptions::default().deadline(Duration::from_secs(2));
            short_run_with(&lab, options).map(|_| "ran".to_owned())
        }
        "run-dynamic" => {
            let files = [GuestFile::program("/usr/local/bin/true", "/usr/bin/true")];
            lab.run(&Scenario::new("none"), &files)
                .map(|_| "ran".to_owned())
        }
        "program" => {
            let program = lab.program_of_package("sysvinit-core", "usr/sbin/init")?;
            let output = Command::new(program).output().expect("it is executable");
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        "compute" => {
            let scenario = Scenario::new("busy")
                .start(UNIT)
                .sleep(Duration::from_secs(3600));
            let files = [unit(&format!("ExecStart={PROGRAM} compute")), program()];
            lab.run(&scenario, &files).map(|_| "ran".to_owned())
        }
        "sweep" => {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let file = folder.path().join(UNIT);
            fs::write(&file, "[Service]\nExecStart=/usr/bin/sleep infinity\n")
                .expect("it can be written");
            let experiment = Experiment::new(file)
                .probe(Probe::exec("/usr/bin/true"))
                .lasting(LONG);
            let sweep = Sweep::new(experiment).fault("kill".parse().expect("it is a fault"));
            let never = AtomicBool::new(false);
            let swept = sweep.run(&lab, &never, |_, _| {});
            Ok(swept.expect("the lab works").planned.to_string())
        }
        "sweep-briefly" => {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let file = folder.path().join(UNIT);
            fs::write(
                &file,
                "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\n",
            )
            .expect("it can be written");
            let experiment = Experiment::new(file)
                .probe(Probe::exec("/usr/bin/true"))
                .lasting(Duration::from_secs(6));
            let sweep = Sweep::new(experiment)
                .fault("kill".parse().expect("it is a fault"))
                .at_most(const { NonZeroUsize::new(6).unwrap() });
            let never = AtomicBool::new(false);
            let swept = sweep.run(&lab, &never, |_, _| {}).expect("the lab works");
            let continued = swept.trials.iter().filter(|it| it.is_continued());
            let answer = json!({ "continued": continued.count(), "trials": swept.trials });
            Ok(answer.to_string())
        }
        other => panic!("no such order: {other}"),
    }
}

/// The names and states of everything that the doctor finds wrong with the lab itself.
fn bad_findings() -> String {
    let findings = systemd_lab::doctor::examine();
    let bad = findings.iter().filter(|finding| finding.state.is_bad());
    let shown: Vec<String> = bad
        .map(|finding| format!("{}: {:?}", finding.name, finding.state))
        .collect();
    shown.join(", ")
}

/// Before QEMU's clock was exact, it shifted a time by a microsecond or two in about one run of a hundred, and a run on its way to a shell
/// still may: ARCHITECTURE.md, "Why runs are the same to the last byte". In tests about something else, times may differ by this much.
const SHIFT_US: u64 = 50;

/// On a machine with several busy processes for each processor, a short run ended 1.15 ms early once. The kernel's tick is 4 ms.
const SHIFT_UNDER_LOAD_US: u64 = 4_000;

/// Fails with the first line that differs (timelines are long), unless only the last microseconds of a time differ.
pub(crate) fn assert_same(left: &str, right: &str) {
    assert_same_within(SHIFT_US, left, right);
}

/// The same for runs beside which others keep the machine busy: times may differ by a tick.
pub(crate) fn assert_same_under_load(left: &str, right: &str) {
    assert_same_within(SHIFT_UNDER_LOAD_US, left, right);
}

fn assert_same_within(shift: u64, left: &str, right: &str) {
    let lines = left.lines().zip(right.lines());
    let differs = |(left, right): &(&str, &str)| {
        left != right && !within(shift, &parsed(left), &parsed(right))
    };
    if let Some((left, right)) = lines.into_iter().find(|pair| differs(pair)) {
        panic!("a line differs:\n{left}\n{right}");
    }
    assert_eq!(
        left.lines().count(),
        right.lines().count(),
        "one is longer than the other"
    );
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).expect("a timeline is JSON")
}

fn within(shift: u64, left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, value): (&String, &Value)| {
                // systemd counts CPU time in nanoseconds, everything else in microseconds.
                let shift = if key.ends_with("NSec") {
                    1000 * shift
                } else {
                    shift
                };
                right
                    .get(key)
                    .is_some_and(|other| within(shift, value, other))
            };
            left.len() == right.len() && left.iter().all(same)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| within(shift, left, right))
        }
        // Times count from boot or from 1970; counters are small, and must be equal.
        (Value::Number(left), Value::Number(right)) => match (left.as_u64(), right.as_u64()) {
            (Some(left), Some(right)) => {
                left == right || (left > 1_000_000 && left.abs_diff(right) <= shift)
            }
            _ => left == right,
        },
        _ => left == right,
    }
}

/// The path of a program on the host.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|dir| dir.join(program))
        .find(|path| path.exists())
}

/// Waits until `holds`, or panics.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + HOST_DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(GLANCE);
    }
}
