//! Files that must not outlive the process, however it ends.

use std::path::Path;

/// Keeps a file in mind, until it is dropped, as one that is removed at the process's end. Does nothing on systems without
/// signals.
#[derive(Debug)]
pub struct Leftover {
    #[cfg(unix)]
    place: Option<usize>,
}

impl Leftover {
    /// Where too many are kept in mind already, it is none.
    #[cfg_attr(
        not(unix),
        expect(unused_variables, reason = "nothing is kept in mind")
    )]
    pub fn new(path: &Path) -> Leftover {
        Leftover {
            #[cfg(unix)]
            place: unix::keep_in_mind(path),
        }
    }
}

#[cfg(unix)]
impl Drop for Leftover {
    fn drop(&mut self) {
        self.place.into_iter().for_each(unix::forget);
    }
}

/// Removes all that are kept in mind. May be called within a signal's handler.
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

    /// More than a run has files. Their names are never freed, since a handler may just be reading them.
    static NAMES: [AtomicPtr<c_char>; 16] = [const { AtomicPtr::new(null_mut()) }; 16];

    pub fn keep_in_mind(path: &Path) -> Option<usize> {
        let name = CString::new(path.as_os_str().as_bytes()).ok()?.into_raw();
        let free = |place: &AtomicPtr<_>| {
            let taken = place.compare_exchange(null_mut(), name, AcqRel, Relaxed);
            taken.is_ok()
        };
        NAMES.iter().position(free)
    }

    pub fn forget(place: usize) {
        NAMES[place].store(null_mut(), Relaxed);
    }

    pub fn remove_all() {
        for place in &NAMES {
            let name = place.load(Acquire);
            if !name.is_null() {
                // SAFETY: it is a string that ends, and is never freed; POSIX lists `unlink` as safe within a handler.
                unsafe { libc::unlink(name) };
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_still_kept_in_mind_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let [kept, left] = ["kept", "left"].map(|name| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        });
        drop(Leftover::new(&kept));
        let _left = Leftover::new(&left);
        remove_all();
        assert!(kept.exists() && !left.exists());
    }
}
