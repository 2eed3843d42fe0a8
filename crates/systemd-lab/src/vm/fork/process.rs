//! What proc(5) says about another process, and its memory.

use std::fs;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::uio::{RemoteIoVec, process_vm_writev};
use nix::unistd::Pid;

use super::unexpected;

/// The numbers that are the names in a folder of the process: its threads, or its open files.
pub(super) fn entries(process: i32, folder: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/{folder}"))? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        numbers.push(number.ok_or_else(unexpected)?);
    }
    Ok(numbers)
}

/// What an open file of the process is: a path, or e.g. `anon_inode:[eventfd]`.
pub(super) fn target(process: i32, number: RawFd) -> io::Result<String> {
    let target = fs::read_link(format!("/proc/{process}/fd/{number}"))?;
    target
        .into_os_string()
        .into_string()
        .map_err(|_| unexpected())
}

/// Writes into the memory of a process.
///
/// # Errors
///
/// When it is not writable there.
pub(in crate::vm) fn write(process: i32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let place = RemoteIoVec {
        base: address as usize,
        len: bytes.len(),
    };
    let written = process_vm_writev(Pid::from_raw(process), &[IoSlice::new(bytes)], &[place])?;
    match written == place.len {
        true => Ok(()),
        false => Err(unexpected()),
    }
}

/// The number of an open file of a process, by a part of its path.
///
/// # Errors
///
/// When no such file is open.
pub(in crate::vm) fn number_of(process: i32, file: &str) -> io::Result<RawFd> {
    for number in entries(process, "fd")? {
        if target(process, number)?.contains(file) {
            return Ok(number);
        }
    }
    Err(unexpected())
}

/// Where a file is in a process's memory.
///
/// # Errors
///
/// When the file is not there.
pub(in crate::vm) fn place_of(process: i32, file: &str) -> io::Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut lines = maps.lines().filter(|line| line.contains(file));
    let range = lines.next().and_then(range);
    Ok(range.ok_or_else(unexpected)?.start)
}

/// Memory that a copy would not have: QEMU asks for that (`MADV_DONTFORK`), because it never forks while the guest's memory matters.
pub(super) fn left_out_of_forks(process: i32) -> io::Result<Vec<Range<u64>>> {
    let maps = fs::read_to_string(format!("/proc/{process}/smaps"))?;
    let mut current = None;
    let mut found = Vec::new();
    for line in maps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            if flags.split_whitespace().any(|flag| flag == "dc") {
                found.extend(current.take());
            }
        } else if let Some(range) = range(line) {
            current = Some(range);
        }
    }
    Ok(found)
}

/// The addresses at the beginning of a line of proc_pid_maps(5).
fn range(line: &str) -> Option<Range<u64>> {
    let (from, rest) = line.split_once('-')?;
    let (to, _) = rest.split_once(' ')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(number(from)?..number(to)?)
}

/// The count and the flags of an eventfd(2), in proc_pid_fdinfo(5).
pub(super) fn eventfd(information: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let mut lines = information.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
    };
    let count = u64::from_str_radix(field("eventfd-count:")?, 16).ok()?;
    let flags = u64::from_str_radix(field("flags:")?, 8).ok()?;
    let kept = (libc::O_NONBLOCK | libc::O_CLOEXEC) as u64;
    Some((count, flags & kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_begins_with_a_range() {
        let line = "7f5c23ffe000-7f5c2bffe000 rw-p 00000000 00:01 1507    /memfd:lab-job (deleted)";
        assert_eq!(range(line), Some(0x7f5c_23ff_e000..0x7f5c_2bff_e000));
        assert_eq!(range("VmFlags: rd wr mr mw me dc ac sd"), None);
        assert_eq!(range("Rss:                   4 kB"), None);
    }

    #[test]
    fn an_eventfd_keeps_its_count_and_its_flags() {
        let information =
            "pos:\t0\nflags:\t02004002\nmnt_id:\t15\nino:\t1057\neventfd-count:               1f\n";
        let flags = (libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
        assert_eq!(eventfd(information), Some((0x1f, flags)));
        assert_eq!(eventfd("pos:\t0\nflags:\t02\n"), None);
    }
}
