use crate::base::Ledger;
use crate::core::round_robin::RoundRobin;
use crate::core::stripe::Stripe;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

/// The totals of a running run, by target. The thread in which an event happens counts it, and any thread may read. The
/// totals are exact once all writers have ended.
///
/// The pacer's counter and those of each target have cache lines of their own.
#[derive(Debug)]
pub struct Counters {
    /// Tokens that the pacer has handed over, a little before they are due, or dropped. They are those with the lowest
    /// sequence numbers, so this also tells how many each target has.
    pub scheduled: CachePadded<Counter>,
    pub round_robin: RoundRobin,
    targets: Box<[CachePadded<TargetCounters>]>,
    /// The tokens dropped since [`Counters::take_dropped`]. The pacer and the reporter lock it, and a worker whose token finds
    /// its target's backlog full.
    dropped: Mutex<Vec<Range<u64>>>,
}

/// How many ranges of dropped tokens are told apart until they are taken.
const MAX_DROPPED_RANGES: usize = 4096;

/// One target's share of [`Counters`].
#[derive(Debug, Default)]
pub struct TargetCounters {
    /// Tokens that were handed over and not yet due when the run was stopped. They do not count as scheduled.
    pub withdrawn: Counter,
    pub dropped: Counter,
    /// The dropped tokens for which there was no room in the target's backlog, while other targets had workers left, or
    /// because all targets were silent.
    pub backlog_dropped: Counter,
    pub unsent: Counter,
    /// The unsent tokens that had already waited longer than [`TOLERANCE`](super::TOLERANCE).
    pub unsent_late: Counter,
    /// The same of those that waited for the target alone. These do not count in `unsent_late`.
    pub backlog_unsent_late: Counter,
    /// The unsent tokens that were due before the run joined its schedule. These do not count as late.
    pub before_joining: Counter,
    pub sent: Counter,
    pub allowed: Counter,
    pub blocked: Counter,
    pub failed: Counter,
    pub abandoned: Counter,
}

impl Counters {
    /// # Panics
    /// If there are no targets.
    pub fn new(targets: usize, stripe: Stripe) -> Self {
        Counters {
            scheduled: CachePadded::default(),
            round_robin: RoundRobin::new(targets, stripe),
            targets: (0..targets).map(|_| CachePadded::default()).collect(),
            dropped: Mutex::default(),
        }
    }

    pub fn target(&self, index: usize) -> &TargetCounters {
        &self.targets[index]
    }

    /// Counts the tokens with these sequence numbers as dropped.
    pub fn drop_tokens(&self, tokens: Range<u64>) {
        let mut dropped = self.dropped.lock();
        let is_full = dropped.len() >= MAX_DROPPED_RANGES;
        match dropped.last_mut() {
            Some(last) if is_full || last.end == tokens.start => {
                last.end += tokens.end - tokens.start;
            }
            _ => dropped.push(tokens.clone()),
        }
        drop(dropped);
        for (target, count) in self.round_robin.shares(tokens) {
            self.target(target).dropped.add(count);
        }
    }

    /// The sequence numbers of the tokens dropped since the last call. Their number is exact. If sent and dropped tokens
    /// took turns more than 4,096 times since then, the last range begins with the right number and goes on without gaps.
    pub fn take_dropped(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut *self.dropped.lock())
    }

    pub fn ledger(&self) -> Ledger {
        self.ledgers().into_iter().sum()
    }

    /// The totals by target, in the plan's order. They balance once the writers have ended.
    pub fn ledgers(&self) -> Vec<Ledger> {
        // `scheduled` is read last: the pacer counts a token after handing it over, and a worker may withdraw the token in
        // between.
        let withdrawn: Vec<_> = self.targets.iter().map(|t| t.withdrawn.get()).collect();
        let mut ledgers = self.unscheduled();
        for (target, handed_over) in self.round_robin.shares(0..self.scheduled.get()) {
            ledgers[target].scheduled = handed_over.saturating_sub(withdrawn[target]);
        }
        ledgers
    }

    /// The totals by target of a running run, for the first `due` tokens: those due by now, or by the stop. In ledgers read
    /// one after the other no total ever decreases, and none exceeds its final value.
    pub fn ledgers_due(&self, due: u64) -> Vec<Ledger> {
        let mut ledgers = self.unscheduled();
        let due = due.min(self.scheduled.get());
        for (target, due) in self.round_robin.shares(0..due) {
            ledgers[target].scheduled = due;
        }
        for ledger in &mut ledgers {
            // Some may have been sent since `due` was counted.
            let accounted = ledger.sent + ledger.dropped + ledger.unsent;
            ledger.scheduled = ledger.scheduled.max(accounted);
        }
        ledgers
    }

    /// The totals by target, with `scheduled` still zero.
    fn unscheduled(&self) -> Vec<Ledger> {
        self.targets.iter().map(|t| t.unscheduled()).collect()
    }
}

impl TargetCounters {
    fn unscheduled(&self) -> Ledger {
        // Outcomes are read before `sent`, so that there are never more outcomes than requests sent.
        let (allowed, blocked) = (self.allowed.get(), self.blocked.get());
        let (failed, abandoned) = (self.failed.get(), self.abandoned.get());
        Ledger {
            scheduled: 0,
            sent: self.sent.get(),
            dropped: self.dropped.get(),
            unsent: self.unsent.get(),
            allowed,
            blocked,
            failed,
            abandoned,
        }
    }
}

/// A count that any thread may add to and read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Release);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn drops_in_bulk_are_counted_at_the_targets_they_would_have_gone_to(
            targets in 1usize..10, bulks in prop::collection::vec(1u64..50, 0..20)
        ) {
            let counters = Counters::new(targets, Stripe::WHOLE);
            for bulk in bulks {
                let next = counters.scheduled.get();
                counters.drop_tokens(next..next + bulk);
                counters.scheduled.add(bulk);
            }
            for ledger in counters.ledgers() {
                prop_assert!(ledger.balances(), "{:?}", ledger);
                prop_assert_eq!(ledger.scheduled, ledger.dropped);
            }
        }
    }

    #[test]
    fn dropped_tokens_are_taken_as_ranges_and_none_is_left_out() {
        let counters = Counters::new(3, Stripe::WHOLE);
        for tokens in [0..2, 2..5, 7..8] {
            counters.drop_tokens(tokens);
        }
        assert_eq!(counters.take_dropped(), [0..5, 7..8]);
        let every_other = (10..).step_by(2).take(MAX_DROPPED_RANGES + 100);
        every_other.for_each(|token| counters.drop_tokens(token..token + 1));
        let taken = counters.take_dropped();
        assert_eq!(taken.len(), MAX_DROPPED_RANGES);
        let count: u64 = taken.iter().map(|tokens| tokens.end - tokens.start).sum();
        assert_eq!(count, MAX_DROPPED_RANGES as u64 + 100);
    }

    #[test]
    fn while_a_run_goes_on_only_what_is_due_is_scheduled() {
        let counters = Counters::new(2, Stripe::WHOLE);
        let scheduled = |due| {
            let ledgers = counters.ledgers_due(due).into_iter();
            ledgers.map(|ledger| ledger.scheduled).collect::<Vec<_>>()
        };
        counters.scheduled.add(10);
        assert_eq!(scheduled(7), [4, 3]);
        assert_eq!(scheduled(100), [5, 5], "the pacer is behind");
        counters.target(1).sent.add(5);
        assert_eq!(scheduled(7), [4, 5], "sent since the time was read");
        assert_eq!(scheduled(0), [0, 5]);
    }

    #[test]
    fn what_a_stop_withdraws_was_never_seen_as_scheduled() {
        let counters = Counters::new(2, Stripe::WHOLE);
        counters.scheduled.add(10);
        let before: Ledger = counters.ledgers_due(7).into_iter().sum();
        for (target, sent, withdrawn) in [(0, 4, 1), (1, 3, 2)] {
            counters.target(target).sent.add(sent);
            counters.target(target).withdrawn.add(withdrawn);
        }
        assert_eq!(before.scheduled, counters.ledger().scheduled);
        assert_eq!(counters.ledgers(), counters.ledgers_due(7));
    }

    #[test]
    fn a_token_withdrawn_before_the_pacer_has_counted_it_does_no_harm() {
        let counters = Counters::new(1, Stripe::WHOLE);
        counters.target(0).withdrawn.add(1);
        assert_eq!(counters.ledger().scheduled, 0);
    }
}
