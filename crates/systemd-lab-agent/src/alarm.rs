//! Reports at once that there is something new in the journal.
//!
//! journald announces what it has written 250 to 500 ms later, and polling costs wall time (see [`crate::pace`]). But the
//! kernel's trace of its scheduler (`sched:sched_switch`) shows when journald goes to sleep, and by then journald has written
//! everything that it was sent. The trace records every run of journald, so only scenarios that wait for an event use it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::trace;

/// The trace's own buffer, below tracefs: kernel documentation, trace/ftrace, "Instances".
const INSTANCE: &str = "instances/lab-journald";

/// Kilobytes for the trace. Lines that no longer fit would add nothing to the earlier ones.
const BUFFER_KB: &str = "64";

/// journald, under the name that the kernel shortens it to, when it goes to sleep of its own accord (TASK_INTERRUPTIBLE).
const FILTER: &str = "prev_comm == \"systemd-journal\" && prev_state == 1";

/// Becomes readable when journald has written something.
pub struct Alarm {
    pipe: File,
}

impl Alarm {
    /// Turns the trace on; `tracefs` is its mount point.
    ///
    /// # Errors
    ///
    /// When the kernel has no such trace point.
    pub fn set(tracefs: &Path) -> anyhow::Result<Alarm> {
        let settings = [
            ("buffer_size_kb", BUFFER_KB),
            // The first line wakes the agent, which waits for it.
            ("buffer_percent", "0"),
            ("events/sched/sched_switch/filter", FILTER),
            ("events/sched/sched_switch/enable", "1"),
        ];
        let pipe = trace::open(&tracefs.join(INSTANCE), "journald", &settings)?;
        Ok(Alarm { pipe })
    }

    /// Discards the lines that woke the agent.
    pub fn silence(&mut self) {
        // The content of the lines does not matter. An error means that there are no more.
        let mut buffer = [0; 4096];
        while self.pipe.read(&mut buffer).is_ok_and(|read| read > 0) {}
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
