//! The usual names of numbers: signals and exit statuses.

/// Signals by number, from 1: signal(7), x86-64.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// A clean end: systemd.service(5), `SuccessExitStatus=`.
pub const SIGHUP: i32 = 1;

/// A clean end.
pub const SIGINT: i32 = 2;

/// Dumps core. The watchdog sends it.
pub const SIGABRT: i32 = 6;

/// Ends a process; the process cannot prevent it.
pub const SIGKILL: i32 = 9;

/// Dumps core.
pub const SIGSEGV: i32 = 11;

/// A clean end.
pub const SIGPIPE: i32 = 13;

/// Asks a process to stop: a clean end.
pub const SIGTERM: i32 = 15;

/// Makes a process hang; the process cannot prevent it.
pub const SIGSTOP: i32 = 19;

/// Lets a stopped process continue.
pub const SIGCONT: i32 = 18;

/// The first and the last signal without its own name, as glibc counts them (signal(7), "Real-time signals").
const REAL_TIME: (i32, i32) = (34, 64);

/// The name from which real-time signals are counted.
const RTMIN: &str = "SIGRTMIN";

/// The names of these exit statuses in sysexits.h: systemd.exec(5), "Process Exit Codes".
const BSD: [&str; 15] = [
    "USAGE",
    "DATAERR",
    "NOINPUT",
    "NOUSER",
    "NOHOST",
    "UNAVAILABLE",
    "SOFTWARE",
    "OSERR",
    "OSFILE",
    "CANTCREAT",
    "IOERR",
    "TEMPFAIL",
    "PROTOCOL",
    "NOPERM",
    "CONFIG",
];

/// The status of the first of [`BSD`].
const FIRST_BSD: i32 = 64;

/// The exit statuses of a process that systemd forked but could not set up, each with systemd's name: systemd.exec(5),
/// "Process Exit Codes". A test compares them with the guest's own list.
const SYSTEMD: [(i32, &str); 45] = [
    (200, "CHDIR"),
    (201, "NICE"),
    (202, "FDS"),
    (203, "EXEC"),
    (204, "MEMORY"),
    (205, "LIMITS"),
    (206, "OOM_ADJUST"),
    (207, "SIGNAL_MASK"),
    (208, "STDIN"),
    (209, "STDOUT"),
    (210, "CHROOT"),
    (211, "IOPRIO"),
    (212, "TIMERSLACK"),
    (213, "SECUREBITS"),
    (214, "SETSCHEDULER"),
    (215, "CPUAFFINITY"),
    (216, "GROUP"),
    (217, "USER"),
    (218, "CAPABILITIES"),
    (219, "CGROUP"),
    (220, "SETSID"),
    (221, "CONFIRM"),
    (222, "STDERR"),
    (224, "PAM"),
    (225, "NETWORK"),
    (226, "NAMESPACE"),
    (227, "NO_NEW_PRIVILEGES"),
    (228, "SECCOMP"),
    (229, "SELINUX_CONTEXT"),
    (230, "PERSONALITY"),
    (231, "APPARMOR"),
    (232, "ADDRESS_FAMILIES"),
    (233, "RUNTIME_DIRECTORY"),
    (235, "CHOWN"),
    (236, "SMACK_PROCESS_LABEL"),
    (237, "KEYRING"),
    (238, "STATE_DIRECTORY"),
    (239, "CACHE_DIRECTORY"),
    (240, "LOGS_DIRECTORY"),
    (241, "CONFIGURATION_DIRECTORY"),
    (242, "NUMA_POLICY"),
    (243, "CREDENTIALS"),
    (244, "BPF"),
    (245, "KSM"),
    (255, "EXCEPTION"),
];

/// The name of a signal: `SIGTERM`, `SIGRTMIN+3`.
pub fn signal_name(number: i32) -> String {
    let index = usize::try_from(number - 1).ok();
    match index.and_then(|index| SIGNALS.get(index)) {
        Some(name) => (*name).to_owned(),
        None if (REAL_TIME.0..=REAL_TIME.1).contains(&number) => match number - REAL_TIME.0 {
            0 => RTMIN.to_owned(),
            more => format!("{RTMIN}+{more}"),
        },
        None => format!("signal {number}"),
    }
}

/// The number of a signal from its name, with or without `SIG`: `SIGTERM`, `TERM`, `SIGRTMIN+3`, `RTMAX-1`; a number is
/// also accepted.
pub fn signal_number(name: &str) -> Option<i32> {
    let bare = |name: &'static str| name.strip_prefix("SIG").unwrap_or(name);
    let wanted = name.strip_prefix("SIG").unwrap_or(name);
    let named = (1..).zip(&SIGNALS).find(|(_, known)| bare(known) == wanted);
    let number = match named {
        Some((number, _)) => Some(number),
        None => match (wanted.strip_prefix("RTMIN"), wanted.strip_prefix("RTMAX")) {
            (Some(""), _) => Some(REAL_TIME.0),
            (_, Some("")) => Some(REAL_TIME.1),
            (Some(more), _) => offset(more, '+').map(|more| REAL_TIME.0 + more),
            (_, Some(less)) => offset(less, '-').map(|less| REAL_TIME.1 - less),
            _ => wanted.parse().ok().filter(|number| *number > 0),
        },
    };
    let is_signal = |number: &i32| {
        *number <= SIGNALS.len() as i32 || (REAL_TIME.0..=REAL_TIME.1).contains(number)
    };
    number.filter(is_signal)
}

fn offset(text: &str, sign: char) -> Option<i32> {
    let digits = text.strip_prefix(sign)?;
    digits
        .parse()
        .ok()
        .filter(|it| (0..=REAL_TIME.1).contains(it))
}

/// All signals that have their own names, for error messages.
pub fn signal_names() -> String {
    format!("{} and {RTMIN}+N", SIGNALS.join(" "))
}

/// An exit status with systemd's name for it, if that name says something about the cause: `226/NAMESPACE`, `78/CONFIG`,
/// `1`.
pub fn exit_status(status: i32) -> String {
    let of_systemd = SYSTEMD.iter().find(|(known, _)| *known == status);
    let of_bsd = usize::try_from(status - FIRST_BSD)
        .ok()
        .and_then(|index| BSD.get(index));
    match of_systemd.map(|(_, name)| name).or(of_bsd) {
        Some(name) => format!("{status}/{name}"),
        None => status.to_string(),
    }
}

/// For each exit status of a failed setup, the unit's settings that decide whether systemd can set up the process.
const DECIDING: [(&str, &[&str]); 28] = [
    ("CHDIR", &["WorkingDirectory"]),
    ("NICE", &["Nice"]),
    ("EXEC", &["ExecStart"]),
    ("MEMORY", &["MemoryDenyWriteExecute", "LimitAS"]),
    ("LIMITS", &["LimitNOFILE", "LimitNPROC", "LimitAS"]),
    ("OOM_ADJUST", &["OOMScoreAdjust"]),
    ("STDIN", &["StandardInput"]),
    ("STDOUT", &["StandardOutput"]),
    ("CHROOT", &["RootDirectory", "RootImage"]),
    ("IOPRIO", &["IOSchedulingClass", "IOSchedulingPriority"]),
    ("SECUREBITS", &["SecureBits"]),
    (
        "SETSCHEDULER",
        &["CPUSchedulingPolicy", "CPUSchedulingPriority"],
    ),
    ("CPUAFFINITY", &["CPUAffinity"]),
    ("GROUP", &["Group", "SupplementaryGroups"]),
    ("USER", &["User", "DynamicUser"]),
    (
        "CAPABILITIES",
        &["AmbientCapabilities", "CapabilityBoundingSet"],
    ),
    ("STDERR", &["StandardError"]),
    ("PAM", &["PAMName"]),
    ("NETWORK", &["NetworkNamespacePath", "PrivateNetwork"]),
    (
        "NAMESPACE",
        &[
            "BindPaths",
            "BindReadOnlyPaths",
            "ReadWritePaths",
            "ReadOnlyPaths",
            "InaccessiblePaths",
            "RootDirectory",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "PrivateDevices",
            "PrivateMounts",
            "PrivateUsers",
        ],
    ),
    ("SECCOMP", &["SystemCallFilter", "SystemCallArchitectures"]),
    ("ADDRESS_FAMILIES", &["RestrictAddressFamilies"]),
    ("RUNTIME_DIRECTORY", &["RuntimeDirectory"]),
    ("STATE_DIRECTORY", &["StateDirectory"]),
    ("CACHE_DIRECTORY", &["CacheDirectory"]),
    ("LOGS_DIRECTORY", &["LogsDirectory"]),
    ("CONFIGURATION_DIRECTORY", &["ConfigurationDirectory"]),
    (
        "CREDENTIALS",
        &["LoadCredential", "SetCredential", "ImportCredential"],
    ),
];

/// The settings that decide whether systemd can set up a process, for a process that exited with this status because of
/// that. `None` for a status that is not systemd's; empty if no single setting decides.
pub(crate) fn settings_of_status(status: i32) -> Option<&'static [&'static str]> {
    let (_, name) = SYSTEMD.iter().find(|(known, _)| *known == status)?;
    let deciding = DECIDING.iter().find(|(known, _)| known == name);
    Some(deciding.map_or(&[], |(_, settings)| settings))
}

/// The statuses that have names, for the test that compares them with the guest's.
#[doc(hidden)]
pub fn named_exit_statuses() -> Vec<(i32, &'static str)> {
    let bsd = (FIRST_BSD..).zip(BSD);
    bsd.chain(SYSTEMD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_read_as_it_is_written() {
        for number in (1..=31).chain(34..=64) {
            let name = signal_name(number);
            assert!(name.starts_with("SIG"), "{name}");
            assert_eq!(signal_number(&name), Some(number), "{name}");
            assert_eq!(signal_number(&name[3..]), Some(number), "{name}");
            assert_eq!(signal_number(&number.to_string()), Some(number));
        }
        assert_eq!(signal_name(31), "SIGSYS");
        assert_eq!(signal_number("SIGRTMIN+3"), Some(37));
        assert_eq!(signal_number("RTMAX-1"), Some(63));
        for wrong in [
            "",
            "SIG",
            "SIGFOO",
            "0",
            "-1",
            "32",
            "65",
            "SIGRTMIN+31",
            "SIGRTMIN-1",
            "RTMIN+x",
        ] {
            assert_eq!(signal_number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn settings_decide_by_the_name_of_a_status() {
        assert_eq!(settings_of_status(200), Some(&["WorkingDirectory"][..]));
        assert_eq!(settings_of_status(225).map(<[_]>::len), Some(2));
        assert_eq!(settings_of_status(255), Some(&[][..]));
        assert_eq!(settings_of_status(1), None);
        for (name, _) in DECIDING {
            assert!(SYSTEMD.iter().any(|(_, known)| *known == name), "{name}");
        }
    }

    #[test]
    fn statuses_have_systemds_names() {
        let shown = [0, 1, 63, 64, 78, 79, 203, 217, 223, 226, 255].map(exit_status);
        assert_eq!(
            shown,
            [
                "0",
                "1",
                "63",
                "64/USAGE",
                "78/CONFIG",
                "79",
                "203/EXEC",
                "217/USER",
                "223",
                "226/NAMESPACE",
                "255/EXCEPTION"
            ]
        );
    }
}
