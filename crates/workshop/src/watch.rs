//! `watch`: checks again at each save, and reacts to single keys, even while a check runs.

mod files;
mod work;

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use crate::keys::{CTRL_C, CTRL_D, Key, Keys};
use crate::progress::Progress;
use crate::{check, hint, reset, shell, status, voice};
use exercise_check::stage::Stage;
use files::Files;
use stages::exercises::Workshop;
use systemd_lab_cli::say;
use systemd_lab_cli::{WrongUsage, output, style, terminal};
use work::Check;

pub(crate) use work::run as run_command;

/// A person who saves does not notice a tenth of a second.
const LOOK: Duration = Duration::from_millis(100);

/// What the person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Check,
    Hint,
    Guide,
    Timeline,
    Diff,
    Next,
    List,
    Shell,
    Reset,
    Quit,
}

/// Each key, what it stands for, and its label in the line below: the key is marked.
const KEYS: [(char, Wish, &str); 10] = [
    ('r', Wish::Check, "un"),
    ('h', Wish::Hint, "int"),
    ('g', Wish::Guide, "uide"),
    ('t', Wish::Timeline, "imeline"),
    ('d', Wish::Diff, "iff"),
    ('s', Wish::Shell, "hell"),
    ('n', Wish::Next, "ext"),
    ('l', Wish::List, "ist"),
    ('x', Wish::Reset, " reset"),
    ('q', Wish::Quit, "uit"),
];

/// Runs until the person quits. Returns the exit status of the last check that finished, or 1.
pub(crate) fn run(workshop: &Workshop, number: Option<&str>) -> anyhow::Result<u8> {
    if !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(WrongUsage(
            "watch needs a terminal to show things and read keys; elsewhere, type: cargo workshop check".to_owned(),
        )
        .into());
    }
    let mut exercise = check::open_progress(workshop, false)?.chosen(workshop, number)?;
    // It may ask for a password, which a check in the background cannot do. The check reports what is wrong.
    let _ = systemd_lab::Lab::open();
    voice::name_keys();
    let mut keys = Keys::begin()?;
    let mut wish = Wish::Check;
    let mut last = 1;
    // The files when the last check began: a save after that is checked, even while something else goes on.
    let mut checked = Files::of(workshop, exercise);
    while wish != Wish::Quit && !output::is_unseen() {
        terminal::clear();
        match wish {
            Wish::Check => {
                checked = Files::of(workshop, exercise);
                match checks(&keys, workshop, exercise, &checked)? {
                    Checked::Ended(status) => last = status,
                    Checked::Interrupted(other) => {
                        wish = other;
                        continue;
                    }
                }
            }
            Wish::Hint => hint::run(workshop, exercise, None)?,
            Wish::Guide => {
                keys = keys.lent(|| work::run(workshop, &["guide", &exercise.number]))?;
            }
            Wish::Timeline => work::run(workshop, &["timeline", &exercise.number])?,
            Wish::Diff => work::run(workshop, &["diff", &exercise.number])?,
            Wish::List => status::list(workshop, &known(workshop)?)?,
            Wish::Next => {
                let progress = known(workshop)?;
                status::next(workshop, &progress)?;
                exercise = progress.current(workshop).unwrap_or(exercise);
                checked = Files::of(workshop, exercise);
            }
            Wish::Shell => {
                keys = keys.lent(|| shell::run(workshop, exercise, None).map(|_| ()))?;
            }
            Wish::Reset => {
                if keys.agree(&reset::question(exercise))? {
                    work::run(workshop, &["reset", &exercise.number])?;
                }
            }
            Wish::Quit => {}
        }
        footer(exercise);
        wish = wait(&keys, workshop, exercise, &checked)?;
    }
    Ok(last)
}

fn known(workshop: &Workshop) -> anyhow::Result<Progress> {
    check::open_progress(workshop, false)
}

/// How a check ended.
enum Checked {
    /// With this exit status.
    Ended(u8),
    /// The person asked for something else, and the check was stopped.
    Interrupted(Wish),
}

/// Checks until the check has ended, a key is pressed or a file is saved.
fn checks(
    keys: &Keys,
    workshop: &Workshop,
    exercise: &Stage,
    begun: &Files,
) -> anyhow::Result<Checked> {
    let mut check = Check::begin(workshop, exercise)?;
    let mut before = begun.clone();
    loop {
        if let Some(status) = check.ended()? {
            let status = status.and_then(|status| u8::try_from(status).ok());
            return Ok(Checked::Ended(status.unwrap_or(1)));
        }
        if let Some(wish) = keys.wait(LOOK)?.and_then(wish) {
            return Ok(Checked::Interrupted(wish));
        }
        let now = Files::of(workshop, exercise);
        if now != *begun && now == before {
            return Ok(Checked::Interrupted(Wish::Check));
        }
        before = now;
    }
}

/// Waits for a key, or until a file is saved.
fn wait(
    keys: &Keys,
    workshop: &Workshop,
    exercise: &Stage,
    checked: &Files,
) -> anyhow::Result<Wish> {
    let mut before = Files::of(workshop, exercise);
    loop {
        if let Some(wish) = keys.wait(LOOK)?.and_then(wish) {
            return Ok(wish);
        }
        let now = Files::of(workshop, exercise);
        // An editor saves in several steps, and people save several files: wait until they have finished.
        if now != *checked && now == before {
            return Ok(Wish::Check);
        }
        before = now;
    }
}

/// What a key asks for.
fn wish(key: Key) -> Option<Wish> {
    match key {
        Key::Char('\n' | '\r' | ' ') => Some(Wish::Check),
        CTRL_C | CTRL_D => Some(Wish::Quit),
        key => {
            let mut keys = KEYS.iter();
            let found = keys.find(|(it, ..)| Key::Char(*it) == key);
            found.map(|(_, wish, _)| *wish)
        }
    }
}

fn footer(exercise: &Stage) {
    let keys = KEYS.map(|(key, _, rest)| format!("{}{rest}", style::strong(format!("[{key}]"))));
    say!(
        "\n{}\n{}",
        style::faint(format!(
            "Watching exercises/{} and units/{}*",
            exercise.folder(),
            exercise.package()
        )),
        keys.join(" ")
    );
}
