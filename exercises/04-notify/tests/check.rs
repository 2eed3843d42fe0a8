//! The requirements of stage 04 for a service, checked under real systemd. You do not need to edit these files.
//!
//! Each requirement is one test. `requirements` says what is checked, `scenarios` what is tried, `shown` how the
//! results become lines, and `snapshots` has the expected results.

mod requirements;
mod scenarios;
mod shown;

exercise_check::check! {
    stage: "04", "04-notify";
    runs: [
        scenarios::START_AND_STOP,
        scenarios::HANGING_START,
        scenarios::LONG_WARM_UP,
        scenarios::RELOAD,
        scenarios::WARM_UP,
        scenarios::BY_HAND,
    ];
    requirements: [
        r1_ready_means_it_answers => requirements::READY,
        r2_status_says_what_it_does => requirements::STATUS,
        r3_stop_is_announced_and_bounded => requirements::STOP,
        r4_a_hanging_start_is_ended => requirements::HANGING_START,
        r5_a_long_warm_up_is_kept_alive => requirements::LONG_WARM_UP,
        r6_a_reload_drops_nothing => requirements::RELOAD,
        r7_it_speaks_the_protocol_in_order => requirements::PROTOCOL,
        r8_it_runs_by_hand => requirements::BY_HAND,
    ];
}
