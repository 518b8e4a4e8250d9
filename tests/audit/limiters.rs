//! Limiters as their promises define them, and faulty ones. Nothing is shared with `src/limiter`.

use std::collections::HashMap;

/// Decides about the requests of all keys, one after the other. The arguments are the key, the node and the time by the
/// node's clock.
pub type Limiter = Box<dyn FnMut(usize, usize, i128) -> bool>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    SlidingLog,
    /// Windows are aligned to the clock.
    ClockWindow,
    /// Windows are aligned to the clock, and shifted by a share of the window for each key.
    KeyWindow,
    /// A window is opened by the first admission after the last one's end.
    OpenedWindow,
    /// The generic cell rate algorithm, by its theoretical arrival time.
    Gcra,
    /// A bucket of fractional tokens.
    Bucket,
    /// Two windows aligned to the clock, the former weighted by what is left of it.
    Counter,
}

impl Algorithm {
    pub const ALL: [Algorithm; 7] = [
        Algorithm::SlidingLog,
        Algorithm::ClockWindow,
        Algorithm::KeyWindow,
        Algorithm::OpenedWindow,
        Algorithm::Gcra,
        Algorithm::Bucket,
        Algorithm::Counter,
    ];
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

pub fn exact(algorithm: Algorithm, limit: u64, window: u64) -> Limiter {
    let window = i128::from(window);
    match algorithm {
        Algorithm::SlidingLog => sliding_log(limit, window, 0, false),
        Algorithm::ClockWindow => clock_window(limit, window, 0),
        Algorithm::KeyWindow => clock_window(limit, window, window / 7),
        Algorithm::OpenedWindow => opened_window(limit, window),
        Algorithm::Gcra => gcra(limit, window),
        Algorithm::Bucket => bucket(limit, window),
        Algorithm::Counter => counter(limit, window),
    }
}

/// A limiter with a fault. `origin` is the time by its clock at the start.
pub fn faulty(
    algorithm: Algorithm,
    fault: Fault,
    limit: u64,
    window: u64,
    origin: i128,
) -> Limiter {
    let span = i128::from(window);
    let share = |share: f64| (window as f64 * share) as i128;
    let mut good = exact(algorithm, limit, window);
    match fault {
        Fault::None => good,
        Fault::OneMore => exact(algorithm, limit + 1, window),
        Fault::HalfWindow => exact(algorithm, limit, window / 2),
        Fault::NodesAlone => {
            let mut nodes = HashMap::new();
            Box::new(move |key, node, at| {
                let alone = nodes
                    .entry(node)
                    .or_insert_with(|| exact(algorithm, limit, window));
                alone(key, node, at)
            })
        }
        Fault::Race(lag) => sliding_log(limit, span, share(lag), false),
        Fault::Open(from, to) => {
            let open = origin + share(from)..origin + share(to);
            Box::new(move |key, node, at| open.contains(&at) || good(key, node, at))
        }
        Fault::AlwaysOpen => Box::new(|_, _, _| true),
        Fault::CountsBlocked => sliding_log(limit, span, 0, true),
        Fault::BlocksSometimes(every) => {
            let mut asked = 0_usize;
            Box::new(move |key, node, at| {
                asked += 1;
                !asked.is_multiple_of(every) && good(key, node, at)
            })
        }
    }
}

/// For the time `lag`, other nodes do not know of an admission.
fn sliding_log(limit: u64, window: i128, lag: i128, counts_blocked: bool) -> Limiter {
    let mut logs: HashMap<usize, Vec<(i128, usize)>> = HashMap::new();
    Box::new(move |key, node, at| {
        let log = logs.entry(key).or_default();
        log.retain(|(then, _)| *then > at - 2 * window);
        let counts = |(then, by): &&(i128, usize)| {
            *then > at - window && (*by == node || lag == 0 || then + lag <= at)
        };
        let admitted = (log.iter().filter(counts).count() as u64) < limit;
        if admitted || counts_blocked {
            log.push((at, node));
        }
        admitted
    })
}

/// Each key's windows are `apart` from those of the key before it.
fn clock_window(limit: u64, window: i128, apart: i128) -> Limiter {
    let mut counts: HashMap<(usize, i128), u64> = HashMap::new();
    Box::new(move |key, _, at| {
        let shift = apart * key as i128;
        let place = (at + shift).div_euclid(window);
        let count = counts.entry((key, place)).or_default();
        let admitted = *count < limit;
        *count += u64::from(admitted);
        admitted
    })
}

fn opened_window(limit: u64, window: i128) -> Limiter {
    let mut windows: HashMap<usize, (i128, u64)> = HashMap::new();
    Box::new(move |key, _, at| {
        let (opened, count) = windows.entry(key).or_insert((at, 0));
        if at >= *opened + window {
            (*opened, *count) = (at, 0);
        }
        let admitted = *count < limit;
        *count += u64::from(admitted);
        admitted
    })
}

/// Times are multiplied by the limit, so that a token's worth is the window.
fn gcra(limit: u64, window: i128) -> Limiter {
    let limit = i128::from(limit);
    let mut dues: HashMap<usize, i128> = HashMap::new();
    Box::new(move |key, _, at| {
        let now = at * limit;
        let due = dues.get(&key).copied().unwrap_or(now).max(now) + window;
        let admitted = due - now <= window * limit;
        if admitted {
            dues.insert(key, due);
        }
        admitted
    })
}

fn bucket(limit: u64, window: i128) -> Limiter {
    let full = limit as f64;
    let mut buckets: HashMap<usize, (i128, f64)> = HashMap::new();
    Box::new(move |key, _, at| {
        let (last, tokens) = buckets.entry(key).or_insert((at, full));
        if at > *last {
            let back = (at - *last) as f64 * full / window as f64;
            *tokens = (*tokens + back).min(full);
            *last = at;
        }
        // Sums of fractions may be a little too small.
        let admitted = *tokens >= 1.0 - 1e-9;
        if admitted {
            *tokens -= 1.0;
        }
        admitted
    })
}

fn counter(limit: u64, window: i128) -> Limiter {
    let mut counts: HashMap<(usize, i128), u64> = HashMap::new();
    Box::new(move |key, _, at| {
        let place = at.div_euclid(window);
        let of = |place| counts.get(&(key, place)).copied().unwrap_or(0);
        let left = window - at.rem_euclid(window);
        // In parts of a request as small as a nanosecond of the window.
        let estimate = i128::from(of(place - 1)) * left + i128::from(of(place)) * window;
        let admitted = estimate < i128::from(limit) * window;
        if admitted {
            *counts.entry((key, place)).or_default() += 1;
        }
        admitted
    })
}
