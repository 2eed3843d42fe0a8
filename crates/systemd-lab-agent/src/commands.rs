//! Commands in the background, for [`systemd_lab_protocol::Step::RunInBackground`]: each runs on a thread of its own. They
//! never wake the agent.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use std::{io, thread};

use systemd_lab_protocol::{Event, EventKind};

use crate::command;
use crate::recorder::own_event;

/// All commands of a scenario.
pub struct Commands {
    /// The commands whose outcome has not arrived yet.
    running: Vec<(u64, Vec<String>)>,
    /// How many commands have been started.
    begun: u64,
    finished: Receiver<(u64, Event)>,
    finisher: Sender<(u64, Event)>,
}

impl Default for Commands {
    fn default() -> Commands {
        let (finisher, finished) = mpsc::channel();
        Commands {
            running: Vec::new(),
            begun: 0,
            finished,
            finisher,
        }
    }
}

impl Commands {
    /// Starts a command.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn begin(&mut self, argv: &[String], deadline: Duration) -> io::Result<()> {
        let (id, finisher) = (self.begun, self.finisher.clone());
        let own_argv = argv.to_vec();
        thread::Builder::new().spawn(move || {
            // The receiver is gone once the scenario has ended.
            let _ = finisher.send((id, own_event(None, outcome(own_argv, deadline))));
        })?;
        self.begun += 1;
        self.running.push((id, argv.to_vec()));
        Ok(())
    }

    /// The outcomes that have arrived since the last call.
    pub fn take_finished(&mut self) -> Vec<Event> {
        let finished: Vec<(u64, Event)> = self.finished.try_iter().collect();
        self.running
            .retain(|(id, _)| finished.iter().all(|(finished, _)| finished != id));
        finished.into_iter().map(|(_, event)| event).collect()
    }

    /// The outcomes that have arrived since the last call, and the commands that are still running.
    pub fn end(&mut self) -> Vec<Event> {
        let mut events = self.take_finished();
        let cut_off = self.running.drain(..);
        events.extend(cut_off.map(|(_, argv)| own_event(None, EventKind::CommandCutOff { argv })));
        events
    }
}

fn outcome(argv: Vec<String>, deadline: Duration) -> EventKind {
    let (status, output) = match command::run(&argv, deadline) {
        Ok(finished) => (finished.status, finished.output),
        // As in a shell: 127 if the program does not exist, or if it cannot be run for another reason.
        Err(error) => (127, error.to_string()),
    };
    EventKind::Command {
        argv,
        status,
        output,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn each_command_ends_or_is_cut_off() {
        let shell = |script: &str| ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let mut commands = Commands::default();
        commands
            .begin(&shell("exec sleep 5"), LONG)
            .expect("there are threads");
        commands
            .begin(&shell("echo hello; exit 3"), LONG)
            .expect("there are threads");
        let began = Instant::now();
        let mut finished = Vec::new();
        while finished.is_empty() {
            assert!(began.elapsed() < LONG, "in vain");
            finished = commands.take_finished();
            thread::yield_now();
        }
        let [
            Event {
                kind:
                    EventKind::Command {
                        status: 3, output, ..
                    },
                ..
            },
        ] = &finished[..]
        else {
            panic!("{finished:?}");
        };
        assert_eq!(output, "hello\n");
        let left = commands.end();
        assert!(
            matches!(&left[..], [Event { kind: EventKind::CommandCutOff { argv }, .. }] if argv[2].contains("sleep"))
        );
    }
}
