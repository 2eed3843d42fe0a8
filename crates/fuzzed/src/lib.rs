//! Generated input for tests: texts that no person would write, and the same ones each time.
//!
//! `PROPTEST_CASES=100000 cargo test fuzz` generates more of them.

#![forbid(unsafe_code)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The seed of all cases: any number works, as long as it stays the same.
const SEED: u64 = 20_261_126;

/// The parts that every TOML file consists of.
const TOML: &[&str] = &[
    "\n",
    "=",
    "\"",
    "\"\"\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    "#",
    " = true\n",
    " = 3\n",
    "\u{feff}",
    "\u{0}",
    "1979-05-27",
    "99999999999999999999",
];

/// The longest text has this many parts.
const MOST_PARTS: usize = 30;

/// The configuration of every test with generated input.
pub fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::default()
    }
}

/// Texts of the parts of TOML, of these words of a particular file, and of anything else.
pub fn toml(words: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    let parts = [TOML, words].concat();
    let part = prop_oneof![
        4 => prop::sample::select(parts).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(part, 0..MOST_PARTS).prop_map(|parts| parts.concat())
}
