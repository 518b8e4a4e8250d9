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

    /// Takes in the claim of a blocked answer.
    fn take(claims: &mut Option<TimeClaim>, claimed: &Claimed, answer: &Entry, after: &After) {
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
        let claimed = SECOND * seconds;
        let early = after
            .blocked
            .map(|sent| sent.saturating_sub(answer.done + claimed + TOLERANCE));
        let late = after.admitted.map(|done| {
            let claimed = answer.sent + claimed;
            claimed.saturating_sub(done + SECOND * rounded + TOLERANCE)
        });
        let early = early.unwrap_or_default();
        // A request that is still blocked after the claimed time needs no admission to tell.
        claim.compared += u64::from(late.is_some() || early > Nanos::ZERO);
        claim.early = claim.early.max(early);
        claim.late = claim.late.max(late.unwrap_or_default());
    }
}

/// What followed on a blocked answer.
#[derive(Debug)]
struct After {
    /// The sent of the last request that was blocked before the next admission.
    blocked: Option<Nanos>,
    /// The done of the next admission.
    admitted: Option<Nanos>,
}

/// The requests of a counter, by what came of them, in the order of their sents.
struct Course {
    admitted: Vec<(Nanos, Nanos)>,
    blocked: Vec<Nanos>,
    /// Each of them may have counted.
    failed: Vec<Nanos>,
}

impl Course {
    fn new(counter: &[&Entry]) -> Course {
        let of = |came| counter.iter().filter(move |entry| entry.came == came);
        Course {
            admitted: of(Came::Admitted)
                .map(|entry| (entry.sent, entry.done))
                .collect(),
            blocked: of(Came::Blocked).map(|entry| entry.sent).collect(),
            failed: of(Came::Failed).map(|entry| entry.sent).collect(),
        }
    }

    /// An admission that overlaps the block may have come before it, so only later ones tell. If blocked requests may count, the
    /// next request is the only one that a limiter can have foreseen.
    fn after(&self, block: &Entry, blocked_may_count: bool) -> After {
        let next = self
            .admitted
            .partition_point(|(sent, _)| *sent <= block.done);
        let next = self.admitted.get(next).copied();
        let until = next.map_or(Nanos::MAX, |(sent, _)| sent);
        let failed = self.failed.partition_point(|sent| *sent <= block.sent);
        if self.failed.get(failed).is_some_and(|sent| *sent <= until) {
            return After {
                blocked: None,
                admitted: None,
            };
        }
        let first = self.blocked.partition_point(|sent| *sent <= block.sent);
        let end = next.map_or(self.blocked.len(), |(sent, _)| {
            self.blocked.partition_point(|blocked| *blocked < sent)
        });
        let between = self.blocked.get(first..end).unwrap_or_default();
        let (blocked, foreseen) = match between {
            [only, ..] if blocked_may_count => (Some(*only), false),
            between => (between.last().copied(), true),
        };
        After {
            blocked: blocked.or(Some(block.sent)),
            admitted: next.filter(|_| foreseen).map(|(_, done)| done),
        }
    }
}

/// The claims in the answers of the counters, each in the order of the sents. `blocked_may_count` is whether a request that is
/// blocked may delay the next admission. For the time `window`, nothing that counts is forgotten.
pub(super) fn claims<'a>(
    counters: impl Iterator<Item = Vec<&'a Entry>>,
    blocked_may_count: bool,
    window: Nanos,
) -> Claims {
    let mut claims = Claims::default();
    for counter in counters {
        let course = Course::new(&counter);
        let until = counter
            .first()
            .map_or(Nanos::ZERO, |first| first.sent + window);
        let (mut admitted, mut is_fresh, mut latest_done) = (0, true, None);
        for (place, entry) in counter.iter().enumerate() {
            claims.take_limit(entry);
            match entry.came {
                Came::Admitted => admitted += 1,
                Came::Blocked => {
                    claims.take_times(entry, &course.after(entry, blocked_may_count));
                }
                Came::Failed => {}
            }
            is_fresh &= entry.came == Came::Admitted && entry.done < until;
            // Requests that overlap may have been decided in any order.
            let next = counter.get(place + 1);
            let is_alone = latest_done.is_none_or(|done| done < entry.sent)
                && next.is_none_or(|next| entry.done < next.sent);
            latest_done = latest_done.max(Some(entry.done));
            if is_fresh && is_alone {
                claims.take_remaining(entry, admitted);
            }
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

    fn take_times(&mut self, block: &Entry, after: &After) {
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
            TimeClaim::take(&mut self.retry_after, &claimed, block, after);
        }
        if let Some((header, seconds, is_instant)) = block.headers.reset_in() {
            let claimed = Claimed {
                header,
                seconds,
                is_instant,
            };
            TimeClaim::take(&mut self.reset, &claimed, block, after);
        }
    }
}
