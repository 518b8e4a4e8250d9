//! The end of a run, as the threads that send requests see it.

use crate::base::{Answer, FailureKind, Moment, Outcome};
use crate::core::answers::Head;
use crate::system::Stop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// A stop ends pacing and sending; the cut-off ends everything else.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunEnd<'a> {
    pub stop: &'a Stop,
    pub passed: &'a PassedDeadlines,
}

/// The deadlines of the drain that have passed.
#[derive(Debug, Default)]
pub(super) struct PassedDeadlines {
    /// No queued request is sent any more.
    sending: AtomicBool,
    /// Requests in flight are abandoned.
    answers: AtomicBool,
}

impl PassedDeadlines {
    pub fn end_sending(&self) {
        self.sending.store(true, Release);
    }

    pub fn cut_off(&self) {
        self.end_sending();
        self.answers.store(true, Release);
    }
}

impl RunEnd<'_> {
    /// Whether no further request may be sent.
    pub fn is_over(&self) -> bool {
        self.stop.is_requested() || self.passed.sending.load(Acquire)
    }

    pub fn is_cut_off(&self) -> bool {
        self.passed.answers.load(Acquire)
    }

    /// Makes one call to a target. A panic costs that request, not the run: whatever a call borrows is either shared
    /// and guarded, or reset by the next call. A request that is still in flight at the cut-off counts as abandoned,
    /// whether it is interrupted or answered too late.
    pub fn guard(&self, call: impl FnOnce() -> (Answer, Option<Head>)) -> (Answer, Option<Head>) {
        let called = catch_unwind(AssertUnwindSafe(call));
        let (mut answer, head) = called.unwrap_or_else(|_| (lost_to_a_panic(), None));
        if self.is_cut_off() {
            answer.outcome = Outcome::Abandoned;
            answer.failing_open = false;
        }
        (answer, head)
    }
}

/// The failure of a request that panicked. It is unknown whether any of it was sent.
fn lost_to_a_panic() -> Answer {
    let now = Moment::now();
    Answer {
        transmitted: false,
        ..Answer::new(now, now, Outcome::Failed(FailureKind::Panic))
    }
}
