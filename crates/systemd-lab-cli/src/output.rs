//! Everything that a command prints and writes, and how a failed write affects its exit status.
//!
//! A verdict matters more than its report. This module remembers what cannot be written, and the command carries on: an exercise
//! that has not passed keeps its exit status. Only a success becomes [`ExitStatus::NotWritten`].

use std::fmt::Arguments;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use systemd_lab::whole_file;

use crate::exit::{ExitStatus, WrongUsage};

/// The value of an option that means standard output instead of a file.
pub const STANDARD_OUTPUT: &str = "-";

/// This much of a file shows whether the lab wrote it.
const BEGINNING: u64 = 1024;

/// The beginnings of files that the lab writes: a saved timeline, a picture, and JUnit XML of checks and of runs.
const OURS: [&str; 4] = [
    "# measured with ",
    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"systemd-timeline\"",
    "<testsuites name=\"Service Resilience with systemd\"",
    "<testsuites name=\"systemd-lab\"",
];

static FAILURE: Mutex<Option<Failure>> = Mutex::new(None);

/// Whether standard output no longer accepts anything.
static IS_UNSEEN: AtomicBool = AtomicBool::new(false);

/// Why something was not written.
enum Failure {
    /// The reader has seen enough, e.g. `head`. This need not be reported.
    NoReader,
    Error(String),
}

/// Prints a line on standard output.
#[macro_export]
macro_rules! say {
    () => { $crate::output::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints on standard output.
#[macro_export]
macro_rules! put {
    ($($text:tt)*) => { $crate::output::print(format_args!($($text)*)) };
}

/// Prints a line on standard error. It is for people; if it cannot be read, nothing else depends on it.
#[macro_export]
macro_rules! note {
    () => { $crate::output::print_error(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::print_error(format_args!("{}\n", format_args!($($text)*))) };
}

pub use {note, put, say};

/// Prints on standard output: see [`say!`](crate::say) and [`put!`](crate::put).
pub fn print(text: Arguments<'_>) {
    to_standard_output(|| anstream::stdout().write_fmt(text));
}

/// Prints a document unchanged, whatever it contains.
pub fn document(text: &str) {
    to_standard_output(|| io::stdout().write_all(text.as_bytes()));
}

/// Prints on standard error: see [`note!`](crate::note).
pub fn print_error(text: Arguments<'_>) {
    let _ = anstream::stderr().write_fmt(text);
}

/// Shows what was printed so far.
pub fn flush() {
    to_standard_output(|| io::stdout().flush());
}

/// Whether standard output no longer accepts anything, so that the output is not seen.
pub fn is_unseen() -> bool {
    IS_UNSEEN.load(Ordering::Relaxed)
}

fn to_standard_output(write: impl FnOnce() -> io::Result<()>) {
    if is_unseen() {
        return;
    }
    if let Err(error) = write() {
        IS_UNSEEN.store(true, Ordering::Relaxed);
        not_written_to("standard output", &error);
    }
}

fn not_written_to(what: &str, error: &io::Error) {
    match error.kind() {
        ErrorKind::BrokenPipe => remember(Failure::NoReader),
        _ => failed(format!("cannot write {what}: {error}; {}", remedy(error))),
    }
}

/// Remembers that something could not be written: the message says what, why, and what to do.
pub fn failed(message: String) {
    remember(Failure::Error(message));
}

/// The first failure is reported. A reader who left matters less than any other failure.
fn remember(new: Failure) {
    let mut failure = failure();
    if !matches!(*failure, Some(Failure::Error(_))) {
        *failure = Some(new);
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space, or write to another disk"
        }
        ErrorKind::FileTooLarge => "raise the limit: ulimit -f unlimited",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a file that you can write"
        }
        _ => "name another file",
    }
}

fn failure() -> std::sync::MutexGuard<'static, Option<Failure>> {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a file that is too large for `ulimit -f` an ordinary error that does not end the command.
pub fn survive_file_size_limit() {
    let signal = signal_hook::consts::signal::SIGXFSZ;
    // Without this handler, the kernel ends the command, like any other.
    let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
}

/// The exit status of a command that would have had this one if all of its output had been written.
pub fn conclude(status: u8) -> u8 {
    flush();
    let Some(Failure::Error(message)) = failure().take() else {
        return status;
    };
    print_error(format_args!("{message}\n"));
    match status {
        0 => ExitStatus::NotWritten.code(),
        status => status,
    }
}

/// The exit status for a command line that needs no command, only clap's answer.
pub fn conclude_usage(error: &clap::Error) -> u8 {
    if let Err(error) = error.print() {
        not_written_to("standard output", &error);
    }
    conclude(match error.use_stderr() {
        true => ExitStatus::WrongUsage.code(),
        false => ExitStatus::Passed.code(),
    })
}

/// Refuses, before anything runs, a file that cannot be written, or that contains something that the lab did not write, unless it
/// may be replaced. A file that the command reads is never replaced.
pub fn ensure_writable(file: &Path, inputs: &[PathBuf], force: bool) -> Result<(), WrongUsage> {
    if file == Path::new(STANDARD_OUTPUT) {
        return Ok(());
    }
    let shown = file.display();
    if file.is_dir() {
        return Err(WrongUsage(format!(
            "{shown} is a directory; name a file in it"
        )));
    }
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        return Err(WrongUsage(format!(
            "cannot write {shown}: there is no directory {}; name another file",
            parent.display()
        )));
    }
    if inputs.iter().any(|input| is_same(input, file)) {
        return Err(WrongUsage(format!(
            "{shown} is read by this command, and would be replaced; name another file"
        )));
    }
    if !force && file.is_file() && !is_ours(file) {
        return Err(WrongUsage(format!(
            "{shown} exists, and the lab did not write it; name another file, or replace it with --force"
        )));
    }
    Ok(())
}

/// Refuses two documents on standard output, because nothing could read them. `files` are the options that name files, with their
/// values; `is_json` says whether `--json` prints a document as well.
pub fn ensure_one_document(
    is_json: bool,
    files: &[(&str, Option<&Path>)],
) -> Result<(), WrongUsage> {
    let json = is_json.then(|| "--json".to_owned());
    let is_printed = |(_, file): &&(&str, Option<&Path>)| *file == Some(Path::new(STANDARD_OUTPUT));
    let files = files.iter().filter(is_printed);
    let files = files.map(|(option, _)| format!("{option} {STANDARD_OUTPUT}"));
    let printed: Vec<String> = json.into_iter().chain(files).collect();
    let [.., before, last] = &printed[..] else {
        return Ok(());
    };
    let option = last.trim_end_matches([' ', '-']);
    Err(WrongUsage(format!(
        "{before} and {last} would both write to standard output; name a file: {option} FILE"
    )))
}

/// Refuses two names for the same file.
pub fn ensure_distinct(files: &[&Path]) -> Result<(), WrongUsage> {
    for (index, file) in files.iter().enumerate() {
        let others = &files[index + 1..];
        if others.iter().any(|other| is_same(file, other)) {
            return Err(WrongUsage(format!(
                "{} would be written twice; name two files",
                file.display()
            )));
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        // A device may be written twice.
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        (Err(_), Err(_)) => one == other && one != Path::new(STANDARD_OUTPUT),
        _ => false,
    }
}

fn is_ours(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    let text = String::from_utf8_lossy(&beginning);
    let text = match text.split_once("?>") {
        Some((declaration, rest)) if declaration.starts_with("<?xml") => rest.trim_start(),
        _ => &text,
    };
    read.is_ok() && (text.is_empty() || OURS.iter().any(|ours| text.starts_with(ours)))
}

/// Writes a file, or standard output for [`STANDARD_OUTPUT`]. Returns whether it wrote a file.
pub fn write(file: &Path, text: &str) -> bool {
    if file == Path::new(STANDARD_OUTPUT) {
        document(text);
        return false;
    }
    match whole_file::write(file, |out| out.write_all(text.as_bytes())) {
        Ok(()) => true,
        Err(error) => {
            not_written(file, &error);
            false
        }
    }
}

/// Remembers that a file could not be written.
pub fn not_written(file: &Path, error: &io::Error) {
    not_written_to(&file.display().to_string(), error);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_lab_wrote_is_replaced() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("file");
        let may_be_replaced = |content: &str, inputs: &[PathBuf], force| {
            fs::write(&file, content).expect("there is room");
            ensure_writable(&file, inputs, force).map_err(|WrongUsage(why)| why)
        };
        for ours in [
            "",
            "# measured with systemd 257\n#\n",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"systemd-timeline\" viewBox=\"0 0 1 1\">",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"systemd-lab\" tests=\"1\">",
        ] {
            assert_eq!(may_be_replaced(ours, &[], false), Ok(()), "{ours}");
        }
        for other in ["[Service]\n", "<svg xmlns=\"http://www.w3.org/2000/svg\">"] {
            let why = may_be_replaced(other, &[], false).expect_err("it is not ours");
            assert!(why.contains("the lab did not write it"), "{why}");
            assert_eq!(may_be_replaced(other, &[], true), Ok(()));
            let inputs = [folder.path().join("./file")];
            let why = may_be_replaced(other, &inputs, true).expect_err("it is read");
            assert!(why.contains("is read by this command"), "{why}");
        }
    }

    #[test]
    fn standard_output_gets_one_document() {
        let (dash, file) = (Some(Path::new("-")), Some(Path::new("a.svg")));
        let refused = |is_json, svg, junit| {
            let files = [("--svg", svg), ("--junit", junit)];
            ensure_one_document(is_json, &files).map_err(|WrongUsage(why)| why)
        };
        for (is_json, svg, junit) in [
            (true, None, None),
            (true, file, file),
            (false, dash, file),
            (false, None, dash),
        ] {
            assert_eq!(refused(is_json, svg, junit), Ok(()));
        }
        for (is_json, svg, junit, why) in [
            (
                true,
                dash,
                None,
                "--json and --svg - would both write to standard output; name a file: --svg FILE",
            ),
            (
                true,
                file,
                dash,
                "--json and --junit - would both write to standard output; name a file: --junit FILE",
            ),
            (
                false,
                dash,
                dash,
                "--svg - and --junit - would both write to standard output; name a file: --junit FILE",
            ),
        ] {
            assert_eq!(refused(is_json, svg, junit), Err(why.to_owned()));
        }
    }

    #[test]
    fn no_file_is_written_twice() {
        let dash = Path::new("-");
        assert!(ensure_distinct(&[dash, dash, Path::new("a"), Path::new("b")]).is_ok());
        assert!(ensure_distinct(&[Path::new("a"), dash, Path::new("a")]).is_err());
    }
}
