//! The requested files of a run, opened before it begins.

use super::destination::{self, Destination};
use super::format::{Format, Rows, StartStream, Written};
use super::result_file::{FileError, ResultFile, reason};
use super::stream::write_whole;
use crate::core::summary::{RecordedAudit, Summary};
use std::fmt::Display;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// A requested file.
#[derive(Debug, Clone)]
pub struct Output {
    pub format: &'static Format,
    pub path: PathBuf,
    /// The flag or the variable that requested it.
    pub asked_by: String,
}

/// A file can't be written. Nothing has been written to any of them.
#[derive(Debug, thiserror::Error)]
#[error("{allowed}")]
pub struct Unwritable {
    pub output: Output,
    /// The end of a sentence that begins with the option: what the file must be, and why it is not.
    pub allowed: String,
}

/// Every requested file, open.
#[derive(Debug, Default)]
pub struct Files {
    opened: Vec<(&'static Format, ResultFile)>,
    takes_standard_output: bool,
}

impl Files {
    /// # Errors
    /// One of them can't be written, or two of them are one file.
    pub fn open(outputs: &[Output]) -> Result<Files, Unwritable> {
        let standard_output = destination::standard_output().and_then(|file| file.metadata());
        let mut opening = Opening {
            identities: Vec::new(),
            standard_output: standard_output.ok(),
            files: Files::default(),
        };
        for output in outputs {
            opening.open(output).map_err(|allowed| Unwritable {
                output: output.clone(),
                allowed,
            })?;
        }
        Ok(opening.files)
    }

    /// Whether one of them shows the run's timeline.
    pub fn show_timeline(&self) -> bool {
        let shows = |format: &Format| {
            matches!(
                format.written,
                Written::AtTheEnd {
                    has_timeline: true,
                    ..
                }
            )
        };
        self.opened.iter().any(|(format, _)| shows(format))
    }

    /// Whether one of them is standard output, which must then carry nothing else.
    pub fn takes_standard_output(&self) -> bool {
        self.takes_standard_output
    }

    /// Takes out the files that are written while the run goes on.
    pub(super) fn take_streamed(&mut self) -> Vec<(ResultFile, StartStream, Rows)> {
        let mut streamed = Vec::new();
        for (format, file) in std::mem::take(&mut self.opened) {
            match format.written {
                Written::Meanwhile { start, rows } => streamed.push((file, start, rows)),
                Written::AtTheEnd { .. } => self.opened.push((format, file)),
            }
        }
        streamed
    }

    /// Writes the files that are made of the summary, until the deadline. Returns an error for each that could not be
    /// written.
    pub fn write(self, summary: &Summary, deadline: Instant) -> Vec<FileError> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd { render, .. } => Some(render(summary)),
            Written::Meanwhile { .. } => None,
        })
    }

    /// Writes the files of an audit of recorded requests, likewise.
    pub fn write_recorded(self, audit: &RecordedAudit, deadline: Instant) -> Vec<FileError> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd {
                render_recorded, ..
            } => Some(render_recorded(audit)),
            Written::Meanwhile { .. } => None,
        })
    }

    fn write_each(
        self,
        deadline: Instant,
        render: impl Fn(&Written) -> Option<String>,
    ) -> Vec<FileError> {
        let mut failed = Vec::new();
        for (format, file) in self.opened {
            if let Some(text) = render(&format.written) {
                failed.extend(write_whole(file, text.into_bytes(), deadline).err());
            }
        }
        failed
    }
}

struct Opening<'a> {
    /// Each open file, with the option that requested it.
    identities: Vec<(&'a str, Identity)>,
    /// `None` if standard output is closed.
    standard_output: Option<Metadata>,
    files: Files,
}

impl<'a> Opening<'a> {
    /// The error says what the file must be, and why it is not.
    fn open(&mut self, output: &'a Output) -> Result<(), String> {
        let Output { format, path, .. } = output;
        (format.check_name)(path)?;
        let is_dash = path.as_os_str() == "-";
        if path.as_os_str().is_empty() {
            return Err(unwritable(&"it has no name"));
        }
        if is_dash && !format.takes_dash {
            let names = "use /dev/stdout for standard output, or ./- for a file of this name";
            return Err(unwritable(&names));
        }
        let destination = if is_dash {
            destination::standard_output().map(Destination::Descriptor)
        } else {
            Destination::of(path)
        };
        let destination = destination.map_err(|error| unwritable(&reason(&error)))?;
        let identity = Identity::of(&destination).map_err(|error| unwritable(&reason(&error)))?;
        let same = |(_, other): &&(_, Identity)| identity.is_same(other);
        if let Some((other, _)) = self.identities.iter().find(same) {
            return Err(format!("must be a file of its own; {other} has the same"));
        }
        let printed_to = self.standard_output.as_ref();
        if printed_to.is_some_and(|metadata| identity.is_inode_of(metadata)) {
            if let Destination::Regular { .. } = destination {
                return Err("must be a file of its own; standard output goes there".to_owned());
            }
            self.files.takes_standard_output = true;
        }
        let name = format!("{} '{}'", output.asked_by, path.to_string_lossy());
        let file = ResultFile::at(destination, path, &name);
        let file = file.map_err(|error| unwritable(&reason(&error)))?;
        self.identities.push((&output.asked_by, identity));
        self.files.opened.push((format, file));
        Ok(())
    }
}

fn unwritable(why: &dyn Display) -> String {
    format!("must be a file that can be written; {why}")
}

/// The identity of a file, by which two names of the same file are recognized.
#[derive(Debug)]
struct Identity {
    /// The place of a regular file, whether or not it exists yet.
    at: Option<PathBuf>,
    /// Device and inode of a file that exists. `/dev/null` has none here: any number of outputs may go there.
    inode: Option<(u64, u64)>,
}

impl Identity {
    fn of(destination: &Destination) -> io::Result<Identity> {
        let (at, metadata) = match destination {
            Destination::Regular { at, existing } => (Some(at.clone()), existing.clone()),
            Destination::Fifo { metadata, .. } | Destination::Device { metadata, .. } => {
                (None, Some(metadata.clone()))
            }
            Destination::Descriptor(file) => (None, Some(file.metadata()?)),
        };
        let inode = metadata.as_ref().and_then(inode);
        Ok(Identity { at, inode })
    }

    fn is_same(&self, other: &Identity) -> bool {
        let same_place = self.at.is_some() && self.at == other.at;
        let same_inode = self.inode.is_some() && self.inode == other.inode;
        same_place || same_inode
    }

    fn is_inode_of(&self, metadata: &Metadata) -> bool {
        self.inode.is_some() && self.inode == inode(metadata)
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let inode = |of: &Metadata| (of.dev(), of.ino());
    let null = std::fs::metadata("/dev/null").ok();
    let is_null = null.is_some_and(|null| inode(&null) == inode(metadata));
    (!is_null).then(|| inode(metadata))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}
