//! A brute-force audit, straight from the definitions: it looks at the whole history at once, and tries everything.

use loadgen::base::Nanos;
use loadgen::core::audit::{AuditedKey, Decision, Observation, PriorUse, Terms};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A request's time from sent to done, in nanoseconds.
type Interval = (i128, i128);

pub struct Brute<'a> {
    terms: &'a Terms,
    keys: HashMap<AuditedKey, Vec<Observation>>,
    limit: u64,
    window: i128,
    tolerance: i128,
    /// The resolution of the limiter's clocks.
    resolution: i128,
}

impl<'a> Brute<'a> {
    pub fn new(terms: &'a Terms, observations: Vec<Observation>) -> Self {
        let mut keys: HashMap<_, Vec<_>> = HashMap::new();
        for observation in observations {
            keys.entry(observation.key).or_default().push(observation);
        }
        Brute {
            terms,
            keys,
            limit: terms.limit,
            window: terms.window.0.into(),
            tolerance: terms.tolerance().0.into(),
            resolution: (terms.window.0 / 10).min(1_000_000).into(),
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = AuditedKey> {
        self.keys.keys().copied()
    }

    fn in_time(&self, observation: &Observation) -> bool {
        observation.done - observation.sent <= self.terms.timeout
    }

    /// The intervals of a key's requests with these decisions, in the order of their dones.
    fn intervals(&self, key: AuditedKey, decisions: &[Decision]) -> Vec<Interval> {
        let chosen = |o: &&Observation| decisions.contains(&o.decision) && self.in_time(o);
        let chosen = self.keys[&key].iter().filter(chosen);
        let mut all: Vec<_> = chosen.map(interval).collect();
        all.sort_by_key(|&(sent, done)| (done, sent));
        all
    }

    fn allowed(&self, key: AuditedKey) -> Vec<Interval> {
        self.intervals(key, &[Decision::Allowed])
    }

    fn count(&self, fits: impl Fn(AuditedKey) -> bool) -> u64 {
        self.keys().filter(|&key| fits(key)).count() as u64
    }

    /// The most intervals that lie within less than W − ε.
    fn most(&self, all: &[Interval]) -> u64 {
        let from = |&(from, _): &Interval| {
            let end = from + self.window - self.tolerance;
            let inside = |&&(sent, done): &&Interval| from <= sent && done < end;
            all.iter().filter(inside).count() as u64
        };
        all.iter().map(from).max().unwrap_or(0)
    }

    /// The most requests surely admitted within a window's length.
    pub fn at_least(&self, key: AuditedKey) -> u64 {
        self.most(&self.allowed(key))
    }

    pub fn keys_over(&self) -> u64 {
        self.count(|key| matches!(key, AuditedKey::Load(_)) && self.at_least(key) > self.limit)
    }

    /// The number of keys that are over the limit with the requests of these decisions.
    fn over(&self, decisions: &[Decision]) -> u64 {
        self.count(|key| self.most(&self.intervals(key, decisions)) > self.limit)
    }

    pub fn sliding_broken(&self) -> bool {
        self.over(&[Decision::Allowed]) > 0
    }

    /// Whether more than k·L allowed requests of a key lie within less than k·W − ε for any k.
    pub fn sliding_broken_over_any_span(&self) -> bool {
        self.exceeding(&[Decision::Allowed], 0) > 0
    }

    /// Whether more than (k + 1)·L allowed requests of a key lie within less than k·W − ε for any k.
    pub fn windows_exceeded(&self) -> bool {
        self.exceeding(&[Decision::Allowed], 1) > 0
    }

    /// The number of keys with more than (k + `more`)·L requests of these decisions within less than k·W − ε for any k.
    fn exceeding(&self, decisions: &[Decision], more: i128) -> u64 {
        self.count(|key| {
            let all = self.intervals(key, decisions);
            all.iter().any(|&(from, _)| {
                let later = all.iter().filter(|(sent, _)| *sent >= from);
                (1..).zip(later).any(|(count, &(_, to))| {
                    let lasted = to - from;
                    let drifted = lasted + self.resolution + (lasted + 1_999) / 2_000;
                    let windows = drifted / self.window + 1;
                    count > (windows + more) * i128::from(self.limit)
                })
            })
        })
    }

    pub fn sliding_tested(&self) -> u64 {
        self.exceeding(&[Decision::Allowed, Decision::Blocked], 0)
    }

    pub fn sliding_suspect(&self) -> bool {
        self.over(&[Decision::Allowed, Decision::Unanswered]) > 0
    }

    pub fn bucket_broken(&self) -> bool {
        self.overdrawn(&[Decision::Allowed]) > 0
    }

    pub fn bucket_tested(&self) -> u64 {
        self.overdrawn(&[Decision::Allowed, Decision::Blocked])
    }

    pub fn bucket_suspect(&self) -> bool {
        self.overdrawn(&[Decision::Allowed, Decision::Unanswered]) > 0
    }

    /// The number of keys with more than L + (T + 1 ms)·1.0005·L/W requests of these decisions within some T.
    fn overdrawn(&self, decisions: &[Decision]) -> u64 {
        let limit = i128::from(self.limit);
        let too_many = |count: i128, span: i128| {
            let back = (span + self.resolution) * 10_005 * limit;
            (count - limit) * self.window * 10_000 > back
        };
        self.count(|key| {
            // In the order of their dones.
            let all = self.intervals(key, decisions);
            all.iter().any(|(from, _)| {
                let later = all.iter().filter(|(sent, _)| sent >= from);
                (1..)
                    .zip(later)
                    .any(|(count, (_, to))| too_many(count, to - from))
            })
        })
    }

    /// Whether more than 2 L lie within less than W − ε.
    pub fn doubled(&self, key: AuditedKey) -> bool {
        self.at_least(key) > 2 * self.limit
    }

    /// Whether windows that one clock lays for these keys explain them, by admissions alone. Spans of up to so many windows are
    /// tried. Each arc is longer on both sides by `slack`.
    pub fn clock_explains(
        &self,
        keys: impl IntoIterator<Item = AuditedKey>,
        most_windows: i128,
        slack: i128,
    ) -> bool {
        let keys: Vec<_> = keys.into_iter().collect();
        self.clock_leaves(&keys, most_windows, slack, Vec::new())
    }

    /// The same by admissions and blocks.
    pub fn clock_explains_blocks(
        &self,
        keys: impl IntoIterator<Item = AuditedKey>,
        most_windows: i128,
    ) -> bool {
        let keys: Vec<_> = keys.into_iter().collect();
        let room = keys.iter().flat_map(|key| self.without_room(*key));
        let room = room.collect();
        self.clock_leaves(&keys, most_windows, 0, room)
    }

    /// Whether a phase is left. `further` are arcs of phases, each with the instant at which it is known.
    fn clock_leaves(
        &self,
        keys: &[AuditedKey],
        most_windows: i128,
        slack: i128,
        further: Vec<(i128, i128, i128)>,
    ) -> bool {
        let arcs = keys.iter().flat_map(|key| self.arcs(*key, most_windows));
        let mut arcs: Vec<_> = arcs
            .map(|(to, from, windows)| {
                let widened = self.tolerance_over(windows) + slack;
                let last = to + widened - (windows - 1) * self.window;
                (to, from - widened, last)
            })
            .chain(further)
            .collect();
        arcs.sort_unstable();
        let mut left = Circle::whole(self.window);
        let mut last = None;
        for (at, from, to) in arcs {
            left.widen(last.map_or(0, |last| at - last));
            left.meet(from, to);
            last = Some(at);
            if left.is_empty() {
                return false;
            }
        }
        !keys.iter().any(|key| self.doubled(*key))
    }

    /// For each blocked request of a key, the phases of windows that would not have had room for it.
    fn without_room(&self, key: AuditedKey) -> Vec<(i128, i128, i128)> {
        let arc = |blocked: &Observation| {
            let counts = |o: &&Observation| {
                o.sequence != blocked.sequence
                    && o.sent <= blocked.done
                    && o.decision != Decision::Blocked
            };
            // The latest instant at which each may have been counted.
            let latest = |o: &Observation| match o.decision {
                Decision::Allowed if self.in_time(o) => i128::from(o.done.0),
                _ => i128::MAX,
            };
            let mut counted: Vec<_> = self.keys[&key].iter().filter(counts).map(latest).collect();
            counted.sort_unstable();
            let place = counted.len().checked_sub(self.limit as usize)?;
            let tolerance = self.tolerance_over(1);
            let first = counted[place].checked_add(tolerance)?;
            let last = interval(blocked).0 - tolerance;
            let done = i128::from(blocked.done.0);
            (first < last).then_some((done.max(first), last, first + self.window))
        };
        let is_right = |o: &&Observation| self.counted(key, o, false) >= self.limit;
        self.judged(key).filter(is_right).filter_map(arc).collect()
    }

    /// ε of so many windows.
    fn tolerance_over(&self, windows: i128) -> i128 {
        self.tolerance + (self.window * windows + 1_999) / 2_000 - (self.window + 1_999) / 2_000
    }

    /// The spans of m·L + 1 requests that lie within less than m·W − ε, for each m up to `most_windows`, as their ends, their
    /// starts, and m. As many boundaries lie in each.
    fn arcs(&self, key: AuditedKey, most_windows: i128) -> Vec<(i128, i128, i128)> {
        let allowed = self.allowed(key);
        let mut arcs = Vec::new();
        for windows in 1..=most_windows {
            let longest = self.window * windows - self.tolerance_over(windows);
            let others = self.limit as usize * windows as usize;
            for &(from, _) in &allowed {
                // Among the requests sent no earlier, this one's done is the (m·L + 1)th.
                let mut later = allowed.iter().filter(|(sent, _)| *sent >= from);
                if let Some(&(_, to)) = later.nth(others)
                    && to - from < longest
                {
                    arcs.push((to, from, windows));
                }
            }
        }
        arcs
    }

    /// Whether windows opened by admissions explain the key; `None` if it takes too long to tell.
    pub fn opened_explains(&self, key: AuditedKey) -> Option<bool> {
        if self.terms.prior_use == PriorUse::Anyone {
            return Some(!self.doubled(key));
        }
        let unsure = |o: &&Observation| {
            matches!(o.decision, Decision::Unanswered | Decision::Failed) || !self.in_time(o)
        };
        let unseen = self.keys[&key].iter().filter(unsure).map(|o| o.sent).min();
        let unseen = i128::from(unseen.unwrap_or(Nanos::MAX).0);
        let all = self.allowed(key);
        if all.len() > 127 {
            return None;
        }
        let mut search = Search {
            limit: self.limit as usize,
            shortest: self.window - self.tolerance,
            longest: self.window + self.tolerance,
            failed: HashSet::new(),
            patience: 20_000,
            unseen,
            all,
        };
        let everything = (1u128 << search.all.len()) - 1;
        let found = search.explains(everything, i128::MIN / 4);
        if found {
            Some(!self.doubled(key))
        } else {
            (search.patience > 0).then_some(false)
        }
    }

    fn counted(&self, key: AuditedKey, judged: &Observation, blocked_too: bool) -> u64 {
        let from = interval(judged).0 - self.window - self.tolerance;
        let counts = |o: &&Observation| {
            let reaches = i128::from(o.done.0) >= from || !self.in_time(o);
            o.sequence != judged.sequence
                && o.sent <= judged.done
                && match o.decision {
                    Decision::Allowed => reaches,
                    Decision::Blocked => blocked_too && reaches,
                    Decision::Unanswered | Decision::Failed => true,
                }
        };
        self.keys[&key].iter().filter(counts).count() as u64
    }

    fn judged(&self, key: AuditedKey) -> impl Iterator<Item = &Observation> {
        let others = self.terms.prior_use == PriorUse::Anyone;
        self.keys[&key]
            .iter()
            .filter(move |o| o.decision == Decision::Blocked && self.in_time(o) && !others)
    }

    /// The sequence numbers of requests blocked though fewer than the limit can have counted, in a sliding or fixed window.
    pub fn falsely_blocked(&self) -> HashSet<u64> {
        let of_key = |key| {
            let judged = self.judged(key);
            judged.filter(move |o| self.counted(key, o, false) < self.limit)
        };
        self.keys().flat_map(of_key).map(|o| o.sequence).collect()
    }

    /// Whether no request was wrongly blocked if blocked requests count too.
    pub fn blocked_count(&self) -> bool {
        let blocked = self.falsely_blocked();
        self.keys().all(|key| {
            let mut judged = self.judged(key);
            judged
                .all(|o| !blocked.contains(&o.sequence) || self.counted(key, o, true) >= self.limit)
        })
    }

    /// The requests blocked by a bucket though it had a token. The definition leaves a little open: `sternly` finds as many
    /// as it allows, and otherwise as few.
    pub fn falsely_dry(&self, sternly: bool) -> HashSet<u64> {
        let of_key = |key| {
            self.judged(key)
                .filter(move |o| self.had_token(key, o, sternly))
        };
        self.keys().flat_map(of_key).map(|o| o.sequence).collect()
    }

    /// Counts the tokens that are missing from a full bucket.
    fn had_token(&self, key: AuditedKey, judged: &Observation, sternly: bool) -> bool {
        let (at, limit, window) = (judged.sent.0 as f64, self.limit as f64, self.window as f64);
        let rate = 0.99 * limit / window;
        let takes = |o: &&Observation| {
            o.sequence != judged.sequence
                && o.sent <= judged.done
                && o.decision != Decision::Blocked
        };
        let latest = |o: &Observation| match o.decision {
            Decision::Allowed if self.in_time(o) => (o.done.0 as f64).min(at),
            _ => at,
        };
        let mut taken: Vec<_> = self.keys[&key].iter().filter(takes).map(latest).collect();
        taken.sort_by(f64::total_cmp);
        let (mut missing, mut last) = match self.terms.prior_use {
            PriorUse::None => (0.0, 0.0),
            _ => (limit, 0.0),
        };
        // If tokens were taken after this request was sent, the audit may assume that more are gone than necessary.
        let pending = self.keys[&key]
            .iter()
            .filter(takes)
            .any(|o| o.done > judged.sent);
        let untouched = taken.is_empty() && missing == 0.0;
        for take in taken {
            missing = f64::max(missing - (take - last) * rate, 0.0) + 1.0;
            if sternly {
                missing = missing.min(limit);
            }
            last = take;
        }
        // The result may be more than a full bucket holds, since the clocks may have been slow.
        missing -= (at - last) * rate;
        let (rate, hair) = if sternly {
            (rate, -1e-6)
        } else {
            (1.0005 * limit / window, 1e-6)
        };
        let spare = (self.resolution + self.tolerance) as f64 * rate + hair;
        let sure = sternly || !pending;
        sure && (untouched || limit - missing >= 1.0 + spare)
    }

    /// The most requests of a key of the load that surely lie within less than W − ε if each blocked one had taken as long as the latest admitted
    /// one of its key, or of any key.
    pub fn most_asked(&self) -> u64 {
        let mut answered: Vec<_> = self.keys.values().flatten().collect();
        answered.sort_by_key(|o| (o.done, o.sequence));
        let (mut of_any, mut of_key) = (0, HashMap::new());
        let mut asked: HashMap<_, Vec<Interval>> = HashMap::new();
        for o in answered {
            let (sent, done) = interval(o);
            match o.decision {
                Decision::Allowed => {
                    of_any = done - sent;
                    of_key.insert(o.key, of_any);
                    asked.entry(o.key).or_default().push((sent, done));
                }
                Decision::Blocked => {
                    let as_admitted = of_key.get(&o.key).copied().unwrap_or(of_any);
                    let done = done.max(sent + as_admitted);
                    asked.entry(o.key).or_default().push((sent, done));
                }
                Decision::Unanswered | Decision::Failed => {}
            }
        }
        asked.retain(|key, _| matches!(key, AuditedKey::Load(_)));
        asked.values().map(|all| self.most(all)).max().unwrap_or(0)
    }
}

fn interval(observation: &Observation) -> Interval {
    (observation.sent.0.into(), observation.done.0.into())
}

/// The phases that are left, on a circle as long as the window. Lengths are in two-thousandths of nanoseconds, so that a
/// nanosecond's drift is one.
struct Circle {
    length: i128,
    arcs: Vec<(i128, i128)>,
}

impl Circle {
    fn whole(window: i128) -> Self {
        let length = window * 2_000;
        Circle {
            length,
            arcs: vec![(0, length)],
        }
    }

    fn is_empty(&self) -> bool {
        self.arcs.is_empty()
    }

    fn widen(&mut self, drift: i128) {
        let arcs = std::mem::take(&mut self.arcs);
        for (from, to) in arcs {
            let pieces = self.pieces(from - drift, to + drift);
            self.arcs.extend(pieces);
        }
    }

    fn meet(&mut self, from: i128, to: i128) {
        let pieces = self.pieces(from * 2_000, to * 2_000);
        let met = |&(a, b): &(i128, i128)| {
            let both = pieces.iter().map(move |&(c, d)| (a.max(c), b.min(d)));
            both.filter(|(from, to)| from <= to).collect::<Vec<_>>()
        };
        let mut arcs: Vec<_> = self.arcs.iter().flat_map(met).collect();
        arcs.sort_unstable();
        arcs.dedup();
        self.arcs = arcs;
    }

    /// The parts of an arc, cut where the circle begins.
    fn pieces(&self, from: i128, to: i128) -> Vec<(i128, i128)> {
        if to - from >= self.length {
            return vec![(0, self.length)];
        }
        let start = from.rem_euclid(self.length);
        let end = start + (to - from);
        // The circle's first point is its last.
        if end >= self.length {
            vec![(start, self.length), (0, end - self.length)]
        } else if start == 0 {
            vec![(0, end), (self.length, self.length)]
        } else {
            vec![(start, end)]
        }
    }
}

/// Searches for windows opened by admissions, and a choice of decisions, that explain all requests. A window that opens at
/// o ends at some instant from o + W − ε to o + W + ε. The next admission opens the next one.
struct Search {
    limit: usize,
    shortest: i128,
    longest: i128,
    failed: HashSet<(u128, i128)>,
    /// How many more choices are tried.
    patience: u32,
    /// From then on, a request whose answer is not known may open windows.
    unseen: i128,
    all: Vec<Interval>,
}

impl Search {
    fn members(&self, set: u128) -> impl Iterator<Item = usize> {
        (0..self.all.len()).filter(move |i| set & (1 << i) != 0)
    }

    /// Whether windows explain the set if the first opens at `low` or later.
    fn explains(&mut self, set: u128, low: i128) -> bool {
        // Windows that are opened unseen may explain whatever is decided later.
        let unseen = low.max(self.unseen);
        if self.members(set).all(|i| self.all[i].1 >= unseen) {
            return true;
        }
        // All requests of the set are admitted in this window or later ones.
        let last = self.members(set).map(|i| self.all[i].1).min().expect("one");
        if last < low || self.patience == 0 || !self.failed.insert((set, low)) {
            return false;
        }
        // It is enough to try the instants before which it can't open: the end of the window before, the sent of the request
        // that opens it, and the earliest opening that still holds its last request.
        let sents = self.members(set).map(|i| self.all[i].0);
        let reasons = sents.flat_map(|sent| [sent, sent - self.longest]);
        let openings: BTreeSet<_> = reasons.chain([low]).collect();
        openings.range(low..=last).any(|&opening| {
            let opens = |&i: &usize| self.all[i].0 <= opening;
            let openers: Vec<_> = self.members(set).filter(opens).collect();
            !openers.is_empty() && self.fills(set, opening, &openers)
        })
    }

    /// Whether the set is explained with a window that opens at `opening`, by one of the openers if there are any.
    fn fills(&mut self, set: u128, opening: i128, openers: &[usize]) -> bool {
        let (mut forced, mut optional) = (0u128, Vec::new());
        for i in self.members(set) {
            match self.all[i] {
                (_, done) if done < opening + self.shortest => forced |= 1 << i,
                (sent, _) if sent <= opening + self.longest => optional.push(i),
                _ => {}
            }
        }
        self.chooses(set, opening, openers, forced, &optional)
    }

    fn chooses(
        &mut self,
        set: u128,
        opening: i128,
        openers: &[usize],
        chosen: u128,
        optional: &[usize],
    ) -> bool {
        if chosen.count_ones() as usize > self.limit || self.patience == 0 {
            return false;
        }
        self.patience -= 1;
        if let [first, rest @ ..] = optional {
            return self.chooses(set, opening, openers, chosen | 1 << first, rest)
                || self.chooses(set, opening, openers, chosen, rest);
        }
        if !openers.is_empty() && !openers.iter().any(|i| chosen & (1 << i) != 0) {
            return false;
        }
        let sents = self.members(chosen).map(|i| self.all[i].0);
        let low = sents.chain([opening + self.shortest]).max().expect("one");
        self.explains(set & !chosen, low)
    }
}
