//! `cargo workshop install` and `uninstall`, in the environment that they are meant for: a machine that systemd
//! runs, here the lab's.
//!
//! It has no compiler: one script replaces cargo, and another one the program that cargo would build.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab};

/// In virtual time: longer than any of these commands takes.
const LONG: Duration = Duration::from_secs(300);

const ROOT: &str = "/srv/clone";

/// Prints what cargo prints when it has built something.
const CARGO: &str = r#"#!/usr/bin/bash
[[ -e /srv/broken ]] && { echo "error: could not compile exercise-01: expected one of 7 tokens" >&2; exit 101; }
echo '{"reason":"compiler-artifact","manifest_path":"/srv/clone/exercises/01-alpha/Cargo.toml","target":{"name":"exercise-01","kind":["bin"]},"executable":"/srv/service"}'
"#;

const SERVICE: &str = "#!/usr/bin/bash\nexec sleep infinity\n";

/// Prints what it was asked to do, and does nothing; one unit runs.
const SUDO: &str = r#"#!/usr/bin/bash
echo "sudo $*" >&2
[[ $* == *list-units*active* ]] && echo "exercise-01.service loaded active running"
exit 0
"#;

const UNIT: &str =
    "[Service]\nExecStart=/usr/local/bin/exercise-01\n[Install]\nWantedBy=multi-user.target\n";

const FAILING: &str = "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n";

/// Everything that could be left of the exercise.
const REST: &str = "printf '%s\\n' /usr/local/bin/* /var/lib/cargo* /etc/systemd/system/**/*exercise*; \
    systemctl list-units --all --plain --no-legend 'exercise-*'";

/// Makes this test executable open a terminal, and type this answer.
const ANSWER: &str = "EXERCISE_TEST_ANSWER";

/// What the terminal showed.
const SHOWN: &str = "/srv/shown";

/// Types these commands in the guest, one after the other; returns the output that a person would have seen.
fn session(commands: &[&str]) -> String {
    let lab = Lab::open().expect("the lab opens");
    let in_clone = |path: &str, text: &str| GuestFile::text(format!("{ROOT}/{path}"), text);
    let files = [
        GuestFile::program("/srv/workshop", env!("CARGO_BIN_EXE_workshop")),
        GuestFile::program("/srv/typist", env::current_exe().expect("it runs")),
        GuestFile::text("/srv/cargo", CARGO),
        GuestFile::text("/srv/service", SERVICE),
        GuestFile::text("/srv/sudo", SUDO),
        in_clone("crates/workshop/README", ""),
        in_clone("exercises/01-alpha/Cargo.toml", ""),
        in_clone("units/exercise-01.service", UNIT),
        in_clone("units/exercise-01.service~", UNIT),
        in_clone(
            "units/exercise-01.service.d/limit.conf",
            "[Service]\nMemoryMax=50M\n",
        ),
        in_clone("units/exercise-01-alert@.service", FAILING),
        in_clone("units/exercise-011.service", UNIT),
    ];
    let prepare = "chmod +x /srv/*; shopt -s nullglob globstar; export CARGO=/srv/cargo; cd /srv/clone; PATH+=:/srv; \
                   export CARGO_MANIFEST_DIR=/srv/clone/crates/workshop; ";
    let mut scenario = Scenario::new("install");
    for command in commands {
        // In one stream, as on a terminal.
        let typed = format!("exec 2>&1; {prepare}{command}");
        scenario = scenario.step(Step::Run {
            argv: ["/usr/bin/bash", "-c", &typed].map(str::to_owned).to_vec(),
            deadline: LONG,
        });
    }
    let timeline = lab.run(&scenario, &files).expect("the lab works");
    let outputs = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Command { status, output, .. } => Some((status, output)),
            _ => None,
        });
    let shown = commands
        .iter()
        .zip(outputs)
        .map(|(command, (status, output))| {
            format!("$ {command}\n{output}[exit status {status}]\n\n")
        });
    shown.collect()
}

#[test]
fn uninstall_takes_away_what_install_has_written() {
    assert_snapshot!(
        "there_and_away",
        session(&[
            "workshop install 1 --yes",
            "stat -c '%a %n' /usr/local/bin/exercise-01 /etc/systemd/system/exercise-01*",
            "systemctl enable --now exercise-01; systemctl is-active exercise-01; systemctl show -P MemoryMax exercise-01",
            "systemctl start exercise-01-alert@x; systemctl is-failed exercise-01-alert@x",
            "workshop uninstall 1",
            REST,
            "workshop uninstall 1",
        ])
    );
}

#[test]
fn a_second_install_replaces_the_first() {
    assert_snapshot!(
        "replaced",
        session(&[
            "workshop install 1 --yes >/dev/null; systemctl start exercise-01",
            "systemctl start exercise-01-alert@x.service 2>/dev/null; systemctl is-failed exercise-01-alert@x",
            "mv units/exercise-01-alert@.service units/exercise-01-alarm@.service",
            "printf '[Unit]\nDescription=new\n' >> units/exercise-01.service",
            "workshop install 1 --yes",
            "systemctl show -P Description exercise-01",
            // Neither a missing file nor a foreign one is an obstacle.
            "rm /usr/local/bin/exercise-01; echo '[Service]' > /etc/systemd/system/exercise-01.service.d/mine.conf",
            "workshop uninstall 1",
            REST,
        ])
    );
}

#[test]
fn a_unit_file_that_is_gone_does_not_stay_enabled() {
    assert_snapshot!(
        "gone",
        session(&[
            "workshop install 1 --yes >/dev/null; systemctl enable --now exercise-01",
            "rm /etc/systemd/system/exercise-01.service",
            "workshop uninstall 1",
            REST,
        ])
    );
}

#[test]
fn refusals() {
    assert_snapshot!(
        "refusals",
        session(&[
            "workshop install 1",
            "workshop install 9 --yes",
            "unshare --mount bash -c 'mount -t tmpfs none /run/systemd && workshop install 1 --yes'",
            "touch /srv/broken; workshop install 1 --yes; status=$?; rm /srv/broken; exit $status",
            "touch /etc/systemd/system/exercise-01.service; workshop install 1 --yes",
            REST,
        ])
    );
}

#[test]
fn asks_on_a_terminal() {
    let answer = |word: &str| {
        format!("{ANSWER}={word} typist --exact asks_on_a_terminal >/dev/null; cat {SHOWN}")
    };
    if let Ok(word) = env::var(ANSWER) {
        return type_answer(&word);
    }
    assert_snapshot!("asked", session(&[&answer("n"), REST, &answer("y"), REST]));
}

/// Runs in the guest.
fn type_answer(word: &str) {
    let (person, program) = terminal();
    let mut child = Command::new("/srv/workshop")
        .args(["install", "1"])
        .stdin(program.try_clone().expect("it is open"))
        .stdout(program.try_clone().expect("it is open"))
        .stderr(program)
        .spawn()
        .expect("it starts");
    let mut person = File::from(person);
    writeln!(person, "{word}").expect("it is open");
    let status = child.wait().expect("it ends");
    // The output is still in the terminal, which reports an error at its end.
    let mut shown = Vec::new();
    let _ = person.read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown).replace('\r', "");
    fs::write(SHOWN, format!("{shown}{status}\n")).expect("it can be written");
}

/// Its two ends.
fn terminal() -> (OwnedFd, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there is /dev/ptmx");
    grantpt(&person).expect("it is ours");
    unlockpt(&person).expect("it is ours");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let name = name.into_string().expect("it is ASCII");
    let program = File::options().read(true).write(true).open(name);
    (person, program.expect("it is unlocked").into())
}

#[test]
fn everything_that_needs_root_goes_through_sudo() {
    let nobody = "setpriv --reuid=65534 --clear-groups";
    let install = format!("{nobody} workshop install 1 --yes 2>&1 | sed 's|/tmp/[^ ]*|TEMPORARY|'");
    let uninstall = format!("{nobody} workshop uninstall 1");
    assert_snapshot!(
        "sudo",
        session(&[
            &install,
            "workshop install 1 --yes >/dev/null; systemctl start exercise-01",
            &uninstall,
        ])
    );
}
