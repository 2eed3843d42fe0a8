//! Takes the one thing that depends on the host out of a saved machine: how far its clock had jumped when it stopped.
//!
//! When the guest rings, its CPU stops at that instruction, and for a moment looks idle to QEMU's main loop, which may
//! or may not jump to the next timer before it notices that the whole machine stops (`icount_start_warp_timer` in
//! QEMU's `icount-common.c`). RAM and devices are the same then, and the instruction counter is; the clock is not, by
//! up to one timer tick. That is enough for every stamp to differ between two snapshots of the same image.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where QEMU saves its clock: a subsection's mark, the length of its name and the name (QEMU documentation,
/// devel/migration), then its version, and two big-endian numbers: `qemu_icount_bias`, which is virtual time that passed
/// in jumps, in nanoseconds, and `qemu_icount`, the instructions executed.
const CLOCK: &[u8] = b"\x05\x0ctimer/icount";
const VERSION_SIZE: usize = 4;

/// To what the time that passed in jumps is rounded up. Much longer than a jump of the kernel's tick, so that hardly
/// ever a multiple lies between a clock that jumped and one that did not.
const STEP_NS: u64 = 1_000_000_000;

/// What of this module a snapshot depends on, for its key.
pub(crate) const IDENTITY: &[u8] = b"clock settled to 1 s";

/// Rounds the saved clock up: as if the guest had been stopped a little longer.
///
/// # Errors
///
/// When the file cannot be read or written, or holds no clock where this version of QEMU should put it.
pub(crate) fn settle_clock(state: &Path) -> io::Result<()> {
    let bytes = std::fs::read(state)?;
    let at = bytes
        .windows(CLOCK.len())
        .position(|window| window == CLOCK)
        .map(|found| found + CLOCK.len() + VERSION_SIZE)
        .ok_or_else(|| io::Error::other("QEMU has saved no instruction counter"))?;
    let jumped = bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok());
    let jumped = jumped
        .map(u64::from_be_bytes)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let settled = jumped.next_multiple_of(STEP_NS).to_be_bytes();
    File::options()
        .write(true)
        .open(state)?
        .write_all_at(&settled, at as u64)
}
