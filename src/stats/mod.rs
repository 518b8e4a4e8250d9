//! What happened: totals as atomic counters, everything else made from samples by one owner.

mod buckets;
mod counters;
mod failures;
mod ledger;
mod results;
mod sample;
mod snapshot;
mod spans;
mod tally;
mod verdict;

pub use buckets::{BOUNDS, Buckets};
pub use counters::{Counter, Counters, TargetCounters};
pub use failures::Failures;
pub use ledger::Ledger;
pub use results::Results;
pub use sample::Sample;
pub use snapshot::{Snapshot, State, TargetSnapshot};
pub use spans::Spans;
pub use tally::{Tally, TargetTally};
pub use verdict::{TOLERANCE, Verdict};
