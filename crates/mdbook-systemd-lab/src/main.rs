//! `mdbook-systemd-lab`: mdBook runs it before it builds the book. `supports html` says that it supports HTML;
//! without arguments it reads the book from standard input and writes it to standard output.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match mdbook_systemd_lab::command(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}
