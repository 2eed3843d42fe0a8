//! Daemons as Debian ships them, with Debian's own units: killed, frozen and recovered. Also a guest with Debian's
//! oldstable, and one with testing.
//!
//! To see what changed: `INSTA_OUTPUT=diff`. To accept it: `INSTA_UPDATE=always`, then read each.

#[path = "../support/mod.rs"]
mod support;

mod bus;
mod databases;
mod debian;
mod releases;
mod sshd;
mod wrong;

use std::sync::LazyLock;

use systemd_lab::{Guest, Lab, Timeline, View};

/// One guest for all tests, because building it takes longer than the tests.
static DAEMONS: LazyLock<Lab> = LazyLock::new(|| {
    let guest = [
        "nginx",
        "openssh-server",
        "redis-server",
        "systemd-timesyncd",
    ]
    .into_iter()
    .try_fold(Guest::default(), Guest::package)
    .expect("they are names");
    Lab::options().guest(&guest).open().expect("the lab opens")
});

/// signal(7)
const SIGKILL: i32 = 9;
const SIGSTOP: i32 = 19;
const SIGCONT: i32 = 18;

/// States, exits and results of a daemon. How long its programs take is up to Debian.
fn life(unit: &str, timeline: &Timeline) -> String {
    assert_eq!(
        timeline.step_that_timed_out(),
        None,
        "every step comes to its end"
    );
    let view = View::of(&[unit]).states().exits().results();
    view.without_distances().render(timeline)
}

fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
