//! The limit that keeps the system from starting another thread.

use std::io;

/// Fails if a limit of this process leaves no address space for `threads` more threads with stacks of `stack` bytes.
///
/// Without this check, a thread could start and then find no room for the stack of its signal handlers. The standard library
/// aborts the process in that case.
pub fn ensure_room_for_threads(threads: usize, stack: usize) -> io::Result<()> {
    let needed = (threads as u64).saturating_mul(stack as u64 + BESIDE_STACK);
    #[cfg(unix)]
    let limit = unix::memory_limit(needed);
    #[cfg(not(unix))]
    let limit: Option<String> = {
        let _ = needed;
        None
    };
    limit.map_or(Ok(()), |limit| {
        Err(io::Error::new(io::ErrorKind::OutOfMemory, limit))
    })
}

/// The address space that a thread needs besides its stack: the stack of its signal handlers, and guard pages.
const BESIDE_STACK: u64 = 64 * 1024;

/// The error of a thread that could not be started. If the limit that was met can be read, the error names it and its
/// value; otherwise it is the system's own, which is the same for every limit.
pub fn with_thread_limit(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if let Some(limit) = unix::met() {
        return io::Error::new(error.kind(), limit);
    }
    error
}

#[cfg(unix)]
mod unix {
    use crate::base::text::bytes;
    use rustix::process::{Resource, getrlimit, getuid};
    use std::fs;
    use std::path::Path;

    /// A thread may need this much address space: twice the largest stack.
    const STACK: u64 = 4 * 1024 * 1024;

    /// The limit that is met, in words.
    pub fn met() -> Option<String> {
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        pids_met(Path::new("/sys/fs/cgroup"), &memberships)
            .map(|most| format!("the limit of {most} processes and threads of this control group (pids.max) is met"))
            .or_else(|| memory_limit(STACK))
            .or_else(|| {
                // The system does not tell how many count against it. It does not hold for root.
                let most = getrlimit(Resource::Nproc).current?;
                (!getuid().is_root()).then(|| {
                    format!("probably the limit of {most} processes and threads of this user (ulimit -u) is met")
                })
            })
    }

    /// The limit that leaves less than `needed` bytes of address space, in words.
    pub fn memory_limit(needed: u64) -> Option<String> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let met = |field, resource, of| {
            memory_met(&status, field, getrlimit(resource).current, needed, of)
        };
        met("VmSize", Resource::As, "address space (ulimit -v)")
            .or_else(|| met("VmData", Resource::Data, "data (ulimit -d)"))
    }

    /// The limit of the process's control group, or of one around it, that allows no other thread. `memberships` is the
    /// text of `/proc/self/cgroup`.
    pub(super) fn pids_met(root: &Path, memberships: &str) -> Option<u64> {
        memberships.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let mount = match fields.next()? {
                "" => root.to_owned(),
                "pids" => root.join("pids"),
                _ => return None,
            };
            let group = mount.join(fields.next()?.trim_start_matches('/'));
            let groups = group
                .ancestors()
                .take_while(|group| group.starts_with(&mount));
            groups
                .filter_map(|group| {
                    let number = |name| {
                        fs::read_to_string(group.join(name))
                            .ok()?
                            .trim()
                            .parse::<u64>()
                            .ok()
                    };
                    let most = number("pids.max")?;
                    (number("pids.current")? >= most).then_some(most)
                })
                .next()
        })
    }

    /// Says that the limit is met, if a field of `/proc/self/status` would exceed it with `needed` bytes more.
    pub(super) fn memory_met(
        status: &str,
        field: &str,
        limit: Option<u64>,
        needed: u64,
        of: &str,
    ) -> Option<String> {
        let limit = limit?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        let used: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        let is_met = used.saturating_mul(1024).saturating_add(needed) > limit;
        is_met.then(|| format!("the limit of {} of {of} is met", bytes(limit)))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::unix::*;
    use std::fs;

    #[test]
    fn the_nearest_control_group_without_room_is_named() {
        let root = tempfile::tempdir().unwrap();
        let group = |path: &str, current: &str, most: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("pids.current"), current).unwrap();
            fs::write(path.join("pids.max"), most).unwrap();
        };
        group("a/b", "7\n", "max\n");
        group("a", "20\n", "20\n");
        group("pids/c", "3\n", "4\n");
        let met = |memberships| pids_met(root.path(), memberships);
        assert_eq!(met("0::/a/b\n"), Some(20));
        assert_eq!(met("4:memory:/a\n8:pids:/c\n"), None);
        assert_eq!(met("0::/nowhere\n"), None);
        group("pids/c", "4\n", "4\n");
        assert_eq!(met("4:memory:/a\n8:pids:/c\n"), Some(4));
        assert_eq!(met(""), None);
    }

    #[test]
    fn memory_is_a_limit_that_is_met_when_no_stack_fits_any_more() {
        let met = |limit| {
            memory_met(
                "VmPeak:\t 9 kB\nVmSize:\t  10240 kB\n",
                "VmSize",
                limit,
                4 << 20,
                "address space",
            )
        };
        assert_eq!(met(None), None);
        assert_eq!(met(Some(20 << 20)), None);
        let text = met(Some(12 << 20)).unwrap();
        assert_eq!(text, "the limit of 12.0 MiB of address space is met");
    }
}
