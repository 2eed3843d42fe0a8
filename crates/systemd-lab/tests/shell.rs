//! A shell in the guest: from the start, and at an instant of a scenario. The tests of `cargo workshop` cover how it
//! looks on a terminal.

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use support::{LONG, UNIT, lab, run, unit};
use systemd_lab::protocol::event::Source;
use systemd_lab::protocol::{Event, EventKind, Scenario, Terminal};
use systemd_lab::{GuestFile, Shell};

/// In wall time, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A shell whose screen is read by a thread of its own.
struct Session {
    _shell: Shell,
    typed: File,
    screen: Receiver<String>,
}

impl Session {
    fn new(shell: Shell) -> Session {
        let typed = shell.console().expect("there is one");
        let mut output = shell.console().expect("there is one");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
        Session {
            _shell: shell,
            typed,
            screen,
        }
    }

    /// Types a command and returns what it prints.
    fn command(&mut self, command: &str) -> String {
        // Split, so that the echo of the input is not mistaken for the output.
        let line = format!("echo beg''in; {command}; echo en''d\n");
        self.typed
            .write_all(line.as_bytes())
            .expect("QEMU reads it");
        let mut seen = String::new();
        let until = Instant::now() + DEADLINE;
        loop {
            let (_, answer) = seen.split_once("begin\r\n").unwrap_or_default();
            if let Some(end) = answer.find("end\r\n") {
                return answer[..end].replace('\r', "").trim().to_owned();
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(text) => seen += &text,
                Err(_) => panic!("{command:?} did not end; the screen:\n{seen}"),
            }
        }
    }
}

fn sleeper(more: &str) -> Vec<GuestFile> {
    vec![unit(&format!("ExecStart=/usr/bin/sleep infinity\n{more}"))]
}

#[test]
fn it_begins_with_the_files_there_and_nothing_started() {
    let terminal = Terminal {
        name: "xterm".into(),
        rows: 33,
        columns: 101,
    };
    let began = Instant::now();
    let shell = lab().shell(&sleeper(""), &terminal).expect("the lab works");
    println!("the shell took {:?}", began.elapsed());
    let mut session = Session::new(shell);
    assert_eq!(
        session.command("id -u; pwd; echo $TERM; stty size"),
        "0\n/root\nxterm\n33 101"
    );
    assert_eq!(
        session.command(&format!(
            "systemctl show -P LoadState -P ActiveState {UNIT}"
        )),
        "loaded\ninactive"
    );
    assert_eq!(session.command("systemctl log-level"), "info");
    session.command(&format!("systemctl start {UNIT}"));
    assert_eq!(
        session.command(&format!("systemctl is-active {UNIT}")),
        "active"
    );
    session.command(&format!("systemctl kill -s KILL {UNIT}; sleep 0.2"));
    assert_eq!(
        session.command(&format!("systemctl is-active {UNIT}")),
        "failed"
    );
}

#[test]
fn time_is_real() {
    let shell = lab()
        .shell(&[], &Terminal::default())
        .expect("the lab works");
    let mut session = Session::new(shell);
    let began = Instant::now();
    session.command("sleep 2");
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn it_ends_with_the_shell_and_with_the_guest() {
    for command in ["exit", "poweroff -f", "reboot -f", "\u{4}"] {
        let mut shell = lab()
            .shell(&[], &Terminal::default())
            .expect("the lab works");
        let mut console = shell.console().expect("there is one");
        writeln!(console, "{command}").expect("QEMU reads it");
        let until = Instant::now() + DEADLINE;
        while !shell
            .is_over(Duration::from_secs(1))
            .expect("QEMU ends well")
        {
            assert!(Instant::now() < until, "{command:?} ends it");
        }
        let ended = console.read_to_end(&mut Vec::new());
        assert!(ended.is_err(), "the console ends as well");
    }
}

/// Even on a busy machine, a shell opens sooner than this.
const RESTART: Duration = Duration::from_secs(3600);

/// The guest stops a little after the event, and rounds its clock.
const MARGIN: Duration = Duration::from_millis(100);

/// A service that is killed three times, at different distances.
fn killed() -> (Scenario, Vec<GuestFile>) {
    let mut scenario = Scenario::new("killed").start(UNIT);
    for pause in [1, 20, 7] {
        scenario = scenario
            .wait_for_state(UNIT, &["running"], 2 * RESTART)
            .sleep(Duration::from_secs(pause))
            .signal(UNIT, 9)
            .wait_for_state(UNIT, &["auto-restart"], LONG);
    }
    let scenario = scenario.sleep(2 * RESTART);
    (scenario, sleeper("Restart=always\nRestartSec=1h"))
}

/// The state that an event enters, if the unit stays in it for a while, even in real time.
fn lasting(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::StateChanged { to, .. } if event.is_about(UNIT) => {
            Some(to.as_str()).filter(|to| ["running", "auto-restart"].contains(to))
        }
        _ => None,
    }
}

#[test]
fn at_an_event_the_guest_is_as_it_was_then() {
    let (scenario, files) = killed();
    let timeline = run(&scenario, &files);
    let events = timeline.events();
    let mut restarts = 0;
    let mut seen = 0;
    for event in events {
        if let EventKind::RestartScheduled { counter } = event.kind {
            restarts = counter;
        }
        let Some(state) = lasting(event) else {
            continue;
        };
        seen += 1;
        let began = Instant::now();
        let shell = lab().shell_at(event.at_us, &scenario, &files, &Terminal::default());
        let mut session = Session::new(shell.expect("the lab works"));
        println!("a shell at {} took {:?}", event.at_us, began.elapsed());
        let uptime = session.command("cut -d' ' -f1 /proc/uptime");
        let after = uptime.parse::<f64>().expect("seconds") - event.at_us as f64 / 1e6;
        // From the event on, time is real: the guest's clock cannot have advanced more than the time that has passed
        // here.
        let passed = began.elapsed().as_secs_f64() + MARGIN.as_secs_f64();
        assert!((0.0..passed).contains(&after), "{after} s later");
        let shown = session.command(&format!("systemctl show -P SubState -P NRestarts {UNIT}"));
        assert_eq!(shown, format!("{restarts}\n{state}"));
        assert_journal_is_that_of(events, event.at_us, &mut session);
    }
    assert_eq!(seen, 7, "started four times, killed three times");
}

/// The timer that stops a run shifts it a little compared with a run that is not stopped.
const SHIFT_US: u64 = 20_000;

/// The guest's journal has everything that the timeline has from systemd up to that instant, at the same time.
/// (The journal's stamps count from 1970, those of events from boot.)
fn assert_journal_is_that_of(events: &[Event], at_us: u64, session: &mut Session) {
    let stamps = session.command(&format!(
        "journalctl -p debug _PID=1 UNIT={UNIT} -o json | grep -o 'SOURCE_REALTIME_TIMESTAMP\":\"[0-9]*' | grep -o '[0-9]*$'"
    ));
    let there: Vec<u64> = stamps
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    let is_of_systemd = |event: &&Event| matches!(&event.source, Source::Journal(fields) if fields.get("_PID").is_some_and(|pid| pid == "1"));
    let logged: Vec<u64> = events
        .iter()
        .filter(|event| event.at_us <= at_us && event.is_about(UNIT))
        .filter(is_of_systemd)
        .map(|event| event.at_us)
        .collect();
    let (first, first_there) = (logged.first(), there.first());
    let boot = first_there.expect("it has entries") - first.expect("something was logged");
    let missing: Vec<&u64> = logged
        .iter()
        .filter(|stamp| {
            !there
                .iter()
                .any(|one| one.abs_diff(*stamp + boot) <= SHIFT_US)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?} not in {stamps}");
}

#[test]
fn after_its_end_the_scenario_is_over() {
    let scenario = Scenario::new("over")
        .start(UNIT)
        .sleep(Duration::from_secs(3));
    let files = sleeper("");
    let last = run(&scenario, &files)
        .events()
        .last()
        .expect("it has events")
        .at_us;
    for later in [0, 3_600_000_000] {
        let shell = lab().shell_at(last + later, &scenario, &files, &Terminal::default());
        let mut session = Session::new(shell.expect("the lab works"));
        assert_eq!(
            session.command(&format!("systemctl is-active {UNIT}")),
            "active"
        );
    }
}

#[test]
fn no_step_is_carried_out_any_more_and_connections_stay_open() {
    const ADDRESS: &str = "127.0.0.1:8000";
    let scenario = Scenario::new("half open")
        .start("t.socket")
        .wait_for_state("t.socket", &["listening"], LONG)
        .half_open("half", ADDRESS, "GET / HT")
        // The shortest usual wait: `RestartSec=` by default. By then the guest must have stopped.
        .sleep(Duration::from_millis(100))
        .run(&["/usr/bin/touch", "/run/too-late"], LONG);
    let files = [
        GuestFile::text(
            "/etc/systemd/system/t.socket",
            format!("[Socket]\nListenStream={ADDRESS}\nAccept=no\n"),
        ),
        unit("ExecStart=/usr/bin/sleep infinity"),
    ];
    let timeline = run(&scenario, &files);
    let sleeping = timeline
        .events()
        .iter()
        .find(|event| matches!(event.kind, EventKind::StepBegan { index: 3, .. }))
        .expect("it slept");
    let shell = lab().shell_at(sleeping.at_us, &scenario, &files, &Terminal::default());
    let mut session = Session::new(shell.expect("the lab works"));
    let connections =
        session.command("sleep 2; ss -Htn state established '( dport = :8000 )' | wc -l");
    assert_eq!(connections, "1");
    assert_eq!(
        session.command("ls /run/too-late 2>&1 | wc -l; test -e /run/too-late || echo none"),
        "1\nnone"
    );
}
