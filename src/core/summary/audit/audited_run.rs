//! From an audit's numbers to the summary's part about it.

use super::request_file::RequestFile;
use super::{Answers, Audit, AuditVerdict, ByNode, Cause, KeyAdmitted, Peak, Tolerances};
use crate::base::text::sufficient;
use crate::base::{KeyId, Nanos, Target};
use crate::core::audit::probe::ProbeReport;
use crate::core::audit::{self, AuditReport, AuditedKey, PromiseReport};
use crate::core::plan::Plan;
use crate::core::stats::Results;

/// A run that was audited.
pub(super) struct AuditedRun<'a> {
    pub report: &'a AuditReport,
    pub probe: Option<&'a ProbeReport>,
    pub schedule_kept: bool,
    /// How long requests were sent, and the mean rate, in requests per second.
    pub lasted: Nanos,
    pub rate: f64,
    /// Whether recorded requests were sent, whose rate only a speed changes.
    pub is_replay: bool,
    pub targets: &'a [String],
    /// The names of the nodes, by their numbers.
    pub nodes: &'a [String],
    /// The names of the schedule's phases; empty if they are not known.
    pub phases: &'a [String],
    /// The number of keys; `None` if every request has its own.
    pub keys: Option<u32>,
    pub name: &'a dyn Fn(AuditedKey) -> String,
    /// The files that sequence numbers refer to ([`Recorded::split`](crate::core::recorded::Recorded::split)). Without
    /// any, they are plain numbers.
    pub files: &'a [RequestFile],
    /// The requests that are known to be missing, such as `stripe 3/8 is missing`.
    pub missing: &'a [String],
    /// The end of the requests that are judged, if they are not all.
    pub until: Option<Nanos>,
    /// How far the clocks of the machines that sent the requests may be off, if requests seem longer by that than they took.
    pub hidden_by_clocks: Option<Nanos>,
}

impl Audit {
    /// Sums up the audit of a run, if it was audited.
    pub fn of(plan: &Plan, results: &Results, targets: &[Target]) -> Option<Audit> {
        let by_key = plan.requests_have_keys();
        let probes = plan.probe_keys();
        let name = |key| match key {
            AuditedKey::Load(id) if by_key => plan.keys.name(id),
            AuditedKey::Load(_) => "the requests' one key".to_owned(),
            AuditedKey::Probe(number) => probes.name(KeyId(number)),
        };
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let phases = results.phases.tallies.iter();
        let phases: Vec<_> = phases.map(|phase| phase.name.clone()).collect();
        let report = results.audit.as_ref()?;
        let run = AuditedRun {
            report,
            probe: results.probe.as_ref(),
            schedule_kept: results.verdict.schedule_kept(),
            lasted: results.paced,
            rate: results.verdict.scheduled as f64 / results.paced.as_secs_f64().max(1.0),
            is_replay: plan.schedule.recording().is_some(),
            targets: &targets,
            nodes: &report.nodes.names(&targets),
            phases: &phases,
            keys: if by_key { plan.keys.count() } else { Some(1) },
            name: &name,
            files: &[],
            missing: &[],
            until: None,
            hidden_by_clocks: None,
        };
        Some(run.audit())
    }
}

impl AuditedRun<'_> {
    pub fn audit(&self) -> Audit {
        let report = self.report;
        let (headline, further) = self.statements();
        let promises = report.promises.iter();
        let remarks = self.probe.iter().flat_map(|probe| &probe.remarks);
        Audit {
            verdict: self.verdict(),
            headline,
            further,
            statement: self.headline(),
            limit: report.terms.limit,
            window_ns: report.terms.window.0,
            peak: report.peak.map(|peak| Peak {
                key: (self.name)(peak.key),
                limit: Some(peak.limit).filter(|limit| *limit != report.terms.limit),
                at_least: peak.at_least,
                at_most: peak.at_most,
                of_the_probe: peak.key.is_probe(),
            }),
            keys: report.keys,
            share: report.share,
            keys_over: report.keys_over,
            answers: Answers {
                allowed: report.answers.allowed,
                blocked: report.answers.blocked,
                failed: report.answers.failed,
                unanswered: report.answers.unanswered,
            },
            granted: Some(Tolerances {
                clock_ns: Some(report.terms.clock_tolerance.0),
                excess: Some(report.terms.excess_tolerance),
            }),
            needed: (self.verdict() == AuditVerdict::Broken).then(|| {
                let needed = report.needed();
                Tolerances {
                    clock_ns: needed.clock.map(|clock| clock.0),
                    excess: needed.excess.map(sufficient),
                }
            }),
            promises: promises.map(|one| self.promise(one)).collect(),
            probe: self.probe.map(|probe| self.probe_statement(probe)),
            findings: self.findings(),
            by_node: self.by_node(),
            window_counts: self.window_counts(),
            early_blocks: self.early_blocks(),
            outages: self.outages(),
            by_phase: self.by_phase(),
            causes: self.causes(),
            remarks: remarks.map(|remark| remark.text.clone()).collect(),
        }
    }

    pub fn verdict(&self) -> AuditVerdict {
        self.report.verdict(self.schedule_kept)
    }

    /// Whether more was admitted than some promise admits.
    pub fn is_exceeded(&self) -> bool {
        let mut promises = self.report.promises.iter();
        promises.any(PromiseReport::is_exceeded)
    }

    fn shows_excess(&self) -> bool {
        let is_broken = self.verdict() == AuditVerdict::Broken;
        is_broken && self.is_exceeded() && !self.report.worst.is_empty()
    }

    fn by_node(&self) -> Option<ByNode> {
        if !self.shows_excess() || self.nodes.len() < 2 {
            return None;
        }
        let keys = self.report.worst.iter().map(|span| {
            let mut admitted = span.by_node.clone();
            admitted.resize(self.nodes.len(), 0);
            KeyAdmitted {
                key: (self.name)(span.key),
                admitted,
            }
        });
        let is_by_target = self.nodes.len() == self.targets.len();
        Some(ByNode {
            nodes: if is_by_target {
                Vec::new()
            } else {
                self.nodes.to_vec()
            },
            keys: keys.collect(),
        })
    }

    fn causes(&self) -> Vec<Cause> {
        let causes = self.report.causes(self.probe, self.targets);
        let cause = |one: audit::Cause| {
            let mut evidence = one.evidence;
            if !one.sequences.is_empty() {
                evidence.push(format!("such as requests {}", self.joined(&one.sequences)));
            }
            Cause {
                cause: one.name.to_owned(),
                statement: one.statement,
                evidence,
            }
        };
        causes.into_iter().map(cause).collect()
    }

    /// The node with this number.
    pub fn node(&self, number: usize) -> &str {
        self.nodes.get(number).map_or("a node", String::as_str)
    }

    /// The target with this place in the plan.
    pub fn target(&self, place: usize) -> &str {
        self.targets.get(place).map_or("a target", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::audit::{Auditor, Decision, Observation, Promise, Quota, Terms};
    use crate::report;

    const MILLI: u64 = 1_000_000;

    /// The printed audit of requests of one key to two nodes in turn. They are ten milliseconds apart, and each takes one.
    /// Two a second are promised.
    fn printed(promise: &str, decisions: &[Decision], schedule_kept: bool) -> String {
        let quota = Quota::new(2, Nanos(1_000 * MILLI));
        let mut audit = Auditor::new(Terms {
            promises: Promise::alternatives(promise, quota).unwrap(),
            timeout: Nanos(1_000 * MILLI),
            ..Terms::of_all_promises(2, Nanos(1_000 * MILLI), 2)
        });
        for (decision, sequence) in decisions.iter().zip(0..) {
            let sent = Nanos(10 * MILLI * sequence);
            audit.add(Observation {
                key: AuditedKey::Load(KeyId(0)),
                sequence,
                target: sequence as u32 % 2,
                node: sequence as u32 % 2,
                sent,
                done: sent + Nanos(MILLI),
                decision: *decision,
                failure: None,
                failing_open: false,
                phase: None,
                period: None,
            });
        }
        let targets = ["http://a", "http://b"].map(str::to_owned);
        let run = AuditedRun {
            report: &audit.finish(),
            probe: None,
            schedule_kept,
            lasted: Nanos(10 * MILLI * decisions.len() as u64),
            rate: 2.0,
            is_replay: false,
            targets: &targets,
            nodes: &targets,
            phases: &[],
            keys: Some(1),
            name: &|_| "user-1".to_owned(),
            files: &[],
            missing: &[],
            until: None,
            hidden_by_clocks: None,
        };
        report::audit(&run.audit(), &targets).to_string()
    }

    use Decision::{Allowed as A, Blocked as B, Unanswered as U};

    #[test]
    fn a_kept_limit_is_reported_with_what_was_tested() {
        let expected = "
Audit: kept. Every answer fits sliding-window or token-bucket 2/s. 1 of 1 key could be judged, and 1 request (50 %) too \
many on one of them would have ruled out sliding-window 2/s.
  most admissions of one key in any 1s: 2, 1.00 times the limit
  keys over the limit in any 1s: 0 of 1
  sliding-window 2/s   kept: 1 key judged, resolution 1 request (50 %)
  fixed-window 2/s     not judged: no key of the load used up its limit in three windows
  token-bucket 2/s     kept: 1 key judged, resolution 1 request (50 %)
  sliding-counter 2/s  not judged: no key of the load used up its limit in three windows";
        assert_eq!(printed("auto", &[A, A, B, B, B], true), expected);
    }

    #[test]
    fn a_broken_limit_is_reported_with_the_requests_that_show_it() {
        let expected = "
Audit: broken. 3 requests of one key were admitted within 21.0 ms, where sliding-window 2/s admits 2. An excess tolerance \
of 100 % would explain it.
  most admissions of one key in any 1s: 4, 2.00 times the limit
  keys over the limit in any 1s: 1 of 1
  sliding-window 2/s  broken: 3 were admitted within 21.0 ms, where 2 are promised (proved after 3 requests)
  1. user-1 was admitted 4 times within 31.0 ms (2.00 times the limit), from 0.000s to 0.031s
     requests 0, 1, 2, … 3
  by node   http://a   http://b
  user-1           2          2
  cause: each node counts alone: they admitted 2, 2 of one key within one window, each about the limit of 2
     no node blocked a request of a key of which it alone had admitted fewer than 2 (2 blocked requests compared)";
        // A proof is one, however the requests came to be sent.
        for schedule_kept in [true, false] {
            let decisions = [A, A, A, A, B, B];
            let text = printed("sliding-window", &decisions, schedule_kept);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_wrongly_blocked_request_is_reported_with_the_reason_why_it_should_have_passed() {
        let text = printed("sliding-window", &[B, A, B], true);
        let first = "
Audit: broken. The limiter blocked 2 requests that it had to let pass by sliding-window 2/s.";
        assert!(text.starts_with(first), "{text}");
        let reason = "broken: 2 of 2 blocked requests should have passed";
        assert!(text.contains(reason), "{text}");
        let finding = "  1. user-1 was blocked at 0.000s by http://a, although no other request can have counted (request 0)";
        assert!(text.contains(finding), "{text}");
    }

    #[test]
    fn an_inconclusive_run_says_which_run_would_tell() {
        let text = printed("fixed-window", &[A, A], true);
        let said = "
Audit: inconclusive. No key had enough requests for a verdict: no key had more than 2 requests within 1s. A run of 3s or \
longer with --rps 6 would give a verdict.";
        assert!(text.starts_with(said), "{text}");
        let schedule = |rate, lasted| {
            let quota = Quota::new(2, Nanos(1_000 * MILLI));
            let promises = Promise::alternatives("fixed-window", quota).unwrap();
            let terms = Terms::of_all_promises(2, Nanos(1_000 * MILLI), 2);
            let audit = Auditor::new(Terms { promises, ..terms });
            let run = AuditedRun {
                report: &audit.finish(),
                probe: None,
                schedule_kept: true,
                lasted: Nanos(lasted * MILLI),
                rate,
                is_replay: false,
                targets: &[],
                nodes: &[],
                phases: &[],
                keys: Some(1),
                name: &|_| String::new(),
                files: &[],
                missing: &[],
                until: None,
                hidden_by_clocks: None,
            };
            run.too_few().1
        };
        // The advice is never less than what the run had.
        for (rate, lasted, advice) in [
            (5.0, 500, "A run of 3s or longer with --rps 6"),
            (6.0, 500, "A run of 3s or longer"),
            (5.0, 1_000, "A run of 3s or longer with --rps 28"),
            (10.0, 5_000, "A run with --rps 55"),
        ] {
            assert_eq!(
                schedule(rate, lasted),
                format!("{advice} would give a verdict")
            );
        }
        let text = printed("sliding-window", &[A, A, B], false);
        let said = "Audit: inconclusive. Nothing shows";
        assert!(text.contains(said), "{text}");
    }

    #[test]
    fn a_promise_that_admits_more_than_the_limit_in_a_window_is_named_where_that_was_admitted() {
        let text = printed("token-bucket 2/s burst 4", &[A, A, A, A, B], true);
        let said = "
  most admissions of one key in any 1s: 4, which token-bucket 2/s burst 4 admits
  keys over the limit in any 1s: 1 of 1, which token-bucket 2/s burst 4 admits
";
        assert!(text.contains(said), "{text}");
    }

    #[test]
    fn an_unanswered_request_that_may_have_been_admitted_makes_a_limit_suspect() {
        let text = printed("sliding-window", &[A, A, U, B], true);
        let said = "
Audit: suspect. sliding-window 2/s was exceeded if the unanswered requests (1 of them) were admitted. If not, it was kept.";
        assert!(text.starts_with(said), "{text}");
    }
}
