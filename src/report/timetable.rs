use super::heading::held_to;
use super::plot::{COLUMNS, plot};
use crate::base::Nanos;
use crate::base::Target;
use crate::base::text::{count, per_second, printable, shortened};
use crate::core::plan::Plan;
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::{Arrivals, Phase, Schedule};
use crate::core::summary::timestamp;
use std::fmt::{self, Write};
use std::iter::Peekable;

/// The most phases that are listed.
const ROWS: usize = 30;

/// The least time that is shown of a schedule without an end.
const MINUTE: Nanos = Nanos(60_000_000_000);

/// The timetable of a run: its phases in a table, its rate over time in a plot, its totals, and its first request.
pub fn timetable(plan: &Plan, targets: &[Target]) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_timetable(&mut text, plan, targets);
    text
}

fn write_timetable(out: &mut String, plan: &Plan, targets: &[Target]) -> fmt::Result {
    let schedule = &plan.schedule;
    let shown = shown(schedule);
    writeln!(out, "{}", schedule.profile())?;
    if let Arrivals::Poisson(_) = schedule.arrivals() {
        writeln!(out, "poisson arrivals, seed {}", plan.seed)?;
    }
    if let Some(stripe) = plan.describe_stripe() {
        writeln!(out, "stripe {stripe}; the numbers below are of this stripe")?;
    }
    if let Some(start) = &plan.start {
        writeln!(out, "starts at {}", timestamp(start.at, Nanos::ZERO))?;
    }
    if let Some(alignment) = &plan.alignment {
        let window = alignment.window();
        writeln!(
            out,
            "the run waits to start, so that bursts begin at multiples of {window:#} on the clock"
        )?;
    }

    writeln!(
        out,
        "\n{:>10} {:>10}  {:7} {:32} {:>10}",
        "from", "for", "", "rate", "requests"
    )?;
    let begins_in_time = |phase: &Phase| match schedule.end() {
        Some(_) => true,
        None => phase.start < shown,
    };
    let mut phases = schedule.phases_with_tokens();
    let mut events = timed_events(plan).into_iter().peekable();
    let mut left_out = None;
    for row in 0.. {
        let Some((phase, tokens)) = phases.next().filter(|(phase, _)| begins_in_time(phase)) else {
            break;
        };
        write_events(out, &mut events, Some(phase.start))?;
        if row == ROWS {
            left_out = Some(phase.start);
            break;
        }
        write_phase(out, &phase, tokens, schedule.end())?;
    }
    if left_out.is_none() {
        write_events(out, &mut events, None)?;
    }
    match (left_out, schedule.end()) {
        (Some(from), Some(end)) => writeln!(
            out,
            "{:>10}  the pattern continues until {end:#}",
            format!("{from:#}")
        )?,
        (_, None) if schedule.profile().round().is_some() => {
            writeln!(out, "{:>10}  the pattern continues", "")?
        }
        _ => {}
    }

    // Those of the phases that are left out.
    write_events(out, &mut events, None)?;
    write_undos_at_the_end(out, plan)?;

    if shown > Nanos::ZERO {
        write!(out, "\n{}", plot(&rates(schedule, shown), &labels(shown)))?;
    }
    writeln!(out)?;
    write_totals(out, schedule)?;
    write_overflow(out, plan)?;
    if let Some(workers) = plan.describe_workers(targets.len()) {
        writeln!(out, "workers: {workers}")?;
    }
    write_recording(out, plan)?;
    write_first_request(out, plan, targets)?;
    match &plan.audit {
        Some(audit) => writeln!(out, "\naudit: {}", held_to(audit)),
        None => Ok(()),
    }
}

/// An event or an undo at its time, as a row shows it.
type TimedEvent = (Nanos, &'static str, String);

/// The most characters of an event in a row.
const EVENT: usize = 200;

fn timed_events(plan: &Plan) -> Vec<TimedEvent> {
    let mut timed = Vec::new();
    for event in &plan.events {
        let (kind, text) = match &event.command {
            None => ("mark", event.name.clone()),
            Some(command) => ("event", named(&event.name, &command.text)),
        };
        timed.push((event.at, kind, text));
        if let Some(undo) = &event.undo
            && let Some(at) = undo.at
        {
            timed.push((at, "undo", named(&event.name, &undo.command.text)));
        }
    }
    timed.sort_by_key(|(at, ..)| *at);
    timed
}

/// The name of an event with a command, unless its name is the command.
fn named(name: &str, command: &str) -> String {
    if name == command {
        return name.to_owned();
    }
    format!("{name}: {}", shortened(&printable(command), EVENT))
}

/// Writes the next events: those before a time, or all.
fn write_events(
    out: &mut String,
    events: &mut Peekable<impl Iterator<Item = TimedEvent>>,
    before: Option<Nanos>,
) -> fmt::Result {
    let is_before = |(at, ..): &TimedEvent| before.is_none_or(|before| *at < before);
    while let Some((at, kind, text)) = events.next_if(is_before) {
        write_event(out, &format!("{at:#}"), kind, &text)?;
    }
    Ok(())
}

fn write_event(out: &mut String, at: &str, kind: &str, text: &str) -> fmt::Result {
    writeln!(out, "{at:>10} {:>10}  {kind:7} {text}", "")
}

fn write_undos_at_the_end(out: &mut String, plan: &Plan) -> fmt::Result {
    for event in plan.events.iter().rev() {
        if let Some(undo) = &event.undo
            && undo.at.is_none()
        {
            write_event(
                out,
                "the end",
                "undo",
                &named(&event.name, &undo.command.text),
            )?;
        }
    }
    Ok(())
}

fn write_totals(out: &mut String, schedule: &Schedule) -> fmt::Result {
    match (schedule.total(), schedule.end()) {
        (Some(total), Some(end)) if end > Nanos::ZERO => {
            let requests = count(total, "request", "requests");
            let mean = per_second(schedule.mean_rate(end).unwrap_or_default());
            match schedule.count() {
                None => writeln!(out, "{requests} in {end:#}, {mean} on average"),
                Some(_) => {
                    let end = rounded_up(end);
                    writeln!(
                        out,
                        "{requests} in {end:#}, {mean} on average; --count ends the run"
                    )
                }
            }
        }
        (Some(total), _) => writeln!(
            out,
            "{}, all at the start",
            count(total, "request", "requests")
        ),
        (None, _) => writeln!(out, "The run has no end: give --duration, or stop it."),
    }
}

/// The most characters of a request that are shown.
const SHOWN: usize = 2_000;

/// Warns if more requests come at once than the queue holds.
fn write_overflow(out: &mut String, plan: &Plan) -> fmt::Result {
    let phases = plan.schedule.phases().take(MANY);
    let of = plan.schedule.stripe().of();
    let most = phases.filter_map(|phase| phase.at_once()).max();
    let most = most.map(|most| most.div_ceil(of));
    match most.filter(|most| *most > plan.queue as u64) {
        None => Ok(()),
        Some(most) => writeln!(
            out,
            "{most} requests are due at once, and --queue has room for {}: some may be dropped before a worker takes them",
            plan.queue
        ),
    }
}

/// More phases than any profile has before it repeats.
const MANY: usize = 10_000;

/// What a recording has and lacks.
fn write_recording(out: &mut String, plan: &Plan) -> fmt::Result {
    if plan.schedule.recording().is_none() {
        return Ok(());
    }
    let (requests, keys) = (plan.describe_requests(), plan.describe_keys());
    writeln!(out, "requests: {requests}{}", plan.describe_replay())?;
    writeln!(out, "keys: {keys}")
}

fn write_first_request(out: &mut String, plan: &Plan, targets: &[Target]) -> fmt::Result {
    if plan.schedule.total() == Some(0) {
        return Ok(());
    }
    let stripe = plan.schedule.stripe();
    let target = RoundRobin::new(targets.len(), stripe).target(0);
    let number = stripe.number(0);
    let key = plan.dealer().deal(number);
    let shown = plan.requests(targets).show(target, number, key);
    let request = shown.unwrap_or_else(|failed| failed.to_string());
    writeln!(out, "\nThe first request, to {}:\n", targets[target])?;
    let shown: String = request.chars().take(SHOWN).collect();
    for line in shown.lines() {
        writeln!(out, "{}", format!("    {line}").trim_end())?;
    }
    let more = request.chars().count().saturating_sub(SHOWN);
    if more > 0 {
        writeln!(out, "    … and {more} characters more")?;
    }
    write_other_paths(out, plan, targets)
}

/// The most targets whose paths are shown.
const TARGETS: usize = 20;

/// The first lines of the requests to the other targets, if the targets have different paths.
fn write_other_paths(out: &mut String, plan: &Plan, targets: &[Target]) -> fmt::Result {
    let requests = plan.requests(targets);
    let first_line = |target: usize| {
        let sequence = target as u64;
        let shown = requests.show(target, sequence, plan.dealer().deal(sequence));
        let request = shown.unwrap_or_else(|failed| failed.to_string());
        let line: String = request.lines().take(1).collect();
        shortened(&line, SHOWN).into_owned()
    };
    let paths = &plan.request.paths;
    if (1..targets.len()).all(|target| paths.of(target) == paths.of(0)) {
        return Ok(());
    }
    writeln!(out, "\nThe first requests to the other targets:\n")?;
    for (place, target) in targets.iter().enumerate().skip(1).take(TARGETS) {
        writeln!(out, "    {}, to {target}", first_line(place))?;
    }
    match targets.len().saturating_sub(1 + TARGETS) {
        0 => Ok(()),
        more => writeln!(out, "    … and {more} more"),
    }
}

fn write_phase(
    out: &mut String,
    phase: &Phase,
    tokens: Option<u64>,
    end: Option<Nanos>,
) -> fmt::Result {
    // The number of characters that are left out.
    let ends = [phase.end(), end].into_iter().flatten().min();
    let length = match ends.map(|ends| ends.saturating_sub(phase.start)) {
        None => "ever".to_owned(),
        Some(Nanos::ZERO) => String::new(),
        Some(length) => format!("{:#}", rounded_up(length)),
    };
    let tokens = tokens.map_or(String::new(), |tokens| tokens.to_string());
    let start = format!("{:#}", phase.start);
    let (mode, rate) = (phase.mode().name(), phase.rate());
    writeln!(
        out,
        "{start:>10} {length:>10}  {mode:7} {rate:32} {tokens:>10}"
    )
}

/// A time that has at most three decimals in the unit that it is shown in. The due time of a last request has up to nine.
fn rounded_up(time: Nanos) -> Nanos {
    const SECOND: u64 = 1_000_000_000;
    let unit = match time.0 {
        SECOND.. => SECOND / 1_000,
        1_000_000.. => 1_000,
        _ => 1,
    };
    Nanos(time.0.div_ceil(unit).saturating_mul(unit))
}

/// The time that is shown: all of a schedule, or enough of an endless one to predict the rest.
fn shown(schedule: &Schedule) -> Nanos {
    match (schedule.end(), schedule.profile().round()) {
        (Some(end), _) => end,
        (None, Some(round)) => round * 2,
        (None, None) => {
            // The last phase never ends.
            let last = schedule
                .phases()
                .last()
                .map_or(Nanos::ZERO, |last| last.start);
            (last + Nanos(last.0 / 4)).max(MINUTE)
        }
    }
}

/// The mean rate within each column.
fn rates(schedule: &Schedule, shown: Nanos) -> [f64; COLUMNS as usize] {
    let edge = |column: usize| {
        let at = u128::from(shown.0) * column as u128 / u128::from(COLUMNS);
        Nanos(at as u64)
    };
    std::array::from_fn(|column| {
        let (from, to) = (edge(column), edge(column + 1));
        // Requests that come at once at the start belong to the first column.
        let before = if column == 0 {
            0.0
        } else {
            schedule.mean_by(from)
        };
        let requests = schedule.mean_by(to) - before;
        requests / (to - from).as_secs_f64().max(1e-9)
    })
}

fn labels(shown: Nanos) -> Vec<String> {
    let quarters = [0, 1, 2, 3, 4].map(|quarter| Nanos(shown.0 / 4 * quarter));
    const UNITS: [(u64, char); 3] = [(24 * 60, 'd'), (60, 'h'), (1, 'm')];
    // All labels have the same unit.
    let whole = |(minutes, _): &&(u64, char)| {
        quarters
            .iter()
            .all(|at| at.0.is_multiple_of(MINUTE.0 * minutes))
    };
    let unit = UNITS.iter().find(whole);
    let label = |at: Nanos| match unit {
        Some((minutes, unit)) if at > Nanos::ZERO => format!("{}{unit}", at.0 / MINUTE.0 / minutes),
        // Long times have at most one decimal.
        None if at > MINUTE => Nanos(at.0 - at.0 % 100_000_000).to_string(),
        _ => rounded_up(at).to_string(),
    };
    quarters.map(label).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schedule::Profile;

    const SECOND: u64 = 1_000_000_000;

    fn schedule(profile: &str) -> Schedule {
        Schedule::new(profile.parse::<Profile>().unwrap(), None)
    }

    #[test]
    fn the_columns_rates_have_all_requests_in_them() {
        let schedule = schedule("burst 7 at once, 10/s for 13s, burst 5 at once, repeat 3 times");
        let shown = shown(&schedule);
        let width = shown.as_secs_f64() / f64::from(COLUMNS);
        let sum: f64 = rates(&schedule, shown)
            .iter()
            .map(|rate| rate * width)
            .sum();
        assert!((sum - 3.0 * 142.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn labels_have_one_unit() {
        for (seconds, expected) in [
            (60, ["0s", "15s", "30s", "45s", "60s"]),
            (120, ["0s", "30s", "60s", "90s", "120s"]),
            (210, ["0s", "52.5s", "105s", "157.5s", "210s"]),
            (3_600, ["0s", "15m", "30m", "45m", "60m"]),
            (86_400, ["0s", "6h", "12h", "18h", "24h"]),
            (864_000, ["0s", "60h", "120h", "180h", "240h"]),
            (8 * 86_400, ["0s", "2d", "4d", "6d", "8d"]),
        ] {
            assert_eq!(labels(Nanos(seconds * SECOND)), expected);
        }
    }

    #[test]
    fn of_what_never_ends_two_rounds_are_shown_or_enough_of_the_last_piece_to_see_it() {
        for (profile, seconds) in [
            ("1/s for 10s, pause 20s, repeat", 60),
            ("1/s for 10s, pause 20s, repeat 5 times", 150),
            ("1/s for 1000s, 1/s", 1_250),
            ("1/s", 60),
        ] {
            assert_eq!(
                shown(&schedule(profile)),
                Nanos(seconds * SECOND),
                "{profile}"
            );
        }
    }
}
