//! What has been found of all keys together.

use super::causes::Hypotheses;
use super::early_blocks::{EarlyBlocks, EarlyBlocksTally};
use super::groups::{AllRules, Flags, Group, Rules};
use super::key_audit::KeyAudit;
use super::keys::KeyAudits;
use super::nodes::{Lifetime, Nodes, of_node};
use super::observation::{AuditedKey, Decision, Observation};
use super::promise::{Latest, Limit, Needed, OneClock};
use super::proof::AdmissionSpan;
use super::quota_audit::{Blocked, QuotaAudit};
use super::reading::Reading;
use super::report::{
    Answers, AuditReport, Beyond, FalseBlock, KeyPeak, KindReport, LimitReport, PromiseReport,
};
use super::scenario::Scenario;
use super::terms::Terms;
use super::window_counts::{Candidate, FollowedKeys, WindowCounts};
use crate::base::Nanos;
use crate::core::outages::{Outage, Response};
use std::cmp::Reverse;

#[derive(Debug)]
pub(super) struct Findings {
    /// The report so far, without what is concluded at the end.
    report: AuditReport,
    /// The promise and the place among its limits of each limit.
    places: Vec<(usize, usize)>,
    /// The evidence about windows of one clock, by tier and limit, if exactly the allowed requests were admitted.
    clocks: Clocks,
    /// The same if the unanswered requests were admitted too. Exists from the first such request on.
    possible_clocks: Option<Clocks>,
    /// The same if the admissions in outages are left out. Exists from the first admission on that may lie in one.
    outside_clocks: Option<Clocks>,
    /// Whether any admission lies in an outage.
    has_left_out: bool,
    /// How long the latest admitted request took.
    as_admitted: Option<Nanos>,
    /// The number of observations looked at so far.
    looked_at: u64,
    /// The longest time that a request took that was allowed or blocked.
    longest: Nanos,
    /// The latest done.
    latest: Nanos,
    followed: FollowedKeys,
    early_blocks: EarlyBlocksTally,
}

/// How many items of each kind of evidence are kept.
const KEPT: usize = 10;

/// The evidence about windows of one clock. Limits without such evidence have `None`.
#[derive(Debug)]
struct Clocks(Vec<Vec<Option<Box<dyn OneClock>>>>);

impl Clocks {
    fn new(limits: usize, rules: &AllRules) -> Clocks {
        let tiers = rules.iter().map(|rules| {
            let mut clocks: Vec<_> = (0..limits).map(|_| None).collect();
            for group in &rules.groups {
                for (place, limit) in &group.limits {
                    clocks[*place] = limit.one_clock(&group.bounds);
                }
            }
            clocks
        });
        Clocks(tiers.collect())
    }

    /// Those of one limit, for all tiers.
    fn of(&self, limit: usize) -> impl Iterator<Item = &dyn OneClock> {
        self.0
            .iter()
            .filter_map(move |clocks| clocks[limit].as_deref())
    }
}

impl Clone for Clocks {
    fn clone(&self) -> Clocks {
        let clone =
            |clock: &Option<Box<dyn OneClock>>| clock.as_ref().map(|clock| clock.boxed_clone());
        let tiers = self.0.iter();
        Clocks(
            tiers
                .map(|clocks| clocks.iter().map(clone).collect())
                .collect(),
        )
    }
}

impl LimitReport {
    fn new(limit: &Limit) -> LimitReport {
        let kind = KindReport {
            explains: true,
            explains_unanswered: true,
            explains_outside: true,
            unseen: 0,
            needed: Needed::NOTHING,
        };
        LimitReport {
            limit: *limit,
            excess: None,
            kinds: vec![kind; limit.algorithm.about().kinds.len()],
            tested: 0,
        }
    }

    /// Whether no limiter explains all keys. If the limit does not name a kind, one that its name alone does not mean
    /// counts too.
    fn is_unexplained(&self) -> bool {
        match self.limit.kind {
            Some(only) => !self.kinds[only].explains,
            None => !self.kinds.iter().any(|kind| kind.explains),
        }
    }
}

impl Findings {
    pub fn new(terms: Terms, rules: &AllRules) -> Findings {
        let mut places = Vec::new();
        for (promise, one) in terms.promises.iter().enumerate() {
            places.extend((0..one.limits.len()).map(|limit| (promise, limit)));
        }
        let promises = terms.promises.iter().map(|promise| PromiseReport {
            promise: promise.clone(),
            limits: promise.limits.iter().map(LimitReport::new).collect(),
            false_blocks: 0,
            blocks_need: Needed::NOTHING,
            judged: 0,
            judged_of_probe: 0,
            beyond: Beyond::default(),
        });
        Findings {
            clocks: Clocks::new(places.len(), rules),
            possible_clocks: None,
            outside_clocks: None,
            has_left_out: false,
            places,
            report: AuditReport {
                observed: 0,
                answers: Answers::default(),
                keys: 0,
                share: 1.0,
                keys_over: 0,
                peak: None,
                most_asked: 0,
                promises: promises.collect(),
                worst: Vec::new(),
                false_blocks: Vec::new(),
                nodes: Nodes::of_targets(terms.targets),
                lifetimes: Vec::new(),
                blocked: vec![0; terms.targets],
                unanswered: 0,
                connections_disagree: false,
                outages: Vec::new(),
                admitted_by_phase: Vec::new(),
                hypotheses: Hypotheses::new(&terms),
                window_counts: WindowCounts::default(),
                early_blocks: EarlyBlocks::default(),
                terms,
            },
            as_admitted: None,
            looked_at: 0,
            longest: Nanos::ZERO,
            latest: Nanos::ZERO,
            followed: FollowedKeys::new(),
            early_blocks: EarlyBlocksTally::new(),
        }
    }

    pub fn terms(&self) -> &Terms {
        &self.report.terms
    }

    /// A node responded to a request, or did not.
    pub fn respond(&mut self, response: &Response) {
        let lifetimes = &mut self.report.lifetimes;
        let lifetime = of_node(lifetimes, response.node as usize, Lifetime::NONE);
        lifetime.extend(response.sent, response.done);
    }

    /// A request was observed, though it may not have been looked at yet.
    pub fn observe(&mut self, request: &Observation) {
        let report = &mut self.report;
        report.observed += 1;
        match request.decision {
            Decision::Blocked => {
                *of_node(&mut report.blocked, request.node as usize, 0) += 1;
            }
            Decision::Unanswered => report.unanswered += 1,
            Decision::Allowed | Decision::Failed => {}
        }
        if !request.key.is_probe() {
            let answers = &mut report.answers;
            *match request.decision {
                Decision::Allowed => &mut answers.allowed,
                Decision::Blocked => &mut answers.blocked,
                Decision::Failed => &mut answers.failed,
                Decision::Unanswered => &mut answers.unanswered,
            } += 1;
        }
    }

    pub fn look_at_one(&mut self, request: &Observation) {
        self.looked_at += 1;
        self.latest = self.latest.max(request.done);
        let took = request.done - request.sent;
        match request.decision {
            Decision::Allowed => {
                self.as_admitted = Some(took);
                if let Some(phase) = request.phase {
                    count_in(&mut self.report.admitted_by_phase, phase);
                }
                self.longest = self.longest.max(took);
            }
            Decision::Blocked => self.longest = self.longest.max(took),
            Decision::Failed | Decision::Unanswered => {}
        }
    }

    /// How long a blocked request of a key would have taken, had it been admitted: as long as the latest admitted one of
    /// the key, or of any key, if its own instants are the least exact.
    pub fn as_admitted(&self, audit: &KeyAudit) -> Nanos {
        let took = audit.as_admitted.or(self.as_admitted);
        took.unwrap_or_default() + self.report.terms.uneven
    }

    /// Whether a window with so many admissions is among the worst.
    pub fn wants(&self, admitted: u64) -> bool {
        let least = self
            .report
            .worst
            .get(KEPT - 1)
            .map_or(0, |last| last.admitted);
        admitted > self.report.terms.limit && admitted >= least
    }

    pub fn keep(&mut self, span: AdmissionSpan) {
        match self
            .report
            .worst
            .iter_mut()
            .find(|other| other.key == span.key)
        {
            Some(other) if other.admitted >= span.admitted => return,
            Some(other) => *other = span,
            None => self.report.worst.push(span),
        }
        let worst = &mut self.report.worst;
        // Of equal ones the first go first, so that the order does not depend on how keys are numbered.
        worst.sort_by_key(|span| (Reverse(span.admitted), span.key.is_probe(), span.from));
        worst.truncate(KEPT);
    }

    /// A request of a key is done, and has not been taken in. Counts the key up to then if it is followed.
    pub fn follow_up_to(&mut self, request: &Observation, place: usize, quota: &mut QuotaAudit) {
        if quota.is_followed {
            let (key, done) = (request.key, request.done);
            quota.is_followed = self.followed.advance(key, place, done, quota.log());
        }
    }

    /// Counts an admission of a followed key by the quota with this place, or begins to follow a key that is worth it.
    pub fn follow(
        &mut self,
        request: &Observation,
        place: usize,
        latest: &Latest,
        quota: &mut QuotaAudit,
        group: &Group,
    ) {
        if quota.is_followed {
            self.followed.admit(request, place);
        } else {
            quota.is_followed = self.followed.consider(&Candidate {
                request,
                quota: place,
                within: latest.within,
                most_admitted: group.most_in_any_window,
                log: quota.log(),
                bounds: &group.bounds,
            });
        }
    }

    /// Takes note that keys were given up, or half of what was remembered of them.
    pub fn review_followed(&mut self, keys: &KeyAudits, now: Nanos) {
        let log = |key, place: usize| Some(keys.get(key)?.quotas.get(place)?.log());
        self.followed.review(log, now);
    }

    /// Counts the followed keys up to the end of the last request.
    pub fn follow_to_the_end(&mut self, keys: &KeyAudits) {
        for (key, place) in self.followed.keys() {
            if let Some(quota) = keys.get(key).and_then(|audit| audit.quotas.get(place)) {
                self.followed.advance(key, place, self.latest, quota.log());
            }
        }
    }

    /// A request was blocked although every promise lets it pass, and at most so many others can have counted.
    pub fn count_early_block(&mut self, request: &Observation, counted: u64, limit: u64) {
        self.early_blocks.add(request, counted, limit);
    }

    /// A key is now admitted more than the limit within a window's length.
    pub fn count_key_over(&mut self, key: AuditedKey) {
        self.report.keys_over += u64::from(!key.is_probe());
    }

    /// Takes in an allowed request that is the latest of its key.
    pub fn admit(
        &mut self,
        request: &Observation,
        latest: &Latest,
        quota: &QuotaAudit,
        group: &Group,
        tier: usize,
    ) {
        for (place, _) in &group.limits {
            if let Some(clock) = &mut self.clocks.0[tier][*place] {
                clock.admit(latest, &quota.proved.scenario.log, &group.bounds);
            }
        }
        self.conclude_of_key(request, quota, group, tier);
    }

    /// Takes in what a key's evidence shows, after a request that was allowed or blocked and is the latest of its key.
    pub fn conclude_of_key(
        &mut self,
        request: &Observation,
        quota: &QuotaAudit,
        group: &Group,
        tier: usize,
    ) {
        let evidence = &quota.proved.scenario.evidence;
        for (index, (place, _)) in group.limits.iter().enumerate() {
            let clock = &self.clocks.0[tier][*place];
            let evidence = evidence[index].of();
            let (promise, limit) = self.places[*place];
            let limit = &mut self.report.promises[promise].limits[limit];
            let about = limit.limit.algorithm.about();
            for (kind, one) in limit.kinds.iter_mut().enumerate() {
                one.explains &= evidence.explains(kind);
                if let Some(clock) = clock
                    && about.kinds[kind].has_one_clock
                {
                    one.explains &= clock.explains();
                }
                one.needed = one.needed.and(evidence.needed(kind, &group.bounds));
            }
            let has_admissions = quota.log().first().is_some();
            if limit.excess.is_none() && limit.is_unexplained() && has_admissions {
                limit.excess = Some(quota.proof(index, request, self.looked_at, &group.bounds));
            }
        }
    }

    /// A request comes next that the reading without outages takes in later.
    pub fn set_apart(&mut self) {
        if self.outside_clocks.is_none() {
            self.outside_clocks = Some(self.clocks.clone());
            explain_outside_as_all(&mut self.report);
        }
    }

    /// The reading without outages has taken in all requests.
    pub fn rejoin(&mut self) {
        if !self.has_left_out {
            self.outside_clocks = None;
        }
    }

    /// Whether any admission lies in an outage. From then on, those outside are looked at by themselves.
    pub fn has_left_out(&self) -> bool {
        self.has_left_out
    }

    /// An admission lies in an outage.
    pub fn leave_out(&mut self) {
        self.has_left_out = true;
    }

    /// Takes in an admission outside of outages, which was set apart.
    pub fn admit_outside(
        &mut self,
        latest: Option<&Latest>,
        quota: &QuotaAudit,
        group: &Group,
        tier: usize,
    ) {
        let Some(clocks) = &mut self.outside_clocks else {
            return;
        };
        let Scenario { log, evidence } = quota.outside();
        for (evidence, (place, _)) in evidence.iter().zip(&group.limits) {
            let clock = &mut clocks.0[tier][*place];
            if let (Some(clock), Some(latest)) = (&mut *clock, latest) {
                clock.admit(latest, log, &group.bounds);
            }
            let (promise, limit) = self.places[*place];
            let limit = &mut self.report.promises[promise].limits[limit];
            let about = limit.limit.algorithm.about();
            for (kind, one) in limit.kinds.iter_mut().enumerate() {
                one.explains_outside &= evidence.of().explains(kind);
                if let Some(clock) = clock
                    && about.kinds[kind].has_one_clock
                {
                    one.explains_outside &= clock.explains();
                }
            }
        }
    }

    /// Takes in what a blocked request that was set apart shows if the admissions in outages are left out.
    pub fn block_outside(
        &mut self,
        request: &Observation,
        reading: &mut Reading,
        group: &Group,
        tier: usize,
    ) {
        if let Some(clocks) = &mut self.outside_clocks {
            reading.block(request, group, &mut clocks.0[tier]);
            let explains = |kind: &mut KindReport, all| kind.explains_outside &= all;
            rule_out_clocks(&mut self.report, &self.places, clocks, explains);
        }
    }

    /// Takes in how many admissions beyond the limits may have been made unseen, after one that was or may have been made.
    pub fn raise_unseen(&mut self, quota: &QuotaAudit, group: &Group, tier: usize) {
        let possibly = quota.possibly();
        for (index, (place, _)) in group.limits.iter().enumerate() {
            if let Some(clock) = &mut self.clocks.0[tier][*place] {
                clock.allow_for(possibly.uncertain);
            }
            let evidence = quota.proved.scenario.evidence[index].of();
            let (promise, limit) = self.places[*place];
            let kinds = &mut self.report.promises[promise].limits[limit].kinds;
            for (kind, one) in kinds.iter_mut().enumerate() {
                let unseen = evidence.unseen(kind, &possibly, &group.bounds);
                one.unseen = one.unseen.max(unseen);
            }
        }
    }

    /// Counts an admission that was too many by these limits. Returns the promises that they are of, by their places.
    pub fn count_beyond(
        &mut self,
        limits: Flags,
        is_outside: bool,
        request: &Observation,
    ) -> Vec<usize> {
        if limits.is_empty() {
            return Vec::new();
        }
        let exceeded = self.places.iter().enumerate();
        let exceeded = exceeded.filter(|(place, _)| limits.has(*place));
        let mut promises: Vec<_> = exceeded.map(|(_, (promise, _))| *promise).collect();
        promises.dedup();
        for promise in &promises {
            let beyond = &mut self.report.promises[*promise].beyond;
            beyond.total += 1;
            beyond.outside += u64::from(is_outside);
            beyond.failing_open += u64::from(request.failing_open);
            if let Some(phase) = request.phase {
                count_in(&mut beyond.by_phase, phase);
            }
            beyond.count_in_period(request);
        }
        promises
    }

    /// Takes in how many requests of a key may have been admitted, after one that may have been.
    pub fn suspect(
        &mut self,
        key: AuditedKey,
        latest: Option<&Latest>,
        quota: &QuotaAudit,
        group: &Group,
        tier: usize,
    ) {
        if quota.possible.is_some() && self.possible_clocks.is_none() {
            self.possible_clocks = Some(self.clocks.clone());
        }
        if let Some(clocks) = &mut self.possible_clocks {
            let scenario = quota.possible.as_deref().unwrap_or(&quota.proved.scenario);
            for (index, (place, _)) in group.limits.iter().enumerate() {
                let clock = &mut clocks.0[tier][*place];
                if let (Some(clock), Some(latest)) = (&mut *clock, latest) {
                    clock.admit(latest, &scenario.log, &group.bounds);
                }
                let evidence = scenario.evidence[index].of();
                let (promise, limit) = self.places[*place];
                let limit = &mut self.report.promises[promise].limits[limit];
                let about = limit.limit.algorithm.about();
                for (kind, one) in limit.kinds.iter_mut().enumerate() {
                    one.explains_unanswered &= evidence.explains(kind);
                    if let Some(clock) = clock
                        && about.kinds[kind].has_one_clock
                    {
                        one.explains_unanswered &= clock.explains();
                    }
                }
            }
        }
        // Of several quotas, the first has the window that the report speaks of.
        if group.limits.iter().all(|(place, _)| *place > 0) {
            return;
        }
        let (at_least, at_most) = (quota.busiest.at_least, quota.busiest.at_most);
        let limit = group.bounds.limit;
        // The most by its own limit.
        let of_limit = |count: u64, limit: u64| count as f64 / limit.max(1) as f64;
        let is_higher = self.report.peak.is_none_or(|peak| {
            let before = (
                of_limit(peak.at_least, peak.limit),
                of_limit(peak.at_most, peak.limit),
            );
            peak.key == key || (of_limit(at_least, limit), of_limit(at_most, limit)) > before
        });
        if is_higher {
            self.report.peak = Some(KeyPeak {
                key,
                limit,
                at_least,
                at_most,
            });
        }
    }

    /// Takes in which limits have been tested on a key, and the promises by which it is judged.
    pub fn judge(&mut self, key: AuditedKey, audit: &mut KeyAudit, before: Flags, rules: &Rules) {
        let (tested, shown) = (audit.tested(), audit.shown(rules));
        for (place, (promise, limit)) in self.places.iter().enumerate() {
            let is_new = tested.has(place) && !before.has(place);
            self.report.promises[*promise].limits[*limit].tested += u64::from(is_new);
        }
        let mut place = 0;
        for (number, promise) in self.report.promises.iter_mut().enumerate() {
            let limits = place..place + promise.limits.len();
            place = limits.end;
            let is_judged = limits
                .into_iter()
                .all(|place| tested.has(place) && shown.has(place));
            if is_judged && !audit.judged.has(number) {
                audit.judged.set(number);
                let judged = if key.is_probe() {
                    &mut promise.judged_of_probe
                } else {
                    &mut promise.judged
                };
                *judged += 1;
            }
        }
        if !key.is_probe() {
            let asked = audit.quotas.iter().map(QuotaAudit::most_asked).max();
            self.report.most_asked = self.report.most_asked.max(asked.unwrap_or(0));
        }
    }

    /// A request of a key without a limit was blocked.
    pub fn block_unlimited(&mut self, request: &Observation) {
        for promise in 0..self.report.promises.len() {
            self.count_false_block(promise, request, 0);
            self.report.promises[promise].blocks_need = Needed::UNKNOWN;
        }
    }

    /// Takes in a blocked request: what each quota says about it. Returns whether every promise lets it pass.
    pub fn block(&mut self, request: &Observation, blocked: &[Blocked]) -> bool {
        let explains = |kind: &mut KindReport, all| kind.explains &= all;
        rule_out_clocks(&mut self.report, &self.places, &self.clocks, explains);
        let wrongly = blocked.iter().map(|one| one.wrongly);
        let wrongly = wrongly.fold(Flags::default(), Flags::union);
        if wrongly.is_empty() {
            return false;
        }
        let counted = blocked.iter().map(|one| one.counted).max().unwrap_or(0);
        let mut place = 0;
        let mut is_wrong = true;
        for promise in 0..self.report.promises.len() {
            let limits = place..place + self.report.promises[promise].limits.len();
            place = limits.end;
            let is_false = limits.into_iter().all(|place| wrongly.has(place));
            is_wrong &= is_false;
            if is_false {
                self.count_false_block(promise, request, counted);
                let needed = blocked.iter().map(|one| one.needed);
                let one = &mut self.report.promises[promise];
                one.blocks_need = needed
                    .fold(Needed::UNKNOWN, Needed::or)
                    .and(one.blocks_need);
            }
        }
        is_wrong
    }

    fn count_false_block(&mut self, promise: usize, request: &Observation, counted: u64) {
        let one = &mut self.report.promises[promise];
        one.false_blocks += 1;
        if one.false_blocks <= KEPT as u64 {
            self.report.false_blocks.push(FalseBlock {
                promise,
                request: *request,
                counted,
            });
        }
    }

    /// The evidence about windows of one clock, by limit.
    pub fn clocks(&mut self, tier: usize) -> &mut [Option<Box<dyn OneClock>>] {
        &mut self.clocks.0[tier]
    }

    /// What the observations say about the possible causes of a breach.
    pub fn hypotheses(&mut self) -> &mut Hypotheses {
        &mut self.report.hypotheses
    }

    /// The longest time that a request took that was allowed or blocked.
    pub fn longest(&self) -> Nanos {
        self.longest
    }

    /// Takes in what all keys together say about windows of one clock, now that some were ruled out by blocks.
    pub fn take_in_clocks(&mut self) {
        for (place, (promise, limit)) in self.places.iter().enumerate() {
            let limit = &mut self.report.promises[*promise].limits[*limit];
            let about = limit.limit.algorithm.about();
            let kinds = limit.kinds.iter_mut().zip(about.kinds);
            for (one, _) in kinds.filter(|(_, kind)| kind.has_one_clock) {
                for clock in self.clocks.of(place) {
                    one.unseen = one.unseen.max(clock.unseen());
                    one.needed = one.needed.and(clock.needed());
                }
            }
        }
    }

    /// The report if nothing more were looked at.
    pub fn so_far(&self) -> &AuditReport {
        &self.report
    }

    pub fn report(mut self, keys: &KeyAudits, outages: Vec<Outage>) -> AuditReport {
        self.take_in_clocks();
        if self.outside_clocks.is_none() {
            explain_outside_as_all(&mut self.report);
        }
        let report = self.report;
        AuditReport {
            outages,
            keys: keys.count(),
            share: keys.share(),
            window_counts: self.followed.report(),
            early_blocks: self.early_blocks.report(),
            ..report
        }
    }
}

/// No admission was left out so far.
fn explain_outside_as_all(report: &mut AuditReport) {
    let limits = report.promises.iter_mut().flat_map(|one| &mut one.limits);
    for kind in limits.flat_map(|limit| &mut limit.kinds) {
        kind.explains_outside = kind.explains;
    }
}

/// Blocks may have ruled out that one clock lays the windows of all keys. Tells each kind with one clock whether its
/// clocks still explain all.
fn rule_out_clocks(
    report: &mut AuditReport,
    places: &[(usize, usize)],
    clocks: &Clocks,
    tell: impl Fn(&mut KindReport, bool),
) {
    for (place, (promise, limit)) in places.iter().enumerate() {
        let limit = &mut report.promises[*promise].limits[*limit];
        let about = limit.limit.algorithm.about();
        let kinds = limit.kinds.iter_mut().zip(about.kinds);
        for (one, _) in kinds.filter(|(_, kind)| kind.has_one_clock) {
            tell(one, clocks.of(place).all(OneClock::explains));
        }
    }
}

/// Counts one more of a phase.
fn count_in(counts: &mut Vec<u64>, phase: u16) {
    let phase = usize::from(phase);
    if counts.len() <= phase {
        counts.resize(phase + 1, 0);
    }
    counts[phase] += 1;
}
