//! Tells the build script of `systemd-lab` where these sources are.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts");
    println!("cargo::metadata=sources={here}");
}
