//! The command in small test workshops: every outcome, its words and its exit status.

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../fixture/starters.rs"]
mod starters;

mod building;
mod check;
mod game_day;
mod kills;
mod output;
mod progress;
mod ready;
mod suite;
mod timeline;

use insta::assert_snapshot;

use fixture::Fixture;

#[test]
fn unknown_exercise() {
    let fixture = Fixture::new();
    let said = fixture.says(&["check", "9"]);
    assert_snapshot!("unknown_exercise", said);
    assert_eq!(fixture.says(&["hint", "9"]), said);
}

#[test]
fn misspelt_command() {
    assert_snapshot!("misspelt_command", Fixture::new().says(&["chek"]));
}

#[test]
fn help() {
    assert_snapshot!("help", Fixture::new().says(&["help"]));
}

#[test]
fn outside_a_clone() {
    let fixture = Fixture::new();
    std::fs::remove_dir_all(fixture.path("exercises")).expect("it is there");
    assert_snapshot!("outside_a_clone", fixture.says(&["list"]));
}

#[test]
fn settings_that_cannot_be_read() {
    let fixture = Fixture::new();
    fixture.write("exercises/01-alpha/exercise.toml", "minutes = many\n");
    assert_snapshot!("settings_that_cannot_be_read", fixture.says(&["list"]));
}
