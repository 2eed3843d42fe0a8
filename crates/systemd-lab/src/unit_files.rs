//! Which of the files that a guest is given are unit files, and what they say.

use systemd_timeline::UnitTexts;

use crate::guest_file::GuestFile;

/// Where systemd reads units, in the guest.
const UNIT_DIRECTORIES: [&str; 3] = [
    "/etc/systemd/system/",
    "/run/systemd/system/",
    "/usr/lib/systemd/system/",
];

/// Kinds of units that systemd reads from files and that can be started in the guest.
const UNIT_KINDS: [&str; 9] = [
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
];

/// Whether systemd would accept this as the name of a unit that it reads from a file and that can be started in the guest.
pub fn is_unit_name(name: &str) -> bool {
    UNIT_KINDS
        .iter()
        .any(|kind| name.strip_suffix(kind).is_some_and(|stem| !stem.is_empty()))
}

/// The path below one of systemd's directories: `my.service`, `my.service.d/x.conf`.
pub(crate) fn in_unit_directory(path: &str) -> Option<&str> {
    UNIT_DIRECTORIES
        .iter()
        .find_map(|directory| path.strip_prefix(directory))
}

/// The unit files and drop-ins among these. An unreadable file is left out: the run itself reports it.
pub fn unit_texts(files: &[GuestFile]) -> UnitTexts {
    UnitTexts::new(texts(files))
}

/// The same, by their names below systemd's directory.
pub(crate) fn texts(files: &[GuestFile]) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for file in files {
        let Some(name) = in_unit_directory(file.path()) else {
            continue;
        };
        let is_drop_in = name.contains(".d/") && name.ends_with(".conf");
        if !is_drop_in && !is_unit_name(name) {
            continue;
        }
        // `check` reports an unreadable file.
        let content = file.load().map(|loaded| loaded.content);
        if let Ok(text) = text_of(&content.unwrap_or_default()) {
            texts.push((name.to_owned(), text));
        }
    }
    texts
}

/// The text of a unit file. systemd accepts any bytes in comments, but only UTF-8 in settings: `config_parse` in its
/// conf-parser.c. On failure, the line that is not text.
pub(crate) fn text_of(content: &[u8]) -> Result<String, usize> {
    for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        let is_comment =
            line.trim_ascii_start().starts_with(b"#") || line.trim_ascii_start().starts_with(b";");
        if !is_comment && std::str::from_utf8(line).is_err() {
            return Err(number);
        }
    }
    Ok(String::from_utf8_lossy(content).into_owned())
}
