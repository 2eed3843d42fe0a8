//! Proves that the lab works: a service is started and killed, and systemd restarts it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use systemd_lab_protocol::{Condition, EventKind, Scenario};

use super::{Finding, State, host};
use crate::cache::{Cache, make_readable};
use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::lab::Lab;
use crate::lab::options::RunOptions;
use crate::regular;
use systemd_timeline::Timeline;
use systemd_timeline::names::SIGKILL;

/// The name of this module's findings.
pub(super) const NAME: &str = "self-test";

const UNIT: &str = "self-test.service";

/// A delay that is right only if the clock works; long enough not to be confused with the time that the steps take.
const RESTART_DELAY: Duration = Duration::from_secs(30);
const SERVICE: &str = "\
[Service]
ExecStart=/usr/bin/sleep infinity
Restart=on-failure
RestartSec=30s
";

/// In virtual time: longer than any wait here should take.
const LONG: Duration = Duration::from_secs(120);

/// In wall time. The test takes a second; a busy machine may take much longer, but a person waits for the doctor.
const DEADLINE: Duration = Duration::from_secs(30);

const STAMP: &str = "self-test.json";

/// A stamp takes about a hundred bytes.
const LARGEST_STAMP: u64 = 64 << 10;

/// A successful self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Seconds since 1970.
    at: u64,
    /// How long it took, in wall time.
    pub took: Duration,
    /// QEMU's version, if it reports one.
    pub qemu: Option<String>,
    /// The guest's kernel: `uname -r`.
    pub kernel: String,
    /// The guest's systemd.
    pub systemd: String,
}

/// Runs a small scenario, and remembers a success. Does not rebuild a snapshot that does not work:
/// [`LabOptions::repaired`](crate::LabOptions::repaired) does that.
///
/// # Errors
///
/// As [`Lab::run`]; [`LabError::SelfTest`] when systemd did not behave as it must.
pub fn self_test(lab: &Lab) -> Result<SelfTest, LabError> {
    let began = Instant::now();
    let scenario = Scenario::new("self-test")
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .signal(UNIT, SIGKILL)
        .wait_for(next_state("auto-restart"), LONG)
        .wait_for(next_state("running"), LONG);
    let unit = GuestFile::unit(UNIT, SERVICE);
    let options = RunOptions::default().deadline(DEADLINE);
    let timeline = lab.run_as_it_is(&scenario, &[unit], options)?;
    let took = began.elapsed();
    let wrong = |what| LabError::SelfTest {
        what,
        snapshot: lab.snapshot().to_owned(),
    };
    judge(&timeline).map_err(wrong)?;
    let Some((kernel, systemd)) = versions(&timeline) else {
        return Err(wrong("the guest did not report its versions"));
    };
    let test = SelfTest {
        at: seconds_since_1970(),
        took,
        qemu: host::version(lab.qemu()),
        kernel,
        systemd,
    };
    test.remember(lab.cache());
    Ok(test)
}

fn next_state(state: &str) -> Condition {
    Condition::NextSubState {
        unit: UNIT.to_owned(),
        any_of: vec![state.to_owned()],
    }
}

/// Checks what systemd must have done.
fn judge(timeline: &Timeline) -> Result<(), &'static str> {
    let running =
        |kind: &EventKind| matches!(kind, EventKind::StateChanged { to, .. } if to == "running");
    let starts: Vec<_> = timeline
        .of(UNIT)
        .filter(|event| running(&event.kind))
        .map(|event| timeline.time_of(event))
        .collect();
    let killed = timeline.first(
        UNIT,
        |kind| matches!(kind, EventKind::ProcessExited { code, status, .. } if code == "killed" && *status == SIGKILL),
    );
    match (starts.as_slice(), killed) {
        ([], _) => Err("the service did not start"),
        (_, None) => Err("the service was not killed"),
        ([_], Some(_)) => Err("the service did not come back"),
        ([_, again, ..], Some(killed)) => {
            let waited = again.saturating_sub(timeline.time_of(killed));
            // systemd may be some tenths of a second late: see AccuracySec= in systemd.timer(5).
            let kept = waited >= RESTART_DELAY && waited < RESTART_DELAY * 2;
            kept.then_some(()).ok_or("virtual time is off")
        }
    }
}

fn versions(timeline: &Timeline) -> Option<(String, String)> {
    timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Hello {
                kernel, systemd, ..
            } => Some((kernel.clone(), systemd.clone())),
            _ => None,
        })
}

impl SelfTest {
    /// The last successful self-test of this cache.
    pub(super) fn last(cache: &Cache) -> Option<SelfTest> {
        let text = regular::read(&cache.root().join(STAMP), LARGEST_STAMP).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Best effort: a full disk does not make the lab worse.
    fn remember(&self, cache: &Cache) {
        let write = |directory: &Path| -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::with_prefix_in("self-test-", directory)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            make_readable(file.as_file())?;
            file.persist(directory.join(STAMP))?;
            Ok(())
        };
        let _ = write(cache.root());
    }

    /// What the test shows: that the lab works, and with which versions.
    pub(super) fn findings(&self, before: Option<&SelfTest>) -> [Finding; 2] {
        let before = match before {
            Some(before) => format!("; the one before passed {}", before.age()),
            None => String::new(),
        };
        let took = self.took.as_secs_f64();
        let versions = [
            self.qemu.as_ref().map(|version| format!("QEMU {version}")),
            Some(format!("Linux {}", self.kernel)),
            Some(format!("systemd {}", self.systemd)),
        ];
        let versions: Vec<String> = versions.into_iter().flatten().collect();
        [
            Finding::good(NAME, format!("passed in {took:.1} s{before}")),
            Finding::good("versions", versions.join(", ")),
        ]
    }

    /// How long ago it was, for a person.
    pub fn age(&self) -> String {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let plural = |count: u64, what: &str| match count {
            1 => format!("1 {what} ago"),
            _ => format!("{count} {what}s ago"),
        };
        match seconds_since_1970().saturating_sub(self.at) {
            age if age < MINUTE => "just now".to_owned(),
            age if age < HOUR => plural(age / MINUTE, "minute"),
            age if age < DAY => plural(age / HOUR, "hour"),
            age => plural(age / DAY, "day"),
        }
    }
}

/// The finding if the lab is not set up, or has changed since the last test.
pub(super) fn not_run(before: Option<&SelfTest>) -> Finding {
    let detail = match before {
        Some(before) => format!(
            "waits for the snapshot; the last one passed {}",
            before.age()
        ),
        None => "waits for the snapshot".to_owned(),
    };
    Finding::new(NAME, State::Unneeded, detail, None)
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use systemd_lab_protocol::{Event, event::Source};

    use super::*;

    fn event(seconds: u64, kind: EventKind) -> Event {
        Event {
            at_us: seconds * 1_000_000,
            unit: Some(UNIT.to_owned()),
            source: Source::Agent,
            kind,
        }
    }

    fn running(seconds: u64) -> Event {
        let (from, to) = ("start".to_owned(), "running".to_owned());
        event(seconds, EventKind::StateChanged { from, to })
    }

    fn killed(seconds: u64) -> Event {
        let exited = EventKind::ProcessExited {
            role: "main".to_owned(),
            code: "killed".to_owned(),
            status: SIGKILL,
            command: None,
            is_ignored: false,
        };
        event(seconds, exited)
    }

    #[test]
    fn only_what_systemd_must_do_will_do() {
        let verdict = |events: Vec<Event>| judge(&Timeline::new(events));
        assert_eq!(verdict(vec![]), Err("the service did not start"));
        assert_eq!(
            verdict(vec![running(1), running(32)]),
            Err("the service was not killed")
        );
        assert_eq!(
            verdict(vec![running(1), killed(2)]),
            Err("the service did not come back")
        );
        for too_soon_or_late in [3, 600] {
            let events = vec![running(1), killed(2), running(too_soon_or_late)];
            assert_eq!(verdict(events), Err("virtual time is off"));
        }
        assert_eq!(verdict(vec![running(1), killed(2), running(32)]), Ok(()));
    }
}
