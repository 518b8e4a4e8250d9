//! One reading of which requests of a key were admitted, held to each promise.

use super::admission_log::AdmissionLog;
use super::bounds::{Bounds, PriorUse};
use super::observation::Observation;
use super::promise::{KeyEvidence, Latest, Promise, PromiseFlags};

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub log: AdmissionLog,
    pub evidence: KeyEvidence,
}

/// What one more admission shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// How many admissions, with this one, surely lie within one window's length.
    pub within: u64,
    /// The promises that it is the first to prove broken.
    pub newly_broken: PromiseFlags,
}

impl Scenario {
    pub fn new(prior_use: PriorUse) -> Scenario {
        Scenario {
            log: AdmissionLog::default(),
            evidence: KeyEvidence::new(prior_use),
        }
    }

    /// Takes in one more admission, done after all others. Returns `None` if it comes too late to be of use.
    pub fn admit(
        &mut self,
        request: &Observation,
        promises: &[Promise],
        bounds: &Bounds,
    ) -> Option<Shown> {
        for promise in promises {
            self.evidence.of_mut(*promise).count(request.done, bounds);
        }
        if !self.log.insert(request, bounds) {
            return None;
        }
        let latest = Latest {
            sent: request.sent,
            done: request.done,
            within: self.log.count_within(bounds.shortest_window, request.done),
        };
        let mut newly_broken = PromiseFlags::default();
        for promise in promises {
            let was_broken = self.evidence.is_broken(*promise);
            let evidence = self.evidence.of_mut(*promise);
            evidence.admit(&latest, &self.log, bounds);
            newly_broken[*promise as usize] = !was_broken && self.evidence.is_broken(*promise);
        }
        Some(Shown {
            within: latest.within,
            newly_broken,
        })
    }

    /// A request of the key may have changed the limiter's state unseen.
    pub fn lose_sight(&mut self) {
        for promise in Promise::ALL {
            self.evidence.of_mut(promise).lose_sight();
        }
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        let evidence = Promise::ALL.map(|promise| self.evidence.of(promise).memory());
        self.log.memory() + evidence.iter().sum::<usize>()
    }
}
