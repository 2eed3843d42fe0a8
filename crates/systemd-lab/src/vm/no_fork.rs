//! In place of `fork` on processors whose registers it does not know: nothing can be copied, so runs begin at the start.

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;

#[expect(dead_code, reason = "nothing is replaced")]
pub(super) struct Replaced {
    pub(super) number: RawFd,
    pub(super) path: String,
    pub(super) flags: i32,
}

/// There is none.
pub(crate) enum Processor {}

impl Processor {
    pub(super) fn follow(_: i32, _: i32) -> io::Result<Processor> {
        unsupported()
    }

    pub(crate) fn has_stopped(&mut self) -> io::Result<bool> {
        match *self {}
    }

    pub(super) fn copy(
        &self,
        _: &[Replaced],
        _: Range<u64>,
        _: bool,
        _: impl FnOnce(i32) -> io::Result<()>,
    ) -> io::Result<(i32, Option<Processor>)> {
        match *self {}
    }
}

pub(super) fn withhold(_: i32, _: Range<u64>) -> io::Result<()> {
    unsupported()
}

pub(super) fn number_of(_: i32, _: &str) -> io::Result<RawFd> {
    unsupported()
}

pub(super) fn place_of(_: i32, _: &str) -> io::Result<u64> {
    unsupported()
}

pub(super) fn write(_: i32, _: u64, _: &[u8]) -> io::Result<()> {
    unsupported()
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}
