use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A start at an instant of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStart {
    pub at: SystemTime,
    /// Whether a run that is late joins the schedule where it should be by then. Otherwise it does not start.
    pub joins_late: bool,
    /// The option that asked for it, as it was given.
    pub asked_by: String,
}

impl PlannedStart {
    /// A seed that all processes with the same start and the same `seed` have in common, and no run at another time.
    pub fn own_seed(&self, seed: u64) -> u64 {
        let start = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let namespace = Uuid::from_u64_pair(seed, start.as_secs());
        let own = Uuid::new_v5(&namespace, &start.subsec_nanos().to_le_bytes());
        own.as_u64_pair().1
    }
}
