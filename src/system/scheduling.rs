//! How a thread shares the processor with others.

/// Asks that the calling thread, when it wakes up, waits for its turn rather than to take the
/// processor from whoever runs. For a hundred workers, each awake for microseconds, this is worth
/// more than it costs: without it they keep interrupting each other and, on the same machine, the
/// server. Near the highest rate that two cores carried it took the 99th percentile of the send
/// lag from 11 ms to 2 ms; where processors are free it changes nothing.
pub fn wait_for_turn() {
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the parameters outlive the call. Where it is refused, all is as it was.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
    }
}
