//! `cargo workshop run`: a small service in the lab, what can be stored of it, and everything that can be wrong before the boot.

#[path = "../fixture/mod.rs"]
mod fixture;

use std::os::unix::fs::PermissionsExt;
use std::{env, fs};

use insta::assert_snapshot;
use serde_json::Value;

use fixture::Fixture;

/// A service that consists of tools in the guest. It does not speak HTTP, and does not listen.
const SLEEPER: &str = "\
[Service]
ExecStart=/usr/bin/sleep infinity
Restart=on-failure
RestartSec=5s
";

/// A folder to run the command in, with this text as `my.service`.
fn with_unit(unit: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("my.service", unit);
    fixture
}

/// The command's output when it runs in the fixture's folder.
fn says(fixture: &Fixture, arguments: &[&str]) -> String {
    let mut command = fixture.command(&["run", "--unit", "my.service"]);
    command.current_dir(fixture.root()).args(arguments);
    fixture.shown(&command.output().expect("the command runs"))
}

/// A stored timeline without milliseconds and without versions, which differ in other guests.
fn without_what_varies(kept: &str) -> String {
    let line = |line: &str| match line.strip_prefix("# measured with ") {
        Some(with) => {
            assert!(
                with.contains("systemd 257") && with.contains("QEMU"),
                "{with}"
            );
            "# measured with […]".to_owned()
        }
        None => match line.split_once('.') {
            Some((time, rest)) if time.contains(':') && !time.starts_with('#') => {
                format!(
                    "{time}.[…]{}",
                    rest.trim_start_matches(|c: char| c.is_ascii_digit())
                )
            }
            _ => line.to_owned(),
        },
    };
    let lines: Vec<String> = kept.lines().map(line).collect();
    lines.join("\n")
}

/// The command's output where there can be no lab: so it needs no lab to know this.
fn says_without_a_lab(fixture: &Fixture, arguments: &[&str]) -> String {
    let mut command = fixture.command(&["run"]);
    command
        .current_dir(fixture.root())
        .env("SYSTEMD_LAB_CACHE", "/proc/no-cache-can-be-here")
        .args(arguments);
    fixture.shown(&command.output().expect("the command runs"))
}

/// `after 5.2 s` becomes `after 5.… s`: systemd's timers are up to 250 ms late, depending on the image.
fn without_slack(said: &str) -> String {
    let mut parts = said.split("after ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (seconds, rest) = part.split_once('.').unwrap_or((part, ""));
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        text += &format!("after {seconds}.…{rest}");
    }
    text
}

#[test]
fn a_service_that_is_killed_and_frozen_and_stopped() {
    let fixture = with_unit(SLEEPER);
    let faults = [
        "--at",
        "10s",
        "kill=SIGKILL",
        "--at",
        "60s",
        "freeze",
        "--at",
        "2min",
        "restart",
        "--at",
        "3min",
        "stop",
        "--at",
        "4min",
        "kill",
        "--for",
        "5min",
    ];
    assert_snapshot!("faults", without_slack(&says(&fixture, &faults)));
}

#[test]
fn a_timeline_is_kept_and_compared_with() {
    let fixture = with_unit(SLEEPER);
    let faults = |fault| ["--at", "10s", fault];
    let kept = says(
        &fixture,
        &[&faults("kill")[..], &["--save", "kept.txt"]].concat(),
    );
    assert!(
        kept.ends_with("kept.txt is written.\nexit status 0"),
        "{kept}"
    );
    assert_snapshot!("kept", without_what_varies(&fixture.read("kept.txt")));

    let expect = ["--expect", "kept.txt"];
    let same = says(&fixture, &[&faults("kill=SIGKILL")[..], &expect].concat());
    assert!(
        same.ends_with("As expected: kept.txt\nexit status 0"),
        "{same}"
    );

    fixture.write(
        "my.service",
        &SLEEPER.replace("RestartSec=5s", "RestartSec=20s"),
    );
    let other = says(&fixture, &[&faults("kill")[..], &expect].concat());
    let (_, complaint) = other.split_once("standard error:").expect("it complains");
    assert_snapshot!("not_as_expected", complaint);
}

#[test]
fn programs_read_json() {
    let fixture = with_unit(SLEEPER);
    let mut command = fixture.command(&["run", "--unit", "my.service", "--at", "10s", "kill"]);
    command.current_dir(fixture.root()).arg("--json");
    let output = command.output().expect("the command runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    assert_eq!(document["version"], 1);
    assert_eq!(document["summary"]["restarts"], 1);
    let fault = &document["summary"]["faults"][0];
    assert_eq!(fault["fault"], "kill=SIGKILL");
    let after = fault["running"]["after"].as_u64().expect("it came back");
    // RestartSec=, up to 250 ms of slack, and the start.
    assert!((5_000_000..6_000_000).contains(&after), "{after}");
    assert!(
        document["timeline"]
            .as_array()
            .is_some_and(|events| events.len() > 10)
    );
}

#[test]
fn a_picture_shows_the_faults() {
    let fixture = with_unit(SLEEPER);
    says(&fixture, &["--at", "10s", "kill", "--svg", "my.svg"]);
    let picture = fixture.read("my.svg");
    assert!(picture.starts_with("<svg") && picture.contains("fault: kill=SIGKILL"));
}

#[test]
fn a_program_of_the_hosts_runs_with_the_guests_libraries() {
    // The host's shell is linked dynamically, and needs only libraries that the guest has.
    let fixture = with_unit("[Service]\nExecStart=/opt/sh -c 'exec sleep infinity'\n");
    let said = says(&fixture, &["--file", "/bin/sh:/opt/sh", "--for", "5s"]);
    assert!(said.contains("my.service is running"), "{said}");
}

#[test]
fn systemd_refuses_the_unit() {
    let fixture = with_unit("[Service]\nType=oneshot\nRestart=always\nExecStart=/usr/bin/true\n");
    assert_snapshot!("refused", says(&fixture, &["--for", "5s"]));
}

#[test]
fn a_program_that_is_not_there_is_a_warning_and_a_finding() {
    let fixture = with_unit("[Service]\nExecStart=/opt/my/server\n");
    assert_snapshot!("no_program", says(&fixture, &["--for", "5s"]));
    let said = says(
        &with_unit("[Service]\nExecStart=sleep infinity\n"),
        &["--for", "5s"],
    );
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn what_the_guest_lacks_is_named() {
    let fixture = with_unit(SLEEPER);
    fixture.write("script", "#!/usr/bin/python3\n");
    let script = fixture.path("script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let said = says(&fixture, &["--file", "script:/usr/bin/my"]);
    assert_snapshot!("script", said);

    // The first of these programs that exists; they need libraries that no guest has.
    let path = env::var_os("PATH").unwrap_or_default();
    let qemu = env::split_paths(&path)
        .map(|folder| folder.join("qemu-system-x86_64"))
        .find(|file| file.exists())
        .expect("the lab needs it");
    let qemu = qemu.display();
    let said = says(&fixture, &["--file", &format!("{qemu}:/usr/bin/my")]);
    assert!(
        said.contains(".so.") && said.contains("+crt-static") && said.ends_with("exit status 2"),
        "{said}"
    );
}

/// The line is right, and what to do stands in the warning, in the finding and in the error.
#[test]
fn a_time_zone_that_the_guest_does_not_have() {
    let fixture = with_unit(SLEEPER);
    fixture.write(
        "my.timer",
        "[Timer]\nOnCalendar=*-*-* 02:30:00 Europe/Berlin\n",
    );
    let mut command = fixture.command(&["run", "--unit", "my.timer", "--unit", "my.service"]);
    command.current_dir(fixture.root()).args(["--for", "5s"]);
    let said = fixture.shown(&command.output().expect("the command runs"));
    assert_eq!(said.matches("--package tzdata").count(), 3, "{said}");
    assert!(said.ends_with("exit status 2"), "{said}");
}

/// systemd ignores an unknown setting with a warning, and so does the lab.
#[test]
fn unknown_settings_are_warnings() {
    let fixture = with_unit(&SLEEPER.replace("Restart=", "Restrat="));
    let unit = fixture.read("my.service");
    fixture.write("my.service", &format!("[Unit]\nType=exec\n{unit}"));
    let said = says(&fixture, &["--for", "5s"]);
    assert_snapshot!("warnings", said);
}

/// Every kind of option, from a file and from the command line.
#[test]
fn a_plan_in_a_file() {
    let fixture = Fixture::new();
    fixture.write(
        "plans/units/worker@.service",
        "[Service]\nUser=my\nExecStart=/bin/sh -c 'echo $WORDS >/var/lib/my/here; exec sleep infinity'\nRestart=always\nRestartSec=5s\n",
    );
    fixture.write("plans/text", "from a file\n");
    fixture.write(
        "plans/plan.toml",
        "\
unit = \"units/worker@.service\"
instance = \"1\"
file = [\"text:/etc/my/text\"]
user = \"my\"
dir = \"/var/lib/my:my:0750\"
env = [\"WORDS=50% of \\\"this\\\"\"]
date = \"2026-03-29 00:59:30\"
at = [[\"10s\", \"kill\"], [\"restart 1 + 5s\", \"run=cat /etc/my/text /var/lib/my/here; date\"]]
exec = \"test -e /var/lib/my/here,every=10s,name=file\"
for = \"1h\"
require = [\"restarts <= 1\", \"no unit failed\"]
",
    );
    let mut command = fixture.command(&["run", "--plan", "plans/plan.toml"]);
    let more = [
        "--for",
        "2min",
        "--at",
        "30s",
        "stop",
        "--require",
        "availability >= 99.99%",
        "--junit",
        "junit.xml",
    ];
    command.current_dir(fixture.root()).args(more);
    let said = fixture.shown(&command.output().expect("the command runs"));
    assert_snapshot!("plan", without_slack(&said));
    let junit = fixture.read("junit.xml");
    assert_snapshot!("junit", without_ids(&junit));
}

/// JUnit's XML without what differs from run to run.
fn without_ids(xml: &str) -> String {
    let lines = xml.lines().map(|line| match line.split_once(" uuid=") {
        Some((before, rest)) => {
            let after = rest.split_once(' ').map_or(">", |(_, after)| after);
            format!("{before} {after}")
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_required_and_does_not_hold() {
    let fixture = with_unit(&SLEEPER.replace("on-failure", "no"));
    let arguments = [
        "--at",
        "running",
        "oom",
        "--at",
        "READY=1",
        "freeze",
        "--require",
        "recovery <= 5s",
        "--require",
        "my.service did not fail",
        "--require",
        "restarts = 0",
    ];
    assert_snapshot!("required", says(&fixture, &arguments));
    let mut command = fixture.command(&["run", "--unit", "my.service", "--json"]);
    command.current_dir(fixture.root()).args(arguments);
    let output = command.output().expect("the command runs");
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    let required = &document["requirements"];
    assert_eq!(required[0]["requirement"], "recovery <= 5s");
    assert_eq!(required[0]["holds"], false);
    assert_eq!(required[2]["holds"], true);
    let faults = &document["summary"]["faults"];
    assert_eq!(faults[0]["when"], "running");
    assert!(faults[0]["at_us"].as_u64().is_some_and(|at| at < 1_000_000));
    assert_eq!(faults[1]["at_us"], Value::Null);
}

/// All of these are known without a lab.
#[test]
fn wrong_plans() {
    let fixture = with_unit(SLEEPER);
    fixture.write("empty.service", "[Service]\nType=exec\n");
    fixture.write("worker@.service", SLEEPER);
    fixture.write(
        "section.service",
        &SLEEPER.replace("[Service]", "[Services]"),
    );
    let my = ["--unit", "my.service"];
    fixture.write(
        "wrong.toml",
        "unit = \"my.service\"\n\nutni = \"other.service\"\n",
    );
    fixture.write("wrong-type.toml", "at = [[\"10s\"]]\n");
    let plans: &[(&str, &[&str])] = &[
        ("no unit", &[]),
        ("unit is absent", &["--unit", "absent.service"]),
        ("unit is not a unit", &["--unit", "Cargo.toml"]),
        (
            "unit is absent, in a folder",
            &["--unit", "units/my.service"],
        ),
        ("package with a version", &["--package", "nginx=1.2"]),
        ("unknown suite", &["--suite", "sid"]),
        ("template", &["--unit", "worker@.service"]),
        ("no ExecStart=", &["--unit", "empty.service"]),
        ("unknown section", &["--unit", "section.service"]),
        ("file is absent", &["--file", "absent:/usr/bin/my"]),
        ("file without a place", &["--file", "Cargo.toml"]),
        ("relative place", &["--file", "Cargo.toml:my"]),
        ("folder", &["--file", "exercises:/opt/x"]),
        ("unknown fault", &["--at", "10s", "explode"]),
        ("unknown signal", &["--at", "10s", "kill=SIGFOO"]),
        ("no time", &["--at", "soon", "kill"]),
        ("time after the fault", &["--at", "kill", "10s"]),
        ("time and fault in one", &["--at", "10s,kill", "--for"]),
        ("fault without a time", &["--at", "kill"]),
        (
            "fault after the end",
            &["--at", "2h", "kill", "--for", "1h"],
        ),
        ("fault at nothing", &["--at", "10s", "kill@other.service"]),
        ("URL with a name", &["--get", "http://localhost:8080/"]),
        ("URL with TLS", &["--get", "https://127.0.0.1/"]),
        ("address elsewhere", &["--connect", "192.0.2.1:22"]),
        ("nothing to expect", &["--expect", "absent.txt"]),
        ("time and fault in one, at the end", &["--at", "10s,kill"]),
        ("time and fault in one, joined", &["--at=10s,kill"]),
        (
            "command at a unit that is none",
            &["--at", "10s", "daemon-reload@other.service"],
        ),
        (
            "waits for nothing",
            &["--at", "READY=1@other.service", "kill"],
        ),
        (
            "unit and program swapped",
            &[
                "--unit",
                "target/debug/my",
                "--file",
                "my.service:/usr/bin/my",
            ],
        ),
        ("unit file as a file", &["--file", "my.service"]),
        ("instance of no template", &["--instance", "1"]),
        (
            "bad instance",
            &["--unit", "worker@.service", "--instance", "a b"],
        ),
        ("bad user", &["--user", "My User"]),
        ("bad directory", &["--dir", "/var/lib/my:my:rwx:x:y"]),
        ("bad variable", &["--env", "PORT"]),
        ("bad date", &["--date", "tomorrow"]),
        (
            "question without an answer",
            &["--ask", "127.0.0.1:6379,send=PING"],
        ),
        ("two probes alike", &["--exec", "true", "--exec", "true"]),
        ("unknown requirement", &["--require", "uptime >= 99%"]),
        ("not measured", &["--require", "availability >= 99%"]),
        (
            "no such probe",
            &[
                "--exec",
                "true,name=health",
                "--require",
                "availability of page >= 99%",
            ],
        ),
        ("nothing for JUnit", &["--junit", "-"]),
        ("no plan", &["--plan", "absent.toml"]),
        ("unknown key", &["--plan", "wrong.toml"]),
        ("wrong type", &["--plan", "wrong-type.toml"]),
    ];
    let mut all = String::new();
    for (name, arguments) in plans {
        let needs_unit = *name != "no unit" && !arguments.contains(&"--unit");
        let unit = if needs_unit { &my[..] } else { &[] };
        let said = says_without_a_lab(&fixture, &[unit, *arguments].concat());
        assert!(said.ends_with("exit status 2"), "{name}: {said}");
        all += &format!("# {name}\n{said}\n\n");
    }
    assert_snapshot!("wrong_plans", all);
}

/// A service's words reach the terminal in the timeline, the findings and the summary, and programs as JSON.
#[test]
fn a_service_does_not_steer_the_terminal() {
    let fixture = with_unit(
        "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=3s\nExecStart=/bin/bash -c 'say() { printf \"\\\\033[2J\\\\033]0;x\\\\007 \\\\342\\\\200\\\\256\\\\n\"; }; say; systemd-notify \"--status=$(say)\"; say >/proc/$$/comm; trap \"\" TERM; while :; do sleep 1; done'\nTimeoutStopSec=2s\n",
    );
    let shown = "\\u{1b}[2J\\u{1b}]0;x\\u{7} \\u{202e}";
    let said = says(&fixture, &["--full"]);
    assert!(said.contains(&format!("log: {shown}")), "{said}");
    assert!(said.contains(&format!("STATUS={shown}")), "{said}");
    let json = says(&fixture, &["--json"]);
    assert!(
        json.contains("\\u001b[2J\\u001b]0;x\\u0007 \\u202e"),
        "{json}"
    );
    for said in [said, json] {
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert_eq!(said.find(steers), None, "{said:?}");
    }
}

/// The figures are correct, and the output names the setting that the lab overrides.
#[test]
fn a_quiet_unit_is_seen() {
    let fixture = with_unit(&format!("{SLEEPER}Restart=always\nLogLevelMax=warning\n"));
    let said = says(&fixture, &["--at", "10s", "kill"]);
    for part in [
        "warning: my.service:6: the lab runs the unit without LogLevelMax=: ",
        "Restarts by systemd 1\n",
        "At the end          my.service is running\n",
        "exit status 0",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

/// The output gives the reason, and no figure that is unknown; requirements are not met.
#[test]
fn a_service_that_blinds_the_lab() {
    let fixture = with_unit(
        "[Service]\nExecStart=/bin/sh -c 'sleep 5; systemctl log-level notice; exec sleep infinity'\nRestart=always\n",
    );
    let said = says(
        &fixture,
        &["--at", "10s", "kill", "--require", "restarts <= 1"],
    );
    assert_snapshot!("blind", said);
}

#[test]
fn a_unit_of_the_labs_own_name_is_refused() {
    let fixture = Fixture::new();
    fixture.write("systemd-lab-agent.service", SLEEPER);
    fixture.write("quiet.conf", "[Journal]\nStorage=none\n");
    let plans: [&[&str]; 2] = [
        &["--unit", "systemd-lab-agent.service"],
        &[
            "--unit",
            "my.service",
            "--file",
            "quiet.conf:/etc/systemd/journald.conf.d/x.conf",
        ],
    ];
    fixture.write("my.service", SLEEPER);
    for plan in plans {
        let said = says_without_a_lab(&fixture, plan);
        assert!(
            said.contains(" cannot be put into the guest: the lab "),
            "{said}"
        );
        assert!(said.ends_with("exit status 2"), "{said}");
    }
}

#[test]
fn help() {
    assert_snapshot!("help", Fixture::new().says(&["run", "--help"]));
}

/// As many runs at a time as there are processors, whichever process asks: one more run waits until one of them has ended.
#[test]
fn a_run_waits_until_a_processor_is_free() {
    let fixture = with_unit(SLEEPER);
    let lab = systemd_lab::Lab::open().expect("the lab can be set up");
    let image = lab.image();
    let queue = image.parent().expect("it is in the cache").join("turns");
    fs::create_dir_all(&queue).expect("it can be made");
    // Runs of other processes come first and do not end. Runs of parallel tests wait as well.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let ahead = (0..processors).map(|number| {
        let path = queue.join(format!("{number}-1"));
        let file = fs::File::create(&path).expect("it can be made");
        file.lock().expect("it can be locked");
        (path, file)
    });
    let ahead: Vec<_> = ahead.collect();
    let mut run = std::process::Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(["run", "--unit", "my.service", "--for", "5s"])
        .current_dir(fixture.root())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the command runs");
    // Ten times as long as the run takes.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let ended = run.try_wait().expect("it can be asked");
    for (path, _) in &ahead {
        let _ = fs::remove_file(path);
    }
    drop(ahead);
    assert!(ended.is_none(), "it did not wait: {ended:?}");
    assert!(run.wait().expect("it ends").success());
}
/// Each is refused before anything boots, with the exit status for wrong usage, and without waiting for any of them.
#[test]
fn files_that_the_guest_cannot_be_given() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let fixture = with_unit(SLEEPER);
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, fixture.path("pipe"), FileType::Fifo, mode, 0).expect("it can be made");
    let _socket =
        std::os::unix::net::UnixListener::bind(fixture.path("socket")).expect("it can be made");
    fs::create_dir(fixture.path("folder")).expect("a folder");
    fs::create_dir(fixture.path("other")).expect("a folder");
    mknodat(
        CWD,
        fixture.path("other/pipe.service"),
        FileType::Fifo,
        mode,
        0,
    )
    .expect("it can be made");
    let huge = fs::File::create(fixture.path("huge")).expect("a file");
    huge.set_len(100 << 30).expect("it is sparse");
    let large = fs::File::create(fixture.path("large")).expect("a file");
    large.set_len(200 << 20).expect("it is sparse");
    for name in [
        "we ird\"x.service",
        "@x.service",
        "ü.service",
        &format!("{}.service", "x".repeat(247)),
    ] {
        fixture.write(name, SLEEPER);
    }
    let unit = ["--unit", "my.service"];
    let file = |file: &str| {
        [&unit[..], &["--file", file]]
            .concat()
            .iter()
            .map(|&it| it.to_owned())
            .collect::<Vec<_>>()
    };
    let named = |unit: &str| vec!["--unit".to_owned(), unit.to_owned()];
    let long = format!("my.service:/srv/{}", "x".repeat(256));
    let mut all = String::new();
    for (name, arguments) in [
        ("a named pipe", file("pipe:/x")),
        ("a device", file("/dev/zero:/x")),
        ("a socket", file("socket:/x")),
        ("a folder", file("folder:/x")),
        ("a huge file", file("huge:/x")),
        ("a large file", file("large:/x")),
        ("a unit that is a named pipe", named("other/pipe.service")),
        ("a name that systemd refuses", named("we ird\"x.service")),
        ("another", named("@x.service")),
        ("no ASCII", named("ü.service")),
        ("the kernel's", file("my.service:/proc/sysrq-trigger")),
        (
            "the kernel's, in another way",
            file("my.service://./sys/power/state"),
        ),
        ("a device's place", file("my.service:/dev/console")),
        ("systemd's", file("my.service:/run/systemd/notify")),
        (
            "systemd's, in another way",
            file("my.service:/var/run/systemd/private"),
        ),
        (
            "a file and a directory",
            [
                file("my.service:/x"),
                vec!["--file".into(), "my.service:/x/y".into()],
            ]
            .concat(),
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = says_without_a_lab(&fixture, &arguments);
        assert!(said.ends_with("exit status 2"), "{name}: {said}");
        all += &format!("# {name}\n{said}\n\n");
    }
    assert_snapshot!("cannot_be_given", all);
    let said = says_without_a_lab(&fixture, &["--unit", "my.service", "--file", &long]);
    assert!(
        said.contains("the name is too long") && said.ends_with("exit status 2"),
        "{said}"
    );
    let too_long = format!("{}.service", "x".repeat(248));
    let said = says_without_a_lab(&fixture, &["--package", "pp", "--unit", &too_long]);
    assert!(
        said.contains("at most 255 characters") && said.ends_with("exit status 2"),
        "{said}"
    );
    // Plans and timelines may come from a pipe that ends.
    for option in ["--plan", "--expect"] {
        for source in ["pipe", "/dev/zero"] {
            let said = says_without_a_lab(&fixture, &[option, source]);
            assert!(said.ends_with("exit status 2"), "{option} {source}: {said}");
        }
    }
}

/// Only the guest knows this.
#[test]
fn a_file_where_the_guest_has_a_directory() {
    let fixture = with_unit(SLEEPER);
    for place in ["/usr/bin", "/etc/passwd/x"] {
        let said = says(&fixture, &["--file", &format!("my.service:{place}")]);
        let expected = format!("the guest cannot be given the file {place}: ");
        assert!(
            said.contains(&expected) && said.ends_with("exit status 2"),
            "{said}"
        );
    }
    let said = says(
        &fixture,
        &[
            "--for",
            "1s",
            "--file",
            "my.service:/dev/shm/x",
            "--file",
            "my.service:/run/x",
        ],
    );
    assert!(said.ends_with("exit status 0"), "{said}");
}

/// This covers the unit, the program, the plan, and the timeline to compare with; even --force does not change it.
#[test]
fn what_is_read_is_not_replaced() {
    let fixture = with_unit(SLEEPER);
    let plan = "unit = \"my.service\"\n";
    fixture.write("plan.toml", plan);
    fixture.write("program", "#!/bin/sh\n");
    fixture.write("mine", "something of mine");
    fixture.write("kept.txt", "# measured with systemd 257\n");
    std::os::unix::fs::symlink("my.service", fixture.path("link")).expect("it can be linked");
    let read = ["--plan", "plan.toml", "--file", "program:/usr/bin/program"];
    for file in ["my.service", "./my.service", "link", "program", "plan.toml"] {
        for option in ["--save", "--svg", "--junit"] {
            let written = [option, file, "--force", "--require", "no unit failed"];
            let said = says_without_a_lab(&fixture, &[&read[..], &written].concat());
            let expected =
                format!("{file} is read by this command, and would be replaced; name another file");
            assert!(
                said.contains(&expected) && said.ends_with("exit status 2"),
                "{said}"
            );
        }
    }
    let both = ["--expect", "kept.txt", "--svg", "kept.txt"];
    let said = says_without_a_lab(&fixture, &[&read[..], &both].concat());
    assert!(said.contains("kept.txt is read by this command"), "{said}");
    let twice = ["--save", "new", "--svg", "new"];
    let said = says_without_a_lab(&fixture, &[&read[..], &twice].concat());
    assert!(
        said.contains("new would be written twice; name two files"),
        "{said}"
    );
    let said = says_without_a_lab(&fixture, &[&read[..], &["--save", "mine"]].concat());
    assert!(
        said.contains("mine exists, and the lab did not write it"),
        "{said}"
    );
    let said = says_without_a_lab(&fixture, &[&read[..], &["--save", "."]].concat());
    assert!(
        said.contains(". is a directory; name a file in it"),
        "{said}"
    );
    for (file, content) in [
        ("my.service", SLEEPER),
        ("program", "#!/bin/sh\n"),
        ("plan.toml", plan),
        ("mine", "something of mine"),
    ] {
        assert_eq!(fixture.read(file), content);
    }
}

/// The lab's own files are replaced; an unexpected run fails whatever the reader does, and a full disk does not change that.
#[test]
fn a_verdict_outlives_its_report() {
    let fixture = with_unit(SLEEPER);
    let kept = says(&fixture, &["--for", "1s", "--save", "kept.txt"]);
    assert!(kept.ends_with("exit status 0"), "{kept}");
    let run = |arguments: &[&str], stdout: std::process::Stdio| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("workshop"));
        command
            .args(["run", "--unit", "my.service", "--for", "1s"])
            .args(arguments)
            .env("CARGO_MANIFEST_DIR", fixture.path("crates/workshop"))
            .current_dir(fixture.root())
            .stdout(stdout);
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("panicked"), "{text}");
        (output.status.code(), text)
    };
    let full = || {
        fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there")
    };
    let (code, text) = run(&["--save", "kept.txt"], full().into());
    assert_eq!(code, Some(6), "{text}");
    assert!(
        text.contains("cannot write standard output: No space left on device"),
        "{text}"
    );
    let (code, text) = run(&["--save", "/dev/full"], std::process::Stdio::null());
    assert_eq!(code, Some(6), "{text}");
    assert!(
        text.contains("cannot write /dev/full: No space left on device"),
        "{text}"
    );
    fixture.write("my.service", "[Service]\nExecStart=/usr/bin/false\n");
    for arguments in [
        &["--expect", "kept.txt"][..],
        &["--expect", "kept.txt", "--json"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, text) = run(arguments, writer.into());
        assert_eq!(code, Some(1), "{text}");
        let (code, text) = run(arguments, full().into());
        assert_eq!(code, Some(1), "{text}");
    }
}

/// First attempts of people: the message shows the right form.
#[test]
fn words_that_stand_alone() {
    let fixture = with_unit(SLEEPER);
    let said = |arguments: &[&str]| says_without_a_lab(&fixture, arguments);
    assert_eq!(
        said(&["my.service"]),
        "standard error:\nunexpected \"my.service\"; name a unit file with --unit my.service\nexit status 2"
    );
    assert_eq!(
        said(&["--unit", "my.service", "--at", "10s", "kill", "SIGTERM"]),
        "standard error:\nunexpected \"SIGTERM\"; write a signal with its fault, as in --at 10s kill=SIGTERM\nexit status 2"
    );
    assert_eq!(
        said(&["--unit", "my.service", "--at", "-5s", "stop"]),
        "standard error:\n--at: times count from the start of the unit, so \"-5s\" is not possible; write: --at 5s stop\nexit status 2"
    );
    // A time that is joined to its option, and one that would be wrong without the minus, too.
    assert_eq!(
        said(&["--unit", "my.service", "--at=-5s", "stop"]),
        "standard error:\n--at: times count from the start of the unit, so \"-5s\" is not possible; write: --at 5s stop\nexit status 2"
    );
    let wrong = said(&["--unit", "my.service", "--at", "-5x", "stop"]);
    assert!(wrong.contains("got \"-5x\""), "{wrong}");
    assert!(!wrong.contains("write: "), "{wrong}");
    assert_eq!(
        said(&["--unit", "my.service", "--for", "-5s"]),
        "standard error:\n--for: expected a time such as 10s, got \"-5s\"; write: --for 5s\nexit status 2"
    );
    assert_eq!(
        said(&["--unit", "my.service:/etc/systemd/system/x.service"]),
        "standard error:\n--unit: expected a unit file alone, got \"my.service:/etc/systemd/system/x.service\"; the guest has it as /etc/systemd/system/my.service; write: --unit my.service\nexit status 2"
    );
    let said = said(&["--unit", "my.service", "nonsense"]);
    assert!(
        said.contains("unexpected argument 'nonsense' found"),
        "{said}"
    );
}
