//! The requested files of a run, opened before it begins.

use super::destination::{self, Destination};
use super::format::{Format, Rows, StartStream, Written};
use super::result_file::{Access, FileError, ResultFile, WrittenFile, reason};
use super::stream::start_whole;
use crate::base::text::printable;
use crate::core::summary::{CapacitySummary, Discovery, RecordedAudit, Summary};
use crate::system::temporary_files;
use std::collections::HashSet;
use std::fmt::Display;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A requested file.
#[derive(Debug, Clone)]
pub struct Output {
    pub format: &'static Format,
    pub path: PathBuf,
    /// The flag or the variable that requested it.
    pub asked_by: String,
}

/// A file that the command reads.
#[derive(Debug, Clone)]
pub struct Input {
    /// `-` stands for standard input.
    pub path: PathBuf,
    /// The flag or the variable that named it.
    pub asked_by: String,
}

/// A file can't be written. Nothing has been written to any of them.
#[derive(Debug, thiserror::Error)]
#[error("{allowed}")]
pub struct Unwritable {
    /// The option or the stream whose file it is.
    pub asked_by: String,
    pub path: PathBuf,
    /// The end of a sentence that begins with the option: what the file must be, and why it is not.
    pub allowed: String,
}

/// Opens the only file that a result goes to. Without a path, standard output gets it, and `None` is returned.
///
/// # Errors
/// It can't be written, or it is one of the inputs.
pub fn open_single(
    path: Option<&Path>,
    asked_by: &str,
    access: Access,
    inputs: &[Input],
) -> Result<Option<ResultFile>, Unwritable> {
    let mut claims = Claims::new(inputs)?;
    let Some(path) = path else {
        return Ok(None);
    };
    let opened = claims.claim(path, asked_by, false);
    let opened = opened.and_then(|claimed| claimed.open(path, asked_by, access));
    opened.map(Some).map_err(|allowed| Unwritable {
        asked_by: asked_by.to_owned(),
        path: path.to_owned(),
        allowed,
    })
}

/// Every requested file, open.
#[derive(Debug, Default)]
pub struct Files {
    opened: Vec<(&'static Format, ResultFile)>,
    takes_standard_output: bool,
}

impl Files {
    /// # Errors
    /// One of them can't be written, two of them are one file, or one of them or standard output is one of the inputs.
    pub fn open(outputs: &[Output], inputs: &[Input]) -> Result<Files, Unwritable> {
        let mut claims = Claims::new(inputs)?;
        let mut files = Files::default();
        for output in outputs {
            files
                .add(output, &mut claims)
                .map_err(|allowed| Unwritable {
                    asked_by: output.asked_by.clone(),
                    path: output.path.clone(),
                    allowed,
                })?;
        }
        Ok(files)
    }

    /// The error says what the file must be, and why it is not.
    fn add(&mut self, output: &Output, claims: &mut Claims) -> Result<(), String> {
        let Output {
            format,
            path,
            asked_by,
        } = output;
        (format.check_name)(path)?;
        let claimed = claims.claim(path, asked_by, format.takes_dash)?;
        self.takes_standard_output |= claimed.is_standard_output;
        let file = claimed.open(path, asked_by, format.access)?;
        self.opened.push((format, file));
        Ok(())
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

    /// Writes the files that are made of the summary, until the deadline. Returns what came of each.
    pub fn write(
        self,
        summary: &Summary,
        deadline: Instant,
    ) -> Vec<Result<WrittenFile, FileError>> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd { render, .. } => Some(render(summary)),
            Written::Meanwhile { .. } => None,
        })
    }

    /// Writes the files of an audit of recorded requests, likewise.
    pub fn write_recorded(
        self,
        audit: &RecordedAudit,
        deadline: Instant,
    ) -> Vec<Result<WrittenFile, FileError>> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd {
                render_recorded, ..
            } => Some(render_recorded(audit)),
            Written::Meanwhile { .. } => None,
        })
    }

    /// Writes the files of a search for the capacity, likewise.
    pub fn write_capacity(
        self,
        capacity: &CapacitySummary,
        deadline: Instant,
    ) -> Vec<Result<WrittenFile, FileError>> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd {
                render_capacity, ..
            } => render_capacity.map(|render| render(capacity)),
            Written::Meanwhile { .. } => None,
        })
    }

    /// Writes the files of a discovery, likewise.
    pub fn write_discovery(
        self,
        discovery: &Discovery,
        deadline: Instant,
    ) -> Vec<Result<WrittenFile, FileError>> {
        self.write_each(deadline, |written| match written {
            Written::AtTheEnd {
                render_discovery, ..
            } => Some(render_discovery(discovery)),
            Written::Meanwhile { .. } => None,
        })
    }

    fn write_each(
        self,
        deadline: Instant,
        render: impl Fn(&Written) -> Option<String>,
    ) -> Vec<Result<WrittenFile, FileError>> {
        let rendered = self.opened.into_iter().filter_map(|(format, file)| {
            let text = render(&format.written)?;
            Some(start_whole(file, text.into_bytes()))
        });
        // All are written at once, so that one that hangs costs only itself.
        let started: Vec<_> = rendered.collect();
        let finished = started
            .into_iter()
            .map(|stream| stream.and_then(|stream| stream.finish(deadline).result));
        finished.collect()
    }
}

/// The files that a command uses: each has one use.
#[derive(Debug)]
struct Claims {
    inputs: Vec<(Identity, String)>,
    /// Each output, with the option that requested it.
    outputs: Vec<(Identity, String)>,
    /// `None` if standard output is closed.
    standard_output: Option<Metadata>,
    /// The folders in which abandoned temporary files were looked for.
    cleaned: HashSet<PathBuf>,
}

/// A file that an output may use.
#[derive(Debug)]
struct Claimed {
    destination: Destination,
    is_standard_output: bool,
}

impl Claims {
    /// # Errors
    /// Standard output goes to one of the inputs.
    fn new(inputs: &[Input]) -> Result<Claims, Unwritable> {
        let standard_output = destination::standard_output().and_then(|file| file.metadata());
        let standard_output = standard_output.ok();
        let mut identities = Vec::new();
        for Input { path, asked_by } in inputs {
            let Some(identity) = Identity::of_input(path) else {
                continue;
            };
            let name = format!("{asked_by} '{}'", printable(&path.to_string_lossy()));
            let is_overwritten =
                |metadata: &Metadata| metadata.is_file() && identity.is_inode_of(metadata);
            if standard_output.as_ref().is_some_and(is_overwritten) {
                return Err(Unwritable {
                    asked_by: "standard output".to_owned(),
                    path: path.clone(),
                    allowed: must_not_be_read(&name),
                });
            }
            identities.push((identity, name));
        }
        Ok(Claims {
            inputs: identities,
            outputs: Vec::new(),
            standard_output,
            cleaned: HashSet::new(),
        })
    }

    /// The error says what the file must be, and why it is not.
    fn claim(&mut self, path: &Path, asked_by: &str, takes_dash: bool) -> Result<Claimed, String> {
        let is_dash = path.as_os_str() == "-";
        if path.as_os_str().is_empty() {
            return Err(unwritable(&"it has no name"));
        }
        if is_dash && !takes_dash {
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
        let find = |claimed: &[(Identity, String)]| {
            let same = claimed.iter().find(|(other, _)| identity.is_same(other));
            same.map(|(_, name)| name.clone())
        };
        if let Some(input) = find(&self.inputs) {
            return Err(must_not_be_read(&input));
        }
        if let Some(other) = find(&self.outputs) {
            return Err(format!("must be a file of its own; {other} has the same"));
        }
        let printed_to = self.standard_output.as_ref();
        let is_standard_output = printed_to.is_some_and(|metadata| identity.is_inode_of(metadata));
        if let Destination::Regular { at, .. } = &destination {
            if is_standard_output {
                return Err("must be a file of its own; standard output goes there".to_owned());
            }
            if let Some(dir) = at.parent()
                && self.cleaned.insert(dir.to_owned())
            {
                temporary_files::remove_abandoned(dir);
            }
        }
        self.outputs.push((identity, asked_by.to_owned()));
        Ok(Claimed {
            destination,
            is_standard_output,
        })
    }
}

impl Claimed {
    fn open(self, path: &Path, asked_by: &str, access: Access) -> Result<ResultFile, String> {
        let name = format!("{asked_by} '{}'", path.to_string_lossy());
        let file = ResultFile::open(self.destination, access, path, &name);
        file.map_err(|error| unwritable(&reason(&error)))
    }
}

fn must_not_be_read(input: &str) -> String {
    format!("must be a file of its own; it is also {input}, which is read")
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

    /// `None` if it can't be told, for example because the file is gone.
    fn of_input(path: &Path) -> Option<Identity> {
        if path.as_os_str() == "-" {
            #[cfg(unix)]
            return Some(Identity {
                at: None,
                inode: inode(&destination::standard_input().ok()?.metadata().ok()?),
            });
        }
        if let Ok(identity) = Destination::of(path).and_then(|at| Identity::of(&at)) {
            return Some(identity);
        }
        // A descriptor that can't be written, such as `/dev/stdin`.
        let metadata = std::fs::metadata(path).ok()?;
        Some(Identity {
            at: path.canonicalize().ok(),
            inode: inode(&metadata),
        })
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
