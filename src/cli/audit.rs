//! The options of the audit.

use super::generator::random_seed;
use super::values::{boolean, duration, number};
use super::{Arguments, Nodes, Opt, Options, Refusal, opt};
use crate::base::Nanos;
use crate::core::audit::{PriorUse, Promise, Quota};
use crate::core::plan::AuditPlan;
use crate::core::request::{Placeholder, RequestTemplate};
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Audit")]
pub struct Audit {
    #[command(flatten)]
    pub judging: Judging,

    /// Let the audit send requests of its own, with keys of its own: more than the limit admits, and again
    /// after the time in Retry-After
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "true", num_args = 0..=1, default_missing_value = "true")]
    pub probe: Opt<bool>,

    /// Take the keys from --seed, as in an earlier run with that seed. By default, the keys of an audited run are new.
    /// An earlier run may have spent part of their limit, so blocked requests prove nothing then
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub reuse_keys: Opt<bool>,
}

/// What the limiter is held to. A run and recorded requests are audited with these options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit")]
pub struct Judging {
    /// Judge whether the limiter kept its promise of --limit requests of each key per --window. The
    /// promise is a `sliding-window`, a `fixed-window` or a `token-bucket`; `auto` finds out which of them
    /// it can be; `off` judges nothing. The default is `auto` with --demo and
    /// for recorded requests, otherwise `off`
    #[arg(long, env, hide_env_values = true, value_name = "PROMISE", value_parser = opt(text),
          num_args = 0..=1, default_missing_value = "auto")]
    pub audit: Option<Opt<String>>,

    /// The most memory that the audit may use, such as 64MiB. If all keys need more, it judges a sample of them
    #[arg(long, env, hide_env_values = true, value_name = "SIZE", value_parser = opt(memory),
          default_value = "64MiB", allow_hyphen_values = true)]
    pub audit_memory: Opt<usize>,

    /// How far apart the clocks of the limiter's nodes may be, at most half of the window. By default 5ms, or
    /// a tenth of the window if that is less
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = opt(duration),
          allow_hyphen_values = true)]
    pub clock_tolerance: Option<Opt<Duration>>,

    /// By how much the limiter may exceed its limit, such as 5% or 0.05, for a limiter that approximates
    #[arg(long, env, hide_env_values = true, value_name = "SHARE", value_parser = opt(excess),
          default_value = "0", allow_hyphen_values = true)]
    pub excess_tolerance: Opt<f64>,
}

impl Judging {
    /// The promises, of which the limiter has to keep one. `None` if nothing is to be judged. A promise without numbers
    /// takes those of `quota`.
    pub(super) fn promises<O>(
        &self,
        by_default: &str,
        quota: Quota,
        arguments: &Arguments<O>,
    ) -> Result<Option<Vec<Promise>>, Refusal> {
        if !self.is_asked(by_default) {
            return Ok(None);
        }
        let text = self.audit.as_ref().map_or(by_default, |text| text);
        let promises = Promise::alternatives(text, quota).map_err(|why| match &self.audit {
            Some(audit) => arguments.refuse(audit, why.to_string()),
            None => unreachable!("the default is a promise"),
        })?;
        Ok(Some(promises))
    }

    /// Whether anything is to be judged.
    fn is_asked(&self, by_default: &str) -> bool {
        let text = self.audit.as_ref().map_or(by_default, |text| text);
        text.trim() != "off"
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

impl Audit {
    /// The seed of the keys' random digits. The keys of an audited run are its own, even with a chosen seed: any other
    /// run that spent part of their limit would make a right limiter look wrong.
    pub(super) fn key_seed(
        &self,
        arguments: &Arguments<Options>,
        nodes: &Nodes,
    ) -> Result<u64, Refusal> {
        let generator = &arguments.options.generator;
        let is_repeated = self.judging.is_asked(by_default(nodes)) && generator.has_chosen_seed();
        // A variable may be set for all runs.
        if *self.reuse_keys && !is_repeated && arguments.is_flag(&self.reuse_keys) {
            return Err(arguments.refuse(&self.reuse_keys, "needs --audit and --seed"));
        }
        let are_own = is_repeated && !*self.reuse_keys;
        Ok(if are_own {
            random_seed()
        } else {
            *generator.seed
        })
    }

    pub(super) fn plan(
        &self,
        arguments: &Arguments<Options>,
        nodes: &Nodes,
        request: &RequestTemplate,
    ) -> Result<Option<AuditPlan>, Refusal> {
        let quota = arguments.options.requests.quota.promised();
        let judging = &self.judging;
        let Some(promises) = judging.promises(by_default(nodes), quota, arguments)? else {
            self.refuse_needless(arguments)?;
            return Ok(None);
        };
        let has_keys = request.has(Placeholder::Key);
        let options = &arguments.options;
        let are_reused = *self.reuse_keys && options.generator.has_chosen_seed();
        let are_own = has_keys && options.keys.keys_file.is_none() && !are_reused;
        // A demo's nodes have just been started, so nobody has used their keys.
        let is_demo = matches!(nodes, Nodes::Demo { .. });
        Ok(Some(AuditPlan {
            promises,
            asked: self.judging.audit.is_some(),
            probe: *self.probe && has_keys,
            prior_use: if is_demo || are_own {
                PriorUse::None
            } else {
                PriorUse::Anyone
            },
            memory: *self.judging.audit_memory,
            clock_tolerance: self
                .judging
                .clock_tolerance(options.requests.quota.window(), arguments)?,
            excess_tolerance: *self.judging.excess_tolerance,
        }))
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

const NEEDS_AUDIT: &str = "needs --audit";

/// NTP over a local network keeps clocks 2 to 5 ms apart.
const DEFAULT_CLOCK_TOLERANCE: Nanos = Nanos(5_000_000);

/// Without `--audit`, only a demo is audited.
fn by_default(nodes: &Nodes) -> &'static str {
    match nodes {
        Nodes::Demo { .. } => "auto",
        Nodes::Targets(_) => "off",
    }
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
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
        .ok_or_else(|| "must be a share such as 5% or 0.05, from 0 to 100%".to_owned())
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
}
