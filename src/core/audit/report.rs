use super::causes::{self, Case, Cause, Conclusion, Hypotheses};
use super::early_blocks::EarlyBlocks;
use super::nodes::{Lifetime, Nodes, of_node};
use super::observation::{AuditedKey, Observation};
use super::probe::ProbeReport;
use super::promise::{Limit, Needed, Promise};
use super::proof::{AdmissionSpan, Proof};
use super::terms::Terms;
use super::window_counts::WindowCounts;
use crate::base::Nanos;
use crate::core::outages::Outage;
use serde::{Deserialize, Serialize};

/// What an audit found.
#[derive(Debug, Clone)]
pub struct AuditReport {
    pub terms: Terms,
    /// The number of requests looked at, with the probe's.
    pub observed: u64,
    /// What came of the load's requests.
    pub answers: Answers,
    /// The number of keys audited. If every request has a new key, only keys with several requests at a time count.
    pub keys: u64,
    /// The share of the run's keys that was audited: 1, or as many as there was memory for.
    pub share: f64,
    /// The run's keys that were surely admitted more than the limit within some window's length.
    pub keys_over: u64,
    /// The most admissions of any key within a window's length.
    pub peak: Option<KeyPeak>,
    /// The most requests of any key of the load, allowed or blocked, that surely fell within a window's length. Each key
    /// counts until all limits have been tested on it.
    pub most_asked: u64,
    /// One for each promise in the terms, in their order.
    pub promises: Vec<PromiseReport>,
    /// The busiest windows of single keys, most admissions first, the run's keys before the probe's: one for each key
    /// over the limit, ten at most.
    pub worst: Vec<AdmissionSpan>,
    /// The first wrongly blocked requests, ten at most for each promise.
    pub false_blocks: Vec<FalseBlock>,
    pub nodes: Nodes,
    /// When each node was requested.
    pub(super) lifetimes: Vec<Lifetime>,
    /// The requests that each node blocked.
    pub blocked: Vec<u64>,
    /// Requests that were not answered, and may have been admitted, with the probe's.
    pub unanswered: u64,
    /// Whether the probe found that connections to one target do not share a count.
    pub connections_disagree: bool,
    /// The spans in which nodes failed, and those in which nodes said that they fail open, in the order of their begins; 64
    /// of either at most.
    pub outages: Vec<Outage>,
    /// The admissions of the load, by the place of the phase in which they were due. Empty if that is not known.
    pub admitted_by_phase: Vec<u64>,
    /// What the observations say about the possible causes of a breach.
    pub(super) hypotheses: Hypotheses,
    /// How many requests of the busiest keys were admitted in the window before each moment; five keys at most.
    pub window_counts: WindowCounts,
    /// The requests that were blocked although every promise lets them pass.
    pub early_blocks: EarlyBlocks,
}

/// Admissions that were too many. They are counted for each key from its first proof on, and each is one that did not
/// fit the limit beside those before it that did. With fixed windows and sliding counters, whose phase is not known, more
/// may have been.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beyond {
    pub total: u64,
    /// Of those, the ones outside of outages. Admissions that are too many only because of those in outages, or of those
    /// that were made while failing open, do not count.
    pub outside: u64,
    /// Of `total`, the ones of which the answers say that the limiter fails open. None of these is in `outside`.
    pub failing_open: u64,
    /// The admissions of the load among `total`, by the place of the phase in which they were due.
    pub by_phase: Vec<u64>,
    /// The admissions of the load among `total`, by the period between events.
    pub by_period: Vec<PeriodBeyond>,
}

/// Admissions of the load that were too many, in one period between events, by the place of the target that admitted them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeriodBeyond(pub Vec<TargetBeyond>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetBeyond {
    pub count: u64,
    /// The sent and the sequence number of the one that was sent first.
    pub first: Option<(Nanos, u64)>,
    /// The done of the last one; zero without any.
    pub last: Nanos,
}

impl Beyond {
    pub(super) fn count_in_period(&mut self, request: &Observation) {
        let Some(period) = request.period.map(usize::from) else {
            return;
        };
        if self.by_period.len() <= period {
            self.by_period.resize(period + 1, PeriodBeyond::default());
        }
        let PeriodBeyond(targets) = &mut self.by_period[period];
        let target = of_node(targets, request.target as usize, TargetBeyond::default());
        let own = (request.sent, request.sequence);
        target.count += 1;
        target.first = Some(target.first.map_or(own, |first| first.min(own)));
        target.last = target.last.max(request.done);
    }
}

/// What came of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    pub allowed: u64,
    pub blocked: u64,
    /// Neither allowed nor blocked.
    pub failed: u64,
    pub unanswered: u64,
}

impl Answers {
    pub fn all(self) -> u64 {
        self.allowed + self.blocked + self.failed + self.unanswered
    }
}

/// How many requests of one key were admitted within a window's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPeak {
    pub key: AuditedKey,
    /// How many requests of the key are promised per window.
    pub limit: u64,
    /// Wherever between sent and done the decisions fell.
    pub at_least: u64,
    /// If the decisions fell so as to make it most, and all unanswered requests were admitted.
    pub at_most: u64,
}

/// What the observations say about one promise.
#[derive(Debug, Clone)]
pub struct PromiseReport {
    pub promise: Promise,
    /// One for each of its limits, in their order.
    pub limits: Vec<LimitReport>,
    /// Requests surely blocked although none of the limits explains it.
    pub false_blocks: u64,
    /// What would explain the false blocks.
    pub blocks_need: Needed,
    /// The keys of the load that were judged: something was admitted of them, and a limiter that admits everything would
    /// have been caught on each limit.
    pub judged: u64,
    /// The probe's keys that were judged.
    pub judged_of_probe: u64,
    pub beyond: Beyond,
}

/// What the observations say about one limit.
#[derive(Debug, Clone)]
pub struct LimitReport {
    pub limit: Limit,
    /// The first proof that more was admitted than promised.
    pub excess: Option<Proof>,
    /// For each kind of limiter that has the algorithm, what the observations say.
    pub kinds: Vec<KindReport>,
    /// On how many keys a limiter that admits everything would have been caught.
    pub tested: u64,
}

/// What the observations say about one kind of limiter.
#[derive(Debug, Clone, Copy)]
pub struct KindReport {
    /// Whether it explains all keys.
    pub explains: bool,
    /// Whether it would still do so if the unanswered requests had been admitted, between their sent and done.
    pub explains_unanswered: bool,
    /// Whether it explains all keys if the admissions in outages are left out.
    pub explains_outside: bool,
    /// The most admissions beyond the limit that it may have made unseen.
    pub unseen: u64,
    /// The least tolerances with which it would explain all keys.
    pub needed: Needed,
}

/// The smallest breach that a run would have proved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// Admissions beyond the limit.
    pub requests: u64,
    /// The same as a share of the limit.
    pub share: f64,
}

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromiseVerdict {
    Kept,
    Broken,
    Suspect(Suspicion),
    /// No key of the load was judged.
    NotJudged,
    /// Keys were judged, but a limiter that admits twice its limit may not have been caught.
    NoResolution,
    /// Every answer fits the promise, but requests are missing that may not.
    Partial,
}

/// A reason why a promise that is not proved broken is not kept either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// It is broken if the unanswered requests were admitted.
    Unanswered,
    /// It is kept only if each key has windows of its own.
    WindowsPerKey,
    /// Connections to one target do not share a count.
    ConnectionsDisagree,
}

/// A reason why a run can't give a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The generator did not keep its own schedule.
    ScheduleNotKept,
    /// No request of the load was allowed.
    NothingAdmitted,
    /// Most requests of the load were neither allowed nor blocked.
    MostFailed,
    /// Requests of the load are missing among the observations.
    Partial,
    /// No promise was judged on any key of the load.
    NotJudged,
    NoResolution,
}

impl LimitReport {
    /// Whether a limiter of one of the limit's kinds explains all keys.
    pub fn is_explained(&self) -> bool {
        self.accepted().any(|kind| kind.explains)
    }

    /// Whether only a kind that the algorithm's name alone does not mean explains all keys.
    pub fn is_left_to_others(&self) -> bool {
        self.excess.is_none() && !self.is_explained()
    }

    /// Whether it is broken if the unanswered requests were admitted.
    pub fn is_broken_by_unanswered(&self) -> bool {
        !self
            .accepted()
            .any(|kind| kind.explains && kind.explains_unanswered)
    }

    /// Whether a limiter of one of the limit's kinds explains the admissions outside of outages.
    pub fn is_explained_outside(&self) -> bool {
        self.accepted().any(|kind| kind.explains_outside)
    }

    fn accepted(&self) -> impl Iterator<Item = &KindReport> {
        let kinds = self.kinds.iter().enumerate();
        let accepted = kinds.filter(|(kind, _)| self.limit.accepts(*kind));
        accepted.map(|(_, kind)| kind)
    }

    /// The smallest breach that would have been proved: one that no kind would have explained.
    pub fn resolution(&self) -> Resolution {
        let explaining = self.accepted().filter(|kind| kind.explains);
        let most = explaining.map(|kind| kind.unseen).max();
        let requests = most.unwrap_or(u64::MAX).saturating_add(1);
        let promised = self.limit.quota.limit.max(self.limit.quota.burst);
        Resolution {
            requests,
            share: requests as f64 / promised as f64,
        }
    }

    /// The least tolerances that would explain all keys.
    pub fn needed(&self) -> Needed {
        let kinds = self.accepted().map(|kind| kind.needed);
        kinds.fold(Needed::UNKNOWN, Needed::or)
    }
}

impl PromiseReport {
    pub fn is_exceeded(&self) -> bool {
        self.limits.iter().any(|limit| limit.excess.is_some())
    }

    pub fn is_broken(&self) -> bool {
        self.is_exceeded() || self.false_blocks > 0
    }

    /// Whether it is broken only by admissions in outages.
    pub fn is_kept_outside(&self) -> bool {
        let mut limits = self.limits.iter();
        self.is_exceeded()
            && self.false_blocks == 0
            && limits.all(LimitReport::is_explained_outside)
    }

    /// The smallest breach of any of its limits that would have been proved, whichever is the greatest share.
    pub fn resolution(&self) -> Resolution {
        let resolutions = self.limits.iter().map(LimitReport::resolution);
        let coarsest = resolutions.max_by(|a, b| a.share.total_cmp(&b.share));
        coarsest.expect("a promise has limits")
    }

    /// The least tolerances with which the promise would have been kept.
    pub fn needed(&self) -> Needed {
        let limits = self.limits.iter().map(LimitReport::needed);
        limits.fold(self.blocks_need, Needed::and)
    }

    pub fn verdict(&self, connections_disagree: bool) -> PromiseVerdict {
        if self.is_broken() {
            PromiseVerdict::Broken
        } else if self.limits.iter().any(LimitReport::is_left_to_others) {
            PromiseVerdict::Suspect(Suspicion::WindowsPerKey)
        } else if connections_disagree {
            PromiseVerdict::Suspect(Suspicion::ConnectionsDisagree)
        } else if self.judged == 0 {
            PromiseVerdict::NotJudged
        } else if self.limits.iter().any(LimitReport::is_broken_by_unanswered) {
            PromiseVerdict::Suspect(Suspicion::Unanswered)
        } else if self.resolution().share > 1.0 {
            PromiseVerdict::NoResolution
        } else {
            PromiseVerdict::Kept
        }
    }
}

/// A request that was blocked although the promise lets it pass.
#[derive(Debug, Clone)]
pub struct FalseBlock {
    /// The promise's place in the terms.
    pub promise: usize,
    pub request: Observation,
    /// How many others can have counted against it at most.
    pub counted: u64,
}

impl AuditReport {
    /// How a promise stands.
    pub fn verdict_on(&self, promise: &PromiseReport) -> PromiseVerdict {
        match promise.verdict(self.connections_disagree) {
            PromiseVerdict::Kept if self.terms.is_partial => PromiseVerdict::Partial,
            verdict => verdict,
        }
    }

    /// The verdict, given whether the generator kept its own schedule.
    pub fn verdict(&self, schedule_kept: bool) -> AuditVerdict {
        if self.is_broken() {
            return AuditVerdict::Broken;
        }
        if self.doubt(schedule_kept).is_some() {
            return AuditVerdict::Inconclusive;
        }
        let verdicts = self.promises.iter().map(|one| self.verdict_on(one));
        if verdicts.into_iter().any(|one| one == PromiseVerdict::Kept) {
            AuditVerdict::Kept
        } else {
            AuditVerdict::Suspect
        }
    }

    /// The reason why the run gives no verdict, if it gives none and no promise was proved broken.
    pub fn doubt(&self, schedule_kept: bool) -> Option<Doubt> {
        let answers = self.answers;
        let verdicts = || self.promises.iter().map(|one| self.verdict_on(one));
        let is_kept = |one| one == PromiseVerdict::Kept;
        let is_open = |one| {
            matches!(
                one,
                PromiseVerdict::NotJudged | PromiseVerdict::NoResolution
            )
        };
        // Windows for each key are suspect only if no other promise may be what the limiter keeps.
        let is_suspect = |one| match one {
            PromiseVerdict::Suspect(Suspicion::WindowsPerKey) => !verdicts().any(is_open),
            PromiseVerdict::Suspect(_) => true,
            _ => false,
        };
        if answers.allowed == 0 {
            Some(Doubt::NothingAdmitted)
        } else if (answers.failed + answers.unanswered) * 2 > answers.all() {
            Some(Doubt::MostFailed)
        } else if !schedule_kept {
            Some(Doubt::ScheduleNotKept)
        } else if self.terms.is_partial {
            Some(Doubt::Partial)
        } else if verdicts().any(is_kept) || verdicts().any(is_suspect) {
            None
        } else if verdicts().any(|one| one == PromiseVerdict::NoResolution) {
            Some(Doubt::NoResolution)
        } else {
            Some(Doubt::NotJudged)
        }
    }

    /// Whether every promise is broken.
    pub(super) fn is_broken(&self) -> bool {
        self.promises.iter().all(PromiseReport::is_broken)
    }

    /// The first promise that is broken only by admissions in outages, by its place, if every promise is broken. The run must
    /// have gone on for a window without an outage: otherwise nothing shows that the promise would be kept then.
    pub fn kept_but_for_outages(&self) -> Option<usize> {
        let mut promises = self.promises.iter();
        let kept = promises.position(PromiseReport::is_kept_outside)?;
        let is_shown =
            !self.outages.is_empty() && self.longest_without_outage() >= self.window_of(kept);
        (is_shown && self.is_broken()).then_some(kept)
    }

    /// Whether a promise is exceeded only by admissions of which the answers say that the limiter fails open.
    fn is_exceeded_only_failing_open(&self) -> bool {
        let failures = || self.outages.iter().filter(|one| one.failing_open == 0);
        self.exceeded_only_in_outages()
            .any(|place| failures().all(|outage| outage.beyond[place] == 0))
    }

    /// The promises that are exceeded only by admissions in outages, or of which the answers say that the limiter fails open, by
    /// their places.
    fn exceeded_only_in_outages(&self) -> impl Iterator<Item = usize> {
        let promises = self.promises.iter().enumerate();
        let only_in_outages = promises.filter(|(_, promise)| {
            let mut limits = promise.limits.iter();
            promise.is_exceeded() && limits.all(LimitReport::is_explained_outside)
        });
        only_in_outages.map(|(place, _)| place)
    }

    /// The promise by which admissions that were too many are counted, by its place: the one that is nearest to being kept.
    pub fn nearest(&self) -> Option<usize> {
        let promises = self.promises.iter().enumerate();
        let nearest = promises.min_by_key(|(_, one)| one.beyond.total);
        self.kept_but_for_outages()
            .or(nearest.map(|(place, _)| place))
    }

    /// The longest window of a promise, by its place.
    pub fn window_of(&self, promise: usize) -> Nanos {
        let limits = self.promises[promise].limits.iter();
        let windows = limits.map(|limit| limit.limit.quota.window);
        windows.max().unwrap_or_default()
    }

    /// The instants of the first and the last request.
    fn ends(&self) -> (Nanos, Nanos) {
        let begin = self.lifetimes.iter().map(|lifetime| lifetime.first).min();
        let end = self.lifetimes.iter().map(|lifetime| lifetime.last).max();
        (begin.unwrap_or_default(), end.unwrap_or_default())
    }

    /// The time between the first and the last request.
    pub fn lasted(&self) -> Nanos {
        let (begin, end) = self.ends();
        end.saturating_sub(begin)
    }

    /// The longest time between the first and the last request in which no node failed or said that it fails open.
    fn longest_without_outage(&self) -> Nanos {
        let (mut at, end) = self.ends();
        let mut longest = Nanos::ZERO;
        for outage in &self.outages {
            longest = longest.max(outage.from.saturating_sub(at));
            at = at.max(outage.to);
        }
        longest.max(end.saturating_sub(at))
    }

    /// The least tolerances with which one of the promises would have been kept.
    pub fn needed(&self) -> Needed {
        let promises = self.promises.iter().map(PromiseReport::needed);
        promises.fold(Needed::UNKNOWN, Needed::or)
    }

    pub(super) fn progress(&self) -> AuditProgress {
        let standing = self.promises.iter().filter(|one| !one.is_broken());
        AuditProgress {
            verdict: self.verdict(true),
            standing: standing.map(|one| one.promise.clone()).collect(),
            observed: self.observed,
            keys_over: self.keys_over,
            most: self.peak.map_or(0, |peak| peak.at_least),
        }
    }
}

impl AuditReport {
    /// Says which nodes the numbers of nodes stand for. Without it, they are the targets.
    #[must_use]
    pub fn with_nodes(self, nodes: Nodes) -> AuditReport {
        AuditReport { nodes, ..self }
    }

    /// Takes in what the probe found.
    #[must_use]
    pub fn with_probe(self, probe: &ProbeReport) -> AuditReport {
        AuditReport {
            connections_disagree: probe.questions.connections.standing().is_some(),
            ..self
        }
    }

    /// What came of each possible cause, by its name. Nothing if the limit was kept, as far as is known. `targets` are the
    /// targets' names.
    pub fn conclusions(
        &self,
        probe: Option<&ProbeReport>,
        targets: &[String],
    ) -> Vec<(&'static str, Conclusion)> {
        if !self.is_broken() && !self.connections_disagree {
            return Vec::new();
        }
        let mut promises = self.promises.iter();
        let mut conclusions = self.hypotheses.conclude(&Case {
            terms: &self.terms,
            is_exceeded: self.is_broken() && self.promises.iter().any(PromiseReport::is_exceeded),
            is_exceeded_only_failing_open: self.is_exceeded_only_failing_open(),
            is_exceeded_only_in_outages: self.exceeded_only_in_outages().next().is_some(),
            has_false_blocks: self.is_broken() && promises.any(|one| one.false_blocks > 0),
            keys: self.keys,
            keys_over: self.keys_over,
            most_admitted: self.peak.map_or(0, |peak| peak.at_least),
            worst: &self.worst,
            blocked: &self.blocked,
            needed: self.needed(),
            hypotheses: &self.hypotheses,
            probe,
            targets,
            nodes: &self.nodes.names(targets),
            lifetimes: &self.lifetimes,
        });
        if self.kept_but_for_outages().is_some() && self.is_exceeded_only_failing_open() {
            refute_all_but_failing_open(&mut conclusions);
        }
        conclusions
    }

    /// The causes that were tested and stood. If requests are missing, nobody knows the counts that most causes rest on.
    pub fn causes(&self, probe: Option<&ProbeReport>, targets: &[String]) -> Vec<Cause> {
        let conclusions = self.conclusions(probe, targets).into_iter();
        let is_known = |name| name == causes::FAILING_OPEN || !self.terms.is_partial;
        conclusions
            .filter(|(name, _)| is_known(*name))
            .filter_map(|(name, conclusion)| Cause::of(name, conclusion))
            .collect()
    }
}

/// If answers say that the limiter fails open, and it keeps its promise at other times, no cause explains the excess that is
/// there all the time.
fn refute_all_but_failing_open(conclusions: &mut [(&'static str, Conclusion)]) {
    let is_named = |(name, conclusion): &&mut (&str, Conclusion)| {
        *name == causes::FAILING_OPEN && matches!(conclusion, Conclusion::Named { .. })
    };
    if conclusions.iter_mut().find(is_named).is_none() {
        return;
    }
    let why = "the promise was kept while no answer said that the limiter fails open";
    for (name, conclusion) in conclusions {
        if *name != causes::FAILING_OPEN && matches!(conclusion, Conclusion::Named { .. }) {
            *conclusion = Conclusion::refuted(why);
        }
    }
}

/// How an audit stands while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProgress {
    /// The verdict as if the run had kept its schedule and ended with what has been looked at.
    pub verdict: AuditVerdict,
    /// The promises not broken.
    pub standing: Vec<Promise>,
    pub observed: u64,
    /// See [`AuditReport::keys_over`].
    pub keys_over: u64,
    /// The most admissions of any key that surely fell within a window's length.
    pub most: u64,
}

/// Whether one of the promises was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditVerdict {
    /// A limiter that keeps its promise explains all observations, and a breach of the stated resolution would have been
    /// proved on every judged key.
    Kept,
    /// No limiter that keeps its promise explains the observations.
    Broken,
    /// The observations fit the promise only if something is true that was not shown.
    Suspect,
    /// The run can't give a verdict.
    Inconclusive,
}
