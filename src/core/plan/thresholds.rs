//! What is asked of the run's numbers.

use super::{Audit, Cluster};
use crate::cli::{Arguments, Options, Refusal};
use crate::core::threshold::{Claim, Threshold};
use crate::limiter::Demo;
use clap::parser::ValueSource;

#[derive(Debug, Default)]
pub struct Thresholds {
    /// In the order in which they were given.
    pub all: Vec<Threshold>,
    /// Whether the run stops once one can no longer be met.
    pub abort_on_fail: bool,
}

/// If the run is to stop for one, each of a percentile or a mean takes 0.1 ms once a second: all of them 2 % of a core.
const MOST: usize = 200;

/// Targets are those that there are, and of an audit there is one. What a flag asks of thresholds that there are not is
/// refused.
pub(super) fn thresholds(
    arguments: &Arguments<Options>,
    cluster: &Cluster,
    audit: Option<&Audit>,
) -> Result<Thresholds, Refusal> {
    let given = &arguments.options.thresholds;
    let all = given.threshold.iter().flat_map(|lines| &lines.0).cloned();
    let all: Vec<_> = all.collect();
    if all.len() > MOST {
        let allowed = format!("must be at most {MOST} thresholds");
        return Err(arguments.refuse("threshold", allowed));
    }
    let targets = match cluster {
        Cluster::Targets(targets) => targets.len(),
        Cluster::Demo { .. } => Demo::NODES,
    };
    for threshold in &all {
        let refuse = |allowed| Err(arguments.refuse_one("threshold", &threshold.text, allowed));
        if threshold
            .claim
            .target()
            .is_some_and(|place| place >= targets)
        {
            let column = threshold.target_column();
            let allowed = match targets {
                1 => format!("column {column}: must be 1, the only target"),
                _ => format!("column {column}: must be a target's number, from 1 to {targets}"),
            };
            return refuse(allowed);
        }
        if threshold.claim == Claim::AuditKept && audit.is_none() {
            return refuse("needs --audit".to_owned());
        }
    }
    let by_flag = arguments.source("abort_on_fail") == Some(ValueSource::CommandLine);
    if given.abort_on_fail && by_flag && all.is_empty() {
        return Err(arguments.refuse("abort_on_fail", "needs --threshold"));
    }
    Ok(Thresholds {
        all,
        abort_on_fail: given.abort_on_fail,
    })
}
