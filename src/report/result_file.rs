//! A file that a result is written to.
//!
//! A regular file is written as a temporary file in its directory, and renamed when it is complete: readers find the
//! old file or the new one, whole. It keeps the old one's permissions. A FIFO, a device and `/dev/stdout` are written
//! directly.

use super::destination::Destination;
use crate::base::text::printable;
use crate::system::temporary_files::Registration;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// An open file. It displays as its option with the value.
#[derive(Debug)]
pub struct ResultFile {
    name: String,
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    /// Complete when it is renamed.
    Temporary {
        file: NamedTempFile,
        target: PathBuf,
        /// Removes the file if a signal ends the process. Dropped after the file.
        _registration: Registration,
    },
    Direct(File),
    /// A FIFO is opened by the first write, which waits for a reader.
    Fifo {
        at: PathBuf,
        opened: Option<File>,
    },
}

impl To {
    fn open(destination: Destination) -> io::Result<To> {
        match destination {
            Destination::Regular { at, existing } => {
                if existing.is_some() {
                    // Writing it directly must be allowed too.
                    OpenOptions::new().write(true).open(&at)?;
                }
                let file = temporary(&at, existing.as_ref())?;
                Ok(To::Temporary {
                    _registration: Registration::new(file.path()),
                    file,
                    target: at,
                })
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

/// Creates a file beside `at`, with the owner and the permissions of the existing file, as far as the system allows.
fn temporary(at: &Path, existing: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let dir = at.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".loadgen-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask is applied to this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(dir)?;
    if let Some(existing) = existing {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            // Only root may change a file's owner.
            let _ = fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()));
        }
        file.as_file().set_permissions(existing.permissions())?;
    }
    Ok(file)
}

impl ResultFile {
    /// Opens the file at this path.
    ///
    /// # Errors
    /// It can't be written.
    pub fn open(path: &Path) -> io::Result<ResultFile> {
        let destination = Destination::of(path)?;
        ResultFile::at(destination, path, &path.to_string_lossy())
    }

    pub(super) fn at(destination: Destination, path: &Path, name: &str) -> io::Result<ResultFile> {
        Ok(ResultFile {
            name: printable(name),
            path: path.to_owned(),
            to: To::open(destination)?,
        })
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a regular file its own name, now that it is complete.
    pub fn commit(self) -> io::Result<()> {
        let To::Temporary { file, target, .. } = self.to else {
            return Ok(());
        };
        match file.persist(&target) {
            Ok(_) => Ok(()),
            // A file that is mounted into a container, for example, can't be replaced in one step.
            Err(failed) if failed.error.kind() == io::ErrorKind::ResourceBusy => {
                let mut from = File::open(failed.file.path())?;
                io::copy(&mut from, &mut File::create(&target)?).map(drop)
            }
            Err(failed) => Err(failed.error),
        }
    }
}

impl Write for ResultFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Temporary { file, .. } => file.as_file_mut().write(bytes),
            To::Direct(file) => file.write(bytes),
            To::Fifo { at, opened } => {
                let file = match opened {
                    Some(file) => file,
                    None => opened.insert(OpenOptions::new().write(true).open(at)?),
                };
                file.write(bytes)
            }
        }
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

/// A result could not be written. A regular file is as it was before.
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
