//! Conditions on the change of a number between runs: `latency.p99 > 10% worse`.
//!
//! ```text
//! condition = NUMBER [ "of" COUNTED ] [ ">" amount ] WORD
//! amount    = percent | time | whole number | rate | NUMBER "points"
//! WORD      = "worse" | "better" | "higher" | "lower" | "different"
//! ```
//!
//! A percentage is relative to the base. Any number may have one; beside it, a number may have an amount in its own unit.
//! The points of a share are percentage points. Only a number of which more or less is better can be `worse` or `better`.

use super::number::{Direction, Number, Unit};
use super::{metric, values};
use crate::base::text::{Cursor, Decimal, SyntaxError, UNITS_OF_TIME, unit_of_time};
use std::str::FromStr;

/// A condition on the change of a number.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeCondition {
    /// The text as it was given, without blanks around it.
    pub text: String,
    pub number: Number,
    /// `None` stands for any change that the runs show.
    pub amount: Option<Amount>,
    pub word: Word,
}

/// By how much a number changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A share of the base: 0.1 is 10 %.
    Relative(f64),
    /// In the number's unit.
    Absolute(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Higher,
    Lower,
    Different,
}

const WORDS: [&str; 5] = ["worse", "better", "higher", "lower", "different"];

impl FromStr for ChangeCondition {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<ChangeCondition, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let number = metric::read_number(&mut cursor)?;
        let sign = cursor.peek(|c| "<>=!≤≥≠".contains(c));
        let amount = if sign.is_empty() {
            None
        } else if sign.text == ">" {
            cursor.take(sign);
            Some(read_amount(&mut cursor, number.unit())?)
        } else {
            return Err(sign.error("must be >, and by how much the number changes, such as > 10%"));
        };
        let word = cursor.rest();
        let word = match (cursor.one_of(&WORDS)?, number.direction()) {
            ("higher", _)
            | ("worse", Direction::LowerIsBetter)
            | ("better", Direction::HigherIsBetter) => Word::Higher,
            ("lower", _)
            | ("worse", Direction::HigherIsBetter)
            | ("better", Direction::LowerIsBetter) => Word::Lower,
            ("different", _) => Word::Different,
            _ => {
                return Err(word.error(format!(
                    "must be higher, lower or different, because neither more nor less of {number} is better"
                )));
            }
        };
        if !cursor.is_at_end() {
            return Err(cursor.rest().error("must be the end"));
        }
        Ok(ChangeCondition {
            text: text.trim().to_owned(),
            number,
            amount,
            word,
        })
    }
}

fn read_amount(cursor: &mut Cursor, unit: Unit) -> Result<Amount, SyntaxError> {
    const SCALE: u64 = 1_000_000;
    let mut ahead = *cursor;
    let number = ahead.take(ahead.peek_number());
    let decimal = Decimal::parse(number.text).and_then(|decimal| decimal.nearest(SCALE, 1));
    let percent = decimal
        .map(|scaled| scaled as f64 / SCALE as f64 / 100.0)
        .filter(|share| *share <= 1e4);
    let mut is_percent = false;
    let mut is_points = false;
    if ahead.takes("%") {
        is_percent = true;
        // `10% points` are points, too.
        let word = ahead.peek_word();
        if unit == Unit::Share && (word.text == "points" || word.text == "point") {
            ahead.take(word);
            is_points = true;
        }
    } else if unit == Unit::Share {
        let word = ahead.peek_word();
        if word.text == "points" || word.text == "point" {
            ahead.take(word);
            is_points = true;
        }
    }
    if is_percent || is_points {
        let share = percent.ok_or_else(|| {
            number.error("must be a number with at most 6 decimals, up to 1000000, such as 10%")
        })?;
        *cursor = ahead;
        return Ok(if is_points {
            Amount::Absolute(share)
        } else {
            Amount::Relative(share)
        });
    }
    let absolute = match unit {
        Unit::Time => {
            let unit = ahead.peek_letters();
            if decimal.is_some() && unit_of_time(unit.text).is_none() {
                return Err(unit.error(format!("must be % or a unit of time: {UNITS_OF_TIME}")));
            }
            values::time(cursor)
        }
        Unit::Count => values::whole(cursor),
        Unit::PerSecond => values::rate(cursor),
        Unit::Share => Err(number.error("must be such as 10% or 0.5 points")),
    };
    absolute.map(|value| Amount::Absolute(value.as_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_a_number_an_amount_and_a_word() {
        use Amount::{Absolute, Relative};
        for (text, amount, word) in [
            ("latency.p99 > 10% worse", Some(Relative(0.1)), Word::Higher),
            (" latency.p99>5ms worse ", Some(Absolute(5e6)), Word::Higher),
            ("latency.p50 better", None, Word::Lower),
            (
                "sent.per_second > 5% worse",
                Some(Relative(0.05)),
                Word::Lower,
            ),
            (
                "sent.per_second > 1/s worse",
                Some(Absolute(1.0)),
                Word::Lower,
            ),
            (
                "failed.rate > 0.5 points worse",
                Some(Absolute(0.005)),
                Word::Higher,
            ),
            (
                "blocked.rate of success > 150% higher",
                Some(Relative(1.5)),
                Word::Higher,
            ),
            ("failed.count > 3 worse", Some(Absolute(3.0)), Word::Higher),
            ("allowed.count different", None, Word::Different),
        ] {
            let condition: ChangeCondition =
                text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((condition.amount, condition.word), (amount, word), "{text}");
            assert_eq!(condition.text, text.trim());
        }
        for (bad, says) in [
            ("", "column 1: must be one of latency"),
            ("audit worse", "column 1: must be a number"),
            ("latency.p99", "column 12: must be one of worse, better"),
            ("latency.p99 < 10% worse", "column 13: must be >"),
            ("latency.p99 > worse", "column 15: must be a time"),
            (
                "latency.p99 > 10 worse",
                "column 18: must be % or a unit of time: ns, us,",
            ),
            (
                "latency.p99 > 10% wors",
                "column 19: must be one of worse, better, higher, lower, different; did you mean worse?",
            ),
            (
                "blocked.rate > 1 worse",
                "column 16: must be such as 10% or 0.5 points",
            ),
            (
                "blocked.rate > 1% worse",
                "column 19: must be higher, lower or different",
            ),
            ("latency.p99 > 10% worse x", "column 25: must be the end"),
            (
                "latency.p99 > 99999999999999999999999999% worse",
                "column 15: must be a number with",
            ),
        ] {
            let wrong = bad.parse::<ChangeCondition>().unwrap_err().to_string();
            assert!(wrong.starts_with(says), "{bad}: {wrong}");
        }
    }
}
