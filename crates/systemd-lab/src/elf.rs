//! Checks a binary before it goes into the guest: can it run there, and which of its bytes are needed?

use std::path::Path;

use crate::error::LabError;

/// ELF-64 header and program header, in the layout of elf(5).
const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// Entries of the dynamic section.
const DYNAMIC_ENTRY_SIZE: u64 = 16;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// Keeps only what the kernel loads. Symbols and debug information make a development build several times larger,
/// and an emulated CPU has to copy every byte. Anything that is not an ELF file stays as it is.
///
/// # Errors
///
/// [`LabError::NotStatic`], unless it may be linked dynamically, and [`LabError::NotExecutable`].
pub(crate) fn prepare(
    path: &Path,
    mut content: Vec<u8>,
    may_be_dynamic: bool,
) -> Result<Vec<u8>, LabError> {
    if !content.starts_with(b"\x7fELF") {
        return Ok(content);
    }
    let refuse = |why: &str| LabError::NotExecutable {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let bytes = content.as_slice();
    let u16_at = |at| array_at(bytes, at).map(u16::from_le_bytes);
    let u32_at = |at| array_at(bytes, at).map(u32::from_le_bytes);
    let u64_at = |at| array_at(bytes, at).map(u64::from_le_bytes);

    let (class, endianness) = (bytes.get(4), bytes.get(5));
    if class != Some(&2) || endianness != Some(&1) || u16_at(18) != Some(EM_X86_64) {
        return Err(refuse(
            "it is for another machine than x86-64; build it for x86_64-unknown-linux-gnu or -musl",
        ));
    }
    let damaged = || refuse("its ELF headers are damaged; build it again");
    let table = u64_at(32).ok_or_else(damaged)? as usize;
    let count = usize::from(u16_at(56).ok_or_else(damaged)?);
    let mut end = HEADER_SIZE.max(table.saturating_add(count * PROGRAM_HEADER_SIZE));
    for index in 0..count {
        let entry = table.saturating_add(index * PROGRAM_HEADER_SIZE);
        let kind = u32_at(entry).ok_or_else(damaged)?;
        let offset = u64_at(entry.saturating_add(8)).ok_or_else(damaged)? as usize;
        let size = u64_at(entry.saturating_add(32)).ok_or_else(damaged)? as usize;
        let segment = bytes
            .get(offset..offset.saturating_add(size))
            .ok_or_else(damaged)?;
        if kind == PT_INTERP && !may_be_dynamic {
            let interpreter = String::from_utf8_lossy(segment)
                .trim_end_matches('\0')
                .to_owned();
            return Err(LabError::NotStatic {
                path: path.to_owned(),
                interpreter,
            });
        }
        end = end.max(offset + size);
    }
    content.truncate(end);
    // There are no section headers any more: clear e_shoff, and e_shentsize to e_shstrndx.
    content[40..48].fill(0);
    content[58..64].fill(0);
    Ok(content)
}

/// The bytes at an offset. The offset comes from the file and may be any number.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// What a binary needs besides the kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The loader, e.g. `/lib64/ld-linux-x86-64.so.2`.
    pub(crate) interpreter: Option<String>,
    /// Libraries, e.g. `libc.so.6`.
    pub(crate) libraries: Vec<String>,
}

/// What an ELF file needs: its loader, and the libraries in its dynamic section. `None` for any other file, and for a
/// damaged one, which [`prepare`] reports.
pub(crate) fn needs(content: &[u8]) -> Option<Needs> {
    if !content.starts_with(b"\x7fELF") {
        return None;
    }
    let number = |at: usize| array_at(content, at).map(u64::from_le_bytes);
    let table = usize::try_from(number(32)?).ok()?;
    let count = array_at(content, 56).map(u16::from_le_bytes)?;
    // Kind, offset, address, size.
    let mut segments = Vec::new();
    for index in 0..usize::from(count) {
        let entry = table.checked_add(index * PROGRAM_HEADER_SIZE)?;
        let kind = array_at(content, entry).map(u32::from_le_bytes)?;
        let field = |at: usize| number(entry.checked_add(at)?);
        segments.push((kind, field(8)?, field(16)?, field(32)?));
    }
    let of_kind = |wanted| segments.iter().find(|(kind, ..)| *kind == wanted);
    let mut needs = Needs::default();
    if let Some((_, offset, ..)) = of_kind(PT_INTERP) {
        needs.interpreter = Some(text_at(content, *offset)?);
    }
    let Some((_, offset, _, size)) = of_kind(PT_DYNAMIC) else {
        return Some(needs);
    };
    let (mut names, mut strings) = (Vec::new(), None);
    for index in 0..size / DYNAMIC_ENTRY_SIZE {
        let entry = usize::try_from(offset.checked_add(index * DYNAMIC_ENTRY_SIZE)?).ok()?;
        let (tag, value) = (number(entry)?, number(entry.checked_add(8)?)?);
        match tag {
            DT_NULL => break,
            DT_NEEDED => names.push(value),
            DT_STRTAB => strings = Some(value),
            _ => {}
        }
    }
    // The table's address is in memory: the segment loaded there tells its place in the file.
    let in_file = |address: u64| {
        segments.iter().find_map(|(kind, offset, start, size)| {
            let within = address.checked_sub(*start)?;
            (*kind == PT_LOAD && within < *size).then_some(offset.checked_add(within)?)
        })
    };
    for name in names {
        let at = in_file(strings?)?.checked_add(name)?;
        needs.libraries.push(text_at(content, at)?);
    }
    Some(needs)
}

/// Text that ends with a zero byte.
fn text_at(content: &[u8], at: u64) -> Option<String> {
    let bytes = content.get(usize::try_from(at).ok()?..)?;
    let text = bytes.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_binary_names_its_libraries() {
        let shell = std::fs::read("/bin/sh").expect("every host has one");
        let needs = needs(&shell).expect("it is a binary");
        assert_eq!(
            needs.interpreter.as_deref(),
            Some("/lib64/ld-linux-x86-64.so.2")
        );
        assert!(needs.libraries.contains(&"libc.so.6".to_owned()));
    }

    #[test]
    fn a_static_binary_needs_nothing() {
        let own = std::fs::read(std::env::current_exe().expect("it runs")).expect("it is there");
        assert_eq!(needs(&own), Some(Needs::default()));
    }

    #[test]
    fn a_file_that_is_not_a_binary_has_no_known_needs() {
        assert_eq!(needs(b"#!/bin/sh\n"), None);
        assert_eq!(needs(b"\x7fELF, but short"), None);
    }
}
