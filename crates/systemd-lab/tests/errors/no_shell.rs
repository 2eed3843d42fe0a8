//! A guest in which no shell opens.

use systemd_lab::GuestFile;
use systemd_lab::protocol::Terminal;

use crate::assert_text;
use crate::support::lab;

/// The service's author can replace the files that bash reads at its start. The wait in vain takes a minute of wall
/// time.
#[test]
fn a_profile_that_lets_no_shell_open() {
    for (name, profile) in [
        ("no_shell_it_powers_off", "poweroff -f\n"),
        ("no_shell_in_time", "sleep infinity\n"),
    ] {
        let files = [GuestFile::text("/etc/profile", profile)];
        let opened = lab().shell(&files, &Terminal::default()).map(drop);
        let error = opened.expect_err("there is none").to_string();
        // The console has the kernel's last words, if there are any.
        let (before, rest) = error
            .split_once("its console:\n")
            .unwrap_or_else(|| panic!("{error}"));
        let (_, remedy) = rest.rsplit_once("\ndo you ").expect("it is named");
        let text = format!("{before}its console:\n[CONSOLE]\ndo you {remedy}");
        assert_text(name, &text, &[]);
    }
}
