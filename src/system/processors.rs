//! How busy this machine's processors are, over all processes.

/// The time that all processors have spent since the machine's start, in the system's ticks.
#[derive(Debug, Clone, Copy)]
pub struct ProcessorTime {
    idle: u64,
    all: u64,
}

impl ProcessorTime {
    /// Reads the system's counters. `None` if it has none that are known here.
    pub fn so_far() -> Option<ProcessorTime> {
        #[cfg(target_os = "linux")]
        {
            ProcessorTime::read(&std::fs::read_to_string("/proc/stat").ok()?)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Reads the first line of `/proc/stat` (proc_stat(5)).
    #[cfg(any(target_os = "linux", test))]
    fn read(text: &str) -> Option<ProcessorTime> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        // The times of guests, which follow, are contained in the first two.
        let ticks = ticks.ok()?;
        let ticks = ticks.get(..8)?;
        let &[_, _, _, idle, waiting_for_disks, ..] = ticks else {
            return None;
        };
        Some(ProcessorTime {
            idle: idle + waiting_for_disks,
            all: ticks.iter().sum(),
        })
    }

    /// The share of the time since `earlier` in which the processors were busy, from 0 to 1. `None` if no time has passed.
    pub fn busy_since(self, earlier: ProcessorTime) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(earlier.idle).min(all);
        Some((all - idle) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_processors_and_those_that_wait_for_disks_are_not_busy() {
        let before = ProcessorTime::read("cpu  100 0 50 800 50 0 0 0 70 0\ncpu0 1").unwrap();
        let after = ProcessorTime::read("cpu  130 10 60 840 60 0 0 0 90 0\n").unwrap();
        assert_eq!(after.busy_since(before), Some(0.5));
        assert_eq!(before.busy_since(before), None);
        assert!(ProcessorTime::read("cpu 1 2 3\n").is_none());
        assert!(ProcessorTime::read("").is_none());
    }
}
