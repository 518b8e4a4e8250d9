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
    /// The window is this share of the promised one.
    ShortWindow(f64),
    NodesAlone,
    /// A node learns of another node's admissions only after this share of the window.
    Race(f64),
    /// Everything is admitted between these instants, in windows since the start.
    Open(f64, f64),
    AlwaysOpen,
    CountsBlocked,
    /// One request in so many is blocked in any case.
    BlocksSometimes(usize),
    /// One request in so many is admitted uncounted.
    OpensSometimes(usize),
    /// Each key is admitted twice the limit in the window that begins with its first request.
    DoubleAtFirst,
    /// One key in so many has no limit.
    UnlimitedKeys(usize),
    BlocksAll,
    /// Two keys share a count.
    PairsOfKeys,
    /// All counts are lost after each such time, in windows.
    Restarts(f64),
    /// The first node's clock is ahead by this share of the window.
    ClockAhead(f64),
    /// From this instant on, in windows since the start, the limit is twice as high.
    Doubled(f64),
    /// Only so many keys are remembered. The one that was used longest ago is forgotten.
    Evicts(usize),
    /// The first node admits everything.
    NodeOpen,
    /// The counts that are read are those of the last multiple of this share of the window.
    StaleReads(f64),
}

/// How much a limiter admits of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Units per window.
    pub limit: u64,
    /// In nanoseconds.
    pub window: u64,
    /// The units that a full bucket holds.
    pub burst: u64,
    /// The units that one request counts.
    pub cost: u64,
}

impl Measure {
    pub fn new(limit: u64, window: u64) -> Measure {
        Measure {
            limit,
            window,
            burst: limit,
            cost: 1,
        }
    }

    /// How many requests a window admits.
    fn requests(self) -> u64 {
        self.limit / self.cost
    }
}

/// The count of one key.
trait Count {
    fn has_room(&mut self, at: i128) -> bool;

    /// Counts a request for which there is room.
    fn take(&mut self, at: i128);
}

fn count(algorithm: Algorithm, key: usize, measure: Measure) -> Box<dyn Count> {
    let window = i128::from(measure.window);
    match algorithm {
        Algorithm::SlidingLog => Box::new(Log {
            most: measure.requests(),
            window,
            admitted: Vec::new(),
        }),
        Algorithm::ClockWindow => Box::new(ClockWindow::new(measure, 0)),
        Algorithm::KeyWindow => Box::new(ClockWindow::new(measure, window / 7 * key as i128)),
        Algorithm::OpenedWindow => Box::new(OpenedWindow {
            most: measure.requests(),
            window,
            opened: None,
            count: 0,
        }),
        Algorithm::Gcra => Box::new(Gcra { measure, due: None }),
        Algorithm::Bucket => Box::new(Bucket {
            measure,
            last: None,
            units: measure.burst as f64,
        }),
        Algorithm::Counter => Box::new(Counter {
            measure,
            counts: HashMap::new(),
        }),
    }
}

pub fn exact(algorithm: Algorithm, limit: u64, window: u64) -> Limiter {
    let measure = Measure::new(limit, window);
    joined(move |key| vec![count(algorithm, key, measure)])
}

/// A limiter that holds each key to limits of its own, all at once. A request that one of them blocks counts for none. A
/// key without limits is unlimited.
pub fn of_keys(limits: impl Fn(usize) -> Vec<(Algorithm, Measure)> + 'static) -> Limiter {
    joined(move |key| {
        let limits = limits(key).into_iter();
        limits
            .map(|(algorithm, measure)| count(algorithm, key, measure))
            .collect()
    })
}

fn joined(counts_of: impl Fn(usize) -> Vec<Box<dyn Count>> + 'static) -> Limiter {
    let mut keys: HashMap<usize, Vec<Box<dyn Count>>> = HashMap::new();
    Box::new(move |key, _, at| {
        let counts = keys.entry(key).or_insert_with(|| counts_of(key));
        let admitted = counts.iter_mut().all(|count| count.has_room(at));
        if admitted {
            counts.iter_mut().for_each(|count| count.take(at));
        }
        admitted
    })
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
    let share = move |share: f64| (window as f64 * share) as i128;
    let another = move || exact(algorithm, limit, window);
    let mut good = another();
    match fault {
        Fault::None => good,
        Fault::OneMore => exact(algorithm, limit + 1, window),
        Fault::HalfWindow => exact(algorithm, limit, window / 2),
        Fault::ShortWindow(part) => exact(algorithm, limit, share(part).max(1) as u64),
        Fault::NodesAlone => {
            let mut nodes = HashMap::new();
            Box::new(move |key, node, at| {
                let alone = nodes.entry(node).or_insert_with(another);
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
            let mut is_next = every_one_in(every);
            Box::new(move |key, node, at| !is_next() && good(key, node, at))
        }
        Fault::OpensSometimes(every) => {
            let mut is_next = every_one_in(every);
            Box::new(move |key, node, at| is_next() || good(key, node, at))
        }
        Fault::DoubleAtFirst => {
            let mut firsts = HashMap::new();
            let mut another = another();
            Box::new(move |key, node, at| {
                let first = *firsts.entry(key).or_insert(at);
                good(key, node, at) || at < first + span && another(key, node, at)
            })
        }
        Fault::UnlimitedKeys(every) => {
            Box::new(move |key, node, at| key.is_multiple_of(every) || good(key, node, at))
        }
        Fault::BlocksAll => Box::new(|_, _, _| false),
        Fault::PairsOfKeys => Box::new(move |key, node, at| good(key / 2, node, at)),
        Fault::Restarts(every) => {
            let every = share(every).max(1);
            let mut epoch = None;
            Box::new(move |key, node, at| {
                let now = (at - origin).div_euclid(every);
                if epoch.replace(now) != Some(now) {
                    good = another();
                }
                good(key, node, at)
            })
        }
        Fault::ClockAhead(by) => Box::new(move |key, node, at| {
            let ahead = if node == 0 { share(by) } else { 0 };
            good(key, node, at + ahead)
        }),
        Fault::Doubled(from) => {
            let from = origin + share(from);
            let mut more = exact(algorithm, 2 * limit, window);
            Box::new(move |key, node, at| {
                let is_admitted = more(key, node, at);
                if at < from {
                    good(key, node, at)
                } else {
                    is_admitted
                }
            })
        }
        Fault::Evicts(most) => {
            let mut known: Vec<(usize, Limiter)> = Vec::new();
            Box::new(move |key, node, at| {
                let place = known.iter().position(|(other, _)| *other == key);
                let (_, mut own) =
                    place.map_or_else(|| (key, another()), |place| known.remove(place));
                let admitted = own(key, node, at);
                known.push((key, own));
                if known.len() > most {
                    let _forgotten = known.remove(0);
                }
                admitted
            })
        }
        Fault::NodeOpen => Box::new(move |key, node, at| node == 0 || good(key, node, at)),
        Fault::StaleReads(lag) => stale_log(limit, span, share(lag).max(1)),
    }
}

/// Is true one time in so many.
fn every_one_in(every: usize) -> impl FnMut() -> bool {
    let mut asked = 0_usize;
    move || {
        asked += 1;
        asked.is_multiple_of(every)
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

/// Admissions since the last multiple of `period` do not count yet.
fn stale_log(limit: u64, window: i128, period: i128) -> Limiter {
    let mut logs: HashMap<usize, Vec<i128>> = HashMap::new();
    Box::new(move |key, _, at| {
        let log = logs.entry(key).or_default();
        log.retain(|then| *then > at - 2 * window);
        let known = at.div_euclid(period) * period;
        let counts = |then: &&i128| **then > at - window && **then < known;
        let admitted = (log.iter().filter(counts).count() as u64) < limit;
        if admitted {
            log.push(at);
        }
        admitted
    })
}

struct Log {
    most: u64,
    window: i128,
    admitted: Vec<i128>,
}

impl Count for Log {
    fn has_room(&mut self, at: i128) -> bool {
        let counts = |then: &&i128| **then > at - self.window;
        (self.admitted.iter().filter(counts).count() as u64) < self.most
    }

    fn take(&mut self, at: i128) {
        // Another node's clock may be behind by less than a window.
        self.admitted.retain(|then| *then > at - 2 * self.window);
        self.admitted.push(at);
    }
}

struct ClockWindow {
    most: u64,
    window: i128,
    shift: i128,
    counts: HashMap<i128, u64>,
}

impl ClockWindow {
    fn new(measure: Measure, shift: i128) -> ClockWindow {
        ClockWindow {
            most: measure.requests(),
            window: measure.window.into(),
            shift,
            counts: HashMap::new(),
        }
    }

    fn count(&mut self, at: i128) -> &mut u64 {
        let place = (at + self.shift).div_euclid(self.window);
        self.counts.entry(place).or_default()
    }
}

impl Count for ClockWindow {
    fn has_room(&mut self, at: i128) -> bool {
        let most = self.most;
        *self.count(at) < most
    }

    fn take(&mut self, at: i128) {
        *self.count(at) += 1;
    }
}

struct OpenedWindow {
    most: u64,
    window: i128,
    opened: Option<i128>,
    count: u64,
}

impl OpenedWindow {
    fn is_over(&self, at: i128) -> bool {
        self.opened.is_none_or(|opened| at >= opened + self.window)
    }
}

impl Count for OpenedWindow {
    fn has_room(&mut self, at: i128) -> bool {
        self.most > 0 && (self.is_over(at) || self.count < self.most)
    }

    fn take(&mut self, at: i128) {
        if self.is_over(at) {
            (self.opened, self.count) = (Some(at), 0);
        }
        self.count += 1;
    }
}

/// Times are multiplied by the limit, so that a unit's worth is the window.
struct Gcra {
    measure: Measure,
    due: Option<i128>,
}

impl Gcra {
    fn due_after(&self, at: i128) -> i128 {
        let now = at * i128::from(self.measure.limit);
        let worth = i128::from(self.measure.window) * i128::from(self.measure.cost);
        self.due.unwrap_or(now).max(now) + worth
    }
}

impl Count for Gcra {
    fn has_room(&mut self, at: i128) -> bool {
        let full = i128::from(self.measure.window) * i128::from(self.measure.burst);
        self.due_after(at) - at * i128::from(self.measure.limit) <= full
    }

    fn take(&mut self, at: i128) {
        self.due = Some(self.due_after(at));
    }
}

struct Bucket {
    measure: Measure,
    last: Option<i128>,
    units: f64,
}

impl Count for Bucket {
    fn has_room(&mut self, at: i128) -> bool {
        let last = *self.last.get_or_insert(at);
        if at > last {
            let rate = self.measure.limit as f64 / self.measure.window as f64;
            let units = self.units + (at - last) as f64 * rate;
            self.units = units.min(self.measure.burst as f64);
            self.last = Some(at);
        }
        // Sums of fractions may be a little too small.
        self.units >= self.measure.cost as f64 - 1e-9
    }

    fn take(&mut self, _: i128) {
        self.units -= self.measure.cost as f64;
    }
}

struct Counter {
    measure: Measure,
    counts: HashMap<i128, u64>,
}

impl Count for Counter {
    fn has_room(&mut self, at: i128) -> bool {
        let window = i128::from(self.measure.window);
        let place = at.div_euclid(window);
        let of = |place| i128::from(self.counts.get(&place).copied().unwrap_or(0));
        let left = window - at.rem_euclid(window);
        // In parts of a unit as small as a nanosecond of the window.
        let estimate = (of(place - 1) * left + of(place) * window) * i128::from(self.measure.cost);
        let room = i128::from(self.measure.limit) - i128::from(self.measure.cost);
        estimate < (room + 1) * window
    }

    fn take(&mut self, at: i128) {
        let place = at.div_euclid(i128::from(self.measure.window));
        *self.counts.entry(place).or_default() += 1;
    }
}
