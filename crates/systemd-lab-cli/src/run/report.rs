//! The results of a run, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};
use systemd_lab::experiment::{
    Detail, Fault, FaultSummary, JobOutcome, ProbeSummary, Recovery, Summary, Verdict, span_text,
};
use systemd_lab::findings::{Finding, Severity};
use systemd_lab::fold::{Folded, folded};
use systemd_lab::{Experiment, Guest, Timeline, clock_time, nearest_second, visible, visible_json};

use crate::exit::ExitStatus;
use crate::{shortened, style};

/// Increased when a field is removed or changes its meaning.
const JSON_VERSION: u32 = 1;

const TENTH: Duration = Duration::from_millis(100);

/// A run and its results.
pub(super) struct Run<'a> {
    pub experiment: &'a Experiment,
    pub guest: &'a Guest,
    pub timeline: &'a Timeline,
    pub summary: Summary,
    pub verdicts: Vec<Verdict>,
}

/// One JSON document.
pub(super) fn json(run: &Run<'_>) -> anyhow::Result<String> {
    let Run {
        experiment,
        guest,
        timeline,
        summary,
        verdicts,
    } = run;
    let microseconds = u64::try_from(experiment.length().as_micros()).unwrap_or(u64::MAX);
    let findings: Vec<Value> = experiment
        .findings(timeline)
        .iter()
        .map(|finding| {
            json!({
                "finding": finding,
                "severity": finding.rule.severity(),
                "what": finding.what(),
                "change": finding.change(),
                "manual": finding.manual(),
                "guide": finding.guide(),
            })
        })
        .collect();
    let document = json!({
        "version": JSON_VERSION,
        "unit": experiment.main_unit(),
        "guest": {
            "suite": guest.suite().codename(),
            "systemd": systemd(run),
            "packages": guest.packages().collect::<Vec<_>>(),
            "mirror": guest.chosen_mirror(),
        },
        "length_us": microseconds,
        "scenario": experiment.scenario(),
        "files": experiment.files(),
        "summary": summary,
        "findings": findings,
        "requirements": verdicts,
        "timeline": timeline,
    });
    Ok(visible_json(&serde_json::to_string_pretty(&document)?))
}

/// Plan, timeline, findings, summary, requirements.
pub(super) fn text(run: &Run<'_>, logs: bool, full: bool) -> String {
    let (experiment, summary) = (run.experiment, &run.summary);
    let plan = experiment.plan();
    let plan = plan.lines().map(|line| line.trim_start_matches("# "));
    let mut text = String::new();
    for (index, line) in plan.enumerate() {
        text += &match index {
            0 => style::strong(line) + "\n",
            _ => format!("  {line}\n"),
        };
    }
    if *run.guest != Guest::default() {
        text += &format!("  {}\n", described(run));
    }
    text.push('\n');
    text += &told(experiment, run.timeline, logs, full);
    text.push('\n');
    text += &found(&experiment.findings(run.timeline));
    text += &summarized(experiment, summary);
    text + &required(&run.verdicts)
}

/// The requirements, what was measured, and whether they are met.
fn required(verdicts: &[Verdict]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", style::strong("Requirements"));
    let rows: Vec<(String, &Verdict)> = verdicts
        .iter()
        .map(|it| (it.requirement.to_string(), it))
        .collect();
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, verdict) in rows {
        let mark = style::mark(ExitStatus::holds(verdict.holds));
        text += &format!("  {mark} {name:width$}  {}\n", visible(&verdict.measured));
    }
    text
}

/// `in Debian trixie (systemd 257) with nginx`
fn described(run: &Run<'_>) -> String {
    let suite = run.guest.suite();
    let systemd = systemd(run).map_or_else(|| "unknown".to_owned(), |version| version.to_string());
    let mut text = format!("in Debian {suite} (systemd {systemd})");
    let packages: Vec<&str> = run.guest.packages().collect();
    if !packages.is_empty() {
        text += &format!(" with {}", packages.join(" "));
    }
    if let Some(mirror) = run.guest.chosen_mirror() {
        text += &format!(" from {mirror}");
    }
    text
}

/// The version of the guest's systemd, e.g. 257. A suite that changes does not know it, but systemd says it in each run.
fn systemd(run: &Run<'_>) -> Option<u32> {
    let said = run.timeline.measured_with()?.systemd;
    let end = said.find(|c: char| !c.is_ascii_digit());
    said[..end.unwrap_or(said.len())].parse().ok()
}

/// The timeline; `full` folds nothing.
fn told(experiment: &Experiment, timeline: &Timeline, logs: bool, full: bool) -> String {
    let detail = match (full, logs) {
        (true, _) => Detail::Full,
        (false, true) => Detail::Logs,
        (false, false) => Detail::Usual,
    };
    let lines = experiment.lines(timeline, detail);
    let widest = lines.iter().map(|line| line.unit.len()).max().unwrap_or(0);
    let time_width = clock_time(experiment.length().as_secs()).len();
    let folded = match full {
        true => lines.iter().map(Folded::Line).collect(),
        false => folded(&lines),
    };
    let told = folded.iter().map(|one| match one {
        Folded::Line(line) => {
            let time = clock_time(line.seconds());
            let text = format!(
                "  {time:>time_width$}  {:widest$}  {}",
                line.unit,
                line.text()
            );
            match line.is_fault() {
                true => style::strong(text.trim_end()),
                false => text.trim_end().to_owned(),
            }
        }
        Folded::Same {
            lines,
            times,
            left_out,
        } => {
            let note = shortened::same_again(*lines, *times, left_out);
            style::faint(format!("  {:>time_width$}  {note}", ""))
        }
    });
    let told: Vec<String> = told.collect();
    match full {
        true => told.iter().map(|line| format!("{line}\n")).collect(),
        false => shortened::ends(&told, |left_out| format!("{} lines", left_out.len())),
    }
}

/// The findings, each with its deciding line, what to change and where to read more.
fn found(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", style::strong("Findings"));
    for finding in findings {
        let mark = match finding.rule.severity() {
            Severity::Error => "✗",
            Severity::Warning => "!",
        };
        text += &format!("  {mark} {}.\n", finding.what());
        if let Some(place) = &finding.place {
            let place = format!("{}:{}: {}", place.file, place.line, place.text);
            text += &format!("    {}\n", visible(&place));
        }
        text += &format!(
            "    To change it: {}. See {}.\n",
            finding.change(),
            finding.manual()
        );
    }
    text + "\n"
}

fn summarized(experiment: &Experiment, summary: &Summary) -> String {
    let mut text = format!("{}\n", style::strong("Summary"));
    let mut row = |name: &str, value: String| text += &format!("  {name:<20}{}\n", visible(&value));
    for probe in &summary.probes {
        let times = match probe.attempts {
            1 => "once".to_owned(),
            number => format!("{number} times"),
        };
        row("Asked", format!("{}, {times}", probe.name));
        row("Availability", availability(probe));
        row("Longest outage", outages(probe));
        if let Some(missed) = between_attempts(probe) {
            row("Between attempts", missed);
        }
    }
    let unit = experiment.main_unit();
    if let [_, _, ..] = summary.units.as_slice() {
        for (index, one) in summary.units.iter().enumerate() {
            let name = ["Units", ""][index.min(1)];
            let (unit, state) = (&one.unit, &one.state_at_end);
            let times = match one.restarts {
                _ if summary.went_blind.is_some() => "restarts unknown".to_owned(),
                0 => "not restarted by systemd".to_owned(),
                1 => "restarted by systemd once".to_owned(),
                many => format!("restarted by systemd {many} times"),
            };
            row(name, format!("{unit}: {times}, {state} at the end"));
        }
    } else {
        let restarts = match summary.went_blind {
            Some(since) => format!(
                "unknown: the lab was blind from {} on, and saw {}",
                clock_time(nearest_second(since)),
                summary.restarts
            ),
            None => summary.restarts.to_string(),
        };
        row("Restarts by systemd", restarts);
        row("At the end", format!("{unit} is {}", summary.state_at_end));
    }
    if summary.faults.is_empty() {
        return text;
    }
    text.push('\n');
    let cells: Vec<[String; 4]> = summary.faults.iter().map(|it| cells(unit, it)).collect();
    let mut headers = vec!["At", "Fault", "Up again"];
    if !summary.probes.is_empty() {
        headers.push("Answers again");
    }
    text += &table(&headers, &cells);
    text
}

fn availability(probe: &ProbeSummary) -> String {
    match (probe.availability, probe.first_success) {
        (Some(share), Some(first)) => {
            format!(
                "{}, from its first answer after {}",
                percent(share),
                tenths(first)
            )
        }
        _ => "it never answered".to_owned(),
    }
}

/// Two digits, rounded down: only a run without an outage has 100 %.
fn percent(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

fn outages(probe: &ProbeSummary) -> String {
    match probe.outages {
        0 => "none".to_owned(),
        1 => format!("{}, the only one", brief(probe.longest_outage)),
        many => format!("{}; there were {many}", brief(probe.longest_outage)),
    }
}

/// Outages that no attempt hit, with the times of the first few.
fn between_attempts(probe: &ProbeSummary) -> Option<String> {
    const MOST: usize = 3;
    let all = &probe.between_attempts;
    let mut units: Vec<&str> = all.iter().filter_map(|it| it.unit.as_deref()).collect();
    units.dedup();
    let listener = match units.as_slice() {
        [unit] => format!("the listener of {unit}"),
        _ => "the listener".to_owned(),
    };
    let told = all.iter().take(MOST).map(|outage| {
        let at = clock_time(nearest_second(outage.at));
        format!("{} ({at})", brief(outage.length))
    });
    let told = told.collect::<Vec<_>>().join(", ");
    let more = match all.len().saturating_sub(MOST) {
        0 => String::new(),
        1 => " and once more".to_owned(),
        more => format!(" and {more} times more"),
    };
    let meanwhile = match all.len() == probe.outages {
        true => "",
        false => " then",
    };
    (!all.is_empty())
        .then(|| format!("no probe failed{meanwhile}; {listener} was closed for {told}{more}"))
}

/// As [`tenths`], but shorter spans in milliseconds.
fn brief(time: Duration) -> String {
    match time < TENTH {
        true => format!("{} ms", time.as_millis().max(1)),
        false => tenths(time),
    }
}

fn cells(main_unit: &str, fault: &FaultSummary) -> [String; 4] {
    let planned = &fault.planned;
    let name = match planned.unit == main_unit {
        true => planned.fault.to_string(),
        false => format!("{}@{}", planned.fault, planned.unit),
    };
    let Some(at) = fault.at else {
        let [nothing, answers] = ["never came".to_owned(), String::new()];
        return [planned.when.to_string(), name, nothing, answers];
    };
    let up = match &fault.refused {
        Some(message) => visible(&format!("refused: {message}")),
        None => match &fault.job {
            // The effect of a reload is the job's result, not whether the service was up.
            Some(job) if job.result.as_deref() != Some("done") => job_text(job),
            Some(job) if planned.fault == Fault::Reload => job_text(job),
            _ => recovered(fault.running, "never down"),
        },
    };
    let answers = fault
        .answering
        .map_or_else(String::new, |it| recovered(it, "never silent"));
    let when = match planned.when.time() {
        Some(_) => planned.when.to_string(),
        None => format!("{} ({})", planned.when, clock_time(nearest_second(at))),
    };
    [when, name, up, answers]
}

fn job_text(outcome: &JobOutcome) -> String {
    let job = outcome.job;
    match &outcome.result {
        Some(result) => format!("{job} job: {result}"),
        None => format!("the {job} job never ended"),
    }
}

fn recovered(recovery: Recovery, never_gone: &str) -> String {
    match recovery {
        Recovery::NeverGone => never_gone.to_owned(),
        Recovery::After(time) if time < TENTH => "at once".to_owned(),
        Recovery::After(time) => format!("after {}", tenths(time)),
        Recovery::NotBeforeNext => "not before the next fault".to_owned(),
        Recovery::NotAgain => "not until the end".to_owned(),
        Recovery::Unknown => "unknown".to_owned(),
    }
}

/// `5.1 s`, `1h 2min 3s`: exact enough to compare, short enough to read.
fn tenths(time: Duration) -> String {
    let minute = Duration::from_secs(60);
    if time >= minute {
        return span_text(Duration::from_secs(time.as_secs()));
    }
    let tenths = time.as_millis() / TENTH.as_millis();
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn table(headers: &[&str], rows: &[[String; 4]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headers[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths);
        let padded: Vec<String> = padded
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("  {}", padded.join("  ")).trim_end().to_owned() + "\n"
    };
    let mut text = line(headers.to_vec());
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}
