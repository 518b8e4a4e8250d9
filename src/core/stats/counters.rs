use crate::base::Ledger;
use crate::core::round_robin::RoundRobin;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

/// The totals of a run while it goes on, by target. Each is written by the thread that sees the
/// event and read by anyone; they are exact once the writers have ended. The pacer's and each
/// target's have cache lines of their own.
#[derive(Debug)]
pub struct Counters {
    /// Counted when the pacer hands a token over, a little before it is due. The tokens counted
    /// are those with the lowest sequence numbers, so this tells each target's too.
    pub scheduled: CachePadded<Counter>,
    pub round_robin: RoundRobin,
    targets: Box<[CachePadded<TargetCounters>]>,
    /// Those dropped since they were last taken. Only the pacer and the reporter use it.
    dropped: Mutex<Vec<Range<u64>>>,
}

/// How many stretches of dropped tokens are told apart until they are taken.
const DROPPED_STRETCHES: usize = 4096;

/// One target's share of [`Counters`].
#[derive(Debug, Default)]
pub struct TargetCounters {
    /// Of the scheduled, those that were not yet due when the run was stopped, and so never were.
    pub withdrawn: Counter,
    pub dropped: Counter,
    pub unsent: Counter,
    /// Of the unsent, those that had already waited longer than the verdict tolerates.
    pub unsent_late: Counter,
    pub sent: Counter,
    pub allowed: Counter,
    pub blocked: Counter,
    pub failed: Counter,
    pub abandoned: Counter,
}

impl Counters {
    /// # Panics
    /// If there is no target.
    pub fn new(targets: usize) -> Self {
        Counters {
            scheduled: CachePadded::default(),
            round_robin: RoundRobin::new(targets),
            targets: (0..targets).map(|_| CachePadded::default()).collect(),
            dropped: Mutex::default(),
        }
    }

    /// `place` is the target's in the plan.
    pub fn target(&self, place: usize) -> &TargetCounters {
        &self.targets[place]
    }

    /// Counts the tokens with these sequence numbers as dropped.
    pub fn drop_tokens(&self, tokens: Range<u64>) {
        let mut dropped = self.dropped.lock();
        let full = dropped.len() >= DROPPED_STRETCHES;
        match dropped.last_mut() {
            Some(last) if full || last.end == tokens.start => last.end += tokens.end - tokens.start,
            _ => dropped.push(tokens.clone()),
        }
        drop(dropped);
        for (target, count) in self.round_robin.shares(tokens) {
            self.target(target).dropped.add(count);
        }
    }

    /// Moves the sequence numbers of the tokens dropped since the last time behind what `into` holds. There are as many
    /// as were dropped. Where sent and dropped tokens took turns more than some thousand times since then, some of the
    /// numbers are of tokens shortly before.
    pub fn take_dropped(&self, into: &mut Vec<Range<u64>>) {
        into.append(&mut self.dropped.lock());
    }

    /// The totals of all targets.
    pub fn ledger(&self) -> Ledger {
        self.ledgers().into_iter().sum()
    }

    /// The totals by target, in the plan's order. They balance once the writers have ended.
    pub fn ledgers(&self) -> Vec<Ledger> {
        // Read before `scheduled`, in which the pacer counts a token after handing it over, so a
        // worker may withdraw it in between.
        let withdrawn: Vec<_> = self.targets.iter().map(|t| t.withdrawn.get()).collect();
        let mut ledgers = self.accounted();
        for (target, handed_over) in self.round_robin.shares(0..self.scheduled.get()) {
            ledgers[target].scheduled = handed_over.saturating_sub(withdrawn[target]);
        }
        ledgers
    }

    /// The totals by target while a run goes on, of the first `due` tokens: those that have come
    /// due by now, or by the stop. Of ledgers read one after the other no total ever decreases,
    /// and none is ever greater than in the end.
    pub fn ledgers_due(&self, due: u64) -> Vec<Ledger> {
        let mut ledgers = self.accounted();
        let due = due.min(self.scheduled.get());
        for (target, due) in self.round_robin.shares(0..due) {
            ledgers[target].scheduled = due;
        }
        for ledger in &mut ledgers {
            // What was sent since `due` was counted.
            let accounted = ledger.sent + ledger.dropped + ledger.unsent;
            ledger.scheduled = ledger.scheduled.max(accounted);
        }
        ledgers
    }

    /// How many requests were unsent and late, of all targets.
    pub fn unsent_late(&self) -> u64 {
        self.targets.iter().map(|t| t.unsent_late.get()).sum()
    }

    /// The totals by target, all but the scheduled.
    fn accounted(&self) -> Vec<Ledger> {
        let ledgers = self.targets.iter().map(|target| target.accounted());
        ledgers.collect()
    }
}

impl TargetCounters {
    /// Outcomes are read before `sent`, so that while a run goes on there are never more outcomes
    /// than requests sent.
    fn accounted(&self) -> Ledger {
        let (allowed, blocked) = (self.allowed.get(), self.blocked.get());
        let (failed, abandoned) = (self.failed.get(), self.abandoned.get());
        let sent = self.sent.get();
        Ledger {
            scheduled: 0,
            sent,
            dropped: self.dropped.get(),
            unsent: self.unsent.get(),
            allowed,
            blocked,
            failed,
            abandoned,
        }
    }
}

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
            let counters = Counters::new(targets);
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
    fn dropped_tokens_are_taken_as_stretches_and_none_is_left_out() {
        let (counters, mut taken) = (Counters::new(3), Vec::new());
        for tokens in [0..2, 2..5, 7..8] {
            counters.drop_tokens(tokens);
        }
        counters.take_dropped(&mut taken);
        assert_eq!(taken, [0..5, 7..8]);
        taken.clear();
        let every_other = (10..).step_by(2).take(DROPPED_STRETCHES + 100);
        every_other.for_each(|token| counters.drop_tokens(token..token + 1));
        counters.take_dropped(&mut taken);
        assert_eq!(taken.len(), DROPPED_STRETCHES);
        let count: u64 = taken.iter().map(|tokens| tokens.end - tokens.start).sum();
        assert_eq!(count, DROPPED_STRETCHES as u64 + 100);
    }

    #[test]
    fn while_a_run_goes_on_only_what_is_due_is_scheduled() {
        let counters = Counters::new(2);
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
        let counters = Counters::new(2);
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
        let counters = Counters::new(1);
        counters.target(0).withdrawn.add(1);
        assert_eq!(counters.ledger().scheduled, 0);
    }
}
