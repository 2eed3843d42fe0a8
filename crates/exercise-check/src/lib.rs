//! What the checks of all stages share: whose service is checked, how it is run, one test for each requirement, and what a
//! person is told.
//!
//! A stage's check is a list of [`Requirement`]s and a list of runs in the lab. [`check!`] turns it into tests. The
//! same executable checks the exercise or the solution that it was built with, and, when two variables say so, a
//! variant or a known mistake in the solution's place ([`BINARY_VARIABLE`], [`FILES_VARIABLE`]).
//!
//! Knows the workshop's layout; knows nothing of what a single stage asks.

#![forbid(unsafe_code)]

mod error;
mod explanation;
pub mod report;
mod requirement;
mod snapshot;
mod spinning;
pub mod stage;
mod subject;
mod verdict;

pub use error::{CheckError, host_error};
pub use requirement::{Look, Requirement, judge, plan};
pub use subject::{
    ADDRESS, BINARY_VARIABLE, FILES_VARIABLE, Run, SOAK_VARIABLE, Seen, Subject, WRITE_VARIABLE,
    guest_files, is_soak, lab,
};
pub use verdict::{Observed, Outcome, UNEXPLAINED, Verdict, sentence_of};

/// Defines a stage's tests: one for each requirement, in the order in which a person meets them.
///
/// `runs` are [`LazyLock`](std::sync::LazyLock)s. When all requirements are checked, all runs begin at once, because
/// most of their time is spent waiting. The macro also defines `SUBJECT`, the service that is checked.
#[macro_export]
macro_rules! check {
    (
        stage: $number:literal, $folder:literal;
        runs: [$($run:path),* $(,)?];
        requirements: [$($test:ident => $requirement:path),* $(,)?];
    ) => {
        /// The package whose tests these are: the exercise, or the solution, which must pass the same check.
        pub(crate) static SUBJECT: std::sync::LazyLock<$crate::Subject> =
            std::sync::LazyLock::new(|| {
                // Without one, the package's Cargo.toml names another: the first run says so.
                let binary = option_env!(concat!("CARGO_BIN_EXE_exercise-", $number))
                    .or(option_env!(concat!("CARGO_BIN_EXE_solution-", $number)));
                $crate::Subject::new($folder, env!("CARGO_PKG_NAME"), env!("CARGO_MANIFEST_DIR"), binary)
            });

        const HOW_MANY: usize = [$(stringify!($test)),*].len();

        static HEAD_START: std::sync::LazyLock<()> = std::sync::LazyLock::new(|| {
            $crate::plan(&[$(&$requirement),*]);
            let is_filtered = std::env::args()
                .skip(1)
                .any(|argument| !argument.starts_with("--"));
            if !is_filtered {
                $(
                    std::thread::spawn(|| {
                        std::sync::LazyLock::force(&$run);
                    });
                )*
            }
        });

        $(
            #[test]
            fn $test() {
                std::sync::LazyLock::force(&HEAD_START);
                $crate::judge(&SUBJECT, stringify!($test), HOW_MANY, &$requirement);
            }
        )*
    };
}
