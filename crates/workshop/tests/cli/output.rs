//! Output that cannot be written. The exit status still gives the verdict, and nothing panics.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use exercise_check::Outcome;

use crate::fixture::{Fixture, verdict};

/// A command line and its exit status when all is well.
const COMMANDS: [(&[&str], i32); 9] = [
    (&["list"], 0),
    (&["next"], 0),
    (&["hint", "01"], 0),
    (&["completions", "bash"], 0),
    (&["--help"], 0),
    (&["run", "--help"], 0),
    (&["--version"], 0),
    (&["check", "01"], 1),
    (&["check", "01", "--json"], 1),
];

/// Exercise 01 does not pass, 02 does.
fn workshop() -> Fixture {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    fixture
}

fn command(fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("workshop"));
    command
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", fixture.path("crates/workshop"))
        .env("CARGO_TARGET_DIR", fixture.path("target"))
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null());
    command
}

/// Its exit status and its own output, without cargo's.
fn ended(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !text.contains("panicked") && !text.contains("backtrace"),
        "{text}"
    );
    (output.status.code().expect("it ends by itself"), text)
}

#[test]
fn a_reader_may_stop_and_the_verdict_stays() {
    let fixture = workshop();
    for (arguments, status) in COMMANDS {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command(&fixture, arguments).stdout(writer).output();
        let (code, text) = ended(&output.expect("it runs"));
        assert_eq!((code, text.as_str()), (status, ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_makes_a_success_a_failure_and_leaves_a_failure_as_it_is() {
    let fixture = workshop();
    for (arguments, status) in COMMANDS {
        let full = File::options().write(true).open("/dev/full");
        let output = command(&fixture, arguments)
            .stdout(full.expect("there is one"))
            .output();
        let (code, text) = ended(&output.expect("it runs"));
        let expected = if status == 0 { 6 } else { status };
        assert_eq!(code, expected, "{arguments:?}: {text}");
        assert_eq!(
            text,
            "cannot write standard output: No space left on device (os error 28); free some space, or write to another disk\n",
            "{arguments:?}"
        );
    }
}

/// Then only the exit status can report it.
#[test]
fn standard_error_may_be_full_as_well() {
    let fixture = workshop();
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there")
    };
    for (arguments, expected) in [
        (&["list"][..], 6),
        (&["check", "01"], 1),
        (&["check", "9"], 2),
    ] {
        let status = command(&fixture, arguments)
            .stdout(full())
            .stderr(full())
            .status();
        assert_eq!(
            status.expect("it runs").code(),
            Some(expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_junit_file_on_a_full_disk() {
    let fixture = workshop();
    let check = |number: &str| {
        let output = command(&fixture, &["check", number, "--junit", "/dev/full"]).output();
        ended(&output.expect("it runs"))
    };
    let message = "cannot write /dev/full: No space left on device (os error 28); free some space, or write to another disk\n";
    assert_eq!(check("01"), (1, message.to_owned()));
    assert_eq!(check("02"), (6, message.to_owned()));
}

/// The shell's `ulimit -f`, in blocks of 512 bytes: the kernel ends a process that exceeds it, unless the process handles that.
#[test]
fn a_limit_on_the_size_of_files() {
    let fixture = workshop();
    // This builds everything.
    fixture.run(&["check", "--all"]);
    let limited = |arguments: &[&str]| {
        let unlimited = command(&fixture, arguments);
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\" >>\"$OUT\""]);
        limited
            .arg(unlimited.get_program())
            .args(unlimited.get_args());
        for (name, value) in unlimited.get_envs() {
            limited.env(name, value.unwrap_or_default());
        }
        let out = fixture.path("out");
        fs::write(&out, [b'x'; 500]).expect("there is room");
        ended(&limited.env("OUT", out).output().expect("it runs"))
    };
    let message = "cannot write standard output: File too large (os error 27); raise the limit: ulimit -f unlimited\n";
    assert_eq!(limited(&["completions", "bash"]), (6, message.to_owned()));
    assert_eq!(limited(&["list"]), (6, message.to_owned()));
}

/// A file that contains anything of the user's.
#[test]
fn only_what_the_lab_wrote_is_replaced() {
    let fixture = workshop();
    fixture.write("mine.xml", "something of mine");
    let mine = fixture.path("mine.xml").display().to_string();
    let said = fixture.says(&["check", "02", "--junit", &mine]);
    assert_eq!(
        said,
        "standard error:\nCLONE/mine.xml exists, and the lab did not write it; name another file, or replace it with --force\n\
         exit status 2"
    );
    assert_eq!(fixture.read("mine.xml"), "something of mine");
    for arguments in [&["--force"][..], &[]] {
        let check = [&["check", "02", "--junit", &mine], arguments].concat();
        let said = fixture.says(&check);
        assert!(said.ends_with("exit status 0"), "{said}");
        assert!(fixture.read("mine.xml").contains("<testsuites"));
    }
}

/// Nothing of the lab is on a disk that a check fills: the verdict comes, but what is kept for later is missing.
#[test]
fn a_clone_on_a_full_disk() {
    let fixture = workshop();
    fixture.run(&["check", "--all"]);
    let check = |number: &str| {
        let plain = command(&fixture, &["check", number]);
        // A mount that only this process sees; all build results are copied onto it before it is full.
        let script = "mount -t tmpfs -o size=600m none \"$CLONE\" && cp -a \"$COPY/.\" \"$CLONE\" && rm -f \"$CLONE\"/progress.toml && \
            { cat /dev/zero > \"$CLONE/rest\" 2>/dev/null; exec \"$0\" \"$@\"; }";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let copy = tempfile::tempdir().expect("a directory");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(fixture.path("."))
            .arg(copy.path())
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "cp works");
        command
            .env("CLONE", fixture.root())
            .env("COPY", copy.path());
        ended(&command.output().expect("unshare runs"))
    };
    let is_told =
        |text: &str| text.contains("No space left on device") && !text.contains("LAB BROKEN");
    let (code, text) = check("01");
    assert_eq!(code, 1, "{text}");
    assert!(is_told(&text), "{text}");
    let (code, text) = check("02");
    assert_eq!(code, 6, "{text}");
    assert!(is_told(&text), "{text}");
    assert!(
        !Path::new(&fixture.path("rest")).exists(),
        "nobody else sees it"
    );
}

/// Compilers may need it; a check that is already built does not.
#[test]
fn a_full_directory_for_temporary_files() {
    let fixture = workshop();
    fixture.run(&["check", "--all"]);
    let folder = tempfile::tempdir().expect("a directory");
    let plain = command(&fixture, &["check", "01"]);
    let script = "mount -t tmpfs -o nr_inodes=1 none \"$TMPDIR\" && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.env("TMPDIR", folder.path()).output();
    let (code, text) = ended(&output.expect("unshare runs"));
    assert_eq!((code, text.as_str()), (1, ""));
}
