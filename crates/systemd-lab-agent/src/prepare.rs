//! The work that is done once, before the snapshot: everything that a scenario need not do itself.
//!
//! The agent silences the guest, makes systemd talkative, opens what a scenario needs, and runs a
//! rehearsal. The rehearsal touches the code and memory that the first service would otherwise be
//! the first to touch.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::mount::{MountFlags, mount};
use rustix::time::{ClockId, Timespec, clock_settime};
use systemd_lab_protocol::sight::REHEARSAL;
use systemd_lab_protocol::{Condition, EventKind, Scenario};

use crate::checkpoint::Checkpoint;
use crate::files::write_file;
use crate::guest::{Doorbell, JobMemory};
use crate::handover::Handover;
use crate::http::Request;
use crate::journal;
use crate::journal::events;
use crate::journal::follower::Follower;
use crate::levels::{self, Levels};
use crate::load::Load;
use crate::outbox::Outbox;
use crate::pace::{self, Waiter, now_us};
use crate::processes::Processes;
use crate::recorder::{Events, Recorder, Sources};
use crate::sockets::SocketTrace;
use crate::systemd::{self, JobType};
use crate::termination::Termination;

/// The guest's journal is in memory (`Storage=volatile`).
const JOURNAL: &str = "/run/log/journal";

/// Where the kernel's traces are.
pub const TRACEFS: &str = "/sys/kernel/tracing";
const DEBUGFS: &str = "/sys/kernel/debug";

/// Periodic work of the kernel that no scenario needs: without it, an idle guest jumps ten times as
/// far for each second of wall time. Also, without random addresses, QEMU does not have to translate
/// the code of a library again for each process that loads it.
const QUIET_SYSCTLS: &[(&str, &str)] = &[
    ("kernel/randomize_va_space", "0"),
    ("vm/stat_interval", "86400"),
    ("vm/dirty_writeback_centisecs", "0"),
    ("vm/compaction_proactiveness", "0"),
    ("net/ipv4/neigh/default/interval_probe_time_ms", "3600000"),
    ("net/ipv6/neigh/default/interval_probe_time_ms", "3600000"),
];

/// A timer that kernels since 6.12 run for a scheduling class that is not used here.
const FAIR_SERVER: &str = "/sys/kernel/debug/sched/fair_server/cpu0/runtime";

const REHEARSAL_FILE: &str = "/run/systemd/system/systemd-lab-rehearsal.service";
const REHEARSAL_UNIT: &str = "[Unit]
Description=The lab's rehearsal
[Service]
ExecStart=/usr/lib/systemd-lab/agent --rehearse
";

/// How long the rehearsal may take; it takes about 0.1 s.
const LONGEST_REHEARSAL: Duration = Duration::from_secs(30);

/// How long the guest comes to rest afterwards: longer than any timer of systemd-journald or the
/// kernel that the rehearsal may have started. It is virtual time, and costs nothing.
const REST: Duration = Duration::from_secs(10);

/// Scenarios begin on a multiple of this, on the guest's monotonic clock. systemd rounds the times of its timers up to
/// multiples of up to a minute of that clock (see `boot`). So what a scenario sees of them depends neither on how long the
/// boot took nor on how many files the job has.
const BEGINS_ON: Duration = Duration::from_secs(60);

/// The date at which scenarios begin: 2030-01-01 00:00:00 UTC, a Tuesday. It is later than the build of any systemd that
/// the guest may run: systemd moves an earlier clock forward to its build date.
const DATE_S: i64 = 1_893_456_000;

/// Longer than the rehearsal and the rest take together.
const PREPARATION: Duration = Duration::from_secs(35);

/// By then, systemd has accepted the connections and is at rest again: that takes a tenth of this.
const CONNECTING: Duration = Duration::from_secs(1);

/// From the snapshot to the beginning of a scenario. It is longer than it takes to restore the guest (which may add a
/// second to the clock: `saved_state.rs` of the host) and to write the files of a job.
const HEADROOM: Duration = Duration::from_secs(5);

/// The parts that a scenario finds ready.
pub struct Prepared {
    /// Where the job will arrive.
    pub memory: Arc<JobMemory>,
    /// How a scenario pauses.
    pub checkpoint: Checkpoint,
    /// How a person takes over.
    pub handover: Arc<Handover>,
    /// Where the agent reads events.
    pub sources: Sources,
    /// The first event.
    pub hello: EventKind,
}

/// Prepares the guest for a scenario.
///
/// # Errors
///
/// When the guest or QEMU lacks something.
pub fn prepare(doorbell: &Arc<Doorbell>) -> anyhow::Result<Prepared> {
    let memory = Arc::new(JobMemory::map()?);
    let handover = Handover::prepare(&memory, doorbell)?;
    quieten()?;
    check_loopback()?;
    mount_once("tracefs", TRACEFS)?;
    systemd::set_log_level("debug")?;
    let systemd_version = systemd::version()?;
    let journal = Follower::open(Path::new(JOURNAL), events::is_kept)
        .with_context(|| format!("cannot open the journal in {JOURNAL}"))?;
    let levels = Levels::watch()?;
    levels::see_all_of_packages().context("cannot write the lab's drop-ins")?;
    let sockets = SocketTrace::start(Path::new(TRACEFS))?;
    let processes = Processes::trace(Path::new(TRACEFS))?;
    let termination = Termination::handle()?;
    let load = Load::begin().context("the kernel does not count what services compute")?;
    let waiter = Waiter::new()?;
    let mut sources = Sources {
        journal,
        levels,
        sockets,
        processes,
        termination,
        load,
        waiter,
        alarm: None,
    };
    let begins_us = next_beginning(now_us() + micros(PREPARATION + HEADROOM));
    set_date_at(begins_us, DATE_S)?;
    rehearse(&mut sources).context("the rehearsal failed")?;
    come_to_rest(&mut sources, begins_us)?;
    Ok(Prepared {
        checkpoint: Checkpoint::new(&memory),
        memory,
        handover,
        sources,
        hello: EventKind::Hello {
            protocol: systemd_lab_protocol::PROTOCOL_VERSION,
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            systemd: systemd_version,
            qemu: None,
        },
    })
}

fn quieten() -> anyhow::Result<()> {
    for (name, value) in QUIET_SYSCTLS {
        let path = Path::new("/proc/sys").join(name);
        // A kernel without the setting does not do this work either.
        if path.exists() {
            fs::write(&path, value).with_context(|| format!("cannot set the sysctl {name}"))?;
        }
    }
    mount_once("debugfs", DEBUGFS)?;
    if Path::new(FAIR_SERVER).exists() {
        fs::write(FAIR_SERVER, "0").context("cannot turn the fair server off")?;
    }
    Ok(())
}

fn mount_once(kind: &str, target: &str) -> anyhow::Result<()> {
    match mount(kind, target, kind, MountFlags::empty(), None) {
        // systemd may have mounted it already.
        Ok(()) | Err(rustix::io::Errno::BUSY) => Ok(()),
        Err(error) => Err(io::Error::from(error)).with_context(|| format!("cannot mount {kind}")),
    }
}

/// Checks that systemd has brought the loopback up, which is one of the first things that it does.
fn check_loopback() -> anyhow::Result<()> {
    let flags = fs::read_to_string("/sys/class/net/lo/flags").context("there is no loopback")?;
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16);
    match flags {
        Ok(flags) if flags & 1 == 1 => Ok(()),
        _ => bail!("the loopback interface is down"),
    }
}

/// Runs a small scenario whose outcome is discarded, and checks that all sources work.
fn rehearse(sources: &mut Sources) -> anyhow::Result<()> {
    let mut nowhere: Events = Outbox::new(Box::new(io::sink()));
    let mut recorder = Recorder::new(&Scenario::default(), sources, &mut nowhere);
    recorder.begin_step(0);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    recorder.collect()?;
    let condition = Condition::Listening {
        address: address.clone(),
    };
    if !recorder.holds(&condition) {
        bail!("the kernel does not trace sockets");
    }
    let server = thread::spawn(move || -> io::Result<()> {
        let (mut connection, _) = listener.accept()?;
        // The request is shorter, and arrives in one piece.
        let _ = connection.read(&mut [0; 512])?;
        connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
    });
    let request = Request::new("GET", &format!("http://{address}/"), None);
    let outcome = request.map_err(anyhow::Error::msg)?.send(LONGEST_REHEARSAL);
    let served = server.join();
    if !matches!(served, Ok(Ok(()))) {
        bail!("the loopback carries no requests: {outcome:?}");
    }

    write_file(REHEARSAL_FILE, REHEARSAL_UNIT.as_bytes(), 0o644)?;
    systemd::queue_job(JobType::Start, REHEARSAL)?;
    let condition = Condition::NextSubState {
        unit: REHEARSAL.into(),
        any_of: vec!["dead".into(), "failed".into()],
    };
    let began = Instant::now();
    while !recorder.holds(&condition) {
        if began.elapsed() > LONGEST_REHEARSAL {
            bail!("systemd did not log that {REHEARSAL} ended");
        }
        thread::sleep(pace::SHORTEST);
        recorder.collect()?;
    }
    systemd::Questions::default().unit_properties(REHEARSAL)?;
    fs::remove_file(REHEARSAL_FILE)?;
    Ok(())
}

/// Sets the guest's calendar so that the next scenario begins on this date, in seconds since 1970-01-01 00:00:00 UTC. The
/// kernel tells systemd about it, which sets calendar timers again; the monotonic clock goes on.
///
/// # Errors
///
/// When the kernel rejects it.
pub fn set_date(unix_s: i64) -> anyhow::Result<()> {
    set_date_at(next_beginning(now_us()), unix_s)
}

/// Sets the guest's calendar so that this instant of `CLOCK_MONOTONIC`, in microseconds, is that date.
fn set_date_at(begins_us: u64, unix_s: i64) -> anyhow::Result<()> {
    // Reads both clocks now; the time between the two calls is a microsecond.
    let left = Duration::from_micros(begins_us.saturating_sub(now_us()));
    let date = Timespec {
        tv_sec: unix_s,
        tv_nsec: 0,
    };
    let left = Timespec::try_from(left).context("the guest has been up for too long")?;
    clock_settime(ClockId::Realtime, date - left)
        .map_err(io::Error::from)
        .context("cannot set the date")
}

/// The first instant from `now_us` on at which a scenario may begin.
fn next_beginning(now_us: u64) -> u64 {
    now_us.next_multiple_of(micros(BEGINS_ON))
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

/// Waits until a scenario may begin, and returns that instant: `CLOCK_MONOTONIC` in microseconds.
///
/// # Errors
///
/// When the kernel provides no timer.
pub fn wait_for_beginning() -> io::Result<u64> {
    let begins_us = next_beginning(now_us());
    Waiter::new()?.wait_until(begins_us)?;
    Ok(begins_us)
}

/// Waits until nothing is pending, and reads the journal to its end. The time left until the scenario begins passes here,
/// before the snapshot, where it costs the runs nothing.
fn come_to_rest(sources: &mut Sources, begins_us: u64) -> anyhow::Result<()> {
    thread::sleep(REST);
    journal::synchronize()?;
    thread::sleep(REST);
    let left = begins_us.saturating_sub(now_us() + micros(HEADROOM + CONNECTING));
    thread::sleep(Duration::from_micros(left));
    // As late as possible: systemd waits only for a limited time until a connection sends something.
    systemd::connect_ahead().context("cannot connect to systemd")?;
    thread::sleep(CONNECTING);
    sources.journal.read_new(drop)?;
    sources.sockets.read_new(&mut sources.processes)?;
    Ok(())
}
