//! `shell`: with a real guest at the other end.

use std::time::Duration;

use exercise_check::report::{Record, Run};
use systemd_lab::protocol::Scenario;
use systemd_lab::{GuestFile, Lab};

use crate::fixture::Fixture;
use crate::session::{DEADLINE, END_OF_FILE, INTERRUPT, SIZES, Session};

const PROMPT: &str = "root@lab:~#";

const LEAVE: &str = "\x1d";

/// A workshop whose first exercise sleeps, and logs that.
pub(crate) fn workshop() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(
        "exercises/01-alpha/src/main.rs",
        "fn main() { println!(\"good morning\"); std::thread::sleep(std::time::Duration::from_secs(3600)); }",
    );
    fixture.write(
        ".cargo/config.toml",
        include_str!("../../../../.cargo/config.toml"),
    );
    fixture.write(
        "units/exercise-01.service",
        "[Service]\nExecStart=/usr/local/bin/exercise-01\n",
    );
    fixture
}

#[test]
fn systemctl_journalctl_and_kill_work() {
    let workshop = workshop();
    let session = Session::new(&workshop, &["shell", "1"]);
    session.see("Leave: exit, Ctrl-D, or Ctrl-]");
    session.see(PROMPT);
    session.keys("systemctl start exercise-01; stty size; clear; systemctl status exercise-01\n");
    session.see("Active: active (running)");
    // `clear` has removed the earlier prompts: this one is new.
    session.see(PROMPT);
    // `systemctl status` shows the same lines: only after this word they are journalctl's, which the key then ends.
    session.keys("clear; echo foll''ow; journalctl -fu exercise-01\n");
    session.see("follow\n");
    session.see("exercise-01[");
    session.see("good morning");
    session.keys(INTERRUPT);
    session.see(PROMPT);
    session.keys("clear; echo st''opped; stty size\n");
    session.see("stopped\n40 120");
    session.see(PROMPT);
    session.keys("systemctl kill -s KILL exercise-01; systemctl is-failed --wait exercise-01; clear; systemctl status exercise-01\n");
    session.see("code=killed, signal=KILL");
    session.see(PROMPT);
    session.keys("exit\n");
    assert_eq!(session.end().code(), Some(0));
}

/// Commands that people type without thinking: all of them exist, and know the terminal.
#[test]
fn a_person_finds_the_usual_programs() {
    let workshop = workshop();
    for (columns, rows) in SIZES {
        let session = Session::sized(&workshop, &["shell", "1"], columns, rows);
        session.see(PROMPT);
        let name = |what: &str| format!("{what}_{columns}x{rows}");
        insta::assert_snapshot!(name("banner"), session.rows());
        session.keys("clear; echo wiped; tput cols; tput lines\n");
        session.see(&format!("wiped\n{columns}\n{rows}\n{PROMPT}"));
        assert!(session.rows().starts_with("wiped\n"), "{}", session.rows());
        session.keys("clear; seq 1 200 >numbers; less numbers\n");
        session.see("numbers");
        session.keys("G");
        session.see("200\n");
        session.see("(END)");
        session.keys("q");
        session.keys("clear; vi numbers\n");
        session.see("\"numbers\" ");
        session.keys("dGifrom vi\x1b:wq\n");
        session.see(PROMPT);
        session.keys("clear; cat numbers\n");
        session.see(&format!("from vi\n{PROMPT}"));
        session.keys("exit\n");
        assert_eq!(session.end().code(), Some(0));
    }
}

#[test]
fn each_way_out_leads_out() {
    let workshop = workshop();
    for keys in [LEAVE, END_OF_FILE, "poweroff -f\n"] {
        let session = Session::new(&workshop, &["shell", "1"]);
        session.see(PROMPT);
        session.keys(keys);
        assert_eq!(session.end().code(), Some(0), "{keys:?}");
    }
}

#[test]
fn a_pipe_is_typed_and_ended() {
    let workshop = workshop();
    let output = workshop
        .command(&["shell", "1"])
        .write_stdin("systemctl start exercise-01\nsystemctl is-active exercise-01")
        .timeout(DEADLINE)
        .output()
        .expect("the command runs");
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    // The console echoes the input, where `inactive` would not be on a line of its own.
    assert!(shown.lines().any(|line| line.trim() == "active"), "{shown}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_shell_opens_where_the_last_check_came_to() {
    let workshop = workshop();
    // The check of a fixture runs nothing in the lab, so this replaces what a real one would have
    // left behind.
    workshop.run(&["check", "1"]);
    let binary = workshop.path("target/x86_64-unknown-linux-gnu/debug/exercise-01");
    let files = [
        GuestFile::program("/usr/local/bin/exercise-01", binary),
        GuestFile::copy(
            "/etc/systemd/system/exercise-01.service",
            workshop.path("units/exercise-01.service"),
        ),
    ];
    let scenario = Scenario::new("killed twice")
        .start("exercise-01.service")
        .sleep(Duration::from_secs(100))
        .signal("exercise-01.service", 9)
        .sleep(Duration::from_secs(100));
    let timeline = Lab::open()
        .and_then(|lab| lab.run(&scenario, &files))
        .expect("the lab works");
    let record = Record::Run(Run::new(&scenario, &files, Ok(&timeline)));
    let line = serde_json::to_string(&record).expect("it is JSON") + "\n";
    workshop.write(".workshop/01.report", &line);

    assert_eq!(
        workshop.says(&["shell", "1", "--at", "lightning"]),
        "standard error:\nno event of exercise 01 is called \"lightning\"; type `cargo workshop timeline 01`, and take a number or words of a line\nexit status 2"
    );
    let session = Session::new(&workshop, &["shell", "1", "--at", "killed, by SIGKILL"]);
    session.see("killed twice: exercise-01.service main process killed, by SIGKILL");
    session.see(PROMPT);
    // The word is split by quotes, so only the output contains it in one piece.
    session.keys("systemctl show -P Result exercise-01; echo no\"\"thing more\n");
    session.see("signal\nnothing more");
    session.keys("exit\n");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn an_exercise_that_was_never_checked() {
    let workshop = workshop();
    assert_eq!(
        workshop.says(&["shell", "1", "--at", "lightning"]),
        "standard error:\nexercise 01 was not checked yet; type: cargo workshop check 01\nexit status 2"
    );
}

#[test]
fn a_service_that_does_not_compile() {
    let workshop = workshop();
    workshop.write("exercises/01-alpha/src/main.rs", "fn main() { missing() }");
    let said = workshop.says(&["shell", "1"]);
    assert!(said.contains("DID NOT BUILD"), "{said}");
    assert!(said.contains("cannot find function `missing`"), "{said}");
    assert!(said.ends_with("exit status 3"), "{said}");
}
