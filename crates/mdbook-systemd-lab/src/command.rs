//! mdBook's requests to a preprocessor, as arguments and on standard input: for this package's own program and for `cargo
//! workshop`.

use std::io::{Read, Write};

use crate::guide::preprocess;
use crate::protocol;

const USAGE: &str =
    "mdBook runs this program, as book.toml says; to read the book, type: cargo workshop book";

/// Carries out the request. `supports RENDERER`: whether the book is for this renderer. Without arguments: reads the book from
/// standard input, and writes it to standard output.
///
/// # Errors
///
/// What people must know: arguments that mdBook does not pass, a book that cannot be read, or everything that is wrong in it.
pub fn command(arguments: &[String]) -> Result<bool, String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["supports", renderer] => Ok(renderer == "html"),
        [] => {
            run()?;
            Ok(true)
        }
        _ => Err(USAGE.to_owned()),
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
