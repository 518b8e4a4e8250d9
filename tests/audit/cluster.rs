//! A cluster in virtual time: the arrivals of requests, their latencies, the limiter's clocks, the failures on the way,
//! and the order in which a reporter hears of it all.

use super::limiters::{Algorithm, Fault, Limiter, Measure, faulty, of_keys};
use loadgen::base::{KeyId, Nanos};
use loadgen::core::audit::{
    Allowance, AuditReport, AuditedKey, Auditor, Decision, Observation, PriorUse, Promise, Quota,
    Terms, Tier, Tiers,
};
use proptest::bool::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashMap;
use std::fmt;

pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// About the limiter's time at the run's start.
const ORIGIN: i128 = 1_000_000_000_000_000_000;

/// Everything that chance decides. Smaller numbers mean simpler histories, so that failures shrink.
#[derive(Debug, Clone)]
pub struct World {
    pub limit: u64,
    pub window: u64,
    pub nodes: usize,
    pub keys: usize,
    /// Whether the last key is the probe's.
    pub probe: bool,
    pub prior_use: PriorUse,
    pub arrivals: Arrivals,
    /// The requests of each key per window, as a multiple of the limit.
    pub asked: f64,
    pub before: Latency,
    pub after: Latency,
    pub timeout: u64,
    /// Whether answers may still come a little after the timeout.
    pub patient: bool,
    pub trouble: bool,
    pub clock: Clock,
    /// How much longer the answers of admitted requests take, in windows.
    pub slow: f64,
    /// The excess tolerance that the audit grants.
    pub excess: f64,
    /// The units that one request counts.
    pub cost: u64,
    /// The keys of the load have these tiers in turn, if there are any.
    pub tiers: Vec<Tier>,
    /// The time between two of the reporter's batches.
    pub batch: u64,
    pub requests: Vec<Draw>,
}

#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    AtOnce,
    Steady,
    Random,
    Bursts,
    Gaps,
    /// From shortly before the end of one window into the next.
    Edges,
    /// At the distances that decide whether two requests are in one window, or a nanosecond off.
    Exact,
}

#[derive(Debug, Clone, Copy)]
pub enum Latency {
    Zero,
    Constant,
    Uniform,
    /// Up to five windows.
    Heavy,
}

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// As a share of the window.
    pub phase: u16,
    pub millionths: i32,
    pub kind: ClockKind,
    /// How far apart the nodes' clocks are, as a share of the window. The audit grants as much.
    pub apart: f64,
}

#[derive(Debug, Clone, Copy)]
pub enum ClockKind {
    Fine,
    /// In whole milliseconds, or tenths of the window if those are less.
    Ticks,
    /// Each node's clock is off by a little.
    Skewed,
}

/// The random numbers of one request.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    pub gap: u16,
    pub key: u8,
    pub node: u8,
    pub before: u16,
    pub after: u16,
    pub ending: u8,
    /// The time until the reporter hears of it.
    pub delay: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Answered,
    /// Decided about, but the answer is lost.
    CutOff,
    /// Never decided about.
    Lost,
    FailedAndCounted,
    Failed,
    /// The request is somebody else's.
    Unseen,
}

/// A request, and the truth about it.
#[derive(Debug, Clone, Copy)]
struct Request {
    key: usize,
    node: usize,
    sent: u64,
    decided: u64,
    answered: u64,
    ending: Ending,
    delay: u8,
}

/// The observations for the audit, and the truth.
#[derive(Clone)]
pub struct History {
    pub terms: Terms,
    /// Each batch of observations, and the watermark after it.
    pub batches: Vec<(Vec<Observation>, Nanos)>,
    /// The instants at which the run's requests were admitted, in order.
    pub admitted: HashMap<AuditedKey, Vec<u64>>,
}

fn share(draw: u16) -> f64 {
    f64::from(draw) / 65_536.0
}

impl Latency {
    fn of(self, draw: u16, window: u64) -> u64 {
        let (window, share) = (window as f64, share(draw));
        let latency = match self {
            Latency::Zero => 0.0,
            Latency::Constant => window / 100.0,
            Latency::Uniform => window / 20.0 * share,
            Latency::Heavy => {
                let tail = window / 200.0 * ((1.0 - share).powf(-1.5) - 1.0);
                tail.min(5.0 * window)
            }
        };
        latency as u64
    }
}

impl World {
    pub fn terms(&self) -> Terms {
        Terms {
            timeout: Nanos(self.timeout),
            prior_use: self.prior_use,
            clock_tolerance: Nanos((self.clock.apart * self.window as f64) as u64),
            excess_tolerance: self.excess,
            cost: self.cost,
            tiers: Tiers {
                all: self.tiers.clone().into(),
                of_key: (0..self.keys).map(|key| self.tier(key)).collect(),
            },
            ..Terms::of_all_promises(self.limit, Nanos(self.window), self.nodes)
        }
    }

    /// One more than the place of a key's tier; 0 if it has none.
    fn tier(&self, key: usize) -> u16 {
        let is_probe = self.probe && key + 1 == self.keys;
        match self.tiers.len() {
            0 => 0,
            _ if is_probe => 0,
            tiers => (key % tiers + 1) as u16,
        }
    }

    /// How much a right limiter with this quota admits of a key; `None` if the key is unlimited.
    pub fn measure(&self, key: usize, quota: Quota) -> Option<Measure> {
        let place = usize::from(self.tier(key)).checked_sub(1);
        let tier = place.map_or(
            Tier {
                allowance: Allowance::Promised,
                cost: self.cost,
            },
            |place| self.tiers[place],
        );
        let quota = match tier.allowance {
            Allowance::Promised => quota,
            Allowance::Own(own) => own,
            Allowance::Unlimited => return None,
        };
        Some(Measure {
            limit: quota.limit,
            window: quota.window.0,
            burst: quota.burst,
            cost: tier.cost,
        })
    }

    /// What a limiter does that holds each key to all of these limits.
    pub fn play_limits(&self, limits: &[(Algorithm, Quota)]) -> History {
        let of_key = |key| {
            let measured = limits.iter().filter_map(move |(algorithm, quota)| {
                Some((*algorithm, self.measure(key, *quota)?))
            });
            measured.collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..self.keys).map(of_key).collect();
        self.play_with(of_keys(move |key| all[key].clone()))
    }

    fn next(&self, now: u64, draw: u16) -> u64 {
        let (window, x) = (self.window, share(draw));
        let pace = window as f64 / (self.limit as f64 * self.keys as f64 * self.asked);
        // Goes from 0 to 1 in the last part of the draws.
        let beyond = |from: f64| (x - from) / (1.0 - from);
        let span = |share: f64| (window as f64 * share) as u64;
        let gap = match self.arrivals {
            Arrivals::AtOnce if x > 0.97 => span(1.0 + beyond(0.97)),
            Arrivals::AtOnce => 0,
            Arrivals::Steady => pace as u64,
            Arrivals::Random => (2.0 * x * pace) as u64,
            Arrivals::Bursts if x > 0.95 => span(1.5 * beyond(0.95)),
            Arrivals::Bursts => (0.1 * x * pace) as u64,
            Arrivals::Gaps if x > 0.9 => span(3.0 * beyond(0.9)),
            Arrivals::Gaps => (2.0 * x * pace) as u64,
            Arrivals::Edges if x > 0.85 => {
                let left = window - (now + self.clock.start(window) as u64) % window;
                left.checked_sub(span(0.03 * beyond(0.85))).unwrap_or(left)
            }
            Arrivals::Edges => (0.1 * x * pace) as u64,
            Arrivals::Exact => {
                let tolerance = self.terms().tolerance().0;
                let gaps = [
                    0,
                    1,
                    window / self.limit,
                    window - tolerance,
                    window - tolerance - 1,
                    window - tolerance + 1,
                    window,
                    window + tolerance,
                    window + tolerance - 1,
                    window + tolerance + 1,
                    tolerance,
                    2 * tolerance,
                    window / 2,
                ];
                if x > 0.7 {
                    gaps[draw as usize % gaps.len()]
                } else {
                    0
                }
            }
        };
        now + gap
    }

    fn ending(&self, draw: u8) -> Ending {
        match draw {
            _ if self.prior_use == PriorUse::Anyone && draw.is_multiple_of(4) && draw > 0 => {
                Ending::Unseen
            }
            _ if !self.trouble => Ending::Answered,
            0..190 => Ending::Answered,
            190..215 => Ending::CutOff,
            215..230 => Ending::Lost,
            230..245 => Ending::FailedAndCounted,
            _ => Ending::Failed,
        }
    }

    fn requests(&self) -> Vec<Request> {
        let mut sent = 0;
        let one = |draw: &Draw| {
            sent = self.next(sent, draw.gap);
            let before = self.before.of(draw.before, self.window);
            let after = self.after.of(draw.after, self.window);
            let ending = self.ending(draw.ending);
            // A gateway may give up before the limiter decides.
            let early = ending == Ending::CutOff || ending == Ending::FailedAndCounted;
            Request {
                key: draw.key as usize % self.keys,
                node: draw.node as usize % self.nodes,
                sent,
                decided: sent + before,
                answered: sent + after + if early { 0 } else { before },
                ending,
                delay: draw.delay,
            }
        };
        self.requests.iter().map(one).collect()
    }

    fn key(&self, key: usize) -> AuditedKey {
        if self.probe && key + 1 == self.keys {
            AuditedKey::Probe(key as u32)
        } else {
            AuditedKey::Load(KeyId(key as u32))
        }
    }

    pub fn play(&self, algorithm: Algorithm, fault: Fault) -> History {
        let (limit, window) = (self.limit, self.window);
        let origin = self.clock.says(0, 0, window);
        self.play_with(faulty(algorithm, fault, limit, window, origin))
    }

    pub fn play_with(&self, mut limiter: Limiter) -> History {
        let window = self.window;
        let requests = self.requests();
        let mut order: Vec<_> = (0..requests.len()).collect();
        order.sort_by_key(|&i| requests[i].decided);
        let mut history = History {
            terms: self.terms(),
            batches: Vec::new(),
            admitted: HashMap::new(),
        };
        let mut seen = Vec::new();
        for i in order {
            let request = &requests[i];
            let asked = !matches!(request.ending, Ending::Lost | Ending::Failed);
            let admitted = asked && {
                let now = request.decided.into();
                let at = self.clock.says(now, request.node, window);
                limiter(request.key, request.node, at)
            };
            if let Some(observation) = self.observe(i, request, admitted) {
                if admitted && request.ending != Ending::FailedAndCounted {
                    let instants = history.admitted.entry(observation.key).or_default();
                    instants.push(request.decided);
                }
                let delay = (u64::from(request.delay).pow(2) * (window / 200)) >> 10;
                seen.push((observation.done.0 + delay, observation));
            }
        }
        history.batches = in_batches(seen, self.batch);
        history
    }

    fn observe(&self, i: usize, request: &Request, admitted: bool) -> Option<Observation> {
        let longest = self.timeout * if self.patient { 2 } else { 1 };
        let slow = if admitted { self.slow } else { 0.0 };
        let answered = request.answered + (slow * self.window as f64) as u64;
        let in_time = answered - request.sent <= longest;
        let decision = match request.ending {
            Ending::Unseen => return None,
            Ending::Answered if in_time && admitted => Decision::Allowed,
            Ending::Answered if in_time => Decision::Blocked,
            Ending::FailedAndCounted | Ending::Failed if in_time => Decision::Failed,
            _ => Decision::Unanswered,
        };
        Some(Observation {
            key: self.key(request.key),
            sequence: i as u64,
            target: request.node as u32,
            node: request.node as u32,
            sent: Nanos(request.sent),
            done: Nanos(if in_time && request.ending != Ending::Lost {
                answered
            } else {
                request.sent + self.timeout
            }),
            decision,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        })
    }
}

/// Makes batches as the reporter does: at regular times, all observations so far, in any order. Each watermark is no later
/// than any later observation's sent.
pub fn in_batches(mut seen: Vec<(u64, Observation)>, apart: u64) -> Vec<(Vec<Observation>, Nanos)> {
    let scattered = |sequence: u64| sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20);
    seen.sort_by_key(|(heard, observation)| (*heard, scattered(observation.sequence)));
    // The least sent of all later observations.
    let mut least = vec![u64::MAX; seen.len() + 1];
    for i in (0..seen.len()).rev() {
        least[i] = least[i + 1].min(seen[i].1.sent.0);
    }
    let mut batches = Vec::new();
    let mut from = 0;
    while from < seen.len() {
        let now = (seen[from].0 / apart + 1) * apart;
        let to = seen.partition_point(|(heard, _)| *heard <= now);
        let mut batch: Vec<_> = seen[from..to].iter().map(|(_, seen)| *seen).collect();
        batch.sort_by_key(|observation| scattered(observation.sequence));
        batches.push((batch, Nanos(now.min(least[to]))));
        from = to;
    }
    batches
}

impl Clock {
    fn start(&self, window: u64) -> i128 {
        (share(self.phase) * window as f64) as i128
    }

    fn says(&self, now: i128, node: usize, window: u64) -> i128 {
        let unit = i128::from(MILLISECOND.min(window / 10));
        // A whole number of windows does not change their phases.
        let origin = ORIGIN / i128::from(window) * i128::from(window);
        let drifted = now + now * i128::from(self.millionths) / 1_000_000;
        let at = origin + self.start(window) + drifted;
        let share = self.apart * [0.0, 1.0, 0.3, 0.8][node % 4];
        let at = at + (share * window as f64) as i128;
        match self.kind {
            ClockKind::Fine => at,
            ClockKind::Ticks => at.div_euclid(unit) * unit,
            ClockKind::Skewed => at + unit * [0, 4, -4, 2][node % 4] / 10,
        }
    }
}

/// Shows a line for each request, in the order in which the audit hears of them.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.terms)?;
        for (batch, watermark) in &self.batches {
            for o in batch {
                let (sent, done) = (o.sent.0, o.done.0);
                write!(
                    f,
                    "{:>4} {:?} at {}: {sent} to {done}",
                    o.sequence, o.key, o.node
                )?;
                writeln!(f, ", {:?}", o.decision)?;
            }
            writeln!(f, "     watermark {}", watermark.0)?;
        }
        Ok(())
    }
}

impl History {
    pub fn observations(&self) -> Vec<Observation> {
        self.batches.iter().flat_map(|(b, _)| b).copied().collect()
    }

    pub fn audit(&self) -> AuditReport {
        self.audit_by("auto")
    }

    pub fn audit_by(&self, promise: &str) -> AuditReport {
        let quota = Quota::new(self.terms.limit, self.terms.window);
        self.audit_of(Promise::alternatives(promise, quota).expect("a promise"))
    }

    pub fn audit_of(&self, promises: Vec<Promise>) -> AuditReport {
        let mut audit = Auditor::new(Terms {
            promises,
            ..self.terms.clone()
        });
        for (batch, watermark) in &self.batches {
            for observation in batch {
                audit.add(*observation);
            }
            audit.advance(*watermark);
        }
        audit.finish()
    }

    /// The true number of a key's admissions within a window's length.
    pub fn peak(&self, key: AuditedKey) -> u64 {
        let instants = self.admitted.get(&key).map_or(&[][..], |all| all);
        let window = self.terms.window.0;
        let within = |(i, from): (usize, &u64)| {
            let later = instants[i..].iter();
            later.take_while(|&&at| at - from < window).count() as u64
        };
        instants.iter().enumerate().map(within).max().unwrap_or(0)
    }
}

fn window() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(SECOND),
        1 => Just(60 * SECOND),
        1 => Just(10 * MILLISECOND),
        1 => Just(2 * MILLISECOND),
        1 => Just(1_234_567_891),
        1 => Just(3600 * SECOND),
    ]
}

fn latency() -> impl Strategy<Value = Latency> {
    use Latency::{Constant, Heavy, Uniform, Zero};
    select(&[Zero, Constant, Uniform, Heavy][..])
}

prop_compose! {
    fn clock()(
        phase: u16,
        millionths in prop_oneof![Just(0), Just(400), Just(-400), -400..=400],
        kind in select(&[ClockKind::Fine, ClockKind::Ticks, ClockKind::Skewed][..]),
    ) -> Clock {
        Clock { phase, millionths, kind, apart: 0.0 }
    }
}

prop_compose! {
    fn draw()(gap: u16, key: u8, node: u8, before: u16, after: u16, ending: u8, delay: u8) -> Draw {
        Draw { gap, key, node, before, after, ending, delay: delay.saturating_sub(100) }
    }
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    use Arrivals::{AtOnce, Bursts, Edges, Exact, Gaps, Random, Steady};
    select(&[AtOnce, Steady, Random, Bursts, Gaps, Edges, Exact][..])
}

prop_compose! {
    /// A world of at most so many requests.
    pub fn world(requests: usize)(
        limit in prop_oneof![3 => 1u64..=3, 3 => 1u64..=6, 2 => 1u64..=12, 1 => 1u64..=40],
        window in window(),
        (nodes, keys) in (1usize..=4, 1usize..=5),
        prior_use in select(&[PriorUse::None, PriorUse::Anyone][..]),
        arrivals in arrivals(),
        asked in select(&[1.5, 0.7, 3.0, 10.0][..]),
        timeout in select(&[5.5, 2.0, 0.5, 0.05][..]),
        batch in select(&[0.1, 0.02, 3.0][..]),
        (before, after, clock) in (latency(), latency(), clock()),
        (patient, trouble, probe) in (any::<bool>(), weighted(0.4), weighted(0.2)),
        requests in prop::collection::vec(draw(), 1..=requests),
    ) -> World {
        World {
            limit,
            window,
            nodes,
            keys,
            probe,
            prior_use,
            arrivals,
            asked,
            before,
            after,
            timeout: (window as f64 * timeout) as u64,
            patient,
            trouble,
            clock,
            slow: 0.0,
            excess: 0.0,
            cost: 1,
            tiers: Vec::new(),
            batch: (window as f64 * batch) as u64,
            requests,
        }
    }
}

prop_compose! {
    /// A limit of its own, unlike that of others. The ticks of the clock are too long for shorter windows.
    pub fn quota(window: u64)(
        limit in 1u64..=12,
        burst in 1u64..=12,
        part in select(&[1.0, 1.3, 2.0, 5.0][..]),
    ) -> Quota {
        let window = Nanos((window as f64 * part) as u64);
        Quota { limit, window, burst }
    }
}

prop_compose! {
    fn tier(window: u64)(
        own in quota(window),
        kind in 0..4,
        cost in 1u64..=3,
    ) -> Tier {
        let allowance = match kind {
            0 => Allowance::Promised,
            1 => Allowance::Unlimited,
            _ => Allowance::Own(own),
        };
        Tier { allowance, cost }
    }
}

/// A world whose keys have tiers, and whose requests have costs.
pub fn world_of_tiers(requests: usize) -> impl Strategy<Value = World> {
    world(requests).prop_flat_map(|world| {
        let tiers = prop::collection::vec(tier(world.window), 0..=3);
        (Just(world), tiers, 1u64..=3).prop_map(|(mut world, tiers, cost)| {
            (world.tiers, world.cost) = (tiers, cost);
            world
        })
    })
}
