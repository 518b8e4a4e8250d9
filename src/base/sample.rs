use crate::base::{Answer, KeyId, Moment};

/// What is remembered of one request that was sent, or was tried to.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub sequence: u64,
    pub key: KeyId,
    /// The target's place in the plan.
    pub target: u32,
    pub due: Moment,
    pub answer: Answer,
}
