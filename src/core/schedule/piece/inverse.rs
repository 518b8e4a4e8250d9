//! The exact inverse of a count, from an approximate solution in floating point.

/// The first value of 0..=`last` at which `reached` holds, if it holds from there on and at `last`. The result does not
/// depend on the guess; a right guess costs two evaluations.
///
/// It searches away from the guess in steps that double, until the answer lies between two of them, and then bisects:
/// Bentley and Yao, "An almost optimal algorithm for unbounded searching" (Information Processing Letters 5, 1976).
pub(super) fn first(guess: u64, last: u64, reached: impl Fn(u64) -> bool) -> u64 {
    let guess = guess.min(last);
    let mut step = 1;
    // `reached` does not hold below `low`, and holds at `high`.
    let (mut low, mut high);
    if reached(guess) {
        high = guess;
        loop {
            low = high.saturating_sub(step);
            if high == 0 || !reached(low) {
                break;
            }
            high = low;
            step = step.saturating_mul(2);
        }
    } else {
        low = guess;
        loop {
            high = low.saturating_add(step).min(last);
            if high == last || reached(high) {
                break;
            }
            low = high;
            step = step.saturating_mul(2);
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    proptest! {
        #[test]
        fn any_guess_leads_to_the_first(
            (last, answer) in (0..=u64::MAX).prop_flat_map(|last| (Just(last), 0..=last)),
            guess: u64,
            near in -3i64..4,
        ) {
            for guess in [guess, answer.saturating_add_signed(near)] {
                prop_assert_eq!(first(guess, last, |t| t >= answer), answer);
            }
        }
    }

    #[test]
    fn a_right_guess_costs_two_evaluations() {
        let evaluations = Cell::new(0);
        let reached = |t| {
            evaluations.set(evaluations.get() + 1);
            t >= 1_000
        };
        assert_eq!(first(1_000, 1_000_000, reached), 1_000);
        assert_eq!(evaluations.get(), 2);
    }
}
