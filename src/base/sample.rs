use crate::base::{Answer, KeyId, Moment};

/// The record of one request that was sent, or for which at least a connection was tried.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub sequence: u64,
    pub key: KeyId,
    /// The target's index in the plan.
    pub target: u32,
    pub due: Moment,
    pub answer: Answer,
}
