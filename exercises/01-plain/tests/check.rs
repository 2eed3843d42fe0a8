//! The requirements of stage 01 for a service, checked under real systemd. You do not need to edit these files.
//!
//! Each requirement is one test. `requirements` says what is checked, `scenarios` what is tried, `shown` how the
//! results become lines, and `snapshots` has the expected results.

mod requirements;
mod scenarios;
mod shown;

exercise_check::check! {
    stage: "01", "01-plain";
    runs: [
        scenarios::START_AND_STOP,
        scenarios::BOOT,
        scenarios::PORT_TAKEN,
    ];
    requirements: [
        r1_systemd_understands_the_unit => requirements::UNIT_FILE,
        r2_it_starts_and_serves => requirements::SERVE,
        r3_it_starts_at_boot => requirements::BOOT,
        r4_a_stop_answers_what_is_in_flight => requirements::STOP,
        r5_a_taken_port_is_an_error => requirements::PORT_TAKEN,
        r6_no_error_is_logged_while_all_is_well => requirements::NO_ERRORS,
    ];
}
