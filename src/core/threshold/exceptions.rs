/// The requests that are exceptions to an upper bound, of which a share may be: failures with `failed.rate < 0.1%`, slow answers
/// with `latency.p99 < 50ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exceptions {
    pub count: u64,
    pub of: u64,
    /// The share that may be exceptions, from 0 to 1.
    pub allowed: f64,
}

/// The standard deviations by which a normally distributed number exceeds its mean in one of 20 cases.
const ONE_OF_20: f64 = 1.645;

impl Exceptions {
    /// Whether there would be as many in one of 20 runs if each request were an exception with the allowed probability,
    /// independently of the others. This is the normal approximation of the binomial distribution, with a correction for
    /// continuity.
    pub fn may_be_chance(&self) -> bool {
        let mean = self.of as f64 * self.allowed;
        let deviation = (mean * (1.0 - self.allowed)).max(0.0).sqrt();
        (self.count as f64) < mean + ONE_OF_20 * deviation + 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_more_than_allowed_may_be_chance() {
        for (count, of, allowed, may_be) in [
            (1, 1_000, 0.001, true),
            (3, 1_000, 0.001, true),
            (4, 1_000, 0.001, false),
            (16, 10_000, 0.001, false),
            (15, 10_000, 0.001, true),
            (1, 1_000, 0.0, false),
            (0, 0, 0.5, true),
            (60, 100, 0.5, false),
        ] {
            let exceptions = Exceptions { count, of, allowed };
            assert_eq!(exceptions.may_be_chance(), may_be, "{exceptions:?}");
        }
    }
}
