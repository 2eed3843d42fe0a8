//! Numbers with the word for what they count.

/// `1 run`, `2 runs`; for words with a regular plural.
pub(crate) fn counted(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

/// `the only run`, `all 2 runs`.
pub(crate) fn all(number: usize, one: &str) -> String {
    match number {
        1 => format!("the only {one}"),
        number => format!("all {number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|it| counted(it, "plan")),
            ["0 plans", "1 plan", "2 plans"]
        );
        assert_eq!(
            [1, 2].map(|it| all(it, "plan")),
            ["the only plan", "all 2 plans"]
        );
    }
}
