//! The text form of a profile: pieces separated by commas. Case does not matter, and blanks are free between words.
//!
//! ```text
//! profile = piece {"," piece} ["," "repeat" [COUNT "times"]]
//! piece   = RATE ["for" TIME]
//!         | "ramp" RATE "to" RATE "over" TIME
//!         | "sine" RATE ("±" | "+-") RATE "every" TIME "for" TIME
//!         | "pause" TIME
//!         | "burst" RATE "for" TIME
//!         | "burst" COUNT "at" "once"
//! RATE    = NUMBER "/" ("s" | "m" | "h")
//! ```

use super::values::{MAX_RPS, MIN_RPS};
use crate::base::Nanos;
use crate::base::text::{Cursor, Decimal, MAX_DURATION, SyntaxError, some_time, whole};
use crate::core::schedule::{Count, Piece, Ramp, Rate, Sequence, Sine, Steady};

/// Reads a profile, or says in which column of the text what is wrong.
pub fn profile(text: &str) -> Result<Sequence, String> {
    read(text).map_err(|error| error.to_string())
}

const STEADY: &str = "RATE [for TIME]";
const RAMP: &str = "ramp RATE to RATE over TIME";
const SINE: &str = "sine RATE ± RATE every TIME for TIME";
const PAUSE: &str = "pause TIME";
const BURST: &str = "burst RATE for TIME, or burst COUNT at once";
const REPEAT: &str = "repeat [COUNT times], as the last";

/// The words that end a time.
const KEYWORDS: [&str; 5] = ["for", "to", "over", "every", "at"];

/// The most pieces of a round. A sine, the largest piece, takes 33 KB.
const MAX_PIECES: usize = 1_000;

/// The highest rate of a burst, as with the highest steady rate and multiplier.
const MAX_BURST_RPS: f64 = 1_000_000_000.0;

const MAX_AT_ONCE: u64 = 1_000_000_000;

fn read(text: &str) -> Result<Sequence, SyntaxError> {
    let mut cursor = Cursor::new(text);
    let mut pieces = Vec::new();
    let mut length = Nanos::ZERO;
    loop {
        let start = cursor.rest();
        if !pieces.is_empty() && takes_word(&mut cursor, "repeat") {
            let rounds = rounds(&mut cursor)?;
            check_repeated(&pieces, length, rounds).map_err(|why| start.error(why))?;
            return Ok(Sequence::new(pieces, rounds));
        }
        let piece = piece(&mut cursor)?;
        let piece_length = piece.length();
        length = length + piece_length.unwrap_or(Nanos::ZERO);
        if length > Nanos::from(MAX_DURATION) {
            return Err(start.error("with this piece, the profile lasts more than 3650d in all"));
        }
        if pieces.len() == MAX_PIECES {
            return Err(start.error(format!("more than {MAX_PIECES} pieces")));
        }
        pieces.push(piece);
        if cursor.is_at_end() {
            return Ok(Sequence::new(pieces, Some(1)));
        }
        cursor.takes(",");
        if piece_length.is_none() && !cursor.is_at_end() {
            let why = "without 'for TIME' it lasts for ever, so nothing may come after it";
            return Err(start.error(why));
        }
    }
}

/// Reads the text between `repeat` and the end.
fn rounds(cursor: &mut Cursor) -> Result<Option<u64>, SyntaxError> {
    let mut rounds = None;
    if !cursor.is_at_end() && !cursor.rest().text.starts_with(',') {
        rounds = Some(count(cursor, u64::MAX)?);
        keyword(cursor, "times", REPEAT)?;
    }
    if !cursor.is_at_end() {
        return Err(expected(cursor, "the end", REPEAT));
    }
    Ok(rounds)
}

fn check_repeated(
    pieces: &[Piece],
    length: Nanos,
    rounds: Option<u64>,
) -> Result<(), &'static str> {
    let counts = pieces.iter().filter_map(Piece::count);
    let count = counts.fold(Count::ZERO, |sum, count| sum + count);
    if length == Nanos::ZERO {
        Err("a repeated profile must last some time")
    } else if count == Count::ZERO {
        Err("a repeated profile must have requests")
    } else if count > Rate::MAX.over(length) {
        Err("a repeated profile must have at most 1000000000 requests per second in the mean")
    } else if length * rounds.unwrap_or(1) > Nanos::from(MAX_DURATION) {
        Err("so many rounds last more than 3650d in all")
    } else {
        Ok(())
    }
}

/// Reads a piece, up to a comma or the end.
fn piece(cursor: &mut Cursor) -> Result<Piece, SyntaxError> {
    let (piece, form) = if !cursor.peek_number().is_empty() {
        (steady(cursor)?, STEADY)
    } else if takes_word(cursor, "ramp") {
        (ramp(cursor)?, RAMP)
    } else if takes_word(cursor, "sine") {
        (sine(cursor)?, SINE)
    } else if takes_word(cursor, "pause") {
        (Piece::Pause(time(cursor)?), PAUSE)
    } else if takes_word(cursor, "burst") {
        (burst(cursor)?, BURST)
    } else {
        let forms = [STEADY, RAMP, SINE, PAUSE, BURST, REPEAT].join("; ");
        if is_end_of_piece(cursor) {
            return Err(expected(cursor, "a piece", &forms));
        }
        let why = format!("{} is no piece; there are: {forms}", found(cursor));
        return Err(cursor.rest().error(why));
    };
    if !is_end_of_piece(cursor) {
        return Err(expected(cursor, "a comma or the end", form));
    }
    Ok(piece)
}

fn steady(cursor: &mut Cursor) -> Result<Piece, SyntaxError> {
    let rate = rate(cursor, MAX_RPS)?;
    let has_length = takes_word(cursor, "for");
    let length = has_length.then(|| time(cursor)).transpose()?;
    Ok(Piece::Steady(Steady::new(rate), length))
}

fn ramp(cursor: &mut Cursor) -> Result<Piece, SyntaxError> {
    let start = cursor.rest();
    let from = rate_or_zero(cursor, MAX_RPS)?;
    keyword(cursor, "to", RAMP)?;
    let to = rate_or_zero(cursor, MAX_RPS)?;
    keyword(cursor, "over", RAMP)?;
    let length = time(cursor)?;
    if from.max(to) == Rate::ZERO {
        return Err(start.error("one end of a ramp must be more than 0/s"));
    }
    Ok(Piece::Ramp(Ramp::new(from, to, length)))
}

fn sine(cursor: &mut Cursor) -> Result<Piece, SyntaxError> {
    let mean = rate(cursor, MAX_RPS)?;
    if !cursor.takes("±") && !cursor.takes("+-") {
        return Err(expected(cursor, "± or +-", SINE));
    }
    let (start, found) = (cursor.rest(), found(cursor));
    let amplitude = rate(cursor, MAX_RPS)?;
    if amplitude > mean {
        let why = format!("{found} must be at most the rate that it swings around, {mean}/s");
        return Err(start.error(why));
    }
    keyword(cursor, "every", SINE)?;
    let period = time(cursor)?;
    keyword(cursor, "for", SINE)?;
    let length = time(cursor)?;
    Ok(Piece::Sine(Sine::new(mean, amplitude, period, length)))
}

fn burst(cursor: &mut Cursor) -> Result<Piece, SyntaxError> {
    let mut ahead = *cursor;
    ahead.take(ahead.peek_number());
    if ahead.takes("/") {
        let rate = rate(cursor, MAX_BURST_RPS)?;
        keyword(cursor, "for", BURST)?;
        return Ok(Piece::Burst(Steady::new(rate), time(cursor)?));
    }
    let requests = count(cursor, MAX_AT_ONCE)?;
    keyword(cursor, "at", BURST)?;
    keyword(cursor, "once", BURST)?;
    Ok(Piece::AtOnce(requests))
}

fn rate(cursor: &mut Cursor, most: f64) -> Result<Rate, SyntaxError> {
    let (start, found) = (cursor.rest(), found_or_missing(cursor, "rate"));
    any_rate(cursor)
        .filter(|rate| (MIN_RPS..=most).contains(&rate.as_f64()))
        .ok_or_else(|| {
            let form = "must be a rate such as 50/s, 0.5/s, 30/m or 10/h";
            start.error(format!("{found} {form}, from {MIN_RPS}/s to {most}/s"))
        })
}

fn rate_or_zero(cursor: &mut Cursor, most: f64) -> Result<Rate, SyntaxError> {
    let mut ahead = *cursor;
    if any_rate(&mut ahead) == Some(Rate::ZERO) {
        *cursor = ahead;
        return Ok(Rate::ZERO);
    }
    rate(cursor, most)
}

/// Reads a number of requests per second, minute or hour, rounded to the nearest nano-request per second: exact per
/// second with up to nine decimals. `None` if it is more than [`Rate::MAX`], or rounds to 0 without being 0.
fn any_rate(cursor: &mut Cursor) -> Option<Rate> {
    let number = Decimal::parse(cursor.take(cursor.peek_number()).text)?;
    if !cursor.takes("/") {
        return None;
    }
    let seconds = match cursor.take(cursor.peek_letters()).text {
        "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 3600,
        _ => return None,
    };
    match number.nearest(1_000_000_000, seconds)? {
        0 => number.is_zero().then_some(Rate::ZERO),
        nano => (nano <= Rate::MAX.nano()).then(|| Rate::from_nano(nano)),
    }
}

/// Reads numbers and words up to a keyword or a symbol: `90`, `1h 30m`.
fn time(cursor: &mut Cursor) -> Result<Nanos, SyntaxError> {
    let (start, missing) = (cursor.rest(), found_or_missing(cursor, "time"));
    loop {
        let number = cursor.peek_number();
        let word = cursor.peek_letters();
        let is_keyword = |keyword: &&str| word.text.eq_ignore_ascii_case(keyword);
        if !number.is_empty() {
            cursor.take(number);
        } else if !word.is_empty() && !KEYWORDS.iter().any(is_keyword) {
            cursor.take(word);
        } else {
            break;
        }
    }
    let time = cursor.since(start).text;
    let found = if time.is_empty() {
        missing
    } else {
        quoted(time)
    };
    some_time(&time.to_lowercase())
        .map(Nanos::from)
        .map_err(|why| start.error(format!("{found} {why}")))
}

fn count(cursor: &mut Cursor, most: u64) -> Result<u64, SyntaxError> {
    let number = cursor.peek_number();
    let count = whole(number.text, 1..=most).map_err(|why| {
        let found = found_or_missing(cursor, "number");
        number.error(format!("{found} {why}"))
    })?;
    cursor.take(number);
    Ok(count)
}

/// Reads a word, in any case, if it is next.
fn takes_word(cursor: &mut Cursor, word: &str) -> bool {
    let next = cursor.peek_letters();
    let is_next = next.text.eq_ignore_ascii_case(word);
    if is_next {
        cursor.take(next);
    }
    is_next
}

fn keyword(cursor: &mut Cursor, word: &str, form: &str) -> Result<(), SyntaxError> {
    if takes_word(cursor, word) {
        return Ok(());
    }
    Err(expected(cursor, &quoted(word), form))
}

fn expected(cursor: &Cursor, what: &str, form: &str) -> SyntaxError {
    let why = format!("{} where {what} should be: {form}", found(cursor));
    cursor.rest().error(why)
}

fn is_end_of_piece(cursor: &Cursor) -> bool {
    cursor.is_at_end() || cursor.rest().text.starts_with(',')
}

/// The beginning of a sentence that says what must be next.
fn found_or_missing(cursor: &Cursor, what: &str) -> String {
    if is_end_of_piece(cursor) {
        format!("the {what} is missing; it")
    } else {
        found(cursor)
    }
}

/// The text that is next, up to a blank or a comma.
fn found(cursor: &Cursor) -> String {
    let next = cursor.peek(|c| c != ',' && !c.is_whitespace());
    match next.text {
        "" if cursor.is_at_end() => "the end".to_owned(),
        "" => "a comma".to_owned(),
        text => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schedule::{Curve, Profile};
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[track_caller]
    fn canonical(text: &str) -> String {
        profile(text).unwrap().to_string()
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        let whole = "50/s for 30s, ramp 50/s to 500/s over 2m, 500/s for 1m, pause 10s, \
                     sine 100/s ± 50/s every 1m for 5m, burst 500/s for 5s, \
                     burst 2000 at once, repeat";
        assert_eq!(canonical(whole), whole);
        assert_eq!(canonical(&whole.to_uppercase()), whole);
        assert_eq!(canonical(&whole.replace(' ', "\t  ")), whole);
        assert_eq!(
            canonical(&whole.replace("± ", "+-").replace(", ", ",")),
            whole
        );
        assert_eq!(canonical(" 50 / s "), "50/s");
    }

    #[test]
    fn times_and_rates_may_be_written_in_several_ways() {
        for (text, shown) in [
            ("5/s for 90", "5/s for 90s"),
            ("5/s for 1h30m", "5/s for 90m"),
            ("5/s for 1h 30m", "5/s for 90m"),
            ("5/s for 0.5", "5/s for 500ms"),
            ("5/s for 48h", "5/s for 2d"),
            ("30/m for 1m", "0.5/s for 1m"),
            ("90/h", "0.025/s"),
            ("1/m", "0.016666667/s"),
            ("100/h", "0.027777778/s"),
            (".5/s", "0.5/s"),
            ("5./s", "5/s"),
            ("999999.999999999/s", "999999.999999999/s"),
            ("0.0000010004/s", "0.000001/s"),
            ("60000000/m", "1000000/s"),
            ("burst 1000000000/s for 1ms", "burst 1000000000/s for 1ms"),
            ("ramp 0/s to 1/s over 1m", "ramp 0/s to 1/s over 1m"),
            ("ramp 1/s to 0.0/h over 1m", "ramp 1/s to 0/s over 1m"),
            ("1/s for 1s, repeat 1 times", "1/s for 1s"),
            ("1/s for 1s, repeat 3 times", "1/s for 1s, repeat 3 times"),
        ] {
            assert_eq!(canonical(text), shown, "{text}");
        }
    }

    #[test]
    fn a_profile_counts_the_requests_of_its_pieces() {
        let read = profile("50/s for 30s, burst 2000 at once").unwrap();
        assert_eq!(read.end(), Some(Nanos(30 * SECOND)));
        assert_eq!(read.passed(Nanos::MAX).tokens(), 3_500);
        let read = profile("ramp 50/s to 500/s over 2m, repeat 3 times").unwrap();
        assert_eq!(read.passed(Nanos::MAX).tokens(), 3 * 275 * 120);
        let read = profile("sine 100/s ± 50/s every 1m for 5m").unwrap();
        assert_eq!(read.passed(Nanos::MAX).tokens(), 30_000);
    }

    #[test]
    fn an_error_names_its_column_and_the_expected_form() {
        for (text, column, why) in [
            (
                "",
                1,
                "the end where a piece should be: RATE [for TIME]; ramp",
            ),
            ("50/s for 30s,", 14, "the end where a piece should be"),
            ("50/s for 30s,, 1/s", 14, "a comma where a piece should be"),
            (
                "50/s for 30s, rmap 50/s",
                15,
                "'rmap' is no piece; there are: RATE",
            ),
            ("±50/s", 1, "'±50/s' is no piece"),
            ("-5/s", 1, "'-5/s' is no piece"),
            ("repeat", 1, "'repeat' is no piece"),
            ("50", 1, "'50' must be a rate such as 50/s"),
            ("50/d", 1, "'50/d' must be a rate"),
            (
                "50/s/s",
                5,
                "'/s' where a comma or the end should be: RATE [for TIME]",
            ),
            ("5.0.0/s", 1, "'5.0.0/s' must be a rate"),
            ("1e3/s", 1, "'1e3/s' must be a rate"),
            ("0/s for 5s", 1, "from 0.000001/s to 1000000/s"),
            ("1000001/s", 1, "from 0.000001/s to 1000000/s"),
            (
                "1/s for 1s, 0.0000004/s",
                13,
                "'0.0000004/s' must be a rate",
            ),
            (
                "50/s 30s",
                6,
                "'30s' where a comma or the end should be: RATE [for TIME]",
            ),
            (
                "50/s for",
                9,
                "the time is missing; it must be seconds, or a time",
            ),
            ("50/s for 0s", 10, "'0s' must be seconds, or a time"),
            (
                "50/s for 5 parsecs",
                10,
                "'5 parsecs' must be seconds, or a time",
            ),
            ("50/s for -5s", 10, "'-5s' must be"),
            ("50/s for 4000d", 10, "from 1ms to 3650d"),
            (
                "ramp 50/s",
                10,
                "the end where 'to' should be: ramp RATE to RATE over TIME",
            ),
            (
                "ramp 50/s to 500/s in 2m",
                20,
                "'in' where 'over' should be",
            ),
            (
                "ramp 0/s to 0/s over 1m",
                6,
                "one end of a ramp must be more than 0/s",
            ),
            (
                "sine 50/s - 5/s every 1m for 1m",
                11,
                "'-' where ± or +- should be",
            ),
            (
                "sine 50/s + 5/s every 1m for 1m",
                11,
                "'+' where ± or +- should be",
            ),
            (
                "sine 50/s ± 60/s every 1m for 1m",
                13,
                "'60/s' must be at most the rate that it swings",
            ),
            (
                "sine 50/s ±60/s every 1m for 1m",
                12,
                "'60/s' must be at most the rate that it swings",
            ),
            (
                "sine 50/s ± 6/s every 1m",
                25,
                "the end where 'for' should be: sine",
            ),
            (
                "sine 50/s ± 6/s for 1m",
                17,
                "'for' where 'every' should be: sine",
            ),
            ("pause", 6, "the time is missing; it must be seconds"),
            ("pause for 10s", 7, "'for' must be seconds"),
            ("burst 5 at", 11, "the end where 'once' should be: burst"),
            (
                "burst 0 at once",
                7,
                "'0' must be a whole number from 1 to 1000000000",
            ),
            ("burst 2.5 at once", 7, "'2.5' must be a whole number"),
            ("burst many at once", 7, "'many' must be a whole number"),
            ("burst 2000000000/s for 1s", 7, "to 1000000000/s"),
            (
                "burst",
                6,
                "the number is missing; it must be a whole number",
            ),
            (
                "ramp 50/s to , 5/s",
                14,
                "the rate is missing; it must be a rate such as",
            ),
            ("burst 5/s", 10, "the end where 'for' should be: burst"),
            (
                "50/s, 60/s for 1m",
                1,
                "without 'for TIME' it lasts for ever",
            ),
            (
                "50/s for 1s, 60/s, repeat",
                14,
                "without 'for TIME' it lasts for ever",
            ),
            (
                "50/s for 1s, repeat, 1/s",
                20,
                "a comma where the end should be: repeat",
            ),
            (
                "50/s for 1s, repeat 2 times, 1/s",
                28,
                "a comma where the end should be: repeat",
            ),
            (
                "50/s for 1s, repeat 2",
                22,
                "the end where 'times' should be: repeat",
            ),
            (
                "50/s for 1s, repeat 0 times",
                21,
                "'0' must be a whole number from 1",
            ),
            ("burst 5 at once, repeat", 18, "must last some time"),
            ("pause 5s, repeat 2 times", 11, "must have requests"),
            (
                "burst 2000000 at once, pause 1ms, repeat",
                35,
                "at most 1000000000 requests",
            ),
            ("1/s for 3000d, 1/s for 3000d", 16, "more than 3650d in all"),
            (
                "1/s for 3000d, repeat 2 times",
                16,
                "more than 3650d in all",
            ),
            (
                "1/s for 1s, repeat 18446744073709551615 times",
                13,
                "more than 3650d in all",
            ),
            (
                "50/s für 30s",
                6,
                "'für' where a comma or the end should be",
            ),
            ("50/s for 30 s!, 1/s", 14, "'!' where a comma"),
        ] {
            let said = profile(text).expect_err(text);
            let expected = format!("column {column}: ");
            assert!(said.starts_with(&expected), "{text:?}: {said}");
            assert!(said.contains(why), "{text:?}: {said}");
            assert!(!said.contains('\n'), "{text:?}: {said}");
        }
        let many = "1/s for 1s,".repeat(MAX_PIECES) + "1/s";
        let said = profile(&many).unwrap_err();
        assert_eq!(said, "column 11001: more than 1000 pieces");
    }

    fn rate() -> impl Strategy<Value = Rate> {
        (1_000..=1_000_000_000_000_000u64).prop_map(Rate::from_nano)
    }

    fn length() -> impl Strategy<Value = Nanos> {
        let day = 24 * 3600 * SECOND;
        prop_oneof![
            (1u64..=day / 1_000_000).prop_map(|millis| Nanos(millis * 1_000_000)),
            (1_000_000..=day).prop_map(Nanos),
            (1u64..=100).prop_map(|minutes| Nanos(minutes * 60 * SECOND)),
        ]
    }

    fn piece() -> impl Strategy<Value = Piece> {
        let steady = |rate| Steady::new(rate);
        prop_oneof![
            (rate(), length()).prop_map(move |(r, l)| Piece::Steady(steady(r), Some(l))),
            (rate(), length()).prop_map(move |(r, l)| Piece::Burst(steady(r), l)),
            (rate(), rate(), length()).prop_map(|(a, b, l)| Piece::Ramp(Ramp::new(a, b, l))),
            (rate(), length()).prop_map(|(a, l)| Piece::Ramp(Ramp::new(a, Rate::ZERO, l))),
            (rate(), rate(), length(), length()).prop_map(|(a, b, period, length)| {
                Piece::Sine(Sine::new(a.max(b), a.min(b), period, length))
            }),
            length().prop_map(Piece::Pause),
            (1..=MAX_AT_ONCE).prop_map(Piece::AtOnce),
        ]
    }

    proptest! {
        #[test]
        fn a_displayed_profile_reads_back_as_itself(
            mut pieces in prop::collection::vec(piece(), 1..6),
            rounds in prop::option::of(1u64..20), endless in prop::option::of(rate())
        ) {
            let repeats = pieces.iter().any(|piece| matches!(piece, Piece::Steady(..)));
            let rounds = match endless {
                Some(rate) => {
                    pieces.push(Piece::Steady(Steady::new(rate), None));
                    Some(1)
                }
                None if repeats => rounds,
                None => Some(1),
            };
            let few_at_once = !pieces.iter().any(|piece| matches!(piece, Piece::AtOnce(_)));
            prop_assume!(rounds == Some(1) || few_at_once);
            let sequence = Sequence::new(pieces, rounds);
            let read = profile(&sequence.to_string()).unwrap();
            prop_assert_eq!(read.pieces(), sequence.pieces());
            prop_assert_eq!(read.rounds(), sequence.rounds());
            prop_assert_eq!(read.to_string(), sequence.to_string());
        }

        #[test]
        fn any_text_is_read_or_refused_at_a_column_within_it(
            words in prop::collection::vec(
                prop_oneof![
                    Just("ramp "), Just("sine"), Just("pause "), Just("burst "), Just("repeat"),
                    Just("for "), Just(" to "), Just("over "), Just("every "), Just("at once"),
                    Just("times"), Just("±"), Just("+-"), Just("/s"), Just("50/s "), Just("1/m"),
                    Just("2m "), Just("10s"), Just(", "), Just(","), Just("3 "), Just("0"),
                    Just("é"), Just("\u{1f600}"), Just("\n"), Just("-"), Just("999999999999999999999"),
                ],
                0..12,
            ),
            typed: String, mixed: bool
        ) {
            let text = if mixed { words.concat() + &typed } else { typed };
            if let Err(wrong) = read(&text) {
                let columns = text.chars().count() + 1;
                prop_assert!((1..=columns).contains(&wrong.column), "{text:?}: {wrong}");
            }
        }

        #[test]
        fn a_broken_character_is_refused_at_or_before_its_column(
            pieces in prop::collection::vec(piece(), 1..6), at: prop::sample::Index
        ) {
            let text = Sequence::new(pieces, Some(1)).to_string();
            let at = at.index(text.chars().count());
            let broken: String = text.chars().enumerate()
                .map(|(place, c)| if place == at { '?' } else { c }).collect();
            // The error is at the break, or at the start of the word or time that contains it.
            let wrong = read(&broken).unwrap_err();
            prop_assert!(wrong.column <= at + 1, "{broken}: {wrong}");
        }
    }
}
