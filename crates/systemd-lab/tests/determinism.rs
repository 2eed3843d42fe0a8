//! The same image, files and scenario give the same bytes: every time, in parallel with other runs, and on a busy
//! machine. (This also holds for a rebuilt snapshot: `errors/damage.rs` and `errors/processes.rs` rebuild some, and
//! compare.)

mod support;

use std::fs;
use std::hint::spin_loop;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::{LONG, PROGRAM, UNIT, lab, program, unit};
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab};

/// Runs of each kind: alone, in parallel with others, next to programs that compute all the time.
const ALONE: usize = 3;
const BESIDE: usize = 3;
const AT_ONCE: usize = 2;
const HOGS: usize = 4;

/// It contains everything that could differ: a service with threads that logs clock, addresses and random numbers,
/// systemd's timers and deadlines, requests, commands, and idle time between them.
fn scenario() -> (Scenario, Vec<GuestFile>) {
    let service = format!(
        "Type=notify\nExecStart={PROGRAM} hang\nWatchdogSec=5s\nRestart=on-failure\nRestartSec=3s\nTimeoutAbortSec=1s"
    );
    let scenario = Scenario::new("everything that could differ")
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .get("refused", "http://127.0.0.1:9/", LONG)
        .run(
            &[
                "/usr/bin/bash",
                "-c",
                "date +%s.%N; cat /proc/sys/kernel/random/uuid /proc/interrupts",
            ],
            LONG,
        )
        .sleep(Duration::from_secs(20))
        .observe(UNIT);
    (scenario, vec![unit(&service), program()])
}

fn bytes(lab: &Lab) -> String {
    let (scenario, files) = scenario();
    let timeline = lab.run(&scenario, &files);
    timeline.expect("the lab works").to_json_lines()
}

/// Threads that each keep a core busy, until this is dropped.
struct Hogs(std::sync::Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

impl Hogs {
    fn start() -> Hogs {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let hog = |_| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let threads = (0..HOGS).map(hog).collect();
        Hogs(stop, threads)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn all_runs_are_the_same() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut runs: Vec<String> = (0..ALONE).map(|_| bytes(lab())).collect();
    assert!(
        runs[0].contains("watchdog-timeout") && runs[0].contains("restart-scheduled"),
        "it did what it should"
    );
    let beside = || {
        thread::scope(|scope| {
            let run = |_| scope.spawn(|| (0..BESIDE).map(|_| bytes(lab())).collect::<Vec<_>>());
            let threads: Vec<_> = (0..AT_ONCE).map(run).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("no run panics"))
                .collect::<Vec<_>>()
        })
    };
    runs.extend(beside());
    let hogs = Hogs::start();
    runs.extend(beside());
    drop(hogs);

    let differing = runs.iter().filter(|run| **run != runs[0]).count();
    println!("{} runs, {differing} differ from the first", runs.len());
    assert_eq!(differing, 0, "ARCHITECTURE.md says why none should");
}

/// Ten hours in which nothing happens.
const TEN_HOURS: Duration = Duration::from_secs(36_000);

/// What the ten hours may cost. README.md says three seconds on a machine that does nothing else; a guest that is not
/// silenced takes thirty. Processor time, unlike wall time, hardly depends on what else this machine does.
const TEN_HOURS_COST: Duration = Duration::from_secs(15);

/// How often the guest's processor may wake up in that time: once in three seconds. It does so once in four, and twice as
/// often if one of the kernel's timers is left running.
const TEN_HOURS_OF_INTERRUPTS: u64 = 10 * 3600 / 3;

/// Held by each test, because a run's cost is measured for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn ten_hours_of_idling_take_no_time() {
    const INTERRUPTS: [&str; 3] = [
        "/usr/bin/bash",
        "-c",
        "while read -r name count _; do [ $name = intr ] && echo $count; done < /proc/stat",
    ];
    let scenario = Scenario::new("idle")
        .run(&INTERRUPTS, LONG)
        .sleep(TEN_HOURS)
        .run(&INTERRUPTS, LONG);
    lab();
    let _alone = ONE_AT_A_TIME.lock();
    let before = cpu_time_of_children();
    let timeline = lab().run(&scenario, &[]).expect("the lab works");
    let cost = cpu_time_of_children() - before;
    println!("ten hours took {cost:?} of processor time");
    let counted: Vec<u64> = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Command { output, .. } => output.trim().parse().ok(),
            _ => None,
        })
        .collect();
    let [at_first, at_last] = counted[..] else {
        panic!("{}", timeline.to_json_lines());
    };
    let interrupts = at_last - at_first;
    println!("{interrupts} interrupts in ten hours");
    assert!(interrupts <= TEN_HOURS_OF_INTERRUPTS, "{interrupts}");
    let last = timeline.events().last().expect("it has events");
    assert!(timeline.time_of(last) >= TEN_HOURS);
    assert!(cost <= TEN_HOURS_COST, "{cost:?}");
}

/// For children that have ended: proc_pid_stat(5), `cutime` and `cstime`.
fn cpu_time_of_children() -> Duration {
    /// `sysconf(_SC_CLK_TCK)`, which is the same on every Linux on x86-64.
    const TICKS_PER_SECOND: u64 = 100;
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The fields are counted from the end of the program's name, which may contain spaces.
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
    let ticks = fields.split(' ').skip(13).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}
