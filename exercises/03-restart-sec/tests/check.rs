//! The requirements of stage 03 for a service's units, checked under real systemd. You do not need to edit these
//! files.
//!
//! Each requirement is one test. `requirements` says what is checked, `scenarios` what is tried, `shown` how the
//! results become words, and `snapshots` has the expected results.

mod requirements;
mod scenarios;
mod shown;

exercise_check::check! {
    stage: "03", "03-restart-sec";
    runs: [scenarios::OUTAGE_ENDS, scenarios::CRASH_LOOP];
    requirements: [
        r1_an_outage_is_survived => requirements::SURVIVES,
        r2_delays_grow => requirements::DELAY,
        r3_a_crash_loop_is_given_up => requirements::GIVES_UP,
        r4_one_alert_says_what_has_failed => requirements::ALERT,
        r5_a_stop_is_no_failure => requirements::STOP,
        r6_it_can_be_started_by_hand => requirements::BY_HAND,
    ];
}
