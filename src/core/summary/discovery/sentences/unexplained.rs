//! What is said if no limiter explains the answers.

use super::super::{AnswerOutcome, Discovery, DiscoveryEnding};
use crate::base::Nanos;
use crate::base::text::{count, seconds};
use crate::core::discovery::Findings;

/// The most causes of failure that are named.
const CAUSES: usize = 3;

/// What is known if no limiter explains the answers, and whether that is an answer.
pub fn unexplained(of: &Discovery, findings: &Findings, whose: &str) -> (String, bool) {
    let lasted = seconds(Nanos(of.lasted_ns / 1_000_000 * 1_000_000));
    let failed = of.requests.failed + of.requests.unanswered;
    if of.requests.sent == 0 {
        return ("Nothing was asked.".to_owned(), false);
    }
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
        let blocked_for = seconds(Nanos(time.0 / 1_000_000 * 1_000_000));
        let after = count(after, "request", "requests");
        if let Some((short, long)) = findings.rest {
            let headline = format!(
                "No limiter that loadgen knows explains the answers. Blocked after {after}{whose}. A key that goes on being \
                 asked stays blocked: not one request was admitted within {blocked_for}. A key that is left alone is \
                 admitted again after {} to {}.",
                seconds(short),
                seconds(long)
            );
            return (headline, false);
        }
        let again = [&findings.claims.retry_after, &findings.claims.reset];
        let claims: Vec<_> = again
            .into_iter()
            .flatten()
            .map(|claim| format!("; {} claims {} s", claim.header, claim.last))
            .collect();
        let headline = format!(
            "Blocked after {after}{whose}; not one was admitted again within {blocked_for}{}.",
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
