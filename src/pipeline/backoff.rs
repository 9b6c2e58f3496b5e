//! How long is something that is away waited for?

use std::time::Duration;

/// How often something that is away is tried again, and how long after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// The first wait; each further one is twice as long.
    pub(super) first: Duration,
    /// The longest wait.
    pub(super) longest: Duration,
    /// How many waits in a row there are; `None`: for ever.
    pub(super) waits: Option<u32>,
}

impl Patience {
    /// For what comes back some day, and whose absence the loop survives.
    pub(super) const ENDLESS: Self =
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30), waits: None };

    /// About a minute and a half, for what somebody waits for.
    pub(super) const BOUNDED: Self = Self { waits: Some(8), ..Self::ENDLESS };
}

/// The waits of one absence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    patience: Patience,
    waits: u32,
}

impl Backoff {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, waits: 0 }
    }

    /// How long to wait before the next try; `None` when it is time to give up.
    pub(super) fn wait(&mut self) -> Option<Duration> {
        let Patience { first, longest, waits } = self.patience;
        if waits.is_some_and(|limit| self.waits >= limit) {
            return None;
        }
        let wait = first.saturating_mul(2u32.saturating_pow(self.waits)).min(longest);
        self.waits = self.waits.saturating_add(1);
        Some(wait)
    }

    /// How often it was waited.
    pub(super) fn waits(&self) -> u32 {
        self.waits
    }

    /// It is back: the next absence begins anew.
    pub(super) fn reset(&mut self) {
        self.waits = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let second = Duration::from_secs(1);
        let patience = Patience { first: second, longest: 5 * second, waits: Some(4) };
        let mut backoff = Backoff::new(patience);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.wait()).collect();
        assert_eq!(waits, [second, 2 * second, 4 * second, 5 * second]);
        assert_eq!(backoff.waits(), 4);
        backoff.reset();
        assert_eq!(backoff.wait(), Some(second));
    }

    #[test]
    fn endless_patience_does_not_overflow() {
        let mut backoff = Backoff::new(Patience::ENDLESS);
        for _ in 0..100 {
            assert!(backoff.wait().is_some());
        }
        assert_eq!(backoff.wait(), Some(Patience::ENDLESS.longest));
    }
}
