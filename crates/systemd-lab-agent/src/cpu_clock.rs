//! A clock that runs only while the processes of a control group compute, and that the agent can wait for: perf_event_open(2).
//!
//! A service that computes without pause wakes no one, and makes virtual time as slow as emulation. A polling timer would cost
//! every idle run; this clock stands still while nothing computes. The system call has no safe interface, so this module contains
//! `unsafe` code, as `guest` does.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags};

/// The first version of `struct perf_event_attr` (`PERF_ATTR_SIZE_VER0`), which has everything that is needed here.
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

/// A page with the number of samples, and one for the samples themselves, which nothing reads.
const PAGE: usize = 4096;
const RING_SIZE: usize = 2 * PAGE;

/// `data_head` in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;

/// Becomes readable each time the processes have computed for another period.
pub struct CpuClock {
    event: OwnedFd,
    ring: NonNull<u8>,
}

impl CpuClock {
    /// Creates the clock of a control group (given by its directory) and of the groups below it.
    ///
    /// # Errors
    ///
    /// When the group does not exist, or the kernel was built without this clock.
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
        // SAFETY: the attributes are alive and as long as they say; the call keeps no pointer to them.
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
        // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(event as i32) };
        // The mapping is not writable, so the kernel overwrites old samples and never waits for a
        // reader. SAFETY: a new mapping at an address of the kernel's choice overlaps no memory of this
        // program.
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
        // SAFETY: the page was mapped by `of` and is never unmapped; the field is an aligned u64 in it, which the kernel
        // writes atomically.
        let head = unsafe { &*self.ring.as_ptr().add(DATA_HEAD).cast::<AtomicU64>() };
        head.load(Ordering::Acquire)
    }
}

impl AsFd for CpuClock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

// SAFETY: the mapping is read only, and stays until the process ends.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for CpuClock {}
