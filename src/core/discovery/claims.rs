//! Are the times, limits and counts in the answers' headers true?
//!
//! A blocked answer that names a time is compared with the instant at which its counter admitted a request again. The answer
//! left the limiter between its sent and its done, and counts whole seconds, which should be rounded up. So a time is *early* if
//! a request was still blocked after it, and *late* if one was admitted more than a second before it.

use super::record::Entry;
use super::saturation::Came;
use crate::base::Nanos;
use crate::core::audit::probe::RetryAfter;

/// By how much two clocks may differ.
const TOLERANCE: Nanos = Nanos(10_000_000);

/// The rounding of a time in whole seconds. The time until an instant is by the answer's `Date`, too, which has no fraction, and
/// which servers keep for a second.
const SECOND: Nanos = Nanos(1_000_000_000);
const ROUNDED: u64 = 1;
const ROUNDED_INSTANT: u64 = 3;

/// What the headers of the answers claim, against what was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    pub retry_after: Option<TimeClaim>,
    /// A header that names the end of the window.
    pub reset: Option<TimeClaim>,
    /// The limit that the headers name first, and every other value of it.
    pub limits: Vec<u64>,
    /// How many requests the headers said a fresh counter had before its first one, if that is always the same.
    pub remaining: Option<Remaining>,
}

/// Instants that headers of one name claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeClaim {
    pub header: &'static str,
    /// How many claims were compared with the next admission.
    pub compared: u64,
    /// By how much a request was still blocked after the claimed instant at most; zero if none was.
    pub early: Nanos,
    /// By how much one was admitted before it at most, beyond the rounding; zero if none was.
    pub late: Nanos,
    /// The last claimed time, in seconds after its answer.
    pub last: u64,
}

/// What one answer claims.
struct Claimed {
    header: &'static str,
    seconds: u64,
    /// Whether it is an instant, which is compared with the answer's `Date`.
    is_instant: bool,
}

/// The numbers of remaining requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// Each number and the requests admitted until then add up to this.
    Of(u64),
    /// They add up to different sums.
    Inconsistent,
}

impl TimeClaim {
    pub fn is_right(&self) -> bool {
        self.compared > 0 && self.early == Nanos::ZERO && self.late == Nanos::ZERO
    }

    /// Takes in the claim of a blocked answer. `again` is the last blocked request's sent, and the done of the next
    /// admitted one, if there was one.
    fn take(
        claims: &mut Option<TimeClaim>,
        claimed: &Claimed,
        answer: &Entry,
        again: Option<(Nanos, Nanos)>,
    ) {
        let Claimed {
            header,
            seconds,
            is_instant,
        } = *claimed;
        let rounded = if is_instant { ROUNDED_INSTANT } else { ROUNDED };
        let claim = claims.get_or_insert(TimeClaim {
            header,
            compared: 0,
            early: Nanos::ZERO,
            late: Nanos::ZERO,
            last: seconds,
        });
        claim.last = seconds;
        let Some((still_blocked, admitted)) = again else {
            return;
        };
        claim.compared += 1;
        let after = SECOND * seconds;
        let early = still_blocked.saturating_sub(answer.done + after + TOLERANCE);
        let late = (answer.sent + after).saturating_sub(admitted + SECOND * rounded + TOLERANCE);
        claim.early = claim.early.max(early);
        claim.late = claim.late.max(late);
    }
}

/// The claims in the answers of the counters, each in the order of the sents.
pub(super) fn claims<'a>(counters: impl Iterator<Item = Vec<&'a Entry>>) -> Claims {
    let mut claims = Claims::default();
    for counter in counters {
        let mut admitted = 0;
        let mut is_fresh = true;
        let mut blocks: Vec<&Entry> = Vec::new();
        for entry in counter {
            claims.take_limit(entry);
            match entry.came {
                Came::Admitted => {
                    let last = blocks.last().map(|block| block.sent);
                    for block in blocks.drain(..) {
                        claims.take_times(block, last.map(|last| (last, entry.done)));
                    }
                    admitted += 1;
                }
                Came::Blocked => blocks.push(entry),
                Came::Failed => {}
            }
            is_fresh &= entry.came == Came::Admitted;
            if is_fresh {
                claims.take_remaining(entry, admitted);
            }
        }
        for block in blocks {
            claims.take_times(block, None);
        }
    }
    claims
}

impl Claims {
    fn take_limit(&mut self, entry: &Entry) {
        let limit = entry.headers.first_limit();
        if let Some(limit) =
            limit.filter(|limit| !self.limits.contains(limit) && self.limits.len() < 8)
        {
            self.limits.push(limit);
        }
    }

    /// Takes in the number of an admission, before the first block of its counter: later ones depend on what the limiter has
    /// forgotten by then.
    fn take_remaining(&mut self, entry: &Entry, admitted: u64) {
        let Some(left) = entry.headers.first_remaining() else {
            return;
        };
        let of = Remaining::Of(left + admitted);
        self.remaining = Some(match self.remaining {
            Some(known) if known != of => Remaining::Inconsistent,
            _ => of,
        });
    }

    fn take_times(&mut self, block: &Entry, again: Option<(Nanos, Nanos)>) {
        let retry_after = match block.headers.retry_after {
            Some(RetryAfter::Seconds(seconds)) => Some((seconds, false)),
            Some(RetryAfter::Date(Some(seconds))) => {
                u64::try_from(seconds).ok().map(|seconds| (seconds, true))
            }
            _ => None,
        };
        if let Some((seconds, is_instant)) = retry_after {
            let claimed = Claimed {
                header: "Retry-After",
                seconds,
                is_instant,
            };
            TimeClaim::take(&mut self.retry_after, &claimed, block, again);
        }
        if let Some((header, seconds, is_instant)) = block.headers.reset_in() {
            let claimed = Claimed {
                header,
                seconds,
                is_instant,
            };
            TimeClaim::take(&mut self.reset, &claimed, block, again);
        }
    }
}
