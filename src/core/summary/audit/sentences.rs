//! The audit's verdicts in sentences. They are printed, written as JSON and shown on the report page.

use super::audited_run::AuditedRun;
use super::{AuditVerdict, Standing, StandingPromise};
use crate::base::Nanos;
use crate::base::text::{count, span};
use crate::core::audit::probe::ProbeReport;
use crate::core::audit::{
    Doubt, LimitReport, Needed, PromiseReport, PromiseVerdict, Proof, Resolution, Suspicion,
};

impl AuditedRun<'_> {
    /// The promises, such as `sliding-window 100/60s or token-bucket 100/60s`, without the numbers of all but the last if
    /// they are the same.
    fn promises(&self, chosen: impl Fn(&PromiseReport) -> bool) -> String {
        let promises = self.report.promises.iter().filter(|one| chosen(one));
        let names: Vec<_> = promises.map(|one| one.promise.to_string()).collect();
        match &names[..] {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => {
                let name = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
                let first: Vec<_> = first.iter().map(name).collect();
                format!("{} or {last}", first.join(", "))
            }
        }
    }

    /// The verdict in a sentence or two.
    pub fn headline(&self) -> String {
        match self.verdict() {
            AuditVerdict::Kept => self.kept(),
            AuditVerdict::Broken => self.broken_headline(),
            AuditVerdict::Suspect => self.suspect(),
            AuditVerdict::Inconclusive => self.inconclusive(),
        }
    }

    fn broken_headline(&self) -> String {
        let kept = self.kept_but_for_outages();
        let mut text = kept.unwrap_or_else(|| self.broken_at_all_times());
        let exceptions = [self.partly_in_outages(), self.only_some_phases()];
        for exception in exceptions.into_iter().flatten() {
            text += &format!(" {exception}");
        }
        text
    }

    fn broken_at_all_times(&self) -> String {
        let several = self.report.promises.len() > 1;
        let false_blocks = self.report.promises.iter().map(|one| one.false_blocks);
        let false_blocks = false_blocks.min().unwrap_or(0);
        let mut text = match self.worst_proof() {
            Some(_) if several && let Some(worst) = self.worst_window() => worst,
            Some((limit, proof)) if proof.span.admitted > proof.promised => format!(
                "{} requests of one key were admitted within {}, where {} admits {}.",
                proof.span.admitted,
                span(proof.span.to.saturating_sub(proof.span.from)),
                limit.limit,
                proof.promised,
            ),
            Some((limit, _)) if false_blocks == 0 => {
                let peak = self.report.peak.map_or(0, |peak| peak.at_least);
                let window = limit.limit.quota.window;
                format!(
                    "No windows of {} explain the admissions: {peak} requests of one key were admitted within {window}.",
                    limit.limit
                )
            }
            _ => {
                let blocks = count(false_blocks, "request", "requests");
                let promises = self.promises(|_| true);
                format!("The limiter blocked {blocks} that it had to let pass by {promises}.")
            }
        };
        if several {
            text += &format!(" It is not {}.", self.promises(|_| true));
        }
        if let Some(explanation) = explained_by(self.report.needed()) {
            text += &format!(" {explanation} would explain it.");
        }
        text
    }

    /// The window in which most was admitted, if that was more than the limit.
    fn worst_window(&self) -> Option<String> {
        let worst = self.report.worst.first()?;
        let lasted = span(worst.to.saturating_sub(worst.from));
        let quota = self.report.promises.first()?.limits.first()?.limit.quota;
        Some(format!(
            "{} requests of one key were admitted within {lasted}, where {quota} is promised.",
            worst.admitted
        ))
    }

    /// The proof with the greatest excess, and its limit.
    fn worst_proof(&self) -> Option<(&LimitReport, &Proof)> {
        let limits = self.report.promises.iter().flat_map(|one| &one.limits);
        let proofs = limits.filter_map(|limit| Some((limit, limit.excess.as_ref()?)));
        proofs.max_by_key(|(_, proof)| proof.span.admitted.saturating_sub(proof.promised))
    }

    fn kept(&self) -> String {
        let is_kept = |one: &PromiseReport| self.report.verdict_on(one) == PromiseVerdict::Kept;
        let kept = self.promises(is_kept);
        let mut text = format!("Every answer fits {kept}");
        let tolerance = self.report.terms.excess_tolerance;
        if tolerance > 0.0 {
            text += &format!(" within {}", percent(tolerance));
        }
        text += ".";
        let chosen = self.report.promises.iter().filter(|one| is_kept(one));
        if let Some(finest) = chosen.min_by(|a, b| {
            let (a, b) = (a.resolution(), b.resolution());
            a.share.total_cmp(&b.share)
        }) {
            text += &format!(" {}", self.power(finest));
        }
        let broken = self.promises(PromiseReport::is_broken);
        if !broken.is_empty() {
            text += &format!(" It is not {broken}.");
        }
        if self.probe.is_some_and(|probe| !probe.faults.is_empty()) {
            text += " Some of its headers are wrong.";
        }
        text
    }

    /// Says what would have been proved, and on how many keys.
    fn power(&self, one: &PromiseReport) -> String {
        let (judged, all) = (one.judged, self.report.keys.max(one.judged));
        let keys = count(all, "key", "keys");
        let resolution = resolution(one.resolution());
        let mut text = format!(
            "{judged} of {keys} could be judged, and {resolution} too many on one of them would have been proved."
        );
        if judged < all || self.report.share < 1.0 {
            let missed = 1.0 - 0.05_f64.powf(1.0 / judged as f64);
            text += &format!(
                " A fault of fewer than {} of the keys may have been missed.",
                percent(missed)
            );
        }
        text
    }

    fn suspect(&self) -> String {
        let verdicts = self.report.promises.iter();
        let suspicions = verdicts.filter_map(|one| match self.report.verdict_on(one) {
            PromiseVerdict::Suspect(suspicion) => Some((one, suspicion)),
            _ => None,
        });
        // The weightiest suspicion of the promise that is nearest to being kept.
        let nearest = suspicions.min_by_key(|(_, suspicion)| match suspicion {
            Suspicion::Unanswered => 0,
            Suspicion::ConnectionsDisagree => 1,
            Suspicion::WindowsPerKey => 2,
        });
        let Some((one, suspicion)) = nearest else {
            return "No promise was judged.".to_owned();
        };
        let promise = &one.promise;
        match suspicion {
            Suspicion::Unanswered => format!(
                "{promise} was exceeded if the unanswered requests ({} of them) were admitted. If not, it was kept.",
                self.report.unanswered
            ),
            Suspicion::WindowsPerKey => format!(
                "The answers fit {promise} only if each of {} has a boundary of its own; {}",
                count(self.report.keys, "key", "keys"),
                self.how_far()
            ),
            Suspicion::ConnectionsDisagree => format!(
                "Connections to one target did not share a count, so that {promise} holds for each of them at best."
            ),
        }
    }

    /// How far above the limit most was admitted.
    fn how_far(&self) -> String {
        let limit = self.report.terms.limit.max(1);
        let most = self.report.peak.map_or(0, |peak| peak.at_least);
        let multiple = most as f64 / limit as f64;
        format!("up to {multiple:.2} times the limit was admitted in a window's length.")
    }

    fn inconclusive(&self) -> String {
        let report = self.report;
        let answers = report.answers;
        match report.doubt(self.schedule_kept) {
            Some(Doubt::ScheduleNotKept) => {
                "Nothing shows that the limit was broken, but the generator did not keep its own schedule."
                    .to_owned()
            }
            Some(Doubt::NothingAdmitted) if answers.all() == 0 => {
                "No request reached the limiter, so nothing is known of its limit.".to_owned()
            }
            Some(Doubt::NothingAdmitted) => format!(
                "No request was allowed, so nothing is known of the limit: {}.",
                self.answers()
            ),
            Some(Doubt::MostFailed) => format!(
                "Most requests were neither allowed nor blocked: {}.",
                self.answers()
            ),
            Some(Doubt::NoResolution) => {
                "A limiter that admits twice its limit would have looked the same, because the answers took too long \
                 for the window. Faster answers would give a verdict."
                    .to_owned()
            }
            _ => {
                let mut text = format!("No key had enough requests for a verdict: {}", self.advice());
                let peak = report.peak.map_or(0, |peak| peak.at_least);
                if peak > report.terms.limit {
                    text += &format!(" So far, {}", self.how_far());
                }
                text
            }
        }
    }

    /// What came of the load's requests.
    fn answers(&self) -> String {
        let answers = self.report.answers;
        let parts = [
            (answers.allowed, "allowed"),
            (answers.blocked, "blocked"),
            (answers.failed, "answered otherwise"),
            (answers.unanswered, "not answered"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts
            .map(|(count, what)| format!("{count} were {what}"))
            .collect();
        let mut text = format!(
            "of {}, {}",
            count(answers.all(), "request", "requests"),
            parts.join(", ")
        );
        if answers.failed > 0 {
            text += "; --allowed and --blocked say which answers count";
        }
        text
    }

    /// Says why nothing was judged, and which run would judge something.
    fn advice(&self) -> String {
        let report = self.report;
        let window = report.terms.window;
        let Some(keys) = self.keys else {
            return "every request had a key of its own. Give --keys, so that requests share keys."
                .to_owned();
        };
        let asked = format!(
            "the most was {} within {window}.",
            count(report.most_asked, "request", "requests")
        );
        let standing = report.promises.iter().filter(|one| !one.is_broken());
        let limits = standing.flat_map(|one| &one.limits);
        let needed = limits.map(|limit| needed_rps(limit, keys));
        let rps = needed.max_by(f64::total_cmp).unwrap_or(1.0).ceil();
        format!("{asked} A run of {window} or longer with --rps {rps} would give a verdict.")
    }

    pub fn promise(&self, one: &PromiseReport) -> StandingPromise {
        let verdict = self.report.verdict_on(one);
        let kind = only_kind_left(one);
        let (standing, statement) = match verdict {
            PromiseVerdict::Broken => (Standing::Broken, self.broken(one)),
            PromiseVerdict::Suspect(suspicion) => {
                let why = match suspicion {
                    Suspicion::Unanswered => {
                        "the limit was exceeded if the unanswered requests were admitted"
                    }
                    Suspicion::WindowsPerKey => "each key would need windows of its own",
                    Suspicion::ConnectionsDisagree => "connections do not share a count",
                };
                (Standing::Suspect, format!("suspect{kind}: {why}"))
            }
            PromiseVerdict::NotJudged => {
                let statement = "not judged: no key of the load had enough requests".to_owned();
                (Standing::NotTested, statement)
            }
            PromiseVerdict::NoResolution => {
                let statement = "not judged: twice the limit would have looked the same".to_owned();
                (Standing::NotTested, statement)
            }
            PromiseVerdict::Kept => {
                let keys = count(one.judged, "key", "keys");
                let resolution = resolution(one.resolution());
                let statement = format!("kept{kind}: {keys} judged, resolution {resolution}");
                (Standing::Kept, statement)
            }
        };
        let judged = matches!(standing, Standing::Kept | Standing::Suspect);
        StandingPromise {
            promise: one.promise.to_string(),
            standing,
            statement,
            judged: one.judged,
            resolution: Some(one.resolution())
                .filter(|resolution| judged && resolution.share <= 1.0)
                .map(Into::into),
        }
    }

    fn broken(&self, one: &PromiseReport) -> String {
        let report = self.report;
        let mut reasons = Vec::new();
        for limit in &one.limits {
            if let Some(proof) = &limit.excess {
                let reason = (limit.limit.algorithm.about().excess)(proof);
                let of = match one.limits.len() {
                    1 => String::new(),
                    _ => format!("of {}, ", limit.limit),
                };
                reasons.push(format!("{of}{reason}"));
            }
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

/// The rate at which each of the keys gets enough requests for a limit to be tested.
fn needed_rps(limit: &LimitReport, keys: u32) -> f64 {
    let quota = limit.limit.quota;
    let times = limit.limit.algorithm.about().limits_to_exceed;
    let beyond = quota.limit.max(quota.burst).saturating_mul(times);
    // A tenth more, since a window is never met exactly.
    let needed = f64::from(keys) * beyond.saturating_add(1) as f64 * 1.1;
    needed / quota.window.as_secs_f64()
}

/// Says which kind of limiter explains all keys, if the others do not.
fn only_kind_left(one: &PromiseReport) -> String {
    let [limit] = &one.limits[..] else {
        return String::new();
    };
    let kinds = limit.limit.algorithm.about().kinds;
    let by_default = limit.kinds.iter().zip(kinds).enumerate();
    let mut left =
        by_default.filter(|(kind, (found, _))| found.explains && limit.limit.accepts(*kind));
    match (left.next(), left.next()) {
        (Some((_, (_, kind))), None) if kinds.len() > 1 => format!(" by {}", kind.limiter),
        _ => String::new(),
    }
}

/// The resolution, such as `1 request (1 %)`.
fn resolution(resolution: Resolution) -> String {
    let requests = count(resolution.requests, "request", "requests");
    format!("{requests} ({})", percent(resolution.share))
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 {
        format!("{percent:.0} %")
    } else {
        let digits = format!("{percent:.2}");
        format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The tolerances, such as `Clocks 8 ms apart`, if any explains the breach.
fn explained_by(needed: Needed) -> Option<String> {
    let clock = needed.clock.filter(|clock| *clock > Nanos::ZERO);
    let clock = clock.map(|clock| format!("clocks {} further apart", span(clock)));
    let excess = needed.excess.filter(|share| *share > 0.0);
    // Rounded up, so that it is enough.
    let excess = excess.map(|share| {
        format!(
            "an excess tolerance of {}",
            percent((share * 1e4).ceil() / 1e4)
        )
    });
    let parts: Vec<_> = clock.into_iter().chain(excess).collect();
    let text = parts.join(" or ");
    let mut letters = text.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}
