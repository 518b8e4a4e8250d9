use crate::base::Nanos;
use std::fmt;

/// What the audit holds a cluster to, and what it knows beforehand.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The promises it is held to: it has to keep one of them.
    pub promises: Vec<Promise>,
    /// How many requests of a key are promised per window; at least 1.
    pub limit: u64,
    /// Longer than zero.
    pub window: Nanos,
    pub targets: usize,
    /// The longest that a request may take from sent to done. What takes longer is not held against anybody.
    pub timeout: Nanos,
    pub prior_use: PriorUse,
    /// About how many bytes may be used.
    pub memory: usize,
}

/// What a limiter says of each key, with the [`limit`](Terms::limit) L and the [`window`](Terms::window) W.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Promise {
    /// At most L admitted in any interval of length W.
    SlidingWindow,
    /// At most L admitted per window of length W. Either a clock lays the windows end to end, with a phase that never
    /// changes; or an admission opens one, and the first admission after its end opens the next.
    FixedWindow,
    /// A bucket that holds L tokens, full at first, gets L of them back per W and gives one for each admission: at most
    /// L + T·L/W admitted in any interval of length T.
    TokenBucket,
}

impl Promise {
    pub const ALL: [Promise; 3] = [
        Promise::SlidingWindow,
        Promise::FixedWindow,
        Promise::TokenBucket,
    ];

    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Promise::SlidingWindow => "sliding-window",
            Promise::FixedWindow => "fixed-window",
            Promise::TokenBucket => "token-bucket",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Some of the promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PromiseSet(u8);

impl PromiseSet {
    pub fn of(promises: &[Promise]) -> PromiseSet {
        let mut set = PromiseSet::default();
        promises.iter().for_each(|promise| {
            set.insert(*promise);
        });
        set
    }

    pub fn has(self, promise: Promise) -> bool {
        self.0 & 1 << promise as u8 != 0
    }

    /// False if it was one of them already.
    pub fn insert(&mut self, promise: Promise) -> bool {
        let is_new = !self.has(promise);
        self.0 |= 1 << promise as u8;
        is_new
    }

    pub fn insert_all(&mut self, others: PromiseSet) {
        self.0 |= others.0;
    }

    pub fn and(self, others: PromiseSet) -> PromiseSet {
        PromiseSet(self.0 & others.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Who may have spent from the keys before, or beside, this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorUse {
    /// Nobody: the keys are random.
    None,
    /// An earlier run may have used them, because a seed was given.
    EarlierRun,
    /// Anybody may, at any time, because the keys come from a list. Blocked requests then prove nothing.
    Anyone,
}

impl Terms {
    /// How far the limiter's clocks may be from this machine's within a window: 1 ms, the resolution of many, though
    /// no more than a tenth of the window; and 500 millionths, the most by which NTP lets a clock be slewed
    /// ([RFC 5905](https://www.rfc-editor.org/rfc/rfc5905), section 11.3).
    pub fn tolerance(&self) -> Nanos {
        self.resolution() + drift(self.window)
    }

    fn resolution(&self) -> Nanos {
        Nanos(1_000_000).min(Nanos(self.window.0 / 10))
    }
}

/// How far two clocks may drift apart in this time.
pub(super) fn drift(span: Nanos) -> Nanos {
    Nanos(span.0.div_ceil(2_000))
}

/// What follows from the terms, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub limit: u64,
    pub window: u64,
    pub tolerance: u64,
    /// Shorter than any window of the limiter's: what lies within less than this lies within a window.
    pub within: u64,
    /// Longer than any window of the limiter's.
    pub beyond: u64,
    /// The longest that a request takes, of those that are held against anybody.
    pub timeout: u64,
    /// How long after its done an admission is needed.
    pub kept: u64,
    /// What a bucket gets back in a nanosecond at most, and what a token is, as multiples of the same.
    refill: u128,
    token: u128,
    /// That of the limiter's clocks.
    resolution: u64,
    /// Tokens per nanosecond, neither fast nor slow.
    pub rate: f64,
    /// Tokens that a bucket may have more or less than is thought.
    pub spare: f64,
}

impl Bounds {
    pub fn new(terms: &Terms) -> Bounds {
        let (window, limit) = (terms.window.0, terms.limit);
        let (tolerance, resolution) = (terms.tolerance().0, terms.resolution().0);
        let rate = limit as f64 / window as f64;
        Bounds {
            limit,
            window,
            tolerance,
            within: window - tolerance,
            beyond: window.saturating_add(tolerance),
            timeout: terms.timeout.0,
            kept: window
                .saturating_add(tolerance)
                .saturating_add(terms.timeout.0),
            refill: 2_001 * u128::from(limit),
            token: 2_000 * u128::from(window),
            resolution,
            rate,
            spare: rate * (tolerance + resolution) as f64,
        }
    }

    /// Whether a bucket that gave so many since an instant has got all of them back by another.
    pub fn is_full(&self, given: u64, since: u64, at: u64) -> bool {
        let back = u128::from(at.saturating_sub(since)) * self.refill;
        u128::from(given) * self.token <= back
    }

    /// Whether no bucket gives so many between two instants.
    pub fn is_overdrawn(&self, given: u64, since: u64, at: u64) -> bool {
        let lasted = u128::from(at.saturating_sub(since)) + u128::from(self.resolution);
        let held = u128::from(self.limit) * self.token;
        u128::from(given) * self.token > held + lasted * self.refill
    }

    #[cfg(test)]
    pub fn of(limit: u64, window: Nanos, timeout: Nanos) -> Bounds {
        Bounds::new(&Terms {
            promises: Promise::ALL.to_vec(),
            limit,
            window,
            targets: 1,
            timeout,
            prior_use: PriorUse::None,
            memory: 0,
        })
    }
}
