//! The audit's verdicts in sentences. They are printed, written as JSON and shown on the report page.

use super::audited_run::AuditedRun;
use super::{AuditVerdict, Standing, StandingPromise};
use crate::base::Nanos;
use crate::base::text::{count, span, sufficient};
use crate::core::audit::probe::ProbeReport;
use crate::core::audit::{
    Doubt, LimitReport, Needed, PromiseReport, PromiseVerdict, Proof, Resolution, Suspicion,
};

impl AuditedRun<'_> {
    /// The promises, such as `sliding-window 100/60s or token-bucket 100/60s`, without the numbers of all but the last if
    /// they are the same.
    pub fn promises(&self, chosen: impl Fn(&PromiseReport) -> bool) -> String {
        let promises = self.report.promises.iter().filter(|one| chosen(one));
        let names: Vec<_> = promises.map(|one| one.promise.to_string()).collect();
        either(&names)
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
    pub fn worst_proof(&self) -> Option<(&LimitReport, &Proof)> {
        let limits = self.report.promises.iter().flat_map(|one| &one.limits);
        let proofs = limits.filter_map(|limit| Some((limit, limit.excess.as_ref()?)));
        proofs.max_by_key(|(_, proof)| proof.span.admitted.saturating_sub(proof.promised))
    }

    fn kept(&self) -> String {
        let is_kept = |one: &PromiseReport| self.report.verdict_on(one) == PromiseVerdict::Kept;
        let kept = self.promises(is_kept);
        let mut text = match self.until {
            Some(until) => format!("Until {}, every answer fits {kept}", span(until)),
            None => format!("Every answer fits {kept}"),
        };
        let tolerance = self.report.terms.excess_tolerance;
        if tolerance > 0.0 {
            text += &format!(" within {}", percent(tolerance));
        }
        text += ".";
        if let Some(proved) = self.would_be_proved() {
            text += &format!(" {proved}.");
        }
        if let Some(missed) = self.may_be_missed() {
            text += &format!(" {missed}");
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

    /// The smallest breach that would have been proved, and on how many keys. If several promises were audited, it is a breach
    /// of the one that was tested most finely, and would only have ruled that out.
    pub fn would_be_proved(&self) -> Option<String> {
        let finest = self.finest()?;
        let judged = finest.judged;
        let keys = count(self.report.keys.max(judged), "key", "keys");
        let resolution = in_words(finest.resolution());
        let found = match self.report.promises.len() {
            1 => "been proved".to_owned(),
            _ => format!("ruled out {}", finest.promise),
        };
        Some(format!(
            "{judged} of {keys} could be judged, and {resolution} too many on one of them would have {found}"
        ))
    }

    /// How many keys may have a fault that was missed, if not all of them were judged.
    fn may_be_missed(&self) -> Option<String> {
        let judged = self.finest()?.judged;
        (judged < self.report.keys || self.report.share < 1.0).then(|| {
            let missed = 1.0 - 0.05_f64.powf(1.0 / judged as f64);
            let missed = percent(missed);
            format!("A fault of fewer than {missed} of the keys may have been missed.")
        })
    }

    /// The promise that was kept with the finest resolution.
    fn finest(&self) -> Option<&PromiseReport> {
        let promises = self.report.promises.iter();
        let kept = promises.filter(|one| self.report.verdict_on(one) == PromiseVerdict::Kept);
        kept.min_by(|a, b| {
            let (a, b) = (a.resolution(), b.resolution());
            a.share.total_cmp(&b.share)
        })
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
            Some(Doubt::Partial) => format!(
                "Nothing shows that the limit was broken, but requests are missing that may have been admitted: {}.",
                self.missing.join("; ")
            ),
            doubt if let Some((why, remedy)) = self.too_far_off(doubt) => {
                format!("Nothing shows that the limit was broken, but {why}. {remedy}.")
            }
            Some(Doubt::NoResolution) => {
                "A limiter that admits twice its limit might have looked the same, because the answers took too long \
                 for the window. Faster answers would give a verdict."
                    .to_owned()
            }
            _ => {
                let (why, remedy) = self.too_few();
                let what = if self.lacks_windows() { "windows" } else { "requests" };
                format!("No key had enough {what} for a verdict: {why}. {remedy}.")
            }
        }
    }

    /// If the errors of the machines' clocks hide whether the limit was kept, says so, and which run would show it.
    pub fn too_far_off(&self, doubt: Option<Doubt>) -> Option<(String, String)> {
        let error = self.hidden_by_clocks?;
        let window = self.report.terms.window;
        let is_hidden = match doubt? {
            Doubt::NoResolution => true,
            // Two requests at the ends of a window may be closer to each other than that, or as much further apart.
            Doubt::NotJudged => error * 4 >= window || self.had_enough_requests(),
            _ => false,
        };
        is_hidden.then(|| {
            (
                format!(
                    "the clocks may be off by up to {}, which is too much for a window of {window}",
                    span(error)
                ),
                "Synchronized clocks or a longer window may give a verdict".to_owned(),
            )
        })
    }

    /// Whether requests came at a rate that tests every promise that was not broken, for long enough.
    fn had_enough_requests(&self) -> bool {
        let standing = self.report.promises.iter().filter(|one| !one.is_broken());
        let mut limits = standing.flat_map(|one| &one.limits);
        self.keys.is_some_and(|keys| {
            limits.all(|limit| {
                let window = limit.limit.quota.window;
                let windows = if limit.limit.may_have_one_clock() {
                    3
                } else {
                    1
                };
                let rate = f64::from(keys) * needed(limit) / window.as_secs_f64();
                self.rate >= rate && self.lasted_for(window * windows)
            })
        })
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

    /// Whether keys had enough requests, but every promise that may have been kept also needs more windows.
    fn lacks_windows(&self) -> bool {
        let mut standing = self.report.promises.iter().filter(|one| !one.is_broken());
        standing.all(|one| has_one_clock(one) && is_tested(one))
    }

    /// Why nothing was judged, and which run would judge something.
    pub fn too_few(&self) -> (String, String) {
        let report = self.report;
        let window = report.terms.window;
        let Some(keys) = self.keys else {
            return (
                "every request had a key of its own".to_owned(),
                "Give --keys, so that requests share keys".to_owned(),
            );
        };
        let standing = report.promises.iter().filter(|one| !one.is_broken());
        let by_clock = standing.clone().map(has_one_clock);
        let (may_be_by_clock, is_by_clock) = (
            by_clock.clone().any(|one| one),
            by_clock.clone().all(|one| one),
        );
        // Only three windows of a clock have two boundaries between them.
        let windows = if is_by_clock { 3 } else { 1 };
        let time = window * windows;
        let mut remedy = "A run".to_owned();
        if !self.lasted_for(time) {
            remedy += &format!(" of {time} or longer");
        }
        if self.lacks_windows() {
            let (least, limit) = (
                report.peak.map_or(0, |peak| peak.at_least),
                report.terms.limit,
            );
            let why = if least > limit {
                format!(
                    "{least} admitted within {window} where {}, which one window's end would excuse",
                    count(limit, "is promised", "are promised")
                )
            } else {
                "no key used up its limit in three windows, so that one window's end would excuse an excess".to_owned()
            };
            let remedy = if self.lasted_for(time) {
                format!(
                    "A run of {} or longer may give a verdict",
                    window * (self.lasted.0 * 2).div_ceil(window.0)
                )
            } else {
                format!("{remedy} would give a verdict")
            };
            return (why, remedy);
        }
        let limits = standing.flat_map(|one| &one.limits);
        let rate = |limit: &LimitReport| {
            let of_a_key = needed(limit) / limit.limit.quota.window.as_secs_f64();
            // A run that went on for a window had too few requests even if its rate seems enough.
            let more = needed(limit) / report.most_asked.max(1) as f64;
            let had = self.rate * more.max(1.1);
            let lasted = self.lasted_for(limit.limit.quota.window);
            (f64::from(keys) * of_a_key).max(if lasted { had } else { 0.0 })
        };
        let rps = limits.map(rate).max_by(f64::total_cmp).unwrap_or(1.0);
        if self.rate < rps && self.is_replay {
            remedy += &format!(" at {:.1} times the --speed", (rps / self.rate).max(1.1));
        } else if self.rate < rps {
            remedy += &format!(" with --rps {}", rps.ceil());
        }
        let would = if may_be_by_clock && !is_by_clock {
            "may"
        } else {
            "would"
        };
        let asked = count(report.most_asked, "request", "requests");
        (
            format!("no key had more than {asked} within {window}"),
            format!("{remedy} {would} give a verdict"),
        )
    }

    /// Whether the run went on for about so long. The last request comes due a little before the end.
    fn lasted_for(&self, time: Nanos) -> bool {
        self.lasted + Nanos(time.0 / 100) >= time
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
                let what = if has_one_clock(one) && is_tested(one) {
                    "used up its limit in three windows"
                } else {
                    "had enough requests"
                };
                let statement = format!("not judged: no key of the load {what}");
                (Standing::NotTested, statement)
            }
            PromiseVerdict::NoResolution => {
                let statement = "not judged: twice the limit might have looked the same".to_owned();
                (Standing::NotTested, statement)
            }
            PromiseVerdict::Partial => {
                let statement =
                    format!("not judged{kind}: every answer fits it, but requests are missing");
                (Standing::NotTested, statement)
            }
            PromiseVerdict::Kept => {
                let keys = count(one.judged, "key", "keys");
                let resolution = in_words(one.resolution());
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

/// Such as `sliding-window or token-bucket 100/60s`: without the numbers of all but the last.
pub fn either(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => {
            let name = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
            let first: Vec<_> = first.iter().map(name).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}

/// The requests of one key within a window that a limit needs to be tested.
fn needed(limit: &LimitReport) -> f64 {
    let quota = limit.limit.quota;
    let times = limit.limit.algorithm.about().limits_to_exceed;
    let beyond = quota.limit.max(quota.burst).saturating_mul(times);
    // A tenth more, since a window is never met exactly.
    beyond.saturating_add(1) as f64 * 1.1
}

/// Whether the windows of a limiter that keeps the promise may be laid by one clock.
fn has_one_clock(one: &PromiseReport) -> bool {
    one.limits.iter().any(|of| of.limit.may_have_one_clock())
}

/// Whether some key had so many requests that a limiter that admits everything would have been caught.
fn is_tested(one: &PromiseReport) -> bool {
    one.limits.iter().all(|of| of.tested > 0)
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
fn in_words(resolution: Resolution) -> String {
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
    let excess =
        excess.map(|share| format!("an excess tolerance of {}", percent(sufficient(share))));
    let parts: Vec<_> = clock.into_iter().chain(excess).collect();
    let text = parts.join(" or ");
    let mut letters = text.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}
