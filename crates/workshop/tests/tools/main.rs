//! The commands around the exercises: doctor, image, book, completions; and the editors' settings.
//!
//! To see what changed: `INSTA_OUTPUT=diff`. To accept it: `INSTA_UPDATE=always`, then read each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

mod book;
mod completions;
mod doctor;
mod editors;
mod guide;
mod image;
mod matrix;
mod promises;
mod prose;
mod room;
#[path = "../fixture/starters.rs"]
mod starters;

/// A workshop with two exercises that are never built.
fn workshop() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for folder in ["exercises/01-alpha", "exercises/12-beta", "crates/workshop"] {
        fs::create_dir_all(root.path().join(folder)).expect("a folder");
    }
    root
}

/// The command in this workshop, without the environment's own flags and cache.
fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("workshop"));
    command
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", root.join("crates/workshop"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    command
}

/// Standard output, then standard error, then the exit status; directories get fixed names.
fn shown(output: &Output, names: &[(&Path, &str)]) -> String {
    let text = format!(
        "{}{}exit status {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code().expect("it ends by itself")
    );
    names.iter().fold(text, |text, (own, shown)| {
        text.replace(&own.display().to_string(), shown)
    })
}

fn assert_text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The folder of the repository.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this package lies in crates/")
        .to_owned()
}
