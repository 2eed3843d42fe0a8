//! A clock that runs while the processes of a control group compute, and can be waited for: perf_event_open(2).
//!
//! A service that computes without pause wakes nobody, and makes virtual time as slow as emulation. A timer that looked now and
//! then would cost every idle run; this one does not run while nothing does. The system call has no safe interface, so this module
//! has `unsafe` code, as `guest` has.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags};

/// The first version of `struct perf_event_attr` (`PERF_ATTR_SIZE_VER0`): all that is needed is in it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

const ATTRIBUTES_SIZE: u32 = size_of::<Attributes>() as u32;

/// `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_CPU_CLOCK`, in nanoseconds.
const SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;

/// `PERF_FLAG_PID_CGROUP` and `PERF_FLAG_FD_CLOEXEC`.
const OF_A_CGROUP: libc::c_ulong = 1 << 2;
const CLOEXEC: libc::c_ulong = 1 << 3;

/// The guest has one processor.
const PROCESSOR: libc::c_int = 0;

/// A page that says how many samples there are, and one for the samples, which nobody reads.
const PAGE: usize = 4096;
const RING_SIZE: usize = 2 * PAGE;

/// `data_head` in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;

/// Can be read each time the processes have computed for another period.
pub struct CpuClock {
    event: OwnedFd,
    ring: NonNull<u8>,
}

impl CpuClock {
    /// Makes the clock of a control group (its directory) and of those below it.
    ///
    /// # Errors
    ///
    /// When the group does not exist, or the kernel was built without the clock.
    #[expect(
        unsafe_code,
        reason = "there is no safe perf_event_open, and mmap hands out a pointer"
    )]
    pub fn of(group: &Path, period: Duration) -> io::Result<CpuClock> {
        let group = File::open(group)?;
        let attributes = Attributes {
            kind: SOFTWARE,
            size: ATTRIBUTES_SIZE,
            config: CPU_CLOCK,
            sample_period: period.as_nanos() as u64,
            wakeup_events: 1,
            ..Attributes::default()
        };
        // SAFETY: the attributes live and are as long as they say; the call keeps no pointer to them.
        let event = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                ptr::from_ref(&attributes),
                group.as_raw_fd(),
                PROCESSOR,
                -1,
                OF_A_CGROUP | CLOEXEC,
            )
        };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned it, and nobody else has it.
        let event = unsafe { OwnedFd::from_raw_fd(event as i32) };
        // Not writable: then the kernel overwrites old samples, and never waits for a reader.
        // SAFETY: a new mapping at an address of the kernel's choice overlaps no memory of this program.
        let ring = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                RING_SIZE,
                ProtFlags::READ,
                MapFlags::SHARED,
                event.as_fd(),
                0,
            )
        }?;
        let ring = NonNull::new(ring.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(CpuClock { event, ring })
    }

    /// Grows each time a period is over.
    #[expect(
        unsafe_code,
        reason = "the kernel's counter is reached through a pointer"
    )]
    pub fn count(&self) -> u64 {
        // SAFETY: the page was mapped by `of` and is never unmapped; the field is an aligned u64 in it that the kernel writes
        // at once, as an atomic does.
        let head = unsafe { &*self.ring.as_ptr().add(DATA_HEAD).cast::<AtomicU64>() };
        head.load(Ordering::Acquire)
    }
}

impl AsFd for CpuClock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

// SAFETY: the mapping is read only, and stays for as long as the process lives.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for CpuClock {}
