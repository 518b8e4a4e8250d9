//! The processor time and memory that this process has used.

use crate::base::Nanos;

/// The processor time and memory of this process since its start, over all threads.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time in user mode.
    pub user: Nanos,
    /// Processor time in the kernel.
    pub system: Nanos,
    /// The most memory that was resident at any time, in bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// Reads the system's counters. `None` if it has none.
    pub fn so_far() -> Option<Usage> {
        #[cfg(unix)]
        {
            use nix::sys::resource::{UsageWho, getrusage};
            use nix::sys::time::TimeVal;
            // Apple's systems count bytes, all others KiB.
            let unit = if cfg!(target_vendor = "apple") {
                1
            } else {
                1024
            };
            let nanos = |time: TimeVal| {
                let micros = time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
                Nanos(micros * 1_000)
            };
            let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
            Some(Usage {
                user: nanos(usage.user_time()),
                system: nanos(usage.system_time()),
                peak_memory: usage.max_rss() as u64 * unit,
            })
        }
        #[cfg(not(unix))]
        None
    }
}
