//! What a claim's number is, or may still become.

use super::ratio::{Range, Ratio};
use super::{Claim, Counted, Scope, Statistic, Timed};
use crate::base::{Ledger, Nanos};
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::Schedule;
use crate::core::stats::{Failures, Histogram, ScheduleVerdict, Tally};

/// What has been measured so far, or in the end.
///
/// Of a run that goes on, ledgers and tally need not be of the same instant: each tells of requests with an end, and
/// none takes back what it told.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// By target, in the plan's order.
    pub ledgers: &'a [Ledger],
    pub tally: &'a Tally,
    /// How long the schedule has been followed: up to its end, or to a stop.
    pub followed: Nanos,
    /// Requests that were late, as [`ScheduleVerdict`] counts them.
    pub late: u64,
    /// Whether every promise that the limit is audited for is proved broken.
    pub audit_broken: bool,
}

/// What a whole schedule comes to.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Requests by target.
    targets: Vec<u64>,
    length: Nanos,
}

impl Whole {
    /// # Panics
    /// If there is no target.
    pub fn of(schedule: &Schedule, targets: usize) -> Whole {
        let total = schedule.total().unwrap_or(u64::MAX);
        let mut shares = vec![0; targets];
        for (target, share) in RoundRobin::new(targets).shares(0..total) {
            shares[target] = share;
        }
        Whole {
            targets: shares,
            length: schedule.end().unwrap_or(Nanos::MAX),
        }
    }

    fn total(&self) -> u64 {
        self.targets.iter().sum()
    }
}

/// What may come beside what was seen.
#[derive(Debug, Clone, Copy)]
pub enum Ahead<'a> {
    /// The run is over.
    Nothing,
    /// At most the rest of a schedule.
    RestOf(&'a Whole),
}

impl Ahead<'_> {
    /// How many requests may come beside so many.
    fn beside(self, of: Scope, known: u64) -> u64 {
        let all = match (self, of) {
            (Ahead::Nothing, _) => return 0,
            (Ahead::RestOf(whole), Scope::All) => whole.total(),
            (Ahead::RestOf(whole), Scope::Target(place)) => whole.targets[place],
        };
        all.saturating_sub(known)
    }
}

impl Claim {
    /// Whether it may still be so, or is, if nothing is ahead.
    pub fn may_be_met(&self, seen: &Seen, ahead: Ahead) -> bool {
        let within = self.range(seen, ahead);
        match self {
            Claim::ScheduleKept => seen.verdict(ahead).schedule_kept(),
            Claim::AuditKept => !seen.audit_broken,
            Claim::Time { test, .. } => within.is_none_or(|range| test.is_met_within(range)),
            Claim::Count { test, .. } => within.is_none_or(|range| test.is_met_within(range)),
            Claim::Share { test, .. } => within.is_none_or(|range| test.is_met_within(range)),
            Claim::PerSecond { test, .. } => within.is_none_or(|range| test.is_met_within(range)),
        }
    }

    /// Where its number is or ends up: spans in nanoseconds, rates per second. `None` if there is nothing to measure, and
    /// of what is no number.
    pub fn range(&self, seen: &Seen, ahead: Ahead) -> Option<Range> {
        match *self {
            Claim::ScheduleKept | Claim::AuditKept => None,
            Claim::Time { of, spans, at, .. } => {
                let more = seen.more_spans(of, spans, ahead);
                range_of_spans(seen.spans(of, spans), at, more)
            }
            Claim::Count { of, what, .. } => {
                let ends = seen.ends(of);
                let more = ahead.beside(of, ends.count(Counted::Scheduled));
                let count = ends.count(what);
                Some(Range {
                    least: Ratio::whole(count),
                    most: Some(Ratio::whole(count + more)),
                })
            }
            Claim::Share { of, what, base, .. } => {
                let ends = seen.ends(of);
                let more = u128::from(ahead.beside(of, ends.count(Counted::Scheduled)));
                let [part, all] = [what, base].map(|counted| u128::from(ends.count(counted)));
                Some(Range {
                    least: Ratio::of(part, all + more)?,
                    most: Ratio::of(part + more, all + more),
                })
            }
            Claim::PerSecond { of, what, .. } => {
                let ends = seen.ends(of);
                let more = ahead.beside(of, ends.count(Counted::Scheduled));
                let count = u128::from(ends.count(what));
                let longest = match ahead {
                    Ahead::Nothing => seen.followed,
                    Ahead::RestOf(whole) => whole.length,
                };
                let per_second =
                    |count: u128, time: Nanos| Ratio::of(count * 1_000_000_000, time.0.into());
                Some(Range {
                    least: per_second(count, longest)?,
                    most: per_second(count + u128::from(more), seen.followed),
                })
            }
        }
    }
}

impl<'a> Seen<'a> {
    pub(super) fn ends(&self, of: Scope) -> Ends {
        match of {
            Scope::All => Ends {
                ledger: self.ledgers.iter().copied().sum(),
                failures: self.tally.failures(),
            },
            Scope::Target(place) => Ends {
                ledger: self.ledgers[place],
                failures: self.tally.targets[place].failures.clone(),
            },
        }
    }

    pub(super) fn spans(&self, of: Scope, spans: Timed) -> &'a Histogram {
        let tally = self.tally;
        match (spans, of) {
            (Timed::Latency, Scope::Target(place)) => &tally.targets[place].latency,
            (Timed::ServiceTime, Scope::Target(place)) => &tally.targets[place].service_time,
            (Timed::Latency, Scope::All) => &tally.latency,
            (Timed::ServiceTime, Scope::All) => &tally.service_time,
            // The rest is not known by target.
            (Timed::SendLag, _) => &tally.send_lag,
            (Timed::Connect, _) => &tally.connect,
            (Timed::Tls, _) => &tally.tls,
            (Timed::Lookup, _) => &tally.lookup,
        }
    }

    /// How many more may come of them.
    fn more_spans(&self, of: Scope, spans: Timed, ahead: Ahead) -> u64 {
        let ledger = self.ends(of).ledger;
        let never_sent = ledger.dropped + ledger.unsent;
        let others = match spans {
            Timed::Latency | Timed::ServiceTime => never_sent + ledger.abandoned,
            Timed::SendLag | Timed::Connect | Timed::Tls => never_sent,
            Timed::Lookup => {
                return match ahead {
                    Ahead::Nothing => 0,
                    Ahead::RestOf(_) => u64::MAX - self.spans(of, spans).count(),
                };
            }
        };
        // A request has one of each at most, and those that have one are none of the others.
        ahead.beside(of, self.spans(of, spans).count() + others)
    }

    fn verdict(&self, ahead: Ahead) -> ScheduleVerdict {
        let ends = self.ends(Scope::All);
        let known = ends.count(Counted::Scheduled);
        ScheduleVerdict {
            scheduled: known + ahead.beside(Scope::All, known),
            dropped: ends.ledger.dropped,
            late: self.late,
        }
    }
}

/// Requests that have come to an end, by its kind.
pub(super) struct Ends {
    /// Of which what is scheduled, sent and failed is not used: those are ahead of the ends, and of the kinds of
    /// failures.
    ledger: Ledger,
    failures: Failures,
}

impl Ends {
    pub fn count(&self, what: Counted) -> u64 {
        let Ledger {
            dropped,
            unsent,
            allowed,
            blocked,
            abandoned,
            ..
        } = self.ledger;
        let failed = || self.failures.by_kind().map(|(_, count)| count).sum::<u64>();
        let sent = || allowed + blocked + failed() + abandoned;
        match what {
            Counted::Scheduled => sent() + dropped + unsent,
            Counted::Sent => sent(),
            Counted::Dropped => dropped,
            Counted::Unsent => unsent,
            Counted::Allowed => allowed,
            Counted::Blocked => blocked,
            Counted::Success => allowed + blocked,
            Counted::Failed => failed(),
            Counted::FailedBy(kind) => self.failures.of(kind),
            Counted::Abandoned => abandoned,
        }
    }
}

fn range_of_spans(spans: &Histogram, at: Statistic, more: u64) -> Option<Range> {
    let count = spans.count();
    if count == 0 {
        return (more > 0).then(Range::anything);
    }
    let all = count + more;
    let range = match at {
        Statistic::Min => Range {
            least: match more {
                0 => spans.min().into(),
                _ => Nanos::ZERO.into(),
            },
            most: Some(spans.min().into()),
        },
        Statistic::Max => Range {
            least: spans.max().into(),
            most: (more == 0).then(|| spans.max().into()),
        },
        Statistic::Mean => {
            let least = Ratio::of(spans.sum(), all.into())?;
            Range {
                least,
                most: (more == 0).then_some(least),
            }
        }
        Statistic::Percentile(percentile) => {
            let rank = percentile.rank(all);
            let at_rank = |rank| Ratio::from(spans.at_rank(rank));
            Range {
                least: match rank.saturating_sub(more) {
                    0 => Nanos::ZERO.into(),
                    rank => at_rank(rank),
                },
                most: (rank <= count).then(|| at_rank(rank)),
            }
        }
    };
    Some(range)
}
