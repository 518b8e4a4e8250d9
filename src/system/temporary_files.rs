//! Files that have no name, or a temporary one, until they are complete, and that must not outlive the process, however it
//! ends.
//!
//! Linux creates a file without a name (`O_TMPFILE`) on most file systems, which nothing leaves behind. Elsewhere, the file
//! has a name, a lock, and a place on a list that the handlers of signals remove. A process that is killed by SIGKILL leaves
//! such a file without its lock, and the next one that writes to that directory removes it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

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

/// The beginning and the end of temporary names.
const NAME: (&str, &str) = (".loadgen-", ".tmp");

fn names<'a>() -> Builder<'a, 'static> {
    let mut names = Builder::new();
    names.prefix(NAME.0).suffix(NAME.1);
    names
}

/// An open file that is removed unless it gets its own name.
#[derive(Debug)]
pub struct TemporaryFile(Kind);

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Unnamed { file: File, dir: PathBuf },
    Named {
        file: NamedTempFile,
        /// Dropped after the file.
        _registration: Registration,
    },
}

impl TemporaryFile {
    /// Creates a file in the directory of `target`, with these permissions before the umask.
    ///
    /// # Errors
    /// The directory can't be written.
    pub fn beside(target: &Path, mode: u32) -> io::Result<TemporaryFile> {
        let dir = target.parent().unwrap_or(Path::new("."));
        #[cfg(target_os = "linux")]
        if let Some(file) = linux::unnamed(dir, mode) {
            let _ = file.try_lock();
            let dir = dir.to_owned();
            return Ok(TemporaryFile(Kind::Unnamed { file, dir }));
        }
        let mut names = names();
        #[cfg(unix)]
        names.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        let file = names.tempfile_in(dir)?;
        // On a file system without locks, no file is taken for abandoned either.
        let _ = file.as_file().try_lock();
        Ok(TemporaryFile(Kind::Named {
            _registration: Registration::new(file.path()),
            file,
        }))
    }

    pub fn file(&self) -> &File {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Unnamed { file, .. } => file,
            Kind::Named { file, .. } => file.as_file(),
        }
    }

    /// Gives the file its own name, in the place of an existing file. If that fails, the file is returned, without a name.
    pub fn rename_to(self, target: &Path) -> Result<(), (io::Error, File)> {
        match self.0 {
            #[cfg(target_os = "linux")]
            Kind::Unnamed { file, dir } => {
                linux::name(&file, &dir, target).map_err(|error| (error, file))
            }
            Kind::Named { file, .. } => match file.persist(target) {
                Ok(_) => Ok(()),
                Err(failed) => Err((failed.error, failed.file.into_file())),
            },
        }
    }
}

/// Creates a file that never has a name for longer than a moment, in the directory that `TMPDIR` names, or else in `/tmp`. The
/// system removes it when it is closed.
///
/// # Errors
/// The directory can't be written.
pub fn nameless() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Registration, names};
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    /// A new file without a name. `None` if the file system has no such files, or the system no way to name it later.
    pub fn unnamed(dir: &Path, mode: u32) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(CWD, dir, flags, Mode::from_raw_mode(mode)).ok()?;
        let file = File::from(file);
        by_descriptor(&file).exists().then_some(file)
    }

    /// The file's place in `/proc`, by which it can be named without privileges.
    fn by_descriptor(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }

    /// A link can't replace an existing file, so the file gets a temporary name first.
    pub fn name(file: &File, dir: &Path, target: &Path) -> io::Result<()> {
        let mut registration = None;
        let named = names().make_in(dir, |name| {
            registration = Some(Registration::new(name));
            let from = by_descriptor(file);
            linkat(CWD, &from, CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
        })?;
        named
            .persist(target)
            .map(drop)
            .map_err(|failed| failed.error)
    }
}

/// Removes the temporary files in a directory that no process has open any more. This does nothing on file systems of the
/// network, where a lock may hold on one machine only, and on systems other than Linux.
pub fn remove_abandoned(dir: &Path) {
    #[cfg(target_os = "linux")]
    abandoned::remove(dir);
    #[cfg(not(target_os = "linux"))]
    let _ = dir;
}

#[cfg(target_os = "linux")]
mod abandoned {
    use super::NAME;
    use rustix::fs::{OFlags, statfs};
    use std::fs::{DirEntry, OpenOptions, remove_file};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::time::Duration;

    /// The magic numbers of file systems whose locks hold on one machine: ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS,
    /// ZFS and bcachefs.
    const LOCAL: [u64; 8] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x794c_7630,
        0xf2f5_2010,
        0x2fc1_2fc1,
        0xca45_1a4e,
    ];

    /// A file that was created this recently may not be locked yet.
    const RECENT: Duration = Duration::from_secs(2);

    pub fn remove(dir: &Path) {
        let is_local = statfs(dir).is_ok_and(|kind| LOCAL.contains(&(kind.f_type as u64)));
        let entries = is_local.then(|| dir.read_dir().ok()).flatten();
        for entry in entries.into_iter().flatten().flatten() {
            // A file that can't be examined or removed stays.
            let _ = remove_if_abandoned(&entry);
        }
    }

    fn remove_if_abandoned(entry: &DirEntry) -> std::io::Result<()> {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1));
        let metadata = entry.metadata()?;
        let is_recent = metadata.modified()?.elapsed().is_ok_and(|age| age < RECENT);
        if !is_ours || !metadata.is_file() || is_recent {
            return Ok(());
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(entry.path())?;
        // Its process holds the lock as long as it has the file open.
        match file.try_lock() {
            Ok(()) => remove_file(entry.path()),
            Err(_) => Ok(()),
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
