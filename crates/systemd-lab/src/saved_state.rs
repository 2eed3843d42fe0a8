//! Changes the clock of a saved machine: removes the only thing that depends on the host, how far the clock had jumped when the machine
//! stopped, and lets the count of instructions begin at zero.
//!
//! When the guest rings, its CPU stops at that instruction, and for a moment looks idle to QEMU's main loop, which may
//! or may not jump to the next timer before it notices that the whole machine stops (`icount_start_warp_timer` in
//! QEMU's `icount-common.c`). RAM, devices and the instruction counter are the same in both cases; the clock may
//! differ by up to one timer tick. That is enough for every stamp to differ between two snapshots of the same image.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where QEMU saves its clock: a subsection's mark, the length of its name and the name (QEMU documentation,
/// devel/migration), then its version, and two big-endian numbers: `qemu_icount_bias`, the virtual time that passed in
/// jumps, in nanoseconds, and `qemu_icount`, the instructions executed.
const CLOCK: &[u8] = b"\x05\x0ctimer/icount";
const VERSION_SIZE: usize = 4;

/// The time that passed in jumps is rounded up to a multiple of this. It is much longer than a jump of the kernel's
/// tick, so that there is hardly ever a multiple between a clock that jumped and one that did not.
const STEP_NS: u64 = 1_000_000_000;

/// The part of this module that a snapshot depends on, for its key.
pub(crate) const IDENTITY: &[u8] =
    b"clock settled to 1 s, wall time forgotten, instructions counted from zero";

/// An instruction takes two to the power of this, in nanoseconds.
pub(crate) const SHIFT: u32 = 1;

/// The devices' state is about 0.4 MB and comes last, after RAM if RAM is saved as well.
const TAIL: u64 = 4 << 20;

/// Rounds the saved clock up, as if the guest had been stopped a little later. Then lets the count of instructions begin at zero, and the
/// clock show the same time: what they took becomes a jump. A QEMU that records cannot begin with more than 2^31 instructions: it keeps
/// differences of the count in an `int` (`replay_advance_current_icount`).
///
/// # Errors
///
/// When the file cannot be read or written, or has no clock at the place where this version of QEMU should put it.
pub(crate) fn settle_clock(state: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(state)?;
    forget_wall_time(&file)?;
    let at = find_clock(&file)? + (CLOCK.len() + VERSION_SIZE) as u64;
    let (mut jumped, mut executed) = ([0; 8], [0; 8]);
    file.read_exact_at(&mut jumped, at)?;
    file.read_exact_at(&mut executed, at + 8)?;
    let settled = u64::from_be_bytes(jumped).next_multiple_of(STEP_NS);
    let clock = settled + (u64::from_be_bytes(executed) << SHIFT);
    file.write_all_at(&clock.to_be_bytes(), at)?;
    file.write_all_at(&[0; 8], at + 8)
}

/// Sets the wall time that the guest has run for (`cpu_clock_offset`, saved just before the clock) to zero. A QEMU that
/// runs in real time would add all of it to the guest's clock when the guest is idle for the first time: it mistakes an
/// idle time that never began for one that began at zero (`vm_clock_warp_start`).
///
/// # Errors
///
/// As [`settle_clock`].
pub(crate) fn forget_wall_time(state: &File) -> io::Result<()> {
    state.write_all_at(&[0; 8], find_clock(state)? - 8)
}

fn find_clock(state: &File) -> io::Result<u64> {
    let length = state.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    let mut tail = vec![0; (length - from) as usize];
    state.read_exact_at(&mut tail, from)?;
    let found = tail
        .windows(CLOCK.len())
        .rposition(|window| window == CLOCK);
    found
        .filter(|at| *at >= 8)
        .map(|at| from + at as u64)
        .ok_or_else(|| io::Error::other("QEMU has saved no instruction counter"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What precedes the clock in a saved state: other data, then the wall time that the guest has run for.
    const OTHER: &[u8; 8] = b"devices ";
    const WALL_TIME_NS: u64 = 15_123_456_789;
    const VERSION: [u8; VERSION_SIZE] = [0, 0, 0, 1];
    const INSTRUCTIONS: u64 = 7_000_000_001;

    /// The end of a saved state, in QEMU's layout.
    fn state(wall_ns: u64, jumped_ns: u64) -> Vec<u8> {
        state_after(wall_ns, jumped_ns, INSTRUCTIONS)
    }

    /// The same, settled: all of the time is in the jump.
    fn settled_state(jumped_ns: u64) -> Vec<u8> {
        // Two nanoseconds for each instruction.
        state_after(0, jumped_ns + 14_000_000_002, 0)
    }

    fn state_after(wall_ns: u64, jumped_ns: u64, instructions: u64) -> Vec<u8> {
        let wall = wall_ns.to_be_bytes();
        let (jumped, instructions) = (jumped_ns.to_be_bytes(), instructions.to_be_bytes());
        let parts: [&[u8]; 7] = [OTHER, &wall, CLOCK, &VERSION, &jumped, &instructions, OTHER];
        parts.concat()
    }

    fn settled(bytes: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), bytes).expect("it is ours");
        settle_clock(file.path()).expect("it has a clock");
        fs::read(file.path()).expect("it is ours")
    }

    #[test]
    fn the_clock_is_rounded_up_and_the_wall_time_forgotten() {
        for (jumped, rounded) in [
            (8_000_000_001, 9_000_000_000),
            (8_999_999_999, 9_000_000_000),
            (9_000_000_000, 9_000_000_000),
        ] {
            // Nothing else changes.
            assert_eq!(
                settled(&state(WALL_TIME_NS, jumped)),
                settled_state(rounded)
            );
        }
    }

    /// RAM may be saved before it, and may contain the same bytes.
    #[test]
    fn only_the_last_clock_counts() {
        let ram = state(WALL_TIME_NS, 1);
        let long = vec![0; TAIL as usize];
        let saved = [&*ram, &long, &ram, &state(WALL_TIME_NS, 1)].concat();
        let expected = [&*ram, &long, &ram, &settled_state(STEP_NS)].concat();
        assert!(settled(&saved) == expected);
    }

    #[test]
    fn the_wall_time_alone_is_forgotten_on_the_way_to_a_shell() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), state(WALL_TIME_NS, 1)).expect("it is ours");
        let open = File::options().read(true).write(true).open(file.path());
        forget_wall_time(&open.expect("it is ours")).expect("it has a clock");
        assert_eq!(fs::read(file.path()).expect("it is ours"), state(0, 1));
    }

    #[test]
    fn a_state_without_a_clock_is_refused() {
        for bytes in [&b""[..], b"no clock", CLOCK] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            fs::write(file.path(), bytes).expect("it is ours");
            let error = settle_clock(file.path()).expect_err("it has no clock");
            assert_eq!(error.to_string(), "QEMU has saved no instruction counter");
        }
    }
}
