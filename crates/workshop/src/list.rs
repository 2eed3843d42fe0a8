//! `list`: all exercises. On a terminal, arrow keys choose one of them, and other keys open, explain or reset it.

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use crate::keys::{CTRL_C, CTRL_D, Key, Keys};
use crate::progress::Progress;
use crate::{check, hint, reset, status, voice, watch};
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use systemd_lab_cli::say;
use systemd_lab_cli::{output, style, terminal};

/// How long one wait for a key lasts. A key ends it at once.
const LOOK: Duration = Duration::from_secs(1);

/// Shown before the chosen exercise.
const CURSOR: &str = "›";

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print the list and end, also on a terminal.
    #[arg(long)]
    plain: bool,
}

/// The action that a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Up,
    Down,
    Watch,
    Guide,
    Hint,
    Timeline,
    Diff,
    Reset,
    Quit,
}

/// Keys that are letters, each with its action.
const LETTERS: [(char, Action); 10] = [
    ('k', Action::Up),
    ('j', Action::Down),
    ('w', Action::Watch),
    ('\n', Action::Watch),
    ('g', Action::Guide),
    ('h', Action::Hint),
    ('t', Action::Timeline),
    ('d', Action::Diff),
    ('x', Action::Reset),
    ('q', Action::Quit),
];

/// The line that explains the keys: each key, and the rest of its word.
const NAMED: [(&str, &str); 8] = [
    ("[↑↓]", " move"),
    ("[Enter]", " watch"),
    ("[g]", "uide"),
    ("[h]", "int"),
    ("[t]", "imeline"),
    ("[d]", "iff"),
    ("[x]", " reset"),
    ("[q]", "uit"),
];

/// Prints the list, or lets a person choose until they quit.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<()> {
    let progress = check::open_progress(workshop, false)?;
    let is_for_keys = stdin().is_terminal() && stdout().is_terminal();
    if arguments.plain || !is_for_keys || workshop.exercises.is_empty() {
        return status::list(workshop, &progress);
    }
    voice::name_keys();
    let last = workshop.exercises.len() - 1;
    let current = progress.current(workshop).map(|it| &it.number);
    let mut exercises = workshop.exercises.iter();
    let mut chosen = exercises
        .position(|it| Some(&it.number) == current)
        .unwrap_or(last);
    let mut keys = Keys::begin()?;
    while !output::is_unseen() {
        let exercise = &workshop.exercises[chosen];
        show(workshop, chosen)?;
        let mut asked = action(&keys)?;
        // The last output stays until the next key, which may ask for something else about the same exercise.
        while let Some(action) = asked {
            match action {
                Action::Quit => return Ok(()),
                Action::Up => chosen = chosen.saturating_sub(1),
                Action::Down => chosen = (chosen + 1).min(last),
                action => keys = perform(action, keys, workshop, exercise)?,
            }
            let leaves_something = !matches!(action, Action::Up | Action::Down | Action::Watch);
            asked = match leaves_something && !output::is_unseen() {
                true => {
                    say!("\n{} back to the list", style::strong("[any other key]"));
                    self::action(&keys)?
                }
                false => None,
            };
        }
    }
    Ok(())
}

/// Draws the list, and describes the chosen exercise.
fn show(workshop: &Workshop, chosen: usize) -> anyhow::Result<()> {
    terminal::clear();
    let progress = known(workshop)?;
    say!("{}\n", style::strong("Service Resilience with systemd"));
    for (index, line) in status::lines(workshop, &progress)?.iter().enumerate() {
        match index == chosen {
            true => say!("{} {line}", style::strong(CURSOR)),
            false => say!("  {line}"),
        }
    }
    say!();
    let exercise = &workshop.exercises[chosen];
    status::task(workshop, exercise)?;
    status::last_check(&progress, exercise);
    let keys = NAMED.map(|(key, rest)| format!("{}{rest}", style::strong(key)));
    say!("{}", keys.join(" "));
    output::flush();
    Ok(())
}

/// Carries the action out on a separate screen.
fn perform(
    action: Action,
    keys: Keys,
    workshop: &Workshop,
    exercise: &Stage,
) -> anyhow::Result<Keys> {
    terminal::clear();
    let number = exercise.number.as_str();
    let run = |command: &str| watch::run_command(workshop, &[command, number]);
    match action {
        Action::Watch => {
            return keys.lent(|| watch::run(workshop, Some(number)).map(|_| ()));
        }
        // These may open a pager, which reads keys itself.
        Action::Guide => return keys.lent(|| run("guide")),
        Action::Timeline => return keys.lent(|| run("timeline")),
        Action::Diff => return keys.lent(|| run("diff")),
        Action::Hint => hint::run(workshop, exercise, None)?,
        Action::Reset => {
            if keys.agree(&reset::question(exercise))? {
                run("reset")?;
            }
        }
        Action::Up | Action::Down | Action::Quit => {}
    }
    Ok(keys)
}

/// The action of the next key; `None` for a key without a meaning.
fn action(keys: &Keys) -> anyhow::Result<Option<Action>> {
    loop {
        let Some(key) = keys.wait(LOOK)? else {
            continue;
        };
        return Ok(match key {
            Key::Up => Some(Action::Up),
            Key::Down => Some(Action::Down),
            CTRL_C | CTRL_D => Some(Action::Quit),
            key => {
                let mut letters = LETTERS.iter();
                let found = letters.find(|(it, _)| Key::Char(*it) == key);
                found.map(|(_, action)| *action)
            }
        });
    }
}

fn known(workshop: &Workshop) -> anyhow::Result<Progress> {
    check::open_progress(workshop, false)
}
