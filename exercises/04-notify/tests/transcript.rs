//! What a transcript of the protocol, taken on the host, says of its service.

/// The sections of a transcript, as `protocol` names them.
const LOADS: &str = "data loads";
const STOPS: &str = "SIGTERM while";
const STALLS: &str = "data stalls";
const PORT_TAKEN: &str = "the port is taken";
const BY_HAND: &str = "by hand";

/// A section, what a line in it contains, and what that means. The surest come first.
const SYMPTOMS: &[(&str, &str, &str)] = &[
    (
        PORT_TAKEN,
        "READY=1 is sent all the same",
        "READY=1 was sent although the address could not be bound: bind first, then say it",
    ),
    (
        BY_HAND,
        "refused",
        "without NOTIFY_SOCKET the service does not serve: a missing socket is no error, there is simply nobody to tell",
    ),
    (
        LOADS,
        "from another process",
        "a notification came from a process other than the main one, and systemd would drop it (NotifyAccess=main): send it from the service itself",
    ),
    (
        LOADS,
        "READY=1 is not sent",
        "READY=1 never arrived at the notify socket, although the service was up",
    ),
    (
        LOADS,
        "exit code",
        "the service ended by itself while it was loading",
    ),
    (
        LOADS,
        "READY=1, and GET / is refused",
        "READY=1 arrived before anything listened on 127.0.0.1:7878",
    ),
    (
        LOADS,
        "READY=1, and GET / is not",
        "READY=1 arrived before the service could answer",
    ),
    (
        STALLS,
        "READY=1 is sent all the same",
        "READY=1 was sent although the data had not arrived",
    ),
    (
        STALLS,
        "answered without data",
        "a request was answered although the data had not arrived",
    ),
    (
        STOPS,
        "killed by signal 15",
        "SIGTERM ended the process on the spot: nothing in the service handles that signal (Ctrl-C is SIGINT, systemd sends SIGTERM)",
    ),
    (
        STOPS,
        "STOPPING=1 is not sent",
        "STOPPING=1 never arrived after SIGTERM",
    ),
    (
        STOPS,
        "still accepted",
        "the service went on accepting connections after SIGTERM",
    ),
    (
        STOPS,
        "still runs",
        "the service did not end after SIGTERM although its last request had been answered",
    ),
    (
        PORT_TAKEN,
        "goes on",
        "the service goes on although its address is taken",
    ),
    (
        PORT_TAKEN,
        "as if all were well",
        "the service ends with exit code 0 although its address is taken",
    ),
];

/// A section, how a line in it begins, and what it means that there is no such line.
const MISSING: &[(&str, &str, &str)] = &[
    (
        LOADS,
        "EXTEND_TIMEOUT_USEC=5000000",
        "after a part was loaded, no EXTEND_TIMEOUT_USEC= of 5 s (5000000, in microseconds) arrived",
    ),
    (
        LOADS,
        "STATUS=…",
        "no STATUS= with a text arrived while the data was loading",
    ),
    (
        STOPS,
        "STATUS=…",
        "no STATUS= with a text arrived after SIGTERM",
    ),
];

/// The first cause that is recognised, as a sentence without a full stop.
pub(crate) fn diagnose(lines: &[String]) -> Option<String> {
    let has =
        |section: &str, wanted: &str| within(lines, section).any(|line| line.contains(wanted));
    let symptom = SYMPTOMS
        .iter()
        .find(|(section, wanted, _)| has(section, wanted));
    let missing = || {
        MISSING.iter().find(|(section, wanted, _)| {
            within(lines, section).count() > 0 && !has(section, wanted)
        })
    };
    symptom
        .or_else(missing)
        .map(|(_, _, sentence)| (*sentence).to_owned())
}

/// The lines of a section: those that are indented below its title.
fn within<'a>(lines: &'a [String], section: &str) -> impl Iterator<Item = &'a str> {
    let after_title = lines
        .iter()
        .skip_while(move |line| !line.starts_with(section))
        .skip(1);
    after_title
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim())
}
