//! A copy of the clone that a test may remove.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Copies the files that git tracks, as they are in the work tree.
pub(crate) fn copy_to(to: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).expect("it is in crates/");
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .expect("git runs");
    let names = String::from_utf8(listed.stdout).expect("names are text");
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("it is below")).expect("there is room");
        // A file that is deleted but not yet committed is missing.
        if root.join(name).is_file() {
            fs::copy(root.join(name), target).expect("it can be copied");
        }
    }
}
