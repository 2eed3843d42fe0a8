//! Why acknowledged orders are gone, or not shipped.

use std::time::Duration;

use systemd_lab::diagnosis::unit_file;
use systemd_lab::nearest_second;
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;

use super::operator::not_wanted;
use super::outage::{main_exit, stayed_away};
use crate::SUBJECT;
use crate::day;
use crate::plan::{Fault, Part};
use crate::review::{ACKNOWLEDGED, DISK_FULL, NO_DATABASE, Review};

/// What an order may take, from its acknowledgement to the fault that proves that it was not in the file.
const FLUSH: Duration = Duration::from_secs(10);

/// Why acknowledged orders are gone, or not shipped.
pub(super) fn of_loss(review: &Review<'_>) -> Option<String> {
    let database = day::unit(Part::Database);
    if review.kept.is_none() {
        let answer = match review.timeline.response(day::LIST) {
            Some(ResponseOutcome::Answered { status, .. }) => format!("answered with {status}"),
            _ => "not answered".to_owned(),
        };
        let state = |part: Part| review.state(&day::unit(part), u64::MAX).to_owned();
        let mut costs = review.costs.iter().rev();
        let why = costs.find_map(|cost| {
            [Part::Database, Part::Web]
                .iter()
                .filter(|part| state(**part) != "running")
                .find_map(|part| stayed_away(review, cost, *part))
        });
        return why.or_else(|| {
            Some(format!(
                "GET /orders was {answer} at the end of the day: {} was {}, {database} was {}",
                day::unit(Part::Web),
                state(Part::Web),
                state(Part::Database)
            ))
        });
    }
    let mut costs = review.costs.iter();
    let Some((cost, number)) = costs.find_map(|cost| Some((cost, *cost.lost.first()?))) else {
        return misled(review).or_else(|| not_shipped(review));
    };
    let mut later = review
        .costs
        .iter()
        .skip_while(|it| it.span.start < cost.span.start);
    let is_full = cost.planned.fault == Fault::FullDisk;
    if is_full {
        return Some(format!(
            "order {number} was acknowledged while the disk was full: what cannot be written must be refused, with 507"
        ));
    }
    // The end of the database that proves it.
    let ended = later
        .find_map(|cost| main_exit(&review.part(&cost.span), &database).map(|exit| exit.at_us));
    let name = day::order(number);
    let acknowledged = review.events(&(0..u64::MAX)).find(
        |event| matches!(&event.kind, EventKind::Response { name: found, .. } if *found == name),
    )?;
    let ended = ended.map(|at_us| Duration::from_micros(at_us.saturating_sub(acknowledged.at_us)));
    Some(match ended {
        Some(time) if time <= FLUSH => format!(
            "order {number} was acknowledged with 201, the database ended {:.1} s later, and the order is gone: it was only in memory. Acknowledge an order when it is in the file",
            time.as_secs_f64()
        ),
        _ => format!(
            "order {number} was acknowledged with 201 and is gone at the end of the day: Store::write was not called for it, or its error was not looked at"
        ),
    })
}

/// A refusal that does not say why.
fn misled(review: &Review<'_>) -> Option<String> {
    let (number, status) = review.costs.iter().find_map(|cost| cost.misled)?;
    Some(format!(
        "order {number} was refused with {status}: an order is refused with {DISK_FULL} if the disk is full, and with {NO_DATABASE} if the database does not answer"
    ))
}

/// Orders that are taken, and answered with another success.
pub(super) fn acknowledged_otherwise(review: &Review<'_>) -> Option<String> {
    let misled = review.costs.iter().filter_map(|cost| cost.misled);
    let (number, status) = misled
        .into_iter()
        .find(|(_, status)| (200..300).contains(status))?;
    Some(format!(
        "order {number} was answered with {status}, which acknowledges nothing: the acknowledgement is {ACKNOWLEDGED}"
    ))
}

/// Why the worker did not ship all orders.
fn not_shipped(review: &Review<'_>) -> Option<String> {
    let worker = day::unit(Part::Worker);
    if review.shipped().is_empty() {
        if let Some(why) = not_wanted(Part::Worker) {
            return Some(why);
        }
        let case = SUBJECT.case_of(&worker, review.timeline);
        return Some(
            unit_file::died_at_start(&case)
                .unwrap_or_else(|| format!("{worker} never said STATUS=shipped ... orders")),
        );
    }
    let (since, gap) = review.idle()?;
    // The fault, or the one after it if the last word came early in its time.
    let costs = review.costs.iter().filter(|cost| cost.span.end > since);
    let why = costs.take(2).find_map(|cost| {
        let why = stayed_away(review, cost, Part::Worker)?;
        Some(format!(
            "{why}. It shipped nothing for {} s",
            nearest_second(gap)
        ))
    });
    Some(why.unwrap_or_else(|| {
        format!(
            "from {} on, {worker} shipped nothing for {} s",
            review.time(since),
            nearest_second(gap)
        )
    }))
}
