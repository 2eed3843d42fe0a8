//! Rules about commands: which of several failed, failures that are ignored, and commands of a stop or a reload that end the
//! service.

use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule, SOON};
use crate::findings::{Harm, Place};
use crate::names::{exit_status, signal_name};
use crate::unit_file::COMMANDS;
use crate::view::MAIN;

/// The values of `Restart=` that apply only to failures: systemd.service(5).
const ON_FAILURES: [&str; 4] = ["on-failure", "on-abnormal", "on-abort", "on-watchdog"];

/// SIGHUP, SIGINT, SIGPIPE and SIGTERM: a service that one of these ends has not failed: systemd.service(5), "SuccessExitStatus=".
const CLEAN_SIGNALS: [i32; 4] = [1, 2, 13, 15];

/// Prefixes that a command may have: systemd.service(5), "Command lines".
const PREFIXES: [char; 6] = ['@', '-', ':', '+', '!', '|'];

/// The state in which `ExecStop=` runs, before systemd sends any signal.
const STOP_COMMANDS: &str = "stop";

/// States in which a reload runs: `ExecReload=`, and the signal of `Type=notify-reload`.
const RELOADING: [&str; 3] = ["reload", "reload-signal", "reload-notify"];

/// A signal that ExecReload= sends takes effect within this time after the command has ended.
const AFTER: Duration = Duration::from_millis(200);

/// systemd's words when `RestartPreventExitStatus=` decided.
const PREVENTED: &str = "(prevented by exit status)";

/// Commands whose failure counts as the unit's, although the service itself runs or has exited successfully.
const AFTER_THE_START: [&str; 3] = ["ExecStartPost", "ExecStop", "ExecStopPost"];

/// Words that a shell acts on and that no program accepts.
const SHELL_WORDS: [&str; 8] = ["&&", "||", "|", "&", ">", ">>", "2>&1", "2>"];

/// The text without what is in quotes.
fn without_quotes(text: &str) -> String {
    let mut quote = None;
    let outside = text.chars().filter(|c| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (Some(open), c) => {
            if open == *c {
                quote = None;
            }
            false
        }
        (None, _) => true,
    });
    outside.collect()
}

/// A main process that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct MainExit<'a> {
    pub(super) at: Duration,
    /// Which command of `ExecStart=` it was, counted from 0 in each start.
    command: usize,
    code: &'a str,
    status: i32,
    /// The unit's state at that time.
    state: &'a str,
    /// Whether a reload was in progress, or had just ended.
    is_in_reload: bool,
}

impl MainExit<'_> {
    /// `status 78/CONFIG`, or the signal's name.
    fn text(&self) -> String {
        match self.code {
            "exited" => format!("status {}", exit_status(self.status)),
            _ => signal_name(self.status),
        }
    }

    fn is_clean(&self) -> bool {
        is_clean(self.code, self.status)
    }
}

/// Whether a process that ends like this has not failed, whatever the unit file says.
pub(super) fn is_clean(code: &str, status: i32) -> bool {
    match code {
        "exited" => status == 0,
        "killed" => CLEAN_SIGNALS.contains(&status),
        _ => false,
    }
}

impl<'a> Look<'a> {
    /// The main processes that have ended, in order.
    pub(super) fn main_exits(&self) -> Vec<MainExit<'a>> {
        let (mut state, mut command) = ("dead", 0);
        let mut reloaded = None;
        let mut exits = Vec::new();
        for event in self.events() {
            match &event.kind {
                EventKind::StateChanged { from, to } => {
                    state = to;
                    if RELOADING.contains(&from.as_str()) {
                        reloaded = Some(self.timeline.time_of(event));
                    }
                    if to == "start" || to == "running" {
                        command = 0;
                    }
                }
                EventKind::ProcessExited {
                    role, code, status, ..
                } if role == MAIN => {
                    let at = self.timeline.time_of(event);
                    // A signal may take effect after the command that sent it has exited.
                    let is_signalled = code != "exited" && state == "running";
                    let is_just_over = is_signalled && reloaded.is_some_and(|it| at < it + AFTER);
                    exits.push(MainExit {
                        at,
                        command,
                        code,
                        status: *status,
                        state,
                        is_in_reload: RELOADING.contains(&state) || is_just_over,
                    });
                    command += 1;
                }
                _ => {}
            }
        }
        exits
    }

    /// How many commands `ExecStart=` has, and whether the failure of this one is ignored: org.freedesktop.systemd1(5).
    fn commands(&self, index: usize) -> Option<(usize, bool)> {
        let commands = self.timeline.property(self.unit, "ExecStart")?.as_array()?;
        let is_ignored = commands.get(index)?.get(2)?.as_bool()?;
        Some((commands.len(), is_ignored))
    }

    /// The line of this command of `ExecStart=`, if each line has one.
    fn line_of_command(&self, index: usize) -> Option<Place> {
        let (count, _) = self.commands(index)?;
        let mut lines = self.sources.lines(self.unit, "ExecStart");
        (lines.len() == count).then(|| lines.swap_remove(index))
    }

    /// The line of the command whose main process ended at that time.
    pub(super) fn line_of_main(&self, at: Duration) -> Option<Place> {
        let exits = self.main_exits();
        let exit = exits.iter().find(|exit| exit.at == at)?;
        self.line_of_command(exit.command)
    }

    /// The line of a control process that systemd names like `ExecStartPre=/usr/bin/mkdir /x`.
    pub(super) fn line_of_control(&self, command: &str) -> Option<Place> {
        let (setting, command) = command.split_once('=')?;
        let words = |text: &str| {
            let words = text.split_whitespace();
            words
                .map(|word| word.replace(['"', '\'', '\\'], ""))
                .collect::<Vec<String>>()
        };
        let wanted = words(command);
        self.sources.setting_with(self.unit, setting, |value| {
            words(value.trim_start_matches(PREFIXES)) == wanted
        })
    }

    /// systemd.service(5), "Command lines": `-` turns a failure into a success. A service without a `Restart=` for failures may do
    /// so on purpose, as getty and sshd do for each connection.
    pub(super) fn failure_ignored(&self) -> Option<Finding> {
        let restart = self.text("Restart");
        let matters = self.text("Type") == "oneshot" || ON_FAILURES.contains(&restart);
        let exits = self.main_exits();
        let exit = exits.iter().find(|exit| {
            let is_ignored = self.commands(exit.command).is_some_and(|(_, it)| it);
            let is_asked = exit.state.starts_with("stop") || exit.state.starts_with("final");
            is_ignored
                && !is_asked
                && !exit.is_clean()
                && !self.is_success(exit)
                && (matters || self.is_not_set_up(exit))
        })?;
        let rule = Rule::FailureIgnored {
            status: exit.text(),
            restart: restart.to_owned(),
        };
        Some(Finding {
            place: self.line_of_command(exit.command),
            ..Finding::new(self.unit, rule, [exit.at])
        })
    }

    /// systemd.service(5), "SuccessExitStatus=". On D-Bus it is a list of exit codes and a list of signals.
    fn is_success(&self, exit: &MainExit<'_>) -> bool {
        self.has_status("SuccessExitStatus", exit)
    }

    fn has_status(&self, setting: &str, exit: &MainExit<'_>) -> bool {
        let index = usize::from(exit.code != "exited");
        let lists = self.timeline.property(self.unit, setting);
        let list = lists.and_then(|lists| lists.get(index)?.as_array());
        list.is_some_and(|list| {
            let wanted = i64::from(exit.status);
            list.iter().any(|one| one.as_i64() == Some(wanted))
        })
    }

    fn is_not_set_up(&self, exit: &MainExit<'_>) -> bool {
        exit.code == "exited"
            && super::processes::SETUP_FAILED.contains(&exit.status)
            && self
                .said(|message| message.starts_with(super::processes::STEP))
                .is_some()
    }

    /// systemd.service(5), "ExecStart=": the commands of a oneshot service run one after the other, until one fails.
    pub(super) fn one_of_commands_failed(&self) -> Option<Finding> {
        if self.text("Type") != "oneshot" {
            return None;
        }
        let exits = self.main_exits();
        let (exit, of) = exits.iter().find_map(|exit| {
            let (of, is_ignored) = self.commands(exit.command)?;
            let is_well = exit.code == "exited" && exit.status == 0;
            let fails = !is_ignored && !is_well && !self.is_success(exit);
            (of > 1 && exit.state == "start" && fails).then_some((exit, of))
        })?;
        let is_harmed = self.is_harmed_at(exit.at);
        if is_harmed || self.exec_failed().is_some() || self.command_not_found().is_some() {
            return None;
        }
        let rule = Rule::OneOfCommandsFailed {
            number: exit.command + 1,
            of,
            status: exit.text(),
        };
        Some(Finding {
            place: self.line_of_command(exit.command),
            ..Finding::new(self.unit, rule, [exit.at])
        })
    }

    /// Whether the plan had just done something to the unit.
    fn is_harmed_at(&self, time: Duration) -> bool {
        let mut harms = self.sources.harms_of(self.unit);
        harms.any(|(at, harm)| {
            !matches!(harm, Harm::Reload | Harm::Stop | Harm::Start)
                && at <= time
                && time < at + SOON
        })
    }

    /// systemd.service(5), "TimeoutStartSec=": with Type=oneshot, a start lasts as long as the commands do.
    pub(super) fn oneshot_timed_out(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        let first = *timed_out.first()?;
        if self.text("Type") != "oneshot"
            || self.sources.hangs_at(self.unit, first)
            || self.extension_ran_out().is_some()
        {
            return None;
        }
        let rule = Rule::OneshotTimedOut {
            timeout_us: self.number("TimeoutStartUSec"),
        };
        self.finding(
            rule,
            &["TimeoutStartSec", "TimeoutSec", "ExecStart"],
            timed_out,
        )
    }

    /// systemd.service(5), "RestartPreventExitStatus=".
    pub(super) fn restart_prevented(&self) -> Option<Finding> {
        let (at, _) = self.said(|message| message.ends_with(PREVENTED))?;
        let restart = self.text("Restart");
        let exits = self.main_exits();
        let exit = exits.iter().rfind(|exit| exit.at <= at)?;
        let is_clean = exit.is_clean() || self.is_success(exit);
        if ["", "no"].contains(&restart) || (is_clean && ON_FAILURES.contains(&restart)) {
            return None;
        }
        // `78`, `CONFIG`, `SIGKILL` and `KILL` are all valid spellings.
        let (number, name) = (exit.status.to_string(), exit_status(exit.status));
        let signal = signal_name(exit.status);
        let name = match exit.code {
            "exited" => name.split_once('/').map_or("", |(_, name)| name),
            _ => signal.as_str(),
        };
        let names_it = |value: &str| {
            let mut words = value.split_whitespace();
            words.any(|word| word == number || word == name || format!("SIG{word}") == name)
        };
        const SETTING: &str = "RestartPreventExitStatus";
        let place = self.sources.setting_with(self.unit, SETTING, names_it);
        let place = place.or_else(|| self.sources.setting(self.unit, SETTING));
        let rule = Rule::RestartPrevented {
            status: exit.text(),
            restart: restart.to_owned(),
        };
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.service(5), "ExecStop=", "ExecStopPost=": if they fail, the unit fails, even if the service exited successfully.
    pub(super) fn command_failed(&self) -> Option<Finding> {
        let mut failed = None;
        let (at, command, status) = self.events().find_map(|event| {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::ProcessExited {
                    role,
                    code,
                    status,
                    command: Some(command),
                    is_ignored: false,
                } if role != MAIN && !is_clean(code, *status) => {
                    let text = match code.as_str() {
                        "exited" => format!("status {}", exit_status(*status)),
                        _ => signal_name(*status),
                    };
                    failed = Some((at, command.as_str(), text));
                }
                EventKind::Failed { result } if ["exit-code", "signal"].contains(&&**result) => {
                    return failed.take().filter(|(since, ..)| at < *since + SOON);
                }
                _ => {}
            }
            None
        })?;
        let setting = command.split('=').next()?;
        let exits = self.main_exits();
        let is_well = exits
            .iter()
            .filter(|exit| exit.at <= at)
            .all(|exit| exit.is_clean() || self.is_success(exit));
        let is_told = self.exec_failed().is_some() || self.command_not_found().is_some();
        if !AFTER_THE_START.contains(&setting) || !is_well || is_told || self.is_harmed_at(at) {
            return None;
        }
        let rule = Rule::CommandFailed {
            setting: setting.to_owned(),
            status,
        };
        let line = self.line_of_control(command);
        Some(Finding {
            place: line.or_else(|| self.sources.setting(self.unit, setting)),
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.service(5), "Command lines": redirections, pipes and lists need a shell.
    pub(super) fn no_shell(&self) -> Option<Finding> {
        let queued =
            self.times(|kind| matches!(kind, EventKind::JobQueued { job } if job == "start"));
        let at = *queued.first()?;
        COMMANDS.into_iter().find_map(|setting| {
            let word = |value: &str| {
                let plain = without_quotes(value);
                let mut words = plain.split_whitespace();
                words
                    .find(|word| SHELL_WORDS.contains(word))
                    .map(str::to_owned)
            };
            let place = self
                .sources
                .setting_with(self.unit, setting, |value| word(value).is_some())?;
            let rule = Rule::NoShell {
                setting: setting.to_owned(),
                word: word(&place.text)?,
            };
            Some(Finding {
                place: Some(place),
                ..Finding::new(self.unit, rule, [at])
            })
        })
    }

    /// systemd.service(5), "ExecStop=": systemd sends no signal of its own until this command has exited.
    pub(super) fn stop_command_ends(&self) -> Option<Finding> {
        let exits = self.main_exits();
        let exit = exits.iter().find(|exit| {
            exit.state == STOP_COMMANDS
                && exit.code != "exited"
                && !exit.is_clean()
                && !self.is_success(exit)
                && !self.is_harmed_at(exit.at)
        })?;
        let failed = self.times(|kind| matches!(kind, EventKind::Failed { .. }));
        failed
            .into_iter()
            .find(|at| *at >= exit.at && *at < exit.at + SOON)?;
        let rule = Rule::StopCommandEnds {
            status: exit.text(),
        };
        self.finding(rule, &["ExecStop"], vec![exit.at])
    }

    /// systemd.service(5), "ExecReload=": a reload should leave the service running.
    pub(super) fn reload_ends(&self) -> Option<Finding> {
        let exits = self.main_exits();
        let exit = exits
            .iter()
            .find(|exit| exit.is_in_reload && !self.is_harmed_at(exit.at))?;
        let has_command = self.sources.setting(self.unit, "ExecReload").is_some();
        let signal = i32::try_from(self.number("ReloadSignal")).unwrap_or_default();
        let rule = Rule::ReloadEnds {
            status: exit.text(),
            signal: (!has_command).then(|| signal_name(signal)),
        };
        self.finding(rule, &["ExecReload", "ReloadSignal", "Type"], vec![exit.at])
    }
}
