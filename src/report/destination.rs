//! What a file's name leads to.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Where a file is to be, its symlinks followed to their end.
#[derive(Debug)]
pub(super) enum Destination {
    /// A regular file, or none yet.
    Regular {
        at: PathBuf,
        existing: Option<Metadata>,
    },
    /// A FIFO: to open it may take until somebody reads it.
    Fifo { at: PathBuf, metadata: Metadata },
    /// A device.
    Device { at: PathBuf, metadata: Metadata },
    /// What a descriptor of this process stands for, such as `/dev/stdout`.
    Descriptor(File),
}

/// More than this many symlinks lead nowhere, as in the kernel.
const MOST_LINKS: usize = 40;

impl Destination {
    /// # Errors
    /// There can't be a file of this name: no such directory, a directory itself, symlinks in a circle.
    pub fn of(path: &Path) -> io::Result<Destination> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let Some(name) = path.file_name().filter(|_| !is_plainly_a_directory(&path)) else {
                return Err(io::ErrorKind::IsADirectory.into());
            };
            let dir = match path.parent() {
                None => Path::new("."),
                Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
                Some(parent) => parent,
            };
            let dir = dir.canonicalize()?;
            if !dir.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            if let Some(descriptor) = descriptor(&dir, name) {
                return descriptor.map(Destination::Descriptor);
            }
            let at = dir.join(name);
            let metadata = match fs::symlink_metadata(&at) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let existing = None;
                    return Ok(Destination::Regular { at, existing });
                }
                Err(error) => return Err(error),
            };
            if !metadata.is_symlink() {
                return Destination::existing(at, metadata);
            }
            path = dir.join(fs::read_link(&at)?);
        }
        Err(io::Error::other("Too many levels of symbolic links"))
    }

    fn existing(at: PathBuf, metadata: Metadata) -> io::Result<Destination> {
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.is_file() {
            let existing = Some(metadata);
            return Ok(Destination::Regular { at, existing });
        }
        #[cfg(unix)]
        if std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type()) {
            return Ok(Destination::Fifo { at, metadata });
        }
        Ok(Destination::Device { at, metadata })
    }
}

/// Such as `results/` and `results/.`, of which [`Path::file_name`] sees the name alone.
fn is_plainly_a_directory(path: &Path) -> bool {
    let end = path.as_os_str().as_encoded_bytes();
    end.ends_with(b"/") || end.ends_with(b"/.")
}

/// What `/proc/self/fd` or `/dev/fd` have under this name, if that is what `dir` is.
#[cfg(unix)]
fn descriptor(dir: &Path, name: &OsStr) -> Option<io::Result<File>> {
    let is_theirs = |place: &str| Path::new(place).canonicalize().is_ok_and(|at| at == dir);
    if !is_theirs("/proc/self/fd") && !is_theirs("/dev/fd") {
        return None;
    }
    let number = name.to_str()?.parse().ok()?;
    Some(writable_copy(number))
}

#[cfg(not(unix))]
fn descriptor(_: &Path, _: &OsStr) -> Option<io::Result<File>> {
    None
}

/// Of standard output.
pub(super) fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    return writable_copy(1);
    #[cfg(not(unix))]
    return Err(io::ErrorKind::Unsupported.into());
}

/// A copy shares the place in the file: to open the file again would begin at its start.
#[cfg(unix)]
fn writable_copy(descriptor: i32) -> io::Result<File> {
    use rustix::fs::{OFlags, fcntl_getfl};
    use std::os::fd::BorrowedFd;
    if descriptor < 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the number is not -1. It is only copied, which says so where it stands for nothing.
    let copy = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
    match fcntl_getfl(&copy)? & OFlags::ACCMODE {
        OFlags::RDONLY => Err(rustix::io::Errno::BADF.into()),
        _ => Ok(copy.into()),
    }
}
