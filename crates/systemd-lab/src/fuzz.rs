//! Input from outside never causes a panic, a hang or unbounded memory use: unit files, plans, saved timelines, archives of
//! images, and events, including those that no agent would send.
//!
//! The cases are the same each time. `PROPTEST_CASES=100000 cargo test -p systemd-lab --lib fuzz` generates more of them; a failing case is
//! stored in `proptest-regressions`, and tried first from then on.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use systemd_lab_protocol::Event;
use systemd_lab_protocol::seal::{Key, Sealer};

use crate::cache::Cache;
use crate::experiment::{Date, Detail, Requirement, When, parse_span};
use crate::guest::Guest;
use crate::guest_file::GuestFile;
use crate::image::archive;
use crate::suite::Suite;
use crate::{Experiment, Fault, Picture, Timeline, findings, sight, visible_lines};
use systemd_timeline::compare::Tolerance;
use systemd_timeline::unit_file;

/// Besides letters, texts consist of these: everything that has a meaning for one of the readers.
const SIGNS: &[&str] = &[
    "\n",
    "\r\n",
    " ",
    "\t",
    "=",
    "\\",
    "\\\n",
    "[",
    "]",
    "[Service]\n",
    "[Unit]\n",
    "#",
    ";",
    "%",
    "@",
    ".",
    "/",
    "-",
    "+",
    "\"",
    "'",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}",
    "ü",
    "{",
    "}",
    ":",
    ",",
    "ExecStart=",
    "LogLevelMax=",
    "RandomizedDelaySec=",
    "99999999999999999999",
    "-1",
    "0",
    "1h",
    "s",
    "READY=1",
    "restart 2",
    "kill",
    "SIGKILL",
    "<=",
    ">=",
    "outage",
    "0:00",
    "# measured with ",
];

/// Texts of such signs and of anything else.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => prop::sample::select(SIGNS).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-zA-Z]{1,12}",
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// A timeline that the lab has measured, with every kind of event that the guide shows.
fn measured() -> Vec<serde_json::Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/measured");
    let mut events = Vec::new();
    for name in ["05-deadlock.json", "04-reload.json", "03-outage.json"] {
        let text = fs::read_to_string(folder.join(name)).expect("the guide shows it");
        let lines = text.lines().map(serde_json::from_str);
        events.extend(lines.map(|event| event.expect("it is an event")));
    }
    events
}

/// The unit that these timelines are about.
fn measured_unit() -> String {
    let units = measured().into_iter().filter_map(|event| {
        let unit = event.get("unit")?.as_str()?;
        Some(unit.to_owned())
    });
    units.min().expect("something happens to a unit")
}

/// Events from such timelines in any order, at any time, about any unit, in any number.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let all = measured();
    let one = (
        prop::sample::select(all),
        prop_oneof![Just(0), Just(u64::MAX), 0..100_000_000_u64, any::<u64>()],
        prop_oneof![Just(measured_unit()), Just("a.target".to_owned()), text()],
    );
    let one = one.prop_map(|(mut event, at_us, unit)| {
        event["at_us"] = at_us.into();
        if event.get("unit").is_some() {
            event["unit"] = unit.into();
        }
        serde_json::from_value(event).expect("it is still an event")
    });
    prop::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(fuzzed::config())]

    #[test]
    fn unit_files(text in text()) {
        let settings = unit_file::settings(&text);
        prop_assert!(settings.len() <= text.lines().count());
        let unit = GuestFile::text("/etc/systemd/system/a.service", text.as_str());
        let experiment = Experiment::packaged("a.service").file(unit);
        let _ = experiment.check();
        let _ = experiment.warnings(&Guest::default());
        let _ = sight::warnings("a.service", &text);
    }

    #[test]
    fn parts_of_a_plan(text in text()) {
        let _ = parse_span(&text);
        let _ = text.parse::<Requirement>();
        let _ = text.parse::<When>();
        let _ = text.parse::<Date>();
        let _ = Fault::parse_with_unit(&text);
        let _ = Experiment::packaged(text.as_str()).check();
    }

    #[test]
    fn saved_timelines(text in text()) {
        let experiment = Experiment::packaged("a.service");
        let _ = experiment.difference_within(&text, &Timeline::new(Vec::new()), Tolerance::NONE);
        // Nothing in the displayed text controls a terminal.
        let steers = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
        prop_assert_eq!(visible_lines(&text).find(steers), None);
    }

    #[test]
    fn sealed_lines(key in any::<[u8; 16]>(), line in any::<Vec<u8>>()) {
        let mut sealer = Sealer::new(&Key::new(key));
        prop_assert_eq!(sealer.open(&line), None);
    }

    #[test]
    fn any_events(events in events()) {
        let timeline = Timeline::new(events);
        let unit = measured_unit();
        let experiment = Experiment::packaged(unit.as_str());
        for detail in [Detail::Usual, Detail::Logs, Detail::Full] {
            let _ = experiment.lines(&timeline, detail);
        }
        let _ = experiment.text(&timeline);
        let _ = experiment.summary(&timeline);
        for finding in experiment.findings(&timeline) {
            let _ = (finding.what(), finding.change());
        }
        let _ = findings::of_run(&timeline, &experiment.scenario(), &systemd_timeline::UnitTexts::default());
        let _ = Picture::of(&[&unit]).render(&timeline);
        let _ = experiment.saved(&timeline);
    }

    /// Archives that are cut off, and archives with changed bytes.
    #[test]
    fn archives(cut in 0..400_usize, changes in prop::collection::vec((0..400_usize, any::<u8>()), 0..4)) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::in_folder(&folder.path().join("cache"));
        let mut bytes = small_archive();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let file = folder.path().join("image.tar.zst");
        fs::write(&file, bytes).expect("it can be written");
        let guest = Guest::new(Suite::Trixie);
        prop_assert!(archive::import(&cache, &guest, &file).is_err(), "nothing in it is an image");
        prop_assert!(!crate::image::Image::place(&cache, &guest).exists());
    }
}

/// An archive with the right names, but without anything that could be an image.
fn small_archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [
        ("key", "0123456789abcdef"),
        ("manifest.json", "{}"),
        ("kernel", "k"),
        ("initrd", "i"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive
            .append_data(&mut header, name, text.as_bytes())
            .expect("it is in memory");
    }
    let bytes = archive.into_inner().expect("it is in memory");
    zstd::encode_all(&bytes[..], 1).expect("it is in memory")
}
