//! `game-day` with a check that stands for stage 06: it plays no day, but has the same test and reads the same variables.

use exercise_check::report::{Record, Review};
use exercise_check::{Outcome, Verdict};
use insta::assert_snapshot;

use crate::fixture::{Fixture, verdict};

const FOLDER: &str = "exercises/06-game-day";

/// On the day of seed 5, faults 3 and 8 together break a promise; nothing else ever does.
const CHECK: &str = r#"
#[test]
fn r7_any_day() {
    let variable = |name: &str| std::env::var(name).expect("the command sets it");
    let (seed, faults) = (variable("GAME_DAY_SEED"), variable("GAME_DAY_FAULTS"));
    let has = |fault: &str| faults.split(',').any(|one| one == fault);
    let text = match seed == "5" && has("3") && has("8") {
        true => include_str!("broken"),
        false => include_str!("kept"),
    };
    let text = text.replace("SEED", &seed).replace("FAULTS", &faults);
    std::fs::write(variable("SYSTEMD_LAB_REPORT"), text).expect("it can be written");
}

#[test]
fn r1_another() {
    panic!("only the day of the seed is to be played");
}
"#;

fn shop() -> Fixture {
    let fixture = Fixture::new();
    let write = |name: &str, content: &str| fixture.write(&format!("{FOLDER}/{name}"), content);
    write(
        "Cargo.toml",
        "[package]\nname = \"exercise-06\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
    );
    write(
        "exercise.toml",
        "minutes = 5\ntask = \"Keep\\nthe promises.\"\nstarter = \"\"\n",
    );
    write("src/main.rs", "fn main() {}\n");
    write("tests/check.rs", CHECK);
    for (name, outcome) in [("kept", Outcome::Passed), ("broken", Outcome::NotYet)] {
        let review = Record::Review(Review {
            scenario: "the game day of seed SEED".to_owned(),
            text: format!("  faults FAULTS: {name} \u{1b}[2J\n"),
        });
        let judged = Record::Verdict(Verdict {
            number: 7,
            of: 7,
            ..verdict(7, outcome)
        });
        let records =
            [review, judged].map(|record| serde_json::to_string(&record).expect("JSON") + "\n");
        write(&format!("tests/{name}"), &records.concat());
    }
    fixture
}

#[test]
fn a_day_is_played_and_reviewed() {
    let fixture = shop();
    assert_snapshot!(fixture.says(&["game-day", "--seed", "4"]), @r#"
    the game day of seed 4:

      faults 1,2,3,4,5,6,7,8,9,10,11,12: kept \u{1b}[2J
    exit status 0
    "#);
    assert_snapshot!(fixture.says(&["game-day", "--seed", "5", "--faults", "3,8,9"]), @r#"
    the game day of seed 5:

      faults 3,8,9: broken \u{1b}[2J

    NOT YET: requirement 7 of 2: the title of 7

    The diagnosis of 7.
    exit status 1
    "#);
}

#[test]
fn a_hunt_ends_with_the_fewest_faults() {
    let fixture = shop();
    assert_snapshot!(fixture.says(&["game-day", "--hunt", "--seed", "4"]), @r#"
    the game day of seed 5:

      faults 3,8: broken \u{1b}[2J

    NOT YET: requirement 7 of 2: the title of 7

    The diagnosis of 7.

    Again: cargo workshop game-day --seed 5 --faults 3,8
    standard error:
    seed 4: every promise holds
    seed 5: a promise is broken; looking for the fewest faults that break one
      faults 7,8,9,10,11,12: holds
      faults 1,2,3,4,5,6: holds
      faults 4,5,6,7,8,9,10,11,12: holds
      faults 1,2,3,7,8,9,10,11,12: still broken
      faults 1,2,3,10,11,12: holds
      faults 1,2,3,7,8,9: still broken
      faults 2,3,7,8,9: still broken
      faults 3,7,8,9: still broken
      faults 7,8,9: holds
      faults 3,8,9: still broken
      faults 3,9: holds
      faults 3,8: still broken
      faults 8: holds
      faults 3: holds
    exit status 1
    "#);
    assert_snapshot!(fixture.says(&["game-day", "--hunt", "--seed", "6", "--days", "2"]), @r#"
    2 days, and every promise holds. More: cargo workshop game-day --hunt --seed 8
    standard error:
    seed 6: every promise holds
    seed 7: every promise holds
    exit status 0
    "#);
}

#[test]
fn what_is_no_day_is_refused() {
    let fixture = shop();
    assert_snapshot!(fixture.says(&["game-day", "--faults", "13"]), @r#"
    standard error:
    error: invalid value '13' for '--faults <NUMBERS>': 13 is not in 1..=12

    For more information, try '--help'.
    exit status 2
    "#);
    assert_snapshot!(Fixture::new().says(&["game-day"]), @r#"
    standard error:
    this workshop has no stage game-day
    exit status 2
    "#);
}

/// Before anything is built: the check itself would say so only with requirement 7, the last one.
#[test]
fn a_seed_that_is_no_number_is_refused() {
    let fixture = shop();
    let says = |arguments: &[&str]| {
        let mut command = fixture.command(arguments);
        command.env("GAME_DAY_SEED", "soon");
        fixture.shown(&command.output().expect("the command runs"))
    };
    assert_snapshot!(says(&["check", "06"]), @r#"
    Exercise 06: game-day

    standard error:
    GAME_DAY_SEED=soon is not a number; set it to one, e.g. GAME_DAY_SEED=7
    exit status 2
    "#);
    // Other stages have no seed.
    let of_another = says(&["check", "01"]);
    assert!(!of_another.contains("GAME_DAY_SEED"), "{of_another}");
}
