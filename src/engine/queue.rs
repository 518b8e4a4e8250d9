//! The bounded queue between the pacer and the workers, and how a worker is woken for a token.
//!
//! The queue is a crossbeam channel, but nobody blocks in it: its receivers spin and yield for
//! microseconds before they sleep. A worker that finds it empty goes on standby instead, until
//! the pacer calls it. The last to go on standby is the first to be called, so no more threads
//! run than the load needs, and what they use stays in the processor's caches.

use crate::base::Token;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread::{self, Thread};

/// Makes a queue with room for `capacity` tokens. Returns the pacer's end, and the workers' end, which is cloned for
/// each worker.
pub fn queue(capacity: usize) -> (Feed, Intake) {
    let (sender, receiver) = bounded(capacity);
    let standby = Arc::new(Standby::default());
    let feed = Feed {
        tokens: Some(sender),
        standby: standby.clone(),
    };
    let intake = Intake {
        tokens: receiver,
        standby,
    };
    (feed, intake)
}

/// The pacer's end. When it is dropped, the workers take the remaining tokens and then see the end.
#[derive(Debug)]
pub struct Feed {
    /// `None` only while being dropped.
    tokens: Option<Sender<Token>>,
    standby: Arc<Standby>,
}

impl Feed {
    /// Puts a token into the queue and wakes nobody. Never waits.
    pub fn offer(&self, token: Token) -> Result<(), TrySendError<Token>> {
        match &self.tokens {
            Some(tokens) => tokens.try_send(token),
            None => Err(TrySendError::Disconnected(token)),
        }
    }

    /// The number of tokens that no worker has taken yet.
    pub fn untaken(&self) -> usize {
        self.tokens.as_ref().map_or(0, Sender::len)
    }

    /// Wakes `count` workers, or all workers on standby if those are fewer.
    pub fn call(&self, count: usize) {
        self.standby.call(count);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // The queue is closed first, so that every worker that is called sees its end.
        self.tokens = None;
        self.standby.call(usize::MAX);
    }
}

/// The workers' end.
#[derive(Debug, Clone)]
pub struct Intake {
    tokens: Receiver<Token>,
    standby: Arc<Standby>,
}

impl Intake {
    /// Waits for the oldest token. Returns `None` when the queue is empty and closed. `seat` belongs to the calling
    /// thread.
    pub fn next(&self, seat: &Arc<Seat>) -> Option<Token> {
        loop {
            match self.tokens.try_recv() {
                Err(TryRecvError::Empty) => {}
                taken_or_closed => return taken_or_closed.ok(),
            }
            self.standby.enter(seat);
            // A token or the queue's end that came before this worker was on standby did not call it.
            match self.tokens.try_recv() {
                Err(TryRecvError::Empty) => seat.wait(),
                taken_or_closed => {
                    self.standby.leave(seat);
                    return taken_or_closed.ok();
                }
            }
        }
    }
}

#[cfg(test)]
impl Intake {
    /// The number of tokens that can be taken without waiting.
    pub fn waiting(&self) -> impl Iterator<Item = Token> {
        self.tokens.try_iter()
    }
}

/// The workers that wait for a token. The last one to arrive is on top.
#[derive(Debug, Default)]
struct Standby(Mutex<Vec<Arc<Seat>>>);

impl Standby {
    fn enter(&self, seat: &Arc<Seat>) {
        let mut seats = self.0.lock();
        seat.called.store(false, Relaxed);
        seats.push(seat.clone());
    }

    /// Undoes `enter`. A call that came in between is lost.
    fn leave(&self, seat: &Arc<Seat>) {
        let mut seats = self.0.lock();
        if let Some(place) = seats.iter().rposition(|other| Arc::ptr_eq(other, seat)) {
            seats.remove(place);
        }
    }

    fn call(&self, count: usize) {
        for _ in 0..count {
            let mut seats = self.0.lock();
            let Some(seat) = seats.pop() else { return };
            // This is done under the lock: otherwise the seat could enter again and take it for its next call.
            seat.called.store(true, Release);
            drop(seats);
            seat.thread.unpark();
        }
    }
}

/// A worker's place on standby.
#[derive(Debug)]
pub struct Seat {
    thread: Thread,
    called: AtomicBool,
}

impl Seat {
    pub fn for_this_thread() -> Arc<Seat> {
        Arc::new(Seat {
            thread: thread::current(),
            called: AtomicBool::new(false),
        })
    }

    /// Waits until called. `park` alone may return early.
    fn wait(&self) {
        while !self.called.load(Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{KeyId, Moment};
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;
    use std::time::Duration;

    fn token(sequence: u64) -> Token {
        Token {
            place: sequence,
            due: Moment::at(0),
            key: KeyId(0),
        }
    }

    fn until(what: &str, holds: impl Fn() -> bool) {
        for _ in 0..30_000 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("{what} never came");
    }

    #[test]
    fn every_token_is_taken_once_whoever_is_called_and_when() {
        const TOKENS: u64 = 100_000;
        let (feed, intake) = queue(64);
        let (count, sum) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                let intake = intake.clone();
                let (count, sum) = (&count, &sum);
                scope.spawn(move || {
                    let seat = Seat::for_this_thread();
                    while let Some(token) = intake.next(&seat) {
                        count.fetch_add(1, Relaxed);
                        sum.fetch_add(token.place, Relaxed);
                    }
                });
            }
            for sequence in 0..TOKENS {
                while feed.offer(token(sequence)).is_err() {
                    feed.call(2);
                    thread::yield_now();
                }
                if sequence % 3 == 0 {
                    feed.call(1);
                }
            }
            drop(feed);
        });
        assert_eq!(count.into_inner(), TOKENS);
        assert_eq!(sum.into_inner(), TOKENS * (TOKENS - 1) / 2);
    }

    #[test]
    fn the_last_on_standby_is_called_first() {
        let (feed, intake) = queue(8);
        let (takers, taken) = mpsc::channel();
        thread::scope(|scope| {
            for name in 0..4 {
                let on_standby = || feed.standby.0.lock().len();
                assert_eq!(on_standby(), name);
                let (intake, takers) = (intake.clone(), takers.clone());
                scope.spawn(move || {
                    let seat = Seat::for_this_thread();
                    if intake.next(&seat).is_some() {
                        takers.send(name).unwrap();
                    }
                });
                until("the worker on standby", || on_standby() == name + 1);
            }
            for expected in [3, 2, 1, 0] {
                feed.offer(token(0)).unwrap();
                feed.call(1);
                assert_eq!(taken.recv(), Ok(expected));
            }
        });
    }

    #[test]
    fn what_is_queued_when_the_pacer_ends_is_still_taken() {
        let (feed, intake) = queue(8);
        (0..5).for_each(|sequence| feed.offer(token(sequence)).unwrap());
        drop(feed);
        let seat = Seat::for_this_thread();
        let taken: Vec<_> = std::iter::from_fn(|| intake.next(&seat)).collect();
        assert_eq!(taken, (0..5).map(token).collect::<Vec<_>>());
    }
}
