//! When to check what has happened.
//!
//! Virtual time that passes idly costs no wall time, but every wake-up does: about 0.5 ms each, with
//! the timers that the kernel starts as a result. So a wait polls often only at its beginning, and
//! later only when something announces itself: journald touches its file 250 to 500 ms after it has
//! written to it; a traced socket, a finished request and the deadline wake the agent at once.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The shortest interval. Short steps (e.g. a job that ends within 0.1 s) end at most some
/// milliseconds late, well below the lab's coarsest step.
pub const SHORTEST: Duration = Duration::from_millis(5);

/// The interval is this fraction of the time waited so far, so that a short step ends at most 10 % late.
const PART_OF_ELAPSED: u32 = 10;

/// After this time, a wait polls only when something announces itself, and so may end half a second
/// late. That is not worse than systemd's own timers, which may be 250 ms late themselves
/// (`AccuracySec=` of its event loop).
const YOUNG: Duration = Duration::from_secs(1);

/// After a sleep has lasted this long, the agent looks at announcements only once in such a period, all at once: a
/// service that pings for ten hours does so thousands of times. Nothing waits for these announcements, and without
/// any, nothing wakes. The period is short enough that a full journal loses nothing.
pub const DOZE: Duration = Duration::from_secs(10);

/// How long to wait before polling again, after waiting for `elapsed` in vain. `None`: until something
/// announces itself.
pub fn interval(elapsed: Duration) -> Option<Duration> {
    (elapsed < YOUNG).then(|| (elapsed / PART_OF_ELAPSED).max(SHORTEST))
}

/// Waits for the first of several things.
pub struct Waiter {
    /// A separate timer, because the timeout of poll(2) may be a thousandth late, which is 0.1 s in 100 s.
    timer: OwnedFd,
}

impl Waiter {
    /// Creates the timer.
    ///
    /// # Errors
    ///
    /// When the kernel provides none.
    pub fn new() -> io::Result<Waiter> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        Ok(Waiter { timer })
    }

    /// Waits until one of `sources` becomes readable, or the time has passed.
    ///
    /// # Errors
    ///
    /// When the duration is longer than the kernel can count.
    pub fn wait(&self, sources: &[BorrowedFd<'_>], timeout: Duration) -> io::Result<()> {
        // A timer that is set to zero would never expire.
        let timeout = timeout.max(Duration::from_nanos(1));
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(timeout).map_err(|_| io::ErrorKind::InvalidInput)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.poll(sources)
    }

    /// Waits until `CLOCK_MONOTONIC` shows this many microseconds.
    ///
    /// # Errors
    ///
    /// When the kernel rejects the timer.
    pub fn wait_until(&self, at_us: u64) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (at_us / 1_000_000) as i64,
                tv_nsec: (at_us % 1_000_000) as i64 * 1_000,
            },
        };
        while now_us() < at_us {
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
            self.poll(&[])?;
        }
        Ok(())
    }

    /// Waits until the timer has expired or one of `sources` becomes readable.
    fn poll(&self, sources: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut fds = vec![PollFd::new(&self.timer, PollFlags::IN)];
        fds.extend(
            sources
                .iter()
                .map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN)),
        );
        match poll(&mut fds, None) {
            // The caller checks and waits again.
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `CLOCK_MONOTONIC` in microseconds: the clock of every event's stamp.
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // The clock counts from boot: it is never negative.
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::time::Instant;

    use super::*;

    #[test]
    fn young_waits_look_often() {
        let millis = |millis| interval(Duration::from_millis(millis));
        assert_eq!(millis(0), Some(Duration::from_millis(5)));
        assert_eq!(millis(49), Some(Duration::from_millis(5)));
        assert_eq!(millis(500), Some(Duration::from_millis(50)));
        assert_eq!(millis(999), Some(Duration::from_micros(99_900)));
    }

    #[test]
    fn old_waits_look_when_something_announces_itself() {
        assert_eq!(interval(Duration::from_secs(1)), None);
        assert_eq!(interval(Duration::from_secs(3600)), None);
    }

    #[test]
    fn a_wait_ends_when_its_time_has_passed() {
        let waiter = Waiter::new().expect("there is a timer");
        for timeout in [Duration::ZERO, Duration::from_millis(20)] {
            let began = Instant::now();
            waiter.wait(&[], timeout).expect("it waits");
            assert!(began.elapsed() >= timeout);
        }
    }

    #[test]
    fn a_wait_for_an_instant_ends_there_and_not_before() {
        let waiter = Waiter::new().expect("there is a timer");
        for at_us in [now_us() + 20_000, now_us(), 0] {
            waiter.wait_until(at_us).expect("it waits");
            assert!(now_us() >= at_us);
        }
    }

    #[test]
    fn a_wait_ends_when_there_is_something_to_read() {
        let waiter = Waiter::new().expect("there is a timer");
        let (reader, mut writer) = io::pipe().expect("there is a pipe");
        writer.write_all(b"x").expect("the pipe is empty");
        let began = Instant::now();
        waiter
            .wait(&[reader.as_fd()], Duration::from_secs(60))
            .expect("it waits");
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn the_clock_does_not_go_back() {
        let first = now_us();
        assert!(now_us() >= first);
    }
}
