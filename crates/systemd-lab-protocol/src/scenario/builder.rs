//! Builds scenarios that read like prose: each method adds one step.

use std::time::Duration;

use super::{Condition, Preparation, Scenario, Step, When, Whom};

impl Scenario {
    /// A scenario without steps. `name` is a few words about what it tries.
    pub fn new(name: impl Into<String>) -> Scenario {
        Scenario {
            name: name.into(),
            ..Scenario::default()
        }
    }

    /// Adds any step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Scenario {
        self.steps.push(step);
        self
    }

    /// Gives the last step a label, which its events carry: a check finds it by that name, wherever it stands.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Scenario {
        if let Some(last) = self.steps.len().checked_sub(1) {
            self.labels.insert(last, label.into());
        }
        self
    }

    /// Adds to [`Scenario::preparations`].
    #[must_use]
    pub fn prepare(mut self, preparation: Preparation) -> Scenario {
        self.preparations.push(preparation);
        self
    }

    /// Records the unit's effective properties at the end.
    #[must_use]
    pub fn observe(mut self, unit: &str) -> Scenario {
        self.observe.push(unit.into());
        self
    }

    /// [`Step::Start`]
    #[must_use]
    pub fn start(self, unit: &str) -> Scenario {
        self.step(Step::Start { unit: unit.into() })
    }

    /// [`Step::Stop`]
    #[must_use]
    pub fn stop(self, unit: &str) -> Scenario {
        self.step(Step::Stop { unit: unit.into() })
    }

    /// [`Step::Restart`]
    #[must_use]
    pub fn restart(self, unit: &str) -> Scenario {
        self.step(Step::Restart { unit: unit.into() })
    }

    /// [`Step::Reload`]
    #[must_use]
    pub fn reload(self, unit: &str) -> Scenario {
        self.step(Step::Reload { unit: unit.into() })
    }

    /// [`Step::Enable`]
    #[must_use]
    pub fn enable(self, unit: &str) -> Scenario {
        self.step(Step::Enable { unit: unit.into() })
    }

    /// [`Step::Signal`] to the main process.
    #[must_use]
    pub fn signal(self, unit: &str, signal: i32) -> Scenario {
        self.step(Step::Signal {
            unit: unit.into(),
            signal,
            whom: Whom::Main,
        })
    }

    /// [`Step::Freeze`]
    #[must_use]
    pub fn freeze(self, unit: &str) -> Scenario {
        self.step(Step::Freeze { unit: unit.into() })
    }

    /// [`Step::Thaw`]
    #[must_use]
    pub fn thaw(self, unit: &str) -> Scenario {
        self.step(Step::Thaw { unit: unit.into() })
    }

    /// [`Step::Sleep`]
    #[must_use]
    pub fn sleep(self, duration: Duration) -> Scenario {
        self.step(Step::Sleep { duration })
    }

    /// [`Step::SleepUntil`]
    #[must_use]
    pub fn sleep_until(self, time: Duration) -> Scenario {
        self.step(Step::SleepUntil { time })
    }

    /// [`Step::Later`]
    #[must_use]
    pub fn later(self, when: When, step: Step) -> Scenario {
        let what = Box::new(step);
        self.step(Step::Later { when, what })
    }

    /// [`Scenario::observe_only`]
    #[must_use]
    pub fn observe_only(self, properties: &[&str]) -> Scenario {
        let names = properties.iter().map(|name| (*name).to_owned());
        Scenario {
            observe_only: names.collect(),
            ..self
        }
    }

    /// [`Scenario::goes_on_when_refused`]
    #[must_use]
    pub fn go_on_when_refused(self) -> Scenario {
        Scenario {
            goes_on_when_refused: true,
            ..self
        }
    }

    /// [`Step::WaitFor`]
    #[must_use]
    pub fn wait_for(self, condition: Condition, deadline: Duration) -> Scenario {
        self.step(Step::WaitFor {
            condition,
            deadline,
        })
    }

    /// Waits until the last job of the unit has ended, however it ended.
    #[must_use]
    pub fn wait_for_job(self, unit: &str, deadline: Duration) -> Scenario {
        self.wait_for(Condition::JobEnded { unit: unit.into() }, deadline)
    }

    /// Waits until the unit is in one of these sub-states.
    #[must_use]
    pub fn wait_for_state(self, unit: &str, any_of: &[&str], deadline: Duration) -> Scenario {
        let any_of = any_of.iter().map(|state| state.to_string()).collect();
        self.wait_for(
            Condition::SubState {
                unit: unit.into(),
                any_of,
            },
            deadline,
        )
    }

    /// `GET url`, and waits for the response.
    #[must_use]
    pub fn get(self, name: &str, url: &str, deadline: Duration) -> Scenario {
        self.step(Step::Request {
            name: name.into(),
            method: "GET".into(),
            url: url.into(),
            body: None,
            deadline,
            background: false,
        })
    }

    /// [`Step::HalfOpen`]
    #[must_use]
    pub fn half_open(self, name: &str, address: &str, bytes: &str) -> Scenario {
        self.step(Step::HalfOpen {
            name: name.into(),
            address: address.into(),
            bytes: bytes.into(),
        })
    }

    /// [`Step::FinishRequest`]
    #[must_use]
    pub fn finish_request(self, name: &str, bytes: &str, deadline: Duration) -> Scenario {
        self.step(Step::FinishRequest {
            name: name.into(),
            bytes: bytes.into(),
            deadline,
        })
    }

    /// [`Step::Run`]
    #[must_use]
    pub fn run(self, argv: &[&str], deadline: Duration) -> Scenario {
        let argv = argv.iter().map(|word| word.to_string()).collect();
        self.step(Step::Run { argv, deadline })
    }
}
