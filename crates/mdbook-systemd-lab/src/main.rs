//! `mdbook-systemd-lab`: mdBook runs it before it makes the book. `supports html` says that it is for HTML; without
//! arguments it reads the book from standard input and writes it to standard output.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::process::ExitCode;

use mdbook_systemd_lab::{preprocess, protocol};

const USAGE: &str =
    "mdBook runs this program, as book.toml says; to read the book, type: cargo workshop book";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["supports", "html"] => ExitCode::SUCCESS,
        ["supports", _] => ExitCode::FAILURE,
        [] => match run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(complaint) => {
                eprintln!("{complaint}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the book from standard input: {error}"))?;
    let (site, mut book) = protocol::parse(&text).map_err(|error| error.to_string())?;
    preprocess(&site, &mut book).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    std::io::stdout()
        .write_all(book.to_json().as_bytes())
        .map_err(|error| format!("cannot write the book to standard output: {error}"))
}
