//! How the host distinguishes the agent's events from what a service writes into the same port.
//!
//! A service that runs as root can take the agent's port from it (pidfd_getfd(2)), write what it likes and leave no trace. So
//! each event is a line of its own that begins with a seal: a keyed hash of its number and its bytes.
//!
//! ```text
//! 16 hexadecimal digits   SipHash-2-4 of the number (u64 LE, counted from 0) and the JSON
//! a space
//! JSON
//! a line feed
//! ```
//!
//! The key is new for each run. It arrives with the job, and the agent erases it there before anything else runs. The
//! guest executes the same instructions whatever the key's value, so no time depends on it.

use std::fmt;
use std::hash::Hasher;
use std::ops::Range;

use siphasher::sip::SipHasher24;

/// Where a job holds the key: at the end of its header.
pub const KEY_PLACE: Range<usize> = 64..80;

/// Hexadecimal digits of a seal.
const DIGITS: usize = 16;

/// The length of a seal in bytes, up to the JSON.
pub const SEAL_SIZE: usize = DIGITS + 1;

/// The secret that only the host and the agent know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 16]) -> Key {
        Key(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A key must not appear in logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Seals events one after the other, or checks their seals.
#[derive(Debug, Clone)]
pub struct Sealer {
    keyed: SipHasher24,
    number: u64,
}

impl Sealer {
    /// Starts at the first event.
    pub fn new(key: &Key) -> Sealer {
        Sealer {
            keyed: SipHasher24::new_with_key(&key.0),
            number: 0,
        }
    }

    /// The seal of the next event, with the space after it.
    pub fn seal(&mut self, json: &[u8]) -> [u8; SEAL_SIZE] {
        const DIGIT: &[u8; 16] = b"0123456789abcdef";
        let hash = self.next(json);
        let mut seal = [b' '; SEAL_SIZE];
        for (place, digit) in seal[..DIGITS].iter_mut().enumerate() {
            let nibble = hash >> (4 * (DIGITS - 1 - place)) & 0xf;
            *digit = DIGIT[nibble as usize];
        }
        seal
    }

    /// The JSON in a line without its line feed, if the line is the next event.
    pub fn open<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let (seal, json) = line.split_at_checked(SEAL_SIZE)?;
        (self.seal(json) == *seal).then_some(json)
    }

    fn next(&mut self, json: &[u8]) -> u64 {
        let mut hasher = self.keyed;
        hasher.write(&self.number.to_le_bytes());
        hasher.write(json);
        self.number += 1;
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agents_events_open_and_only_in_order() {
        let key = Key::new(*b"0123456789abcdef");
        let line = |sealer: &mut Sealer, json: &[u8]| [&sealer.seal(json)[..], json].concat();
        let mut agent = Sealer::new(&key);
        let (first, second) = (line(&mut agent, b"{\"a\":1}"), line(&mut agent, b"{}"));
        let mut host = Sealer::new(&key);
        assert_eq!(host.clone().open(&first), Some(&b"{\"a\":1}"[..]));
        assert_eq!(host.clone().open(&second), None, "one is missing");
        assert_eq!(host.open(&first), Some(&b"{\"a\":1}"[..]));
        assert_eq!(host.clone().open(&first), None, "sent again");
        assert_eq!(host.open(&second), Some(&b"{}"[..]));

        let changed = String::from_utf8_lossy(&first).replace('1', "2");
        assert_eq!(Sealer::new(&key).open(changed.as_bytes()), None);
        let mut forger = Sealer::new(&Key::new([0; 16]));
        assert_eq!(Sealer::new(&key).open(&line(&mut forger, b"{}")), None);
        assert_eq!(Sealer::new(&key).open(b"{}"), None);
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
