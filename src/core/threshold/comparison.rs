//! The test of a threshold: what the number must be.

use super::range::{Range, Ratio};
use crate::base::text::{Cursor, Lexeme, SyntaxError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    NotEqual,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("<", Comparison::Less),
    ("<=", Comparison::AtMost),
    (">", Comparison::More),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
];

const BETWEEN: &str = "between";
const KEPT: &str = "kept";
const BROKEN: &str = "broken";

/// A condition on a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    Is(Comparison, Ratio),
    /// Both ends are included, and the first is not more than the second.
    Between(Ratio, Ratio),
}

impl Test {
    /// Reads a comparison with a value that `value` reads.
    pub fn read(
        cursor: &mut Cursor,
        value: fn(&mut Cursor) -> Result<Ratio, SyntaxError>,
    ) -> Result<Test, SyntaxError> {
        let operator = cursor.take(peek_operator(cursor));
        if operator.text == BETWEEN {
            let first = cursor.rest();
            let low = value(cursor)?;
            let typed = cursor.since(first).text;
            cursor.one_of(&["and"])?;
            let second = cursor.rest();
            let high = value(cursor)?;
            if high < low {
                return Err(second.error(format!("must be no less than {typed}")));
            }
            return Ok(Test::Between(low, high));
        }
        let known = COMPARISONS.iter().find(|(name, _)| *name == operator.text);
        let (_, comparison) = known.ok_or_else(|| unknown(operator))?;
        Ok(Test::Is(*comparison, value(cursor)?))
    }

    /// Reads `= kept`, which the number 1 passes.
    pub fn read_kept(cursor: &mut Cursor) -> Result<Test, SyntaxError> {
        let operator = cursor.take(peek_operator(cursor));
        if operator.text != "=" {
            return Err(operator.error(format!("must be = {KEPT}")));
        }
        cursor.one_of(&[KEPT])?;
        Ok(Test::Is(Comparison::Equal, Ratio::whole(1u64)))
    }

    /// Reads `= kept`, which the number 1 passes, or `= broken` or `!= broken`, which the number 0 passes or does not.
    pub fn read_verdict(cursor: &mut Cursor) -> Result<Test, SyntaxError> {
        let operator = cursor.take(peek_operator(cursor));
        let broken = Ratio::whole(0u64);
        match operator.text {
            "=" => Ok(match cursor.one_of(&[KEPT, BROKEN])? {
                KEPT => Test::Is(Comparison::Equal, Ratio::whole(1u64)),
                _ => Test::Is(Comparison::Equal, broken),
            }),
            "!=" => {
                cursor.one_of(&[BROKEN])?;
                Ok(Test::Is(Comparison::NotEqual, broken))
            }
            _ => Err(operator.error("must be = kept, = broken or != broken")),
        }
    }

    /// Whether any number within the range passes. It may also return true if only a number just outside the range
    /// passes, but it is exact for a range of one number.
    pub fn is_met_within(&self, range: Range) -> bool {
        let reaches = |bound: Ratio| range.most.is_none_or(|most| most >= bound);
        match *self {
            Test::Is(Comparison::Less, value) => range.least < value,
            Test::Is(Comparison::AtMost, value) => range.least <= value,
            Test::Is(Comparison::More, value) => range.most.is_none_or(|most| most > value),
            Test::Is(Comparison::AtLeast, value) => reaches(value),
            Test::Is(Comparison::Equal, value) => range.least <= value && reaches(value),
            Test::Is(Comparison::NotEqual, value) => range != Range::exactly(value),
            Test::Between(low, high) => range.least <= high && reaches(low),
        }
    }

    pub fn is_inequality(&self) -> bool {
        matches!(self, Test::Is(Comparison::NotEqual, _))
    }

    /// Whether every number that is less than one that passes also passes.
    pub fn is_upper_bound(&self) -> bool {
        matches!(self, Test::Is(Comparison::Less | Comparison::AtMost, _))
    }

    /// The numbers that it compares with.
    pub fn values(&self) -> impl Iterator<Item = Ratio> {
        let (first, second) = match *self {
            Test::Is(_, value) => (value, None),
            Test::Between(low, high) => (low, Some(high)),
        };
        std::iter::once(first).chain(second)
    }
}

/// A sign or a word.
fn peek_operator<'a>(cursor: &Cursor<'a>) -> Lexeme<'a> {
    let sign = cursor.peek(|c| "<>=!≤≥≠".contains(c));
    if sign.is_empty() {
        cursor.peek_word()
    } else {
        sign
    }
}

fn unknown(operator: Lexeme) -> SyntaxError {
    let form = format!("must be <, <=, >, >=, =, != or {BETWEEN}");
    let meant = match operator.text {
        "==" | "is" => "=",
        "=<" | "≤" => "<=",
        "=>" | "≥" => ">=",
        "<>" | "≠" => "!=",
        _ => return operator.error_with_hint(&form, &[BETWEEN]),
    };
    operator.error(format!("{form}; did you mean {meant}?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn test() -> impl Strategy<Value = Test> {
        let comparison = prop::sample::select(COMPARISONS.as_slice());
        let ratio = |number: u8| Ratio::whole(number);
        prop_oneof![
            (comparison, 0u8..6).prop_map(move |((_, is), value)| Test::Is(is, ratio(value))),
            (0u8..6, 0u8..6)
                .prop_map(move |(a, b)| Test::Between(ratio(a.min(b)), ratio(a.max(b)))),
        ]
    }

    fn passes(test: Test, number: u8) -> bool {
        let number = Ratio::whole(number);
        match test {
            Test::Is(Comparison::Less, value) => number < value,
            Test::Is(Comparison::AtMost, value) => number <= value,
            Test::Is(Comparison::More, value) => number > value,
            Test::Is(Comparison::AtLeast, value) => number >= value,
            Test::Is(Comparison::Equal, value) => number == value,
            Test::Is(Comparison::NotEqual, value) => number != value,
            Test::Between(low, high) => (low..=high).contains(&number),
        }
    }

    proptest! {
        #[test]
        fn a_range_meets_a_test_that_any_number_in_it_passes(
            test in test(), least in 0u8..6, more in prop::option::of(0u8..6)
        ) {
            let most = more.map(|more| least + more);
            let range = Range { least: Ratio::whole(least), most: most.map(Ratio::whole) };
            let any = (least..=most.unwrap_or(20)).any(|number| passes(test, number));
            prop_assert_eq!(test.is_met_within(range), any);
        }
    }
}
