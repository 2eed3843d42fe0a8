//! What specifiers in unit files stand for in the guest: systemd.unit(5), "Specifiers".

/// The text with its specifiers resolved, for this unit if it is known. `None` if one of them is not known before the run.
pub(super) fn resolved(text: &str, unit: Option<&str>) -> Option<String> {
    let mut resolved = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => resolved += &value(letters.next()?, unit)?,
            other => resolved.push(other),
        }
    }
    Some(match text.contains('%') && resolved.starts_with('/') {
        true => simplified(&resolved),
        false => resolved,
    })
}

/// As systemd simplifies a path: an empty instance leaves two slashes.
fn simplified(path: &str) -> String {
    let parts = path.split('/').filter(|it| !it.is_empty() && *it != ".");
    parts.map(|part| format!("/{part}")).collect()
}

/// What this specifier stands for in a unit of the system's manager, which runs as root. `User=` changes none of them.
fn value(specifier: char, unit: Option<&str>) -> Option<String> {
    let directory = match specifier {
        '%' => "%",
        'C' => "/var/cache",
        'E' => "/etc",
        'L' => "/var/log",
        'S' => "/var/lib",
        'T' => "/tmp",
        'V' => "/var/tmp",
        'h' => "/root",
        't' => "/run",
        'g' | 'u' => "root",
        'G' | 'U' => "0",
        _ => return of_unit(specifier, unit?),
    };
    Some(directory.to_owned())
}

/// The specifiers that stand for a part of the unit's name.
fn of_unit(specifier: char, unit: &str) -> Option<String> {
    let (name, _) = unit.rsplit_once('.')?;
    let (prefix, instance) = name.split_once('@').unwrap_or((name, ""));
    let last = prefix.rsplit('-').next().unwrap_or(prefix);
    Some(match specifier {
        'n' => unit.to_owned(),
        'N' => name.to_owned(),
        'p' => prefix.to_owned(),
        'P' => unescaped(prefix)?,
        'i' => instance.to_owned(),
        'I' => unescaped(instance)?,
        'j' => last.to_owned(),
        'J' => unescaped(last)?,
        'f' => {
            let of = if instance.is_empty() {
                prefix
            } else {
                instance
            };
            format!("/{}", unescaped(of)?)
        }
        _ => return None,
    })
}

/// `/srv/my-data` of `-srv-my\x2ddata`: systemd.unit(5), "String Escaping for Inclusion in Unit Names".
fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'-' => b'/',
            b'\\' => {
                let digits = [rest.next()?, rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?.strip_prefix('x')?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manager's, and not those of `User=`.
    #[test]
    fn the_user_and_the_home_directory_are_those_of_the_manager() {
        let of_manager = resolved("%h %u %U %g %G", Some("a.service"));
        assert_eq!(of_manager.as_deref(), Some("/root root 0 root 0"));
    }
}
