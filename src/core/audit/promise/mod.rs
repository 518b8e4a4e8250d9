//! The algorithms whose limits a limiter can be held to, one file each, and the list of them.
//!
//! A limit bounds how many requests of one key may be admitted, by its algorithm and its [`Quota`]: L requests per window
//! W. The algorithm's file defines it, says which observations prove that more was admitted or that a request was wrongly
//! blocked, and derives why. A [`Promise`] is one limit, or several that all hold.
//!
//! A new algorithm is its file, its `mod` line and its line in the list.

mod clock_windows;
mod fixed_window;
mod opened_windows;
mod sliding_counter;
mod sliding_window;
mod text;
mod token_bucket;

pub(in crate::core) use clock_windows::ClockWindows;
pub use text::MOST;

use super::admission_log::AdmissionLog;
use super::bounds::Bounds;
use super::observation::Observation;
use super::proof::{AdmissionSpan, Proof};
use super::quota::Quota;
use crate::base::Nanos;
use crate::base::text::{count, span};
use std::fmt;

/// What a limiter promises of each key: limits that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// At least one.
    pub limits: Vec<Limit>,
}

/// One limit of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub algorithm: Algorithm,
    /// The only kind of the algorithm that counts, by its place in [`About::kinds`]. Without one, each that is there by
    /// default does.
    pub kind: Option<usize>,
    pub quota: Quota,
}

/// How an algorithm is worded, and what it takes to test it.
#[derive(Debug)]
pub struct About {
    /// The algorithm's name in options and reports.
    pub name: &'static str,
    /// The limiter, such as `a sliding window`.
    pub limiter: &'static str,
    /// The kinds of limiter that have the algorithm. A limiter is of one kind for all of its keys.
    pub kinds: &'static [Kind],
    /// Whether a limit of it has a burst apart from its rate.
    pub has_burst: bool,
    /// A limiter that admits everything is caught once a key gets more than this many times the limit within a window.
    pub limits_to_exceed: u64,
    /// How many windows back an admission can matter.
    pub windows: u64,
    /// Why a limiter may admit more than the limit in an interval of the window's length.
    pub more_in_any_window: &'static str,
    /// Whether the window in which most was admitted is itself a proof, if any is.
    pub busiest_window_is_proof: bool,
    /// Whether a wrongly blocked request is worth a finding beside those of other algorithms.
    pub block_is_general: bool,
    /// Words the proof that too many were admitted.
    pub excess: fn(&Proof) -> String,
    /// Says why a request should have passed, if at most so many others can have counted against it.
    pub wrong_block: fn(u64) -> String,
}

/// The most requests that a limiter which keeps a promise admits in any interval of the window's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostInAnyWindow {
    pub requests: u64,
    /// The algorithm that admits so many.
    pub algorithm: Algorithm,
}

/// A kind of limiter.
#[derive(Debug)]
pub struct Kind {
    /// Its name behind `by`.
    pub name: &'static str,
    /// Such as `windows of one clock`.
    pub limiter: &'static str,
    /// Whether the algorithm's name alone means this kind too.
    pub by_default: bool,
    /// Whether one clock lays the windows of all keys, so that the keys are judged together.
    pub has_one_clock: bool,
}

/// What the admissions of one key say about one limit. The tolerance of the limiter's clocks is always granted.
pub(super) trait Evidence {
    /// Counts an admission that is done at `done`, later than all others. It may be too old for the log.
    fn count(&mut self, _done: Nanos, _bounds: &Bounds) {}

    /// Takes in the latest admission, which is in the log by now.
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds);

    /// From now on, requests of unknown outcome may have changed the limiter's state. What is proved stays proved.
    fn lose_sight(&mut self) {}

    /// Whether a limiter of the kind with this place in [`About::kinds`] explains all admissions so far.
    fn explains(&self, kind: usize) -> bool;

    /// Takes in a blocked request. Returns whether a limiter that keeps the limit would surely have let it pass, whatever
    /// its kind.
    fn is_wrongly_blocked(
        &mut self,
        request: &BlockedRequest,
        log: &AdmissionLog,
        bounds: &Bounds,
    ) -> bool;

    /// The admissions up to the latest one that break the limit, and how many it admits in that time.
    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess;

    /// The most admissions beyond the limit that a limiter of this kind may have made unseen, wherever the decisions
    /// fell.
    fn unseen(&self, kind: usize, possible: &Possible, bounds: &Bounds) -> u64;

    /// The least tolerances, each alone, with which a limiter of this kind explains the admissions.
    fn needed(&self, _kind: usize, _bounds: &Bounds) -> Needed {
        Needed::UNKNOWN
    }

    /// The memory used beside `self`, in bytes.
    fn memory(&self) -> usize {
        0
    }
}

/// What the admissions of all keys together say about windows that one clock lays.
pub(super) trait OneClock: fmt::Debug + Send {
    /// Takes in the latest admission of a key, which is in the key's log by now.
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds);

    /// Any number of `uncertain` requests of a key may have been admitted beside those in its log, at any time.
    fn allow_for(&mut self, uncertain: u64);

    /// Takes in a blocked request. Returns whether no windows explain the observations any more because of it.
    fn block(&mut self, _request: &BlockedRequest, _log: &AdmissionLog, _bounds: &Bounds) -> bool {
        false
    }

    fn explains(&self) -> bool;

    /// See [`Evidence::unseen`].
    fn unseen(&self) -> u64;

    /// See [`Evidence::needed`].
    fn needed(&self) -> Needed;

    fn boxed_clone(&self) -> Box<dyn OneClock>;
}

/// Admissions that break a limit, and how many it admits in that time.
pub(super) type Excess = (AdmissionSpan, u64);

/// The admission that was done last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latest {
    pub sent: Nanos,
    pub done: Nanos,
    /// Its place in the log, which is in the order of the sents.
    pub place: usize,
    /// How many admissions, with this one, surely lie within one window's length.
    pub within: u64,
}

/// What may have been admitted of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Possible {
    /// The most admissions in any window's length, wherever the decisions fell and if all uncertain requests were
    /// admitted.
    pub at_most: u64,
    /// Requests that may have been admitted at any time since they were sent.
    pub uncertain: u64,
}

/// A request that was blocked after all admissions so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockedRequest {
    pub sent: Nanos,
    pub done: Nanos,
    /// How many others can have counted against it within one window at most, wherever their decisions fell.
    pub counted: u64,
    /// How many of those were not answered by the time it was done.
    pub pending: u64,
    /// Whether the promise has no other limit, which may have blocked it.
    pub is_alone: bool,
}

/// The least tolerances, each alone, that would explain something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// How far apart the limiter's clocks would have to be, beside what is granted. `None` if that is not known, or would
    /// be more than half of the window.
    pub clock: Option<Nanos>,
    /// The share of the limit. `None` if it is not known, or more than 1.
    pub excess: Option<f64>,
}

impl Needed {
    pub const NOTHING: Needed = Needed {
        clock: Some(Nanos::ZERO),
        excess: Some(0.0),
    };

    pub const UNKNOWN: Needed = Needed {
        clock: None,
        excess: None,
    };

    /// What explains both.
    #[must_use]
    pub fn and(self, other: Needed) -> Needed {
        let both = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
        Needed {
            clock: self.clock.zip(other.clock).map(|(a, b)| a.max(b)),
            excess: both(self.excess, other.excess),
        }
    }

    /// What explains one of the two.
    #[must_use]
    pub fn or(self, other: Needed) -> Needed {
        let least = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Needed {
            clock: self.clock.into_iter().chain(other.clock).min(),
            excess: least(self.excess, other.excess),
        }
    }

    pub(super) fn with_clock(self, clock: Nanos, bounds: &Bounds) -> Needed {
        Needed {
            clock: (clock.0 <= bounds.window.0 / 2).then_some(clock),
            ..self
        }
    }

    pub(super) fn with_excess(self, share: f64) -> Needed {
        Needed {
            excess: (share <= 1.0).then_some(share),
            ..self
        }
    }
}

/// From one instant to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::core) struct Interval {
    pub from: Nanos,
    pub to: Nanos,
}

impl Interval {
    pub fn new(from: Nanos, to: Nanos) -> Interval {
        Interval { from, to }
    }

    /// The time between its ends.
    pub fn length(self) -> Nanos {
        self.to - self.from
    }

    /// The time from an instant in this interval to one in a later interval: the least and the greatest.
    pub fn until(self, later: Interval) -> Interval {
        Interval {
            from: later.from.saturating_sub(self.to),
            to: later.to.saturating_sub(self.from),
        }
    }
}

macro_rules! algorithms {
    ($($file:ident::$algorithm:ident),+ $(,)?) => {
        /// Which algorithm. Displayed as its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Algorithm {
            $($algorithm),+
        }

        impl Algorithm {
            pub const ALL: [Algorithm; [$(Algorithm::$algorithm),+].len()] =
                [$(Algorithm::$algorithm),+];

            pub fn about(self) -> &'static About {
                match self {
                    $(Algorithm::$algorithm => &$file::ABOUT),+
                }
            }

            /// Whether the latest admission is surely one too many among those in the log, by this algorithm alone.
            pub(super) fn is_too_many(
                self,
                latest: &Latest,
                log: &AdmissionLog,
                bounds: &Bounds,
            ) -> bool {
                match self {
                    $(Algorithm::$algorithm => $file::is_too_many(latest, log, bounds)),+
                }
            }
        }

        /// What the admissions of one key say about one limit.
        #[derive(Debug, Clone)]
        pub(super) enum KeyEvidence {
            $($algorithm($file::$algorithm)),+
        }

        impl KeyEvidence {
            pub fn new(limit: &Limit, bounds: &Bounds) -> KeyEvidence {
                match limit.algorithm {
                    $(Algorithm::$algorithm => {
                        KeyEvidence::$algorithm($file::$algorithm::new(limit, bounds))
                    }),+
                }
            }

            pub fn of(&self) -> &dyn Evidence {
                match self {
                    $(KeyEvidence::$algorithm(evidence) => evidence),+
                }
            }

            pub fn of_mut(&mut self) -> &mut dyn Evidence {
                match self {
                    $(KeyEvidence::$algorithm(evidence) => evidence),+
                }
            }
        }
    };
}

algorithms! {
    sliding_window::SlidingWindow,
    fixed_window::FixedWindow,
    token_bucket::TokenBucket,
    sliding_counter::SlidingCounter,
}

impl Algorithm {
    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// The most requests that a limiter of this algorithm admits in any interval of the window's length, with the excess
    /// that is tolerated.
    pub(super) fn most_in_any_window(self, bounds: &Bounds) -> MostInAnyWindow {
        let about = self.about();
        let requests = if about.has_burst {
            // A full bucket, and what it gets back.
            let units = u128::from(bounds.rate) + u128::from(bounds.burst);
            let tolerated = units * u128::from(1_000_000 + bounds.excess_millionths) / 1_000_000;
            u64::try_from(tolerated / u128::from(bounds.cost)).unwrap_or(u64::MAX)
        } else {
            bounds.most.saturating_mul(about.limits_to_exceed)
        };
        MostInAnyWindow {
            requests,
            algorithm: self,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Limit {
    /// Any kind of the algorithm that is there by default.
    pub fn new(algorithm: Algorithm, quota: Quota) -> Limit {
        Limit {
            algorithm,
            kind: None,
            quota,
        }
    }

    /// Whether a limiter of the kind with this place keeps the limit.
    pub fn accepts(&self, kind: usize) -> bool {
        match self.kind {
            Some(only) => kind == only,
            None => self.algorithm.about().kinds[kind].by_default,
        }
    }

    /// Whether a limiter whose windows are laid by one clock may keep the limit.
    pub fn may_have_one_clock(&self) -> bool {
        let mut kinds = self.algorithm.about().kinds.iter().enumerate();
        kinds.any(|(place, kind)| kind.has_one_clock && self.accepts(place))
    }

    /// Whether the only kind that counts is one with a clock for all keys.
    pub(super) fn has_only_one_clock(&self) -> bool {
        let kinds = self.algorithm.about().kinds;
        self.kind.is_some_and(|only| kinds[only].has_one_clock)
    }

    /// The evidence of all keys together, if one of its kinds has one clock for them.
    pub(super) fn one_clock(&self, bounds: &Bounds) -> Option<Box<dyn OneClock>> {
        let kinds = self.algorithm.about().kinds;
        kinds
            .iter()
            .any(|kind| kind.has_one_clock)
            .then(|| match self.algorithm {
                Algorithm::SlidingCounter => sliding_counter::one_clock(bounds),
                _ => fixed_window::one_clock(bounds),
            })
    }
}

impl Promise {
    /// A promise of one limit.
    pub fn of(limit: Limit) -> Promise {
        Promise {
            limits: vec![limit],
        }
    }

    /// The names of its limits' algorithms, such as `token-bucket and fixed-window`.
    pub fn algorithms(&self) -> String {
        let names: Vec<_> = self
            .limits
            .iter()
            .map(|limit| limit.algorithm.name())
            .collect();
        names.join(" and ")
    }

    /// One promise for each algorithm.
    pub fn of_each_algorithm(quota: Quota) -> Vec<Promise> {
        let limits = Algorithm::ALL.map(|algorithm| Limit::new(algorithm, quota));
        limits.map(Promise::of).into()
    }
}

impl KeyEvidence {
    /// Whether no limiter of any kind explains the admissions of this key alone.
    pub fn is_broken(&self, limit: &Limit) -> bool {
        let kinds = limit.algorithm.about().kinds.len();
        !(0..kinds).any(|kind| self.of().explains(kind))
    }
}

/// The wording shared by algorithms that bound what is admitted in a span.
fn more_than_promised(proof: &Proof) -> String {
    let lasted = span(proof.span.to.saturating_sub(proof.span.from));
    let promised = count(proof.promised, "is promised", "are promised");
    format!(
        "{} were admitted within {lasted}, where {promised} (proved after {} requests)",
        proof.span.admitted, proof.after
    )
}

/// The wording shared by algorithms that count the requests of a window.
fn too_few_counted(counted: u64) -> String {
    match counted {
        0 => "no other request can have counted".to_owned(),
        1 => "at most 1 other request can have counted".to_owned(),
        _ => format!("at most {counted} other requests can have counted"),
    }
}
