//! A table made from what services log.

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::Timeline;
use systemd_lab::protocol::EventKind;

use super::{prepare, timeline};
use crate::guide::bench::Bench;
use crate::guide::item::Item;

/// The plans of the page "A restart that refuses nobody", and their names in its table.
const LISTENERS: [(&str, &str); 4] = [
    ("handover/late", "is bound after the warm-up"),
    ("handover/early", "is bound before the warm-up"),
    ("handover/activated", "belongs to a socket unit"),
    ("handover/kept", "is in the file descriptor store"),
];

/// The client of those plans asks ten times a second for 15 s.
const ASKED: u32 = 150;

pub(super) fn items() -> Vec<Item> {
    vec![Item::files(["handover/refused.md"], refused)]
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

/// Two cells: what the client in this unit counted.
fn counted(timeline: &Timeline, unit: &str) -> anyhow::Result<String> {
    let mut logged = logged(timeline).filter(|(from, _)| *from == unit);
    let line = logged.find_map(|(_, line)| line.starts_with("answered ").then_some(line));
    let line = line.with_context(|| format!("{unit} logs no count"))?;
    let numbers: Vec<u32> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [answered, refused, 0, slowest] = numbers[..] else {
        anyhow::bail!("cannot read what {unit} counted: {line}");
    };
    ensure!(
        answered + refused == ASKED,
        "{unit} did not count {ASKED} requests: {line}"
    );
    Ok(format!("{refused} | {slowest} s"))
}

/// The lines that units logged.
fn logged(timeline: &Timeline) -> impl Iterator<Item = (&str, &str)> {
    let events = timeline.events().iter();
    events.filter_map(|event| match &event.kind {
        EventKind::Log { message, .. } => Some((event.unit.as_deref()?, message.as_str())),
        _ => None,
    })
}
