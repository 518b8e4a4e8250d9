//! Properties of every schedule.

use super::piece::at_once::AtOnce;
use super::piece::pause::Pause;
use super::piece::ramp::Ramp;
use super::piece::sine::Sine;
use super::piece::steady::Steady;
use super::*;
use crate::base::Mode;
use proptest::prelude::*;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const WEEK: u64 = 7 * 24 * 3600 * SECOND;

fn rate() -> impl Strategy<Value = Rate> {
    // From one request in eleven days to a billion per second, in even steps of magnitude.
    (3u32..=18, 1u64..10).prop_map(|(exponent, digit)| {
        Rate::from_nano((digit * 10u64.pow(exponent)).min(Rate::MAX.nano()))
    })
}

fn odd_rate() -> impl Strategy<Value = Rate> {
    (1_000u64..=Rate::MAX.nano()).prop_map(Rate::from_nano)
}

fn any_rate() -> impl Strategy<Value = Rate> {
    prop_oneof![rate(), odd_rate()]
}

/// Bursts, with the instant at which the first one starts.
fn bursts() -> impl Strategy<Value = (Bursts, Nanos)> {
    let interval = (2..WEEK).prop_flat_map(|interval| (Just(interval), 1..interval));
    let window = prop::option::of(1..WEEK);
    (any_rate(), any_rate(), interval, window).prop_map(|(a, b, (interval, duration), window)| {
        let mut bursts = Bursts::new(a.min(b), a.max(b), Nanos(duration), Nanos(interval));
        if let Some(window) = window {
            bursts = bursts.whole_windows_apart(Nanos(window));
        }
        (bursts, Nanos(interval))
    })
}

fn piece() -> impl Strategy<Value = Arc<dyn Piece>> {
    fn any(piece: impl Piece + 'static) -> Arc<dyn Piece> {
        Arc::new(piece)
    }
    let length = || prop_oneof![1..10 * SECOND, 1..WEEK].prop_map(Nanos);
    prop_oneof![
        (any_rate(), length()).prop_map(|(rate, length)| any(Steady::new(rate, Some(length)))),
        (any_rate(), length()).prop_map(|(rate, length)| any(Steady::burst(rate, length))),
        (any_rate(), any_rate(), length()).prop_map(|(a, b, l)| any(Ramp::new(a, b, l))),
        (any_rate(), length()).prop_map(|(rate, l)| any(Ramp::new(Rate::ZERO, rate, l))),
        (any_rate(), length()).prop_map(|(rate, l)| any(Ramp::new(rate, Rate::ZERO, l))),
        (any_rate(), any_rate(), length(), length())
            .prop_map(|(a, b, period, length)| any(Sine::new(a.max(b), a.min(b), period, length))),
        length().prop_map(|length| any(Pause(length))),
        (1u64..100_000).prop_map(|requests| any(AtOnce(requests))),
    ]
}

/// Pieces, the number of rounds, and their profile.
type Sequence = (Vec<Arc<dyn Piece>>, Option<u64>, Profile);

fn sequence() -> impl Strategy<Value = Sequence> {
    let rounds = prop_oneof![Just(Some(1)), Just(None), (2u64..10).prop_map(Some)];
    let last = prop::option::weighted(0.2, any_rate());
    (prop::collection::vec(piece(), 1..6), rounds, last).prop_map(
        |(mut pieces, mut rounds, last)| {
            let once = Profile::new(pieces.clone(), Some(1));
            let (end, count) = (once.end().unwrap(), once.count_at(Nanos::MAX));
            let is_repeatable = count > Count::ZERO && count <= Rate::MAX.over(end);
            if let Some(rate) = last {
                pieces.push(Arc::new(Steady::new(rate, None)));
            }
            if last.is_some() || !is_repeatable {
                rounds = Some(1);
            }
            (pieces.clone(), rounds, Profile::new(pieces, rounds))
        },
    )
}

fn profile() -> impl Strategy<Value = Profile> {
    prop_oneof![
        any_rate().prop_map(Profile::steady),
        bursts().prop_map(|(bursts, _)| bursts.into()),
        sequence().prop_map(|(_, _, profile)| profile),
    ]
}

/// The parts of a schedule: its profile, its cut, and the seed of Poisson arrivals.
fn parts() -> impl Strategy<Value = (Profile, Option<u64>, Option<u64>)> {
    let seed = prop::option::of(any::<u64>());
    (profile(), prop::option::of(1..4 * WEEK), seed)
}

fn without_count((profile, cut, seed): (Profile, Option<u64>, Option<u64>)) -> Schedule {
    let schedule = Schedule::new(profile, cut.map(Nanos));
    match seed {
        None => schedule,
        Some(seed) => schedule.with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(seed)))),
    }
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![1..100u64, 1..1_000_000_000u64]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (parts(), prop::option::of(count())).prop_map(|(parts, count)| {
        let schedule = without_count(parts);
        match count {
            None => schedule,
            Some(count) => schedule.with_count(count),
        }
    })
}

/// One of the first tokens, or one within the first four weeks, or one at the end.
fn schedule_and_token() -> impl Strategy<Value = (Schedule, u64)> {
    (schedule(), 0..4 * WEEK, 0u64..100, 0usize..4).prop_map(|(schedule, at, early, way)| {
        let reached = schedule.due_by(Nanos(at));
        let end = schedule.total().unwrap_or(reached);
        let tokens = [early, reached, reached.max(1) - 1, end.max(1) - 1];
        (schedule, tokens[way])
    })
}

proptest! {
    #[test]
    fn a_number_is_due_at_the_first_nanosecond_at_which_it_is_passed(
        profile in profile(), at in 0..4 * WEEK, fraction: u64
    ) {
        let passed = profile.passed(Nanos(at));
        for number in [passed.0, passed.0.saturating_sub(1), passed.0 / 3 * 2, fraction.into()] {
            let number = Count(number);
            match profile.phase_of(number).and_then(|phase| phase.time_of(number)) {
                None => prop_assert!(profile.passed(Nanos(4 * WEEK)) <= number),
                Some(due) => {
                    prop_assert!(number < profile.passed(due));
                    let before = due.checked_sub(Nanos(1));
                    prop_assert!(before.is_none_or(|before| profile.passed(before) <= number));
                }
            }
        }
    }

    #[test]
    fn due_times_never_decrease((schedule, k) in schedule_and_token()) {
        let (Some(this), Some(next)) = (schedule.due(k), schedule.due(k + 1)) else {
            return Ok(());
        };
        prop_assert!(this <= next);
    }

    #[test]
    fn the_count_never_decreases(profile in profile(), a in 0..4 * WEEK, b in 0..4 * WEEK) {
        let (a, b) = (Nanos(a.min(b)), Nanos(a.max(b)));
        prop_assert!(profile.count_at(a) <= profile.count_at(b));
        prop_assert!(profile.passed(a) <= profile.passed(b));
    }

    #[test]
    fn any_whole_interval_of_a_burst_profile_counts_the_same((bursts, first) in bursts(), offset in 0..WEEK) {
        let profile = Profile::from(bursts);
        let interval = profile.round().unwrap();
        let [burst, steady]: [Phase; 2] = profile.phases().skip(1).take(2).collect::<Vec<_>>().try_into().unwrap();
        let from = first + Nanos(offset);
        let counted = profile.count_at(from + interval) - profile.count_at(from);
        prop_assert_eq!(counted, burst.count.unwrap() + steady.count.unwrap());
        prop_assert_eq!((burst.start, steady.end()), (first, Some(first + interval)));
    }

    #[test]
    fn the_total_is_the_number_of_tokens_of_the_schedule(schedule in schedule()) {
        let Some(total) = schedule.total() else {
            prop_assert_eq!(schedule.end(), None);
            return Ok(());
        };
        let end = schedule.end().unwrap();
        if let Some(last) = total.checked_sub(1) {
            prop_assert!(schedule.due(last).unwrap() <= end);
        }
        prop_assert_eq!(schedule.due(total), None);
        prop_assert_eq!(schedule.due_by(Nanos::MAX), total);
    }

    #[test]
    fn a_count_keeps_exactly_the_first_tokens_and_ends_with_the_last_of_them(
        parts in parts(), count in count(), fraction in 0..=100u64, at in 0..4 * WEEK
    ) {
        let (whole, counted) = (without_count(parts.clone()), without_count(parts).with_count(count));
        let Some(end) = whole.due(count - 1) else {
            prop_assert_eq!(counted.count(), None);
            prop_assert_eq!((counted.end(), counted.total()), (whole.end(), whole.total()));
            return Ok(());
        };
        prop_assert_eq!(counted.count(), Some(count));
        prop_assert_eq!((counted.end(), counted.total()), (Some(end), Some(count)));
        for token in [0, (count - 1) * fraction / 100, count - 1] {
            prop_assert_eq!(counted.due(token), whole.due(token));
        }
        prop_assert_eq!((counted.due(count), counted.due(u64::MAX)), (None, None));
        prop_assert_eq!(counted.due_by(Nanos(at)), whole.due_by(Nanos(at)).min(count));
        // The phases are those of the whole schedule, up to the one with the last token.
        let rows = |schedule: &Schedule| {
            let rows = schedule.phases_with_tokens().take(20);
            rows.map(|(phase, tokens)| (phase.start, phase.name(), tokens)).collect::<Vec<_>>()
        };
        let (counted, whole) = (rows(&counted), rows(&whole));
        let mut left = count;
        for (place, (start, name, tokens)) in counted.iter().enumerate() {
            let (start_of_whole, name_of_whole, all) = &whole[place];
            prop_assert_eq!((start, name), (start_of_whole, name_of_whole));
            prop_assert_eq!(*tokens, Some(all.unwrap_or(u64::MAX).min(left)));
            left -= tokens.unwrap();
        }
        prop_assert!(left == 0 || counted.len() == 20);
        prop_assert!(counted.len() == 20 || counted.last().is_some_and(|(_, _, tokens)| *tokens > Some(0)));
    }

    #[test]
    fn nothing_is_due_at_a_cut_or_after(profile in profile(), cut in 1..WEEK) {
        let schedule = Schedule::new(profile, Some(Nanos(cut)));
        let total = schedule.total().unwrap();
        if let Some(last) = total.checked_sub(1) {
            prop_assert!(schedule.due(last).unwrap() < Nanos(cut));
        }
        prop_assert!(schedule.phases().all(|phase| phase.start < Nanos(cut)));
        prop_assert!(schedule.phase(Nanos(cut)).is_none());
    }

    #[test]
    fn the_tokens_due_by_an_instant_are_those_whose_due_time_it_has_reached(
        schedule in schedule(), at in 0..5 * WEEK
    ) {
        let count = schedule.due_by(Nanos(at));
        if let Some(last) = count.checked_sub(1) {
            prop_assert!(schedule.due(last).unwrap() <= Nanos(at));
        }
        prop_assert!(schedule.due(count).is_none_or(|next| next > Nanos(at)));
    }

    #[test]
    fn tokens_are_the_same_in_any_order(
        (schedule, k) in schedule_and_token(),
        offsets in prop::collection::vec((0u64..200, 0..4 * WEEK), 1..50)
    ) {
        let mut tokens = schedule.tokens();
        for (offset, at) in offsets {
            prop_assert_eq!(tokens.due(k + offset), schedule.due(k + offset));
            prop_assert_eq!(tokens.due_by(Nanos(at)), schedule.due_by(Nanos(at)));
        }
    }

    #[test]
    fn phases_join_without_a_gap(schedule in schedule()) {
        let mut at = Nanos::ZERO;
        for phase in schedule.phases().take(40) {
            prop_assert_eq!(phase.start, at);
            let Some(end) = phase.end().filter(|end| end.0 < u64::MAX / 4) else { break };
            at = end;
            if phase.start == end {
                continue;
            }
            for t in [phase.start, Nanos(end.0 - 1)] {
                let ended = schedule.end().is_some_and(|end| end <= t);
                let place = |phase: Phase| (phase.start, phase.before, phase.name(), phase.length());
                let expected = Some(place(phase.clone())).filter(|_| !ended);
                prop_assert_eq!(schedule.phase(t).map(place), expected);
            }
        }
    }

    #[test]
    fn the_tokens_of_a_phase_are_due_within_it(schedule in schedule()) {
        let mut next = 0;
        for (phase, tokens) in schedule.phases_with_tokens().take(40) {
            let Some(tokens) = tokens else { return Ok(()) };
            if tokens > 0 {
                let (first, last) = (schedule.due(next), schedule.due(next + tokens - 1));
                prop_assert!(first.is_some_and(|first| phase.start <= first));
                prop_assert!(phase.end().is_none_or(|end| last <= Some(end)), "{last:?} in {phase:?}");
            }
            next += tokens;
        }
        if schedule.phases().take(41).count() <= 40 && let Some(total) = schedule.total() {
            prop_assert_eq!(next, total);
        }
    }

    #[test]
    fn pieces_carry_over_exactly_and_so_do_rounds((pieces, rounds, profile) in sequence(), round in 0u64..10) {
        let round = rounds.map_or(round, |rounds| round.min(rounds - 1));
        let counts: Vec<_> = profile.phases().take(pieces.len()).map(|phase| phase.count).collect();
        let sum = |counts: &[Option<Count>]| {
            counts.iter().flatten().fold(Count::ZERO, |sum, count| sum + *count)
        };
        let mut expected = sum(&counts).times(round);
        let phases = profile.phases().skip(counts.len() * round as usize);
        for (phase, count) in phases.zip(&counts) {
            // The requests that come at once at this instant are counted already.
            if phase.at_once().is_none() {
                prop_assert_eq!(profile.count_at(phase.start), expected, "at {}", phase.start);
            }
            expected = expected + count.unwrap_or(Count::ZERO);
        }
    }

    #[test]
    fn the_rate_of_a_phase_is_that_of_its_count(schedule in schedule(), at in 0..4 * WEEK) {
        let Some(phase) = schedule.phase(Nanos(at)) else { return Ok(()) };
        // Long enough for the rate to be measured, and short enough for it not to change.
        let span = phase.length().map_or(SECOND, |length| length.0 / 100_000);
        let to = Nanos(at + span);
        prop_assume!(span > 1_000 && phase.end().is_none_or(|end| to < end));
        prop_assume!(schedule.end().is_none_or(|end| to < end));
        // A sine bends within the span; its own tests hold its count to the integral.
        prop_assume!(phase.mode() != Mode::Sine);
        let profile = schedule.profile();
        let counted = (profile.count_at(to) - profile.count_at(Nanos(at))).as_f64();
        let rates = [phase.rate_at(Nanos(at)), phase.rate_at(to)];
        let (mean, most) = (rates[0].midpoint(rates[1]), rates[0].max(rates[1]));
        let expected = mean * Nanos(span).as_secs_f64();
        let tolerance = 1e-6 * most * Nanos(span).as_secs_f64() + 1e-15;
        prop_assert!((counted - expected).abs() <= tolerance, "{counted} {expected}");
    }
}

fn seconds(seconds: u64) -> Nanos {
    Nanos(seconds * SECOND)
}

fn millis(millis: u64) -> Nanos {
    Nanos(millis * 1_000_000)
}

fn typed(profile: &str, cut: Option<u64>) -> Schedule {
    Schedule::new(profile.parse::<Profile>().unwrap(), cut.map(seconds))
}

/// The default profile: 10/s with bursts of 50/s for 5 s every 30 s.
fn default_bursts() -> Bursts {
    let rate = |rps| Rate::per_second(rps).unwrap();
    Bursts::new(rate(10.0), rate(50.0), seconds(5), seconds(30))
}

#[test]
fn a_count_ends_a_schedule_at_its_last_token() {
    for (profile, cut, count, end, phases) in [
        ("10/s", None, 1, millis(0), 1),
        ("10/s", None, 100, millis(9_900), 1),
        ("10/s", Some(5), 100, seconds(5), 1),
        ("10/s", Some(10), 100, millis(9_900), 1),
        ("10/s for 1s, 50/s for 5s", None, 10, millis(900), 1),
        ("10/s for 1s, 50/s for 5s", None, 11, millis(1_000), 2),
        (
            "10/s for 1s, burst 5 at once, 10/s for 1s",
            None,
            13,
            millis(1_000),
            2,
        ),
        (
            "10/s for 1s, burst 5 at once, 10/s for 1s",
            None,
            15,
            millis(1_000),
            2,
        ),
        (
            "burst 5 at once, pause 9s, burst 5 at once, repeat",
            None,
            6,
            millis(9_000),
            3,
        ),
        ("burst 5 at once", None, 6, millis(0), 1),
    ] {
        let schedule = typed(profile, cut).with_count(count);
        assert_eq!(schedule.end(), Some(end), "{profile}, {count}");
        assert_eq!(schedule.phases().count(), phases, "{profile}, {count}");
    }
    let endless = typed("0.000001/s", None).with_count(1_000_000_000_000_000);
    assert_eq!((endless.end(), endless.count()), (None, None));
}

#[track_caller]
fn assert_due(schedule: &Schedule, due: &[(u64, Nanos)]) {
    for (token, due) in due {
        assert_eq!(schedule.due(*token), Some(*due), "{token}");
    }
}

#[track_caller]
fn assert_ends(schedule: &Schedule, total: u64, end: Nanos) {
    assert_eq!((schedule.total(), schedule.end()), (Some(total), Some(end)));
    assert_eq!(schedule.due(total), None);
}

/// The number of tokens that are due exactly at this instant.
fn due_at(schedule: &Schedule, at: Nanos) -> u64 {
    let before = at.checked_sub(Nanos(1));
    schedule.due_by(at) - before.map_or(0, |before| schedule.due_by(before))
}

#[test]
fn a_million_per_second_is_exact_after_years() {
    for weeks in [0, 1, 6, 52, 520] {
        let (token, due) = (weeks * (WEEK / 1_000), weeks * WEEK);
        let dues = [(token, Nanos(due)), (token + 1, Nanos(due + 1_000))];
        assert_due(&typed("1000000/s", None), &dues);
    }
}

#[test]
fn one_in_a_thousand_seconds_is_exact_after_a_year() {
    let dues = [0, 1, 605, 31_449].map(|token| (token, seconds(token * 1_000)));
    assert_due(&typed("0.001/s", None), &dues);
}

#[test]
fn a_third_of_a_nanosecond_is_never_lost() {
    let (billion, schedule) = (1_000_000_000, typed("3/s", None));
    let dues = [(1, 333_333_334), (2, 666_666_667)].map(|(token, due)| (token, Nanos(due)));
    assert_due(&schedule, &dues);
    assert_due(&schedule, &[(3 * billion, seconds(billion))]);
}

#[test]
fn the_default_minute_has_eight_hundred_requests() {
    let schedule = Schedule::new(default_bursts(), Some(seconds(60)));
    assert_ends(&schedule, 800, seconds(60));
    let dues = [(300, 30_000), (301, 30_020), (550, 35_000), (551, 35_100)];
    assert_due(&schedule, &dues.map(|(token, due)| (token, millis(due))));
}

#[test]
fn bursts_whole_windows_apart_keep_their_first_start() {
    let aligned = |window| default_bursts().whole_windows_apart(seconds(window));
    for (bursts, every, expected) in [
        (default_bursts(), "30s", [30, 60, 90]),
        (aligned(15), "30s", [30, 60, 90]),
        (aligned(60), "60s from 30s", [30, 90, 150]),
    ] {
        let profile = Profile::from(bursts);
        let bursts = profile.phases().filter(|phase| phase.mode() == Mode::Burst);
        let starts: Vec<_> = bursts.map(|phase| phase.start).take(3).collect();
        assert_eq!(starts, expected.map(seconds));
        let text = format!("10/s with bursts of 50/s for 5s every {every}");
        assert_eq!(profile.to_string(), text);
    }
    let schedule = Schedule::new(aligned(60), Some(seconds(180)));
    assert_ends(&schedule, 1_800 + 3 * 200, seconds(180));
}

#[test]
fn an_unreachable_token_has_no_due_time() {
    for profile in ["0.001/s", "1000000/s", "1/s for 1s, 1000000/s"] {
        assert_eq!(typed(profile, None).due(u64::MAX), None, "{profile}");
    }
}

#[test]
fn an_empty_schedule_has_no_tokens() {
    assert_ends(&typed("1000000/s", Some(0)), 0, Nanos::ZERO);
    assert_ends(&typed("pause 10s", None), 0, seconds(10));
}

#[test]
fn exactly_the_requests_that_come_at_once_are_due_at_their_instant() {
    let schedule = typed("50/s for 30s, burst 2000 at once, 50/s for 30s", None);
    assert_ends(&schedule, 5_000, seconds(60));
    assert!(schedule.due(1_499).unwrap() < seconds(30));
    // Token 3500 is the first one of the next piece.
    let dues = [(1_500, 30_000), (3_500, 30_000), (3_501, 30_020)];
    assert_due(&schedule, &dues.map(|(token, due)| (token, millis(due))));
    assert_eq!(due_at(&schedule, seconds(30)), 2_001);
}

#[test]
fn a_burst_at_the_end_is_part_of_the_profile_and_not_of_a_run_that_is_cut_off_there() {
    for (cut, total, phases) in [(None, 3_500, 2), (Some(31), 3_500, 2), (Some(30), 1_500, 1)] {
        let schedule = typed("50/s for 30s, burst 2000 at once", cut);
        assert_ends(&schedule, total, seconds(30));
        assert_eq!(schedule.phases().count(), phases);
    }
}

#[test]
fn a_burst_that_comes_first_or_twice_or_alone_is_due_at_its_instant() {
    let schedule = typed("burst 7 at once, burst 7 at once, 1/s for 10s", None);
    assert_eq!(due_at(&schedule, Nanos::ZERO), 15);
    assert_ends(&schedule, 24, seconds(10));
    assert_due(&schedule, &[(15, seconds(1))]);
    let starts: Vec<_> = schedule.phases().map(|phase| phase.start.0).collect();
    assert_eq!(starts, [0, 0, 0]);
    assert_eq!(schedule.phase(Nanos::ZERO).unwrap().mode(), Mode::Steady);

    let alone = typed("burst 7 at once", None);
    assert_ends(&alone, 7, Nanos::ZERO);
    assert_due(&alone, &[(6, Nanos::ZERO)]);
    assert_eq!(alone.phases().count(), 1);
}

#[test]
fn after_a_pause_a_token_is_due_at_its_end_and_not_at_its_start() {
    let profile = "pause 10s, 2/s for 1s, pause 10s, pause 10s, 2/s for 1s, repeat 2 times";
    let schedule = typed(profile, None);
    assert_ends(&schedule, 8, seconds(64));
    let dues = [20, 21, 62, 63, 84, 85, 126, 127].map(|half_seconds| millis(500 * half_seconds));
    assert_due(&schedule, &(0..).zip(dues).collect::<Vec<_>>());
    // The third token is not due when the pauses begin.
    let counts = [11, 30, 31].map(|at| schedule.due_by(seconds(at)));
    assert_eq!(counts, [2, 2, 3]);
    assert_ends(&typed("2/s for 1s, pause 10s", None), 2, seconds(11));
}

#[test]
fn a_fraction_of_a_request_carries_over_from_piece_to_piece_and_round_to_round() {
    // A third of a request per round of 1 s: one token in three rounds, on the second.
    let schedule = typed("0.333333333/s for 1s, repeat", None);
    for k in [1, 1_000, 1_000_000] {
        let expected = (u128::from(k) * 10u128.pow(18)).div_ceil(333_333_333);
        assert_due(&schedule, &[(k, Nanos(expected as u64))]);
    }
    let profile = "0.5/s for 1s, ramp 0.5/s to 1.5/s over 1s, repeat 1000 times";
    assert_ends(&typed(profile, None), 1_500, seconds(2_000));
}

#[test]
fn a_last_rate_without_a_length_lasts_for_ever() {
    let schedule = typed("50/s for 30s, 100/s", None);
    assert_eq!((schedule.total(), schedule.end()), (None, None));
    assert_due(&schedule, &[(1_500 + 100_000, seconds(1_030))]);
    assert_eq!(schedule.phases().count(), 2);
}

#[test]
fn a_round_that_repeats_is_exact_after_months() {
    let profile = "ramp 0/s to 10/s over 10s, pause 10s, burst 5 at once, repeat";
    let schedule = typed(profile, None);
    assert_eq!(schedule.profile().round(), Some(seconds(20)));
    // A round is 50 requests of the ramp, the last of which is due before its end, and 5 at once.
    let (rounds, end) = (604_800, seconds(20 * 604_800));
    let first = 55 * rounds;
    assert_due(
        &schedule,
        &[first, first - 1, first - 5].map(|token| (token, end)),
    );
    assert!(schedule.due(first - 6).unwrap() < end - seconds(10));
    assert_eq!(due_at(&schedule, end), 6);
}

#[test]
fn the_mean_is_that_of_the_profile_with_any_arrivals() {
    let uniform = || typed("50/s for 30s, burst 2000 at once, pause 5s", None);
    let poisson = Arrivals::Poisson(Box::new(Poisson::new(1)));
    for schedule in [uniform(), uniform().with_arrivals(poisson)] {
        let means = [15, 30, 99].map(|at| schedule.mean_by(seconds(at)));
        assert_eq!(means, [750.0, 3_500.0, 3_500.0]);
    }
}
