use crate::base::{FailureCause, Target};
use crate::core::stats::{FailureExample, Failures, Results};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

/// The failed requests of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Failure"))]
pub struct FailureSummary {
    /// The kind of failure, such as `timeout` or `refused`.
    pub kind: String,
    /// The answers' status, if that or their content is why the requests failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Such as `speaks HTTP/2`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// How many requests failed so.
    pub count: u64,
    /// The first requests of this kind and status, at most three.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub examples: Vec<FailedRequest>,
}

/// One failed request, and what was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedRequest {
    /// The request's number, from 0, in the order of the schedule.
    pub sequence: u64,
    /// The target's base URL.
    pub target: String,
    /// When it was sent, in nanoseconds since the schedule's start.
    pub sent_ns: u64,
    /// The error as the library or the system reported it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Status line, headers, an empty line and at most 512 bytes of the body, or the first bytes of what was not HTTP. Values
    /// that may be secrets are masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<String>,
}

impl FailureSummary {
    /// The cause without its reason, such as `404`, `200 unmatched` or `timeout`.
    pub fn name(&self) -> String {
        match self.status {
            Some(status) if self.kind == "unmatched" => format!("{status} unmatched"),
            Some(status) => status.to_string(),
            None => self.kind.clone(),
        }
    }

    /// All causes, the most frequent first.
    pub fn all(failures: &Failures) -> Vec<FailureSummary> {
        let summary = |(cause, count): (FailureCause, u64)| FailureSummary {
            kind: cause.kind.to_string(),
            status: cause.status,
            reason: cause.reason.map(|reason| reason.text().to_owned()),
            count,
            examples: Vec::new(),
        };
        sorted(failures.by_cause().map(summary))
    }

    /// All causes of a run, with examples.
    pub(super) fn of_run(results: &Results, targets: &[Target]) -> Vec<FailureSummary> {
        let mut all = FailureSummary::all(&results.tally.failures());
        for example in &results.failure_examples {
            let FailureExample { cause, .. } = example;
            let reason = cause.reason.map(|reason| reason.text());
            let is_of = |failure: &&mut FailureSummary| {
                failure.kind == cause.kind.name()
                    && failure.status == cause.status
                    && failure.reason.as_deref() == reason
            };
            // A request that was interrupted at the end counts as abandoned instead.
            if let Some(failure) = all.iter_mut().find(is_of) {
                failure.examples.push(FailedRequest {
                    sequence: example.sequence,
                    target: targets[example.target].to_string(),
                    sent_ns: example.sent.since(results.start).0,
                    error: example.error.clone(),
                    answer: example.answer.clone(),
                });
            }
        }
        all
    }
}

impl fmt::Display for FailureSummary {
    /// Such as `404 ×30` or `protocol ×2 (speaks HTTP/2)`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ×{}", self.name(), self.count)?;
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

/// The causes, or without any, as in a summary of an earlier version, the kinds.
pub(super) fn causes_or_kinds(
    causes: &[FailureSummary],
    kinds: &BTreeMap<String, u64>,
) -> Vec<FailureSummary> {
    if !causes.is_empty() {
        return causes.to_vec();
    }
    sorted(kinds.iter().map(|(kind, count)| FailureSummary {
        kind: kind.clone(),
        status: None,
        reason: None,
        count: *count,
        examples: Vec::new(),
    }))
}

fn sorted(causes: impl Iterator<Item = FailureSummary>) -> Vec<FailureSummary> {
    let mut causes: Vec<_> = causes.collect();
    causes.sort_by_key(|cause| Reverse(cause.count));
    causes
}
