//! The conditions on the run's numbers.

use super::events::WrittenEvents;
use super::values::boolean;
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::core::plan;
use crate::core::threshold::Threshold;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds")]
pub struct Thresholds {
    /// A condition on the run's numbers, such as `latency.p99 < 50ms`, `failed.rate < 0.1%`, `blocked.rate between 10%
    /// and 40%`, `allowed.per_second < 1.7/s`, `target[1].latency.p99 < 20ms` or `audit = kept`. The exit code is 4 if
    /// it is missed. May be repeated; the variable has one threshold per line
    #[arg(long = "threshold", env = "LOADGEN_THRESHOLD", hide_env_values = true, value_name = "THRESHOLD",
          value_parser = opt(threshold_lines))]
    pub threshold: Vec<Opt<ThresholdLines>>,

    /// Stop the run, with its summary, as soon as a threshold can no longer be met
    #[arg(long, env = "LOADGEN_ABORT_ON_FAIL", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub abort_on_fail: Opt<bool>,
}

/// The most thresholds. With `--abort-on-fail`, each one on a percentile or a mean takes 0.1 ms every second, so this
/// many take 2 % of a core.
const MOST: usize = 200;

impl Thresholds {
    /// The thresholds of a run against `targets` targets, with those of its files of events. A threshold on the audit
    /// requires an audit.
    pub(super) fn plan(
        &self,
        arguments: &Arguments<Options>,
        targets: usize,
        is_audited: bool,
        events: &WrittenEvents<'_>,
    ) -> Result<plan::Thresholds, Refusal> {
        let mut all = Vec::new();
        for given in &self.threshold {
            for threshold in &given.0 {
                if let Err(allowed) = check(threshold, targets, is_audited) {
                    return Err(arguments.refuse_part(given, &threshold.text, allowed));
                }
                all.push(threshold.clone());
                if all.len() > MOST {
                    let allowed = format!("must be at most {MOST} thresholds");
                    return Err(arguments.refuse(given, allowed));
                }
            }
        }
        let expected = events.thresholds(|threshold| check(threshold, targets, is_audited))?;
        if all.len() + expected.len() > MOST {
            let most =
                format!("--threshold and --events: must be at most {MOST} thresholds in all");
            return Err(Refusal::line(&most));
        }
        all.extend(expected);
        // A variable may be set for all runs.
        let is_needless = all.is_empty() && arguments.is_flag(&self.abort_on_fail);
        if *self.abort_on_fail && is_needless {
            return Err(arguments.refuse(&self.abort_on_fail, "needs --threshold"));
        }
        Ok(plan::Thresholds {
            all,
            abort_on_fail: *self.abort_on_fail,
        })
    }
}

/// Checks that a run has the target and the audit that a threshold needs. The error says what is allowed.
fn check(threshold: &Threshold, targets: usize, is_audited: bool) -> Result<(), String> {
    if threshold.target().is_some_and(|place| place >= targets) {
        let allowed = match targets {
            1 => "must be 1, the only target".to_owned(),
            _ => format!("must be a target's number, from 1 to {targets}"),
        };
        return Err(threshold.target_error(allowed).to_string());
    }
    if threshold.needs_audit() && !is_audited {
        return Err("needs --audit".to_owned());
    }
    Ok(())
}

/// The thresholds of one value: a variable may have several.
#[derive(Debug, Clone)]
pub struct ThresholdLines(pub Vec<Threshold>);

/// Reads one threshold per line, and skips empty lines.
fn threshold_lines(text: &str) -> Result<ThresholdLines, String> {
    let is_one_line = !text.trim_end_matches(['\r', '\n']).contains('\n');
    let mut thresholds = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let threshold = line.parse::<Threshold>().map_err(|wrong| {
            if is_one_line {
                wrong.to_string()
            } else {
                format!("line {number}, {wrong}")
            }
        });
        thresholds.push(threshold?);
    }
    if thresholds.is_empty() {
        // The grammar says what is missing.
        let missing = text.parse::<Threshold>().map_err(|wrong| wrong.to_string());
        thresholds.push(missing?);
    }
    Ok(ThresholdLines(thresholds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_lines() {
        let texts = |text: &str| {
            let lines = threshold_lines(text)?.0.into_iter();
            Ok::<_, String>(lines.map(|one| one.text).collect::<Vec<_>>())
        };
        let two = Ok(vec!["audit = kept".to_owned(), "tls.max < 1s".to_owned()]);
        for text in [
            "audit = kept\ntls.max < 1s",
            "\n audit = kept\r\n\n  tls.max < 1s \n",
        ] {
            assert_eq!(texts(text), two, "{text:?}");
        }
        for (text, begins) in [
            ("audit = keep", "column 9: must be one of kept, broken"),
            ("audit = keep\n", "column 9: must be one of kept, broken"),
            (
                "\ntls.max < 1s\n audit = keep",
                "line 3, column 10: must be one of kept, broken",
            ),
            ("", "column 1: must be one of latency"),
            ("\n\n", "column "),
        ] {
            let wrong = texts(text).expect_err(text);
            assert!(wrong.starts_with(begins), "{text:?}: {wrong}");
        }
    }
}
