//! The place that a file's name leads to.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The place of a file, with all symbolic links followed.
#[derive(Debug)]
pub(super) enum Destination {
    /// A regular file, whether or not it exists yet.
    Regular {
        at: PathBuf,
        existing: Option<Metadata>,
    },
    /// A FIFO. Opening it may wait until somebody reads it.
    Fifo { at: PathBuf, metadata: Metadata },
    /// A device.
    Device { at: PathBuf, metadata: Metadata },
    /// An open file descriptor of this process, such as `/dev/stdout`.
    Descriptor(File),
}

/// The most symbolic links in a row, as in the Linux kernel.
const MOST_LINKS: usize = 40;

impl Destination {
    /// # Errors
    /// There can't be a file of this name: its directory does not exist, it is a directory itself, or its symbolic links
    /// form a circle.
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

/// Recognizes `results/` and `results/.`, for which [`Path::file_name`] returns `results`.
fn is_plainly_a_directory(path: &Path) -> bool {
    let end = path.as_os_str().as_encoded_bytes();
    end.ends_with(b"/") || end.ends_with(b"/.")
}

/// The file descriptor with this name, if `dir` is `/proc/self/fd` or `/dev/fd`.
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

/// A copy of standard output.
pub(super) fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    return writable_copy(1);
    #[cfg(not(unix))]
    return Err(io::ErrorKind::Unsupported.into());
}

/// A copy of standard input.
#[cfg(unix)]
pub(super) fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// A copy shares the position in the file. Opening the file again would begin at its start.
#[cfg(unix)]
fn writable_copy(descriptor: i32) -> io::Result<File> {
    use rustix::fs::{OFlags, fcntl_getfl};
    use std::os::fd::BorrowedFd;
    if descriptor < 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the number is not -1. It is only copied, which fails if no file is open under it.
    let copy = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
    match fcntl_getfl(&copy)? & OFlags::ACCMODE {
        OFlags::RDONLY => Err(rustix::io::Errno::BADF.into()),
        _ => Ok(copy.into()),
    }
}
