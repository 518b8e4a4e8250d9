use crate::core::stats::Snapshot;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many scrapes may wait for a snapshot; those beyond wait for room among them.
const WAITING: usize = 16;

/// Where snapshots of a run are asked for. Whoever asks holds nothing of the run: whoever owns its tally at the time
/// answers, so one who is slow to look holds up nobody.
#[derive(Debug, Clone)]
pub struct Scrapes {
    ask: Sender<Scrape>,
    asked: Receiver<Scrape>,
}

/// Somebody who waits for a snapshot.
#[derive(Debug)]
pub struct Scrape(Sender<Arc<Snapshot>>);

impl Scrape {
    /// Never waits.
    pub fn answer(self, snapshot: Arc<Snapshot>) {
        // Whoever has waited for too long has gone.
        let _ = self.0.try_send(snapshot);
    }
}

impl Default for Scrapes {
    fn default() -> Self {
        let (ask, asked) = bounded(WAITING);
        Scrapes { ask, asked }
    }
}

impl Scrapes {
    /// A snapshot of this moment, if somebody answers in time.
    pub fn ask(&self, within: Duration) -> Option<Arc<Snapshot>> {
        let deadline = Instant::now() + within;
        let (reply, answer) = bounded(1);
        self.ask.send_deadline(Scrape(reply), deadline).ok()?;
        answer.recv_deadline(deadline).ok()
    }

    /// What is to be answered.
    pub fn asked(&self) -> &Receiver<Scrape> {
        &self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stats::testing;

    #[test]
    fn a_scrape_that_nobody_answers_ends_in_time_and_leaves_room_for_no_more() {
        let scrapes = Scrapes::default();
        let within = Duration::from_millis(5);
        for _ in 0..WAITING + 2 {
            let before = Instant::now();
            assert!(scrapes.ask(within).is_none());
            assert!(before.elapsed() >= within);
        }
        assert_eq!(scrapes.asked().len(), WAITING);
    }

    #[test]
    fn an_answer_that_comes_too_late_holds_up_nobody() {
        let scrapes = Scrapes::default();
        assert!(scrapes.ask(Duration::ZERO).is_none());
        let late = scrapes.asked().recv().unwrap();
        late.answer(testing::snapshot());
    }
}
