//! What was found, as a person would say it.

use super::{AnswerOutcome, Candidate, Detail, Discovery, DiscoveryEnding, EnforcedLimit, Shares};
use crate::base::Nanos;
use crate::base::text::{count, seconds, span};
use crate::core::discovery::{Claims, Findings, Remaining, TimeClaim};
use std::collections::BTreeSet;

/// The sentences about a discovery.
pub(super) struct Said {
    pub headline: String,
    pub further: Vec<String>,
    pub details: Vec<Detail>,
    /// Whether this answers what the limiter enforces.
    pub is_an_answer: bool,
}

/// Says what was found.
pub(super) fn say(of: &Discovery, findings: &Findings) -> Said {
    let whose = whose(of, findings);
    if of.candidates.is_empty() {
        let (headline, is_an_answer) = unexplained(of, findings, whose);
        return Said {
            headline,
            further: counted_alone(of).chain(delayed(of)).collect(),
            details: shared_details(of, findings),
            is_an_answer,
        };
    }
    let mut headline = limits(&of.candidates, whose);
    if are_shared(of) {
        headline += &nodes(of).map_or_else(String::new, |nodes| format!(", {nodes}"));
    }
    let mut further: Vec<String> = counted_alone(of).collect();
    further.extend(delayed(of));
    further.extend(blocked(&of.candidates).map(|blocked| format!("{blocked}.")));
    further.extend(claims(of, &findings.claims).map(|claim| claim + "."));
    let mut details = measured(of);
    details.extend(shared_details(of, findings));
    details.extend(claim_details(of, &findings.claims));
    Said {
        headline: headline + ".",
        further,
        details,
        is_an_answer: true,
    }
}

/// Whether all targets share a count.
fn are_shared(of: &Discovery) -> bool {
    let mut others = of.shared.by_targets.iter().skip(1);
    others.all(|one| *one == Shares::Yes)
}

/// What does not share a count, or perhaps does not.
fn counted_alone(of: &Discovery) -> impl Iterator<Item = String> + use<> {
    let is_open = of.requests.blocked > 0 && !are_shared(of);
    let nodes = nodes(of).filter(|_| is_open);
    let connections = (of.shared.by_connections == Shares::No)
        .then(|| "Each connection counts alone.".to_owned());
    nodes
        .map(|nodes| capitalized(&nodes) + ".")
        .into_iter()
        .chain(connections)
}

fn delayed(of: &Discovery) -> Option<String> {
    let delay = of.delay?;
    let longest = span(Nanos(delay.longest_ns));
    Some(format!(
        "Requests beyond the rate are delayed, by up to {longest}, before any is blocked."
    ))
}

/// Whose requests count together.
fn whose(of: &Discovery, findings: &Findings) -> &'static str {
    match of.shared.by_keys {
        _ if of.keys == 0 => "",
        Shares::Yes => " of all keys together",
        Shares::No => " of each key",
        Shares::Unknown if findings.grouping.keys_apart => " of a key",
        Shares::Unknown => "",
    }
}

/// The limits of all candidates.
fn limits(candidates: &[Candidate], whose: &str) -> String {
    let numbers: BTreeSet<String> = candidates
        .iter()
        .map(|candidate| numbers(candidate, whose))
        .collect();
    let both = if candidates.len() == 2 {
        "both"
    } else {
        "each of them"
    };
    // Candidates with the same numbers differ in their algorithm only.
    if let (1, Some(numbers)) = (numbers.len(), numbers.first()) {
        let mut ways: Vec<String> = Vec::new();
        for candidate in candidates {
            let way = algorithms(candidate);
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        let fits = if ways.len() > 1 {
            format!(" (the answers fit {both})")
        } else {
            String::new()
        };
        return format!("{numbers}, {}{fits}", ways.join(" or "));
    }
    let more = match candidates.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; or {more} more"),
    };
    let each: Vec<_> = candidates
        .iter()
        .take(NAMED)
        .map(|candidate| {
            format!(
                "{}, {}",
                self::numbers(candidate, whose),
                algorithms(candidate)
            )
        })
        .collect();
    format!("{}{more} (the answers fit {both})", each.join("; or "))
}

/// The most candidates that are named in the sentence, and that have a line.
const NAMED: usize = 3;
const LISTED: usize = 8;

fn numbers(candidate: &Candidate, whose: &str) -> String {
    let limits = candidate.limits.iter().map(|limit| {
        let window = Nanos(limit.window_ns);
        let requests = count(limit.limit, "request", "requests");
        let rate = format!("{requests}{whose} per {}{}", seconds(window), error(limit));
        if limit.algorithm == "token-bucket" {
            format!("{rate}, and {} at once", limit.burst)
        } else {
            rate
        }
    });
    limits.collect::<Vec<_>>().join(", and ")
}

/// How far the true window may be from the stated one.
fn error(limit: &EnforcedLimit) -> String {
    format!(" (± {})", span(Nanos(limit.window_error_ns.max(1))))
}

/// Two ends, rounded outwards to about a tenth of their distance.
fn between(least: u64, most: u64) -> String {
    let width = most.saturating_sub(least).max(1);
    let unit = 10_u64.pow((width / 10).checked_ilog10().unwrap_or(0));
    let (from, to) = (
        least / unit * unit,
        most.div_ceil(unit).saturating_mul(unit),
    );
    format!("{} to {}", Nanos(from), Nanos(to))
}

fn range(least: u64, most: u64) -> String {
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}

fn algorithms(candidate: &Candidate) -> String {
    let all: Vec<_> = candidate.limits.iter().map(algorithm).collect();
    all.join(" and ")
}

/// How a limiter counts.
fn algorithm(limit: &EnforcedLimit) -> &'static str {
    match (&*limit.algorithm, &*limit.kind) {
        ("sliding-window", _) => "in a sliding window",
        ("fixed-window", "clock") if limit.begins_on_multiples == Some(true) => {
            "in windows laid by a clock, on its multiples"
        }
        ("fixed-window", "clock") => "in windows laid by a clock",
        ("fixed-window", "admission") => "in windows that begin with the first request",
        ("fixed-window", _) => "in windows laid by a clock for each key",
        ("token-bucket", _) => "by a token bucket",
        ("sliding-counter", "clock") => "by a sliding counter with the windows of a clock",
        _ => "by a sliding counter whose windows begin with a key's first request",
    }
}

fn nodes(of: &Discovery) -> Option<String> {
    let all = of.targets.len();
    let others = of.shared.by_targets.get(1..).unwrap_or_default();
    if others.is_empty() {
        return None;
    }
    let with = |shares: Shares| {
        let numbered = (2..).zip(others).filter(move |(_, one)| **one == shares);
        numbered
            .map(|(number, _): (usize, _)| number.to_string())
            .collect::<Vec<_>>()
    };
    let (shared, alone) = (with(Shares::Yes), with(Shares::No));
    Some(if shared.len() == others.len() {
        match all {
            2 => "shared by both nodes".to_owned(),
            _ => format!("shared by all {all} nodes"),
        }
    } else if alone.len() == others.len() {
        format!("each of the {all} nodes counts alone")
    } else if shared.is_empty() && alone.is_empty() {
        format!("whether the {all} nodes share it is unknown")
    } else {
        let mut parts = Vec::new();
        if !shared.is_empty() {
            parts.push(format!("node {} shares it with node 1", shared.join(", ")));
        }
        if !alone.is_empty() {
            parts.push(format!("node {} counts alone", alone.join(", ")));
        }
        parts.join(", ")
    })
}

/// Whether blocked requests count. In the windows of a fixed window and in a bucket, that makes no difference.
fn blocked(candidates: &[Candidate]) -> Option<&'static str> {
    let limits = || candidates.iter().flat_map(|candidate| &candidate.limits);
    let tells = |limit: &EnforcedLimit| {
        limit.algorithm == "sliding-window" || limit.algorithm == "sliding-counter"
    };
    if !limits().any(tells) {
        return None;
    }
    let (count, not) = (
        limits().any(|limit| limit.counts_blocked),
        limits().any(|limit| tells(limit) && !limit.counts_blocked),
    );
    Some(match (count, not) {
        (true, true) => "Whether blocked requests count is unknown",
        (true, false) => "Blocked requests count, too",
        (false, _) => "Blocked requests don't count",
    })
}

/// Whether the headers are right, in a few words each.
fn claims(of: &Discovery, claims: &Claims) -> impl Iterator<Item = String> {
    let times = [&claims.retry_after, &claims.reset].into_iter().flatten();
    let (right, others): (Vec<_>, Vec<_>) = times.partition(|claim| claim.is_right());
    let names: Vec<_> = right.iter().map(|claim| claim.header).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let right = (!names.is_empty()).then(|| format!("{} {are} right", names.join(" and ")));
    let others: Vec<_> = others.into_iter().map(short_claim).collect();
    right
        .into_iter()
        .chain(others)
        .chain(wrong_limit(of, claims))
}

fn short_claim(claim: &TimeClaim) -> String {
    let header = claim.header;
    if claim.compared == 0 {
        return format!("{header} claims {} s, which was not tested", claim.last);
    }
    let mut wrong = Vec::new();
    if claim.early > Nanos::ZERO {
        wrong.push(format!("up to {} early", span(claim.early)));
    }
    if claim.late > Nanos::ZERO {
        wrong.push(format!("up to {} late", span(claim.late)));
    }
    if wrong.is_empty() {
        format!("{header} is right")
    } else {
        format!("{header} is {}", wrong.join(" and "))
    }
}

/// Whether a header's times are true, as a sentence.
pub(super) fn claim(claim: &TimeClaim) -> String {
    let compared = count(claim.compared, "time was", "times were");
    let after = if claim.compared == 0 {
        String::new()
    } else {
        format!(": {compared} compared with the next admission")
    };
    format!("{}{after}.", short_claim(claim))
}

/// The limits that the headers name, if none of them was found.
fn wrong_limit(of: &Discovery, claims: &Claims) -> Option<String> {
    let found = |limit: &u64| {
        let limits = of.candidates.iter().flat_map(|candidate| &candidate.limits);
        let mut limits = limits.flat_map(|one| [one.limit, one.burst_least, one.burst_most]);
        limits.any(|one| one == *limit)
    };
    let wrong = claims.limits.iter().find(|limit| !found(limit))?;
    Some(format!("A header names a limit of {wrong}"))
}

/// How exactly the numbers are known.
fn measured(of: &Discovery) -> Vec<Detail> {
    let mut details = Vec::new();
    for candidate in of.candidates.iter().take(LISTED) {
        for limit in &candidate.limits {
            let windows = between(limit.window_least_ns, limit.window_most_ns);
            let requests = count(limit.limit, "request", "requests");
            let mut statement = format!("{requests} per {windows}");
            if limit.algorithm == "token-bucket" {
                let burst = range(limit.burst_least, limit.burst_most);
                statement += &format!(", {burst} at once");
            }
            details.push(Detail::new("fits", format!("{}: {statement}", name(limit))));
        }
    }
    let answers = of.requests.allowed + of.requests.blocked;
    let sure = if of.candidates.len() == 1 {
        format!("no other limiter that loadgen knows explains all {answers} answers")
    } else {
        format!(
            "each of these explains all {answers} answers, and no other limiter that loadgen knows does"
        )
    };
    details.push(Detail::new("sure", sure));
    details
}

/// The algorithm, with its kind if it has several.
fn name(limit: &EnforcedLimit) -> String {
    if matches!(&*limit.algorithm, "fixed-window" | "sliding-counter") {
        format!("{} by {}", limit.algorithm, limit.kind)
    } else {
        limit.algorithm.clone()
    }
}

fn shared_details(of: &Discovery, findings: &Findings) -> Vec<Detail> {
    let mut details = Vec::new();
    if findings.blocked == 0 {
        return details;
    }
    if of.keys > 0 {
        details.push(Detail::new(
            "keys",
            match of.shared.by_keys {
                Shares::Yes => "share one count: fresh keys were blocked as well",
                Shares::No => {
                    "each have their own count: fresh keys were admitted while one was blocked"
                }
                Shares::Unknown => "may or may not share a count",
            },
        ));
    }
    details.push(Detail::new(
        "connections",
        match of.shared.by_connections {
            Shares::Yes => "share the count: fresh connections were blocked as well",
            Shares::No => {
                "each have their own count: fresh connections were admitted while another was blocked"
            }
            Shares::Unknown => "may or may not share the count",
        },
    ));
    details.extend(nodes(of).map(|nodes| Detail::new("nodes", nodes)));
    details
}

fn claim_details(of: &Discovery, claims: &Claims) -> Vec<Detail> {
    let times = of.claims.iter();
    let mut details: Vec<_> = times
        .map(|claim| Detail::new("header", claim.statement.trim_end_matches('.')))
        .collect();
    match claims.remaining {
        Some(Remaining::Of(limit)) => details.push(Detail::new(
            "header",
            format!("remaining counts down from {limit}, one for each admission"),
        )),
        // A bucket and a sliding counter have forgotten some by then.
        Some(Remaining::Inconsistent) if counts_whole_windows(of) => details.push(Detail::new(
            "header",
            "remaining does not count the admissions of a fresh key one by one",
        )),
        Some(Remaining::Inconsistent) | None => {}
    }
    details
}

/// Whether a fresh key's admissions all count until its window ends.
fn counts_whole_windows(of: &Discovery) -> bool {
    let mut limits = of.candidates.iter().flat_map(|candidate| &candidate.limits);
    limits.all(|limit| limit.algorithm.ends_with("-window"))
}

/// What is known if no limiter explains the answers, and whether that is an answer.
fn unexplained(of: &Discovery, findings: &Findings, whose: &str) -> (String, bool) {
    let lasted = seconds(Nanos(of.lasted_ns / 1_000_000 * 1_000_000));
    let failed = of.requests.failed + of.requests.unanswered;
    let sent = count(of.requests.sent, "request", "requests");
    let causes_named = causes(of);
    let is_failing = of.ending == DiscoveryEnding::Failing;
    // The last ones ended it.
    let failed_last = of.answers.iter().rev();
    let failed_last = failed_last
        .take_while(|answer| answer.outcome == AnswerOutcome::Failed)
        .count() as u64;
    let are_the_last = failed_last == failed && of.answers.len() as u64 == of.requests.sent;
    if is_failing && are_the_last && of.requests.allowed > 0 && of.requests.blocked == 0 {
        let admitted = count(of.requests.allowed, "request was", "requests were");
        let hint = match of.causes.first().and_then(|cause| cause.status) {
            Some(status) => format!("If that is how the limiter blocks, say --blocked {status}."),
            None => {
                "A limiter that blocks like this can't be told from a target that fails.".to_owned()
            }
        };
        let headline =
            format!("{admitted} allowed, and then {failed} in a row failed{causes_named}. {hint}");
        return (headline, false);
    }
    if is_failing || failed == of.requests.sent {
        let headline = format!(
            "Nothing is known, because {failed} of {sent} were neither allowed nor blocked{causes_named}."
        );
        return (headline, false);
    }
    if of.requests.blocked == 0 && failed > 0 {
        let headline = format!(
            "No request was blocked, but {failed} of {sent} failed{causes_named}, so that nothing is known of a limit."
        );
        return (headline, false);
    }
    if of.requests.blocked == 0 {
        let admitted = count(findings.admitted, "request", "requests");
        let most = findings.most_in_a_second;
        let is_answer = of.ending != DiscoveryEnding::Stopped;
        return (
            format!("No limit up to {admitted}{whose} in {lasted}, and {most} in a second."),
            is_answer,
        );
    }
    if of.requests.allowed == 0 {
        return (
            format!("Every request was blocked, the first one too, for {lasted}."),
            false,
        );
    }
    if let Some((after, time)) = findings.last_block
        && findings.admitted_at_once == Some(after)
        && findings.admitted == after
        && time * 2 >= findings.lasted
        && failed == 0
    {
        let again = [&findings.claims.retry_after, &findings.claims.reset];
        let claims: Vec<_> = again
            .into_iter()
            .flatten()
            .map(|claim| format!("; {} claims {} s", claim.header, claim.last))
            .collect();
        let headline = format!(
            "Blocked after {}{whose}; not one was admitted again within {}{}.",
            count(after, "request", "requests"),
            seconds(Nanos(time.0 / 1_000_000 * 1_000_000)),
            claims.concat()
        );
        return (headline, of.ending != DiscoveryEnding::Stopped);
    }
    let at_once = findings
        .admitted_at_once
        .map_or_else(String::new, |at_once| {
            format!(
                " {} admitted before the first block.",
                count(at_once, "request was", "requests were")
            )
        });
    let failing = match failed {
        0 => String::new(),
        failed => format!(" {failed} of {sent} failed{causes_named}, and each may have counted."),
    };
    let headline = format!("No limiter that loadgen knows explains the answers.{at_once}{failing}");
    (headline, false)
}

/// What requests failed by, behind a colon; empty if that is unknown.
fn causes(of: &Discovery) -> String {
    let causes: Vec<_> = of
        .causes
        .iter()
        .take(CAUSES)
        .map(ToString::to_string)
        .collect();
    if causes.is_empty() {
        String::new()
    } else {
        format!(": {}", causes.join(", "))
    }
}

/// The most causes of failure that are named.
const CAUSES: usize = 3;

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

impl Detail {
    fn new(about: &str, statement: impl Into<String>) -> Detail {
        Detail {
            about: about.to_owned(),
            statement: statement.into(),
        }
    }
}
