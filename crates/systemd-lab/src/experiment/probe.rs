//! How an experiment asks whether a service answers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use systemd_lab_protocol::Step;
use systemd_lab_protocol::scenario::{ProbeTarget, first_attempt};

use super::PlanError;
use systemd_timeline::span::span_text;

/// As often as eager monitoring does; a tenth of a percent of availability in an hour is three attempts.
const EVERY: Duration = Duration::from_secs(1);

/// As a part of the interval: a failed attempt is over before the next one is due, which would be skipped otherwise.
const PART_TO_WAIT: (u32, u32) = (9, 10);

/// The beginning of a URL for a Unix socket.
const UNIX: &str = "unix:";

/// The end of a line in most text protocols.
const LINE_END: &str = "\r\n";

/// The agent refuses a shorter interval.
const SHORTEST: Duration = Duration::from_millis(10);

/// Asks again and again whether a service answers, by default once a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub(super) target: ProbeTarget,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    pub(super) every: Duration,
    pub(super) timeout: Duration,
}

impl Probe {
    /// `GET url`; any answer with a status below 400 is a success. The host must be a numeric loopback address, e.g.
    /// `http://127.0.0.1:8080/health`, or a Unix socket, e.g. `unix:/run/my.sock:/health`.
    pub fn get(url: &str) -> Probe {
        let Some(socket) = url.strip_prefix(UNIX) else {
            return Probe::of(ProbeTarget::Get(url.to_owned()));
        };
        let (socket, path) = match socket.rsplit_once(":/") {
            Some((socket, path)) => (socket, format!("/{path}")),
            None => (socket, "/".to_owned()),
        };
        let socket = socket.to_owned();
        Probe::of(ProbeTarget::GetUnix { socket, path })
    }

    /// Connects to a TCP address, e.g. `127.0.0.1:22`, or to a Unix socket, e.g. `/run/my.sock`, for what does not speak HTTP. The
    /// kernel also accepts connections for a service that hangs: this detects only a service that is gone.
    pub fn connect(address: &str) -> Probe {
        let own = address.to_owned();
        Probe::of(match address.starts_with('/') {
            true => ProbeTarget::ConnectUnix(own),
            false => ProbeTarget::Connect(own),
        })
    }

    /// Connects to a TCP address or a Unix socket, sends this text, and succeeds if the answer begins with `expect`. If
    /// `send` has no line end, it gets one (CR LF, as in text protocols); an empty text sends nothing, for a service
    /// that speaks first.
    pub fn ask(address: &str, send: &str, expect: &str) -> Probe {
        let end = match send.is_empty() || send.ends_with('\n') {
            true => "",
            false => LINE_END,
        };
        Probe::of(ProbeTarget::Ask {
            address: address.to_owned(),
            send: format!("{send}{end}"),
            expect: expect.to_owned(),
        })
    }

    /// Runs a command as root, `/bin/sh -c COMMAND`; exit status 0 is a success. Each attempt starts a process, which takes wall
    /// time: ask every few seconds.
    pub fn exec(command: &str) -> Probe {
        let argv = ["/bin/sh", "-c", command].map(str::to_owned);
        Probe::of(ProbeTarget::Run(argv.to_vec()))
    }

    /// Sets the probe's name in timeline, summary and requirements.
    #[must_use]
    pub fn named(self, name: &str) -> Probe {
        Probe {
            name: Some(name.to_owned()),
            ..self
        }
    }

    fn of(target: ProbeTarget) -> Probe {
        Probe {
            target,
            name: None,
            every: EVERY,
            timeout: part_to_wait(EVERY),
        }
    }

    /// Sets the time from one attempt to the next. The length of an outage is known no more precisely than this.
    #[must_use]
    pub fn every(self, every: Duration) -> Probe {
        Probe {
            every,
            timeout: part_to_wait(every),
            ..self
        }
    }

    /// Sets how long an answer may take before the attempt has failed; the default is nine tenths of the interval.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Probe {
        Probe { timeout, ..self }
    }

    /// The name in timeline and summary: the one that was set, or what the probe does, e.g. `GET http://127.0.0.1:8080/`,
    /// `connect 127.0.0.1:22`.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.question())
    }

    /// What it does.
    fn question(&self) -> String {
        match &self.target {
            ProbeTarget::Get(url) => format!("GET {url}"),
            ProbeTarget::GetUnix { socket, path } => format!("GET {UNIX}{socket}:{path}"),
            ProbeTarget::Connect(address) | ProbeTarget::ConnectUnix(address) => {
                format!("connect {address}")
            }
            ProbeTarget::Ask {
                address,
                send,
                expect,
            } => match send.trim_end() {
                "" => format!("ask {address} for {expect:?}"),
                send => format!("ask {address} {send:?} for {expect:?}"),
            },
            ProbeTarget::Run(argv) => format!("exec {}", argv.last().map_or("", String::as_str)),
        }
    }

    /// A line of the plan.
    /// How long after the start of the run it asks for the first time.
    pub fn first_attempt(&self) -> Duration {
        first_attempt(self.every)
    }

    /// How often it asks.
    pub fn interval(&self) -> Duration {
        self.every
    }

    pub(super) fn line(&self) -> String {
        let name = match &self.name {
            Some(name) => format!("{name}: "),
            None => String::new(),
        };
        format!(
            "{name}{} each {}, answer within {}",
            self.question(),
            span_text(self.every),
            span_text(self.timeout)
        )
    }

    pub(super) fn step(&self) -> Step {
        Step::Probe {
            name: self.name(),
            target: self.target.clone(),
            every: self.every,
            deadline: self.timeout,
        }
    }

    pub(super) fn check(&self) -> Result<(), PlanError> {
        if self.every < SHORTEST {
            return Err(PlanError::BadInterval { every: self.every });
        }
        if self.timeout.is_zero() {
            return Err(PlanError::BadTimeout);
        }
        if self.name().trim().is_empty() {
            return Err(PlanError::BadProbe {
                address: self.question(),
                why: "its name is empty; leave it out, or use a word such as health",
            });
        }
        let socket = |path: &String| match path.starts_with('/') {
            true => Ok(()),
            false => Err(PlanError::BadProbe {
                address: path.clone(),
                why: "name the socket by its absolute path, e.g. unix:/run/my.sock:/health",
            }),
        };
        let (asked, address) = match &self.target {
            ProbeTarget::Get(url) => {
                let rest = url.strip_prefix("http://");
                (url, rest.map(|rest| rest.split('/').next().unwrap_or(rest)))
            }
            ProbeTarget::Connect(address) => (address, Some(address.as_str())),
            ProbeTarget::ConnectUnix(path) => return socket(path),
            ProbeTarget::GetUnix { socket: path, .. } => return socket(path),
            ProbeTarget::Ask { expect, .. } if expect.is_empty() => {
                return Err(PlanError::BadProbe {
                    address: self.question(),
                    why: "say how the answer must begin",
                });
            }
            ProbeTarget::Ask { address, .. } if address.starts_with('/') => return Ok(()),
            ProbeTarget::Ask { address, .. } => (address, Some(address.as_str())),
            ProbeTarget::Run(_) => return Ok(()),
        };
        let refuse = |why| {
            Err(PlanError::BadProbe {
                address: asked.clone(),
                why,
            })
        };
        let Some(address) = address else {
            return refuse(
                "the URL must begin with http:// (the lab speaks no TLS; name a port that takes plain HTTP)",
            );
        };
        let is_http = matches!(self.target, ProbeTarget::Get(_));
        let ip = match address.parse::<SocketAddr>() {
            Ok(address) => Some(address.ip()),
            Err(_) if is_http => address.trim_matches(['[', ']']).parse::<IpAddr>().ok(),
            Err(_) => None,
        };
        match ip {
            None => refuse("name address and port as numbers, e.g. 127.0.0.1:8080 or [::1]:8080"),
            Some(ip) if !ip.is_loopback() => refuse(
                "the guest has no network; name an address on its loopback, e.g. 127.0.0.1:8080",
            ),
            Some(_) => Ok(()),
        }
    }
}

fn part_to_wait(every: Duration) -> Duration {
    every * PART_TO_WAIT.0 / PART_TO_WAIT.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_guest_can_ask_is_taken() {
        for right in [
            "http://127.0.0.1:80/x",
            "http://127.0.0.1",
            "http://[::1]:80/",
        ] {
            assert!(Probe::get(right).check().is_ok(), "{right}");
        }
        for right in [
            Probe::connect("[::1]:22"),
            Probe::connect("/run/my.sock"),
            Probe::get("unix:/run/my.sock"),
            Probe::ask("127.0.0.1:6379", "PING", "+PONG"),
            Probe::ask("/run/my.sock", "", "220"),
            Probe::exec("true").named("health"),
        ] {
            assert!(right.check().is_ok(), "{right:?}");
        }
        for wrong in [
            Probe::get("unix:run/my.sock"),
            Probe::ask("127.0.0.1:6379", "PING", ""),
            Probe::ask("localhost:6379", "PING", "+PONG"),
            Probe::exec("true").named(" "),
            Probe::exec("true").timeout(Duration::ZERO),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        for wrong in [
            "https://127.0.0.1/",
            "http://localhost/",
            "http://192.0.2.1/",
            "x",
        ] {
            assert!(Probe::get(wrong).check().is_err(), "{wrong}");
        }
        for wrong in ["127.0.0.1", "localhost:22", "0.0.0.0:22"] {
            assert!(Probe::connect(wrong).check().is_err(), "{wrong}");
        }
        let hasty = Probe::connect("127.0.0.1:22").every(Duration::from_millis(1));
        assert!(hasty.check().is_err());
    }

    #[test]
    fn a_probe_is_called_by_its_name_or_by_what_it_does() {
        let name = |probe: Probe| probe.name();
        assert_eq!(
            name(Probe::get("unix:/run/my.sock:/health")),
            "GET unix:/run/my.sock:/health"
        );
        assert_eq!(
            name(Probe::get("unix:/run/my.sock")),
            "GET unix:/run/my.sock:/"
        );
        assert_eq!(
            name(Probe::ask("127.0.0.1:6379", "PING", "+PONG")),
            "ask 127.0.0.1:6379 \"PING\" for \"+PONG\""
        );
        assert_eq!(name(Probe::exec("pg_isready -q")), "exec pg_isready -q");
        let named = Probe::connect("127.0.0.1:22").named("ssh");
        assert_eq!(named.name(), "ssh");
        assert_eq!(
            named.line(),
            "ssh: connect 127.0.0.1:22 each 1s, answer within 900ms"
        );
    }
}
