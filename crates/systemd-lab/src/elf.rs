//! Looks at a binary before it goes into the guest: does it run there, and which bytes of it are needed?

use std::path::Path;

use crate::error::LabError;

/// ELF-64 header and program header, as elf(5) lays them out.
const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const EM_X86_64: u16 = 62;
const PT_INTERP: u32 = 3;

/// Keeps only what the kernel loads. Symbols and debug information make a development build several times larger,
/// and every byte has to be copied by an emulated CPU. Anything that is no ELF file is left as it is.
///
/// # Errors
///
/// [`LabError::NotStatic`] and [`LabError::NotExecutable`].
pub(crate) fn prepare(path: &Path, mut content: Vec<u8>) -> Result<Vec<u8>, LabError> {
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
        if kind == PT_INTERP {
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
    // No section headers any more: e_shoff, and e_shentsize to e_shstrndx.
    content[40..48].fill(0);
    content[58..64].fill(0);
    Ok(content)
}

/// The bytes at an offset, which may be any number: the file names it.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
