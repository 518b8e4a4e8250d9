//! What an audit found, in words and as data.

use super::{Audit, AuditVerdict, ByNode, Finding, KeyAdmitted, Peak, Standing, StandingPromise};
use crate::base::text::span;
use crate::base::{KeyId, Nanos, Target};
use crate::core::audit::probe::{Checked, HeaderFault, ProbeReport};
use crate::core::audit::{
    AdmissionSpan, AuditReport, AuditedKey, FalseBlock, Promise, PromiseReport, Verdict, Why,
};
use crate::core::plan::Plan;
use crate::core::request::Placeholder;
use crate::core::stats::Results;

/// How many of a window's requests are named in words.
const NAMED: usize = 3;

impl Audit {
    /// Of a run that was audited.
    pub fn of(plan: &Plan, results: &Results, targets: &[Target]) -> Option<Audit> {
        let by_key = plan.form.has(Placeholder::Key);
        let probes = plan.keys.for_a_probe(plan.seed);
        let name = |key| match key {
            AuditedKey::Load(id) if by_key => plan.keys.name(id),
            AuditedKey::Load(_) => "the requests' one key".to_owned(),
            AuditedKey::Probe(number) => probes.name(KeyId(number)),
        };
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let found = Found {
            report: results.audit.as_ref()?,
            probe: results.probe.as_ref(),
            failed: results.ledger().failed,
            schedule_kept: results.verdict.schedule_kept(),
            targets: &targets,
            keys: if by_key { plan.keys.count() } else { Some(1) },
            name: &name,
        };
        Some(found.audit())
    }
}

struct Found<'a> {
    report: &'a AuditReport,
    probe: Option<&'a ProbeReport>,
    /// Requests of the run's that failed.
    failed: u64,
    schedule_kept: bool,
    targets: &'a [String],
    keys: Option<u32>,
    name: &'a dyn Fn(AuditedKey) -> String,
}

impl Found<'_> {
    fn audit(&self) -> Audit {
        let report = self.report;
        Audit {
            verdict: self.verdict(),
            statement: self.statement(),
            limit: report.terms.limit,
            window_ns: report.terms.window.0,
            peak: report.peak.map(|peak| Peak {
                key: (self.name)(peak.key),
                at_least: peak.at_least,
                at_most: peak.at_most,
            }),
            keys: report.keys,
            share: report.share,
            keys_over: report.keys_over,
            promises: report
                .promises
                .iter()
                .map(|judged| self.promise(judged))
                .collect(),
            probe: self.probe.map(|probe| self.probed(probe)),
            findings: self.findings(),
            by_node: self.by_node(),
            signs: self.signs(),
            remarks: self
                .probe
                .iter()
                .flat_map(|probe| &probe.remarks)
                .map(|remark| remark.say().to_owned())
                .collect(),
        }
    }

    fn verdict(&self) -> AuditVerdict {
        match self.report.verdict(self.schedule_kept) {
            Verdict::Kept => AuditVerdict::Kept,
            Verdict::Broken => AuditVerdict::Broken,
            Verdict::Suspect => AuditVerdict::Suspect,
            Verdict::Inconclusive(_) => AuditVerdict::Inconclusive,
        }
    }

    /// `100 in 60s`.
    fn promised(&self) -> String {
        let terms = &self.report.terms;
        format!("{} in {}", terms.limit, terms.window)
    }

    fn statement(&self) -> String {
        let report = self.report;
        let promised = self.promised();
        let of = |chosen: &dyn Fn(&PromiseReport) -> bool| {
            let judged = report.promises.iter().filter(|judged| chosen(judged));
            let names: Vec<_> = judged.map(|judged| words(judged.promise)).collect();
            listed(&names)
        };
        match report.verdict(self.schedule_kept) {
            Verdict::Kept => {
                let said = match self.probe.map_or(0, |probe| probe.faults.len()) {
                    0 => "",
                    _ => " What it says in headers is not right.",
                };
                let kept =
                    of(&|judged| !judged.is_broken() && judged.tested > 0 && !judged.suspect);
                let not = match of(&PromiseReport::is_broken) {
                    none if none.is_empty() => String::new(),
                    some => format!("; it is not {some}"),
                };
                format!("What was seen is what {kept} of {promised} does{not}.{said}")
            }
            Verdict::Broken => {
                let any = of(&|_| true);
                match self.is_exceeded() {
                    true => {
                        format!("More was admitted than {any} of {promised} lets pass.")
                    }
                    false => {
                        format!("Requests were blocked that {any} of {promised} lets pass.")
                    }
                }
            }
            Verdict::Suspect => format!(
                "The limit of {promised} was exceeded if requests that were not answered were admitted, of which \
                 there are {}; else it was kept.",
                report.unanswered
            ),
            Verdict::Inconclusive(Why::ScheduleNotKept) => format!(
                "Nothing shows that the limit of {promised} was broken, but the generator did not keep its \
                 own schedule."
            ),
            Verdict::Inconclusive(Why::NotTested) => format!(
                "A limiter that admits everything would have looked the same: {}",
                self.advice()
            ),
        }
    }

    /// What run would tell.
    fn advice(&self) -> String {
        let report = self.report;
        let terms = &report.terms;
        let asked = report.most_asked;
        let window = terms.window;
        let seen = match asked {
            0 => return "no request was allowed or blocked.".to_owned(),
            1 => format!("no key was asked for more than once within {window}."),
            _ => format!("no key was asked for more than {asked} times within {window}."),
        };
        if self.failed * 2 > report.observed {
            return format!("most requests failed, {} of them.", self.failed);
        }
        let Some(keys) = self.keys else {
            return format!("{seen} Give --keys, so that requests share keys.");
        };
        let standing = report.promises.iter().filter(|judged| !judged.is_broken());
        let beyond = standing.map(|judged| match judged.promise {
            Promise::SlidingWindow => terms.limit,
            Promise::FixedWindow | Promise::TokenBucket => terms.limit.saturating_mul(2),
        });
        let beyond = beyond.max().unwrap_or(terms.limit);
        // A tenth more, since a window is never met exactly.
        let needed = f64::from(keys) * beyond.saturating_add(1) as f64 * 1.1;
        let rps = (needed / window.as_secs_f64()).ceil();
        format!("{seen} A run of {window} or longer with --rps {rps} would tell.")
    }

    fn promise(&self, judged: &PromiseReport) -> StandingPromise {
        let standing = match judged {
            _ if judged.is_broken() => Standing::Broken,
            PromiseReport { suspect: true, .. } => Standing::Suspect,
            PromiseReport { tested: 0, .. } => Standing::NotTested,
            _ => Standing::Kept,
        };
        StandingPromise {
            promise: judged.promise.name().to_owned(),
            standing,
            statement: self.standing(judged),
        }
    }

    /// What a promise's row says.
    fn standing(&self, judged: &PromiseReport) -> String {
        let report = self.report;
        let window = report.terms.window;
        let mut reasons = Vec::new();
        if let Some(proof) = &judged.excess {
            let admitted = proof.window.admitted;
            let within = span(proof.window.to.saturating_sub(proof.window.from));
            reasons.push(match judged.promise {
                Promise::FixedWindow => format!(
                    "no windows of {window} explain what was admitted, after {} requests",
                    proof.after
                ),
                _ => format!(
                    "{admitted} admitted within {within}, where {} are promised, after {} requests",
                    proof.promised, proof.after
                ),
            });
        }
        if judged.false_blocks > 0 {
            let blocked: u64 = report.blocked.iter().sum();
            let falsely = judged.false_blocks;
            reasons.push(format!(
                "{falsely} of {blocked} blocked requests should have passed"
            ));
        }
        if !reasons.is_empty() {
            // Of several promises, that one is broken says no more than which limiter this is not.
            let word = if report.promises.len() == 1 {
                "broken"
            } else {
                "ruled out"
            };
            return format!("{word}: {}", reasons.join("; "));
        }
        let kind = match (
            judged.promise,
            judged.clock_explains,
            judged.opened_explains,
        ) {
            (Promise::FixedWindow, true, false) => ", by windows that a clock lays",
            (Promise::FixedWindow, false, true) => ", by windows that admissions open",
            _ => "",
        };
        match judged {
            PromiseReport { suspect: true, .. } => {
                format!("suspect{kind}: exceeded if what was not answered was admitted")
            }
            PromiseReport { tested: 0, .. } => {
                "not tested: no key was asked for often enough".to_owned()
            }
            PromiseReport { tested, .. } => {
                let keys = if *tested == 1 { "key was" } else { "keys were" };
                let with = match self.probe {
                    Some(_) => ", the probe's included",
                    None => "",
                };
                format!("kept{kind}: {tested} {keys} asked for more than it lets pass{with}")
            }
        }
    }

    /// The worst first, and one of each kind before more of one.
    fn findings(&self) -> Vec<Finding> {
        let report = self.report;
        let broken = report.verdict(self.schedule_kept) == Verdict::Broken;
        let mut excesses = report.worst.iter().filter(|_| broken && self.is_exceeded());
        // Of one promise its proof; the most in a window may be less of one than another.
        let proof = match &report.promises[..] {
            [one] if one.promise != Promise::SlidingWindow => one.excess.as_ref(),
            _ => None,
        };
        let first_excess = match proof.filter(|_| broken) {
            Some(proof) => Some(self.excess(&proof.window)),
            None => excesses.next().map(|window| self.excess(window)),
        };
        let alone = report.promises.len() == 1;
        let counts = |block: &&FalseBlock| alone || block.promise != Promise::TokenBucket;
        let falsely = report
            .false_blocks
            .iter()
            .find(|block| broken && counts(block));
        let said = self.probe.iter().flat_map(|probe| &probe.faults);
        first_excess
            .into_iter()
            .chain(falsely.map(|first| self.falsely(first)))
            .chain(said.map(|finding| self.said(finding)))
            .chain(excesses.map(|window| self.excess(window)))
            .collect()
    }

    fn said(&self, finding: &HeaderFault) -> Finding {
        let often = match finding.seen {
            1 => String::new(),
            seen => format!(" ({seen} times)"),
        };
        let sequences: Vec<_> = finding
            .requests
            .iter()
            .map(|request| request.sequence)
            .collect();
        let requests: Vec<_> = sequences.iter().map(u64::to_string).collect();
        let word = if requests.len() == 1 {
            "request"
        } else {
            "requests"
        };
        let target = self
            .targets
            .get(finding.target)
            .map_or("a target", String::as_str);
        Finding {
            statement: format!("{}{often}", finding.say()),
            evidence: vec![format!(
                "by {target}, of {}, the probe's {word} {}",
                (self.name)(AuditedKey::Probe(finding.key)),
                requests.join(", ")
            )],
            sequences,
            of_the_probe: true,
        }
    }

    fn probed(&self, probe: &ProbeReport) -> String {
        let checked = match &probe.retry_after {
            same @ Checked::Not(_) if *same == probe.remaining => same.to_string(),
            other => format!("Retry-After {other}, remaining {}", probe.remaining),
        };
        let flood = match &probe.flooded {
            Checked::Not(why) if probe.asked > 0 => {
                format!("; no key was asked far too often: {why}")
            }
            _ => String::new(),
        };
        let asked = probe.asked;
        format!("{checked}{flood}; {asked} requests beside the load")
    }

    fn is_exceeded(&self) -> bool {
        self.report
            .promises
            .iter()
            .any(|judged| judged.excess.is_some())
    }

    fn excess(&self, window: &AdmissionSpan) -> Finding {
        let limit = self.report.terms.limit;
        let over = window.admitted as f64 / limit as f64;
        let statement = format!(
            "{} was admitted {} times within {} ({over:.2} times the limit), from {} to {}",
            (self.name)(window.key),
            window.admitted,
            span(window.to.saturating_sub(window.from)),
            at(window.from),
            at(window.to),
        );
        Finding {
            statement,
            evidence: vec![requests(window)],
            sequences: window.sequences.clone(),
            of_the_probe: matches!(window.key, AuditedKey::Probe(_)),
        }
    }

    fn falsely(&self, first: &FalseBlock) -> Finding {
        let target = self.targets.get(first.target as usize);
        let why = match first.promise {
            Promise::TokenBucket => "a bucket would have had a token".to_owned(),
            _ => format!("at most {} others can have counted", first.counted),
        };
        let of_the_probe = matches!(first.key, AuditedKey::Probe(_));
        let whose = if of_the_probe { "the probe's " } else { "" };
        let statement = format!(
            "{} was blocked at {} by {}, although {why} ({whose}request {})",
            (self.name)(first.key),
            at(first.sent),
            target.map_or("a target", String::as_str),
            first.sequence,
        );
        let looks = self.report.counts_blocked == Some(true);
        let looks = looks.then(|| "it looks as if blocked requests counted too".to_owned());
        Finding {
            statement,
            evidence: looks.into_iter().collect(),
            sequences: vec![first.sequence],
            of_the_probe,
        }
    }

    fn shows_excess(&self) -> bool {
        let broken = self.verdict() == AuditVerdict::Broken;
        broken && self.is_exceeded() && !self.report.worst.is_empty()
    }

    fn by_node(&self) -> Option<ByNode> {
        if !self.shows_excess() || self.targets.len() < 2 {
            return None;
        }
        let keys = self.report.worst.iter().map(|window| KeyAdmitted {
            key: (self.name)(window.key),
            admitted: window.by_target.clone(),
        });
        Some(ByNode {
            keys: keys.collect(),
        })
    }

    fn signs(&self) -> Vec<String> {
        let report = self.report;
        let mut signs = Vec::new();
        if self.shows_excess() {
            if report.nodes_count_alone {
                signs.push("each node seems to count alone".to_owned());
            } else if report.blocked.iter().all(|blocked| *blocked == 0) {
                signs.push("nothing was blocked, as if there were no limit".to_owned());
            }
        }
        signs
    }
}

/// An instant of the run.
fn at(instant: Nanos) -> String {
    format!("{:.3}s", instant.as_secs_f64())
}

/// The first of a window's requests, and its last.
fn requests(window: &AdmissionSpan) -> String {
    let named: Vec<_> = window
        .sequences
        .iter()
        .take(NAMED)
        .map(u64::to_string)
        .collect();
    let named = named.join(", ");
    let whose = match window.key {
        AuditedKey::Load(_) => "requests",
        AuditedKey::Probe(_) => "the probe's requests",
    };
    match window.sequences.last() {
        Some(last) if window.sequences.len() > NAMED => {
            let more = if window.admitted as usize > window.sequences.len() {
                ", …"
            } else {
                ""
            };
            format!("{whose} {named}, … {last}{more}")
        }
        _ => format!("{whose} {named}"),
    }
}

fn words(promise: Promise) -> &'static str {
    match promise {
        Promise::SlidingWindow => "a sliding window",
        Promise::FixedWindow => "a fixed window",
        Promise::TokenBucket => "a token bucket",
    }
}

/// `a, b or c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::audit::{self, Decision, Observation, PriorUse, Terms};
    use crate::report;

    const MILLI: u64 = 1_000_000;

    /// What is said of requests of one key, ten milliseconds apart and answered within one, to two nodes in turn: two a
    /// second are promised.
    fn told(promises: &[Promise], decisions: &[Decision], schedule_kept: bool) -> String {
        let mut audit = audit::Auditor::new(Terms {
            promises: promises.to_vec(),
            limit: 2,
            window: Nanos(1_000 * MILLI),
            targets: 2,
            timeout: Nanos(1_000 * MILLI),
            prior_use: PriorUse::None,
            memory: 1 << 20,
        });
        for (decision, sequence) in decisions.iter().zip(0..) {
            let sent = Nanos(10 * MILLI * sequence);
            audit.add(Observation {
                key: AuditedKey::Load(KeyId(0)),
                sequence,
                target: sequence as u32 % 2,
                sent,
                done: sent + Nanos(MILLI),
                decision: *decision,
            });
        }
        let targets = ["http://a", "http://b"].map(str::to_owned);
        let found = Found {
            report: &audit.finish(),
            probe: None,
            failed: 0,
            schedule_kept,
            targets: &targets,
            keys: Some(1),
            name: &|_| "user-1".to_owned(),
        };
        report::audit(&found.audit(), &targets)
    }

    use Decision::{Allowed as A, Blocked as B, Unanswered as U};

    #[test]
    fn a_limit_that_was_kept_is_said_to_be_by_what_was_tested() {
        let expected = "
Audit: kept. What was seen is what a sliding window, a fixed window or a token bucket of 2 in 1s does.
  the most admitted of a key in any 1s: 2, 1.00 times the limit
  keys over the limit in any 1s: 0 of 1
  sliding-window  kept: 1 key was asked for more than it lets pass
  fixed-window    kept: 1 key was asked for more than it lets pass
  token-bucket    kept: 1 key was asked for more than it lets pass";
        assert_eq!(told(&Promise::ALL, &[A, A, B, B, B], true), expected);
    }

    #[test]
    fn a_limit_that_was_broken_is_shown_by_whom_and_when() {
        let expected = "
Audit: broken. More was admitted than a sliding window of 2 in 1s lets pass.
  the most admitted of a key in any 1s: 4, 2.00 times the limit
  keys over the limit in any 1s: 1 of 1
  sliding-window  broken: 3 admitted within 21.0 ms, where 2 are promised, after 3 requests
  1. user-1 was admitted 4 times within 31.0 ms (2.00 times the limit), from 0.000s to 0.031s
     requests 0, 1, 2, … 3
  by node  http://a  http://b
  user-1          2         2
  each node seems to count alone";
        let decisions = [A, A, A, A, B, B];
        assert_eq!(told(&[Promise::SlidingWindow], &decisions, true), expected);
        // A proof is one, however the requests came to be sent.
        assert_eq!(told(&[Promise::SlidingWindow], &decisions, false), expected);
    }

    #[test]
    fn what_was_blocked_falsely_is_shown_with_what_it_looks_like() {
        let text = told(&[Promise::SlidingWindow], &[B, A, B], true);
        let first = "
Audit: broken. Requests were blocked that a sliding window of 2 in 1s lets pass.";
        assert!(text.starts_with(first), "{text}");
        assert!(
            text.contains("broken: 2 of 2 blocked requests should have passed"),
            "{text}"
        );
        let finding = "  1. user-1 was blocked at 0.000s by http://a, although at most 0 others can have counted (request 0)";
        assert!(text.contains(finding), "{text}");
    }

    #[test]
    fn a_run_that_tells_nothing_says_what_would() {
        let text = told(&[Promise::FixedWindow], &[A, A], true);
        let said = "
Audit: inconclusive. A limiter that admits everything would have looked the same: no key was asked for more than \
2 times within 1s. A run of 1s or longer with --rps 6 would tell.";
        assert!(text.starts_with(said), "{text}");
        let text = told(&[Promise::SlidingWindow], &[A, A, B], false);
        assert!(
            text.contains("Audit: inconclusive. Nothing shows"),
            "{text}"
        );
    }

    #[test]
    fn what_may_have_been_admitted_makes_a_limit_suspect() {
        let text = told(&[Promise::SlidingWindow], &[A, A, U, B], true);
        let said = "
Audit: suspect. The limit of 2 in 1s was exceeded if requests that were not answered were admitted, of which there are 1; \
else it was kept.";
        assert!(text.starts_with(said), "{text}");
    }
}
