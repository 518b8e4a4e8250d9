//! A stripe: the part of one schedule that one of several processes sends.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most processes that may share a schedule.
pub const MAX_STRIPES: u64 = 10_000;

/// One of `of` stripes. It has every `of`-th token of the whole schedule, from the token with its `index` on: token k
/// belongs to the stripe k mod `of`. Together, the stripes have each token once.
///
/// Within a process, tokens are counted by their place in its stripe: 0, 1, 2 and so on. [`number`](Stripe::number) gives
/// a token's number in the whole schedule, on which its due time, its key, its target and its random values depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(!try_from))]
#[serde(try_from = "Unchecked")]
pub struct Stripe {
    /// The stripe's place among all stripes, from 0.
    index: u64,
    /// The number of stripes, from 1 to 10,000.
    of: u64,
}

#[derive(Deserialize)]
struct Unchecked {
    index: u64,
    of: u64,
}

impl TryFrom<Unchecked> for Stripe {
    type Error = &'static str;

    fn try_from(Unchecked { index, of }: Unchecked) -> Result<Stripe, &'static str> {
        let is_possible = (1..=MAX_STRIPES).contains(&of) && index < of;
        let stripe = Stripe { index, of };
        is_possible.then_some(stripe).ok_or("no such stripe")
    }
}

impl Stripe {
    /// The only stripe, which has every token.
    pub const WHOLE: Stripe = Stripe { index: 0, of: 1 };

    /// The stripe with this index out of `of`. The index `of` itself stands for 0, for schedulers that count from 1. `None`
    /// for a greater index, and unless there are 1 to 10,000 stripes.
    pub fn new(index: u64, of: u64) -> Option<Stripe> {
        let is_possible = (1..=MAX_STRIPES).contains(&of) && index <= of;
        is_possible.then(|| Stripe {
            index: index % of,
            of,
        })
    }

    /// The stripe's place among all stripes, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// The number of stripes.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether this is the only stripe.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// The number in the whole schedule of the token at this place in the stripe. Past the end of all numbers, it is the
    /// last of them.
    pub fn number(self, place: u64) -> u64 {
        place.saturating_mul(self.of).saturating_add(self.index)
    }

    /// How many of the stripe's tokens have a number below this one.
    pub fn before(self, number: u64) -> u64 {
        number.saturating_sub(self.index).div_ceil(self.of)
    }

    /// All stripes of a schedule that this one is a part of, in order.
    pub fn all(self) -> impl Iterator<Item = Stripe> {
        (0..self.of).map(move |index| Stripe { index, ..self })
    }
}

/// As `--stripe` takes it: `0/4`.
impl fmt::Display for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Stripe {
    type Err = String;

    fn from_str(text: &str) -> Result<Stripe, String> {
        let parts = text.split_once('/');
        let stripe = parts.and_then(|(index, of)| {
            let [index, of] = [index, of].map(|part| part.trim().parse().ok());
            Stripe::new(index?, of?)
        });
        stripe.ok_or_else(|| {
            format!(
                "must be a stripe and the number of stripes, such as 0/4: from 0/N to N-1/N, or N/N, which stands for 0/N, \
                 with N from 1 to {MAX_STRIPES}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_token_is_in_one_stripe_at_one_place(of in 1..=64u64, number in 0..100_000u64) {
            let whole = Stripe::new(0, of).unwrap();
            let own: Vec<_> = whole.all().filter(|stripe| stripe.before(number + 1) > stripe.before(number)).collect();
            prop_assert_eq!(own.len(), 1);
            prop_assert_eq!(own[0].index(), number % of);
            prop_assert_eq!(own[0].number(own[0].before(number)), number);
        }
    }

    #[test]
    fn a_stripe_is_read_as_it_is_written_and_the_last_plus_one_is_the_first() {
        for (text, index, of) in [
            ("0/1", 0, 1),
            ("3/4", 3, 4),
            (" 4 / 4 ", 0, 4),
            ("1/1", 0, 1),
        ] {
            let stripe: Stripe = text.parse().unwrap();
            assert_eq!((stripe.index(), stripe.of()), (index, of), "{text}");
            assert_eq!(stripe.to_string().parse(), Ok(stripe));
        }
        for bad in [
            "", "4", "5/4", "0/0", "-1/4", "1/10001", "a/b", "1/2/3", "1.0/4",
        ] {
            assert!(bad.parse::<Stripe>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_number_overflows() {
        let last = Stripe::new(3, 4).unwrap();
        assert_eq!(last.number(u64::MAX), u64::MAX);
        assert_eq!(last.before(0), 0);
        assert_eq!(last.before(u64::MAX), u64::MAX / 4);
    }

    #[test]
    fn what_is_no_stripe_is_refused_in_json() {
        for (json, is_stripe) in [
            (r#"{"index":3,"of":4}"#, true),
            (r#"{"index":4,"of":4}"#, false),
            (r#"{"index":0,"of":0}"#, false),
        ] {
            assert_eq!(
                serde_json::from_str::<Stripe>(json).is_ok(),
                is_stripe,
                "{json}"
            );
        }
    }
}
