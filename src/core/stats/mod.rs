//! The statistics of a run: totals in atomic counters, and everything else made from samples by one owner.

mod address_tallies;
mod buckets;
mod counters;
pub mod effects;
mod failure_examples;
mod failures;
mod histogram;
mod lateness;
mod phases;
mod results;
mod second;
mod seconds;
mod snapshot;
mod suspension;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod verdict;

pub use address_tallies::{AddressTallies, AddressTally};
pub use buckets::{BOUNDS, Buckets};
pub use counters::{Counter, Counters, TargetCounters};
pub use failure_examples::{FailureExample, FailureExamples};
pub use failures::Failures;
pub use histogram::{BadHistogram, CoarseHistogram, Histogram, MOST_COUNTED, Percentiles};
pub use lateness::{Lateness, TOLERANCE};
pub use phases::{PhaseTallies, PhaseTally, PhaseTracker, Stretch};
pub use results::Results;
pub use second::{OutcomeCounts, Second};
pub use seconds::{Seconds, Watermark};
pub use snapshot::{Snapshot, State, TargetSnapshot};
pub use suspension::Suspension;
pub use tally::{Tally, TargetTally};
pub use timeline::{SlotParts, SlotTally, TimelineTally};
pub use verdict::ScheduleVerdict;
