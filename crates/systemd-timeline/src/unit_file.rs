//! What is wrong with unit files, as far as it is known before systemd reads them.
//!
//! This reports only what systemd itself would complain about. Values are left to systemd: it reports bad ones when it
//! loads the unit, and that is in the timeline.

use std::borrow::Cow;
use std::collections::HashSet;

/// All sections and settings that the guest's systemd knows, as `systemd --dump-configuration-items` prints them, without
/// their values. A test compares them with the guest's.
pub const SETTINGS: &str = include_str!("settings.txt");

/// Sections and settings with this prefix belong to other programs: systemd.unit(5).
const FOREIGN: &str = "X-";

/// Where a setting belongs that exists in several sections: nearly always in one of these.
const COMMON: [&str; 3] = ["Unit", "Service", "Install"];

/// How many letters may be wrong, missing, extra or swapped for a name to be suggested; for longer names, more.
const TYPOS: usize = 1;
const TYPOS_OF_LONG: usize = 2;
const LONG_NAME: usize = 12;

/// systemd skips this at the beginning of a unit file: `config_parse` in its conf-parser.c.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Settings that start something: systemd.service(5).
pub const COMMANDS: [&str; 7] = [
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];

/// `worker@.service` of `worker@1.service`: systemd.unit(5), "String Escaping for Inclusion in Unit Names". Empty if the unit is not an
/// instance.
pub fn template_of(unit: &str) -> String {
    let parts = unit.split_once('@').zip(unit.rsplit_once('.'));
    parts.map_or_else(String::new, |((stem, _), (_, kind))| {
        format!("{stem}@.{kind}")
    })
}

/// How a calendar event spells the days of the week, in any case and also in full: systemd.time(7), "Calendar Events".
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The time zone that systemd always knows.
const ALWAYS_KNOWN: &str = "UTC";

/// The time zone at the end of a calendar event, unless every machine has it: systemd.time(7), "Calendar Events".
pub fn time_zone(event: &str) -> Option<&str> {
    // Something comes before it.
    let (_, zone) = event.trim().rsplit_once(char::is_whitespace)?;
    let is_of_zone = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    let is_name =
        zone.starts_with(|c: char| c.is_ascii_alphabetic()) && zone.chars().all(is_of_zone);
    let lower = zone.to_ascii_lowercase();
    let is_day = !zone.contains('/') && WEEKDAYS.iter().any(|day| lower.starts_with(day));
    (is_name && !is_day && !zone.eq_ignore_ascii_case(ALWAYS_KNOWN)).then_some(zone)
}

/// A setting of a unit file.
pub struct Setting<'a> {
    /// Its line, counted from 1; if it goes on in other lines, the first.
    pub line: usize,
    /// e.g. `Service`; empty before the first section.
    pub section: &'a str,
    /// e.g. `Restart`; empty for the line that begins a section.
    pub name: &'a str,
    /// The text after the `=`, with the lines in which it goes on. Where a line ends in a backslash, there is one space: systemd also
    /// keeps the spaces around it, which only matter between quotes.
    pub value: Cow<'a, str>,
}

/// The settings in a unit file or a drop-in: systemd.syntax(7).
pub fn settings(text: &str) -> Vec<Setting<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for whole in whole_lines(text) {
        let line = whole.first_number;
        let is_one = whole.rest.is_empty();
        let first = whole.first.trim();
        if let Some(name) = first.strip_prefix('[').and_then(|it| it.strip_suffix(']'))
            && is_one
        {
            section = name;
            // A section without settings may be misspelt, too.
            found.push(Setting {
                line,
                section,
                name: "",
                value: Cow::Borrowed(""),
            });
        } else if let Some((name, value)) = first.split_once('=') {
            let value = match is_one {
                true => Cow::Borrowed(value.trim()),
                false => Cow::Owned(joined(value, &whole.rest)),
            };
            found.push(Setting {
                line,
                section,
                name: name.trim(),
                value,
            });
        }
    }
    found
}

/// The text that this line, counted from 1, belongs to, and the line in which that text begins. When systemd complains about a setting
/// of several lines, it names the last of them.
pub fn line(text: &str, number: usize) -> Option<(usize, String)> {
    let alone = text.lines().nth(number.checked_sub(1)?)?.trim();
    let mut lines = whole_lines(text).into_iter();
    let whole = lines.find(|it| {
        let has_it = (it.first_number..=it.last_number).contains(&number);
        has_it && !is_comment(alone) && !it.rest.is_empty()
    });
    Some(match whole {
        Some(whole) => (whole.first_number, joined(whole.first, &whole.rest)),
        None => (number, alone.to_owned()),
    })
}

/// A line as systemd reads it: with the lines in which it goes on, without the backslashes that say so.
struct WholeLine<'a> {
    /// The numbers of the first and the last line, counted from 1.
    first_number: usize,
    last_number: usize,
    /// Its parts.
    first: &'a str,
    rest: Vec<&'a str>,
}

/// Lines that end in a backslash go on in the next line that is not a comment: `config_parse` in systemd's conf-parser.c.
fn whole_lines(text: &str) -> Vec<WholeLine<'_>> {
    let mut lines: Vec<WholeLine<'_>> = Vec::new();
    let mut goes_on = false;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    for (number, line) in (1..).zip(text.lines()) {
        if is_comment(line) {
            continue;
        }
        let is_rest = std::mem::replace(&mut goes_on, is_continued(line));
        let part = match goes_on {
            true => &line[..line.len() - 1],
            false => line,
        };
        match lines.last_mut().filter(|_| is_rest) {
            Some(whole) => {
                whole.rest.push(part);
                whole.last_number = number;
            }
            None => lines.push(WholeLine {
                first_number: number,
                last_number: number,
                first: part,
                rest: Vec::new(),
            }),
        }
    }
    lines
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

/// Whether the line ends in a backslash that is not itself escaped by one.
fn is_continued(line: &str) -> bool {
    let before = line.trim_end_matches('\\');
    (line.len() - before.len()) % 2 == 1
}

/// The parts of a value, with one space between them.
fn joined(first: &str, rest: &[&str]) -> String {
    let parts = [first].into_iter().chain(rest.iter().copied());
    let parts: Vec<&str> = parts.map(str::trim).filter(|it| !it.is_empty()).collect();
    parts.join(" ")
}

/// Lists the sections and settings that systemd does not know: it ignores them, with its own warning. That warning does not
/// say where a setting belongs, or which version introduced it.
pub fn unknown_names(file: &str, text: &str) -> Vec<String> {
    let known = known();
    let mut warnings = Vec::new();
    let mut unknown_section = None;
    for setting in settings(text) {
        let Setting {
            line,
            section,
            name,
            ..
        } = setting;
        if section.starts_with(FOREIGN) || name.starts_with(FOREIGN) {
            continue;
        }
        if !known.contains(&(section, "")) {
            // Reported once, not for each of its settings.
            if unknown_section.replace(section) != Some(section) {
                let sections = known.iter().filter(|(_, name)| name.is_empty());
                let sections = sections.map(|(section, _)| *section);
                let hint = hint(section, sections, |it| format!("[{it}]"));
                let what = match section {
                    "" => "settings before the first section".to_owned(),
                    section => format!("section [{section}]"),
                };
                warnings.push(format!("{file}:{line}: systemd ignores {what}{hint}"));
            }
        } else if !known.contains(&(section, name)) {
            let why = why_unknown(&known, section, name);
            warnings.push(format!(
                "{file}:{line}: systemd ignores {name}= in [{section}]{why}"
            ));
        }
    }
    warnings
}

/// Reports that a timer fires at random times: no two runs are alike.
pub fn random_delay(file: &str, text: &str) -> Option<String> {
    let settings = settings(text);
    let set = |name: &str| settings.iter().rfind(|setting| setting.name == name);
    // systemd.timer(5), "FixedRandomDelay=": the same delay each time.
    let is_fixed =
        set("FixedRandomDelay").is_some_and(|it| ["yes", "true", "on", "1"].contains(&&*it.value));
    let delay = set("RandomizedDelaySec")?;
    let is_none = delay.value.is_empty() || delay.value.starts_with('0');
    (!is_fixed && !is_none).then(|| {
        format!(
            "{file}:{}: RandomizedDelaySec= fires at another time in each run; for one to compare with, set FixedRandomDelay=yes",
            delay.line
        )
    })
}

/// Settings that are newer than the systemd whose settings are known here, with their version: from systemd's NEWS.
const NEWER: [(&str, u32); 7] = [
    ("BPFDelegateAttachments", 258),
    ("BPFDelegateCommands", 258),
    ("BPFDelegateMaps", 258),
    ("BPFDelegatePrograms", 258),
    ("DelegateNamespaces", 258),
    ("PrivateBPF", 258),
    ("UserNamespacePath", 258),
];

/// The section where the setting belongs, the version that introduced it, or a similar name.
fn why_unknown(known: &HashSet<(&'static str, &'static str)>, section: &str, name: &str) -> String {
    if let Some(place) = section_of(name) {
        return format!(": it belongs in [{place}]");
    }
    if let Some((_, version)) = NEWER.iter().find(|(newer, _)| *newer == name) {
        return format!(": it came with systemd {version}");
    }
    let names = known
        .iter()
        .filter(|(in_section, _)| *in_section == section);
    hint(name, names.map(|(_, name)| *name), |it| format!("{it}="))
}

/// The section that knows this setting, if one does.
pub fn section_of(name: &str) -> Option<&'static str> {
    let places = settings_of_dump().filter(|(_, other)| *other == name);
    let places: Vec<&str> = places.map(|(section, _)| section).collect();
    let common = COMMON.into_iter().find(|common| places.contains(common));
    common.or_else(|| places.into_iter().min())
}

/// Pairs of section and setting; a section alone has an empty setting.
fn known() -> HashSet<(&'static str, &'static str)> {
    let settings = settings_of_dump();
    settings.collect()
}

fn settings_of_dump() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut section = "";
    SETTINGS.lines().map(move |line| {
        match line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(name) => {
                section = name;
                (section, "")
            }
            None => (section, line),
        }
    })
}

/// `: did you mean Restart=?`, or nothing.
fn hint<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str>,
    written: impl Fn(&str) -> String,
) -> String {
    let allowed = match wrong.len() < LONG_NAME {
        true => TYPOS,
        false => TYPOS_OF_LONG,
    };
    let lower = wrong.to_lowercase();
    let rated = known.map(|name| (typos(&lower, &name.to_lowercase()), name));
    // Among equally similar names, always choose the same one.
    let best = rated.filter(|(typos, _)| *typos <= allowed).min();
    best.map_or_else(String::new, |(_, name)| {
        format!(": did you mean {}?", written(name))
    })
}

/// How many letters differ: Damerau-Levenshtein distance, with each stretch of letters swapped at most once.
fn typos(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let is_other = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + is_other);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// Whether systemd would find nothing to run in a service, given the texts of its unit file and drop-ins.
/// systemd.service(5), `ExecStart=`.
pub fn starts_nothing(texts: &[&str]) -> bool {
    let all: Vec<Setting<'_>> = texts.iter().flat_map(|text| settings(text)).collect();
    let is_set = |wanted: &str| {
        let of_service = all.iter().filter(|one| one.section == "Service");
        let mut of_it = of_service.filter(|one| one.name == wanted);
        // An empty value resets the earlier ones.
        of_it.next_back().is_some_and(|one| !one.value.is_empty())
    };
    let succeeds_alone = all.iter().any(|one| one.name == "SuccessAction");
    !is_set("ExecStart") && !is_set("ExecStop") && !succeeds_alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_calendar_event_may_be_a_time_zone() {
        for (event, zone) in [
            ("*-*-* 02:30:00 Europe/Berlin", Some("Europe/Berlin")),
            ("weekly Pacific/Auckland", Some("Pacific/Auckland")),
            ("Mon 09:00 CET", Some("CET")),
            ("09:00 Etc/GMT+2 ", Some("Etc/GMT+2")),
            ("*-*-* 02:30:00 UTC", None),
            ("*-*-* 02:30:00", None),
            ("Mon, Tue", None),
            ("daily", None),
            ("", None),
        ] {
            assert_eq!(time_zone(event), zone, "{event}");
        }
    }

    fn warnings(text: &str) -> Vec<String> {
        unknown_names("my.service", text)
    }

    #[test]
    fn known_settings_are_accepted() {
        let text = "# a comment = with a sign\n[Unit]\nDescription=x\n[Service]\nType=notify\nEnvironment=A=1 \\\n    Bogus=2\nExecStart=/bin/x\nX-Mine=1\n[X-Mine]\nAnything=1\n[Install]\nWantedBy=multi-user.target\n";
        assert_eq!(warnings(text), Vec::<String>::new());
        let marked = format!("{BYTE_ORDER_MARK}[Service]\nExecStart=/bin/x\n");
        assert_eq!(warnings(&marked), Vec::<String>::new());
    }

    #[test]
    fn what_it_does_not_know_is_named_with_its_line() {
        for (text, expected) in [
            (
                "[Service]\nExecStart=/bin/x\nRestrat=always\n",
                "my.service:3: systemd ignores Restrat= in [Service]: did you mean Restart=?",
            ),
            (
                "[Service]\nRestartSecs=1\n",
                "my.service:2: systemd ignores RestartSecs= in [Service]: did you mean RestartSec=?",
            ),
            (
                "[Service]\nStartLimitIntervalSec=0\n",
                "my.service:2: systemd ignores StartLimitIntervalSec= in [Service]: it belongs in [Unit]",
            ),
            (
                "[Unit]\nType=exec\n",
                "my.service:2: systemd ignores Type= in [Unit]: it belongs in [Service]",
            ),
            (
                "[Sevrice]\nA=1\nB=1\n",
                "my.service:1: systemd ignores section [Sevrice]: did you mean [Service]?",
            ),
            (
                "Type=simple\n[Service]\n",
                "my.service:1: systemd ignores settings before the first section",
            ),
            (
                "[Service]\nPrivateBPF=yes\n",
                "my.service:2: systemd ignores PrivateBPF= in [Service]: it came with systemd 258",
            ),
            (
                "[Service]\nBogus=yes\n",
                "my.service:2: systemd ignores Bogus= in [Service]",
            ),
        ] {
            assert_eq!(warnings(text), [expected]);
        }
        assert_eq!(
            warnings("[Service]\nStartLimitBurst=3\n"),
            Vec::<String>::new()
        );
    }

    /// systemd 257 read these lines in the same way.
    #[test]
    fn a_setting_goes_on_in_the_next_line_that_is_not_a_comment() {
        let lines = [
            "[Service]",
            "ExecStart=/bin/echo a \\",
            "# a comment",
            "    b \\",
            "; another \\",
            "    c",
            "ExecStop=/bin/echo d\\",
            "",
            // Something follows the backslash, or it is escaped itself.
            "ExecReload=/bin/echo e \\ ",
            "ExecStopPost=/bin/echo f\\\\",
            "Environment=\\",
            "  A=1 \\",
            "  B=2 \\",
        ];
        let text = lines.join("\n");
        let found = settings(&text);
        let found = found.iter().map(|it| (it.line, it.name, &*it.value));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                (1, "", ""),
                (2, "ExecStart", "/bin/echo a b c"),
                (7, "ExecStop", "/bin/echo d"),
                (9, "ExecReload", "/bin/echo e \\"),
                (10, "ExecStopPost", "/bin/echo f\\\\"),
                (11, "Environment", "A=1 B=2"),
            ]
        );
        let whole = Some((2, "ExecStart=/bin/echo a b c".to_owned()));
        for number in [2, 4, 6] {
            assert_eq!(line(&text, number), whole);
        }
        assert_eq!(line(&text, 3), Some((3, "# a comment".to_owned())));
        assert_eq!((line(&text, 0), line(&text, 14)), (None, None));
    }

    #[test]
    fn a_random_delay_is_named_unless_it_is_fixed() {
        let random = "[Timer]\nOnCalendar=hourly\nRandomizedDelaySec=10min\n";
        let said = random_delay("a.timer", random).unwrap_or_default();
        assert!(said.starts_with("a.timer:3: RandomizedDelaySec="), "{said}");
        let fixed = format!("{random}FixedRandomDelay=yes\n");
        for text in [
            &fixed,
            "[Timer]\nRandomizedDelaySec=0\n",
            "[Timer]\nOnCalendar=hourly\n",
        ] {
            assert_eq!(random_delay("a.timer", text), None);
        }
    }

    #[test]
    fn a_service_needs_something_to_start() {
        assert!(starts_nothing(&["[Service]\nType=exec\n"]));
        assert!(starts_nothing(&[
            "[Service]\nExecStart=/bin/x\nExecStart=\n"
        ]));
        assert!(starts_nothing(&["[Unit]\nExecStart=/bin/x\n"]));
        assert!(!starts_nothing(&["[Service]\nExecStart=/bin/x\n"]));
        assert!(!starts_nothing(&[
            "[Service]\n",
            "[Service]\nExecStart=/bin/x\n"
        ]));
        let only_stops = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/x\n";
        assert!(!starts_nothing(&[only_stops]));
    }
}
