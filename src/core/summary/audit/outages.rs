//! The times and the phases in which too many were admitted, in words.

use super::audited_run::AuditedRun;
use super::{AuditVerdict, AuditedOutage, AuditedPhase};
use crate::base::text::count;
use crate::base::{FailureKind, Nanos};
use crate::core::audit::PromiseReport;
use crate::core::outages::Outage;

/// How many outages a sentence names.
const NAMED: usize = 3;

impl AuditedRun<'_> {
    pub fn outages(&self) -> Vec<AuditedOutage> {
        let promise = self.report.nearest();
        let outages = self.report.outages.iter();
        let audited = outages.map(|outage| {
            let beyond = promise.map_or(0, |promise| outage.beyond[promise]);
            let number = match outage.failing_open {
                0 => format!("{} failed", outage.failed),
                open => format!("{open} admitted while failing open"),
            };
            let mut statement = format!("{}: {number}", self.when(outage));
            if self.verdict() == AuditVerdict::Broken {
                statement += &format!(", {beyond} admitted too many");
            }
            AuditedOutage {
                from_ns: outage.from.0,
                to_ns: outage.to.0,
                targets: self.names(outage),
                failed: outage.failed,
                failing_open: outage.failing_open,
                admitted_beyond: beyond,
                statement,
            }
        });
        audited.collect()
    }

    /// The phases with the admissions that were too many in each; none unless the limit was exceeded in a run of several.
    pub fn by_phase(&self) -> Vec<AuditedPhase> {
        let Some(promise) = self.counted_exceeded() else {
            return Vec::new();
        };
        let beyond = &promise.beyond.by_phase;
        let phases = self.phases.iter().enumerate();
        let phases = phases.map(|(place, phase)| AuditedPhase {
            phase: phase.clone(),
            admitted: *self.report.admitted_by_phase.get(place).unwrap_or(&0),
            admitted_beyond: *beyond.get(place).unwrap_or(&0),
        });
        let phases: Vec<_> = phases.filter(|phase| phase.admitted > 0).collect();
        let is_known = phases.iter().any(|phase| phase.admitted_beyond > 0);
        if phases.len() < 2 || !is_known {
            Vec::new()
        } else {
            phases
        }
    }

    /// The verdict if every admission that was too many lies in an outage.
    pub fn kept_but_for_outages(&self) -> Option<String> {
        let promise = self.report.kept_but_for_outages()?;
        let outages = &self.report.outages;
        let beyond: u64 = outages.iter().map(|outage| outage.beyond[promise]).sum();
        let is_named = |outage: &&Outage| beyond == 0 || outage.beyond[promise] > 0;
        let mut times: Vec<_> = outages
            .iter()
            .filter(is_named)
            .map(|outage| self.when(outage))
            .collect();
        if times.len() > NAMED {
            let others = (times.len() - NAMED) as u64;
            times.truncate(NAMED);
            times.push(count(others, "other such time", "other such times"));
        }
        let mut text = format!("Kept, except {}", times.join(", and "));
        if beyond > 0 {
            text += &format!(": {beyond} admitted too many");
        }
        text += &format!(
            ". By {}, every other admission fits.",
            self.report.promises[promise].promise
        );
        Some(text)
    }

    /// Says how many of the admissions that were too many were made while targets failed, and how many while failing open, if
    /// not all of them were.
    pub fn partly_in_outages(&self) -> Option<String> {
        let promise = self.report.nearest()?;
        let beyond = &self.report.promises[promise].beyond;
        let within = beyond.total.saturating_sub(beyond.outside);
        let open = beyond.failing_open;
        let parts = [
            (open, "while failing open"),
            (within.saturating_sub(open), "while targets failed"),
            (beyond.outside, "at other times"),
        ];
        let mut parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let (first, when) = parts.next()?;
        let were = if first == 1 { "was" } else { "were" };
        let mut parts: Vec<_> = std::iter::once(format!("{first} {were} admitted {when}"))
            .chain(parts.map(|(number, when)| format!("{number} {when}")))
            .collect();
        let last = parts.pop()?;
        (within > 0 && beyond.outside > 0).then(|| {
            format!(
                "Of {} too many, {}, and {last}.",
                count(beyond.total, "request", "requests"),
                parts.join(", "),
            )
        })
    }

    /// Says which phases broke the limit, if only some did.
    pub fn only_some_phases(&self) -> Option<String> {
        let phases = self.by_phase();
        let has_kept = phases.iter().any(|phase| phase.admitted_beyond == 0);
        let has_broken = phases.iter().any(|phase| phase.admitted_beyond > 0);
        if !has_kept || !has_broken {
            return None;
        }
        let part = |phase: &AuditedPhase| {
            let (name, beyond) = (&phase.phase, phase.admitted_beyond);
            format!("{beyond} in phases of {name}")
        };
        let parts: Vec<_> = phases.iter().map(part).collect();
        Some(format!("Admitted too many: {}.", parts.join(", ")))
    }

    /// The exceeded promise by which each admission too many is counted, or else the nearest one.
    fn counted_exceeded(&self) -> Option<&PromiseReport> {
        let promises = &self.report.promises;
        let is_exact = |one: &&PromiseReport| {
            let mut limits = one.limits.iter();
            limits.all(|limit| limit.limit.algorithm.about().busiest_window_is_proof)
        };
        let nearest = self.report.nearest().map(|place| &promises[place]);
        let promise = promises.iter().find(is_exact).or(nearest)?;
        let is_broken = self.verdict() == AuditVerdict::Broken;
        (is_broken && promise.is_exceeded()).then_some(promise)
    }

    fn names(&self, outage: &Outage) -> Vec<String> {
        let names = outage.targets.iter();
        names
            .map(|target| self.target(*target as usize).to_owned())
            .collect()
    }

    /// Such as `from 12.0 s to 14.2 s, while http://b answered with a status from 500 to 599`.
    fn when(&self, outage: &Outage) -> String {
        let names = self.names(outage);
        let who = match &names[..] {
            [one] => one.clone(),
            all => format!("{} targets", all.len()),
        };
        let what = match (outage.failing_open, names.len()) {
            (0, _) => failure(outage),
            (_, 1) => "said that it fails open",
            _ => "said that they fail open",
        };
        format!(
            "from {} to {}, while {who} {what}",
            at(outage.from),
            at(outage.to),
        )
    }
}

/// How targets failed in an outage.
fn failure(outage: &Outage) -> &'static str {
    match outage.foremost() {
        Some(FailureKind::Status5xx) => "answered with a status from 500 to 599",
        Some(FailureKind::Refused) => "refused connections",
        Some(FailureKind::Reset | FailureKind::ResetIdle) => "cut connections off",
        Some(FailureKind::Timeout) => "did not answer in time",
        Some(FailureKind::StatusOther | FailureKind::Unmatched | FailureKind::Protocol) => {
            "answered otherwise"
        }
        Some(_) => "could not be reached",
        None if outage.unanswered * 2 > outage.failed => "did not answer",
        None => "answered otherwise",
    }
}

fn at(instant: Nanos) -> String {
    format!("{:.1} s", instant.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::KeyId;
    use crate::core::audit::{
        AuditReport, AuditedKey, Auditor, Conclusion, Decision, Observation, Promise, Quota, Terms,
    };

    const MILLI: u64 = 1_000_000;

    /// The audit of requests of one key to two nodes in turn, 100 ms apart. Five in 2 s are promised. Each has a decision and
    /// a phase.
    fn audited(promise: &str, count: u64, one: impl Fn(u64) -> (Decision, u16)) -> AuditReport {
        audited_of(promise, count, |sequence| {
            let (decision, phase) = one(sequence);
            (decision, phase, false)
        })
    }

    /// Each request has a decision, and an answer that may say that the limiter fails open.
    fn audited_with(
        promise: &str,
        count: u64,
        one: impl Fn(u64) -> (Decision, bool),
    ) -> AuditReport {
        audited_of(promise, count, |sequence| {
            let (decision, failing_open) = one(sequence);
            (decision, 0, failing_open)
        })
    }

    fn audited_of(
        promise: &str,
        count: u64,
        one: impl Fn(u64) -> (Decision, u16, bool),
    ) -> AuditReport {
        let quota = Quota::new(5, Nanos(2_000 * MILLI));
        let mut audit = Auditor::new(Terms {
            promises: Promise::alternatives(promise, quota).unwrap(),
            ..Terms::of_all_promises(5, Nanos(2_000 * MILLI), 2)
        });
        for sequence in 0..count {
            let sent = Nanos(100 * MILLI * sequence);
            let (decision, phase, failing_open) = one(sequence);
            audit.add(Observation {
                key: AuditedKey::Load(KeyId(0)),
                sequence,
                target: sequence as u32 % 2,
                node: sequence as u32 % 2,
                sent,
                done: sent + Nanos(MILLI),
                decision,
                failure: (decision == Decision::Failed).then_some(FailureKind::Status5xx),
                failing_open,
                phase: Some(phase),
                period: None,
            });
            audit.advance(sent);
        }
        audit.finish()
    }

    fn headline(report: &AuditReport) -> String {
        let targets = ["http://a", "http://b"].map(str::to_owned);
        let phases = ["steady 10/s", "burst 50/s"].map(str::to_owned);
        let run = AuditedRun {
            report,
            probe: None,
            schedule_kept: true,
            lasted: Nanos(30_000 * MILLI),
            rate: 10.0,
            is_replay: false,
            targets: &targets,
            nodes: &targets,
            phases: &phases,
            keys: Some(1),
            name: &|_| "user-1".to_owned(),
            files: &[],
            missing: &[],
            until: None,
            hidden_by_clocks: None,
        };
        run.headline()
    }

    /// The first five of each 2 s are admitted. Those of 20 are a round of the limiter.
    fn kept(sequence: u64) -> Decision {
        match sequence % 20 {
            0..5 => Decision::Allowed,
            _ => Decision::Blocked,
        }
    }

    /// From 10 s to 12 s, the second node fails, and the first admits everything.
    fn open_in_an_outage(sequence: u64) -> Decision {
        match (sequence, sequence % 2) {
            (100..120, 0) => Decision::Allowed,
            (100..120, _) => Decision::Failed,
            _ => kept(sequence),
        }
    }

    #[test]
    fn a_limiter_that_is_open_only_in_an_outage_is_kept_except_then() {
        let report = audited("fixed-window", 300, |sequence| {
            (open_in_an_outage(sequence), 0)
        });
        assert!(report.kept_but_for_outages().is_some());
        let report = audited("sliding-window", 300, |sequence| {
            (open_in_an_outage(sequence), 0)
        });
        let text = headline(&report);
        let expected = "Kept, except from 10.1 s to 11.9 s, while http://b answered with a status from 500 to 599: ";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn a_limiter_that_is_broken_outside_of_an_outage_is_not_called_kept_except_then() {
        let report = audited("sliding-window", 300, |sequence| match sequence {
            200..210 => (Decision::Allowed, 0),
            _ => (open_in_an_outage(sequence), 0),
        });
        assert_eq!(report.kept_but_for_outages(), None);
        let text = headline(&report);
        assert!(text.contains("and 5 at other times."), "{text}");
    }

    #[test]
    fn a_limiter_that_loses_its_counts_in_an_outage_is_not_excused() {
        let report = audited("sliding-window", 300, |sequence| match sequence {
            105..110 => (Decision::Failed, 0),
            110..115 => (Decision::Allowed, 0),
            _ => (kept(sequence), 0),
        });
        assert_eq!(report.outages.len(), 1);
        assert_eq!(report.kept_but_for_outages(), None);
    }

    /// The first five of each 2 s are admitted. From 10 s to 12 s all are, and some answers say that the limiter fails open.
    fn marked(is_marked: impl Fn(u64) -> bool) -> AuditReport {
        audited_with("sliding-window", 300, |sequence| {
            let decision = match sequence {
                100..120 => Decision::Allowed,
                _ => kept(sequence),
            };
            (
                decision,
                decision == Decision::Allowed && is_marked(sequence),
            )
        })
    }

    const FAILING_OPEN: &str = "requests were admitted while failing open";

    #[test]
    fn a_limiter_that_says_when_it_fails_open_is_kept_except_then() {
        let report = marked(|sequence| (100..120).contains(&sequence));
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        let expected = "Kept, except from 10.0 s to 11.9 s, while 2 targets said that they fail open: 15 admitted too many. \
                        By sliding-window 5/2s, every other admission fits.";
        assert!(
            headline(&report).starts_with(expected),
            "{}",
            headline(&report)
        );
        let causes = report.causes(None, &[]);
        let causes: Vec<_> = causes.iter().map(|cause| &*cause.statement).collect();
        assert_eq!(causes, [format!("{FAILING_OPEN}: 20 answers say so")]);
    }

    #[test]
    fn a_limiter_that_always_says_that_it_fails_open_is_not_kept_except_then() {
        let report = marked(|_| true);
        assert_eq!(report.kept_but_for_outages(), None);
        let causes = report.causes(None, &[]);
        let causes: Vec<_> = causes.iter().map(|cause| cause.name).collect();
        assert_eq!(causes, [FAILING_OPEN]);
    }

    #[test]
    fn an_excess_at_another_time_than_the_one_of_failing_open_is_found() {
        let report = audited_with("sliding-window", 300, |sequence| match sequence {
            100..120 => (Decision::Allowed, true),
            200..210 => (Decision::Allowed, false),
            _ => (kept(sequence), false),
        });
        assert_eq!(report.kept_but_for_outages(), None);
        let parts = "requests too many, 15 were admitted while failing open, and 5 at other times.";
        assert!(headline(&report).contains(parts), "{}", headline(&report));
        let conclusions = report.conclusions(None, &[]);
        let is_refuted = |(cause, conclusion): &(&str, Conclusion)| {
            *cause == FAILING_OPEN && matches!(conclusion, Conclusion::Refuted { .. })
        };
        assert!(conclusions.iter().any(is_refuted), "{conclusions:?}");
    }

    #[test]
    fn admissions_beside_those_that_were_made_while_failing_open_are_held_to_the_promise() {
        // One node fails open and says so, while the other admits everything and says nothing.
        let report = marked(|sequence| (100..120).contains(&sequence) && sequence % 2 == 0);
        assert_eq!(report.kept_but_for_outages(), None);
        let open = report.outages.iter().map(|outage| outage.failing_open);
        assert_eq!(open.sum::<u64>(), 10);
        assert!(report.promises[0].beyond.outside > 0);
    }

    #[test]
    fn single_failures_excuse_nothing() {
        let report = audited("sliding-window", 300, |sequence| match sequence {
            107 => (Decision::Failed, 0),
            105..110 => (Decision::Allowed, 0),
            _ => (kept(sequence), 0),
        });
        assert_eq!(
            (&report.outages[..], report.kept_but_for_outages()),
            (&[][..], None)
        );
    }

    #[test]
    fn a_limit_that_only_bursts_break_says_so() {
        let report = audited("sliding-window", 300, |sequence| match sequence {
            105..110 => (Decision::Allowed, 1),
            _ => (kept(sequence), 0),
        });
        let text = headline(&report);
        let expected = "0 in phases of steady 10/s, 5 in phases of burst 50/s.";
        assert!(text.contains(expected), "{text}");
    }
}
