//! Decides which token a worker sends next, so that no target holds more workers than its share, and keeps each target's
//! backlog: the tokens that wait because their target holds all workers that it can.
//!
//! While a target answers, this costs a worker two atomic operations on a word that only requests to the same target use.
//! Locks are taken for targets with a backlog only.

use crate::base::Token;
use crate::core::worker_shares::WorkerShares;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire};

/// The workers of a run, as far as they are held by targets.
#[derive(Debug)]
pub(super) struct WorkerPool {
    /// The workers that each target has to itself.
    own: u32,
    /// The common workers that no target holds.
    common: CachePadded<AtomicU32>,
    /// The most tokens in each backlog.
    backlog: usize,
    targets: Box<[CachePadded<TargetLoad>]>,
}

/// The workers that a target holds, and its tokens that wait for one of them.
#[derive(Debug, Default)]
struct TargetLoad {
    /// The number of workers, and [`WAITING`] if the backlog is not empty. Only a thread that has locked the backlog sets or
    /// clears [`WAITING`]. Whenever it is set, the target holds all of its own workers, and these take from the backlog.
    state: AtomicU32,
    backlog: Mutex<VecDeque<Turn>>,
}

const WAITING: u32 = 1 << 31;

/// What a worker does after it has offered a token that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It sends this token, and is held by its target until it has called [`leave`](WorkerPool::leave).
    Send(Turn),
    /// The token waits in its target's backlog, and the worker is free.
    Waits,
    /// The backlog is full, so the token is dropped. The worker is free.
    NoRoom {
        /// Whether another target had workers left. A token that came late counts, too: the backlog had no room anyway.
        because_of_target: bool,
    },
}

/// A token, and why it was not sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub token: Token,
    /// Whether it came in time to a free worker, and its target had no worker for it while another target had one. If no
    /// target had one, there are too few workers, or the generator has too little processor time.
    pub waited_for_target: bool,
}

impl WorkerPool {
    pub fn new(shares: WorkerShares, targets: usize) -> WorkerPool {
        let narrow = |count: usize| u32::try_from(count).unwrap_or(WAITING - 1);
        WorkerPool {
            own: narrow(shares.own),
            common: CachePadded::new(AtomicU32::new(narrow(shares.common))),
            backlog: shares.backlog,
            targets: (0..targets).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Offers a token that is due, and not late yet if it is `on_time`. Tokens to one target that have to wait are sent in
    /// the order in which they came.
    pub fn enter(&self, target: usize, token: Token, on_time: bool) -> Entry {
        let load = &*self.targets[target];
        if self.has_one_target() || self.hold(load, IfBacklog::Refuse).is_ok() {
            return Entry::Send(Turn::at_once(token));
        }
        let mut backlog = load.backlog.lock();
        loop {
            let state = match self.hold(load, IfBacklog::Hold) {
                Err(state) => state,
                Ok(()) => {
                    let Some(oldest) = backlog.pop_front() else {
                        return Entry::Send(Turn::at_once(token));
                    };
                    backlog.push_back(Turn {
                        token,
                        waited_for_target: on_time && self.has_own_left(),
                    });
                    return Entry::Send(oldest);
                }
            };
            let because_of_target = self.has_own_left();
            if backlog.len() >= self.backlog {
                return Entry::NoRoom { because_of_target };
            }
            // If a worker has left meanwhile, it is this token's.
            if state & WAITING != 0 || load.replace(state, state | WAITING) {
                backlog.push_back(Turn {
                    token,
                    waited_for_target: on_time && because_of_target,
                });
                return Entry::Waits;
            }
        }
    }

    /// Has a free worker send the oldest token of a target that can hold one more. Returns `None` if there is no such target.
    pub fn enter_waiting(&self) -> Option<(usize, Turn)> {
        let is_waiting = |load: &TargetLoad| load.state.load(Acquire) & WAITING != 0;
        let mut waiting = (0..)
            .zip(&self.targets)
            .filter(|(_, load)| is_waiting(load));
        waiting.find_map(|(target, load)| {
            let mut backlog = load.backlog.lock();
            if backlog.is_empty() || self.hold(load, IfBacklog::Hold).is_err() {
                return None;
            }
            load.pop(&mut backlog).map(|oldest| (target, oldest))
        })
    }

    /// Ends the request of a worker that the target holds. Returns the oldest token of the target's backlog, which the
    /// worker sends next. Returns `None` if there is no backlog, and the worker is free.
    ///
    /// A common worker is free in any case: whoever needs it next takes it. So while a target does not answer, the tokens
    /// that come due for it take the common workers again, and once it answers, only its own workers send its backlog.
    pub fn leave(&self, target: usize) -> Option<Turn> {
        if self.has_one_target() {
            return None;
        }
        let load = &*self.targets[target];
        loop {
            let state = load.state.load(Acquire);
            let is_common = state & !WAITING > self.own;
            if state & WAITING == 0 || is_common {
                if load.replace(state, state - 1) {
                    if is_common {
                        self.common.fetch_add(1, AcqRel);
                    }
                    return None;
                }
            } else if let Some(oldest) = load.pop(&mut load.backlog.lock()) {
                return Some(oldest);
            }
        }
    }

    /// A sole target may hold all workers, so nothing needs to be counted.
    fn has_one_target(&self) -> bool {
        self.targets.len() == 1
    }

    /// Has the target hold one more worker. Otherwise returns the state in which it could not.
    fn hold(&self, load: &TargetLoad, if_backlog: IfBacklog) -> Result<(), u32> {
        loop {
            let state = load.state.load(Acquire);
            if state & WAITING != 0 && if_backlog == IfBacklog::Refuse {
                return Err(state);
            }
            let is_common = state & !WAITING >= self.own;
            if is_common && !self.take_common() {
                return Err(state);
            }
            if load.replace(state, state + 1) {
                return Ok(());
            }
            if is_common {
                self.common.fetch_add(1, AcqRel);
            }
        }
    }

    /// Whether some target holds fewer workers than it has to itself. A target with a backlog never does.
    fn has_own_left(&self) -> bool {
        let mut targets = self.targets.iter();
        targets.any(|load| load.state.load(Acquire) < self.own)
    }

    fn take_common(&self) -> bool {
        let less = |count: u32| count.checked_sub(1);
        self.common.fetch_update(AcqRel, Acquire, less).is_ok()
    }
}

/// What a worker does that finds a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfBacklog {
    /// It leaves the order to whoever has the lock.
    Refuse,
    /// It has the lock, and takes the oldest token.
    Hold,
}

impl TargetLoad {
    /// Returns false if the state was another one.
    fn replace(&self, state: u32, new: u32) -> bool {
        let replaced = self.state.compare_exchange(state, new, AcqRel, Acquire);
        replaced.is_ok()
    }

    /// Takes the oldest token of the target's backlog, which the caller has locked.
    fn pop(&self, backlog: &mut VecDeque<Turn>) -> Option<Turn> {
        let oldest = backlog.pop_front()?;
        if backlog.is_empty() {
            self.state.fetch_and(!WAITING, AcqRel);
        }
        Some(oldest)
    }
}

impl Turn {
    pub fn at_once(token: Token) -> Turn {
        Turn {
            token,
            waited_for_target: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{KeyId, Moment};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::thread;

    fn token(sequence: u64) -> Token {
        Token {
            place: sequence,
            due: Moment::at(0),
            key: KeyId(0),
        }
    }

    fn pool(workers: usize, queue: usize, targets: usize) -> WorkerPool {
        WorkerPool::new(WorkerShares::new(workers, queue, targets), targets)
    }

    /// Fills all workers that the target can hold, and returns how many these are.
    fn freeze(pool: &WorkerPool, target: usize) -> usize {
        let turns = (0..).map(|sequence| pool.enter(target, token(sequence), true));
        turns.take_while(|entry| *entry != Entry::Waits).count()
    }

    fn sent(turn: Option<Turn>) -> Option<(u64, bool)> {
        turn.map(|turn| (turn.token.place, turn.waited_for_target))
    }

    #[test]
    fn however_many_targets_freeze_each_other_target_has_workers_of_its_own() {
        for targets in 2..=50 {
            let pool = pool(100, 1_000, targets);
            let own = pool.own as usize;
            let held: Vec<_> = (0..targets).map(|target| freeze(&pool, target)).collect();
            assert_eq!(held[0], 100 - own * (targets - 1));
            assert!(held[1..].iter().all(|held| *held == own), "{held:?}");
            assert_eq!(held.iter().sum::<usize>(), 100);
        }
    }

    /// Tokens 0 to 2 are sent with all workers that the first target can hold, and tokens 3 to 5 wait.
    fn with_a_backlog() -> WorkerPool {
        let pool = pool(4, 100, 2);
        assert_eq!((pool.own, freeze(&pool, 0)), (1, 3));
        for sequence in [4, 5] {
            assert_eq!(pool.enter(0, token(sequence), true), Entry::Waits);
        }
        pool
    }

    #[test]
    fn a_backlog_is_sent_in_order_by_its_target_s_own_workers() {
        let pool = with_a_backlog();
        // The target answers again. The common workers are free.
        assert_eq!([pool.leave(0), pool.leave(0)], [None; 2]);
        for sequence in [3, 4, 5] {
            assert_eq!(sent(pool.leave(0)), Some((sequence, true)));
        }
        assert_eq!(pool.leave(0), None);
        // All workers can be held again.
        assert_eq!(freeze(&pool, 0), 3);
    }

    #[test]
    fn a_token_that_finds_a_common_worker_waits_behind_older_ones() {
        let pool = with_a_backlog();
        assert_eq!(pool.leave(0), None);
        let Entry::Send(turn) = pool.enter(0, token(6), true) else {
            panic!("a common worker is free");
        };
        assert_eq!(sent(Some(turn)), Some((3, true)));
        assert_eq!(pool.enter(0, token(7), true), Entry::Waits);
    }

    #[test]
    fn a_free_worker_sends_what_waits_for_a_target_that_can_hold_one_more() {
        let pool = with_a_backlog();
        assert_eq!(pool.enter_waiting(), None);
        assert_eq!([pool.leave(0), pool.leave(0)], [None; 2]);
        let entered = [(); 3].map(|()| pool.enter_waiting());
        let entered =
            entered.map(|entered| entered.map(|(target, turn)| (target, turn.token.place)));
        assert_eq!(entered, [Some((0, 3)), Some((0, 4)), None]);
        assert_eq!(sent(pool.leave(0)), None);
        assert_eq!(
            pool.enter_waiting().map(|(_, turn)| turn.token.place),
            Some(5)
        );
        assert_eq!(pool.enter_waiting(), None);
        (0..3).for_each(|_| assert_eq!(pool.leave(0), None));
    }

    #[test]
    fn a_full_backlog_has_no_room_until_a_request_ends() {
        let pool = pool(2, 4, 2);
        assert_eq!(freeze(&pool, 0), 1);
        let enter = |sequence| pool.enter(0, token(sequence), true);
        assert_eq!(enter(2), Entry::Waits);
        let because_of_target = true;
        assert_eq!(enter(3), Entry::NoRoom { because_of_target });
        assert_eq!(pool.own, 1);
        assert_eq!(sent(pool.leave(0)), Some((1, true)));
        assert_eq!(enter(4), Entry::Waits);
    }

    #[test]
    fn a_token_waits_for_its_target_only_if_it_was_on_time_and_another_target_had_workers() {
        let pool = pool(8, 100, 2);
        assert_eq!((pool.own, freeze(&pool, 0)), (2, 6));
        // The first token that waits is number 6.
        pool.enter(0, token(7), false);
        pool.enter(1, token(8), true);
        pool.enter(0, token(9), true);
        pool.enter(1, token(10), true);
        pool.enter(0, token(11), true);
        (0..4).for_each(|_| assert_eq!(pool.leave(0), None));
        let waited: Vec<_> = (0..4).map(|_| sent(pool.leave(0)).unwrap()).collect();
        assert_eq!(waited, [(6, true), (7, false), (9, true), (11, false)]);
    }

    #[test]
    fn a_sole_target_holds_any_number_of_workers() {
        let pool = pool(2, 4, 1);
        for sequence in 0..10 {
            assert!(matches!(
                pool.enter(0, token(sequence), true),
                Entry::Send(_)
            ));
        }
        assert_eq!(pool.leave(0), None);
    }

    #[test]
    fn every_token_is_sent_once_and_none_is_left_behind() {
        const TOKENS: u64 = 20_000;
        let pool = pool(8, 100_000, 3);
        let (next, count, sum) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let sequence = next.fetch_add(1, Relaxed);
                        if sequence >= TOKENS {
                            return;
                        }
                        // Nine of ten go to the first target.
                        let target = if sequence % 10 == 0 { 1 } else { 0 };
                        let Entry::Send(first) = pool.enter(target, token(sequence), true) else {
                            continue;
                        };
                        let mut turn = Some(first);
                        while let Some(Turn { token, .. }) = turn {
                            thread::yield_now();
                            count.fetch_add(1, Relaxed);
                            sum.fetch_add(token.place, Relaxed);
                            turn = pool.leave(target);
                        }
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), TOKENS);
        assert_eq!(sum.into_inner(), TOKENS * (TOKENS - 1) / 2);
        assert_eq!(pool.common.load(Acquire), 8 - 3);
        let all_left = |load: &CachePadded<TargetLoad>| load.state.load(Acquire) == 0;
        assert!(pool.targets.iter().all(all_left));
    }

    proptest! {
        #[test]
        fn workers_and_tokens_are_never_lost(
            workers in 1usize..20, targets in 2usize..6,
            steps in prop::collection::vec((any::<bool>(), 0usize..6), 0..300)
        ) {
            let shares = WorkerShares::new(workers, 10, targets);
            let pool = WorkerPool::new(shares, targets);
            let mut in_flight = vec![0usize; targets];
            let (mut entered, mut left, mut waiting, mut refused) = (0, 0, 0, 0);
            for (enters, target) in steps {
                let target = target % targets;
                if enters {
                    entered += 1;
                    match pool.enter(target, token(entered), true) {
                        Entry::Send(_) => in_flight[target] += 1,
                        Entry::Waits => waiting += 1,
                        Entry::NoRoom { .. } => refused += 1,
                    }
                } else if in_flight[target] > 0 {
                    left += 1;
                    match pool.leave(target) {
                        Some(_) => waiting -= 1,
                        None => in_flight[target] -= 1,
                    }
                }
                prop_assert!(in_flight.iter().all(|held| *held <= shares.most()));
                let above: usize = in_flight.iter().map(|held| held.saturating_sub(shares.own)).sum();
                prop_assert!(above <= shares.common);
                prop_assert_eq!(pool.common.load(Acquire) as usize, shares.common - above);
            }
            let now: usize = in_flight.iter().sum();
            prop_assert_eq!(entered, (left + now + waiting + refused) as u64);
        }
    }
}
