//! The text form of a profile: pieces, comma-separated, in whatever case and with whatever blanks.
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

use super::values::{MAX_DURATION, MAX_RPS, MIN_RPS, some_time, whole};
use crate::base::Nanos;
use crate::core::schedule::{Count, Piece, Ramp, Rate, Sequence, Sine, Steady};
use std::fmt;
use std::ops::Range;

/// What is wrong and where, or the profile.
pub fn profile(text: &str) -> Result<Sequence, String> {
    Reader::new(text)
        .profile()
        .map_err(|wrong| wrong.to_string())
}

const STEADY: &str = "RATE [for TIME]";
const RAMP: &str = "ramp RATE to RATE over TIME";
const SINE: &str = "sine RATE ± RATE every TIME for TIME";
const PAUSE: &str = "pause TIME";
const BURST: &str = "burst RATE for TIME, or burst COUNT at once";
const REPEAT: &str = "repeat [COUNT times], as the last";

/// The words of a piece that no time has.
const KEYWORDS: [&str; 5] = ["for", "to", "over", "every", "at"];

/// How many pieces a round may have: a sine takes 33 KB.
const MAX_PIECES: usize = 1_000;

/// The highest rate of a burst, as with the highest steady rate and multiplier.
const MAX_BURST_RPS: f64 = 1_000_000_000.0;

const MAX_AT_ONCE: u64 = 1_000_000_000;

#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// In characters, from 1; one past the last where something is missing.
    column: usize,
    why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.why)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Word,
    Slash,
    PlusMinus,
    Comma,
    Other,
    End,
}

#[derive(Debug, Clone)]
struct Lexeme {
    kind: Kind,
    bytes: Range<usize>,
    column: usize,
}

/// All lexemes of a text, and its end.
fn lexemes(text: &str) -> Vec<Lexeme> {
    let kind = |c: char| match c {
        '0'..='9' | '.' => Kind::Number,
        '/' => Kind::Slash,
        '±' | '+' => Kind::PlusMinus,
        ',' => Kind::Comma,
        c if c.is_alphabetic() => Kind::Word,
        _ => Kind::Other,
    };
    let mut lexemes: Vec<Lexeme> = Vec::new();
    let mut column = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        column += 1;
        if c.is_whitespace() {
            continue;
        }
        let mut lexeme = Lexeme {
            kind: kind(c),
            bytes: start..start + c.len_utf8(),
            column,
        };
        let goes_on = |next: char| match lexeme.kind {
            Kind::Number | Kind::Word => kind(next) == lexeme.kind,
            Kind::PlusMinus => c == '+' && next == '-',
            _ => false,
        };
        while let Some((at, next)) = chars.next_if(|(_, next)| goes_on(*next)) {
            column += 1;
            lexeme.bytes.end = at + next.len_utf8();
        }
        if &text[lexeme.bytes.clone()] == "+" {
            lexeme.kind = Kind::Other;
        }
        lexemes.push(lexeme);
    }
    lexemes.push(Lexeme {
        kind: Kind::End,
        bytes: text.len()..text.len(),
        column: column + 1,
    });
    lexemes
}

struct Reader<'a> {
    text: &'a str,
    lexemes: Vec<Lexeme>,
    /// The next to be read; the end is never passed.
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Reader {
            text,
            lexemes: lexemes(text),
            at: 0,
        }
    }

    fn profile(mut self) -> Result<Sequence, Wrong> {
        let mut pieces = Vec::new();
        let mut length = Nanos::ZERO;
        let rounds = loop {
            let column = self.next().column;
            if !pieces.is_empty() && self.takes("repeat") {
                let rounds = self.rounds()?;
                self.repeatable(&pieces, length, rounds, column)?;
                break rounds;
            }
            let piece = self.piece()?;
            let own = piece.length();
            length = length + own.unwrap_or(Nanos::ZERO);
            if length > Nanos::from(MAX_DURATION) {
                return Err(wrong(
                    column,
                    "up to the end of this, more than 3650d in all",
                ));
            }
            if pieces.len() == MAX_PIECES {
                return Err(wrong(column, format!("more than {MAX_PIECES} pieces")));
            }
            pieces.push(piece);
            if self.next().kind == Kind::End {
                break Some(1);
            }
            self.at += 1;
            if own.is_none() && self.next().kind != Kind::End {
                let why = "without 'for TIME' it lasts for ever, so nothing may come after it";
                return Err(wrong(column, why));
            }
        };
        Ok(Sequence::new(pieces, rounds))
    }

    /// What stands between `repeat` and the end.
    fn rounds(&mut self) -> Result<Option<u64>, Wrong> {
        match self.next().kind {
            Kind::End => return Ok(None),
            Kind::Comma => return Err(self.expected("the end", REPEAT)),
            _ => {}
        }
        let rounds = self.whole(u64::MAX)?;
        self.keyword("times", REPEAT)?;
        match self.next().kind {
            Kind::End => Ok(Some(rounds)),
            _ => Err(self.expected("the end", REPEAT)),
        }
    }

    fn repeatable(
        &self,
        pieces: &[Piece],
        length: Nanos,
        rounds: Option<u64>,
        column: usize,
    ) -> Result<(), Wrong> {
        let counts = pieces.iter().filter_map(Piece::count);
        let count = counts.fold(Count::ZERO, |sum, count| sum + count);
        let why = if length == Nanos::ZERO {
            "what is repeated must last some time"
        } else if count == Count::ZERO {
            "what is repeated must have requests"
        } else if count > Rate::MAX.over(length) {
            "what is repeated must have at most 1000000000 requests per second in the mean"
        } else if length * rounds.unwrap_or(1) > Nanos::from(MAX_DURATION) {
            "so many times, it is more than 3650d in all"
        } else {
            return Ok(());
        };
        Err(wrong(column, why))
    }

    /// A piece, and then a comma or the end.
    fn piece(&mut self) -> Result<Piece, Wrong> {
        let (piece, form) = if self.next().kind == Kind::Number {
            (self.steady()?, STEADY)
        } else if self.takes("ramp") {
            (self.ramp()?, RAMP)
        } else if self.takes("sine") {
            (self.sine()?, SINE)
        } else if self.takes("pause") {
            (Piece::Pause(self.time()?), PAUSE)
        } else if self.takes("burst") {
            (self.burst()?, BURST)
        } else {
            let forms = [STEADY, RAMP, SINE, PAUSE, BURST, REPEAT].join("; ");
            return Err(match self.next().kind {
                Kind::Comma | Kind::End => self.expected("a piece", &forms),
                _ => {
                    let why = format!("{} is no piece; there are: {forms}", self.found());
                    wrong(self.next().column, why)
                }
            });
        };
        match self.next().kind {
            Kind::Comma | Kind::End => Ok(piece),
            _ => Err(self.expected("a comma or the end", form)),
        }
    }

    fn steady(&mut self) -> Result<Piece, Wrong> {
        let rate = self.rate(MAX_RPS)?;
        let length = match self.takes("for") {
            true => Some(self.time()?),
            false => None,
        };
        Ok(Piece::Steady(Steady::new(rate), length))
    }

    fn ramp(&mut self) -> Result<Piece, Wrong> {
        let column = self.next().column;
        let from = self.rate_or_zero(MAX_RPS)?;
        self.keyword("to", RAMP)?;
        let to = self.rate_or_zero(MAX_RPS)?;
        self.keyword("over", RAMP)?;
        let length = self.time()?;
        if from.max(to) == Rate::ZERO {
            return Err(wrong(column, "one end of a ramp must be more than 0/s"));
        }
        Ok(Piece::Ramp(Ramp::new(from, to, length)))
    }

    fn sine(&mut self) -> Result<Piece, Wrong> {
        let mean = self.rate(MAX_RPS)?;
        if self.next().kind != Kind::PlusMinus {
            return Err(self.expected("± or +-", SINE));
        }
        self.at += 1;
        let (column, found) = (self.next().column, self.found());
        let amplitude = self.rate(MAX_RPS)?;
        if amplitude > mean {
            let why = format!("{found} must be at most what it swings around, {mean}/s");
            return Err(wrong(column, why));
        }
        self.keyword("every", SINE)?;
        let period = self.time()?;
        self.keyword("for", SINE)?;
        let length = self.time()?;
        Ok(Piece::Sine(Sine::new(mean, amplitude, period, length)))
    }

    fn burst(&mut self) -> Result<Piece, Wrong> {
        let is_rate = self.lexemes[self.at..]
            .get(1)
            .is_some_and(|lexeme| lexeme.kind == Kind::Slash);
        if is_rate {
            let rate = self.rate(MAX_BURST_RPS)?;
            self.keyword("for", BURST)?;
            Ok(Piece::Burst(Steady::new(rate), self.time()?))
        } else {
            let requests = self.whole(MAX_AT_ONCE)?;
            self.keyword("at", BURST)?;
            self.keyword("once", BURST)?;
            Ok(Piece::AtOnce(requests))
        }
    }

    fn rate(&mut self, most: f64) -> Result<Rate, Wrong> {
        let (column, found) = (self.next().column, self.found_or_missing("rate"));
        match self.any_rate() {
            Some(rate) if (MIN_RPS..=most).contains(&rate.as_f64()) => Ok(rate),
            _ => {
                let form = "must be a rate such as 50/s, 0.5/s, 30/m or 10/h";
                let why = format!("{found} {form}, from {MIN_RPS}/s to {most}/s");
                Err(wrong(column, why))
            }
        }
    }

    fn rate_or_zero(&mut self, most: f64) -> Result<Rate, Wrong> {
        let start = self.at;
        if self.any_rate() == Some(Rate::ZERO) {
            return Ok(Rate::ZERO);
        }
        self.at = start;
        self.rate(most)
    }

    fn any_rate(&mut self) -> Option<Rate> {
        let [number, slash, unit] = self.lexemes.get(self.at..self.at + 3)? else {
            return None;
        };
        let kinds = [number.kind, slash.kind, unit.kind];
        if kinds != [Kind::Number, Kind::Slash, Kind::Word] {
            return None;
        }
        let seconds = match self.text[unit.bytes.clone()].to_ascii_lowercase().as_str() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        let rate = decimal(&self.text[number.bytes.clone()], seconds)?;
        self.at += 3;
        Some(rate)
    }

    fn time(&mut self) -> Result<Nanos, Wrong> {
        let (first, found) = (self.next().clone(), self.found_or_missing("time"));
        let mut end = first.bytes.start;
        loop {
            let next = self.next();
            let word = &self.text[next.bytes.clone()];
            let keyword = KEYWORDS
                .iter()
                .any(|keyword| word.eq_ignore_ascii_case(keyword));
            if !matches!(next.kind, Kind::Number | Kind::Word) || keyword {
                break;
            }
            end = next.bytes.end;
            self.at += 1;
        }
        let time = &self.text[first.bytes.start..end];
        some_time(&time.to_lowercase())
            .map(Nanos::from)
            .map_err(|why| match time {
                "" => wrong(first.column, format!("{found} {why}")),
                time => wrong(first.column, format!("{} {why}", quoted(time))),
            })
    }

    fn whole(&mut self, most: u64) -> Result<u64, Wrong> {
        let next = self.next();
        let number = whole(&self.text[next.bytes.clone()], 1..=most).map_err(|why| {
            let found = self.found_or_missing("number");
            wrong(next.column, format!("{found} {why}"))
        })?;
        self.at += 1;
        Ok(number)
    }

    /// Whether this word is next; then it is taken.
    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.text[self.next().bytes.clone()].eq_ignore_ascii_case(word);
        self.at += usize::from(is_next);
        is_next
    }

    fn keyword(&mut self, word: &str, form: &str) -> Result<(), Wrong> {
        match self.takes(word) {
            true => Ok(()),
            false => Err(self.expected(&quoted(word), form)),
        }
    }

    fn expected(&self, what: &str, form: &str) -> Wrong {
        let why = format!("{} where {what} should be: {form}", self.found());
        wrong(self.next().column, why)
    }

    fn next(&self) -> &Lexeme {
        &self.lexemes[self.at]
    }

    /// What is next, as the beginning of a sentence that says what it must be.
    fn found_or_missing(&self, what: &str) -> String {
        match self.next().kind {
            Kind::Comma | Kind::End => format!("the {what} is missing; it"),
            _ => self.found(),
        }
    }

    /// What is next, up to the next blank or comma.
    fn found(&self) -> String {
        let next = self.next();
        let rest = &self.text[next.bytes.start..];
        match next.kind {
            Kind::End => "the end".to_owned(),
            Kind::Comma => "a comma".to_owned(),
            _ => quoted(
                rest.split(|c: char| c == ',' || c.is_whitespace())
                    .next()
                    .unwrap_or_default(),
            ),
        }
    }
}

fn wrong(column: usize, why: impl Into<String>) -> Wrong {
    let why = why.into();
    Wrong { column, why }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// A decimal number of requests in so many seconds, to the nearest nano-request per second: exact
/// per second with up to nine decimals. `None` also where it has more digits than anyone needs, and
/// where it is more than [`Rate::MAX`].
fn decimal(text: &str, seconds: u128) -> Option<Rate> {
    const MOST_DIGITS: usize = 28;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let digits: u128 = digits.parse().ok()?;
    let unit = 10u128.pow(fraction.len() as u32) * seconds;
    let nano = (digits * 1_000_000_000 + unit / 2) / unit;
    match u64::try_from(nano).ok()? {
        0 if digits == 0 => Some(Rate::ZERO),
        nano => (1..=Rate::MAX.nano())
            .contains(&nano)
            .then(|| Rate::from_nano(nano)),
    }
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
    fn what_is_read_is_what_was_written() {
        let read = profile("50/s for 30s, burst 2000 at once").unwrap();
        assert_eq!(read.end(), Some(Nanos(30 * SECOND)));
        assert_eq!(read.passed(Nanos::MAX).tokens(), 3_500);
        let read = profile("ramp 50/s to 500/s over 2m, repeat 3 times").unwrap();
        assert_eq!(read.passed(Nanos::MAX).tokens(), 3 * 275 * 120);
        let read = profile("sine 100/s ± 50/s every 1m for 5m").unwrap();
        assert_eq!(read.passed(Nanos::MAX).tokens(), 30_000);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_column() {
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
                "'60/s' must be at most what it swings",
            ),
            (
                "sine 50/s ±60/s every 1m for 1m",
                12,
                "'60/s' must be at most what it swings",
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
        fn what_is_displayed_is_read_as_the_same(
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
        fn whatever_is_typed_is_read_or_refused_within_its_columns(
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
            if let Err(wrong) = Reader::new(&text).profile() {
                let columns = text.chars().count() + 1;
                prop_assert!((1..=columns).contains(&wrong.column), "{text:?}: {wrong}");
            }
        }

        #[test]
        fn a_text_of_pieces_is_refused_where_a_word_is_broken(
            pieces in prop::collection::vec(piece(), 1..6), at: prop::sample::Index
        ) {
            let text = Sequence::new(pieces, Some(1)).to_string();
            let at = at.index(text.chars().count());
            let broken: String = text.chars().enumerate()
                .map(|(place, c)| if place == at { '?' } else { c }).collect();
            // What is wrong begins at the break, or with the word or time that it is in.
            let wrong = Reader::new(&broken).profile().unwrap_err();
            prop_assert!(wrong.column <= at + 1, "{broken}: {wrong}");
        }
    }
}
