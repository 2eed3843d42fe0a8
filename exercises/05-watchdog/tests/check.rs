//! The requirements of stage 05 for a service, checked under real systemd. You do not need to edit these files.
//!
//! Each requirement is one test. `requirements` says what is checked, `scenarios` what is tried, and `snapshots`
//! has the expected results.

mod recovery;
mod requirements;
mod scenarios;

exercise_check::check! {
    stage: "05", "05-watchdog";
    runs: [
        scenarios::HEALTHY,
        scenarios::KEEPS_HANGING,
        scenarios::NOT_WELL,
        scenarios::DEADLOCK,
        scenarios::FROZEN,
        scenarios::WEDGE,
    ];
    requirements: [
        r1_a_service_that_works_is_left_alone => requirements::HEALTHY,
        r2_a_deadlock_is_noticed => requirements::DEADLOCK,
        r3_a_blocked_executor_is_noticed => requirements::BLOCKED,
        r4_a_stopped_process_is_noticed => requirements::STOPPED,
        r5_a_wedged_dependency_is_noticed => requirements::WEDGE,
        r6_a_service_that_keeps_hanging_is_given_up => requirements::KEEPS_HANGING,
        r7_without_a_watchdog_there_is_no_self_test => requirements::UNWATCHED_UNIT,
    ];
}
