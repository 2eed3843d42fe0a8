//! The syntax of single options, and what people write instead.

use std::path::Path;
use std::time::Duration;

use systemd_lab::experiment::{DIRECTORY_MODE, DIRECTORY_OWNER, When, is_unit_name, parse_span};
use systemd_lab::{Fault, GuestFile, Probe, shell_word};

use crate::exit::WrongUsage;

/// When a fault comes. People often swap the two words, or write them as one.
pub(super) fn when(when: &str, fault: &str) -> anyhow::Result<When> {
    let expected = |got: &str, right: &str| {
        WrongUsage(format!(
            "--at: expected a time and then a fault, got {got}; write: --at {right}"
        ))
        .into()
    };
    if let Some((time, in_one)) = in_one_word(when) {
        let got = format!("{time:?} and {in_one:?} in one word");
        return Err(expected(
            &got,
            &format!("{} {}", shell_word(time), shell_word(in_one)),
        ));
    }
    match when.parse::<When>() {
        Ok(when) => Ok(when),
        Err(_) if is_fault(when) && fault.parse::<When>().is_ok() => Err(expected(
            &format!("{when:?} first"),
            &format!("{} {}", shell_word(fault), shell_word(when)),
        )),
        Err(error) => {
            let before = before_the_start(when, fault);
            let message = before.unwrap_or_else(|| format!("--at: {error}"));
            Err(WrongUsage(message).into())
        }
    }
}

/// What to write if only this one word follows `--at`; `next` is the word after it, which is not part of the option.
pub(super) fn half_a_fault(word: &str, next: Option<&str>) -> String {
    let fault = next.filter(|next| is_fault(next)).unwrap_or(USUAL_FAULT);
    let (got, right) = match in_one_word(word) {
        Some((time, fault)) => (
            format!("{time:?} and {fault:?} in one word"),
            format!("{} {}", shell_word(time), shell_word(fault)),
        ),
        None if is_fault(word) => (
            format!("{word:?} alone"),
            format!("10s {}", shell_word(word)),
        ),
        None => match word.parse::<When>() {
            Ok(_) => (
                format!("{word:?} alone"),
                format!("{} {}", shell_word(word), shell_word(fault)),
            ),
            Err(error) => {
                let before = before_the_start(word, fault);
                return before.unwrap_or_else(|| format!("--at: {error}"));
            }
        },
    };
    format!("--at: expected a time and then a fault, got {got}; write: --at {right}")
}

/// What to write instead of a time with a minus, if that is what is wrong with it.
pub(super) fn before_the_start(time: &str, fault: &str) -> Option<String> {
    let right = without_minus(time)?;
    let fault = match is_fault(fault) {
        true => fault,
        false => USUAL_FAULT,
    };
    Some(format!(
        "--at: times count from the start of the unit, so {time:?} is not possible; write: --at {} {}",
        shell_word(right),
        shell_word(fault)
    ))
}

/// The time after a minus, if it is one.
pub(super) fn without_minus(text: &str) -> Option<&str> {
    let right = text.trim().strip_prefix('-')?;
    parse_span(right).is_ok().then_some(right)
}

/// What to write in a plan's file if there is one text instead of a pair.
pub(super) fn pair_in_one(text: &str) -> String {
    let expected =
        format!("at: expected a list of pairs, each a time or an event and a fault, got {text:?}");
    let right = match in_one_word(text) {
        Some((time, fault)) => format!("[[{time:?}, {fault:?}]]"),
        None if is_fault(text) => format!("[[\"10s\", {text:?}]]"),
        None if text.parse::<When>().is_ok() => format!("[[{text:?}, {USUAL_FAULT:?}]]"),
        None => return format!("{expected}; write e.g. at = [[\"10s\", {USUAL_FAULT:?}]]"),
    };
    format!("{expected}; write: at = {right}")
}

/// The fault in a suggestion if no other is known.
const USUAL_FAULT: &str = "kill";

fn is_fault(text: &str) -> bool {
    Fault::parse_with_unit(text).is_ok()
}

/// A time and a fault joined in one word, e.g. `10s,kill`.
fn in_one_word(text: &str) -> Option<(&str, &str)> {
    let joints = text.match_indices([',', '=', ':', ' ']);
    let mut parts = joints.map(|(at, _)| (text[..at].trim(), text[at + 1..].trim()));
    parts.find(|(time, fault)| time.parse::<When>().is_ok() && is_fault(fault))
}

pub(crate) fn span(option: &str, text: &str) -> anyhow::Result<Duration> {
    parse_span(text).map_err(|message| WrongUsage(format!("{option}: {message}")).into())
}

/// A size with M or G, as for QEMU's `-m` and systemd's `MemoryMax=`.
pub(super) fn mebibytes(size: &str) -> anyhow::Result<u32> {
    let units = [('M', 1), ('G', 1024)];
    let read = units.iter().find_map(|(suffix, mib)| {
        let number: u32 = size.strip_suffix(*suffix)?.parse().ok()?;
        number.checked_mul(*mib)
    });
    read.ok_or_else(|| {
        WrongUsage(format!(
            "--memory: expected a size such as 768M or 2G, got {size:?}"
        ))
        .into()
    })
}

/// The parts of `HOST:GUEST`. The guest's path is absolute, so the colon right before it separates the two.
pub(super) fn host_and_guest(text: &str) -> Option<(&str, String)> {
    let (host, guest) = text.rsplit_once(":/")?;
    (!host.is_empty()).then(|| (host, format!("/{guest}")))
}

/// `HOST:GUEST`
pub(super) fn guest_file(text: &str) -> anyhow::Result<GuestFile> {
    let (host, guest) = host_and_guest(text).ok_or_else(|| match is_unit_name(text) {
        true => WrongUsage(format!(
            "--file: {text:?} does not say where the file goes; write --unit {} for a unit file", shell_word(text)
        )),
        false => WrongUsage(format!(
            "--file: {text:?} does not say where the file goes; write HOST:GUEST with an absolute path, e.g. target/release/my:/usr/bin/my"
        )),
    })?;
    if Path::new(host).is_dir() {
        return Err(WrongUsage(format!(
            "--file: {host} is a folder; name its files one by one"
        ))
        .into());
    }
    Ok(GuestFile::from_host(guest, host))
}

/// `PATH[:OWNER[:MODE]]`; the owner may be `USER:GROUP`.
pub(super) fn directory(text: &str) -> anyhow::Result<(&str, String, u32)> {
    let expected = || {
        WrongUsage(format!(
            "--dir: expected PATH, PATH:OWNER or PATH:OWNER:MODE, e.g. /var/lib/my:my:0750, got {text:?}"
        ))
    };
    let mut parts: Vec<&str> = text.split(':').collect();
    let is_mode = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let mode = match parts.last().filter(|last| parts.len() > 1 && is_mode(last)) {
        Some(mode) => u32::from_str_radix(mode, 8).map_err(|_| expected())?,
        None => DIRECTORY_MODE,
    };
    if parts.len() > 1 && parts.last().is_some_and(is_mode) {
        parts.pop();
    }
    match parts.as_slice() {
        ["", ..] | [_, "", ..] | [_, _, ""] | [] | [_, _, _, _, ..] => Err(expected().into()),
        [path] => Ok((path, DIRECTORY_OWNER.to_owned(), mode)),
        [path, owner @ ..] => Ok((path, owner.join(":"), mode)),
    }
}

/// `[UNIT:]NAME=VALUE`: unit, name and value.
pub(super) fn variable(text: &str) -> anyhow::Result<(Option<&str>, &str, &str)> {
    let (name, value) = text.split_once('=').ok_or_else(|| {
        WrongUsage(format!(
            "--env: expected NAME=VALUE or UNIT:NAME=VALUE, got {text:?}; write e.g. --env PORT=8080"
        ))
    })?;
    Ok(match name.rsplit_once(':') {
        Some((unit, name)) => (Some(unit), name, value),
        None => (None, name, value),
    })
}

/// Options that a probe may have, after its target.
const EVERY: &str = "every";
const TIMEOUT: &str = "timeout";
const NAME: &str = "name";
const SEND: &str = "send";
const EXPECT: &str = "expect";

/// A probe's target and its options: `http://127.0.0.1/,every=5s,name=page`. A comma begins an option only if the name of one
/// follows, so URLs and commands may contain commas.
pub(super) struct ProbeWords<'a> {
    /// The target.
    pub target: &'a str,
    options: Vec<(&'static str, &'a str)>,
}

impl<'a> ProbeWords<'a> {
    /// Reads them; `names` are options in addition to those of every probe.
    fn of(text: &'a str, names: &[&'static str]) -> ProbeWords<'a> {
        let names: Vec<&'static str> = [EVERY, TIMEOUT, NAME]
            .iter()
            .chain(names)
            .copied()
            .collect();
        let option_at = |at: usize| {
            let rest = &text[at + 1..];
            let found = names.iter().find(|name| {
                rest.strip_prefix(**name)
                    .is_some_and(|rest| rest.starts_with('='))
            });
            found.map(|name| (at, *name))
        };
        let commas = text.match_indices(',').map(|(at, _)| at);
        let begins: Vec<(usize, &'static str)> = commas.filter_map(option_at).collect();
        let ends = begins.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
        let options = begins.iter().zip(ends);
        ProbeWords {
            target: &text[..begins.first().map_or(text.len(), |(at, _)| *at)],
            options: options
                .map(|((at, name), end)| (*name, &text[at + name.len() + 2..end]))
                .collect(),
        }
    }

    fn option(&self, wanted: &str) -> Option<&'a str> {
        let mut all = self.options.iter().rev();
        all.find(|(name, _)| *name == wanted)
            .map(|(_, value)| *value)
    }

    /// The probe with the options that any probe may have.
    fn apply(&self, option: &str, probe: Probe, every: Duration) -> anyhow::Result<Probe> {
        let in_option = |name: &str| format!("{option} …,{name}=");
        let every = match self.option(EVERY) {
            Some(text) => span(&in_option(EVERY), text)?,
            None => every,
        };
        let probe = probe.every(every);
        let probe = match self.option(TIMEOUT) {
            Some(text) => probe.timeout(span(&in_option(TIMEOUT), text)?),
            None => probe,
        };
        Ok(match self.option(NAME) {
            Some(name) => probe.named(name),
            None => probe,
        })
    }
}

/// `--get`, `--connect` and `--exec`, with the function that turns a target into a probe.
pub(super) fn probe(
    option: &str,
    text: &str,
    every: Duration,
    make: fn(&str) -> Probe,
) -> anyhow::Result<Probe> {
    let words = ProbeWords::of(text, &[]);
    words.apply(option, make(words.target), every)
}

/// `--ask`
pub(super) fn question(text: &str, every: Duration) -> anyhow::Result<Probe> {
    let words = ProbeWords::of(text, &[SEND, EXPECT]);
    let expect = words.option(EXPECT).ok_or_else(|| {
        WrongUsage(format!(
            "--ask: {text:?} does not say how the answer must begin; write e.g. --ask 127.0.0.1:6379,send=PING,expect=+PONG"
        ))
    })?;
    let send = unescaped(words.option(SEND).unwrap_or_default())?;
    let probe = Probe::ask(words.target, &send, &unescaped(expect)?);
    words.apply("--ask", probe, every)
}

/// Replaces `\r`, `\n`, `\t` and `\\`, as in most languages.
fn unescaped(text: &str) -> anyhow::Result<String> {
    let mut letters = text.chars();
    let mut all = String::new();
    while let Some(letter) = letters.next() {
        all.push(match letter {
            '\\' => match letters.next() {
                Some('r') => '\r',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('\\') => '\\',
                other => {
                    let other = other.map_or_else(String::new, String::from);
                    return Err(WrongUsage::because(format!(
                        "--ask: unknown escape \\{other} in {text:?}; expected \\r, \\n, \\t or \\\\"
                    )));
                }
            },
            letter => letter,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn line(probe: anyhow::Result<Probe>) -> String {
        format!("{:?}", probe.expect("it is right"))
    }

    #[test]
    fn a_comma_begins_an_option_only_before_its_name() {
        let said = probe(
            "--get",
            "http://127.0.0.1/?a=1,2,name=x,y,every=5s,timeout=200ms",
            SECOND,
            Probe::get,
        );
        let expected = Probe::get("http://127.0.0.1/?a=1,2")
            .named("x,y")
            .every(Duration::from_secs(5))
            .timeout(Duration::from_millis(200));
        assert_eq!(said.expect("it is right"), expected);
        let said = probe("--exec", "cut -d, -f1 /etc/x", SECOND, Probe::exec);
        assert_eq!(
            said.expect("it is right"),
            Probe::exec("cut -d, -f1 /etc/x").every(SECOND)
        );
        assert!(probe("--get", "http://127.0.0.1/,every=soon", SECOND, Probe::get).is_err());
    }

    #[test]
    fn a_question_has_an_answer() {
        let said = question("127.0.0.1:6379,send=PING,expect=+PONG", SECOND);
        let expected = Probe::ask("127.0.0.1:6379", "PING", "+PONG").every(SECOND);
        assert_eq!(line(said), line(Ok(expected)));
        let said = question("/run/x,send=a\\,\\\\b\\n,expect=2", SECOND);
        assert!(
            said.expect_err("a comma needs none")
                .to_string()
                .contains("\\\\,")
        );
        assert!(question("127.0.0.1:6379,send=PING", SECOND).is_err());
    }

    #[test]
    fn directories_and_variables() {
        let parts =
            |text| directory(text).map(|(path, owner, mode)| format!("{path} {owner} {mode:o}"));
        for (text, expected) in [
            ("/x", "/x root 755"),
            ("/x:my", "/x my 755"),
            ("/x:my:0750", "/x my 750"),
            ("/x:my:adm:2770", "/x my:adm 2770"),
            ("/x:0700", "/x root 700"),
        ] {
            assert_eq!(parts(text).expect(text), expected);
        }
        for text in ["", ":my", "/x:", "/x:my:089", "/x:a:b:c:0700", "/x:my:"] {
            assert!(directory(text).is_err(), "{text}");
        }
        assert_eq!(
            variable("A=b:c=d").expect("it is right"),
            (None, "A", "b:c=d")
        );
        let of_unit = variable("w@1.service:A=").expect("it is right");
        assert_eq!(of_unit, (Some("w@1.service"), "A", ""));
        assert!(variable("A").is_err());
    }

    #[test]
    fn a_pair_in_one_text_is_taken_apart() {
        for (text, right) in [
            ("5s kill", "at = [[\"5s\", \"kill\"]]"),
            (
                "READY=1 kill=SIGTERM",
                "at = [[\"READY=1\", \"kill=SIGTERM\"]]",
            ),
            ("kill", "at = [[\"10s\", \"kill\"]]"),
            ("5s", "at = [[\"5s\", \"kill\"]]"),
        ] {
            let said = pair_in_one(text);
            assert!(said.ends_with(&format!("write: {right}")), "{said}");
        }
        for wrong in ["-5s", "soon", ""] {
            let said = pair_in_one(wrong);
            let example = "write e.g. at = [[\"10s\", \"kill\"]]";
            assert!(said.ends_with(example), "{said}");
        }
    }

    #[test]
    fn a_word_too_few_is_completed() {
        for (word, right) in [
            ("10s,kill", "--at 10s kill"),
            ("10s=kill=SIGTERM", "--at 10s kill=SIGTERM"),
            ("READY=1 + 1s,kill", "--at 'READY=1 + 1s' kill"),
            ("kill", "--at 10s kill"),
            ("10s", "--at 10s kill"),
        ] {
            let said = half_a_fault(word, None);
            assert!(said.ends_with(&format!("write: {right}")), "{said}");
        }
        let said = half_a_fault("10s", Some("kill=SIGTERM"));
        assert!(said.ends_with("write: --at 10s kill=SIGTERM"), "{said}");
        let said = half_a_fault("10s", Some("--json"));
        assert!(said.ends_with("write: --at 10s kill"), "{said}");
    }

    /// A person who does what a message says must not meet the next one.
    #[test]
    fn no_suggestion_is_refused() {
        let words = [
            "-5s",
            "-1h 30min",
            "--5s",
            "-5x",
            "-",
            "",
            "soon",
            "5 parsecs",
            "READY=1",
            "10s,kill",
            "kill",
            "-5s,kill",
            "10s",
            "restart 2",
            "ready=1",
        ];
        for word in words {
            for next in [None, Some("stop"), Some("nonsense"), Some("--json")] {
                let fault = next.unwrap_or("nonsense");
                let refused = when(word, fault).err().map(|error| error.to_string());
                let said = [
                    Some(half_a_fault(word, next)),
                    before_the_start(word, fault),
                    refused,
                ];
                for said in said.into_iter().flatten() {
                    let Some((_, right)) = said.split_once("write: --at ") else {
                        let names_it = said.contains(&format!("got {word:?}"));
                        assert!(names_it, "{word}: {said}");
                        continue;
                    };
                    let quoted = right.strip_prefix('\'').and_then(|it| it.split_once("' "));
                    let (time, fault) =
                        quoted.or_else(|| right.split_once(' ')).unwrap_or_default();
                    assert!(
                        when(time, fault).is_ok() && is_fault(fault),
                        "{word}: {said}"
                    );
                }
            }
        }
        assert_eq!(
            half_a_fault("-5s", Some("freeze")),
            "--at: times count from the start of the unit, so \"-5s\" is not possible; write: --at 5s freeze"
        );
    }
}
