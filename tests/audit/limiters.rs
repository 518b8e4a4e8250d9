//! Limiters as their promises define them, and faulty ones. Nothing is shared with `src/limiter`.

use std::collections::HashMap;

/// Decides on the requests of all keys, in the order in which it is asked. `at` is read from the clock of the node.
pub trait Limiter {
    fn admits(&mut self, key: usize, node: usize, at: i128) -> bool;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    SlidingLog,
    /// Windows are aligned to the clock, and shifted by a share of the window for each key.
    ClockWindow,
    /// A window is opened by the first admission after the last one's end.
    OpenedWindow,
    /// The generic cell rate algorithm, by its theoretical arrival time.
    Gcra,
    /// A bucket of fractional tokens.
    Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    OneMore,
    HalfWindow,
    NodesAlone,
    /// A node learns of another node's admissions only after this share of the window.
    Race(f64),
    /// Everything is admitted between these instants, in windows since the start.
    Open(f64, f64),
    AlwaysOpen,
    CountsBlocked,
    /// One request in so many is blocked in any case.
    BlocksSometimes(usize),
}

pub fn exact(algorithm: Algorithm, limit: u64, window: u64) -> Box<dyn Limiter> {
    match algorithm {
        Algorithm::SlidingLog => Box::new(SlidingLog::new(limit, window)),
        Algorithm::ClockWindow => Box::new(ClockWindow {
            limit,
            window,
            counts: HashMap::new(),
        }),
        Algorithm::OpenedWindow => Box::new(OpenedWindow {
            limit,
            window,
            open: HashMap::new(),
        }),
        Algorithm::Gcra => Box::new(Gcra {
            limit,
            window,
            due: HashMap::new(),
        }),
        Algorithm::Bucket => Box::new(Bucket {
            limit,
            window,
            buckets: HashMap::new(),
        }),
    }
}

/// A limiter with a fault. `origin` is the time by its clock at the start.
pub fn faulty(
    algorithm: Algorithm,
    fault: Fault,
    limit: u64,
    window: u64,
    nodes: usize,
    origin: i128,
) -> Box<dyn Limiter> {
    let good = || exact(algorithm, limit, window);
    let share = |share: f64| (window as f64 * share) as i128;
    match fault {
        Fault::None => good(),
        Fault::OneMore => exact(algorithm, limit + 1, window),
        Fault::HalfWindow => exact(algorithm, limit, window / 2),
        Fault::NodesAlone => Box::new(Alone((0..nodes).map(|_| good()).collect())),
        Fault::Race(lag) => Box::new(SlidingLog {
            lag: share(lag),
            ..SlidingLog::new(limit, window)
        }),
        Fault::Open(from, to) => Box::new(Open {
            good: good(),
            from: origin + share(from),
            to: origin + share(to),
        }),
        Fault::AlwaysOpen => Box::new(Open {
            good: good(),
            from: i128::MIN,
            to: i128::MAX,
        }),
        Fault::CountsBlocked => Box::new(SlidingLog {
            counts_blocked: true,
            ..SlidingLog::new(limit, window)
        }),
        Fault::BlocksSometimes(every) => Box::new(Sometimes {
            good: good(),
            every,
            asked: 0,
        }),
    }
}

struct SlidingLog {
    limit: u64,
    window: i128,
    /// How long other nodes do not know of an admission.
    lag: i128,
    counts_blocked: bool,
    log: HashMap<usize, Vec<(i128, usize)>>,
}

impl SlidingLog {
    fn new(limit: u64, window: u64) -> Self {
        SlidingLog {
            limit,
            window: window.into(),
            lag: 0,
            counts_blocked: false,
            log: HashMap::new(),
        }
    }
}

impl Limiter for SlidingLog {
    fn admits(&mut self, key: usize, node: usize, at: i128) -> bool {
        let (window, lag) = (self.window, self.lag);
        let log = self.log.entry(key).or_default();
        log.retain(|&(then, _)| then > at - 2 * window);
        let counts = |&&(then, by): &&(i128, usize)| {
            then > at - window && (by == node || lag == 0 || then + lag <= at)
        };
        let admitted = (log.iter().filter(counts).count() as u64) < self.limit;
        if admitted || self.counts_blocked {
            log.push((at, node));
        }
        admitted
    }
}

struct ClockWindow {
    limit: u64,
    window: u64,
    counts: HashMap<(usize, i128), u64>,
}

impl Limiter for ClockWindow {
    fn admits(&mut self, key: usize, _node: usize, at: i128) -> bool {
        let window = i128::from(self.window);
        let shift = window * key as i128 / 7;
        let count = self
            .counts
            .entry((key, (at + shift).div_euclid(window)))
            .or_default();
        let admitted = *count < self.limit;
        *count += u64::from(admitted);
        admitted
    }
}

struct OpenedWindow {
    limit: u64,
    window: u64,
    open: HashMap<usize, (i128, u64)>,
}

impl Limiter for OpenedWindow {
    fn admits(&mut self, key: usize, _node: usize, at: i128) -> bool {
        match self.open.get_mut(&key) {
            Some((opened, count)) if at < *opened + i128::from(self.window) => {
                let admitted = *count < self.limit;
                *count += u64::from(admitted);
                admitted
            }
            _ => {
                self.open.insert(key, (at, 1));
                true
            }
        }
    }
}

/// Times are multiplied by the limit, so that a token's worth is the window.
struct Gcra {
    limit: u64,
    window: u64,
    due: HashMap<usize, i128>,
}

impl Limiter for Gcra {
    fn admits(&mut self, key: usize, _node: usize, at: i128) -> bool {
        let (limit, window) = (i128::from(self.limit), i128::from(self.window));
        let now = at * limit;
        let due = self.due.get(&key).copied().unwrap_or(now).max(now) + window;
        let admitted = due - now <= window * limit;
        if admitted {
            self.due.insert(key, due);
        }
        admitted
    }
}

struct Bucket {
    limit: u64,
    window: u64,
    buckets: HashMap<usize, (i128, f64)>,
}

impl Limiter for Bucket {
    fn admits(&mut self, key: usize, _node: usize, at: i128) -> bool {
        let full = self.limit as f64;
        let (last, tokens) = self.buckets.entry(key).or_insert((at, full));
        if at > *last {
            let back = (at - *last) as f64 * full / self.window as f64;
            *tokens = (*tokens + back).min(full);
            *last = at;
        }
        // Sums of fractions may be a little too small.
        let admitted = *tokens >= 1.0 - 1e-9;
        if admitted {
            *tokens -= 1.0;
        }
        admitted
    }
}

struct Alone(Vec<Box<dyn Limiter>>);

impl Limiter for Alone {
    fn admits(&mut self, key: usize, node: usize, at: i128) -> bool {
        self.0[node].admits(key, node, at)
    }
}

struct Open {
    good: Box<dyn Limiter>,
    from: i128,
    to: i128,
}

impl Limiter for Open {
    fn admits(&mut self, key: usize, node: usize, at: i128) -> bool {
        (self.from..self.to).contains(&at) || self.good.admits(key, node, at)
    }
}

struct Sometimes {
    good: Box<dyn Limiter>,
    every: usize,
    asked: usize,
}

impl Limiter for Sometimes {
    fn admits(&mut self, key: usize, node: usize, at: i128) -> bool {
        self.asked += 1;
        !self.asked.is_multiple_of(self.every) && self.good.admits(key, node, at)
    }
}
