//! `cargo workshop completions`: makes Tab work after `cargo workshop`.
//!
//! clap_complete writes completions for a command `workshop`, which no one types. For each shell, a hook next to
//! this file passes on what follows `cargo workshop`, and leaves everything else to cargo's own completion.

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use exercise_check::Outcome;

use stages::exercises::Workshop;
use systemd_lab_cli::output;

/// The command's name in the generated text; the hooks use it.
const NAME: &str = "workshop";

/// Arguments with this name are numbers of exercises.
const EXERCISE: &str = "exercise";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell that reads it.
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the completions of this command line; their first line says how to load them.
pub(crate) fn run(
    workshop: &Workshop,
    arguments: &Arguments,
    command: clap::Command,
) -> anyhow::Result<Outcome> {
    let mut text = Vec::new();
    let command = with_numbers(command, workshop);
    arguments.shell.write(command, &mut text);
    output::document(&String::from_utf8_lossy(&text));
    Ok(Outcome::Passed)
}

impl Shell {
    fn write(self, mut command: clap::Command, out: &mut Vec<u8>) {
        let (load, hook) = match self {
            Shell::Bash => (
                "source <(cargo workshop completions bash)",
                include_str!("completions/hook.bash"),
            ),
            Shell::Zsh => (
                "source <(cargo workshop completions zsh)",
                include_str!("completions/hook.zsh"),
            ),
            Shell::Fish => (
                "cargo workshop completions fish | source",
                include_str!("completions/hook.fish"),
            ),
        };
        out.extend(format!("# To load this, inside the workshop's clone: {load}\n").bytes());
        let generator = match self {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        clap_complete::generate(generator, &mut command, NAME, out);
        if let Shell::Fish = self {
            out.extend(values_for_fish(&command).bytes());
        }
        out.extend(hook.bytes());
    }
}

/// What clap_complete omits for fish: the possible values of an argument without a flag.
fn values_for_fish(command: &clap::Command) -> String {
    let mut lines = String::new();
    for subcommand in command.get_subcommands() {
        for argument in subcommand.get_positionals() {
            let values: Vec<String> = argument
                .get_possible_values()
                .iter()
                .map(|value| value.get_name().to_owned())
                .collect();
            if !values.is_empty() {
                lines += &format!(
                    "complete -c {NAME} -n \"__fish_{NAME}_using_subcommand {}\" -f -a \"{}\"\n",
                    subcommand.get_name(),
                    values.join(" ")
                );
            }
        }
    }
    lines
}

/// The command line, with the exercises of this clone.
fn with_numbers(command: clap::Command, workshop: &Workshop) -> clap::Command {
    let numbers: Vec<String> = workshop
        .exercises
        .iter()
        .map(|exercise| exercise.number.clone())
        .collect();
    command.mut_subcommands(|subcommand| {
        let takes_one = subcommand
            .get_arguments()
            .any(|argument| argument.get_id() == EXERCISE);
        if !takes_one {
            return subcommand;
        }
        let parser = PossibleValuesParser::new(numbers.clone());
        subcommand.mut_arg(EXERCISE, |argument| argument.value_parser(parser))
    })
}
