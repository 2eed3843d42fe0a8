//! Tables of what services log.

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::protocol::EventKind;
use systemd_lab::{Timeline, nearest_second};

use super::{prepare, timeline, with_needs};
use crate::guide::bench::Bench;
use crate::guide::item::Item;

/// The plans of the page "A restart that refuses nobody", and how its table calls them.
const LISTENERS: [(&str, &str); 4] = [
    ("handover/late", "is bound after the warm-up"),
    ("handover/early", "is bound before the warm-up"),
    ("handover/activated", "belongs to a socket unit"),
    ("handover/kept", "is in the file descriptor store"),
];

/// The client of those plans asks ten times a second for 15 s.
const ASKED: u32 = 150;

/// The services of the pages about other supervisors, and how their tables call the ends.
const ENDS: [(&str, &str); 6] = [
    ("exit-0", "exit code 0"),
    ("exit-1", "exit code 1"),
    ("exit-78", "exit code 78"),
    ("KILL", "SIGKILL"),
    ("TERM", "SIGTERM"),
    ("SEGV", "SIGSEGV"),
];

pub(super) fn items() -> Vec<Item> {
    let ends = [("runit/ends", 5), ("sysvinit/ends", 20)];
    let ends = ends.map(|(plan, life)| {
        let item = Item::files([format!("{plan}.md")], move |bench| {
            after_each_end(bench, plan, life)
        });
        with_needs(item, plan)
    });
    let mut items = vec![Item::files(["handover/refused.md"], refused)];
    items.extend(ends);
    items
}

/// What clients notice of a restart and of a kill.
fn refused(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let mut table = format!(
        "| The listener … | A restart: refused of {ASKED} | slowest answer | A kill: refused of {ASKED} | slowest answer |\n\
         |---|---|---|---|---|\n"
    );
    let mut with = None;
    for (plan, listener) in LISTENERS {
        prepare(bench, plan)?;
        let timeline = timeline(bench, plan)?;
        let cells =
            ["ask@restart.service", "ask@kill.service"].map(|unit| counted(&timeline, unit));
        let [restart, kill] = cells;
        table += &format!("| {listener} | {} | {} |\n", restart?, kill?);
        with = timeline.measured_with();
    }
    let with = with.context("the runs do not say what they were measured with")?;
    Ok(vec![Measured::text("handover/refused.md", &table, &with)])
}

/// Two cells of what the client of this unit counted.
fn counted(timeline: &Timeline, unit: &str) -> anyhow::Result<String> {
    let mut logged = logged(timeline).filter(|(_, from, _)| *from == unit);
    let line = logged.find_map(|(_, _, line)| line.starts_with("answered ").then_some(line));
    let line = line.with_context(|| format!("{unit} logs no count"))?;
    let numbers: Vec<u32> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [answered, refused, 0, slowest] = numbers[..] else {
        anyhow::bail!("{unit} counted something else: {line}");
    };
    ensure!(answered + refused == ASKED, "{unit} counted wrong: {line}");
    Ok(format!("{refused} | {slowest} s"))
}

/// Whether and how soon a supervisor starts a service again. Each service says when it starts, and ends after so many seconds.
fn after_each_end(bench: &Bench<'_>, plan: &str, life: u64) -> anyhow::Result<Vec<Measured>> {
    prepare(bench, plan)?;
    let timeline = timeline(bench, plan)?;
    let lines: Vec<_> = logged(&timeline).collect();
    let finish = |name: &str| {
        let begin = format!("{name}: finish ");
        let arguments = lines
            .iter()
            .find_map(|(_, _, line)| line.strip_prefix(&begin));
        arguments.map(|arguments| format!(" | `{arguments}`"))
    };
    let has_finish = finish(ENDS[0].0).is_some();
    let (head, rule) = match has_finish {
        true => (" | `finish` is called with |", "|---"),
        false => (" |", ""),
    };
    let mut table = format!("| End | Started again | After{head}\n|---|---|---{rule}|\n");
    for (name, end) in ENDS {
        let started = format!("{name}: started");
        let times: Vec<u64> = lines
            .iter()
            .filter(|(_, _, line)| *line == started)
            .map(|(time, _, _)| *time)
            .collect();
        let (again, after) = match times[..] {
            [] => anyhow::bail!("{name} never started"),
            [_] => ("no", "–".to_owned()),
            [first, second, ..] => (
                "yes",
                format!("{} s", (second - first).saturating_sub(life)),
            ),
        };
        let finish = finish(name).unwrap_or_default();
        ensure!(has_finish != finish.is_empty(), "{name}: no line of finish");
        table += &format!("| {end} | {again} | {after}{finish} |\n");
    }
    let with = timeline
        .measured_with()
        .context("the run does not say what it was measured with")?;
    Ok(vec![Measured::text(&format!("{plan}.md"), &table, &with)])
}

/// When which unit logged what, in whole seconds.
fn logged(timeline: &Timeline) -> impl Iterator<Item = (u64, &str, &str)> {
    timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Log { message, .. } => Some((
                nearest_second(timeline.time_of(event)),
                event.unit.as_deref()?,
                message.as_str(),
            )),
            _ => None,
        })
}
