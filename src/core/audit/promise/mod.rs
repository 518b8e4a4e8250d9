//! The promises that a limiter can be held to, one file each, and the list of them.
//!
//! A promise bounds how many requests of one key may be admitted, given the [`limit`](super::Terms::limit) L and the
//! [`window`](super::Terms::window) W. Its file says how many that is in any interval, which observations prove it
//! broken, and how both are worded. A new promise is its file, its `mod` line and its line in the list.

mod clock_windows;
mod fixed_window;
mod opened_windows;
mod sliding_window;
mod token_bucket;

use super::admission_log::AdmissionLog;
use super::bounds::{Bounds, PriorUse};
use super::observation::Observation;
use super::proof::{AdmissionSpan, Proof};
use crate::base::Nanos;
use std::fmt;

/// How a promise is worded, and what it takes to test it.
#[derive(Debug)]
pub struct About {
    /// The promise's name in options and reports.
    pub name: &'static str,
    /// The limiter that keeps it, such as `a sliding window`.
    pub limiter: &'static str,
    /// The kinds of limiter that keep it. A limiter is of one kind for all of its keys.
    pub kinds: &'static [&'static str],
    /// A limiter that admits everything is caught once a key gets more than this many times the limit within a window.
    pub limits_to_exceed: u64,
    /// Whether the window in which most was admitted is itself a proof, if any is.
    pub busiest_window_is_proof: bool,
    /// Whether a wrongly blocked request is worth a finding beside those of other promises.
    pub block_is_general: bool,
    /// Words the proof that too many were admitted; the second argument is W.
    pub excess: fn(&Proof, Nanos) -> String,
    /// Says why a request should have passed, if at most so many others can have counted against it.
    pub wrong_block: fn(u64) -> String,
}

/// What the admissions of one key say about one promise. The tolerance of the limiter's clocks is always granted.
pub(super) trait Evidence {
    /// Counts an admission that is done at `done`, later than all others. It may be too old for the log.
    fn count(&mut self, _done: Nanos, _bounds: &Bounds) {}

    /// Takes in the latest admission, which is in `log` by now.
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds);

    /// From now on, requests of unknown outcome may have changed the limiter's state. What is proved stays proved.
    fn lose_sight(&mut self) {}

    /// Whether a limiter of the kind with this place in [`About::kinds`] explains all admissions so far.
    fn explains(&self, kind: usize) -> bool;

    /// Whether a limiter that keeps the promise would surely have let this request pass.
    fn is_wrongly_blocked(&self, request: &BlockedRequest, bounds: &Bounds) -> bool;

    /// The admissions up to the latest one that break the promise, and how many it promises in that time.
    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess;

    /// The memory used beside `self`, in bytes.
    fn memory(&self) -> usize {
        0
    }
}

/// Admissions that break a promise, and how many it promises in that time.
pub(super) type Excess = (AdmissionSpan, u64);

/// The admission that was done last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latest {
    pub sent: Nanos,
    pub done: Nanos,
    /// How many admissions, with this one, surely lie within one window's length.
    pub within: u64,
}

/// A request that was blocked after all admissions so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockedRequest {
    pub sent: Nanos,
    pub done: Nanos,
    /// How many others can have counted against it at most, wherever their decisions fell.
    pub counted: u64,
    /// How many of those were not answered by the time it was done.
    pub pending: u64,
}

/// From one instant to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Interval {
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
}

macro_rules! promises {
    ($($file:ident::$promise:ident),+ $(,)?) => {
        /// Which promise. Displayed as its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Promise {
            $($promise),+
        }

        impl Promise {
            pub const ALL: [Promise; [$(Promise::$promise),+].len()] = [$(Promise::$promise),+];

            pub fn about(self) -> &'static About {
                match self {
                    $(Promise::$promise => &$file::ABOUT),+
                }
            }
        }

        /// What the admissions of one key say about each promise.
        #[derive(Debug, Clone)]
        pub(super) struct KeyEvidence {
            $($file: $file::$promise),+
        }

        impl KeyEvidence {
            pub fn new(prior_use: PriorUse) -> KeyEvidence {
                KeyEvidence {
                    $($file: $file::$promise::new(prior_use)),+
                }
            }

            pub fn of(&self, promise: Promise) -> &dyn Evidence {
                match promise {
                    $(Promise::$promise => &self.$file),+
                }
            }

            pub fn of_mut(&mut self, promise: Promise) -> &mut dyn Evidence {
                match promise {
                    $(Promise::$promise => &mut self.$file),+
                }
            }
        }
    };
}

promises! {
    sliding_window::SlidingWindow,
    fixed_window::FixedWindow,
    token_bucket::TokenBucket,
}

/// One flag for each promise, by its place in [`Promise::ALL`].
pub(super) type PromiseFlags = [bool; Promise::ALL.len()];

impl Promise {
    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        self.about().name
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl KeyEvidence {
    /// Whether no limiter that keeps the promise explains the admissions.
    pub fn is_broken(&self, promise: Promise) -> bool {
        let evidence = self.of(promise);
        !(0..promise.about().kinds.len()).any(|kind| evidence.explains(kind))
    }
}

/// The wording shared by promises that bound what is admitted in a span.
fn more_than_promised(proof: &Proof, _window: Nanos) -> String {
    let span = crate::base::text::span(proof.span.to.saturating_sub(proof.span.from));
    format!(
        "{} were admitted within {span}, where {} are promised (proved after {} requests)",
        proof.span.admitted, proof.promised, proof.after
    )
}

/// The wording shared by promises that count the requests of a window.
fn too_few_counted(counted: u64) -> String {
    match counted {
        0 => "no other request can have counted".to_owned(),
        1 => "at most 1 other request can have counted".to_owned(),
        _ => format!("at most {counted} other requests can have counted"),
    }
}
