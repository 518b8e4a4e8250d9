//! The options of the audit.

use super::generator::random_seed;
use super::promise::Promised;
use super::values::{boolean, duration, number, with_point};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::Nanos;
use crate::core::audit::{PriorUse, Promise, Quota};
use crate::core::plan::{AuditPlan, Plan, PlannedStart};
use crate::core::replay::{RecordedKeys, RecordedRequests};
use crate::core::request::{Placeholder, RequestTemplate};
use crate::core::stripe::Stripe;
use crate::core::summary::{COMPLETE, FILES};
use crate::report::Output;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Audit")]
pub struct Audit {
    #[command(flatten)]
    pub judging: Judging,

    /// Let the audit send requests of its own, with keys of its own: more than the limit admits, and again
    /// after the time in Retry-After
    #[arg(long, env = "LOADGEN_PROBE", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "true", num_args = 0..=1, default_missing_value = "true")]
    pub probe: Opt<bool>,

    /// Take the keys from --seed, as in an earlier run with that seed. By default, the keys of an audited run are new.
    /// An earlier run may have spent part of their limit, so blocked requests prove nothing then
    #[arg(long, env = "LOADGEN_REUSE_KEYS", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub reuse_keys: Opt<bool>,
}

/// What the limiter is held to. A run and recorded requests are audited with these options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit")]
pub struct Judging {
    /// Judge whether the limiter kept its promise to each key. A name alone takes --limit and --window:
    /// `sliding-window` (or `sliding-log`), `fixed-window`, `token-bucket` or `sliding-counter`. `auto`, or the flag
    /// alone, accepts any of these. A promise may have its own limit: `sliding-window 100/60s`; `fixed-window 20/2s by clock`, where
    /// all keys' windows begin at the same times; `token-bucket 10/s burst 5`, a rate with another burst;
    /// `sliding-counter 20/2s`, two windows of which the earlier one is weighted. Several limits are joined by
    /// `and`: `token-bucket 10/s and sliding-window 100/60s`. `off` judges nothing. The default is `auto` with
    /// --demo and for recorded requests, otherwise `off`
    #[arg(long, env = "LOADGEN_AUDIT", hide_env_values = true, value_name = "PROMISE", value_parser = opt(audit),
          num_args = 0..=1, default_missing_value = "auto")]
    pub audit: Option<Opt<String>>,

    /// The most memory that the audit may use, such as 64MiB. If all keys need more, it judges a sample of them
    #[arg(long, env = "LOADGEN_AUDIT_MEMORY", hide_env_values = true, value_name = "SIZE", value_parser = opt(memory),
          default_value = "64MiB", allow_hyphen_values = true)]
    pub audit_memory: Opt<usize>,

    /// How far apart the clocks of the limiter's nodes may be, at most half of the window. By default 5ms, or
    /// a tenth of the window if that is less
    #[arg(long, env = "LOADGEN_CLOCK_TOLERANCE", hide_env_values = true, value_name = "TIME", value_parser = opt(duration),
          allow_hyphen_values = true)]
    pub clock_tolerance: Option<Opt<Duration>>,

    /// By how much the limiter may exceed its limit, such as 5% or 0.05, for a limiter that approximates
    #[arg(long, env = "LOADGEN_EXCESS_TOLERANCE", hide_env_values = true, value_name = "SHARE", value_parser = opt(excess),
          default_value = "0", allow_hyphen_values = true)]
    pub excess_tolerance: Opt<f64>,
}

impl Judging {
    /// The promise to judge, as text; `None` for none.
    pub(super) fn promise(&self, by_default: Option<&'static str>) -> Option<&str> {
        match &self.audit {
            None => by_default,
            Some(text) => (**text != OFF).then_some(text),
        }
    }

    pub(super) fn clock_tolerance<O>(
        &self,
        window: Nanos,
        arguments: &Arguments<O>,
    ) -> Result<Nanos, Refusal> {
        let Some(given) = &self.clock_tolerance else {
            return Ok(DEFAULT_CLOCK_TOLERANCE.min(Nanos(window.0 / 10)));
        };
        let (tolerance, most) = (Nanos::from(**given), Nanos(window.0 / 2));
        if tolerance > most {
            let allowed = format!("must be from 0ms to {most}, half of the window");
            return Err(arguments.refuse(given, allowed));
        }
        Ok(tolerance)
    }
}

/// The reason why the recorded requests of different keys can't be told apart, as far as that is certain or likely.
fn why_no_limiter_knows_the_keys(recorded: &RecordedRequests) -> Option<String> {
    match (recorded.keys, recorded.alike) {
        // All requests are those of one key.
        (RecordedKeys::None | RecordedKeys::Own(..2), _) => None,
        (_, Some([first, second])) => Some(format!(
            "lines {first} and {second} are the same request with different keys"
        )),
        _ if recorded.hiding_key == recorded.count && recorded.told_apart_by.is_none() => {
            Some("no request contains its key, and no header tells the keys apart".to_owned())
        }
        _ => None,
    }
}

impl Audit {
    /// The promise to audit, as text. Without `--audit`, only a demo is audited.
    pub(super) fn promise(&self, is_demo: bool) -> Option<&str> {
        self.judging.promise(is_demo.then_some(AUTO))
    }

    /// The seed of the keys' random digits. The keys of an audited run are its own, even with a chosen seed: any other
    /// run that spent part of their limit would make a right limiter look wrong.
    pub(super) fn key_seed(
        &self,
        arguments: &Arguments<Options>,
        is_audited: bool,
        common_start: Option<&PlannedStart>,
    ) -> Result<u64, Refusal> {
        let generator = &arguments.options.generator;
        let is_repeated = is_audited && generator.has_chosen_seed();
        // A variable may be set for all runs.
        if *self.reuse_keys && !is_repeated && arguments.is_flag(&self.reuse_keys) {
            return Err(arguments.refuse(&self.reuse_keys, "needs --audit and --seed"));
        }
        let are_own = is_repeated && !*self.reuse_keys;
        let seed = *generator.seed;
        Ok(match common_start {
            _ if !are_own => seed,
            None => random_seed(),
            // All stripes of a run have the same keys, and runs at other times have others.
            Some(start) => start.own_seed(seed),
        })
    }

    /// The plan of the audit; `None` if nothing is audited.
    pub(super) fn plan(
        &self,
        arguments: &Arguments<Options>,
        promised: &Promised,
        is_demo: bool,
        request: &RequestTemplate,
        stripe: Stripe,
        recorded: Option<&RecordedRequests>,
    ) -> Result<Option<AuditPlan>, Refusal> {
        let Some(promises) = promised.promises.clone() else {
            self.refuse_needless(arguments)?;
            return Ok(None);
        };
        // A variable may be set for all runs.
        if *self.probe && arguments.is_flag(&self.probe) && !stripe.is_whole() {
            let why = "must be false with several stripes: their answers are judged together by loadgen audit, and one \
                       stripe's probe would be judged by none";
            return Err(arguments.refuse(&self.probe, why));
        }
        let has_keys = request.has(Placeholder::Key);
        let options = &arguments.options;
        if let Some(recorded) = recorded
            && let Some(replay) = &options.replay.replay
            && has_keys
            && !recorded.have_keys()
            && !request.keeps_key(recorded)
        {
            let allowed = "must have keys for --audit, with --replay-key, because its requests replace a part of the run's own \
                           that has {key}; or put {key} into a --header";
            return Err(arguments.refuse(replay, allowed));
        }
        if let Some(recorded) = recorded
            && let Some(replay) = &options.replay.replay
            && !request.keeps_key(recorded)
            && let Some(why) = why_no_limiter_knows_the_keys(recorded)
        {
            let allowed = format!(
                "must have requests that carry their keys for --audit, since a limiter can only count keys that it sees, but \
                 {why}; put {{key}} into a --header, or choose another --replay-key"
            );
            return Err(arguments.refuse(replay, allowed));
        }
        let has_recorded_keys = recorded.is_some_and(RecordedRequests::have_keys);
        let are_reused = *self.reuse_keys && options.generator.has_chosen_seed();
        let are_own =
            has_keys && !has_recorded_keys && options.keys.keys_file.is_none() && !are_reused;
        Ok(Some(AuditPlan {
            promises,
            asked: self.judging.audit.is_some(),
            probe: *self.probe && has_keys && stripe.is_whole(),
            // A demo's nodes have just been started, so nobody has used their keys.
            prior_use: if is_demo || are_own {
                PriorUse::None
            } else {
                PriorUse::Anyone
            },
            memory: *self.judging.audit_memory,
            clock_tolerance: self
                .judging
                .clock_tolerance(promised.shortest_window(), arguments)?,
            excess_tolerance: *self.judging.excess_tolerance,
        }))
    }

    /// The command that judges all stripes of a run together, with their files in place of `FILES`. `None` if this process has
    /// the whole schedule, or no verdict was asked for.
    ///
    /// # Errors
    /// The process would write no file of its requests, so that nothing could be judged.
    pub(super) fn command_of_stripes(
        &self,
        arguments: &Arguments<Options>,
        plan: &Plan,
        outputs: &[Output],
    ) -> Result<Option<String>, Refusal> {
        let (Some(asked), Some(audit)) = (&self.judging.audit, &plan.audit) else {
            return Ok(None);
        };
        if plan.is_whole() {
            return Ok(None);
        }
        let is_requests = |output: &Output| output.format.option == REQUESTS;
        if !outputs.iter().any(is_requests) {
            let why = "needs --requests with several stripes, since loadgen audit judges them by their files of requests";
            return Err(arguments.refuse(asked, why));
        }
        let mut words = vec![format!("loadgen audit {FILES}")];
        words.extend(arguments.given_again(&RECORDED));
        if audit.prior_use == PriorUse::None {
            words.push(COMPLETE.to_owned());
        }
        Ok(Some(words.join(" ")))
    }

    /// Refuses flags that have no effect without an audit. Variables are not refused: they may be set for all runs.
    fn refuse_needless(&self, arguments: &Arguments<Options>) -> Result<(), Refusal> {
        if *self.probe && arguments.is_flag(&self.probe) {
            return Err(arguments.refuse(&self.probe, NEEDS_AUDIT));
        }
        if arguments.is_flag(&self.judging.audit_memory) {
            return Err(arguments.refuse(&self.judging.audit_memory, NEEDS_AUDIT));
        }
        if let Some(tolerance) = &self.judging.clock_tolerance
            && arguments.is_flag(tolerance)
        {
            return Err(arguments.refuse(tolerance, NEEDS_AUDIT));
        }
        if arguments.is_flag(&self.judging.excess_tolerance) {
            return Err(arguments.refuse(&self.judging.excess_tolerance, NEEDS_AUDIT));
        }
        Ok(())
    }
}

/// The value of `--audit` that accepts a promise of any kind.
pub(super) const AUTO: &str = "auto";

/// The value of `--audit` that audits nothing.
const OFF: &str = "off";

/// The option whose file `loadgen audit` reads.
const REQUESTS: &str = "requests";

/// The options of a run that mean the same to `loadgen audit`.
const RECORDED: [&str; 10] = [
    "audit",
    "limit",
    "window",
    "timeout",
    "cost",
    "keys-file",
    "key-prefix",
    "audit-memory",
    "clock-tolerance",
    "excess-tolerance",
];

const NEEDS_AUDIT: &str = "needs --audit";

/// NTP over a local network keeps clocks 2 to 5 ms apart.
const DEFAULT_CLOCK_TOLERANCE: Nanos = Nanos(5_000_000);

/// Checks a promise, with any limit in the place of one that it leaves out.
fn audit(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text == OFF {
        return Ok(text.to_owned());
    }
    let any = Quota::new(1, Nanos(1_000_000_000));
    match Promise::alternatives(text, any) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) if error.column == 1 => {
            let hint = match &*text.to_ascii_lowercase() {
                "true" | "yes" | "on" | "1" => "; --audit alone means auto",
                "false" | "no" | "0" | "none" => "; did you mean off?",
                _ => "",
            };
            Err(format!("{error} (or auto, or off){hint}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a share, from 0 to 1, as a percentage or a fraction.
fn excess(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| {
            let form = "must be a share such as 5% or 0.05, from 0 to 100%";
            with_point(text, form.to_owned())
        })
}

/// Reads a size, in bytes, from 1 MiB to 64 GiB.
fn memory(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, u64); 4] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ];
    let text = text.trim();
    let read = UNITS.into_iter().find_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.trim_end();
        number.parse::<u64>().ok()?.checked_mul(bytes)
    });
    read.filter(|bytes| (1 << 20..=1 << 36).contains(bytes))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| {
            "must be a whole number of bytes, KiB, MiB or GiB, from 1MiB to 64GiB".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_whole_number_with_a_unit() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            (" 2 GiB", 2 << 30),
            ("1024KiB", 1 << 20),
            ("1048576", 1 << 20),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "MiB",
            "64MB",
            "1.5GiB",
            "-1MiB",
            "1023KiB",
            "65GiB",
            "99999999999999999999GiB",
        ] {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_excess_is_a_share_or_a_percentage() {
        for (text, share) in [
            ("5%", 0.05),
            ("0.05", 0.05),
            (" 100 % ", 1.0),
            ("0", 0.0),
            ("1", 1.0),
        ] {
            assert_eq!(excess(text), Ok(share), "{text}");
        }
        for bad in ["", "%", "5", "101%", "-1%", "NaN", "five"] {
            assert!(excess(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_promise_is_a_name_or_has_limits_of_its_own() {
        for good in [
            "auto",
            " off ",
            "sliding-window",
            "token-bucket 10/s burst 5 and fixed-window 100/60s by clock",
        ] {
            assert_eq!(audit(good).as_deref(), Ok(good.trim()));
        }
        for (bad, says) in [
            (
                "sliding",
                "column 1: must be one of sliding-window, fixed-window, token-bucket, sliding-counter",
            ),
            ("", "(or auto, or off)"),
            ("sliding-window 100", "column 19: "),
        ] {
            let refused = audit(bad).expect_err(bad);
            assert!(refused.contains(says), "{refused}");
        }
    }
}
