//! How an experiment asks whether a service is there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use systemd_lab_protocol::Step;
use systemd_lab_protocol::scenario::ProbeTarget;

use super::PlanError;

/// What monitoring commonly does at its most eager; a tenth of a percent of availability in an hour is three attempts.
const EVERY: Duration = Duration::from_secs(1);

/// Of the interval: an attempt in vain is over before the next one is due, which would be left out otherwise.
const PART_TO_WAIT: (u32, u32) = (9, 10);

/// The agent refuses a shorter one.
const SHORTEST: Duration = Duration::from_millis(10);

/// Asks again and again whether a service answers, once a second if nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub(super) target: ProbeTarget,
    pub(super) every: Duration,
    pub(super) timeout: Duration,
}

impl Probe {
    /// `GET url`; any answer with a status below 400 is a success. The host must be a numeric loopback address, e.g.
    /// `http://127.0.0.1:8080/health`.
    pub fn get(url: &str) -> Probe {
        Probe::of(ProbeTarget::Get(url.to_owned()))
    }

    /// Connects to a TCP address, e.g. `127.0.0.1:22`, for what does not speak HTTP. The kernel takes connections for a
    /// service that hangs, too: this finds one that is gone.
    pub fn connect(address: &str) -> Probe {
        Probe::of(ProbeTarget::Connect(address.to_owned()))
    }

    fn of(target: ProbeTarget) -> Probe {
        Probe {
            target,
            every: EVERY,
            timeout: part_to_wait(EVERY),
        }
    }

    /// From one attempt to the next. An outage is known no more exactly than this.
    #[must_use]
    pub fn every(self, every: Duration) -> Probe {
        Probe {
            every,
            timeout: part_to_wait(every),
            ..self
        }
    }

    /// How long an answer may take, before the attempt has failed: nine tenths of the interval, if nothing else is said.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Probe {
        Probe { timeout, ..self }
    }

    /// `GET http://127.0.0.1:8080/`, `connect 127.0.0.1:22`: what timeline and summary call it.
    pub fn name(&self) -> String {
        match &self.target {
            ProbeTarget::Get(url) => format!("GET {url}"),
            ProbeTarget::Connect(address) => format!("connect {address}"),
        }
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
        let (asked, address) = match &self.target {
            ProbeTarget::Get(url) => {
                let rest = url.strip_prefix("http://");
                (url, rest.map(|rest| rest.split('/').next().unwrap_or(rest)))
            }
            ProbeTarget::Connect(address) => (address, Some(address.as_str())),
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
        assert!(Probe::connect("[::1]:22").check().is_ok());
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
}
