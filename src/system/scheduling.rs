//! The operating system's scheduling of threads and processes.

/// Puts the calling thread under the batch policy (`SCHED_BATCH`), under which it waits for its turn when it wakes up,
/// and does not take the processor from a running thread. A hundred workers, each awake for microseconds, otherwise
/// keep interrupting each other and a server on the same machine. Near the highest rate that two cores carried, the
/// policy reduced the 99th percentile of the send lag from 11 ms to 2 ms; with processors free it changes nothing.
///
/// A policy other than the system's default was chosen by the user, as with `chrt -f 10 loadgen …`, and stays.
pub fn use_batch_policy() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the call takes no pointer. 0 is the calling thread.
        if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
            return;
        }
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the parameters outlive the call. If the system refuses it, the policy stays as it is.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
    }
}

/// How nice the commands of events are.
#[cfg(unix)]
const NICENESS: i32 = 10;

/// Makes a process that was just started, and its group, give way to this one: commands such as those of Compose would
/// otherwise take the processor from the workers. Under a real-time policy, which it inherits, it would even keep it.
#[cfg(unix)]
pub fn give_way(process: rustix::process::Pid) {
    // A system that refuses either leaves it as it is.
    let _ = rustix::process::setpriority_pgrp(Some(process), NICENESS);
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the parameters outlive the call.
        unsafe {
            libc::sched_setscheduler(
                process.as_raw_nonzero().get(),
                libc::SCHED_OTHER,
                &parameters,
            )
        };
    }
}
