//! The requirements of stage 06 for a shop, checked under real systemd. You do not need to edit these files.
//!
//! `plan` says which fault comes when, `day` turns a plan into a scenario, `review` reads what happened, `promises` says
//! which promises were kept, `causes` which setting decides, and `incident` prints all of it.

mod causes;
mod day;
mod incident;
mod plan;
mod promises;
mod requirements;
mod review;
mod scenarios;

exercise_check::check! {
    stage: "06", "06-game-day";
    runs: [
        scenarios::DAY_1,
        scenarios::DAY_2,
        scenarios::DAY_3,
    ];
    requirements: [
        r1_the_page_is_answered => requirements::ANSWERED,
        r2_no_outage_is_long => requirements::NO_LONG_OUTAGE,
        r3_no_acknowledged_order_is_lost => requirements::NO_ORDER_LOST,
        r4_there_is_no_crash_loop => requirements::NO_CRASH_LOOP,
        r5_an_alert_exactly_when_a_person_is_needed => requirements::ONE_ALERT,
        r6_the_operator_is_obeyed => requirements::OPERATOR,
        r7_any_day_keeps_the_promises => requirements::ANY_DAY,
    ];
}
