//! One recorded request.

use crate::base::{Address, Answer, FailureKind, KeyId, Moment, Outcome, Sample};
use crate::core::stripe::Stripe;

/// A request as its row has it. Times are nanoseconds since the run's start or since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// The request's number, at most [`MOST_REQUESTS`](Self::MOST_REQUESTS).
    pub number: u64,
    /// Empty without a key.
    pub key: &'a str,
    /// Empty without a target.
    pub target: &'a str,
    /// The address of the target that the request went to. Empty if it is not known.
    pub address: &'a str,
    /// Whether the audit's probe sent it. Then its number and its key are the probe's own.
    pub of_the_probe: bool,
    /// The stripe of the schedule that the request belongs to. `None` if its run sent the whole schedule, or if the row does
    /// not say.
    pub stripe: Option<Stripe>,
    /// The beginning of the fingerprint of the stripe's plan. Empty without a stripe.
    pub plan: &'a str,
    /// By how many nanoseconds the instants may be off, by the clock of the machine that sent the request. `None` if it is not
    /// known.
    pub clock_error: Option<u64>,
    /// The number of requests that belong into the file, if this is its last row.
    pub rows: Option<u64>,
    /// Whether the process sent its stripe to the end of the schedule, if this is its last row and says so.
    pub is_to_end: Option<bool>,
    /// The start of the run, if the row has it.
    pub origin: Option<u64>,
    pub(super) due: u64,
    pub(super) sent: u64,
    pub(super) done: u64,
    pub(super) transmitted: bool,
    pub outcome: Outcome,
    pub resolution: Resolution,
}

/// What tells a request from all others, also from those of other runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    number: u64,
    of_the_probe: bool,
    sent: u64,
    done: u64,
}

const FILE_SHIFT: u32 = 40;

/// The meaning of the numbers of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberedBy {
    /// The numbers of a column.
    Sequence,
    /// The lines of the file, from 1.
    Line,
}

/// By how many nanoseconds a request may have begun earlier, and have ended later, than its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    pub before: u64,
    pub after: u64,
}

impl Resolution {
    pub const EXACT: Resolution = Resolution {
        before: 0,
        after: 0,
    };
    pub const UNKNOWN: Resolution = Resolution {
        before: u64::MAX,
        after: u64::MAX,
    };

    /// The finer one. A number that is written with few decimals, such as `1.5`, may stand for `1.500`.
    pub fn finer(self, other: Resolution) -> Resolution {
        Resolution {
            before: self.before.min(other.before),
            after: self.after.min(other.after),
        }
    }

    /// The time by which a request is longer than its row says.
    pub fn total(self) -> u64 {
        self.before.saturating_add(self.after)
    }

    /// Widened on both sides.
    pub fn widened(self, by: u64) -> Resolution {
        Resolution {
            before: self.before.saturating_add(by),
            after: self.after.saturating_add(by),
        }
    }
}

impl Recorded<'_> {
    /// The greatest number of a request. The audit keeps it, and the number of its file, in 48 bits.
    pub const MOST_REQUESTS: u64 = (1 << FILE_SHIFT) - 1;

    /// The most files.
    pub const MOST_FILES: usize = 256;

    /// The number of a request among all files, by its file's place and its number in the file.
    pub fn numbered(file: usize, number: u64) -> u64 {
        (file as u64) << FILE_SHIFT | number
    }

    /// The place of a request's file, and its number in the file.
    pub fn split(sequence: u64) -> (usize, u64) {
        (
            (sequence >> FILE_SHIFT) as usize,
            sequence & Recorded::MOST_REQUESTS,
        )
    }

    /// The earliest time at which the request may have left, but for the resolution.
    pub fn earliest(&self) -> u64 {
        let is_lost = self.outcome == Outcome::Failed(FailureKind::Panic);
        if is_lost {
            self.due.min(self.sent)
        } else {
            self.sent
        }
    }

    /// What no other request has.
    pub fn identity(&self) -> Identity {
        Identity {
            number: self.number,
            of_the_probe: self.of_the_probe,
            sent: self.sent,
            done: self.done,
        }
    }

    /// The request as the reporter of a run would have got it.
    pub fn sample(&self, sequence: u64, key: KeyId, target: u32, resolution: Resolution) -> Sample {
        let earlier = |nanos: u64| Moment::at(nanos.saturating_sub(resolution.before));
        let done = Moment::at(self.done.saturating_add(resolution.after));
        Sample {
            sequence,
            key,
            target,
            due: earlier(self.due),
            waited_for_target: false,
            answer: Answer {
                transmitted: self.transmitted,
                address: self.known_address(),
                ..Answer::new(earlier(self.sent), done, self.outcome)
            },
        }
    }

    /// The address that the request went to, if it is known.
    pub fn known_address(&self) -> Option<Address> {
        (!self.address.is_empty()).then(|| Address::new(self.address))
    }
}
