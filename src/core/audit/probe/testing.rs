use crate::base::Nanos;
use crate::core::audit::{PriorUse, Promise, Terms};

pub fn terms(limit: u64, window_ms: u64, targets: usize) -> Terms {
    Terms {
        promises: Promise::ALL.to_vec(),
        limit,
        window: Nanos(window_ms * 1_000_000),
        targets,
        timeout: Nanos(10_000_000_000),
        prior_use: PriorUse::None,
        memory: 1 << 20,
    }
}
