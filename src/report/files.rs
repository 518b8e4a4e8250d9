//! The files that results go to.
//!
//! A regular file is written under another name in its directory and takes its own when it is complete: whoever looks
//! there finds the old file or the new one, whole. It keeps the old one's permissions. What is no regular file, such as
//! a FIFO or `/dev/stdout`, is written directly.

use super::destination::{self, Destination};
use super::html::page;
use super::json::json;
use super::markdown::markdown;
use super::stream::Stream;
use crate::cli::{Arguments, Options, Refusal};
use crate::core::plan::Outputs;
use crate::core::summary::Summary;
use crate::system::temporary_files::Registration;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::NamedTempFile;

/// A way to show a run that has ended.
type Format = fn(&Summary) -> String;

/// Of each option that was given, its file.
#[derive(Debug, Default)]
pub struct Files {
    pub report: Option<ResultFile>,
    pub summary_json: Option<ResultFile>,
    pub summary_markdown: Option<ResultFile>,
    pub timeline: Option<ResultFile>,
    pub hdr_log: Option<ResultFile>,
    pub requests: Option<ResultFile>,
    takes_standard_output: bool,
}

impl Files {
    /// # Errors
    /// One of them can't be written, or is the same as another.
    pub fn open(arguments: &Arguments<Options>, outputs: &Outputs) -> Result<Files, Refusal> {
        let mut opening = Opening {
            arguments,
            opened: Vec::new(),
            standard_output: destination::standard_output()
                .and_then(|file| file.metadata())
                .ok(),
            takes_standard_output: false,
        };
        let requests = outputs.requests.as_ref().map(|(path, _)| path);
        Ok(Files {
            summary_json: opening.open("summary_json", outputs.summary_json.as_ref())?,
            report: opening.open("report", outputs.report.as_ref())?,
            summary_markdown: opening
                .open("summary_markdown", outputs.summary_markdown.as_ref())?,
            timeline: opening.open("timeline", outputs.timeline.as_ref())?,
            hdr_log: opening.open("hdr_log", outputs.hdr_log.as_ref())?,
            requests: opening.open("requests", requests)?,
            takes_standard_output: opening.takes_standard_output,
        })
    }

    /// Writes what is made once a run is over, until the deadline, and returns what could not be. Files that are written
    /// while it goes on have been taken by then.
    pub fn write(self, summary: &Summary, deadline: Instant) -> Vec<FileError> {
        // A format is a function of the summary, in a file of its own, and a line here.
        let formats: [(_, Format); 3] = [
            (self.summary_json, json),
            (self.summary_markdown, markdown),
            (self.report, page),
        ];
        let written = formats.into_iter().filter_map(|(file, format)| {
            let file = file?;
            let text = format(summary);
            file.write_whole(text.into_bytes(), deadline).err()
        });
        written.collect()
    }

    /// Whether one of them says what was when.
    pub fn shows_time(&self) -> bool {
        self.summary_json.is_some() || self.report.is_some()
    }

    /// Whether one of them is standard output, which then has nothing else.
    pub fn takes_standard_output(&self) -> bool {
        self.takes_standard_output
    }
}

struct Opening<'a> {
    arguments: &'a Arguments<Options>,
    opened: Vec<(&'static str, Identity)>,
    /// If it is open.
    standard_output: Option<Metadata>,
    takes_standard_output: bool,
}

impl Opening<'_> {
    fn open(
        &mut self,
        option: &'static str,
        path: Option<&PathBuf>,
    ) -> Result<Option<ResultFile>, Refusal> {
        let Some(path) = path else {
            return Ok(None);
        };
        let refuse = |why: &dyn fmt::Display| {
            let allowed = format!("must be a file that can be written; {why}");
            self.arguments.refuse(option, allowed)
        };
        let is_dash = path.as_os_str() == "-";
        if path.as_os_str().is_empty() {
            return Err(refuse(&"it has no name"));
        }
        if is_dash && option != "summary_json" {
            return Err(refuse(
                &"a file of this name is ./-, standard output is /dev/stdout",
            ));
        }
        let destination = match is_dash {
            true => destination::standard_output().map(Destination::Descriptor),
            false => Destination::of(path),
        };
        let destination = destination.map_err(|error| refuse(&reason(&error)))?;
        let identity = Identity::of(&destination).map_err(|error| refuse(&reason(&error)))?;

        let same = |(_, other): &&(_, Identity)| identity.is_same(other);
        if let Some((other, _)) = self.opened.iter().find(same) {
            let allowed = format!(
                "must be a file of its own; {} has the same",
                self.arguments.name(other)
            );
            return Err(self.arguments.refuse(option, allowed));
        }
        let printed_to = self.standard_output.as_ref();
        if printed_to.is_some_and(|metadata| identity.is_inode_of(metadata)) {
            if let Destination::Regular { .. } = destination {
                let allowed = "must be a file of its own; standard output goes there";
                return Err(self.arguments.refuse(option, allowed));
            }
            self.takes_standard_output = true;
        }
        let to = To::open(destination).map_err(|error| refuse(&reason(&error)))?;
        self.opened.push((option, identity));
        let shown = path.to_string_lossy();
        Ok(Some(ResultFile {
            name: format!("{} '{}'", self.arguments.name(option), printable(&shown)),
            to,
        }))
    }
}

/// By what two names are known to lead to the same file.
#[derive(Debug)]
struct Identity {
    at: Option<PathBuf>,
    /// Of what exists, and is not where everything vanishes: that may be anybody's.
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
        let is = |mine: bool, its: bool| mine && its;
        is(self.at.is_some(), self.at == other.at)
            || is(self.inode.is_some(), self.inode == other.inode)
    }

    fn is_inode_of(&self, metadata: &Metadata) -> bool {
        self.inode.is_some() && self.inode == inode(metadata)
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let null = std::fs::metadata("/dev/null").ok();
    let inode = |of: &Metadata| (of.dev(), of.ino());
    let vanishes = null.is_some_and(|null| inode(&null) == inode(metadata));
    (!vanishes).then(|| inode(metadata))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// A file that a result is written to. Displays as the option that asked for it, and its value.
#[derive(Debug)]
pub struct ResultFile {
    name: String,
    to: To,
}

#[derive(Debug)]
enum To {
    /// Complete when it is renamed.
    Temporary {
        file: NamedTempFile,
        target: PathBuf,
        /// Dropped after the file, which removes itself but for signals.
        _registration: Registration,
    },
    Direct(File),
    /// Opened with the first write, which waits for a reader.
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
                    // As anybody would find out who wrote it directly.
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

/// A new file beside `at`, with the owner and the permissions of what exists there, as far as the system lets it.
fn temporary(at: &Path, existing: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let dir = at.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".loadgen-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less what the umask takes.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(dir)?;
    if let Some(existing) = existing {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            // Only root may give a file away.
            let _ = fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()));
        }
        file.as_file().set_permissions(existing.permissions())?;
    }
    Ok(file)
}

impl ResultFile {
    /// A file beside those of a run.
    ///
    /// # Errors
    /// It can't be written.
    pub fn open(path: &Path) -> Result<ResultFile, Unwritable> {
        let to = Destination::of(path).and_then(To::open);
        Ok(ResultFile {
            name: printable(&path.to_string_lossy()),
            to: to.map_err(Unwritable)?,
        })
    }

    /// Gives the file its name, now that all is written.
    pub fn commit(self) -> io::Result<()> {
        let To::Temporary { file, target, .. } = self.to else {
            return Ok(());
        };
        match file.persist(&target) {
            Ok(_) => Ok(()),
            // Such as a file that is mounted into a container. What it has can't be replaced in one step.
            Err(failed) if failed.error.kind() == io::ErrorKind::ResourceBusy => {
                let mut from = File::open(failed.file.path())?;
                io::copy(&mut from, &mut File::create(&target)?).map(drop)
            }
            Err(failed) => Err(failed.error),
        }
    }

    /// Writes a whole file, until the deadline.
    pub fn write_whole(self, content: Vec<u8>, deadline: Instant) -> Result<(), FileError> {
        let name = self.name.clone();
        let started = Stream::start(self, 1, |contents, file| {
            contents.try_for_each(|content: Vec<u8>| file.write_all(&content))
        });
        let (feed, stream) = started.map_err(|error| FileError::new(name, error))?;
        // There is room for it, and where there is no thread to write it, that is told at the end.
        let _ = feed.offer(content, 1);
        drop(feed);
        stream.finish(deadline).result
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

    /// There is nothing to flush.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for ResultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A result that could not be written. Of a regular file, what was there before still is.
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

/// Why there is no file to write to.
#[derive(Debug, thiserror::Error)]
#[error("{}", reason(.0))]
pub struct Unwritable(io::Error);

/// Without the system's number for it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn printable(text: &str) -> String {
    let shown = text.chars().map(|c| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    shown.collect()
}
