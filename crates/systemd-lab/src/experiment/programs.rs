//! Programs that unit files start but the guest lacks.
//!
//! That is a warning, not an error: the missing program may be the point of the run, and something may put it there in time. If
//! there is a sign of that, or if the unit sees other files than the guest has, there is no warning; systemd then reports what it
//! cannot run.

use std::collections::HashSet;

use super::specifiers;
use crate::guest_file::GuestFile;
use crate::unit_files;
use systemd_timeline::unit_file::template_of;
use systemd_timeline::unit_file::{self, COMMANDS, Setting};

/// The settings among these whose commands run before the main process and may put the program there.
const BEFORE: [&str; 2] = ["ExecCondition", "ExecStartPre"];

/// Prefixes that a command may have: systemd.service(5), "Command lines".
const PREFIXES: [char; 6] = ['@', '-', ':', '+', '!', '|'];

/// With `-`, a command that cannot be run is not a failure.
const MAY_FAIL: char = '-';

/// Settings that make a unit see other files than the guest has: systemd.exec(5).
const OTHER_FILES: [&str; 10] = [
    "RootDirectory",
    "RootImage",
    "RootHash",
    "BindPaths",
    "BindReadOnlyPaths",
    "MountImages",
    "ExtensionImages",
    "ExtensionDirectories",
    "TemporaryFileSystem",
    "ExecSearchPath",
];

/// Directories where systemd, the kernel or the service may put programs.
const RUNTIME: [&str; 6] = ["/run/", "/tmp/", "/var/", "/dev/", "/proc/", "/sys/"];

/// Where systemd looks for a name without a path: `DEFAULT_PATH` of its path-util.h.
const SEARCHED: [&str; 4] = [
    "/usr/local/sbin/",
    "/usr/local/bin/",
    "/usr/sbin/",
    "/usr/bin/",
];

/// Programs that can do anything.
const SHELLS: [&str; 3] = ["sh", "bash", "dash"];

/// Sets variables, and starts a program.
const ENV: &str = "env";

/// Values with these characters are not analysed: variables, quotes and escapes.
const NOT_PLAIN: [char; 4] = ['$', '"', '\'', '\\'];

/// Lists the missing programs, with the lines that start them. The guest has these paths. Of a template's instances, only those among
/// `known` are known.
pub(super) fn warnings(
    files: &[GuestFile],
    known: &[String],
    guest: &HashSet<String>,
) -> Vec<String> {
    let texts = unit_files::texts(files);
    let units: Vec<(&str, Vec<Setting<'_>>)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), unit_file::settings(text)))
        .collect();
    let mut warnings = Vec::new();
    for (name, settings) in &units {
        let of_unit = units.iter().filter(|(other, _)| is_same_unit(name, other));
        let mut of_unit = of_unit.flat_map(|(_, settings)| settings);
        if of_unit.any(|setting| OTHER_FILES.contains(&setting.name)) {
            continue;
        }
        for (setting, unit) in with_units(name, settings, known) {
            let Some(program) = program(setting, unit) else {
                continue;
            };
            let line = setting.line;
            let is_own = |file: &&GuestFile| below_usr(file.path()) == below_usr(&program);
            let what = match files.iter().find(is_own) {
                Some(file) if !file.is_executable() => {
                    format!("{program} is not executable; change that on the host (chmod +x)")
                }
                Some(_) => continue,
                None if is_there(&program, files, guest) => continue,
                None if may_be_put_there(&program, name, line, &units, known, files) => continue,
                None => format!(
                    "the guest has no {program}; add it as a file, or add the Debian package that brings it"
                ),
            };
            let warning = format!("{name}:{line}: {what}");
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// The settings of this file, each with each known unit that it applies to. `None` stands for instances that are not known.
fn with_units<'a>(
    file: &'a str,
    settings: &'a [Setting<'a>],
    known: &'a [String],
) -> impl Iterator<Item = (&'a Setting<'a>, Option<&'a str>)> {
    let of = file.split_once(".d/").map_or(file, |(of, _)| of);
    let is_of_many = of != file && of.contains("-.");
    let mut units: Vec<Option<&str>> = match unit_files::is_unit_name(of) && !is_of_many {
        true if of.contains("@.") => {
            let is_instance = |unit: &&String| *unit != of && template_of(unit) == of;
            let instances = known.iter().filter(is_instance);
            instances.map(|unit| Some(unit.as_str())).collect()
        }
        true => vec![Some(of)],
        // A drop-in of all services, or of all whose names begin alike.
        false => Vec::new(),
    };
    if units.is_empty() {
        units.push(None);
    }
    let settings = settings.iter();
    settings.flat_map(move |setting| units.clone().into_iter().map(move |unit| (setting, unit)))
}

/// Whether both belong to the same unit: its file, its template or drop-ins of these.
fn is_same_unit(one: &str, other: &str) -> bool {
    let unit = |name: &str| {
        name.split_once(".d/")
            .map_or(name, |(unit, _)| unit)
            .to_owned()
    };
    let (one, other) = (unit(one), unit(other));
    one == other || template_of(&one) == other || template_of(&other) == one
}

/// The program that a command of this unit needs, if it is written plainly. For `env`, the program that it starts.
fn program(setting: &Setting<'_>, unit: Option<&str>) -> Option<String> {
    if !COMMANDS.contains(&setting.name) {
        return None;
    }
    let command = setting.value.trim_start_matches(PREFIXES);
    let prefixes = &setting.value[..setting.value.len() - command.len()];
    let mut words = command.split_whitespace();
    let mut program = words.next()?;
    if program.rsplit('/').next() == Some(ENV) {
        program = words.find(|word| !word.contains('='))?;
    }
    let is_plain =
        !program.contains(NOT_PLAIN) && !program.ends_with(';') && !program.starts_with('-');
    let resolved = || specifiers::resolved(program, unit);
    match is_plain && !prefixes.contains(MAY_FAIL) {
        // systemd ignores a line with such characters, and reports it.
        true => resolved().filter(|it| !it.contains(NOT_PLAIN)),
        false => None,
    }
}

/// /bin, /lib and /sbin are links into /usr.
fn below_usr(path: &str) -> &str {
    path.strip_prefix("/usr").unwrap_or(path)
}

fn is_there(program: &str, files: &[GuestFile], guest: &HashSet<String>) -> bool {
    let has = |path: &str| {
        let relative = path.trim_start_matches('/');
        guest.contains(relative) || guest.contains(&format!("usr/{relative}"))
    };
    match program.starts_with('/') {
        true => has(program) || RUNTIME.iter().any(|folder| program.starts_with(folder)),
        // systemd refuses a relative path, and reports it.
        false if program.contains('/') => true,
        false => SEARCHED.iter().any(|folder| {
            let path = format!("{folder}{program}");
            has(&path) || files.iter().any(|file| file.path() == path)
        }),
    }
}

/// Whether another line names the program or its folder, or something that can do anything runs before it.
fn may_be_put_there(
    program: &str,
    unit: &str,
    line: usize,
    units: &[(&str, Vec<Setting<'_>>)],
    known: &[String],
    files: &[GuestFile],
) -> bool {
    let (folder, name) = program.rsplit_once('/').unwrap_or(("", program));
    let others = units.iter().flat_map(|(other, settings)| {
        let others = with_units(other, settings, known);
        let others = others.map(move |(setting, of)| (*other, setting, of));
        others.filter(|(other, setting, _)| *other != unit || setting.line != line)
    });
    others.into_iter().any(|(other, setting, of)| {
        let value = &setting.value;
        let mut words = value.split(|c: char| c.is_whitespace() || "\"';=".contains(c));
        let names_it = words.any(|word| {
            let word = &specifiers::resolved(word, of).unwrap_or_else(|| word.to_owned());
            word == program
                || word.rsplit('/').next() == Some(name)
                || word == folder && !folder.is_empty()
        });
        let starts_it = self::program(setting, of).as_deref() == Some(program);
        let is_free = BEFORE.contains(&setting.name)
            && is_same_unit(unit, other)
            && self::program(setting, of).is_none_or(|before| {
                let name = before.rsplit('/').next().unwrap_or(&before);
                SHELLS.contains(&name) || files.iter().any(|file| file.path() == before)
            });
        (names_it && !starts_it) || is_free
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        said_about("my.service", text, &[])
    }

    /// Of the file's instances, only these are known.
    fn said_about(name: &str, text: &str, known: &[&str]) -> Vec<String> {
        let unit = GuestFile::unit(name, text);
        let known: Vec<String> = known.iter().map(|it| (*it).to_owned()).collect();
        let guest = [
            "usr/bin/sleep",
            "usr/bin/mkdir",
            "usr/bin/cp",
            "usr/bin/bash",
        ];
        warnings(&[unit], &known, &guest.map(str::to_owned).into())
    }

    #[test]
    fn specifiers_are_resolved_as_far_as_they_are_known() {
        for (command, path) in [
            ("%E/bin/my --home %h", "/etc/bin/my"),
            ("+%E/my/%n", "/etc/my/my.service"),
            ("/opt/%p/%N/%j/100%%", "/opt/my/my/my/100%"),
            ("/usr/bin/env -u A %h/my", ""),
            ("/usr/bin/env A=%i %E/my", "/etc/my"),
            // An instance is not known, or there is none.
            ("/opt/%i/my", "/opt/my"),
            // Its folder is for what programs write, the machine's ID is not known, and systemd does not know %k.
            ("%t/my", ""),
            ("%S/my", ""),
            ("/opt/%m/my", ""),
            ("/opt/%k/my", ""),
            ("/opt/my%", ""),
            // The shell may do anything, and a line names it.
            ("%h/my\nExecStartPre=/bin/bash -c true", ""),
            ("%E/my\nExecStartPre=cp /srv/my /etc/my", ""),
            ("/etc/my\nExecStartPre=cp /srv/my %E/my", ""),
        ] {
            let said = said(&format!("[Service]\nExecStart={command}\n"));
            let paths = said.iter().filter_map(|it| {
                let (_, rest) = it.split_once("the guest has no ")?;
                Some(rest.split_once(';')?.0)
            });
            assert_eq!(paths.collect::<String>(), path, "{command}");
        }
    }

    #[test]
    fn a_program_of_an_instance_is_known_if_the_instance_is() {
        let text = "[Service]\nExecStart=/opt/%I/%P%f/my\n";
        assert_eq!(said_about("a@.service", text, &[]), [""; 0]);
        let known = [
            "a@x-y.service",
            "a@.service",
            "b@z.service",
            "a@\\x2dz.service",
        ];
        let said = said_about("a@.service.d/more.conf", text, &known);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains(" /opt/x/y/a/x/y/my;"), "{said:?}");
        assert!(said[1].contains(" /opt/-z/a/-z/my;"), "{said:?}");
        let text = "[Service]\nExecStart=/opt/%i/my\n";
        assert_eq!(said_about("a@.service", text, &known).len(), 1);
        // The same for all instances.
        let text = "[Service]\nExecStart=/opt/my\n";
        assert_eq!(said_about("a@.service", text, &known).len(), 1);
        assert_eq!(said_about("a@.service", text, &[]).len(), 1);
        assert_eq!(said_about("service.d/more.conf", text, &[]).len(), 1);
        let text = "[Service]\nExecStart=/opt/%n/my\n";
        assert_eq!(said_about("a-.service.d/more.conf", text, &[]), [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let said = said(
            "[Service]\nExecStartPre=/bin/mkdir -p /var/lib/my\nExecStart=!/opt/my/server --port 80\nExecReload=kill-it $MAINPID\nExecStop=/usr/bin/env A=1 python3 stop.py\n",
        );
        assert_eq!(
            said,
            [
                "my.service:3: the guest has no /opt/my/server; add it as a file, or add the Debian package that brings it",
                "my.service:4: the guest has no kill-it; add it as a file, or add the Debian package that brings it",
                "my.service:5: the guest has no python3; add it as a file, or add the Debian package that brings it",
            ]
        );
    }

    #[test]
    fn what_is_there_or_may_be_in_time_is_right() {
        for right in [
            "ExecStart=/bin/sleep 1",
            "ExecStart=sleep 1",
            "ExecStart=@/usr/bin/sleep dream 1",
            "ExecStart=-/opt/absent",
            "ExecStart=+-/opt/absent",
            "ExecStart=\"/opt/with space\" 1",
            "ExecStart=/run/my/server",
            "ExecStart=/opt/my\nRootDirectory=/srv/root",
            "ExecStart=/opt/my\nBindPaths=/srv/opt:/opt",
            "ExecStart=my\nExecSearchPath=/opt/bin",
            "ExecStartPre=/bin/cp /srv/my /opt/my\nExecStart=/opt/my",
            "ExecStartPre=/bin/cp -t /opt/bin /srv/my\nExecStart=/opt/bin/my",
            "ExecStartPre=/bin/bash -c 'unpack it'\nExecStart=/opt/my",
            "ExecStart=/opt/my\n[Unit]\nConditionFileIsExecutable=/opt/my",
            "ExecStart=relative/path",
            "ExecStart=/usr/bin/env A=1 sleep 1",
            "ExecStart=/usr/bin/env -S absent",
            "ExecStart=",
        ] {
            assert_eq!(
                said(&format!("[Service]\n{right}\n")),
                Vec::<String>::new(),
                "{right}"
            );
        }
    }

    #[test]
    fn a_file_of_the_plan_must_be_executable() {
        let unit = GuestFile::text(
            "/etc/systemd/system/my.service",
            "[Service]\nExecStart=/bin/my\n",
        );
        let program = GuestFile::program("/usr/bin/my", "/bin/sh");
        let none = HashSet::new();
        assert_eq!(
            warnings(&[unit.clone(), program], &[], &none),
            Vec::<String>::new()
        );
        let script = GuestFile::text("/usr/bin/my", "#!/bin/sh\n");
        assert_eq!(
            warnings(&[unit, script], &[], &none),
            ["my.service:2: /bin/my is not executable; change that on the host (chmod +x)"]
        );
    }
}
