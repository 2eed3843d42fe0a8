//! The rules of axe-core (<https://github.com/dequelabs/axe-core>), an npm package: what a page must have for people who cannot see it, use a
//! keyboard, or need contrast.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::devtools::Page;

const VERSION: &str = "4.14.1";

/// Where the package has it.
const SCRIPT: &str = "package/axe.min.js";

/// The script, which npm fetches once.
pub(crate) fn script() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join(format!("target/tools/axe-core-{VERSION}"));
    let script = folder.join(SCRIPT);
    if !script.is_file() {
        fs::create_dir_all(&folder).expect("a folder for tools can be made");
        let command = format!(
            "npm pack --silent axe-core@{VERSION} && tar --extract --gzip --file axe-core-{VERSION}.tgz"
        );
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&folder)
            .output()
            .expect("sh starts");
        assert!(
            output.status.success(),
            "npm cannot fetch axe-core: {}; install npm, and try with a network",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::read_to_string(&script).expect("npm has fetched it")
}

/// What of a page breaks a rule: the rule, and what breaks it. All that is folded is unfolded first.
pub(crate) fn violations(page: &mut Page<'_>, script: &str) -> Vec<String> {
    page.value(script);
    let found = page.value(
        "(async () => {
            for (const one of document.querySelectorAll('details')) one.open = true;
            // The page's script hears of it then.
            for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
            const { violations } = await axe.run(document, { resultTypes: ['violations'] });
            return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
                `${id}: ${target.join(' ')}: ${failureSummary.replaceAll('\\n', ' ')}`));
        })()",
    );
    let found = match found {
        Value::Array(found) => found,
        other => panic!("axe-core found no list: {other}"),
    };
    found
        .iter()
        .map(|one| one.as_str().unwrap_or_default().to_owned())
        .collect()
}
