//! The conditions on the run's numbers.

use super::events::WrittenEvents;
use super::values::boolean;
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::core::events::{PlannedEvent, titled};
use crate::core::plan;
use crate::core::schedule::Schedule;
use crate::core::stripe::Stripe;
use crate::core::threshold::{Scope, Threshold, is_phase};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds")]
pub struct Thresholds {
    /// A condition on the run's numbers, such as `latency.p99 < 50ms`, `failed.rate < 0.1%`, `blocked.rate between 10%
    /// and 40%`, `allowed.per_second < 1.7/s`, `target[1].latency.p99 < 20ms`, `phase[burst].latency.p99 < 50ms`,
    /// `event[redis goes].recovery < 2s` or `audit = kept`. The exit code is 4 if it is missed. May be repeated; the
    /// variable has one threshold per line
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
    /// Refuses the flag that would let a stripe, which has a part of the requests, stop because of thresholds on all of them. A
    /// variable may be set for all runs, and has no effect there.
    pub(super) fn check_stripe(
        &self,
        arguments: &Arguments<Options>,
        stripe: Stripe,
    ) -> Result<(), Refusal> {
        let abort = &self.abort_on_fail;
        if **abort && !stripe.is_whole() && arguments.is_flag(abort) {
            let why = "must be left out with several stripes: thresholds are judged on all of them, by loadgen merge";
            return Err(arguments.refuse(abort, why));
        }
        Ok(())
    }

    /// The thresholds of a run with these subjects, with those of its files of events. A threshold on the audit requires an
    /// audit.
    pub(super) fn plan(
        &self,
        arguments: &Arguments<Options>,
        subjects: &Subjects,
        events: &WrittenEvents<'_>,
    ) -> Result<plan::Thresholds, Refusal> {
        let mut all = Vec::new();
        for given in &self.threshold {
            for threshold in &given.0 {
                if let Err(allowed) = subjects.check(threshold) {
                    return Err(arguments.refuse_part(given, &threshold.text, allowed));
                }
                all.push(threshold.clone());
                if all.len() > MOST {
                    let allowed = format!("must be at most {MOST} thresholds");
                    return Err(arguments.refuse(given, allowed));
                }
            }
        }
        let expected = events.thresholds(|threshold| subjects.check(threshold))?;
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

/// What the thresholds of a run can be about.
pub(super) struct Subjects<'a> {
    pub targets: usize,
    pub is_audited: bool,
    pub schedule: &'a Schedule,
    pub events: &'a [PlannedEvent],
    /// Whether anybody may mark an event in the course of the run.
    pub accepts_marks: bool,
}

/// The most phases of a schedule that are looked at. No profile has more before it repeats.
const PHASES: usize = 10_000;

/// The most names that a refusal lists.
const NAMES: usize = 10;

impl Subjects<'_> {
    /// Checks that the run has what a threshold is about. The error says what is allowed.
    fn check(&self, threshold: &Threshold) -> Result<(), String> {
        let wrong = match &threshold.scope {
            Scope::All => None,
            Scope::Target(place) => self.no_target(*place),
            Scope::Event(title) => self.no_event(title),
            Scope::Phase(name) => self.no_phase(name),
        };
        if let Some(allowed) = wrong {
            return Err(threshold.scope_error(allowed).to_string());
        }
        if threshold.needs_audit() && !self.is_audited {
            return Err("needs --audit".to_owned());
        }
        Ok(())
    }

    fn no_target(&self, place: usize) -> Option<String> {
        (place >= self.targets).then(|| match self.targets {
            1 => "must be 1, the only target".to_owned(),
            targets => format!("must be a target's number, from 1 to {targets}"),
        })
    }

    fn no_event(&self, title: &str) -> Option<String> {
        let mut titles = Vec::new();
        for event in self.events {
            titles.push(titled(&event.name, false));
            titles.extend(event.undo.as_ref().map(|_| titled(&event.name, true)));
        }
        if self.accepts_marks || titles.iter().any(|known| known == title) {
            return None;
        }
        if titles.is_empty() {
            return Some("must be the name of an event, and this run has none".to_owned());
        }
        Some(format!("must be the name of an event: {}", listed(&titles)))
    }

    fn no_phase(&self, name: &str) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        let mut modes: Vec<String> = Vec::new();
        for phase in self.schedule.phases().take(PHASES) {
            let (phase, mode) = (phase.name(), phase.mode());
            if is_phase(name, &phase, mode) {
                return None;
            }
            if names.len() <= NAMES && !names.contains(&phase) {
                names.push(phase);
            }
            let mode = mode.name().to_owned();
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        }
        names.retain(|name| !modes.contains(name));
        Some(format!(
            "must be a phase of this run, {}, or all of a mode: {}",
            listed(&names),
            listed(&modes)
        ))
    }
}

/// The first names, separated by commas.
fn listed(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMES)].join(", ");
    if names.len() > NAMES {
        text += ", …";
    }
    text
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
