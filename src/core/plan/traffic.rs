//! When the requests are due.

use crate::base::Nanos;
use crate::cli::{self, Options, Refusal, Traffic};
use crate::core::schedule::{Alignment, Arrivals, Bursts, Poisson, Profile, Rate, Schedule};

type Arguments = cli::Arguments<Options>;

pub(super) fn schedule(arguments: &Arguments) -> Result<Schedule, Refusal> {
    let Traffic {
        duration, arrivals, ..
    } = &arguments.options.traffic;
    let given = profile(arguments)?;
    // The default duration is the default profile's.
    let limited = given.is_none() || arguments.is_given("duration");
    let end = (limited && !duration.is_zero()).then(|| Nanos::from(*duration));
    let profile = match given {
        Some(profile) => profile.clone(),
        None => default_profile(arguments)?,
    };
    let arrivals = match arrivals {
        cli::Arrivals::Uniform => Arrivals::Uniform,
        cli::Arrivals::Poisson => {
            let seed = arguments.options.generator.seed;
            Arrivals::Poisson(Box::new(Poisson::new(seed)))
        }
    };
    Ok(Schedule::new(profile, end).with_arrivals(arrivals))
}

/// How the start waits for the clock, if it does.
pub(super) fn alignment(
    arguments: &Arguments,
    schedule: &Schedule,
) -> Result<Option<Alignment>, Refusal> {
    if !arguments.options.traffic.burst_align {
        return Ok(None);
    }
    let aligned = Alignment::new(schedule, window(arguments));
    aligned.map(Some).map_err(|why| {
        let window = window(arguments);
        let needs = format!("needs bursts, whole windows of --window-ms ({window}) apart");
        arguments.refuse("burst_align", format!("{needs}; {why}"))
    })
}

fn window(arguments: &Arguments) -> Nanos {
    Nanos(1_000_000) * arguments.options.requests.window_ms
}

/// The options of the default profile.
const DEFAULT_PROFILE: [&str; 5] = [
    "rps",
    "burst_enabled",
    "burst_multiplier",
    "burst_duration",
    "burst_interval",
];

/// The profile that was given, unless what gives the default profile wins over it.
fn profile(arguments: &Arguments) -> Result<Option<&Profile>, Refusal> {
    let prevails = arguments.prevails("profile", &DEFAULT_PROFILE)?;
    let profile = arguments.options.traffic.profile.as_ref();
    Ok(profile.filter(|_| prevails))
}

fn default_profile(arguments: &Arguments) -> Result<Profile, Refusal> {
    let traffic = &arguments.options.traffic;
    if !traffic.burst_enabled {
        return Ok(Profile::steady(traffic.rps));
    }
    let mut bursts = bursts(arguments)?;
    if traffic.burst_align {
        bursts = bursts.whole_windows_apart(window(arguments));
    }
    Ok(bursts.into())
}

fn bursts(arguments: &Arguments) -> Result<Bursts, Refusal> {
    let Traffic {
        rps,
        burst_multiplier,
        burst_duration,
        burst_interval,
        ..
    } = &arguments.options.traffic;
    if burst_duration >= burst_interval {
        // Whichever of the two was asked for is the one that is wrong.
        let only_interval =
            arguments.is_given("burst_interval") && !arguments.is_given("burst_duration");
        return Err(if only_interval {
            let allowed = format!("must be longer than --burst-duration ({burst_duration:?})");
            arguments.refuse("burst_interval", allowed)
        } else {
            let allowed = format!("must be shorter than --burst-interval ({burst_interval:?})");
            arguments.refuse("burst_duration", allowed)
        });
    }
    // The steady rate is at most 10⁶/s and the multiplier at most 10³, so there is such a rate.
    let burst = (rps.nano() as f64 * burst_multiplier).round() as u64;
    let burst = Rate::from_nano(burst.min(Rate::MAX.nano()));
    Ok(Bursts::new(
        *rps,
        burst,
        Nanos::from(*burst_duration),
        Nanos::from(*burst_interval),
    ))
}
