//! The audit's verdict in a few words, with which every report begins. It claims no more than the sentences do.

use super::AuditVerdict;
use super::audited_run::AuditedRun;
use crate::base::text::{count, span};
use crate::core::audit::{Doubt, PromiseVerdict, Suspicion};

impl AuditedRun<'_> {
    /// The verdict with its most important statement, such as `Broken: 300 admitted within 59.9 s where 100 are promised`,
    /// and further statements, such as `Cause: each node counts alone`.
    pub fn statements(&self) -> (String, Vec<String>) {
        match self.verdict() {
            AuditVerdict::Kept => (
                self.kept_in_short(),
                self.would_be_proved().into_iter().collect(),
            ),
            AuditVerdict::Broken => self.broken_in_short(),
            AuditVerdict::Suspect => (self.suspect_in_short(), Vec::new()),
            AuditVerdict::Inconclusive => self.inconclusive_in_short(),
        }
    }

    fn kept_in_short(&self) -> String {
        let report = self.report;
        let (limit, window) = (report.terms.limit, report.terms.window);
        let kept = match self.until {
            Some(until) => format!("Kept until {}", span(until)),
            None => "Kept".to_owned(),
        };
        let is_general = |peak: &_| {
            let peak: &crate::core::audit::KeyPeak = peak;
            peak.limit == limit && peak.at_most <= limit
        };
        match report.peak.filter(is_general) {
            Some(peak) if report.terms.cost == 1 => format!(
                "{kept}: at most {} of one key admitted in any {window}, where {}",
                peak.at_most,
                count(limit, "is promised", "are promised")
            ),
            _ => {
                let is_kept = |one: &_| report.verdict_on(one) == PromiseVerdict::Kept;
                format!("{kept}: every answer fits {}", self.promises(is_kept))
            }
        }
    }

    fn broken_in_short(&self) -> (String, Vec<String>) {
        if let Some(kept) = self.kept_but_for_outages() {
            let text = kept.split(". By ").next().unwrap_or(&kept);
            let text = text.replacen("Kept, except", "kept, except", 1);
            return (format!("Broken: {text}"), Vec::new());
        }
        let report = self.report;
        let several = report.promises.len() > 1;
        let false_blocks = report.promises.iter().map(|one| one.false_blocks).min();
        let false_blocks = false_blocks.unwrap_or(0);
        let blocked = || {
            let requests = count(false_blocks, "request", "requests");
            format!("blocked {requests} that it had to let pass")
        };
        let admitted = |admitted, within, promised| {
            let promised = count(promised, "is promised", "are promised");
            format!("{admitted} admitted within {within} where {promised}")
        };
        let worst = report.worst.first().filter(|_| self.is_exceeded());
        let mut parts = Vec::new();
        match self.worst_proof() {
            Some(_) if several && let Some(worst) = worst => {
                let lasted = span(worst.to.saturating_sub(worst.from));
                let limit = report.promises[0].limits[0].limit.quota.limit;
                parts.push(admitted(worst.admitted, lasted, limit));
            }
            Some((_, proof)) if proof.span.admitted > proof.promised => {
                let busiest = worst.filter(|worst| {
                    let about = self
                        .worst_proof()
                        .map(|(one, _)| one.limit.algorithm.about());
                    about.is_some_and(|about| about.busiest_window_is_proof)
                        && worst.admitted > proof.span.admitted
                        && report.promises[0].limits.len() == 1
                        && report.terms.cost == 1
                });
                let shown = busiest.unwrap_or(&proof.span);
                let lasted = span(shown.to.saturating_sub(shown.from));
                parts.push(admitted(shown.admitted, lasted, proof.promised));
            }
            Some((limit, _)) if false_blocks == 0 => {
                let peak = report.peak.map_or(0, |peak| peak.at_least);
                let window = limit.limit.quota.window;
                parts.push(format!(
                    "no windows of {} explain {peak} admitted within {window}",
                    limit.limit
                ));
            }
            _ => {}
        }
        if false_blocks > 0 {
            parts.push(match parts.len() {
                0 => blocked(),
                _ => format!("The limiter {}", blocked()),
            });
        }
        let causes = report.causes(self.probe, self.targets);
        let causes: Vec<_> = causes.iter().map(|cause| cause.name).collect();
        if !causes.is_empty() {
            parts.push(format!("Cause: {}", causes.join(", or ")));
        }
        let first = format!("Broken: {}", parts.remove(0));
        (first, parts)
    }

    fn suspect_in_short(&self) -> String {
        let statement = self.headline();
        let first = statement.split(". ").next().unwrap_or_default();
        let is_by_unanswered = self.report.promises.iter().any(|one| {
            self.report.verdict_on(one) == PromiseVerdict::Suspect(Suspicion::Unanswered)
        });
        if is_by_unanswered {
            let unanswered = self.report.unanswered;
            return format!(
                "Suspect: the limit was exceeded if the {} admitted",
                match unanswered {
                    1 => "unanswered request was".to_owned(),
                    many => format!("{many} unanswered requests were"),
                }
            );
        }
        format!("Suspect: {}", uncapitalized(first.trim_end_matches('.')))
    }

    fn inconclusive_in_short(&self) -> (String, Vec<String>) {
        let answers = self.report.answers;
        let mut remedy = None;
        let why = match self.report.doubt(self.schedule_kept) {
            Some(Doubt::ScheduleNotKept) => {
                "the generator did not keep its own schedule".to_owned()
            }
            Some(Doubt::NothingAdmitted) if answers.all() == 0 => {
                "no request reached the limiter".to_owned()
            }
            Some(Doubt::NothingAdmitted) => format!(
                "none of {} was allowed",
                count(answers.all(), "request", "requests")
            ),
            Some(Doubt::MostFailed) => format!(
                "{} of {} were neither allowed nor blocked",
                answers.failed + answers.unanswered,
                count(answers.all(), "request", "requests")
            ),
            Some(Doubt::Partial) => self.missing.join("; "),
            doubt if let Some((why, what)) = self.too_far_off(doubt) => {
                remedy = Some(what);
                why
            }
            Some(Doubt::NoResolution) => {
                "the answers took too long to tell the limit from twice the limit".to_owned()
            }
            _ => {
                let (why, what) = self.too_few();
                remedy = Some(what);
                why
            }
        };
        (format!("Inconclusive: {why}"), remedy.into_iter().collect())
    }
}

/// With its first letter in lower case, unless that begins a name.
fn uncapitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}
