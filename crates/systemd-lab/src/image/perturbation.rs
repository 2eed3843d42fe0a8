//! Guests that differ from the usual one in everything that an update of Debian's packages changes, to prove that no
//! measurement depends on it: see "Measured on every image" in `CONTRIBUTING.md`.

use std::{env, io};

/// Chooses one of [`PERTURBATIONS`] for every guest of this process, e.g. `SYSTEMD_LAB_PERTURBATION=3`.
const PERTURBATION_VARIABLE: &str = "SYSTEMD_LAB_PERTURBATION";

/// What differs in a perturbed guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Perturbation {
    /// How much longer the boot takes: from a few ticks of the kernel's clock (4 ms each) to nearly a second. Some are whole numbers of
    /// ticks, others are not; one is a multiple of the 250 ms of systemd's timers.
    delay_ms: u32,
    /// How many processes have run before: about as many as a larger boot would start, or a hundred times as many.
    processes: u32,
    /// The time of the files that the lab adds, in seconds since 1970.
    pub(super) modified_s: u32,
    /// The boot ID.
    pub(super) boot_id: &'static str,
}

/// The boot ID of a guest without perturbation. Its halves are equal, so that systemd's timers fire on multiples of 250 ms:
/// see `boot.rs` of the agent.
pub(super) const BOOT_ID: &str = "11111111-2222-3333-1111-111122223333";

const fn perturbation(
    delay_ms: u32,
    processes: u32,
    modified_s: u32,
    boot_id: &'static str,
) -> Perturbation {
    Perturbation {
        delay_ms,
        processes,
        modified_s,
        boot_id,
    }
}

/// The boot IDs have equal halves like the usual one, because the lab fixes that.
pub(super) const PERTURBATIONS: [Perturbation; 6] = [
    perturbation(37, 11, 86_400, "01234567-89ab-4cde-0123-456789ab4cde"),
    perturbation(
        180,
        24,
        1_000_000_000,
        "fedcba98-7654-4321-fedc-ba9876544321",
    ),
    perturbation(
        333,
        37,
        1_893_456_001,
        "22222222-3333-4444-2222-222233334444",
    ),
    perturbation(
        500,
        5,
        1_500_000_000,
        "a0a0a0a0-b1b1-4c2c-a0a0-a0a0b1b14c2c",
    ),
    perturbation(740, 61, 1, "00000001-0002-4003-0000-000100024003"),
    perturbation(
        910,
        900,
        1_700_000_000,
        "deadbeef-cafe-4242-dead-beefcafe4242",
    ),
];

impl Perturbation {
    /// The perturbation that the environment asks for, if any.
    ///
    /// # Errors
    ///
    /// When the variable is not one of their numbers.
    pub(super) fn chosen() -> io::Result<Option<Perturbation>> {
        let Some(number) = env::var_os(PERTURBATION_VARIABLE).filter(|value| !value.is_empty())
        else {
            return Ok(None);
        };
        let number = number.to_string_lossy();
        let index = number.parse().ok().and_then(|it: usize| it.checked_sub(1));
        let found = index.and_then(|index| PERTURBATIONS.get(index));
        let unknown = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{PERTURBATION_VARIABLE} is \"{number}\"; expected a number from 1 to {}, or unset it",
                    PERTURBATIONS.len()
                ),
            )
        };
        found.copied().map(Some).ok_or_else(unknown)
    }

    /// In the format that the agent reads when it boots the guest.
    pub(super) fn for_agent(self) -> String {
        format!("delay_ms={} processes={}\n", self.delay_ms, self.processes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_every_boot_id_are_equal() {
        let ids = PERTURBATIONS.iter().map(|one| one.boot_id);
        for id in ids.chain([BOOT_ID]) {
            let digits = id.replace('-', "");
            let (one, other) = digits.split_at(16);
            assert_eq!(one, other, "{id}");
        }
    }
}
