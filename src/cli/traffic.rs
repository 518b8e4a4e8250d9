//! The options of the schedule.

use super::values::{boolean, duration, number, with_point};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::Nanos;
use crate::base::text::some_time;
use crate::base::text::whole;
use crate::core::replay::Replay;
use crate::core::schedule::{Alignment, Arrivals, Bursts, Poisson, Profile, Rate, Schedule};
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub struct Traffic {
    /// The steady rate, in requests per second, or with a unit: 10/s, 600/m. Fractions are allowed: 0.5 is one
    /// request every two seconds
    #[arg(long, short = 'q', env = "LOADGEN_RPS", hide_env_values = true, value_name = "RATE", value_parser = rps,
          default_value = "10", allow_hyphen_values = true)]
    pub rps: Rate,

    /// How long to run: seconds, or 90s, 2m, 1h30m. 0 runs until stopped. A profile or a replay runs to its own
    /// end, unless this option is given and ends it earlier
    #[arg(long, short = 'z', env = "LOADGEN_DURATION", hide_env_values = true, value_name = "TIME", value_parser = opt(duration),
          default_value = "60", allow_hyphen_values = true)]
    pub duration: Opt<Duration>,

    /// How many requests to schedule. The run ends as soon as the last of them is due. A profile or a --duration that
    /// was given may end it earlier
    #[arg(long, short = 'n', env = "LOADGEN_COUNT", hide_env_values = true, value_name = "N", value_parser = count,
          allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// Whether the rate has bursts
    #[arg(long, env = "LOADGEN_BURST_ENABLED", hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "true", num_args = 0..=1, default_missing_value = "true")]
    pub burst_enabled: bool,

    /// The rate of a burst is this many times the steady rate
    #[arg(long, env = "LOADGEN_BURST_MULTIPLIER", hide_env_values = true, value_name = "FACTOR", value_parser = multiplier,
          default_value = "5", allow_hyphen_values = true)]
    pub burst_multiplier: f64,

    /// How long a burst lasts
    #[arg(long, env = "LOADGEN_BURST_DURATION", hide_env_values = true, value_name = "TIME", value_parser = opt(some_time),
          default_value = "5", allow_hyphen_values = true)]
    pub burst_duration: Opt<Duration>,

    /// The time from one burst's start to the next, and from the run's start to the first burst's
    #[arg(long, env = "LOADGEN_BURST_INTERVAL", hide_env_values = true, value_name = "TIME", value_parser = opt(some_time),
          default_value = "30", allow_hyphen_values = true)]
    pub burst_interval: Opt<Duration>,

    /// Start bursts at multiples of the limiter's window on the clock. The run waits for the right moment
    /// to start, and the interval is rounded up to whole windows
    #[arg(long, env = "LOADGEN_BURST_ALIGN", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub burst_align: Opt<bool>,

    /// The rate over time, instead of a steady rate with bursts. One or more pieces, separated by commas:
    /// `50/s for 30s`, `ramp 50/s to 500/s over 2m`, `sine 100/s ± 50/s every 1m for 5m` (or +-),
    /// `pause 10s`, `burst 500/s for 5s`, `burst 2000 at once`. `50/s` as the last piece lasts for ever;
    /// `repeat` or `repeat 3 times` at the end repeats all pieces. Rates are per second, minute or hour: /s,
    /// /m, /h
    #[arg(long, env = "LOADGEN_PROFILE", hide_env_values = true, value_name = "PIECES", value_parser = str::parse::<Profile>,
          conflicts_with_all = ["rps", "burst_enabled", "burst_multiplier", "burst_duration", "burst_interval"],
          allow_hyphen_values = true)]
    pub profile: Option<Profile>,

    /// How requests are spaced: `uniform` at equal intervals, or `poisson` at random ones, like the
    /// requests of many independent callers. The mean rate is the same
    #[arg(long, env = "LOADGEN_ARRIVALS", hide_env_values = true, value_name = "KIND", value_parser = arrivals,
          default_value = "uniform")]
    pub arrivals: ArrivalKind,
}

/// How requests are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalKind {
    Uniform,
    Poisson,
}

impl Traffic {
    /// The due times of the run against a limiter with this window.
    pub(super) fn schedule(
        &self,
        arguments: &Arguments<Options>,
        window: Nanos,
        replay: Option<Replay>,
    ) -> Result<Schedule, Refusal> {
        // The default duration does not apply to a profile, a replay or a count that was given.
        let has_own_end = self.profile.is_some() || self.count.is_some() || replay.is_some();
        let is_limited = !has_own_end || arguments.is_given(&self.duration);
        let end = (is_limited && !self.duration.is_zero()).then(|| Nanos::from(*self.duration));
        if let Some(replay) = replay {
            let schedule = Schedule::replay(replay, end);
            return Ok(match self.count {
                None => schedule,
                Some(count) => schedule.with_count(count),
            });
        }
        let profile = match &self.profile {
            Some(profile) => profile.clone(),
            None => self.default_profile(arguments, window)?,
        };
        let arrivals = match self.arrivals {
            ArrivalKind::Uniform => Arrivals::Uniform,
            ArrivalKind::Poisson => {
                let seed = *arguments.options.generator.seed;
                Arrivals::Poisson(Box::new(Poisson::new(seed)))
            }
        };
        let schedule = Schedule::new(profile, end).with_arrivals(arrivals);
        Ok(match self.count {
            None => schedule,
            Some(count) => schedule.with_count(count),
        })
    }

    /// The alignment of the start with the clock. `None` without `--burst-align`.
    pub(super) fn alignment(
        &self,
        arguments: &Arguments<Options>,
        schedule: &Schedule,
        window: Nanos,
    ) -> Result<Option<Alignment>, Refusal> {
        if !*self.burst_align {
            return Ok(None);
        }
        let aligned = Alignment::new(schedule, window).map_err(|why| {
            let needs = format!("needs bursts, whole windows of --window ({window}) apart");
            arguments.refuse(&self.burst_align, format!("{needs}; {why}"))
        });
        aligned.map(Some)
    }

    fn default_profile(
        &self,
        arguments: &Arguments<Options>,
        window: Nanos,
    ) -> Result<Profile, Refusal> {
        if !self.burst_enabled {
            return Ok(Profile::steady(self.rps));
        }
        let mut bursts = self.bursts(arguments)?;
        if *self.burst_align {
            bursts = bursts.whole_windows_apart(window);
        }
        Ok(bursts.into())
    }

    fn bursts(&self, arguments: &Arguments<Options>) -> Result<Bursts, Refusal> {
        let (length, interval) = (&self.burst_duration, &self.burst_interval);
        if **length >= **interval {
            // If only one of them was given, that one is refused.
            let only_interval = arguments.is_given(interval) && !arguments.is_given(length);
            return Err(if only_interval {
                let allowed = format!("must be longer than --burst-duration ({:?})", **length);
                arguments.refuse(interval, allowed)
            } else {
                let allowed = format!("must be shorter than --burst-interval ({:?})", **interval);
                arguments.refuse(length, allowed)
            });
        }
        // The steady rate is at most 10⁶/s and the multiplier at most 10³, so the product is a valid rate.
        let burst = (self.rps.nano() as f64 * self.burst_multiplier).round() as u64;
        let burst = Rate::from_nano(burst.min(Rate::MAX.nano()));
        let [length, interval] = [**length, **interval].map(Nanos::from);
        Ok(Bursts::new(self.rps, burst, length, interval))
    }
}

/// Keeps the rate of a burst within [`Rate::MAX`].
const MAX_MULTIPLIER: f64 = 1_000.0;

pub(super) fn rps(text: &str) -> Result<Rate, String> {
    let (least, most) = (Rate::MIN_STEADY, Rate::MAX_STEADY);
    let rate = match number(text) {
        Some(per_second) => Rate::per_second(per_second),
        None => text.parse().ok(),
    };
    rate.filter(|rps| (least..=most).contains(rps))
        .ok_or_else(|| {
            let form = format!(
                "must be requests per second, from {least} to {most}, or a rate such as 10/s, 600/m or 3600/h"
            );
            with_point(text, form)
        })
}

fn multiplier(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|factor| (1.0..=MAX_MULTIPLIER).contains(factor))
        .ok_or_else(|| with_point(text, format!("must be a number from 1 to {MAX_MULTIPLIER}")))
}

/// Over three times as many as a million per second for the longest duration.
const MAX_COUNT: u64 = 1_000_000_000_000_000;

fn count(text: &str) -> Result<u64, String> {
    whole(text, 1..=MAX_COUNT)
}

fn arrivals(text: &str) -> Result<ArrivalKind, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "uniform" => Ok(ArrivalKind::Uniform),
        "poisson" => Ok(ArrivalKind::Poisson),
        _ => Err("must be uniform or poisson".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_positive_finite_and_at_most_a_million() {
        for good in ["10", "0.5", "1000000", "1e3", "0.000001"] {
            assert!(rps(good).is_ok(), "{good}");
        }
        for (text, per_second) in [("10/s", "10"), (" 600 / m ", "10"), ("1800/hour", "0.5")] {
            assert_eq!(rps(text), rps(per_second), "{text}");
        }
        for bad in [
            "0",
            "-1",
            "NaN",
            "inf",
            "-inf",
            "1000000.1",
            "",
            "ten",
            "1e-7",
            "10/ms",
            "10/",
            "/s",
            "10/s/s",
            "0/s",
            "60000001/m",
            "0,5",
        ] {
            assert!(rps(bad).is_err(), "{bad}");
        }
    }
}
