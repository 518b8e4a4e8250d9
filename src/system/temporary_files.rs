//! A list of the temporary files that must not outlive the process, however it ends.

use std::path::Path;

/// Keeps a file on the list of those that [`remove_all`] removes, until it is dropped.
#[derive(Debug)]
pub struct Registration {
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no signals"))]
    slot: Option<usize>,
}

impl Registration {
    /// With 16 files registered, and on systems without signals, this does nothing.
    pub fn new(path: &Path) -> Registration {
        #[cfg(unix)]
        let slot = unix::register(path);
        #[cfg(not(unix))]
        let slot = {
            let _ = path;
            None
        };
        Registration { slot }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(slot) = self.slot {
            unix::unregister(slot);
        }
    }
}

/// Removes all registered files. A signal's handler may call this.
pub fn remove_all() {
    #[cfg(unix)]
    unix::remove_all();
}

#[cfg(unix)]
mod unix {
    use std::ffi::{CString, c_char};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicPtr, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

    /// A run has fewer files. The paths are never freed, since a handler may be reading them.
    static PATHS: [AtomicPtr<c_char>; 16] = [const { AtomicPtr::new(null_mut()) }; 16];

    pub fn register(path: &Path) -> Option<usize> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?.into_raw();
        let takes = |slot: &AtomicPtr<_>| {
            let taken = slot.compare_exchange(null_mut(), path, AcqRel, Relaxed);
            taken.is_ok()
        };
        PATHS.iter().position(takes)
    }

    pub fn unregister(slot: usize) {
        PATHS[slot].store(null_mut(), Relaxed);
    }

    pub fn remove_all() {
        for slot in &PATHS {
            let path = slot.load(Acquire);
            if !path.is_null() {
                // SAFETY: the path ends with a zero and is never freed. POSIX lists `unlink` as safe within a handler.
                unsafe { libc::unlink(path) };
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_registered_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let [kept, registered] = ["kept", "registered"].map(|name| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        });
        drop(Registration::new(&kept));
        let _registration = Registration::new(&registered);
        remove_all();
        assert!(kept.exists() && !registered.exists());
    }
}
