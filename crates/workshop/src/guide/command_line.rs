//! Breaks a command of a page into lines that fit and that can still be pasted into a shell.

use textwrap::core::display_width;

use super::wrap::indented;

/// What the commands of the guide begin with. Other code is a file's content, or output.
const PROGRAMS: [&str; 5] = ["cargo", "systemd-lab", "systemd-run", "sudo", "tar"];

/// How much further in the command continues than it begins.
const CONTINUED: &str = "    ";

/// What tells a shell that the command goes on.
const GOES_ON: &str = " \\";

/// Whether this line goes on in the next one.
pub(super) fn goes_on(line: &str) -> bool {
    line.ends_with('\\')
}

/// Whether a command begins here, perhaps with variables.
pub(super) fn begins(line: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_variable = |word: &&str| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let mut words = line.split(' ').skip_while(is_variable);
    words.next().is_some_and(|word| PROGRAMS.contains(&word))
}

/// A command, or a line of one, as lines of at most this width. A comment that does not fit comes first.
pub(super) fn broken(line: &str, width: usize) -> Vec<String> {
    if display_width(line) <= width {
        return vec![line.to_owned()];
    }
    let Some((command, comment)) = line.split_once(" # ") else {
        return continued(line, width);
    };
    let mut lines = indented(comment.trim(), width, "# ", "# ");
    lines.extend(continued(command.trim_end(), width));
    lines
}

fn continued(command: &str, width: usize) -> Vec<String> {
    let indent = &command[..command.len() - command.trim_start().len()];
    let room = indent.len().max(CONTINUED.len()) + GOES_ON.len();
    let mut lines = Vec::new();
    let mut line = String::new();
    let parts = parts(&words(command.trim_start()), width.saturating_sub(room));
    for word in parts {
        let stays = line.is_empty() || word == "\\";
        if !stays && display_width(&line) + 1 + display_width(&word) + GOES_ON.len() > width {
            line += GOES_ON;
            lines.push(std::mem::take(&mut line));
        }
        line += match (line.is_empty(), lines.is_empty()) {
            (true, true) => indent,
            (true, false) if indent.is_empty() => CONTINUED,
            (true, false) => indent,
            (false, _) => " ",
        };
        line += &word;
    }
    lines.push(line);
    lines
}

/// What stays on one line: a word, or an option with its values if they fit.
fn parts(words: &[&str], width: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in words {
        match parts.last_mut() {
            Some(part)
                if part.starts_with('-')
                    && !word.starts_with(['-', '\\'])
                    && display_width(part) + 1 + display_width(word) <= width =>
            {
                *part += " ";
                *part += word;
            }
            _ => parts.push((*word).to_owned()),
        }
    }
    parts
}

/// The words of a command, with their quotes.
fn words(command: &str) -> Vec<&str> {
    let mut quote = None;
    let is_end = |c: char| {
        match quote {
            Some(open) if open == c => quote = None,
            None if "'\"".contains(c) => quote = Some(c),
            _ => {}
        }
        c == ' ' && quote.is_none()
    };
    command.split(is_end).filter(|it| !it.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_on_after_a_backslash() {
        assert_eq!(
            broken(
                "systemd-lab run --unit a.service --require 'recovery <= 10s' --for 1h",
                40
            ),
            [
                "systemd-lab run --unit a.service \\",
                "    --require 'recovery <= 10s' \\",
                "    --for 1h"
            ]
        );
        // A line that goes on already keeps its indentation and its end.
        assert_eq!(
            broken("    --file a:/a --file b:/b \\", 24),
            ["    --file a:/a \\", "    --file b:/b \\"]
        );
        // Options keep their values as long as they fit. A word that is too long stays whole.
        assert_eq!(
            broken("cargo run --package x", 16),
            ["cargo run \\", "    --package \\", "    x"]
        );
    }

    #[test]
    fn a_comment_that_does_not_fit_comes_first() {
        assert_eq!(
            broken(
                "cargo workshop watch 01        # checks at each save; or once: cargo workshop check 01",
                40
            ),
            [
                "# checks at each save; or once: cargo",
                "# workshop check 01",
                "cargo workshop watch 01"
            ]
        );
    }

    #[test]
    fn commands_are_not_mistaken_for_other_code() {
        assert!(begins("cargo workshop check 01"));
        assert!(begins(
            "SYSTEMD_LAB_MIRROR=https://mirror.example.org/debian cargo workshop run"
        ));
        for other in [
            "[Service]",
            "ExecStart=/usr/bin/cargo run",
            "customers --> cargo",
            "",
        ] {
            assert!(!begins(other), "{other}");
        }
        assert!(goes_on("cargo run \\") && !goes_on("cargo run"));
    }
}
