//! The limit on how many files and sockets this process may have open.

/// Raises the soft limit to the hard one, if the system allows it. Each connection takes a file descriptor, and the
/// usual soft limit of 1,024 is meant for programs that use `select`.
pub fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = maximum;
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// The soft limit. `None` if the system has none or does not report it.
pub fn descriptor_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}
