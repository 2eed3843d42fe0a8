//! Progress files that no person would write: see `fuzz.rs` of the lab.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The seed of all cases: any number works, as long as it stays the same.
const SEED: u64 = 20_261_126;

/// The parts that progress files consist of.
const PARTS: &[&str] = &[
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
    "[04]\n",
    "passed",
    " = true\n",
    "hints",
    " = 3\n",
    "last",
    " = \"not-yet\"\n",
    "\u{feff}",
    "\u{0}",
    "1979-05-27",
    "99999999999999999999",
];

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::default()
    }
}

pub(crate) fn toml() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(PARTS).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
}
