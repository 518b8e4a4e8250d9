//! Whether more failed than chance would explain.

/// The chance below which something is not put down to chance.
const RARE: f64 = 0.001;

/// The most terms of the sum that are added up.
const MOST: u64 = 100_000;

/// Whether `failed` of `sent` requests are so many more than `failed_before` of `sent_before` that, if a failure did not depend on
/// the period, chance would show as many once in a thousand times at most: Fisher's exact test, one-sided.
pub(super) fn is_more(failed: u64, sent: u64, failed_before: u64, sent_before: u64) -> bool {
    if failed == 0 || failed > sent || failed_before > sent_before {
        return false;
    }
    if (failed + failed_before).min(sent) - failed > MOST {
        // With so many failures and requests, the shares are as good as exact.
        let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
        return share(failed, sent) > 1.1 * share(failed_before, sent_before);
    }
    tail(failed, sent, failed_before, sent_before) < RARE
}

/// The chance that at least `failed` of all failures fall into the period of `sent` requests.
fn tail(failed: u64, sent: u64, failed_before: u64, sent_before: u64) -> f64 {
    let (all, failures) = (sent + sent_before, failed + failed_before);
    let most = failures.min(sent);
    let chance = |k: u64| {
        let logs =
            ln_choose(sent, k) + ln_choose(sent_before, failures - k) - ln_choose(all, failures);
        logs.exp()
    };
    let possible = |k: &u64| failures - k <= sent_before;
    (failed..=most).filter(possible).map(chance).sum()
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Stirling's series for the logarithm of the gamma function at n + 1; exact sums for small n.
fn ln_factorial(n: u64) -> f64 {
    if n < 20 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64 + 1.0;
    let half_ln_tau = 0.918_938_533_204_672_8;
    (x - 0.5) * x.ln() - x + half_ln_tau + 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factorials_and_tails_are_as_known() {
        assert!((ln_factorial(25) - 58.003_605_222_980_52).abs() < 1e-9);
        assert!((ln_choose(52, 5).exp() - 2_598_960.0).abs() < 1e-3);
        // Fisher's tea: all four of four, among eight cups.
        assert!((tail(4, 4, 0, 4) - 1.0 / 70.0).abs() < 1e-12);
        assert!((tail(3, 4, 1, 4) - 17.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn chance_is_told_since_harm() {
        for (failed, sent, before, sent_before, expected) in [
            (0, 100, 0, 100, false),
            (1, 1_000, 0, 1_000, false),
            (5, 100, 0, 300, true),
            (50, 1_000, 48, 1_000, false),
            (50, 1_000, 5, 1_000, true),
            (10, 10, 300, 300, false),
            (20, 20, 0, 5, true),
            (1, 1, 0, 0, false),
            (600_000, 1_000_000, 10, 1_000_000, true),
            (2, 15, 100_001, 1_000_000, false),
            (500_000, 1_000_000, 490_000, 1_000_000, false),
            (500_000, 1_000_000, 400_000, 1_000_000, true),
        ] {
            let actual = is_more(failed, sent, before, sent_before);
            assert_eq!(
                actual, expected,
                "{failed} of {sent} after {before} of {sent_before}"
            );
        }
    }
}
