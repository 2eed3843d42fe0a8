//! Why cargo cannot build: the attendee's code, the lab's code, or a machine without enough disk, memory or open files.

use std::fs;
use std::path::Path;

use super::{BuildFailed, Diagnostic};

/// A package whose code is the attendee's, and its folder in the workshop, e.g. `exercises/04-notify`.
pub struct PackageFolder<'a> {
    /// Its name for cargo.
    pub name: &'a str,
    /// Relative to the workshop.
    pub folder: &'a str,
}

impl PackageFolder<'_> {
    pub(super) fn has(&self, root: &Path, manifest: &Path) -> bool {
        let own = root.join(self.folder).join("Cargo.toml");
        match (fs::canonicalize(&own), fs::canonicalize(manifest)) {
            (Ok(own), Ok(manifest)) => own == manifest,
            _ => own == manifest,
        }
    }
}

/// An error of the compiler, and whether it is about the package's own code.
pub(super) struct CompilerError {
    pub(super) is_of_package: bool,
    pub(super) diagnostic: Diagnostic,
}

/// What a machine may lack, and how compilers, linkers and cargo say so.
struct Lack {
    what: &'static str,
    remedy: &'static str,
    signs: &'static [&'static str],
}

const LACKS: [Lack; 6] = [
    Lack {
        what: "the disk is full",
        remedy: "free some space on the disk of the folder target, and on that of /tmp",
        signs: &[
            "No space left on device",
            "(os error 28)",
            "Disk quota exceeded",
            "(os error 122)",
            "Bus error",
            "SIGBUS",
        ],
    },
    Lack {
        what: "a limit on the size of files is too small",
        remedy: "type: ulimit -f unlimited",
        signs: &[
            "(os error 27)",
            "SIGXFSZ",
            "File size limit exceeded",
            "File too large",
        ],
    },
    Lack {
        what: "too few files may be open at once",
        remedy: "type: ulimit -n 1024",
        signs: &["(os error 24)", "(os error 23)", "Too many open files"],
    },
    Lack {
        what: "there is too little memory",
        remedy: "close other programs, or raise the limit: ulimit -v unlimited",
        signs: &[
            "Cannot allocate memory",
            "(os error 12)",
            "memory allocation of",
            "out of memory",
            "memory exhausted",
            "bad_alloc",
            "SIGKILL",
            "SIGABRT",
            "signal 9 [Killed]",
            "signal 6 [Aborted]",
            // The standard library, which could not be mapped.
            "only metadata stub found",
        ],
    },
    Lack {
        what: "there are too many processes",
        remedy: "close other programs, or raise the limit (ulimit -u)",
        signs: &["Resource temporarily unavailable", "(os error 11)"],
    },
    Lack {
        what: "the build directory cannot be written, or a program is missing",
        remedy: "make the folder target yours, and install what the text names",
        signs: &[
            "Read-only file system",
            "Permission denied (os error 13)",
            "linker `cc` not found",
        ],
    },
];

/// rustc's codes for what another crate has left behind: a file that is cut off has them.
const ABOUT_OTHER_CRATES: [&str; 2] = ["E0463", "E0786"];

/// What rustc prints before the place of an error.
const PLACE: &str = "-->";

/// The last lines of rustc, after errors that say more.
const SUMMARIES: [&str; 2] = ["aborting due to", "could not compile"];

/// How much of a text to show.
const LINES: usize = 30;

impl CompilerError {
    fn rendered(&self) -> &str {
        self.diagnostic.rendered.as_deref().unwrap_or_default()
    }

    /// What the machine lacks, if the error is about that. An error that points at a line of the source is about that line.
    fn lack(&self) -> Option<&'static Lack> {
        let code = self.diagnostic.code.as_ref().map(|it| it.code.as_str());
        // Some have a place that is nowhere.
        let is_about_source = self.rendered().contains(PLACE)
            && !code.is_some_and(|code| ABOUT_OTHER_CRATES.contains(&code));
        match is_about_source {
            true => None,
            false => lack(self.rendered()),
        }
    }

    fn says_something(&self) -> bool {
        let message = &self.diagnostic.message;
        let is_summary = SUMMARIES.iter().any(|begin| message.starts_with(begin));
        !is_summary && self.lack().is_none()
    }
}

fn lack(text: &str) -> Option<&'static Lack> {
    let is_told = |lack: &&Lack| lack.signs.iter().any(|sign| text.contains(sign));
    LACKS.iter().find(is_told)
}

/// Judges what the compiler says. If it says nothing, judges what cargo says.
pub(super) fn why_failed(
    package: &PackageFolder<'_>,
    errors: &[CompilerError],
    stderr: &str,
) -> BuildFailed {
    // This comes first, because errors about the source may be mere consequences.
    let told = errors
        .iter()
        .find_map(|error| Some((error.lack()?, error.rendered())));
    let own = || errors.iter().filter(|error| error.is_of_package);
    if told.is_none() && own().any(CompilerError::says_something) {
        let text: String = own().map(CompilerError::rendered).collect();
        return BuildFailed::OfPackage(text.trim_end().to_owned());
    }
    if let Some((lack, text)) = told.or_else(|| Some((lack(stderr)?, stderr))) {
        return BuildFailed::OfLab(format!(
            "cargo cannot build: {}\n\n{}\n\n{}; then check again",
            lack.what,
            shortened(text),
            capitalised(lack.remedy)
        ));
    }
    if let Some(other) = errors.iter().find(|error| error.says_something()) {
        return BuildFailed::OfLab(format!(
            "a crate other than the exercise does not compile:\n\n{}\n\nIf you have changed the lab's own code, `git checkout -- crates` restores it",
            shortened(other.rendered())
        ));
    }
    // cargo itself failed, most likely because of the package's Cargo.toml. The first package that it names is to blame.
    let manifest = stderr.lines().find(|line| line.contains("Cargo.toml"));
    let is_of_package = manifest.map_or_else(
        || stderr.contains(package.name),
        |line| line.contains(package.folder),
    );
    match is_of_package {
        true => BuildFailed::OfPackage(stderr.to_owned()),
        false => BuildFailed::OfLab(format!("cargo cannot build:\n\n{}", shortened(stderr))),
    }
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[..lines.len().min(LINES)].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: PackageFolder<'static> = PackageFolder {
        name: "exercise-01",
        folder: "exercises/01-plain",
    };

    fn error(is_of_package: bool, json: &str) -> CompilerError {
        CompilerError {
            is_of_package,
            diagnostic: serde_json::from_str(json).expect("it is a diagnostic"),
        }
    }

    fn is_of_package(errors: &[CompilerError], stderr: &str) -> bool {
        matches!(
            why_failed(&PACKAGE, errors, stderr),
            BuildFailed::OfPackage(_)
        )
    }

    /// These words may also be in somebody's code.
    #[test]
    fn what_points_at_a_line_is_about_that_line() {
        let json = r#"{"level":"error","message":"no","code":null,"rendered":"--> src/main.rs:1:1 No space left on device"}"#;
        assert!(is_of_package(&[error(true, json)], ""));
        assert!(!is_of_package(&[error(false, json)], ""));
    }

    #[test]
    fn what_a_machine_lacks_is_not_the_packages() {
        let full = r#"{"level":"error","message":"no","code":null,"rendered":"could not write output: No space left on device (os error 28)"}"#;
        let end = r#"{"level":"error","message":"aborting due to 1 previous error","code":null,"rendered":"aborting due to 1 previous error"}"#;
        let cut_off = r#"{"level":"error","message":"no","code":{"code":"E0786"},"rendered":"--> src/main.rs:1:1 failed to mmap: Cannot allocate memory (os error 12)"}"#;
        assert!(!is_of_package(&[error(true, full), error(true, end)], ""));
        assert!(!is_of_package(&[error(true, cut_off)], ""));
        let killed = "could not compile `exercise-01`\n\nCaused by:\n  `rustc exercises/01-plain/src/main.rs` (signal: 9, SIGKILL: kill)";
        assert!(!is_of_package(&[], killed));
    }

    #[test]
    fn manifests_and_symbols_are_the_packages() {
        let manifest = "failed to parse manifest at `/w/exercises/01-plain/Cargo.toml`";
        assert!(is_of_package(&[], manifest));
        let other = "failed to parse manifest at `/w/crates/systemd-lab/Cargo.toml`";
        assert!(!is_of_package(&[], other));
        let link = r#"{"level":"error","message":"linking with `cc` failed: exit status: 1","code":null,"rendered":"undefined reference to `nowhere'"}"#;
        assert!(is_of_package(&[error(true, link)], ""));
    }
}
