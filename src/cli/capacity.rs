//! The options of `loadgen capacity`, beside those of a run.

use super::traffic::rps;
use super::values::{boolean, duration, number, with_point};
use super::{Arguments, Opt, Options, Refusal, Setup, opt};
use crate::base::Nanos;
use crate::base::text::time;
use crate::core::capacity::Bounds;
use crate::core::schedule::Rate;
use crate::core::threshold::{Scope, Threshold};
use crate::report::Output;
use clap::builder::Resettable;
use clap::{Arg, Args};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
pub struct SearchOptions {
    /// The rate of the first step
    #[arg(long, env = "LOADGEN_FROM", hide_env_values = true, value_name = "RATE", value_parser = opt(rps),
          default_value = "100/s", allow_hyphen_values = true)]
    from: Opt<Rate>,

    /// The highest rate to try
    #[arg(long, env = "LOADGEN_TO", hide_env_values = true, value_name = "RATE", value_parser = opt(rps),
          default_value = "50000/s", allow_hyphen_values = true)]
    to: Opt<Rate>,

    /// How long each step keeps its rate up. A step ends early if a threshold can no longer be met
    #[arg(long, env = "LOADGEN_STEP", hide_env_values = true, value_name = "TIME", value_parser = opt(step),
          default_value = "10s", allow_hyphen_values = true)]
    step: Opt<Duration>,

    /// How close the search comes: the lowest rate that does not hold is at most this much above the highest one that holds
    #[arg(long, env = "LOADGEN_PRECISION", hide_env_values = true, value_name = "SHARE", value_parser = precision,
          default_value = "5%", allow_hyphen_values = true)]
    precision: f64,

    /// The pause after each step, in which the limiter settles
    #[arg(long, env = "LOADGEN_SETTLE", hide_env_values = true, value_name = "TIME", value_parser = settle,
          default_value = "2s", allow_hyphen_values = true)]
    settle: Duration,

    /// Keep the rate that was found up for this long, and say whether it holds. 0 does not
    #[arg(long, env = "LOADGEN_CONFIRM", hide_env_values = true, value_name = "TIME", value_parser = duration,
          default_value = "0", allow_hyphen_values = true)]
    confirm: Duration,

    /// Only print the steps of the search, how long it takes and how many requests it sends, at most
    #[arg(long, env = "LOADGEN_DRY_RUN", hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    dry_run: bool,
}

/// A requested search for the highest rate that holds, as checked values.
#[derive(Debug)]
pub struct CapacitySetup {
    /// What the steps have in common. The schedule and the keys are those of each step.
    pub run: Setup,
    pub bounds: Bounds,
    pub step: Nanos,
    pub settle: Duration,
    /// The length of the confirmation, if there is one.
    pub confirm: Option<Nanos>,
    /// Whether nobody said which thresholds a step has to meet.
    pub has_default_thresholds: bool,
    /// Whether to print what the search may do, and nothing else.
    pub is_dry_run: bool,
}

/// The thresholds of a search if none is given.
const DEFAULT_THRESHOLDS: [&str; 2] = ["latency.p99 < 50ms", "failed.rate < 0.1%"];

/// The threshold of an audited search.
const AUDIT_KEPT: &str = "audit = kept";

/// The options of a run that a search sets by itself, each with what to do instead.
const SET_BY_THE_SEARCH: [(&str, &str); 27] = [
    ("rps", RATES),
    ("profile", RATES),
    ("burst_enabled", STEADY),
    ("burst_multiplier", STEADY),
    ("burst_duration", STEADY),
    ("burst_interval", STEADY),
    ("burst_align", STEADY),
    ("duration", LENGTH),
    ("count", LENGTH),
    (
        "probe",
        "must be left out: the steps of a search are too short for it",
    ),
    (
        "reuse_keys",
        "must be left out: each step has keys of its own",
    ),
    ("at", EVENTS),
    ("undo", EVENTS),
    ("events", EVENTS),
    ("undo_timeout", EVENTS),
    ("accept_marks", EVENTS),
    ("replay", RATES),
    ("replay_format", RATES),
    ("replay_key", RATES),
    ("speed", RATES),
    ("loop", RATES),
    ("skip_unreadable", RATES),
    ("stripe", ALONE),
    ("stripes", ALONE),
    ("start_at", ALONE),
    ("join_late", ALONE),
    ("clock_error", ALONE),
];

const RATES: &str = "must be left out: the search sets the rates, from --from to --to";
const STEADY: &str = "must be left out: each step of the search has a steady rate";
const EVENTS: &str = "must be left out: events are of a single run, and a search has many";
const ALONE: &str = "must be left out: a search runs on one machine, and starts at once";
const LENGTH: &str = "must be left out: each step of the search takes --step";

/// Adapts the definition of an option of a run: those that the search sets are hidden, and their variables, which may be set
/// for all runs, are ignored.
pub(super) fn adapt(option: Arg) -> Arg {
    let id = option.get_id().as_str();
    let is_set = SET_BY_THE_SEARCH.iter().any(|(set, _)| *set == id);
    let is_file = crate::report::FORMATS
        .iter()
        .any(|format| format.option == id && !format.is_for_capacity());
    if is_set || is_file {
        option.hide(true).env(Resettable::Reset)
    } else {
        option
    }
}

impl CapacitySetup {
    /// # Errors
    /// The options contradict each other, or one of them is not for a search.
    pub fn new(
        arguments: &Arguments<Options>,
        options: &SearchOptions,
    ) -> Result<CapacitySetup, Refusal> {
        refuse_others(arguments)?;
        let (from, to, step) = (&options.from, &options.to, &options.step);
        if **from > **to {
            // If only one of them was given, that one is refused.
            let only_to = arguments.is_given(to) && !arguments.is_given(from);
            return Err(if only_to {
                arguments.refuse(to, format!("must be no less than --from ({}/s)", **from))
            } else {
                arguments.refuse(from, format!("must be no more than --to ({}/s)", **to))
            });
        }
        let length = Nanos::from(**step);
        if from.as_f64() * length.as_secs_f64() < 1.0 {
            let allowed = format!("must be a request or more in each step of {length}");
            return Err(arguments.refuse(from, allowed));
        }
        let mut run = Setup::new(arguments)?;
        run.outputs
            .retain(|output: &Output| output.format.is_for_capacity());
        let is_hidden = |option: &str| {
            let mut all = arguments.command.get_arguments();
            all.any(|argument| argument.is_hide_set() && argument.get_long() == Some(option))
        };
        run.settings.retain(|setting| !is_hidden(&setting.option));
        run.repeating_command.text = as_capacity(&run.repeating_command.text);
        let plan = &mut run.plan;
        let is_audited = plan.audit.as_ref().is_some_and(|audit| audit.asked);
        if !is_audited {
            // A demo is audited by default. Nobody asked for that here.
            plan.audit = None;
        }
        if let Some(audit) = &mut plan.audit {
            audit.probe = false;
        }
        let thresholds = &mut plan.thresholds;
        let has_default_thresholds = thresholds.all.is_empty();
        if has_default_thresholds {
            thresholds.all.extend(DEFAULT_THRESHOLDS.map(read));
        }
        if is_audited && !thresholds.all.iter().any(Threshold::needs_audit) {
            thresholds.all.push(read(AUDIT_KEPT));
        }
        let abort = &arguments.options.thresholds.abort_on_fail;
        thresholds.abort_on_fail = **abort || !arguments.is_flag(abort);
        if let Some(audit) = &plan.audit {
            let limits = audit.promises.iter().flat_map(|promise| &promise.limits);
            let window = limits.map(|limit| limit.quota.window).max();
            if let Some(window) = window.filter(|window| length < *window) {
                let allowed = format!(
                    "must be at least {window:#}, the limiter's window, so that each step can be audited"
                );
                return Err(arguments.refuse(step, allowed));
            }
        }
        Ok(CapacitySetup {
            run,
            bounds: Bounds {
                from: **from,
                to: **to,
                precision: options.precision,
            },
            step: length,
            settle: options.settle,
            confirm: (!options.confirm.is_zero()).then(|| options.confirm.into()),
            has_default_thresholds,
            is_dry_run: options.dry_run,
        })
    }
}

/// Reads a threshold of this file.
fn read(text: &str) -> Threshold {
    text.parse().expect("a threshold")
}

/// Refuses the flags that are not for a search.
fn refuse_others(arguments: &Arguments<Options>) -> Result<(), Refusal> {
    let refuse = |id: &str, allowed: &str| {
        if arguments.source(id) != Some(clap::parser::ValueSource::CommandLine) {
            return Ok(());
        }
        let values = arguments.matches.get_raw(id).into_iter().flatten();
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        Err(Refusal::wrong(
            &arguments.name_of(id),
            &values.join(" "),
            allowed,
        ))
    };
    for (id, allowed) in SET_BY_THE_SEARCH {
        refuse(id, allowed)?;
    }
    for given in &arguments.options.thresholds.threshold {
        let mut parts = given.0.iter();
        if let Some(part) = parts.find(|one| matches!(one.scope, Scope::Event(_) | Scope::Phase(_)))
        {
            let allowed =
                "must be about the whole run or a target: a step has a steady rate, and no events";
            return Err(arguments.refuse_part(given, &part.text, allowed));
        }
    }
    for format in crate::report::FORMATS {
        if !format.is_for_capacity() {
            let allowed = "must be left out: a search has --report and --summary-json";
            refuse(format.option, allowed)?;
        }
    }
    Ok(())
}

/// The command of a run as that of a search.
fn as_capacity(command: &str) -> String {
    let rest = command.strip_prefix("loadgen").unwrap_or_default();
    format!("loadgen capacity{rest}")
}

fn step(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(100)..=Duration::from_secs(3600),
        "from 100ms to 1h",
    )
}

fn settle(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::ZERO..=Duration::from_secs(3600),
        "from 0 to 1h",
    )
}

/// Reads a share, as a percentage or a fraction.
fn precision(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.001..=1.0).contains(share))
        .ok_or_else(|| {
            let form = "must be a share such as 5% or 0.05, from 0.1% to 100%";
            with_point(text, form.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    #[test]
    fn a_precision_is_a_share_above_0() {
        for (text, share) in [("5%", 0.05), ("0.05", 0.05), (" 0.1 % ", 0.001), ("1", 1.0)] {
            assert_eq!(precision(text), Ok(share), "{text}");
        }
        for bad in ["", "0", "0%", "0.05%", "101%", "-5%", "5", "NaN", "five"] {
            assert!(precision(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_options_that_a_search_sets_exist_and_are_hidden() {
        let command = Cli::command();
        let capacity = command.find_subcommand("capacity").unwrap();
        for (id, _) in SET_BY_THE_SEARCH {
            let mut all = capacity.get_arguments();
            let option = all.find(|option| option.get_id() == id).unwrap();
            assert!(option.is_hide_set() && option.get_env().is_none(), "{id}");
        }
    }

    #[test]
    fn the_default_thresholds_are_thresholds() {
        let texts = DEFAULT_THRESHOLDS.into_iter().chain([AUDIT_KEPT]);
        assert!(texts.map(read).all(|threshold| !threshold.text.is_empty()));
    }
}
