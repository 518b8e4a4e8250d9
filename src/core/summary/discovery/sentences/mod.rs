//! What was found, as a person would say it.

mod headers;
#[cfg(test)]
mod tests;
mod unexplained;

use super::{Candidate, Detail, Discovery, EnforcedLimit, Shares};
use crate::base::Nanos;
use crate::base::text::{count, seconds, span};
use crate::core::discovery::Findings;
pub(super) use headers::claim;
use headers::{claim_details, claims};
use std::collections::BTreeSet;
use unexplained::unexplained;

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
fn algorithm(limit: &EnforcedLimit) -> String {
    let way = match (&*limit.algorithm, &*limit.kind) {
        ("sliding-window", _) => "in a sliding window",
        ("fixed-window", "clock") if limit.begins_on_multiples == Some(true) => {
            let window = seconds(Nanos(limit.window_ns));
            return format!("in windows that a clock lays, at multiples of {window}");
        }
        ("fixed-window", "clock") => "in windows that a clock lays",
        ("fixed-window", "admission") => "in windows that begin with the first request",
        ("fixed-window", _) => "in windows that a clock lays for each key",
        ("token-bucket", _) => "by a token bucket",
        ("sliding-counter", "clock") => "by a sliding counter with the windows of a clock",
        _ => "by a sliding counter whose windows begin with a key's first request",
    };
    way.to_owned()
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
