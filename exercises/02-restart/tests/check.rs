//! The requirements of stage 02 for three services, checked under real systemd. You do not need to edit these
//! files.
//!
//! Each requirement is one test. `requirements` says what is checked, `scenarios` what is tried, and `snapshots`
//! has the expected results. `table` measures what every setting of `Restart=` does, for the prediction.

mod requirements;
mod scenarios;
mod table;

exercise_check::check! {
    stage: "02", "02-restart";
    runs: [
        scenarios::ENDS,
        scenarios::BAD_CONFIGURATION,
        scenarios::TABLE,
    ];
    requirements: [
        r1_the_prediction_holds => requirements::PREDICTION,
        r2_web_always_comes_back => requirements::WEB,
        r3_the_worker_comes_back_until_its_work_is_done => requirements::WORKER,
        r4_the_database_stays_down_after_a_crash => requirements::DATABASE,
        r5_a_configuration_error_is_not_tried_again => requirements::BAD_CONFIGURATION,
    ];
}
