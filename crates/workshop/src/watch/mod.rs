//! `watch`: checks again at each save, and does what single keys say.

mod files;
mod keys;

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use systemd_lab::check::Outcome;

use crate::exercises::{Exercise, Workshop};
use crate::output::{put, say};
use crate::progress::Progress;
use crate::{WrongUsage, check, hint, output, shell, status, style};
use files::Files;
use keys::{CTRL_C, CTRL_D, Keys};

/// A person who saves does not notice a tenth of a second.
const LOOK: Duration = Duration::from_millis(100);

/// Cursor to the upper left corner, then erase: ECMA-48, CUP and ED.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What is asked for.
enum Wish {
    Check,
    Hint,
    Next,
    List,
    Shell,
    Quit,
}

/// Runs until the person quits. Returns how the last check ended.
pub(crate) fn run(workshop: &Workshop, number: Option<&str>) -> anyhow::Result<Outcome> {
    if !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(WrongUsage(
            "watch needs a terminal to show things and read keys; elsewhere, type: cargo workshop check".to_owned(),
        )
        .into());
    }
    let mut exercise = check::open_progress(workshop, false)?.chosen(workshop, number)?;
    let mut wish = Wish::Check;
    let mut outcome = Outcome::NotYet;
    // As they were when the last check began: what is saved after that, also while something else goes on, is checked.
    let mut checked = Files::of(workshop, exercise);
    while !matches!(wish, Wish::Quit) && !output::is_unseen() {
        clear();
        match wish {
            Wish::Check => {
                checked = Files::of(workshop, exercise);
                outcome = check::shown(workshop, exercise)?.outcome;
            }
            Wish::Hint => hint::run(workshop, exercise)?,
            Wish::List => status::list(workshop, &known(workshop)?)?,
            Wish::Next => {
                let progress = known(workshop)?;
                status::next(workshop, &progress)?;
                exercise = progress.current(workshop).unwrap_or(exercise);
                checked = Files::of(workshop, exercise);
            }
            Wish::Shell => {
                shell::run(workshop, exercise, None)?;
            }
            Wish::Quit => {}
        }
        footer(exercise);
        wish = wait(workshop, exercise, &checked)?;
    }
    Ok(outcome)
}

fn known(workshop: &Workshop) -> anyhow::Result<Progress> {
    check::open_progress(workshop, false)
}

/// Waits for a key, or until a file is saved.
fn wait(workshop: &Workshop, exercise: &Exercise, checked: &Files) -> anyhow::Result<Wish> {
    let keys = Keys::begin()?;
    // What was typed before this could be read was meant for something else, unless it was meant to end all.
    while let Some(key) = keys.wait(Duration::ZERO)? {
        if is_way_out(key) {
            return Ok(Wish::Quit);
        }
    }
    let mut before = Files::of(workshop, exercise);
    loop {
        match keys.wait(LOOK)? {
            Some('r' | '\n' | '\r' | ' ') => return Ok(Wish::Check),
            Some('h') => return Ok(Wish::Hint),
            Some('n') => return Ok(Wish::Next),
            Some('l') => return Ok(Wish::List),
            Some('s') => return Ok(Wish::Shell),
            Some(key) if is_way_out(key) => return Ok(Wish::Quit),
            _ => {}
        }
        let now = Files::of(workshop, exercise);
        // An editor saves in several steps, and people save several files: wait until they are done.
        if now != *checked && now == before {
            return Ok(Wish::Check);
        }
        before = now;
    }
}

fn is_way_out(key: char) -> bool {
    matches!(key, 'q' | CTRL_C | CTRL_D)
}

fn footer(exercise: &Exercise) {
    let key = |key: &str, what: &str| format!("{}{what}", style::strong(format!("[{key}]")));
    say!(
        "\n{}\n{}",
        style::faint(format!(
            "Watching exercises/{} and units/{}*",
            exercise.folder(),
            exercise.package()
        )),
        [
            key("r", "un"),
            key("h", "int"),
            key("n", "ext"),
            key("l", "ist"),
            key("s", "hell"),
            key("q", "uit")
        ]
        .join("  ")
    );
}

fn clear() {
    put!("{CLEAR}");
    output::flush();
}
