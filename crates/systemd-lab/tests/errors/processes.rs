//! Processes that are killed, that start all at once, or that use odd names: nothing is left behind, nothing is built
//! twice, and the next one works.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use crate::support::{
    answer, as_child, assert_same, cache_with_image, child_process, damage, empty_cache, entries,
    lab, only, short_run, wait_until,
};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A process that gets an order and will not live to answer.
struct Doomed {
    child: Child,
}

impl Doomed {
    /// Waits until the process has started a QEMU.
    fn start(order: &str, cache: &Path) -> Doomed {
        // What a script starts in the background ignores SIGINT, and so do all its children, including this test.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT");
        command.arg(env::current_exe().expect("it runs"));
        as_child(&mut command, order, cache);
        // A process group of its own, as a shell gives each command: Ctrl-C sends the signal to the group.
        let child = command.process_group(0).spawn().expect("it starts");
        let doomed = Doomed { child };
        wait_until("QEMU starts", || !qemus_in(cache).is_empty());
        doomed
    }

    fn kill(mut self, how: impl Fn(Pid) -> rustix::io::Result<()>) {
        how(Pid::from_child(&self.child)).expect("it is still there");
        let status = self.child.wait().expect("it is ours");
        assert!(!status.success(), "it has not ended by itself");
    }
}

/// The QEMUs that work in a cache: their working directory is there.
fn qemus_in(cache: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
    processes
        .map(|process| process.path())
        .filter(|process| {
            let cwd = fs::read_link(process.join("cwd")).unwrap_or_default();
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            cwd.starts_with(cache) && name.starts_with("qemu")
        })
        .collect()
}

fn killed(process: Pid) -> rustix::io::Result<()> {
    kill_process(process, Signal::KILL)
}

/// Interrupts the process as a terminal does.
fn interrupted(process: Pid) -> rustix::io::Result<()> {
    kill_process_group(process, Signal::INT)
}

/// A killed process cannot clean up: the kernel ends its QEMU, and the next process removes what it was building.
#[test]
fn killed_while_the_snapshot_is_made() {
    let cache = cache_with_image();
    for how in [killed, interrupted] {
        Doomed::start("open", cache.path()).kill(how);
        wait_until("QEMU ends", || qemus_in(cache.path()).is_empty());
        assert_eq!(
            entries(cache.path(), "snapshot-"),
            [""; 0],
            "half a snapshot has no name"
        );
        assert_eq!(
            entries(cache.path(), "tmp-").len(),
            1,
            "the one before has been removed"
        );
    }
    let expected = short_run(lab()).expect("the lab works").to_json_lines();
    assert_same(&expected, &answer(&mut child_process("run", cache.path())));
    assert_eq!(entries(cache.path(), "tmp-"), [""; 0]);
}

#[test]
fn killed_in_the_midst_of_a_run() {
    let cache = crate::support::copied_cache();
    // The folder of tickets, in which one may be left until the next run.
    let but_for_turns = || {
        let mut entries = entries(cache.path(), "");
        entries.retain(|entry| entry != "turns");
        entries
    };
    for how in [killed, interrupted] {
        let before = but_for_turns();
        Doomed::start("compute", cache.path()).kill(how);
        wait_until("QEMU ends", || qemus_in(cache.path()).is_empty());
        assert_eq!(but_for_turns(), before, "a run leaves nothing behind");
    }
    let expected = short_run(lab()).expect("the lab works").to_json_lines();
    assert_same(&expected, &answer(&mut child_process("run", cache.path())));
    assert_eq!(entries(&cache.path().join("turns"), ""), ["lock"]);
}

/// The copies of QEMU at a checkpoint, and those that stand still there, end as well.
#[test]
fn killed_in_the_midst_of_a_sweep() {
    let cache = crate::support::copied_cache();
    for how in [killed, interrupted] {
        let doomed = Doomed::start("sweep", cache.path());
        // Two at a time run, on a machine with two processors.
        let busy = 1 + systemd_lab::pool::processors();
        wait_until("copies run", || qemus_in(cache.path()).len() > busy);
        doomed.kill(how);
        wait_until("QEMU ends", || qemus_in(cache.path()).is_empty());
    }
}

/// How many processes open a cache at once.
const AT_ONCE: usize = 3;

/// Their answers, and the inodes of image and snapshot after that: a rebuilt one gets a new inode.
fn open_at_once(cache: &Path) -> (Vec<String>, Vec<u64>) {
    let answers = thread::scope(|scope| {
        let start = |_| scope.spawn(|| answer(&mut child_process("run", cache)));
        let threads: Vec<_> = (0..AT_ONCE).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it answers"))
            .collect()
    });
    let inode = |kind| only(cache, kind).metadata().expect("it is there").ino();
    (answers, vec![inode("image-"), inode("snapshot-")])
}

/// From scratch, next to the remains of another attempt, at a path that a careless program would get wrong.
#[test]
fn several_processes_share_one_build() {
    let parent = empty_cache();
    let cache = parent.path().join("Müllers Zwischenspeicher, 2 %s α");
    let image = lab().image();
    let half_written = cache.join(image.file_name().expect("it has a name"));
    fs::create_dir_all(&half_written).expect("it can be made");
    fs::write(half_written.join("kernel"), "half a").expect("it can be written");
    fs::create_dir(cache.join("tmp-dead")).expect("it can be made");

    let (answers, built) = open_at_once(&cache);
    assert!(answers[0].contains("scenario-ended"), "{}", answers[0]);
    for other in &answers[1..] {
        assert_same(&answers[0], other);
    }
    assert_eq!(
        entries(&cache, "image-").len() + entries(&cache, "snapshot-").len(),
        2
    );
    assert_eq!(entries(&cache, "tmp-"), [""; 0]);

    // Now there is nothing left to build.
    let (again, same) = open_at_once(&cache);
    assert_same(&answers[0], &again[0]);
    assert_eq!(built, same);

    // The snapshot does not need the image any more, but a damaged image is not kept. The rebuilt image is the
    // same, so the snapshot fits it.
    let initrd = only(&cache, "image-").join("initrd");
    damage(&initrd, b"damaged");
    fs::File::options()
        .write(true)
        .open(&initrd)
        .and_then(|file| file.set_len(4096))
        .expect("it is ours");
    let (repaired, now) = open_at_once(&cache);
    assert_same(&answers[0], &repaired[0]);
    assert_ne!(now[0], built[0], "the image is another one");
    assert_eq!(now[1], built[1], "the snapshot is the same");
}
