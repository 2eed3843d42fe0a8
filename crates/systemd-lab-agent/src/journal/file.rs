//! The journal's file format, as far as this reader needs it to read entries one after the other:
//! <https://systemd.io/JOURNAL_FILE_FORMAT/>.
//!
//! It reads regular and compact files, also while journald appends to them. It ignores hash tables,
//! so it does not matter how they are keyed. Compressed objects are an error: the guest's journald is
//! told not to compress (`Compress=no`), and wrong data would be worse.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

const SIGNATURE: &[u8; 8] = b"LPKSHHRH";

/// The part of the header that every file has, whatever version of systemd wrote it.
const HEADER_SIZE: usize = 208;

/// `HEADER_INCOMPATIBLE_COMPACT`: offsets take 4 bytes instead of 8.
const COMPACT: u32 = 1 << 4;

/// Incompatible flags that this reader handles: objects may be compressed (each is checked), hashes
/// may be keyed, the file may be compact.
const KNOWN_INCOMPATIBLE: u32 = 0b1_1111;

const OBJECT_DATA: u8 = 1;
const OBJECT_ENTRY: u8 = 3;
const OBJECT_ENTRY_ARRAY: u8 = 6;

/// `OBJECT_COMPRESSED_XZ`, `_LZ4` and `_ZSTD`.
const OBJECT_COMPRESSED: u8 = 0b111;

/// Each object begins with its type, flags and size.
const OBJECT_HEADER_SIZE: u64 = 16;

/// Where the items begin in an entry array, and in an entry.
const ARRAY_ITEMS: u64 = 24;
const ENTRY_ITEMS: u64 = 64;

/// How much to read ahead. An entry of systemd's at debug level takes about 700 bytes with its new data.
const WINDOW_SIZE: usize = 16 << 10;

/// How much of that is before the requested place: an entry's new data is written before the entry.
const LOOK_BACK: u64 = 2 << 10;

/// The most bytes of a field that are read. journald cuts lines of standard output at 48 KiB, but
/// takes fields of hundreds of megabytes over its own protocol.
const LONGEST_FIELD: u64 = 64 << 10;

/// journald takes no entry with more fields (`ENTRY_FIELD_COUNT_MAX`).
const MOST_FIELDS: u64 = 1024;

/// How many fields the cache holds; when it is full, it is cleared and the fields are read again.
const CACHE_SIZE: usize = 8192;

/// Something that can be read at any offset: a file, or bytes in memory.
pub trait ReadAt {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end.
    ///
    /// # Errors
    ///
    /// When reading fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// Why a journal file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be read at all.
    #[error("cannot read the journal: {0}")]
    Io(#[from] io::Error),
    /// It is not a journal file.
    #[error("this is not a journal file: it does not begin with LPKSHHRH")]
    NoJournal,
    /// The file uses a feature that this reader does not know.
    #[error("the journal file has unknown incompatible flags {0:#x}; the agent must learn them")]
    Incompatible(u32),
    /// An object is compressed.
    #[error("the journal holds a compressed object at {0}; set Compress=no in journald.conf")]
    Compressed(u64),
    /// An object is not of the expected kind.
    #[error("the journal has no {expected} at {offset}; journald may have died while it wrote")]
    Damaged {
        /// The object that was expected.
        expected: &'static str,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
}

/// A field of an entry. A field is not always text; bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// e.g. `MESSAGE`.
    pub name: String,
    /// Its value, at most 64 KiB.
    pub value: String,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, which continues across all files that journald wrote one after the other.
    pub seqnum: u64,
    /// `CLOCK_REALTIME` in microseconds when journald received the entry.
    pub realtime: u64,
    /// `CLOCK_MONOTONIC` in microseconds at the same instant.
    pub monotonic: u64,
    /// The fields that the reader was asked to keep.
    pub fields: Vec<Rc<Field>>,
}

/// The current content of the file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether offsets are short.
    compact: bool,
    /// The number of complete entries.
    pub n_entries: u64,
    /// Number of the first entry, 0 if there is none.
    pub head_seqnum: u64,
    /// Number of the last entry.
    pub tail_seqnum: u64,
    /// The first entry array, 0 if there is none.
    first_array: u64,
}

impl Header {
    /// Reads the header of a journal file.
    ///
    /// # Errors
    ///
    /// When the header is unreadable or of an unknown kind.
    pub fn read(source: &impl ReadAt) -> Result<Header, JournalError> {
        let mut bytes = [0; HEADER_SIZE];
        if source.read_at(&mut bytes, 0)? < HEADER_SIZE || bytes[..8] != SIGNATURE[..] {
            return Err(JournalError::NoJournal);
        }
        let incompatible = u32_at(&bytes, 12);
        let unknown = incompatible & !KNOWN_INCOMPATIBLE;
        if unknown != 0 {
            return Err(JournalError::Incompatible(unknown));
        }
        Ok(Header {
            compact: incompatible & COMPACT != 0,
            n_entries: u64_at(&bytes, 152),
            tail_seqnum: u64_at(&bytes, 160),
            head_seqnum: u64_at(&bytes, 168),
            first_array: u64_at(&bytes, 176),
        })
    }
}

/// A journal file that is read from start to end, entry by entry, while it grows.
pub struct JournalFile<R> {
    source: R,
    header: Header,
    /// Which fields to keep, by name.
    keep: fn(&str) -> bool,
    /// Entries read so far.
    taken: u64,
    /// The entry array that holds the next entry (0 before the first), and the next item in it.
    array: u64,
    item: u64,
    window: Window,
    /// Fields by their place. journald stores equal fields once, so most fields of an entry are
    /// known already. `None` means a field that is not kept.
    cache: HashMap<u64, Option<Rc<Field>>>,
}

impl<R: ReadAt> JournalFile<R> {
    /// Opens a file for reading, before its first entry.
    ///
    /// # Errors
    ///
    /// When the header cannot be read.
    pub fn new(source: R, keep: fn(&str) -> bool) -> Result<JournalFile<R>, JournalError> {
        let header = Header::read(&source)?;
        Ok(JournalFile {
            source,
            header,
            keep,
            taken: 0,
            array: 0,
            item: 0,
            window: Window::default(),
            cache: HashMap::new(),
        })
    }

    /// Checks what journald has written since. `true` when there are entries to read.
    ///
    /// # Errors
    ///
    /// When the header cannot be read.
    pub fn refresh(&mut self) -> Result<bool, JournalError> {
        let header = Header::read(&self.source)?;
        if header != self.header {
            self.header = header;
            self.window.forget();
        }
        Ok(self.taken < header.n_entries)
    }

    /// The next entry that was complete at the last [`JournalFile::refresh`].
    ///
    /// # Errors
    ///
    /// When the file is damaged, compressed or cannot be read. The entry is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, JournalError> {
        if self.taken >= self.header.n_entries {
            return Ok(None);
        }
        let offset = self.next_offset()?;
        self.item += 1;
        self.taken += 1;
        self.entry(offset).map(Some)
    }

    /// The place of the next entry; moves on to the next array when one is used up.
    fn next_offset(&mut self) -> Result<u64, JournalError> {
        if self.array == 0 {
            self.array = self.header.first_array;
            self.item = 0;
        }
        while self.item >= self.array_capacity()? {
            self.array = self.u64_at(self.array + OBJECT_HEADER_SIZE)?;
            self.item = 0;
        }
        let width = self.array_item_size();
        self.offset_at(self.array + ARRAY_ITEMS + self.item * width)
    }

    fn array_item_size(&self) -> u64 {
        if self.header.compact { 4 } else { 8 }
    }

    fn array_capacity(&mut self) -> Result<u64, JournalError> {
        let (size, _) = self.object(self.array, OBJECT_ENTRY_ARRAY, "entry array")?;
        Ok(size.saturating_sub(ARRAY_ITEMS) / self.array_item_size())
    }

    fn entry(&mut self, offset: u64) -> Result<Entry, JournalError> {
        let (size, _) = self.object(offset, OBJECT_ENTRY, "entry")?;
        // In a regular file, an item has the data's hash after its place.
        let width = if self.header.compact { 4 } else { 16 };
        let count = size.saturating_sub(ENTRY_ITEMS) / width;
        let mut entry = Entry {
            seqnum: self.u64_at(offset + 16)?,
            realtime: self.u64_at(offset + 24)?,
            monotonic: self.u64_at(offset + 32)?,
            fields: Vec::new(),
        };
        if count > MOST_FIELDS {
            let expected = "entry of a sane size";
            return Err(JournalError::Damaged { expected, offset });
        }
        // Copied, because reading a field may move the window away from the entry.
        let items = self
            .bytes(offset + ENTRY_ITEMS, (count * width) as usize)?
            .to_vec();
        for item in items.chunks_exact(width as usize) {
            let data = match self.header.compact {
                true => u32_at(item, 0).into(),
                false => u64_at(item, 0),
            };
            if let Some(field) = self.field(data)? {
                entry.fields.push(field);
            }
        }
        Ok(entry)
    }

    fn field(&mut self, offset: u64) -> Result<Option<Rc<Field>>, JournalError> {
        if let Some(known) = self.cache.get(&offset) {
            return Ok(known.clone());
        }
        let (size, flags) = self.object(offset, OBJECT_DATA, "data object")?;
        if flags & OBJECT_COMPRESSED != 0 {
            return Err(JournalError::Compressed(offset));
        }
        let payload = if self.header.compact { 72 } else { 64 };
        let length = size.saturating_sub(payload).min(LONGEST_FIELD);
        let keep = self.keep;
        // `length` is at most LONGEST_FIELD, which fits.
        let bytes = self
            .window
            .bytes(&self.source, offset + payload, length as usize)?;
        let split = bytes.iter().position(|&byte| byte == b'=');
        let (name, value) = match split {
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (bytes, &[][..]),
        };
        let name = String::from_utf8_lossy(name);
        let field = keep(&name).then(|| {
            Rc::new(Field {
                name: name.into_owned(),
                value: String::from_utf8_lossy(value).into_owned(),
            })
        });
        if field.as_ref().is_none_or(|field| is_shared(&field.name)) {
            if self.cache.len() >= CACHE_SIZE {
                self.cache.clear();
            }
            self.cache.insert(offset, field.clone());
        }
        Ok(field)
    }

    /// Size and flags of the object at `offset`, which must be of this type.
    fn object(
        &mut self,
        offset: u64,
        object_type: u8,
        expected: &'static str,
    ) -> Result<(u64, u8), JournalError> {
        let damaged = JournalError::Damaged { expected, offset };
        if offset == 0 {
            return Err(damaged);
        }
        let header = self.bytes(offset, OBJECT_HEADER_SIZE as usize)?;
        let (found, flags, size) = (header[0], header[1], u64_at(header, 8));
        if found != object_type || size < OBJECT_HEADER_SIZE {
            return Err(damaged);
        }
        Ok((size, flags))
    }

    /// A place in the file, as wide as the file's format has it.
    fn offset_at(&mut self, offset: u64) -> Result<u64, JournalError> {
        if self.header.compact {
            Ok(u32_at(self.bytes(offset, 4)?, 0).into())
        } else {
            self.u64_at(offset)
        }
    }

    fn u64_at(&mut self, offset: u64) -> Result<u64, JournalError> {
        Ok(u64_at(self.bytes(offset, 8)?, 0))
    }

    fn bytes(&mut self, offset: u64, length: usize) -> Result<&[u8], JournalError> {
        self.window.bytes(&self.source, offset, length)
    }
}

/// Whether other entries are likely to have exactly the same field.
fn is_shared(name: &str) -> bool {
    name != "MESSAGE" && !name.ends_with("_TIMESTAMP")
}

/// The most recently read part of the file. One `read` serves many objects, because journald appends
/// an entry and its new data side by side.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn forget(&mut self) {
        self.bytes.clear();
    }

    fn bytes(
        &mut self,
        source: &impl ReadAt,
        offset: u64,
        length: usize,
    ) -> Result<&[u8], JournalError> {
        let inside = offset
            .checked_sub(self.start)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|at| at.saturating_add(length) <= self.bytes.len());
        let at = match inside {
            Some(at) => at,
            None => {
                self.start = offset.saturating_sub(LOOK_BACK);
                // At most LOOK_BACK, which fits.
                let at = (offset - self.start) as usize;
                self.bytes.resize((at + length).max(WINDOW_SIZE), 0);
                let read = source.read_at(&mut self.bytes, self.start)?;
                self.bytes.truncate(read);
                if read < at + length {
                    let expected = "complete object";
                    return Err(JournalError::Damaged { expected, offset });
                }
                at
            }
        };
        Ok(&self.bytes[at..at + length])
    }
}

/// Little-endian. The slice is long enough: all callers asked for that many bytes.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}
