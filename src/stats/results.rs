use super::{Ledger, Tally, Verdict};
use crate::schedule::Nanos;

/// What a run was, once it has ended.
#[derive(Debug)]
pub struct Results {
    pub ledger: Ledger,
    pub tally: Tally,
    pub verdict: Verdict,
    /// From the schedule's start to the end of pacing.
    pub paced: Nanos,
    /// From the end of pacing to the last answer.
    pub drained: Nanos,
    /// Whether it was stopped before its schedule ended.
    pub interrupted: bool,
}
