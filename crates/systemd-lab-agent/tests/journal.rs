//! Reads journals that journald 257 wrote in the guest: the start and stop of a service and some
//! lines, cut after the last object.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use systemd_lab_agent::journal::events::Interpreter;
use systemd_lab_agent::journal::file::{Entry, JournalError, JournalFile};
use systemd_lab_agent::journal::follower::Follower;
use systemd_lab_agent::processes::Processes;
use systemd_lab_protocol::{Event, EventKind};

const FIXTURES: [&str; 2] = ["compact.journal", "regular.journal"];

/// `journalctl --file FIXTURE | wc -l`
const ENTRIES: usize = 21;

/// Offsets in the header: incompatible flags, number of entries, number of the last entry.
const INCOMPATIBLE_FLAGS: usize = 12;
const N_ENTRIES: usize = 152;

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(directory.join(name)).unwrap()
}

fn all_entries(bytes: Vec<u8>) -> Result<Vec<Entry>, JournalError> {
    let mut file = JournalFile::new(bytes, |_| true)?;
    let mut entries = Vec::new();
    while let Some(entry) = file.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

fn field<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    let field = entry.fields.iter().find(|field| field.name == name)?;
    Some(&field.value)
}

#[test]
fn all_entries_are_read_in_order() {
    for name in FIXTURES {
        let entries = all_entries(fixture(name)).unwrap();
        assert_eq!(entries.len(), ENTRIES, "{name}");
        assert!(entries.is_sorted_by(|a, b| a.seqnum + 1 == b.seqnum));
        assert!(entries.is_sorted_by_key(|entry| entry.monotonic));
        for entry in &entries {
            assert!(field(entry, "MESSAGE").is_some());
            assert!(field(entry, "_BOOT_ID").is_some());
        }
    }
}

#[test]
fn values_are_whole() {
    for name in FIXTURES {
        let entries = all_entries(fixture(name)).unwrap();
        let odd = entries
            .iter()
            .find(|entry| field(entry, "PRIORITY") == Some("4"))
            .unwrap();
        assert_eq!(field(odd, "MESSAGE"), Some("text with = and umlaut ä"));
        assert_eq!(field(odd, "SYSLOG_IDENTIFIER"), Some("fixture"));
        let lines: Vec<_> = entries
            .iter()
            .filter_map(|entry| field(entry, "MESSAGE")?.strip_prefix("line "))
            .collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    }
}

#[test]
fn only_the_wanted_fields_are_kept() {
    let mut file = JournalFile::new(fixture("compact.journal"), |name| name == "MESSAGE").unwrap();
    while let Some(entry) = file.next_entry().unwrap() {
        assert_eq!(entry.fields.len(), 1);
    }
}

#[test]
fn entries_become_events() {
    let entries = all_entries(fixture("compact.journal")).unwrap();
    let mut interpreter = Interpreter::default();
    let mut processes = Processes::untraced();
    let events: Vec<Event> = entries
        .into_iter()
        .filter_map(|entry| interpreter.event(entry, &mut processes))
        .collect();
    // The person who recorded the fixture reset systemd's log level at the end.
    let (blind, events): (Vec<Event>, Vec<Event>) = events
        .into_iter()
        .partition(|event| matches!(event.kind, EventKind::WentBlind { .. }));
    assert_eq!(blind.len(), 1);
    // The names of the lab's own units at that time.
    let is_labs = |event: &Event| {
        ["lab-agent.service", "lab.target"]
            .iter()
            .any(|it| event.is_about(it))
    };
    let units: Vec<_> = events
        .iter()
        .filter(|it| !is_labs(it))
        .map(|it| it.unit.as_deref())
        .collect();
    assert!(
        units.iter().all(|unit| *unit == Some("t.service")),
        "{units:?}"
    );
    let of = |kind: &EventKind| events.iter().any(|event| event.kind == *kind);
    assert!(of(&EventKind::Deactivated));
    assert!(of(&EventKind::Log {
        priority: 6,
        message: "hello".into()
    }));
}

/// journald counts an entry once it is complete: an entry that is not counted yet must not be
/// touched.
#[test]
fn a_growing_file_is_read_on_from_where_it_was() {
    for name in FIXTURES {
        let whole = fixture(name);
        let expected = all_entries(whole.clone()).unwrap();
        for complete in 0..=ENTRIES {
            let path = std::env::temp_dir().join(format!(
                "lab-agent-{name}-{complete}-{}",
                std::process::id()
            ));
            let mut young = whole.clone();
            young[N_ENTRIES..N_ENTRIES + 8].copy_from_slice(&(complete as u64).to_le_bytes());
            fs::write(&path, young).unwrap();
            let source = fs::File::open(&path).unwrap();
            let mut file = JournalFile::new(source, |_| true).unwrap();
            let mut found = Vec::new();
            while let Some(entry) = file.next_entry().unwrap() {
                found.push(entry);
            }
            assert_eq!(found.len(), complete);
            fs::write(&path, &whole).unwrap();
            assert_eq!(file.refresh().unwrap(), complete < ENTRIES);
            while let Some(entry) = file.next_entry().unwrap() {
                found.push(entry);
            }
            assert_eq!(found, expected);
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_not_a_journal_is_refused() {
    let error = |bytes| all_entries(bytes).map(drop).unwrap_err().to_string();
    let no_journal = "this is not a journal file: it does not begin with LPKSHHRH";
    assert_eq!(error(Vec::new()), no_journal);
    assert_eq!(error(vec![0; 4096]), no_journal);

    let mut newer = fixture("compact.journal");
    newer[INCOMPATIBLE_FLAGS] |= 1 << 5;
    assert_eq!(
        error(newer),
        "the journal file has unknown incompatible flags 0x20; the agent must learn them"
    );
}

#[test]
fn an_unreadable_journal_is_not_empty() {
    // A folder can be opened, but not read.
    let folder = fs::File::open(std::env::temp_dir()).unwrap();
    let error = JournalFile::new(folder, |_| true).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the journal: Is a directory (os error 21)"
    );
}

#[test]
fn compressed_objects_are_refused_not_guessed() {
    // Set the flags of each data object, which is found by its content: the flags are 72 bytes
    // before it.
    let mut bytes = fixture("compact.journal");
    let content = b"MESSAGE=line 5";
    let at = bytes
        .windows(content.len())
        .position(|window| window == content)
        .unwrap();
    bytes[at - 72 + 1] = 4;
    assert_eq!(
        all_entries(bytes).unwrap_err().to_string(),
        format!(
            "the journal holds a compressed object at {}; set Compress=no in journald.conf",
            at - 72
        )
    );
}

#[test]
fn a_cut_file_is_damaged() {
    for name in FIXTURES {
        let mut bytes = fixture(name);
        bytes.truncate(bytes.len() - 1000);
        let JournalError::Damaged { expected, offset } = all_entries(bytes).unwrap_err() else {
            panic!("{name} is cut");
        };
        let error = JournalError::Damaged { expected, offset };
        assert_eq!(
            error.to_string(),
            format!(
                "the journal has no {expected} at {offset}; journald may have died while it wrote"
            )
        );
    }
}

/// A directory in journald's layout, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let root = std::env::temp_dir().join(format!("lab-agent-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("5ad0")).unwrap();
        Directory(root)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("5ad0").join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The fixture as a later file of the same journal, with all numbers raised.
fn later(bytes: &[u8], by: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut raise = |at: usize| {
        let old = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        bytes[at..at + 8].copy_from_slice(&(old + by).to_le_bytes());
    };
    raise(160); // the last entry's number
    raise(168); // the first entry's number
    // Objects follow each other from the end of the header: raise each entry's number.
    let mut at = u64::from_le_bytes(bytes[88..96].try_into().unwrap()) as usize;
    while at < bytes.len() {
        const ENTRY: u8 = 3;
        let size = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()) as usize;
        if bytes[at] == ENTRY {
            let number = u64::from_le_bytes(bytes[at + 16..at + 24].try_into().unwrap()) + by;
            bytes[at + 16..at + 24].copy_from_slice(&number.to_le_bytes());
        }
        at = (at + size).next_multiple_of(8);
    }
    bytes
}

fn read(follower: &mut Follower) -> Vec<u64> {
    let mut numbers = Vec::new();
    follower
        .read_new(|entry| numbers.push(entry.seqnum))
        .unwrap();
    numbers
}

#[test]
fn journald_is_followed_from_file_to_file() {
    let directory = Directory::new("rotation");
    let first = fixture("compact.journal");
    let count = ENTRIES as u64;
    fs::write(directory.file("system.journal"), &first).unwrap();
    let mut follower = Follower::open(&directory.0, |_| true).unwrap();
    let numbers = read(&mut follower);
    assert_eq!(numbers.len(), ENTRIES);
    assert!(read(&mut follower).is_empty());

    // Two rotations at once.
    let rename = |to: &str| fs::rename(directory.file("system.journal"), directory.file(to));
    rename("system@2.journal").unwrap();
    fs::write(directory.file("system@1.journal"), later(&first, count)).unwrap();
    fs::write(directory.file("system.journal"), later(&first, 2 * count)).unwrap();
    let more = read(&mut follower);
    let start = numbers[0];
    let expected: Vec<u64> = (start + count..start + 3 * count).collect();
    assert_eq!(more, expected);
    assert_eq!(follower.lost(), 0);
}

#[test]
fn what_journald_removed_unread_is_counted() {
    let directory = Directory::new("vacuum");
    let first = fixture("compact.journal");
    fs::write(directory.file("system.journal"), &first).unwrap();
    let mut follower = Follower::open(&directory.0, |_| true).unwrap();
    assert_eq!(read(&mut follower).len(), ENTRIES);
    // journald empties the files before it removes them.
    fs::write(directory.file("system.journal"), b"").unwrap();
    fs::rename(directory.file("system.journal"), directory.file("old")).unwrap();
    fs::write(directory.file("system.journal"), later(&first, 100)).unwrap();
    assert_eq!(read(&mut follower).len(), ENTRIES);
    assert_eq!(follower.lost(), 100 - ENTRIES as u64);
}

/// Whether the follower would wake the agent now.
fn is_announced(follower: &Follower) -> bool {
    let mut descriptors = [PollFd::new(follower, PollFlags::IN)];
    poll(&mut descriptors, Some(&Timespec::default())).unwrap() > 0
}

#[test]
fn a_folder_that_was_made_again_is_followed() {
    let directory = Directory::new("again");
    let first = fixture("compact.journal");
    let count = ENTRIES as u64;
    let active = directory.file("system.journal");
    let remove = || fs::remove_dir_all(directory.0.join("5ad0")).unwrap();
    let make = |by: u64| {
        fs::create_dir(directory.0.join("5ad0")).unwrap();
        fs::write(&active, later(&first, by)).unwrap();
    };
    fs::write(&active, &first).unwrap();
    let mut follower = Follower::open(&directory.0, |_| true).unwrap();
    assert_eq!(read(&mut follower).len(), ENTRIES);
    assert!(!is_announced(&follower));

    // journald puts its files back before anybody has looked.
    remove();
    make(count);
    assert!(is_announced(&follower));
    assert_eq!(read(&mut follower).len(), ENTRIES);
    assert!(!follower.is_removed());
    // The old folder is gone now that its last file is closed, which is announced as well.
    assert!(read(&mut follower).is_empty());
    assert!(!is_announced(&follower));
    fs::rename(&active, directory.file("system@1.journal")).unwrap();
    fs::write(&active, later(&first, 2 * count)).unwrap();
    assert!(is_announced(&follower), "the new folder is watched");
    assert_eq!(read(&mut follower).len(), ENTRIES);

    // Somebody looks while there is no folder.
    remove();
    assert!(read(&mut follower).is_empty());
    assert!(follower.is_removed());
    make(3 * count);
    assert_eq!(read(&mut follower).len(), ENTRIES);
    fs::write(directory.file("another"), b"").unwrap();
    assert!(is_announced(&follower), "the third folder is watched");
}
