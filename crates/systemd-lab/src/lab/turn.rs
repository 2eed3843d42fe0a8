//! As many runs at a time as there are processors, whichever process asks: each keeps one processor busy. Forty at once would
//! all be slow, and all run out of time.
//!
//! A run takes a ticket: a numbered file in the cache. The process that holds the ticket locks the file, so the kernel
//! releases it when the process ends, however it ends. The runs with the lowest numbers go; the others wait, in order.

use std::fs::{self, File, Permissions};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::cache::Cache;

/// The folder in the cache.
const FOLDER: &str = "turns";

/// Held while tickets are taken or counted. Its name is not a number.
const LOCK: &str = "lock";

/// Private to the user, whatever the umask is.
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// How long a run waits before it looks again, for each run that must end first. A run takes a second or two.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The longest such wait, however many runs are ahead.
const AT_MOST: Duration = Duration::from_millis(500);

static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// The right to run; it is given back when it is dropped.
pub(crate) struct Turn {
    /// `None` if tickets cannot be written, e.g. on a full disk: a run works without one.
    ticket: Option<Ticket>,
}

struct Ticket {
    path: PathBuf,
    /// Locked.
    _file: File,
}

/// The tickets before this process's own.
struct Ahead {
    all: usize,
    /// Those of other processes.
    others: usize,
}

impl Turn {
    /// Waits for its turn. Each time it looks, it tells `on_wait` how many runs of other processes are ahead.
    pub(crate) fn take(cache: &Cache, on_wait: &mut dyn FnMut(usize)) -> Turn {
        let folder = cache.root().join(FOLDER);
        take(&folder, *PROCESSORS, on_wait).unwrap_or(Turn { ticket: None })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            let _ = fs::remove_file(&ticket.path);
        }
    }
}

fn take(folder: &Path, places: usize, on_wait: &mut dyn FnMut(usize)) -> io::Result<Turn> {
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(PRIVATE_FOLDER))?;
    }
    let (number, ticket) = draw(folder)?;
    let turn = Turn {
        ticket: Some(ticket),
    };
    loop {
        let ahead = ahead_of(folder, number)?;
        if ahead.all < places {
            return Ok(turn);
        }
        on_wait(ahead.others);
        let missing = ahead.all - places + 1;
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        thread::sleep(LOOK_AGAIN.saturating_mul(missing).min(AT_MOST));
    }
}

/// Takes the next ticket.
fn draw(folder: &Path) -> io::Result<(u64, Ticket)> {
    let _lock = lock(folder)?;
    let last = tickets(folder)?
        .into_iter()
        .map(|(number, ..)| number)
        .max();
    let number = last.map_or(0, |last| last + 1);
    let path = folder.join(format!("{number}-{}", std::process::id()));
    let file = File::options().write(true).create_new(true).open(&path)?;
    // Whatever the umask is, other processes of the same user must be able to see it.
    file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
    file.try_lock()?;
    Ok((number, Ticket { path, _file: file }))
}

/// Counts the tickets that are held, and removes those of processes that are gone.
fn ahead_of(folder: &Path, own: u64) -> io::Result<Ahead> {
    let _lock = lock(folder)?;
    let mut ahead = Ahead { all: 0, others: 0 };
    for (number, process, path) in tickets(folder)? {
        if number >= own {
            continue;
        }
        // If its owner has just removed it, it is not ahead any more.
        let Ok(file) = open(&path) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
            continue;
        }
        ahead.all += 1;
        if process != std::process::id() {
            ahead.others += 1;
        }
    }
    Ok(ahead)
}

/// Number, process and path of each ticket, in no order.
fn tickets(folder: &Path) -> io::Result<Vec<(u64, u32, PathBuf)>> {
    let mut tickets = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('-'));
        if let Some((number, process)) = parts
            && let (Ok(number), Ok(process)) = (number.parse(), process.parse())
        {
            tickets.push((number, process, entry.path()));
        }
    }
    Ok(tickets)
}

fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let lock = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let lock = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .custom_flags(flags())
                .open(&path)?;
            lock.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
            lock
        }
        opened => opened?,
    };
    lock.lock()?;
    Ok(lock)
}

fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).custom_flags(flags()).open(path)
}

/// Does not follow links, and does not wait for a pipe in place of a file.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn no_more_run_than_there_are_places_and_all_come_in_the_order_of_their_tickets() {
        let folder = folder();
        let path = folder.path();
        let first = take(path, 2, &mut |_| panic!("a place is free")).expect("a turn");
        let second = take(path, 2, &mut |_| panic!("a place is free")).expect("a turn");
        let (told, order) = mpsc::channel();
        let running = AtomicUsize::new(2);
        thread::scope(|scope| {
            for name in 0..6 {
                let (waits, waiting) = mpsc::channel();
                let (told, running) = (told.clone(), &running);
                scope.spawn(move || {
                    let turn = take(path, 2, &mut |_| {
                        let _ = waits.send(());
                    });
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                    told.send(name).expect("the test listens");
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                });
                // This makes sure that the next ticket is a later one.
                waiting.recv().expect("it waits");
            }
            running.fetch_sub(1, Ordering::SeqCst);
            drop(second);
            // With one place, the order is fixed.
            let order: Vec<i32> = order.iter().take(6).collect();
            assert_eq!(order, [0, 1, 2, 3, 4, 5]);
            drop(first);
        });
        assert_eq!(tickets(path).expect("it can be read").len(), 0);
    }

    #[test]
    fn a_ticket_whose_process_is_gone_does_not_block() {
        let folder = folder();
        let path = folder.path();
        fs::write(path.join("7-1"), "").expect("it can be written");
        fs::write(path.join("not a ticket"), "").expect("it can be written");
        let turn = take(path, 1, &mut |_| panic!("nobody runs")).expect("a turn");
        let left = tickets(path).expect("it can be read");
        let numbers: Vec<u64> = left.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, [8]);
        drop(turn);
    }

    #[test]
    fn runs_of_other_processes_are_counted() {
        let folder = folder();
        let path = folder.path();
        let other = path.join("3-1");
        let other = File::create(other).expect("it can be written");
        other.try_lock().expect("it is free");
        let own = draw(path).expect("a ticket");
        let ahead = ahead_of(path, 5).expect("it can be read");
        assert_eq!((own.0, ahead.all, ahead.others), (4, 2, 1));
    }

    /// If there can be no tickets, runs go on without an order.
    #[test]
    fn something_other_than_a_lock_does_not_block() {
        let folder = folder();
        let path = folder.path();
        let made = rustix::fs::mkfifoat(rustix::fs::CWD, path.join(LOCK), 0o600.into());
        made.expect("it can be made");
        assert!(take(path, 1, &mut |_| {}).is_err());
        let file = path.join("file");
        fs::write(&file, "").expect("it can be written");
        assert!(take(&file, 1, &mut |_| {}).is_err());
    }
}
