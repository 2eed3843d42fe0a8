//! Time zones that unit files name but the guest lacks.
//!
//! Without them, systemd refuses `OnCalendar=` with a zone, and says only that it cannot read it. The C library is silent: with a
//! `TZ=` that it does not know, it counts in UTC.

use std::collections::HashSet;

use crate::guest_file::GuestFile;
use crate::unit_files;
use systemd_timeline::unit_file::{self, Setting, time_zone};

/// Where a zone has its file, relative to the root: tzfile(5).
const FOLDER: &str = "usr/share/zoneinfo/";

/// The setting with a calendar event.
const CALENDAR: &str = "OnCalendar";

/// The setting with variables, and the one that names the zone: tzset(3).
const ENVIRONMENT: &str = "Environment";
const VARIABLE: &str = "TZ=";

/// Lists the missing zones, with the lines that name them. The guest has these paths.
pub(super) fn warnings(files: &[GuestFile], guest: &HashSet<String>) -> Vec<String> {
    let has_zones = guest.iter().any(|path| path.starts_with(FOLDER));
    let mut warnings = Vec::new();
    for (name, text) in unit_files::texts(files) {
        for setting in unit_file::settings(&text) {
            let Some(zone) = zone(&setting) else {
                continue;
            };
            let path = format!("{FOLDER}{zone}");
            let is_own = |file: &GuestFile| file.path().trim_start_matches('/') == path;
            if guest.contains(&path) || files.iter().any(is_own) {
                continue;
            }
            let what = match has_zones {
                true => format!(
                    "the guest has no time zone {zone}; correct its name, or add the Debian package tzdata-legacy, which has old names"
                ),
                false => format!(
                    "the guest has no time zone {zone}, and none but UTC; add the Debian package tzdata (--package tzdata)"
                ),
            };
            warnings.push(format!("{name}:{}: {what}", setting.line));
        }
    }
    warnings
}

/// The zone that a setting names, if it is written plainly and needs a file.
fn zone<'a>(setting: &'a Setting<'_>) -> Option<&'a str> {
    match setting.name {
        CALENDAR => time_zone(&setting.value),
        ENVIRONMENT => {
            let mut words = setting
                .value
                .split(|c: char| c.is_whitespace() || "\"'".contains(c));
            let zone = words.find_map(|word| word.strip_prefix(VARIABLE))?;
            let zone = zone.trim_start_matches(':');
            // `CET-1CEST` and the like need no file.
            (zone.contains('/') && !zone.starts_with('/')).then_some(zone)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &str, guest: &[&str]) -> Vec<String> {
        let unit = GuestFile::text("/etc/systemd/system/a.timer", lines);
        let guest = guest.iter().map(|path| (*path).to_owned());
        warnings(&[unit], &guest.collect())
    }

    #[test]
    fn a_zone_without_its_file_is_named_with_its_line() {
        let lines = "[Timer]\nOnCalendar=daily\nOnCalendar=*-*-* 02:30:00 Europe/Berlin\n";
        assert_eq!(
            said(lines, &["usr/bin/sleep"]),
            [
                "a.timer:3: the guest has no time zone Europe/Berlin, and none but UTC; add the Debian package tzdata (--package tzdata)"
            ]
        );
        assert_eq!(
            said(lines, &["usr/share/zoneinfo/Europe/Paris"]),
            [
                "a.timer:3: the guest has no time zone Europe/Berlin; correct its name, or add the Debian package tzdata-legacy, which has old names"
            ]
        );
        assert_eq!(
            said(lines, &["usr/share/zoneinfo/Europe/Berlin"]),
            Vec::<String>::new()
        );
        let variable = "[Service]\nEnvironment=\"A=1\" \"TZ=America/New_York\"\n";
        assert_eq!(said(variable, &[]).len(), 1);
    }

    #[test]
    fn what_needs_no_file_is_right() {
        for right in [
            "OnCalendar=*-*-* 02:30:00 UTC",
            "OnCalendar=Mon..Fri 09:00",
            "OnCalendar=Mon,Tue *-*-* 00:00",
            "OnCalendar=weekly",
            "OnActiveSec=5min 20s",
            "Environment=TZ=UTC",
            "Environment=TZ=CET-1CEST",
            "Environment=TZ=:/opt/zone",
            "Environment=A=Europe/Berlin",
        ] {
            assert_eq!(
                said(&format!("[Timer]\n{right}\n"), &[]),
                Vec::<String>::new()
            );
        }
    }
}
