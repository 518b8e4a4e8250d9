//! A run as the engine carries it out: checked values, no text.

mod description;
mod drain;
mod start;
mod steady;

pub use drain::{Drain, DrainDeadlines};
pub use start::PlannedStart;
pub use steady::Seeds;

use crate::base::{Nanos, Target};
use crate::core::answers::Rules;
use crate::core::audit::{self, PriorUse, Promise, Quota, Terms, Tiers};
use crate::core::events::PlannedEvent;
use crate::core::keys::{self, Dealer, Distribution, Keys};
use crate::core::replay::{RecordedRequests, Replay};
use crate::core::request::{CompiledRequest, Constants, Placeholder, RequestTemplate};
use crate::core::schedule::{Alignment, Schedule};
use crate::core::threshold::Threshold;
use crate::core::worker_shares::WorkerShares;
use std::sync::Arc;
use std::time::Duration;

/// A run: its requests, their schedule, and the rules and promises by which it is judged.
#[derive(Debug)]
pub struct Plan {
    pub schedule: Schedule,
    /// The alignment of the start with the clock. `None` if there is none.
    pub alignment: Option<Alignment>,
    /// The instant at which the run starts. `None` if it starts as soon as it can.
    pub start: Option<PlannedStart>,
    /// How far this machine's wall clock may be off, as the user said. `None` if the system is asked for it.
    pub clock_error: Option<Nanos>,
    /// The number of worker threads.
    pub workers: usize,
    /// The queue's capacity, in tokens. The targets' backlogs together can hold as many again.
    pub queue: usize,
    /// The longest time for one whole request.
    pub timeout: Duration,
    /// The time that requests get after pacing has ended.
    pub drain: Drain,
    /// The time from one report of progress to the next.
    pub stats_interval: Duration,
    pub request: RequestTemplate,
    /// The limit and the window that each check sends if its template has a place for them and its key has none of its
    /// own. The audit's probe works with them.
    pub limit: u64,
    pub window: Nanos,
    /// The units that each request counts, from 1, unless its key has a cost of its own.
    pub cost: u64,
    pub keys: Keys,
    pub key_distribution: Distribution,
    /// The seed of the order of the keys and of the arrivals.
    pub seed: u64,
    /// The seed of the random digits of the keys. It differs from `seed` if the keys are this run's own.
    pub key_seed: u64,
    /// The answers that count as allowed, unless they count as blocked.
    pub allowed: Rules,
    pub blocked: Rules,
    /// The allowed answers that say that the limiter fails open.
    pub failing_open: Rules,
    /// `None` if the limiter is not audited.
    pub audit: Option<AuditPlan>,
    pub thresholds: Thresholds,
    /// In the order of their instants.
    pub events: Vec<PlannedEvent>,
    /// The longest time that each undo may take.
    pub undo_timeout: Duration,
}

/// The settings of the audit.
#[derive(Debug, Clone)]
pub struct AuditPlan {
    /// The promises. The limiter has to keep one of them.
    pub promises: Vec<Promise>,
    /// Whether the user asked for a verdict. A demo is audited by default.
    pub asked: bool,
    /// Whether the audit sends requests of its own, with keys of its own.
    pub probe: bool,
    pub prior_use: PriorUse,
    /// The most memory that the audit may use, in bytes.
    pub memory: usize,
    /// How far apart the clocks of the nodes may be, at most half of the window.
    pub clock_tolerance: Nanos,
    /// The share of the limit by which it may be exceeded, from 0 to 1.
    pub excess_tolerance: f64,
}

/// The thresholds on the run's numbers.
#[derive(Debug, Default)]
pub struct Thresholds {
    /// In the order in which they were given.
    pub all: Vec<Threshold>,
    /// Whether the run stops as soon as one can no longer be met.
    pub abort_on_fail: bool,
}

impl Plan {
    /// Whether the audit sends requests of its own.
    pub fn has_probe(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.probe)
    }

    /// Whether this process has the whole schedule, so that its run can be judged by itself. Stripes are judged together.
    pub fn is_whole(&self) -> bool {
        self.schedule.stripe().is_whole()
    }

    /// The terms that the audit holds the limiter to, in a run against `targets` targets. `None` if it is not audited, or not
    /// by this process alone.
    pub fn audit_terms(&self, targets: usize) -> Option<Terms> {
        let audit = self.audit.as_ref().filter(|_| self.is_whole())?;
        Some(Terms {
            promises: audit.promises.clone(),
            limit: self.limit,
            window: self.window,
            targets,
            timeout: self.timeout.into(),
            prior_use: audit.prior_use,
            memory: audit.memory,
            clock_tolerance: audit.clock_tolerance,
            excess_tolerance: audit.excess_tolerance,
            cost: self.cost,
            tiers: tiers(&self.keys),
            uneven: Nanos::ZERO,
            is_partial: false,
        })
    }

    /// How the workers are shared among this many targets.
    pub fn worker_shares(&self, targets: usize) -> WorkerShares {
        WorkerShares::new(self.workers, self.queue, targets)
    }

    /// The requests of a run against `targets`.
    pub fn requests(&self, targets: &[Target]) -> CompiledRequest {
        let requests = self.requests_for(targets, &self.keys);
        match self.schedule.recording() {
            Some(replay) => requests.with_recording(replay.requests.clone()),
            None => requests,
        }
    }

    /// The time from one round of a replay to the next, if that is less than from one report of progress to the next. Such
    /// rounds are too many to announce each of them.
    pub fn short_round(&self) -> Option<Nanos> {
        let round = self.schedule.recording()?.period();
        round.filter(|round| *round < self.stats_interval.into())
    }

    /// The recording whose requests have keys of their own.
    fn recorded_keys(&self) -> Option<Arc<RecordedRequests>> {
        let replay = self.schedule.recording();
        let requests = replay.map(|replay| &replay.requests);
        requests.filter(|requests| requests.have_keys()).cloned()
    }

    /// Whether each request carries its key, so that requests of different keys can be told apart.
    pub fn requests_have_keys(&self) -> bool {
        match self.schedule.recording() {
            Some(Replay { requests, .. }) => {
                requests.have_keys() || self.request.keeps_key(requests)
            }
            None => self.request.has(Placeholder::Key),
        }
    }

    /// The requests of the run's own against `targets`, for other keys: none of them is recorded.
    pub fn requests_for(&self, targets: &[Target], keys: &Keys) -> CompiledRequest {
        let constants = Constants {
            keys,
            limit: self.limit,
            window: self.window,
        };
        self.request.compile(targets, &constants, self.seed)
    }

    /// The keys of the audit's own requests.
    pub fn probe_keys(&self) -> Keys {
        self.keys.for_a_probe(self.key_seed)
    }

    /// The dealer of the requests' keys.
    pub fn dealer(&self) -> Dealer {
        // The order of fresh keys is their digits.
        if let Some(requests) = self.recorded_keys() {
            return Dealer::of_a_recording(requests);
        }
        let seed = match self.keys.count() {
            Some(_) => self.seed,
            None => self.key_seed,
        };
        Dealer::new(&self.keys, self.key_distribution, seed)
    }
}

/// The keys' own limits and costs, as the audit needs them.
pub fn tiers(keys: &Keys) -> Tiers {
    // The first is that of keys without a limit or a cost of their own.
    let own = keys.tiers().skip(1);
    let own = own.map(|tier| audit::Tier {
        allowance: match tier.allowance {
            keys::Allowance::Default => audit::Allowance::Promised,
            keys::Allowance::Limit { limit, window } => {
                audit::Allowance::Own(Quota::new(limit, window))
            }
            keys::Allowance::Unlimited => audit::Allowance::Unlimited,
        },
        cost: tier.cost,
    });
    Tiers {
        all: own.collect(),
        of_key: keys.tier_places().into(),
    }
}
