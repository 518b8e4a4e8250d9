//! The audit's verdicts in sentences. They are printed, written as JSON and shown on the report page.

use super::audited_run::AuditedRun;
use super::{AuditVerdict, Standing, StandingPromise};
use crate::base::text::count;
use crate::core::audit::PromiseReport;
use crate::core::audit::probe::ProbeReport;

impl AuditedRun<'_> {
    /// The promised limit, such as `100 in 60s`.
    fn promised(&self) -> String {
        let terms = &self.report.terms;
        format!("{} in {}", terms.limit, terms.window)
    }

    /// The limiters that keep these promises, such as `a sliding window or a token bucket`.
    fn limiters(&self, chosen: impl Fn(&PromiseReport) -> bool) -> String {
        let promises = self.report.promises.iter().filter(|one| chosen(one));
        let names: Vec<_> = promises.map(|one| one.promise.about().limiter).collect();
        match &names[..] {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }

    /// The verdict in a sentence or two.
    pub fn headline(&self) -> String {
        let promised = self.promised();
        match self.verdict() {
            AuditVerdict::Kept => self.kept(&promised),
            AuditVerdict::Broken => {
                let any = self.limiters(|_| true);
                if self.is_exceeded() {
                    format!("More was admitted than {any} of {promised} lets pass.")
                } else {
                    format!("Requests were blocked that {any} of {promised} lets pass.")
                }
            }
            AuditVerdict::Suspect => format!(
                "The limit of {promised} was exceeded if the unanswered requests ({} of them) were admitted. If not, \
                 it was kept.",
                self.report.unanswered
            ),
            AuditVerdict::Inconclusive if !self.schedule_kept => format!(
                "Nothing shows that the limit of {promised} was broken, but the generator did not keep its own \
                 schedule."
            ),
            AuditVerdict::Inconclusive => format!(
                "A limiter that admits everything would have looked the same: {}",
                self.advice()
            ),
        }
    }

    fn kept(&self, promised: &str) -> String {
        let kept = self.limiters(|one| !one.is_broken() && one.tested > 0 && !one.suspect);
        let broken = self.limiters(PromiseReport::is_broken);
        let mut text = format!(
            "Every answer fits {kept} of {promised}, and a limiter without a limit would have been caught."
        );
        if !broken.is_empty() {
            text += &format!(" It is not {broken}.");
        }
        if self.probe.is_some_and(|probe| !probe.faults.is_empty()) {
            text += " Some of its headers are wrong.";
        }
        text
    }

    /// Says why nothing was tested, and which run would test something.
    fn advice(&self) -> String {
        let report = self.report;
        let terms = &report.terms;
        let window = terms.window;
        let asked = match report.most_asked {
            0 => return "no request was allowed or blocked.".to_owned(),
            most => format!(
                "no key had more than {} within {window}.",
                count(most, "request", "requests")
            ),
        };
        if self.failed * 2 > report.observed {
            return format!("most requests failed, {} of them.", self.failed);
        }
        let Some(keys) = self.keys else {
            return format!("{asked} Give --keys, so that requests share keys.");
        };
        let standing = report.promises.iter().filter(|one| !one.is_broken());
        let limits = standing.map(|one| one.promise.about().limits_to_exceed);
        let beyond = terms.limit.saturating_mul(limits.max().unwrap_or(1));
        // A tenth more, since a window is never met exactly.
        let needed = f64::from(keys) * beyond.saturating_add(1) as f64 * 1.1;
        let rps = (needed / window.as_secs_f64()).ceil();
        format!("{asked} A run of {window} or longer with --rps {rps} would give a verdict.")
    }

    pub fn promise(&self, one: &PromiseReport) -> StandingPromise {
        let standing = if one.is_broken() {
            Standing::Broken
        } else if one.suspect {
            Standing::Suspect
        } else if one.tested == 0 {
            Standing::NotTested
        } else {
            Standing::Kept
        };
        let kind = self.only_kind_left(one);
        let statement = match standing {
            Standing::Broken => self.broken(one),
            Standing::Suspect => {
                format!(
                    "suspect{kind}: the limit was exceeded if the unanswered requests were admitted"
                )
            }
            Standing::NotTested => "not tested: no key had enough requests".to_owned(),
            Standing::Kept => {
                let keys = count(one.tested, "key", "keys");
                let probed = if self.probe.is_some() {
                    ", counting the probe's keys"
                } else {
                    ""
                };
                format!("kept{kind}: {keys} had more requests than it admits{probed}")
            }
        };
        StandingPromise {
            promise: one.promise.name().to_owned(),
            standing,
            statement,
        }
    }

    /// Says which kind of limiter explains all keys, if the others do not.
    fn only_kind_left(&self, one: &PromiseReport) -> String {
        let kinds = one.promise.about().kinds;
        let mut left = kinds.iter().zip(&one.explained_by).filter(|(_, is)| **is);
        match (left.next(), left.next()) {
            (Some((kind, _)), None) if kinds.len() > 1 => format!(" by {kind}"),
            _ => String::new(),
        }
    }

    fn broken(&self, one: &PromiseReport) -> String {
        let report = self.report;
        let mut reasons = Vec::new();
        if let Some(proof) = &one.excess {
            reasons.push((one.promise.about().excess)(proof, report.terms.window));
        }
        if one.false_blocks > 0 {
            let blocked: u64 = report.blocked.iter().sum();
            reasons.push(format!(
                "{} of {blocked} blocked requests should have passed",
                one.false_blocks
            ));
        }
        // If one of several promises is broken, that only says which limiter this is not.
        let verdict = match report.promises.len() {
            1 => "broken",
            _ => "ruled out",
        };
        format!("{verdict}: {}", reasons.join("; "))
    }

    /// Sums up the probe's checks.
    pub fn probe_statement(&self, probe: &ProbeReport) -> String {
        let (retry_after, remaining) = (&probe.retry_after, &probe.remaining);
        let mut text = if retry_after.times == 0 && retry_after == remaining {
            retry_after.to_string()
        } else {
            format!("Retry-After {retry_after}; remaining requests {remaining}")
        };
        if probe.flooded.times == 0 && probe.asked > 0 {
            text += &format!("; no key was flooded: {}", probe.flooded.why_not);
        }
        format!("{text}; {} requests in addition to the load", probe.asked)
    }
}
