//! Whether headers are right.

use super::super::{Detail, Discovery};
use crate::base::Nanos;
use crate::base::text::{count, span};
use crate::core::discovery::{Claims, Remaining, TimeClaim};

/// Whether the headers are right, in a few words each.
pub fn claims(of: &Discovery, claims: &Claims) -> impl Iterator<Item = String> {
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
pub fn claim(claim: &TimeClaim) -> String {
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

/// How sure that is.
pub fn claim_details(of: &Discovery, claims: &Claims) -> Vec<Detail> {
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
