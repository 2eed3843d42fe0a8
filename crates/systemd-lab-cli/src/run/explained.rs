//! Better messages than clap's for command lines that people often get wrong.

use clap::error::ErrorKind;
use systemd_lab::experiment::is_unit_name;

use super::words;
use crate::exit::WrongUsage;

/// The option of a fault.
const AT: &str = "--at";

/// A better message than clap's for some refused command lines, e.g. a fault in one word instead of two.
pub fn explained(error: &clap::Error, words: &[String]) -> Option<WrongUsage> {
    if let Some(unit) = stray_unit(error) {
        return Some(WrongUsage(format!(
            "unexpected {unit:?}; name a unit file with --unit {unit}"
        )));
    }
    if let Some(signal) = stray_signal(error) {
        return Some(WrongUsage(format!(
            "unexpected {signal:?}; write a signal with its fault, as in --at 10s kill={signal}"
        )));
    }
    if let Some(message) = negative_time(error, words) {
        return Some(WrongUsage(message));
    }
    let is_about_fault = error
        .context()
        .any(|(_, value)| value.to_string().contains(AT));
    if error.kind() != ErrorKind::WrongNumberOfValues || !is_about_fault {
        return None;
    }
    let is_option = |word: &String| word.starts_with("--");
    // The last one, because clap takes two words for all others.
    let mut places = words.iter().enumerate().rev();
    let (word, next) = places.find_map(|(place, word)| match word.strip_prefix(AT)? {
        "" => {
            let word = words.get(place + 1).filter(|next| !is_option(next))?;
            Some((word.as_str(), words.get(place + 2)))
        }
        joined => Some((joined.strip_prefix('=')?, words.get(place + 1))),
    })?;
    let next = next.map(String::as_str);
    Some(WrongUsage(words::half_a_fault(word, next)))
}

/// The word that clap does not know, if that is the error.
fn stray(error: &clap::Error) -> Option<String> {
    let is_stray = error.kind() == ErrorKind::UnknownArgument;
    let word = error.get(clap::error::ContextKind::InvalidArg)?;
    is_stray.then(|| word.to_string())
}

/// A time with a minus, which clap mistakes for an option.
fn negative_time(error: &clap::Error, words: &[String]) -> Option<String> {
    let stray = stray(error)?;
    let is_it = |word: &String| {
        word.starts_with(&stray) && word[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let at = words.iter().position(is_it)?;
    let (option, time) = (words.get(at.checked_sub(1)?)?, &words[at]);
    match option.as_str() {
        AT => {
            let fault = words.get(at + 1).map(String::as_str);
            Some(words::half_a_fault(time, fault))
        }
        option if option.starts_with("--") => {
            let right = words::without_minus(time).unwrap_or("10s");
            Some(format!(
                "{option}: expected a time such as 10s, got {time:?}; write: {option} {right}"
            ))
        }
        _ => None,
    }
}

fn stray_unit(error: &clap::Error) -> Option<String> {
    stray(error).filter(|word| is_unit_name(word.rsplit('/').next().unwrap_or_default()))
}

fn stray_signal(error: &clap::Error) -> Option<String> {
    let is_signal = |word: &String| {
        let name = word.strip_prefix("SIG").unwrap_or_default();
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '+')
    };
    stray(error).filter(is_signal)
}
