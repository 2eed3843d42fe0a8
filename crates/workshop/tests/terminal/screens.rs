//! The output of other commands in terminals of two sizes: no line is wider than the terminal, and long output goes to a
//! pager.

use exercise_check::report::{Record, Run};
use exercise_check::{Outcome, Verdict};
use systemd_lab::Timeline;
use systemd_lab::protocol::event::Source;
use systemd_lab::protocol::{Event, EventKind, Scenario};

use crate::fixture::{Fixture, verdict};
use crate::session::{SIZES, Session};

/// The pager waits for a key.
const PAGER: &str = "\n:";

/// Reads the screen in each size, once this text is on it.
fn assert_screens(name: &str, fixture: &Fixture, arguments: &[&str], until: &str) {
    for (columns, rows) in SIZES {
        let session = Session::sized(fixture, arguments, columns, rows);
        session.see(until);
        let screen = session.contents();
        if until == PAGER {
            session.keys("q");
        }
        session.end();
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen);
    }
}

#[test]
fn the_overview() {
    assert_screens(
        "overview",
        &Fixture::new(),
        &[],
        "Stuck: cargo workshop hint",
    );
}

#[test]
fn the_next_task() {
    let fixture = Fixture::new();
    let settings = "minutes = 5\nstarter = \"\"\ntask = '''\nMake a service of a program: readable errors, a stop that drains its requests within 5 s,\nand a unit that starts it.'''\n";
    fixture.write("exercises/01-alpha/exercise.toml", settings);
    assert_screens("next", &fixture, &["next"], "Edit, then:");
}

#[test]
fn a_pass() {
    let fixture = Fixture::new();
    fixture.run(&["check", "1"]);
    assert_screens("passed", &fixture, &["check", "1"], "Go on:");
}

#[test]
fn a_hint() {
    for (columns, rows) in SIZES {
        let fixture = Fixture::new();
        let hints = "1 = [\"A hint that is longer than a line of the terminal, and therefore has to be laid out for its real width by the command.\", \"b\"]\n";
        fixture.write("exercises/01-alpha/hints.toml", hints);
        let session = Session::sized(&fixture, &["hint", "1"], columns, rows);
        session.see("Another one, when you have tried:");
        let screen = session.contents();
        session.end();
        insta::assert_snapshot!(format!("hint_{columns}x{rows}"), screen);
    }
}

#[test]
fn a_page_of_the_guide() {
    let fixture = Fixture::new();
    fixture.write("book/src/SUMMARY.md", "- [01 alpha](01-alpha.md)\n");
    let words =
        "A page fits the terminal, whatever its width, with `code` and *stress*. ".repeat(9);
    let page = format!(
        "# 01 alpha\n\n{words}\n\n| Setting | What it does |\n|---|---|\n| `Restart=` | restarts the service when its process ends, for the reasons that the setting names |\n| `RestartSec=` | waits before that |\n\n```ini\n[Service]\nRestart=on-failure\n```\n\n<details>\n<summary>The solution</summary>\n\nFolded.\n\n</details>\n\n{words}\n\n{words}\n"
    );
    fixture.write("book/src/01-alpha.md", &page);
    assert_screens("guide", &fixture, &["guide", "1"], PAGER);
}

fn event(at_s: u64, kind: EventKind) -> Event {
    Event {
        at_us: at_s * 1_000_000,
        unit: Some("exercise-01.service".to_owned()),
        source: Source::Agent,
        kind,
    }
}

#[test]
fn a_timeline() {
    let fixture = Fixture::new();
    let name = "killed again and again".to_owned();
    let mut events = vec![Event {
        unit: None,
        ..event(0, EventKind::ScenarioBegan { name: name.clone() })
    }];
    for turn in 1..60 {
        let message = format!(
            "part {turn} of 60 is loaded, and the line that says so is a long one, as they are"
        );
        let (from, to) = ("start".to_owned(), format!("state-{turn}"));
        events.push(event(turn, EventKind::StateChanged { from, to }));
        events.push(event(
            turn,
            EventKind::Log {
                priority: 6,
                message,
            },
        ));
    }
    events.push(Event {
        unit: None,
        ..event(61, EventKind::ScenarioEnded)
    });
    let timeline = Timeline::new(events);
    let records = [
        Record::Run(Run::new(&Scenario::new(&name), &[], Ok(&timeline))),
        Record::Verdict(Verdict {
            scenario: Some(name),
            ..verdict(1, Outcome::NotYet)
        }),
    ];
    let line = |record: &Record| serde_json::to_string(record).expect("JSON") + "\n";
    let lines: String = records.iter().map(line).collect();
    fixture.write(".workshop/01.report", &lines);
    assert_screens("timeline", &fixture, &["timeline", "1"], PAGER);
}

#[test]
fn a_difference() {
    let fixture = Fixture::new();
    fixture.write("units/exercise-01.service", "[Unit]\nDescription=A service\n\n[Service]\nType=exec\nExecStart=/usr/local/bin/exercise-01\n");
    fixture.write("units/solution-01.service", "[Unit]\nDescription=A service\n\n[Service]\nType=notify\nExecStart=/usr/local/bin/solution-01\nRestart=on-failure\n");
    let body: String = (0..40)
        .map(|line| {
            format!("    println!(\"line {line} of a program that is long enough for a pager\");\n")
        })
        .collect();
    fixture.write("exercises/01-alpha/src/main.rs", "fn main() {}\n");
    fixture.write(
        "solutions/01-alpha/src/main.rs",
        &format!("// Says a lot.\nfn main() {{\n{body}}}\n"),
    );
    fixture.write(
        "solutions/01-alpha/Cargo.toml",
        "[package]\nname = \"solution-01\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
    );
    assert_screens("diff", &fixture, &["diff", "1", "--spoil"], PAGER);
}

#[test]
fn what_is_different_in_numbers() {
    let fixture = Fixture::new();
    fixture.write("units/exercise-01.service", "[Service]\nType=exec\n");
    fixture.write("units/solution-01.service", "[Service]\nType=notify\n");
    fixture.write("solutions/01-alpha/src/main.rs", "fn main() {}\n");
    fixture.write(
        "solutions/01-alpha/Cargo.toml",
        "[package]\nname = \"solution-01\"\n",
    );
    assert_screens(
        "stat",
        &fixture,
        &["diff", "1", "--spoil", "--stat"],
        "units/",
    );
}
