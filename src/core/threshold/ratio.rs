//! Exact numbers, and what is asked of them.

use std::cmp::Ordering;
use std::fmt;

/// A number that is not negative, as a fraction.
///
/// None that is compared overflows: of measured ones the numerator times 10⁹, of asked ones either part, and each
/// product of a numerator of one kind with a denominator of the other are below 2¹²⁷.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    pub over: u128,
    /// Over 0.
    pub under: u128,
}

impl Ratio {
    pub fn whole(number: impl Into<u128>) -> Ratio {
        Ratio {
            over: number.into(),
            under: 1,
        }
    }

    /// `None` if it is of nothing.
    pub fn of(over: u128, under: u128) -> Option<Ratio> {
        (under > 0).then_some(Ratio { over, under })
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Ratio) -> Ordering {
        (self.over * other.under).cmp(&(other.over * self.under))
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Ratio) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ratio {}

/// Where a number is, or ends up: no less than the least, and no more than the most, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub least: Ratio,
    pub most: Option<Ratio>,
}

impl Range {
    pub fn exactly(number: Ratio) -> Range {
        Range {
            least: number,
            most: Some(number),
        }
    }

    pub fn from(least: Ratio) -> Range {
        Range { least, most: None }
    }

    pub fn anything() -> Range {
        Range::from(Ratio::whole(0u64))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    NotEqual,
}

impl Comparison {
    pub const ALL: [Comparison; 6] = [
        Comparison::Less,
        Comparison::AtMost,
        Comparison::More,
        Comparison::AtLeast,
        Comparison::Equal,
        Comparison::NotEqual,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
        }
    }
}

/// What a number of one kind is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test<V> {
    Is(Comparison, V),
    /// Both included; the first is not more than the second.
    Between(V, V),
}

impl<V: Copy + Into<Ratio>> Test<V> {
    /// Whether any number within a range, or almost within it, is as asked. Of a single number it is exact.
    pub fn is_met_within(&self, range: Range) -> bool {
        let reaches = |bound: Ratio| range.most.is_none_or(|most| most >= bound);
        match *self {
            Test::Is(comparison, value) => {
                let value = value.into();
                match comparison {
                    Comparison::Less => range.least < value,
                    Comparison::AtMost => range.least <= value,
                    Comparison::More => range.most.is_none_or(|most| most > value),
                    Comparison::AtLeast => reaches(value),
                    Comparison::Equal => range.least <= value && reaches(value),
                    Comparison::NotEqual => range != Range::exactly(value),
                }
            }
            Test::Between(low, high) => range.least <= high.into() && reaches(low.into()),
        }
    }

    /// The numbers that it names.
    pub fn values(&self) -> impl Iterator<Item = V> {
        let (first, second) = match *self {
            Test::Is(_, value) => (value, None),
            Test::Between(low, high) => (low, Some(high)),
        };
        std::iter::once(first).chain(second)
    }
}

impl<V: fmt::Display> fmt::Display for Test<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Is(comparison, value) => write!(f, "{} {value}", comparison.name()),
            Test::Between(low, high) => write!(f, "between {low} and {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl From<u8> for Ratio {
        fn from(number: u8) -> Ratio {
            Ratio::whole(number)
        }
    }

    fn test() -> impl Strategy<Value = Test<u8>> {
        let comparison = prop::sample::select(Comparison::ALL.as_slice());
        prop_oneof![
            (comparison, 0u8..6).prop_map(|(is, value)| Test::Is(is, value)),
            (0u8..6, 0u8..6).prop_map(|(a, b)| Test::Between(a.min(b), a.max(b))),
        ]
    }

    fn holds(test: Test<u8>, number: u8) -> bool {
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
        fn a_range_meets_what_any_number_in_it_meets(
            test in test(), least in 0u8..6, more in prop::option::of(0u8..6)
        ) {
            let most = more.map(|more| least + more);
            let range = Range { least: least.into(), most: most.map(Ratio::from) };
            let any = (least..=most.unwrap_or(20)).any(|number| holds(test, number));
            prop_assert_eq!(test.is_met_within(range), any);
        }

        #[test]
        fn a_single_number_is_compared_exactly(test in test(), number in 0u8..20) {
            let range = Range::exactly(number.into());
            prop_assert_eq!(test.is_met_within(range), holds(test, number));
        }
    }

    #[test]
    fn the_largest_numbers_can_be_compared() {
        let per_second = Ratio::of(u128::from(u64::MAX) * 1_000_000_000, u64::MAX.into()).unwrap();
        let asked = Ratio::of(1_000_000_000_000_000, 3_600_000_000).unwrap();
        assert!(per_second > asked);
        let mean = Ratio::of(u128::from(u64::MAX) << 60, u64::MAX.into()).unwrap();
        assert!(mean > Ratio::whole(315_360_000_000_000_000u64));
    }
}
