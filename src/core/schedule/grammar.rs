//! The text form of a profile: pieces separated by commas. Case does not matter, and blanks are free between words.
//!
//! ```text
//! profile = piece {"," piece} ["," "repeat" [COUNT "times"]]
//! RATE    = NUMBER "/" ("s" | "m" | "h"), or a longer name of these units
//! ```
//!
//! Each [kind of piece](super::piece::KINDS) has its own form.

use super::piece::KINDS;
use super::reader::Reader;
use super::{Count, Piece, Profile, Rate};
use crate::base::Nanos;
use crate::base::text::{MAX_DURATION, SyntaxError};
use std::str::FromStr;
use std::sync::Arc;

const REPEAT: &str = "repeat [COUNT times], after all others";

/// The most pieces of a profile. A sine, the largest piece, takes 33 KB.
const MAX_PIECES: usize = 1_000;

impl FromStr for Profile {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Profile, SyntaxError> {
        profile(&mut Reader::new(text))
    }
}

fn profile(reader: &mut Reader) -> Result<Profile, SyntaxError> {
    let mut pieces: Vec<Arc<dyn Piece>> = Vec::new();
    let mut length = Nanos::ZERO;
    loop {
        let start = reader.clone();
        if !pieces.is_empty() && reader.takes("repeat") {
            let rounds = rounds(reader)?;
            let round = Profile::new(pieces.clone(), Some(1));
            check_repeated(&round, rounds).map_err(|why| start.error(why))?;
            return Ok(Profile::new(pieces, rounds));
        }
        let piece = piece(reader)?;
        let piece_length = piece.length();
        length = length + piece_length.unwrap_or(Nanos::ZERO);
        if length > Nanos::from(MAX_DURATION) {
            return Err(start.error("with this piece, the profile lasts more than 3650d in all"));
        }
        if pieces.len() == MAX_PIECES {
            return Err(start.error(format!("more than {MAX_PIECES} pieces")));
        }
        pieces.push(piece);
        if reader.is_at_end() {
            return Ok(Profile::new(pieces, Some(1)));
        }
        reader.comma()?;
        if piece_length.is_none() && !reader.is_at_end() {
            let why = "without 'for TIME' it lasts for ever, so nothing may come after it";
            return Err(start.error(why));
        }
    }
}

/// Reads the text between `repeat` and the end.
fn rounds(reader: &mut Reader) -> Result<Option<u64>, SyntaxError> {
    reader.form = REPEAT;
    let mut rounds = None;
    if !reader.is_at_end_of_piece() {
        rounds = Some(reader.whole(u64::MAX)?);
        reader.keyword("times")?;
    }
    if !reader.is_at_end() {
        return Err(reader.expected("the end"));
    }
    Ok(rounds)
}

/// Reads a piece, up to a comma or the end.
fn piece(reader: &mut Reader) -> Result<Arc<dyn Piece>, SyntaxError> {
    for kind in KINDS {
        reader.form = kind.form;
        let Some(piece) = (kind.read)(reader)? else {
            continue;
        };
        if !reader.is_at_end_of_piece() {
            return Err(reader.expected("a comma or the end"));
        }
        return Ok(piece);
    }
    let forms = KINDS.iter().map(|kind| kind.form).chain([REPEAT]);
    let forms = forms.collect::<Vec<_>>().join("; ");
    let found = reader.found();
    Err(reader.error(if reader.is_at_end_of_piece() {
        format!("{found} where a piece should be: {forms}")
    } else {
        format!("{found} is not a piece; the pieces are: {forms}")
    }))
}

fn check_repeated(round: &Profile, rounds: Option<u64>) -> Result<(), &'static str> {
    let length = round.end().unwrap_or(Nanos::MAX);
    let count = round.count_at(Nanos::MAX);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn read(text: &str) -> Result<Profile, SyntaxError> {
        text.parse()
    }

    #[track_caller]
    fn canonical(text: &str) -> String {
        read(text).unwrap().to_string()
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        let whole = "50/s for 30s, ramp 50/s to 500/s over 2m, 500/s for 1m, pause 10s, \
                     sine 100/s ± 50/s every 1m for 5m, burst 500/s for 5s, \
                     burst 2000 at once, repeat";
        assert_eq!(canonical(whole), whole);
        assert_eq!(canonical(&whole.to_uppercase()), whole);
        assert_eq!(canonical(&whole.replace(' ', "\t  ")), whole);
        let dense = whole.replace("± ", "+-").replace(", ", ",");
        assert_eq!(canonical(&dense), whole);
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
            ("90/Hour for 1 min 30 secs", "0.025/s for 90s"),
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
        for (text, tokens) in [
            ("50/s for 30s, burst 2000 at once", 3_500),
            ("ramp 50/s to 500/s over 2m, repeat 3 times", 3 * 275 * 120),
            ("sine 100/s ± 50/s every 1m for 5m", 30_000),
        ] {
            let count = read(text).unwrap().passed(Nanos::MAX);
            assert_eq!(count.tokens(), tokens, "{text}");
        }
    }

    /// Texts that are refused, the column, and a part of the message.
    const REFUSED: &str = "
        50/s for 30s, => 14: the end where a piece should be
        50/s for 30s,, 1/s => 14: a comma where a piece should be
        50/s for 30s, rmap 50/s => 15: 'rmap' is not a piece; the pieces are: RATE
        ±50/s => 1: '±50/s' is not a piece
        -5/s => 1: '-5/s' is not a piece
        repeat => 1: 'repeat' is not a piece
        50 => 1: '50' must be a rate such as 50/s
        50/d => 1: '50/d' must be a rate
        50/s/s => 5: '/s' where a comma or the end should be: RATE [for TIME]
        5.0.0/s => 1: '5.0.0/s' must be a rate
        1e3/s => 1: '1e3/s' must be a rate
        0/s for 5s => 1: from 0.000001/s to 1000000/s
        1000001/s => 1: from 0.000001/s to 1000000/s
        1/s for 1s, 0.0000004/s => 13: '0.0000004/s' must be a rate
        50/s 30s => 6: '30s' where a comma or the end should be: RATE [for TIME]
        50/s for => 9: the time is missing; it must be seconds, or a time
        50/s for 0s => 10: '0s' must be seconds, or a time
        50/s for 5 parsecs => 10: '5 parsecs' must be seconds, or a time
        50/s for 1,510/s => 11: a comma between two digits may be part of a number
        50/s for 1,5s => 11: write a point before a fraction
        5,5/s => 1: '5' must be a rate
        burst 2,000 at once => 8: a comma where 'at' should be
        50/s for -5s => 10: '-5s' must be
        50/s for 4000d => 10: from 1ms to 3650d
        ramp 50/s => 10: the end where 'to' should be: ramp RATE to RATE over TIME
        ramp 50/s to 500/s in 2m => 20: 'in' where 'over' should be
        ramp 0/s to 0/s over 1m => 6: one end of a ramp must be more than 0/s
        sine 50/s - 5/s every 1m for 1m => 11: '-' where ± or +- should be
        sine 50/s + 5/s every 1m for 1m => 11: '+' where ± or +- should be
        sine 50/s ± 60/s every 1m for 1m => 13: '60/s' must be at most the rate that it swings
        sine 50/s ±60/s every 1m for 1m => 12: '60/s' must be at most the rate that it swings
        sine 50/s ± 6/s every 1m => 25: the end where 'for' should be: sine
        sine 50/s ± 6/s for 1m => 17: 'for' where 'every' should be: sine
        pause => 6: the time is missing; it must be seconds
        pause for 10s => 7: 'for 10s' must be seconds
        burst 5 at => 11: the end where 'once' should be: burst
        burst 0 at once => 7: '0' must be a whole number from 1 to 1000000000
        burst 2.5 at once => 7: '2.5' must be a whole number
        burst many at once => 7: 'many' must be a whole number
        burst 2000000000/s for 1s => 7: to 1000000000/s
        burst => 6: the number is missing; it must be a whole number
        ramp 50/s to , 5/s => 14: the rate is missing; it must be a rate such as
        burst 5/s => 10: the end where 'for' should be: burst
        50/s, 60/s for 1m => 1: without 'for TIME' it lasts for ever
        50/s for 1s, 60/s, repeat => 14: without 'for TIME' it lasts for ever
        50/s for 1s, repeat, 1/s => 20: a comma where the end should be: repeat
        50/s for 1s, repeat 2 times, 1/s => 28: a comma where the end should be: repeat
        50/s for 1s, repeat 2 => 22: the end where 'times' should be: repeat
        50/s for 1s, repeat 0 times => 21: '0' must be a whole number from 1
        burst 5 at once, repeat => 18: must last some time
        pause 5s, repeat 2 times => 11: must have requests
        burst 2000000 at once, pause 1ms, repeat => 35: at most 1000000000 requests
        1/s for 3000d, 1/s for 3000d => 16: more than 3650d in all
        1/s for 3000d, repeat 2 times => 16: more than 3650d in all
        1/s for 1s, repeat 18446744073709551615 times => 13: more than 3650d in all
        50/s für 30s => 6: 'für' where a comma or the end should be
        50/s for 30 s!, 1/s => 14: '!' where a comma
    ";

    #[test]
    fn an_error_names_its_column_and_the_expected_form() {
        let pairs = REFUSED
            .trim()
            .lines()
            .map(|line| line.split_once(" => ").unwrap());
        for (text, refusal) in pairs.chain([("", "1: the end where a piece should be: RATE")]) {
            let text = text.trim_start();
            let (column, message) = refusal.split_once(": ").unwrap();
            let error = read(text).expect_err(text);
            assert_eq!(error.column.to_string(), column, "{text:?}: {error}");
            assert!(error.message.contains(message), "{text:?}: {error}");
        }
        let many = "1/s for 1s,".repeat(MAX_PIECES) + "1/s";
        let error = read(&many).unwrap_err().to_string();
        assert_eq!(error, "column 11001: more than 1000 pieces");
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

    /// A piece as it is typed, with a length.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            (rate(), length()).prop_map(|(r, l)| format!("{r}/s for {l:#}")),
            (rate(), length()).prop_map(|(r, l)| format!("burst {r}/s for {l:#}")),
            (rate(), rate(), length())
                .prop_map(|(a, b, l)| format!("ramp {a}/s to {b}/s over {l:#}")),
            (rate(), length()).prop_map(|(a, l)| format!("ramp {a}/s to 0/s over {l:#}")),
            (rate(), rate(), length(), length()).prop_map(|(a, b, period, l)| {
                let (mean, amplitude) = (a.max(b), a.min(b));
                format!("sine {mean}/s ± {amplitude}/s every {period:#} for {l:#}")
            }),
            length().prop_map(|l| format!("pause {l:#}")),
            (1u64..=1_000_000_000).prop_map(|requests| format!("burst {requests} at once")),
        ]
    }

    proptest! {
        #[test]
        fn a_profile_displays_as_it_is_typed(
            pieces in prop::collection::vec(piece(), 1..6), rate in rate(),
            rounds in prop::option::of(2u64..20)
        ) {
            let pieces = pieces.join(", ");
            let repeat = rounds.map_or("repeat".to_owned(), |rounds| format!("repeat {rounds} times"));
            for text in [&pieces, &format!("{pieces}, {rate}/s"), &format!("{rate}/s for 1m, pause 1d, {repeat}")] {
                prop_assert_eq!(&read(text).unwrap().to_string(), text);
            }
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
            let text = pieces.join(", ");
            let at = at.index(text.chars().count());
            let broken: String = text.chars().enumerate()
                .map(|(place, c)| if place == at { '?' } else { c }).collect();
            // The error is at the break, or at the start of the word or time that contains it.
            let wrong = read(&broken).unwrap_err();
            prop_assert!(wrong.column <= at + 1, "{broken}: {wrong}");
        }
    }
}
