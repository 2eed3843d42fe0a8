//! What a game day did to the shop: fault by fault, as its customers saw it and as systemd logged it.

use std::ops::Range;
use std::time::Duration;

use systemd_lab::Timeline;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{Event, EventKind};

use crate::SUBJECT;
use crate::day::{self, LIST, PAGE, PAGE_EVERY};
use crate::plan::{self, FULL_FOR, Fault, Part, Planned, STOPPED_FOR};

/// After the operator's start, the shop may take this long before customers count again.
const MAY_START_FOR: Duration = Duration::from_secs(5);

/// A day, as it was.
pub(crate) struct Review<'a> {
    pub(crate) timeline: &'a Timeline,
    /// One for each fault of the plan, in order.
    pub(crate) costs: Vec<Cost>,
    /// The orders that were acknowledged.
    pub(crate) acknowledged: Vec<u32>,
    /// The orders that the shop knows of at the end, if it says so.
    pub(crate) kept: Option<Vec<u32>>,
    began_us: u64,
}

/// What a fault cost.
pub(crate) struct Cost {
    pub(crate) planned: Planned,
    /// From this fault to the next, in the guest's time.
    pub(crate) span: Range<u64>,
    /// The outages of the page that began in it.
    pub(crate) page: Vec<Duration>,
    /// The times in which no order was accepted.
    pub(crate) orders: Vec<Duration>,
    /// Orders that got an answer other than an acknowledgement, or none.
    pub(crate) refused: usize,
    /// Acknowledged orders that it lost.
    pub(crate) lost: Vec<u32>,
    /// An order that was answered with a status that does not say why it was not taken: its number, and the status.
    pub(crate) misled: Option<(u32, u16)>,
}

impl Cost {
    /// How long the page was away in all.
    pub(crate) fn page_down(&self) -> Duration {
        self.page.iter().sum()
    }

    /// From the fault to the next, or until all outages that it began are over.
    pub(crate) fn whole(&self) -> Range<u64> {
        /// systemd's events come a little after what customers see.
        const MORE: Duration = Duration::from_secs(5);
        let outage = (self.longest() + MORE).as_micros() as u64;
        self.span.start..self.span.end.max(self.span.start + outage)
    }

    /// The longest outage, of the page or of the orders.
    pub(crate) fn longest(&self) -> Duration {
        let all = self.page.iter().chain(&self.orders);
        all.max().copied().unwrap_or_default()
    }
}

impl<'a> Review<'a> {
    /// Reads the day of this plan.
    pub(crate) fn of(timeline: &'a Timeline, plan: &[Planned]) -> Review<'a> {
        let mut events = timeline.events().iter();
        let began = events.find(|event| matches!(event.kind, EventKind::ScenarioBegan { .. }));
        let began_us = began.map_or(0, |event| event.at_us);
        let stamp = |time: Duration| began_us + time.as_micros() as u64;
        let end_us = stamp(plan::end(plan));
        let not_counted: Vec<Range<u64>> = plan
            .iter()
            .filter(|planned| planned.fault == Fault::StopAndStart)
            .map(|planned| stamp(planned.at)..stamp(planned.at + STOPPED_FOR + MAY_START_FOR))
            .collect();

        let answers = answers(timeline, plan);
        let acknowledged: Vec<u32> = (1..)
            .zip(&answers)
            .filter(|(_, answer)| is_acknowledged(answer))
            .map(|(number, _)| number)
            .collect();
        let kept = kept(timeline);
        let pages = failing(&page_answers(timeline), end_us, &not_counted);
        let stamped: Vec<(u64, bool)> = (1..)
            .zip(&answers)
            .map(|(number, answer)| (stamp(day::time_of_order(number)), is_acknowledged(answer)))
            .collect();
        let orders = failing(&stamped, end_us, &not_counted);

        let full: Vec<Range<u64>> = plan
            .iter()
            .filter(|planned| planned.fault == Fault::FullDisk)
            .map(|planned| stamp(planned.at)..stamp(planned.at + FULL_FOR))
            .collect();
        let ends = ends_of_database(timeline);
        // An order that was only in memory is lost when the database ends, and one that came while the disk was full at once.
        let proved = |number: u32| {
            let came = stamp(day::time_of_order(number));
            let end = ends.iter().find(|end| **end > came);
            match full.iter().any(|span| span.contains(&came)) {
                true => came,
                false => end.copied().unwrap_or(came),
            }
        };

        let mut starts: Vec<u64> = plan.iter().map(|planned| stamp(planned.at)).collect();
        starts.push(end_us);
        let costs = plan.iter().zip(starts.windows(2)).enumerate();
        let costs = costs.map(|(index, (planned, span))| {
            let span = span[0]..span[1];
            // What goes wrong before the first fault goes to its account.
            let from = if index == 0 { 0 } else { span.start };
            let began_in = |outages: &[(u64, Duration)]| {
                let inside = outages.iter();
                let inside = inside.filter(|(at, _)| (from..span.end).contains(at));
                inside.map(|(_, length)| *length).collect()
            };
            let of_span =
                |number: &u32| (from..span.end).contains(&stamp(day::time_of_order(*number)));
            let refused = (1..).zip(&answers);
            let refused =
                refused.filter(|(number, answer)| of_span(number) && !is_acknowledged(answer));
            Cost {
                planned: *planned,
                page: began_in(&pages),
                orders: began_in(&orders),
                refused: refused.count(),
                lost: lost(&acknowledged, kept.as_deref())
                    .filter(|number| (from..span.end).contains(&proved(*number)))
                    .collect(),
                misled: misled(planned.fault, &refusals(&answers, of_span)),
                span,
            }
        });
        Review {
            timeline,
            costs: costs.collect(),
            acknowledged,
            kept,
            began_us,
        }
    }

    /// Acknowledged orders that are gone at the end of the day.
    pub(crate) fn lost(&self) -> Vec<u32> {
        lost(&self.acknowledged, self.kept.as_deref()).collect()
    }

    /// Starts of the alert's unit, with the unit that it names.
    pub(crate) fn alerts(&self, span: &Range<u64>) -> Vec<String> {
        let prefix = format!("{}-alert@", SUBJECT.package());
        let events = self.events(span).filter_map(|event| {
            let of = event.unit.as_deref()?.strip_prefix(&prefix)?;
            let EventKind::StateChanged { from, to } = &event.kind else {
                return None;
            };
            (is_down(from) && !is_down(to)).then(|| of.trim_end_matches(".service").to_owned())
        });
        events.collect()
    }

    /// How often systemd restarted a part of the shop by itself.
    pub(crate) fn restarts(&self, part: Part, span: &Range<u64>) -> usize {
        let unit = day::unit(part);
        let events = self.events(span).filter(|event| event.is_about(&unit));
        events
            .filter(|event| matches!(event.kind, EventKind::RestartScheduled { .. }))
            .count()
    }

    /// The stamp and the number of each `STATUS=shipped 17 orders` of the worker.
    pub(crate) fn shipped(&self) -> Vec<(u64, usize)> {
        let unit = day::unit(Part::Worker);
        let statuses = self.timeline.notifications(&unit, "STATUS=shipped ");
        let numbers = statuses.filter_map(|(event, status)| {
            Some((event.at_us, status.split(' ').nth(1)?.parse().ok()?))
        });
        numbers.collect()
    }

    /// The longest time in which the worker shipped nothing, with its beginning: between two such messages, or from the last to
    /// the end of the day.
    pub(crate) fn idle(&self) -> Option<(u64, Duration)> {
        let shipped = self.shipped();
        let end = self.costs.last()?.span.end;
        let stamps: Vec<u64> = shipped.iter().map(|(at, _)| *at).chain([end]).collect();
        let gaps = stamps.windows(2).map(|pair| {
            (
                pair[0],
                Duration::from_micros(pair[1].saturating_sub(pair[0])),
            )
        });
        gaps.max_by_key(|(_, gap)| *gap)
    }

    /// What happened in a span.
    pub(crate) fn events(&self, span: &Range<u64>) -> impl Iterator<Item = &'a Event> + use<'a> {
        let span = span.clone();
        let events = self.timeline.events().iter();
        events.filter(move |event| span.contains(&event.at_us))
    }

    /// The same as a timeline of its own, with the units' properties.
    pub(crate) fn part(&self, span: &Range<u64>) -> Timeline {
        let events = self.timeline.events().iter().filter(|event| {
            span.contains(&event.at_us) || matches!(event.kind, EventKind::Properties { .. })
        });
        Timeline::new(events.cloned().collect())
    }

    /// The state of a unit at this time, or before anything was logged of it: `dead`.
    pub(crate) fn state(&self, unit: &str, at_us: u64) -> &'a str {
        let changes = self.events(&(0..at_us));
        let changes = changes.filter_map(|event| match &event.kind {
            EventKind::StateChanged { to, .. } if event.is_about(unit) => Some(to.as_str()),
            _ => None,
        });
        changes.last().unwrap_or("dead")
    }

    /// A stamp as a time of the day: `6:30`.
    pub(crate) fn time(&self, at_us: u64) -> String {
        let seconds = at_us.saturating_sub(self.began_us) / 1_000_000;
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// Whether a unit in this state does nothing.
pub(crate) fn is_down(state: &str) -> bool {
    ["dead", "failed", "auto-restart", "auto-restart-queued"].contains(&state)
}

/// The task: 201 is the acknowledgement, 507 says that the disk is full, and 503 that the database does not answer.
pub(crate) const ACKNOWLEDGED: u16 = 201;
pub(crate) const DISK_FULL: u16 = 507;
pub(crate) const NO_DATABASE: u16 = 503;

fn is_acknowledged(answer: &Option<&ResponseOutcome>) -> bool {
    matches!(answer, Some(ResponseOutcome::Answered { status, .. }) if *status == ACKNOWLEDGED)
}

/// The orders of these that were answered with something other than an acknowledgement, and the status.
fn refusals(answers: &[Option<&ResponseOutcome>], of: impl Fn(&u32) -> bool) -> Vec<(u32, u16)> {
    let numbered = (1..).zip(answers).filter(|(number, _)| of(number));
    let answered = numbered.filter_map(|(number, answer)| match answer {
        Some(ResponseOutcome::Answered { status, .. }) if *status != ACKNOWLEDGED => {
            Some((number, *status))
        }
        _ => None,
    });
    answered.collect()
}

/// The first refusal that does not say why. While the disk is full, the database may also be away for a moment.
fn misled(fault: Fault, refusals: &[(u32, u16)]) -> Option<(u32, u16)> {
    let mut refusals = refusals.iter();
    let is_full = fault == Fault::FullDisk;
    if is_full && !refusals.clone().any(|(_, status)| *status == DISK_FULL) {
        return refusals.next().copied();
    }
    let unknown = refusals.find(|(_, status)| ![DISK_FULL, NO_DATABASE].contains(status));
    unknown.copied()
}

/// The answers to all orders, by their numbers.
fn answers<'a>(timeline: &'a Timeline, plan: &[Planned]) -> Vec<Option<&'a ResponseOutcome>> {
    let mut answers = vec![None; day::orders(plan::end(plan)) as usize];
    for event in timeline.events() {
        let EventKind::Response { name, outcome } = &event.kind else {
            continue;
        };
        let number = name.strip_prefix("order ");
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let answer = number.and_then(|number| answers.get_mut(number.checked_sub(1)?));
        if let Some(answer) = answer {
            *answer = Some(outcome);
        }
    }
    answers
}

/// When the page began to be answered with 200, and when it no longer was. The first start does not count.
fn page_answers(timeline: &Timeline) -> Vec<(u64, bool)> {
    use systemd_lab::protocol::event::ProbeOutcome::Answered;
    let changes = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ProbeChanged { name, outcome, .. } if name == PAGE => {
                Some((event.at_us, matches!(outcome, Answered { status: 200 })))
            }
            _ => None,
        });
    let mut changes: Vec<(u64, bool)> = changes.collect();
    if changes.iter().any(|(_, is_well)| *is_well) {
        let started = changes.iter().position(|(_, is_well)| *is_well);
        changes.drain(..started.unwrap_or_default());
    }
    changes
}

/// When customers were not served, and for how long: from the first who was not to the first who was. What they ask for
/// while the operator has stopped the shop does not count.
fn failing(
    answers: &[(u64, bool)],
    end_us: u64,
    not_counted: &[Range<u64>],
) -> Vec<(u64, Duration)> {
    let mut outages = Vec::new();
    let mut since = None;
    let ends = answers.iter().copied().chain([(end_us, true)]);
    for (at_us, is_well) in ends {
        match (is_well, since) {
            (false, None) => since = Some(at_us),
            (true, Some(from)) => {
                let excused = not_counted
                    .iter()
                    .map(|span| at_us.min(span.end).saturating_sub(from.max(span.start)));
                let length = (at_us - from).saturating_sub(excused.sum());
                // Less than one request is only the rest of a time that does not count.
                if length >= PAGE_EVERY.as_micros() as u64 {
                    outages.push((from, Duration::from_micros(length)));
                }
                since = None;
            }
            _ => {}
        }
    }
    outages
}

/// When the database's main process ended.
fn ends_of_database(timeline: &Timeline) -> Vec<u64> {
    let unit = day::unit(Part::Database);
    let events = timeline.events().iter().filter(|event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::ProcessExited { role, .. } if role == "main")
    });
    events.map(|event| event.at_us).collect()
}

/// What `GET /orders` said at the end.
fn kept(timeline: &Timeline) -> Option<Vec<u32>> {
    match timeline.response(LIST)? {
        ResponseOutcome::Answered { status: 200, body } => {
            let numbers = body.split_whitespace();
            Some(numbers.filter_map(|number| number.parse().ok()).collect())
        }
        _ => None,
    }
}

fn lost(acknowledged: &[u32], kept: Option<&[u32]>) -> impl Iterator<Item = u32> {
    let all = acknowledged.iter().copied();
    all.filter(move |number| kept.is_some_and(|kept| !kept.contains(number)))
}
