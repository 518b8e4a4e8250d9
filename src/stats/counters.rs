use super::Ledger;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

/// The totals of a run while it goes on. Each is written by the thread that sees the event and
/// read by anyone; they are exact once the writers have ended.
#[derive(Debug, Default)]
pub struct Counters {
    /// Counted when the pacer hands a token over, a little before it is due.
    pub scheduled: Counter,
    /// Of these, those that were not yet due when the run was stopped, and so never were.
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
    /// The totals now. Outcomes are read before `sent`, so that while a run goes on there are
    /// never more outcomes than requests sent.
    pub fn ledger(&self) -> Ledger {
        let (allowed, blocked) = (self.allowed.get(), self.blocked.get());
        let (failed, abandoned) = (self.failed.get(), self.abandoned.get());
        let sent = self.sent.get();
        let (dropped, unsent) = (self.dropped.get(), self.unsent.get());
        let withdrawn = self.withdrawn.get();
        let scheduled = self.scheduled.get() - withdrawn;
        Ledger {
            scheduled,
            sent,
            dropped,
            unsent,
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
