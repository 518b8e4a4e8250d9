//! A file that a result is written to.
//!
//! A regular file is written under no name, or where the system needs one under a temporary name in its directory, and
//! gets its own name when it is complete: readers find the old file or the new one, whole. It keeps the old one's
//! permissions. A FIFO, a device and `/dev/stdout` are written directly.

use super::destination::Destination;
use crate::base::text::printable;
use crate::system::temporary_files::TemporaryFile;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An open file. It displays as its option with the value.
#[derive(Debug)]
pub struct ResultFile {
    name: String,
    path: PathBuf,
    to: To,
    /// The number of bytes written so far.
    size: u64,
}

/// A file that was written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// As given.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
}

/// Who may read a new file. An existing one keeps its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only its owner, because it may hold headers or bodies of requests and answers.
    Owner,
    /// Everybody whom the umask allows.
    Umask,
}

impl Access {
    /// The permissions before the umask.
    fn mode(self) -> u32 {
        match self {
            Access::Owner => 0o600,
            Access::Umask => 0o666,
        }
    }
}

#[derive(Debug)]
enum To {
    /// Complete when it has its name.
    Temporary {
        file: TemporaryFile,
        target: PathBuf,
    },
    Direct(File),
    /// A FIFO is opened by the first write, which waits for a reader.
    Fifo {
        at: PathBuf,
        opened: Option<File>,
    },
}

impl To {
    fn open(destination: Destination, access: Access) -> io::Result<To> {
        match destination {
            Destination::Regular { at, existing } => {
                if existing.is_some() {
                    // Writing it directly must be allowed too.
                    OpenOptions::new().write(true).open(&at)?;
                }
                let file = TemporaryFile::beside(&at, access.mode())?;
                if let Some(existing) = existing {
                    #[cfg(unix)]
                    {
                        use std::os::unix::fs::{MetadataExt, fchown};
                        // Only root may change a file's owner.
                        let owner = (Some(existing.uid()), Some(existing.gid()));
                        let _ = fchown(file.file(), owner.0, owner.1);
                    }
                    file.file().set_permissions(existing.permissions())?;
                }
                Ok(To::Temporary { file, target: at })
            }
            Destination::Fifo { at, .. } => {
                #[cfg(unix)]
                rustix::fs::access(&at, rustix::fs::Access::WRITE_OK)?;
                Ok(To::Fifo { at, opened: None })
            }
            Destination::Device { at, .. } => {
                Ok(To::Direct(OpenOptions::new().write(true).open(at)?))
            }
            Destination::Descriptor(file) => Ok(To::Direct(file)),
        }
    }
}

impl ResultFile {
    /// # Errors
    /// The file can't be written.
    pub(super) fn open(
        destination: Destination,
        access: Access,
        path: &Path,
        name: &str,
    ) -> io::Result<ResultFile> {
        Ok(ResultFile {
            name: printable(name),
            path: path.to_owned(),
            to: To::open(destination, access)?,
            size: 0,
        })
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a regular file its own name, now that it is complete.
    pub fn commit(self) -> io::Result<WrittenFile> {
        let written = WrittenFile {
            path: self.path,
            size: self.size,
        };
        let To::Temporary { file, target } = self.to else {
            return Ok(written);
        };
        let Err((error, mut file)) = file.rename_to(&target) else {
            return Ok(written);
        };
        // A file that is mounted into a container can't be replaced in one step, and nor can that of another user in a
        // directory such as `/tmp`.
        let may_be_copied = [io::ErrorKind::ResourceBusy, io::ErrorKind::PermissionDenied];
        if !may_be_copied.contains(&error.kind()) || !target.exists() {
            return Err(error);
        }
        file.seek(SeekFrom::Start(0))?;
        let mut existing = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&target)?;
        io::copy(&mut file, &mut existing).map(|_| written)
    }
}

impl Write for ResultFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            To::Temporary { file, .. } => file.file().write(bytes),
            To::Direct(file) => file.write(bytes),
            To::Fifo { at, opened } => {
                let file = match opened {
                    Some(file) => file,
                    None => opened.insert(OpenOptions::new().write(true).open(at)?),
                };
                file.write(bytes)
            }
        }?;
        self.size += written as u64;
        Ok(written)
    }

    /// Nothing is buffered here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for ResultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A result could not be written. A regular file is as it was before, unless it can only be written in place.
#[derive(Debug, thiserror::Error)]
#[error("{name}: could not be written; {}", reason(.error))]
pub struct FileError {
    name: String,
    error: io::Error,
}

impl FileError {
    pub(super) fn new(name: String, error: io::Error) -> Self {
        FileError { name, error }
    }
}

/// The error's text without the system's error number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
