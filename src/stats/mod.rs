//! What happened: totals as atomic counters, everything else made from samples by one owner.

mod counters;
mod ledger;
mod results;
mod sample;
mod spans;
mod tally;
mod verdict;

pub use counters::{Counter, Counters};
pub use ledger::Ledger;
pub use results::Results;
pub use sample::Sample;
pub use spans::Spans;
pub use tally::{Tally, TargetTally};
pub use verdict::{TOLERANCE, Verdict};
