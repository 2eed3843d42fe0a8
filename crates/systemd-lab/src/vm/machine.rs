//! The machine that QEMU emulates, as command-line arguments: the same when the snapshot is saved and when it is restored.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use systemd_lab_protocol::job::JOB_MEMORY_SIZE;

use super::{Console, Origin, Pace};
use crate::saved_state::SHIFT;

/// Enough for the guest without packages (about 150 MiB) and for services that use much memory before the OOM killer ends
/// them.
const LEAST_RAM_MIB: u64 = 512;

/// Sizes are multiples of this, so that a package that grows by a little keeps the same guest.
const RAM_STEP_MIB: u64 = 256;

const MIB: u64 = 1 << 20;

/// How much more memory a guest has than its files take. While it boots, the files are there twice: as an archive, and
/// unpacked in a file system that takes at most half of what the archive leaves (tmpfs(5), `size`). That half should have room
/// for twice the files, because services write: a database stores its data there.
const RAM_PER_FILES: u64 = 5;

/// The memory of a guest whose files have this size, in bytes.
pub(crate) fn ram_for(files: u64) -> u64 {
    let needed = RAM_PER_FILES * files.div_ceil(MIB);
    needed.next_multiple_of(RAM_STEP_MIB).max(LEAST_RAM_MIB) * MIB
}

/// The kernel's command line: nothing random, nothing periodic, one clock source, no hardening that costs instructions,
/// and a panic ends QEMU. `norandmaps` alone saves a third of QEMU's translations, because every process has the same
/// code at the same place.
pub(super) const KERNEL_COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=3 panic=-1 \
    tsc=reliable nowatchdog nohpet no_timer_check random.trust_cpu=off norandmaps \
    mitigations=off init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off lsm= \
    audit=0 psi=0 cryptomgr.notests noautogroup \
    workqueue.power_efficient=1 transparent_hugepage=never \
    systemd.show_status=0";

/// Leaves out newer instructions that are slower under emulation (five-level page tables, `rep movsb`),
/// and instructions whose results differ from run to run.
const CPU: &str = "max,-rdrand,-rdseed,-la57,-erms,-fsrm";

/// The part of this module that decides whether a snapshot can be restored, for its key.
pub(crate) fn machine_identity(ram: u64) -> Vec<u8> {
    format!(
        "{CPU} {JOB_MEMORY_SIZE} {KERNEL_COMMAND_LINE} {:?}",
        (machine(ram), clock(Pace::Virtual, true), doorbell())
    )
    .into_bytes()
}

pub(super) fn machine(ram: u64) -> Vec<String> {
    [
        "-machine",
        "pc,accel=tcg,hpet=off,memory-backend=ram",
        "-cpu",
        CPU,
        "-smp",
        "1",
        "-m",
        &format!("{}M", ram / MIB),
        // Everything random that QEMU gives the guest is the same every time.
        "-seed",
        "1",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// RAM is a file. While the snapshot is made, the file is shared, so that it becomes the snapshot; when it is
/// restored, it is private, so that every run begins with the same bytes and only pays for the pages that it touches.
/// A guest that moves shares it with the machine that it moves to.
pub(super) fn ram(origin: &Origin, size: u64) -> [String; 2] {
    let (path, share) = match origin {
        Origin::Boot { .. } => ("ram".to_owned(), "on"),
        Origin::Snapshot => ("ram".to_owned(), "off"),
        Origin::SnapshotToMove { ram } => (path_of(*ram), "on"),
        Origin::OtherVm { ram } => (path_of(*ram), "off"),
    };
    [
        "-object".into(),
        format!("memory-backend-file,id=ram,size={size},mem-path={path},share={share}"),
    ]
}

/// Two nanoseconds for each instruction executed. The calendar begins later than the build date of any
/// systemd that the guest may run: systemd would move an earlier clock forward. The agent sets it so that scenarios
/// begin at midnight.
///
/// A guest that halts has executed instructions that QEMU has not counted yet. If QEMU's main loop looks just then, it jumps to the next
/// timer from a clock that is behind, and everything after it is late. When QEMU records (docs/devel/replay.rst), it has a lock against
/// that: the main loop waits until they are counted (`replay_mutex_lock` in `icount_prepare_for_run`). What it records goes nowhere. A
/// machine that records cannot be saved, but copied (`fork`).
pub(super) fn clock(pace: Pace, is_saved: bool) -> Vec<String> {
    let rest = match (pace, is_saved) {
        (Pace::Virtual, false) => "sleep=off,rr=record,rrfile=/dev/null",
        (Pace::Virtual, true) => "sleep=off",
        (Pace::Real, _) => "sleep=on",
    };
    [
        "-icount",
        &format!("shift={SHIFT},{rest}"),
        "-rtc",
        "base=2029-12-31T23:00:00,clock=vm",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The job's memory belongs to a PCI device, so reading it never waits for the host. `master=on`
/// lets QEMU save a machine that has it; like RAM, it is private in a guest that is not saved.
pub(super) fn job_device(job: &File, is_shared: bool) -> Vec<String> {
    let share = if is_shared { "on" } else { "off" };
    vec![
        "-object".into(),
        format!(
            "memory-backend-file,id=job,size={JOB_MEMORY_SIZE},mem-path={},share={share}",
            path_of(job)
        ),
        "-device".into(),
        "ivshmem-plain,memdev=job,master=on,addr=5".into(),
    ]
}

/// Events come out through a serial port. The CPU's own thread serves it (`ioeventfd=off`) and writes
/// to memory, so the guest never waits for a reader.
pub(super) fn event_port(output: &File) -> Vec<String> {
    vec![
        "-device".into(),
        "virtio-serial-pci,id=serial,ioeventfd=off,max_ports=2,addr=6".into(),
        "-chardev".into(),
        format!("file,id=events,path={}", path_of(output)),
        "-device".into(),
        "virtserialport,bus=serial.0,nr=1,chardev=events,name=lab.events".into(),
    ]
}

/// QEMU does not save what a serial port is connected to, so every snapshot can be restored for a person.
pub(super) fn serial_console(console: Console, recorded: &File) -> Vec<String> {
    let backend = match console {
        Console::Recorded => format!("file,id=console,path={}", path_of(recorded)),
        // Only this kind works in both directions and can be given to QEMU without a name in the file system.
        Console::Interactive(pty) => format!("serial,id=console,path={}", path_of(pty)),
    };
    vec![
        "-chardev".into(),
        backend,
        "-serial".into(),
        "chardev:console".into(),
    ]
}

pub(super) fn doorbell() -> [&'static str; 4] {
    ["-device", "pvpanic-pci,addr=7", "-action", "panic=pause"]
}

pub(super) fn monitor() -> [&'static str; 4] {
    [
        "-chardev",
        "stdio,id=monitor,signal=off",
        "-mon",
        "chardev=monitor,mode=control",
    ]
}

/// QEMU runs as the same user, so it may open this process's files by their number.
pub(super) fn path_of(file: &impl AsRawFd) -> String {
    let path = PathBuf::from(format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        file.as_raw_fd()
    ));
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_size_of_the_files() {
        let mib = |files_mib: u64| ram_for(files_mib * MIB) / MIB;
        // The guest without packages; nginx; postgresql, whose 408 MB did not fit into 512 MiB.
        assert_eq!([80, 101, 102].map(mib), [512, 512, 512]);
        assert_eq!(mib(103), 768);
        assert_eq!(mib(390), 2048);
    }
}
