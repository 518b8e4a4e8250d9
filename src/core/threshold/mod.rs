//! What is asked of a run's numbers, and whether they are so: `latency.p99 < 50ms`.
//!
//! # The grammar
//!
//! ```text
//! threshold  = [ "target[" N "]." ] ( time | count ) | "audit = kept" | "schedule = kept"
//! time       = SPANS "." ( "min" | "mean" | "max" | PERCENTILE ) test of times
//! count      = COUNTED ".count" test of whole numbers
//!            | COUNTED ".rate" test of percentages [ "of" COUNTED ]
//!            | COUNTED ".per_second" test of rates
//! test of X  = ( "<" | "<=" | ">" | ">=" | "=" | "!=" ) X | "between" X "and" X
//! SPANS      = "latency" | "service_time" | "send_lag" | "connect" | "tls" | "lookup"
//! COUNTED    = "scheduled" | "sent" | "dropped" | "unsent" | "allowed" | "blocked" | "success" | "failed"
//!            | "failed[" KIND "]" | "abandoned"
//! PERCENTILE = "p" and two digits, with up to three decimals: p50, p99.9
//! ```
//!
//! Blanks are free between tokens. Both ends of `between` are in it. Targets have numbers from 1, in the order in which
//! they were given. A rate is a share: of what was scheduled for `sent`, `dropped` and `unsent`, else of what was sent,
//! unless `of` says another whole that the part belongs to. `per_second` is of the time in which the schedule was
//! followed, up to a stop.
//!
//! # The numbers
//!
//! Percentiles are those of [`Histogram`](crate::core::stats::Histogram): nearest rank, three significant digits. They, and
//! counts, shares and rates, are compared exactly, in whole numbers. A mean is that of the same digits.
//!
//! # What may still come
//!
//! While a run goes on each number is known to end up in a [`Range`]. Of a schedule of T requests those
//! without an end yet, k, may each still end in any way, at any speed, or never come; each of those with an end keeps it.
//! So, of n requests that have one:
//!
//! | number | least | most |
//! | --- | --- | --- |
//! | x.count | x | x + k |
//! | x.rate of y | x / (y + k) | (x + k) / (y + k) |
//! | x.per_second | x / the schedule's length | (x + k) / the time until now |
//! | min | 0 | the least so far |
//! | max | the most so far | – |
//! | mean | the sum so far / (n + k) | – |
//! | a percentile, the span at rank r of n + k | that at rank r − k of now | that at rank r of now, if there is one |
//!
//! A range never grows, and in the end, with k = 0, it is the number. A threshold that nothing within it meets can no
//! longer be met, whatever comes. Without an end of the schedule T is all the requests that can be numbered. Of lookups,
//! which are no requests, there may be any number more. `audit = kept` is lost once every promise is proved broken,
//! `schedule = kept` once a request was dropped, or more than 1 % of T were late.

mod claim;
mod grammar;
mod judged;
mod percentile;
mod ratio;
mod seen;
mod values;

pub use claim::{Claim, Counted, Scope, Statistic, Timed};
pub use grammar::Wrong;
pub use judged::{JudgedThreshold, Met, judged};
pub use percentile::Percentile;
pub use ratio::{Comparison, Range, Ratio, Test};
pub use seen::{Ahead, Seen, Whole};
pub use values::{PerTime, Percent};

use std::str::FromStr;

/// One thing that is asked of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// As it was given, without blanks around it.
    pub text: String,
    pub claim: Claim,
}

impl Threshold {
    /// Where in its text the number of its target is, in characters from 1.
    pub fn target_column(&self) -> usize {
        let bracket = self.text.chars().take_while(|c| *c != '[').count();
        let blanks = self.text.chars().skip(bracket + 1);
        bracket + 2 + blanks.take_while(|c| c.is_whitespace()).count()
    }
}

impl FromStr for Threshold {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        Ok(Threshold {
            claim: text.parse()?,
            text: text.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
