//! Several machines that send one schedule, and the start that they have in common.

use super::generator::Generator;
use super::values::{boolean, duration};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::Nanos;
use crate::base::text::{time, whole};
use crate::core::plan::PlannedStart;
use crate::core::schedule::Schedule;
use crate::core::stripe::{MAX_STRIPES, Stripe};
use clap::{Args, Id};
use jiff::{SignedDuration, Timestamp, Unit};
use std::collections::HashMap;
use std::env;
use std::time::{Duration, SystemTime};

#[derive(Debug, Args)]
#[command(next_help_heading = "Several machines")]
pub struct Stripes {
    /// Send only stripe I of N: every N-th request of the schedule, from request I on. I counts from 0, and N/N stands for
    /// 0/N. N processes with the same options, --seed and --start-at together send exactly what one process would.
    /// `loadgen merge` combines their summaries into one
    #[arg(long, env = "LOADGEN_STRIPE", hide_env_values = true, value_name = "I/N", value_parser = opt(str::parse::<Stripe>),
          allow_hyphen_values = true)]
    pub stripe: Option<Opt<Stripe>>,

    /// Send one of N stripes. The variable JOB_COMPLETION_INDEX has its number, from 0 to N - 1. Kubernetes sets this variable
    /// in the pods of an Indexed Job
    #[arg(long, env = "LOADGEN_STRIPES", hide_env_values = true, value_name = "N", value_parser = opt(stripes),
          conflicts_with = "stripe", allow_hyphen_values = true)]
    pub stripes: Option<Opt<u64>>,

    /// Start at this instant of the wall clock: 2026-01-31T12:00:00Z, or +60s for 60 s from now (not with stripes), or
    /// next-minute for the next full minute that is 5 s or more away
    #[arg(long, env = "LOADGEN_START_AT", hide_env_values = true, value_name = "TIME", value_parser = opt(start),
          allow_hyphen_values = true)]
    pub start_at: Option<Opt<StartAt>>,

    /// If --start-at is in the past, join the schedule at once where it should be by now. The requests that were due before
    /// count as unsent. Without it, such a start is refused
    #[arg(long, env = "LOADGEN_JOIN_LATE", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub join_late: Opt<bool>,

    /// How far this machine's wall clock may be off, at most 1h. By default, it is read from the system (adjtimex, maxerror).
    /// `loadgen audit` widens the times of this machine's requests by it
    #[arg(long, env = "LOADGEN_CLOCK_ERROR", hide_env_values = true, value_name = "TIME", value_parser = clock_error,
          allow_hyphen_values = true)]
    pub clock_error: Option<Duration>,
}

/// A value of `--start-at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    Instant(Timestamp),
    After(Duration),
    NextMinute,
}

/// The time in whole seconds, or in milliseconds if it is shorter.
fn rounded(time: Nanos) -> Nanos {
    let unit = if time.0 < 1_000_000_000 {
        1_000_000
    } else {
        1_000_000_000
    };
    Nanos(time.0.div_ceil(unit) * unit)
}

/// The variable in which Kubernetes counts the pods of an Indexed Job from 0.
pub(super) const INDEX: &str = "JOB_COMPLETION_INDEX";

/// The shortest time from now to the full minute that `next-minute` means.
const NOTICE: SignedDuration = SignedDuration::from_secs(5);

impl StartAt {
    fn instant(self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        match self {
            StartAt::Instant(at) => Ok(at),
            StartAt::After(time) => now.checked_add(time),
            StartAt::NextMinute => {
                let earliest = now.checked_add(NOTICE)?;
                let minute = jiff::TimestampRound::new()
                    .smallest(Unit::Minute)
                    .mode(jiff::RoundMode::Ceil);
                earliest.round(minute)
            }
        }
    }
}

impl Stripes {
    /// The stripe that this process sends.
    pub(super) fn stripe(
        &self,
        arguments: &Arguments<Options>,
        is_demo: bool,
    ) -> Result<Stripe, Refusal> {
        let stripe = self.own_stripe(arguments)?;
        if stripe.is_whole() {
            return Ok(stripe);
        }
        let refuse = |needs: &str| Err(self.refuse(arguments, needs));
        if is_demo {
            return refuse("must be left out with --demo, whose nodes are in this process");
        }
        let generator: &Generator = &arguments.options.generator;
        if !generator.has_chosen_seed() {
            return refuse("needs --seed with a number that all stripes have in common");
        }
        match &self.start_at {
            None => refuse(
                "needs --start-at with an instant that all stripes have in common, or next-minute",
            ),
            Some(start) => match **start {
                StartAt::After(_) => Err(arguments.refuse(
                    start,
                    "must be an instant such as 2026-01-31T12:00:00Z, or next-minute, so that all stripes start at once",
                )),
                StartAt::Instant(_) | StartAt::NextMinute => Ok(stripe),
            },
        }
    }

    /// Takes stripe 0 of so many, from this instant on.
    pub(super) fn take_first_of(&mut self, of: u64, at: Timestamp) {
        if let Some(stripe) = Stripe::new(0, of) {
            let stripe = Opt::in_place(Id::from("stripe"), stripe, stripe.to_string());
            self.stripe = Some(stripe);
        }
        self.start_at = (self.start_at.take())
            .map(|start| Opt::in_place(start.id, StartAt::Instant(at), start.text));
    }

    fn own_stripe(&self, arguments: &Arguments<Options>) -> Result<Stripe, Refusal> {
        if let Some(stripe) = &self.stripe {
            return Ok(**stripe);
        }
        let Some(stripes) = self.stripes.as_ref().filter(|stripes| ***stripes > 1) else {
            return Ok(Stripe::WHOLE);
        };
        let Some(index) = env::var_os(INDEX) else {
            let needs = format!(
                "needs the index of this stripe: {INDEX}, which an Indexed Job sets, or --stripe I/{}",
                **stripes
            );
            return Err(arguments.refuse(stripes, needs));
        };
        let index = index.to_string_lossy();
        let last = **stripes - 1;
        let number = whole(&index, 0..=last);
        let stripe = number.ok().and_then(|index| Stripe::new(index, **stripes));
        stripe.ok_or_else(|| {
            let name = arguments.name(stripes);
            let allowed = format!(
                "must be a whole number from 0 to {last}, since {name} is {}",
                **stripes
            );
            Refusal::wrong(INDEX, &index, &allowed)
        })
    }

    fn refuse(&self, arguments: &Arguments<Options>, needs: &str) -> Refusal {
        match (&self.stripe, &self.stripes) {
            (Some(stripe), _) => arguments.refuse(stripe, needs),
            (None, Some(stripes)) => arguments.refuse(stripes, needs),
            (None, None) => Refusal::wrong("--stripe", "", needs),
        }
    }

    /// The instant at which the run starts; `None` if it starts as soon as it can.
    pub(super) fn start(
        &self,
        arguments: &Arguments<Options>,
    ) -> Result<Option<PlannedStart>, Refusal> {
        let Some(start) = &self.start_at else {
            // A variable may be set for all runs.
            if *self.join_late && arguments.is_flag(&self.join_late) {
                return Err(arguments.refuse(&self.join_late, "needs --start-at"));
            }
            return Ok(None);
        };
        if *arguments.options.traffic.burst_align {
            let align = &arguments.options.traffic.burst_align;
            return Err(
                arguments.refuse(align, "must be false with --start-at, which sets the start")
            );
        }
        let now = SystemTime::now();
        let calendar = Timestamp::try_from(now);
        let instant = calendar.and_then(|now| start.instant(now));
        let at = instant.map_err(|_| arguments.refuse(start, "must be before the year 10000"))?;
        let at = SystemTime::from(at);
        if let Ok(late) = now.duration_since(at)
            && !late.is_zero()
            && !*self.join_late
        {
            let late = rounded(late.into());
            return Err(arguments.refuse(
                start,
                format!("must be in the future; it was {late:#} ago. --join-late joins the schedule where it should be by now"),
            ));
        }
        Ok(Some(PlannedStart {
            at,
            joins_late: *self.join_late,
            asked_by: arguments.name(start),
        }))
    }

    /// Refuses a start so long ago that nothing of the schedule is left.
    pub(super) fn check_end(
        &self,
        arguments: &Arguments<Options>,
        start: &PlannedStart,
        schedule: &Schedule,
    ) -> Result<(), Refusal> {
        let (Some(given), Some(end)) = (&self.start_at, schedule.end()) else {
            return Ok(());
        };
        let late = SystemTime::now().duration_since(start.at);
        let ended = late
            .ok()
            .and_then(|late| Nanos::from(late).checked_sub(end));
        match ended.filter(|ended| *ended > Nanos::ZERO) {
            None => Ok(()),
            Some(ended) => {
                let ended = rounded(ended);
                let why = format!(
                    "must be later; the schedule ended {ended:#} ago, so nothing is left to send"
                );
                Err(arguments.refuse(given, why))
            }
        }
    }

    /// What takes the place of these options in the command that repeats the run: its start would be in the past by then.
    pub(super) fn repeated(&self, stripe: Stripe) -> HashMap<Id, Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut repeated = HashMap::new();
        if let Some(start) = &self.start_at {
            repeated.insert(start.id.clone(), words(&["--start-at", "next-minute"]));
        }
        if let Some(stripes) = &self.stripes {
            let own = match stripe.is_whole() {
                true => Vec::new(),
                false => words(&["--stripe", &stripe.to_string()]),
            };
            repeated.insert(stripes.id.clone(), own);
        }
        repeated
    }

    pub(super) fn clock_error(&self) -> Option<Nanos> {
        self.clock_error.map(Nanos::from)
    }
}

pub(super) fn stripes(text: &str) -> Result<u64, String> {
    whole(text, 1..=MAX_STRIPES)
}

pub(super) fn clock_error(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::ZERO..=Duration::from_secs(3600),
        "from 0 to 1h",
    )
}

/// Reads the instant at which stripes started.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let instant = text.trim().parse();
    instant
        .map_err(|_| "must be an instant with its offset, such as 2026-01-31T12:00:00Z".to_owned())
}

fn start(text: &str) -> Result<StartAt, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("next-minute") {
        return Ok(StartAt::NextMinute);
    }
    if let Some(time) = text.strip_prefix('+') {
        return duration(time).map(StartAt::After);
    }
    let instant = text.parse().map(StartAt::Instant);
    instant.map_err(|_| {
        "must be an instant with its offset, such as 2026-01-31T12:00:00Z, or a time from now such as +60s, or next-minute"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_an_instant_or_comes_after_a_time_or_at_the_next_minute() {
        let now: Timestamp = "2026-01-31T11:59:30.5Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T13:00:00.25+01:00", "2026-01-31T12:00:00.25Z"),
            ("+60s", "2026-01-31T12:00:30.5Z"),
            (" +0 ", "2026-01-31T11:59:30.5Z"),
            ("next-minute", "2026-01-31T12:00:00Z"),
        ] {
            let at = start(text).unwrap().instant(now).unwrap();
            assert_eq!(at.to_string(), expected, "{text}");
        }
        for bad in [
            "",
            "+",
            "12:00",
            "2026-01-31T12:00:00",
            "60s",
            "-60s",
            "tomorrow",
            "+-5s",
        ] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_next_minute_is_far_enough_away_to_be_met() {
        for (now, expected) in [
            ("2026-01-31T11:59:55Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T11:59:55.000000001Z", "2026-01-31T12:01:00Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z"),
        ] {
            let at = StartAt::NextMinute.instant(now.parse().unwrap()).unwrap();
            assert_eq!(at.to_string(), expected, "{now}");
        }
    }
}
