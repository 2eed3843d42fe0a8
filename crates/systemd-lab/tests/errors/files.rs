//! Files that cannot go into the guest, or would be useless there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use systemd_lab::GuestFile;
use systemd_lab::protocol::Scenario;
use systemd_lab::protocol::job::JOB_MEMORY_SIZE;

use crate::assert_text;
use crate::support::{answer, child_process, lab};

/// A program on the host that is linked dynamically, like most programs.
const DYNAMIC: &str = "/usr/bin/true";

/// The error for a program on the host.
fn error_of(host: impl Into<PathBuf>) -> String {
    let files = [GuestFile::program("/usr/local/bin/program", host)];
    match lab().run(&Scenario::new("none"), &files) {
        Ok(_) => panic!("it ran"),
        Err(error) => error.to_string(),
    }
}

/// Checks the error for these bytes as a program.
fn error_of_bytes(name: &str, bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("program");
    fs::write(&file, bytes).expect("it can be written");
    assert_text(name, &error_of(&file), &[(directory.path(), "[DIR]")]);
}

fn test_service() -> Vec<u8> {
    fs::read(env!("CARGO_BIN_EXE_systemd-lab-test-service")).expect("cargo has built it")
}

/// Offsets in the header of an ELF file: elf(5).
const E_MACHINE: usize = 18;
const E_PHOFF: usize = 32;
const EM_AARCH64: u8 = 183;

#[test]
fn a_dynamic_binary() {
    let cache = std::env::var("SYSTEMD_LAB_CACHE").ok();
    let order = |flags: Option<&str>| {
        lab();
        let mut command = child_process("run-dynamic", cache.as_deref().unwrap_or_default());
        command
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.envs(flags.map(|flags| ("RUSTFLAGS", flags)));
        answer(&mut command)
    };
    assert_text("dynamic_binary", &order(None), &[]);
    assert_text(
        "dynamic_binary_with_flags_of_ones_own",
        &order(Some("-Ctarget-cpu=native")),
        &[],
    );
    assert!(error_of(DYNAMIC).contains("linked dynamically"));
}

#[test]
fn a_binary_for_another_machine() {
    let mut bytes = test_service();
    bytes[E_MACHINE] = EM_AARCH64;
    error_of_bytes("other_machine", &bytes);
}

#[test]
fn damaged_binaries() {
    let whole = test_service();
    let mut far_away = whole.clone();
    far_away[E_PHOFF..E_PHOFF + 8].fill(0xff);
    let cut_off = &whole[..whole.len() / 8];
    for (what, bytes) in [
        ("damaged_elf", cut_off),
        ("damaged_elf", &far_away),
        ("damaged_elf_header", &whole[..30]),
    ] {
        error_of_bytes(what, bytes);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().expect("it can be made");
    let shown: [(&Path, &str); 1] = [(directory.path(), "[DIR]")];
    assert_text(
        "missing_file",
        &error_of(directory.path().join("none")),
        &shown,
    );
    assert_text("a_directory", &error_of(directory.path()), &shown);
    let link = directory.path().join("link");
    symlink("link", &link).expect("it can be linked");
    assert_text("a_link_to_itself", &error_of(link), &shown);
}

#[test]
fn more_files_than_fit() {
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("large");
    fs::write(&file, vec![b'x'; JOB_MEMORY_SIZE]).expect("it can be written");
    assert_text("too_large", &error_of(file), &[]);
}
