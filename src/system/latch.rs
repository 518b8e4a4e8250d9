//! A latch: it opens once nobody holds it shut any more.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select};
use std::convert::Infallible;
use std::time::Duration;

/// Waits for a group of threads. Each of them owns a [`Hold`], and the latch opens when the last hold is dropped, also by
/// a panic.
#[derive(Debug, Clone)]
pub struct Latch(Receiver<Infallible>);

/// Keeps a [`Latch`] shut until it and all its clones are dropped.
#[derive(Debug, Clone)]
pub struct Hold(#[expect(dead_code, reason = "dropping it is its use")] Sender<Infallible>);

impl Latch {
    /// Returns a shut latch, and the first hold on it.
    pub fn new() -> (Hold, Latch) {
        let (hold, latch) = bounded(0);
        (Hold(hold), Latch(latch))
    }

    pub fn is_open(&self) -> bool {
        self.0.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits until the latch opens.
    pub fn wait(&self) {
        let _ = self.0.recv();
    }

    /// Waits until the latch opens, for at most `timeout`. Returns whether it is open.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.0.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected)
    }

    /// Waits for a message, until the latch opens.
    pub fn receive<T>(&self, from: &Receiver<T>) -> Option<T> {
        select! {
            recv(from) -> message => message.ok(),
            recv(self.0) -> _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latch_opens_when_the_last_hold_is_dropped() {
        let (first, latch) = Latch::new();
        let second = first.clone();
        drop(first);
        assert!(!latch.is_open() && !latch.wait_for(Duration::ZERO));
        drop(second);
        assert!(latch.is_open() && latch.wait_for(Duration::ZERO));
        latch.wait();
        let (_never, messages) = bounded::<u8>(1);
        assert_eq!(latch.receive(&messages), None);
    }

    #[test]
    fn a_panic_of_the_holder_opens_the_latch() {
        let (hold, latch) = Latch::new();
        let thread = std::thread::spawn(move || {
            let _hold = hold;
            panic!("this panic belongs to the test");
        });
        latch.wait();
        assert!(thread.join().is_err());
    }
}
