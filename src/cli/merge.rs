//! The options of `loadgen merge`, and the files that it reads.

use super::fingerprint::uncompared;
use super::report::text;
use super::results::{Color, MergedFiles};
use super::values::{duration, file};
use super::{Arguments, Opt, Refusal, opt};
use crate::base::text::{printable, whole};
use crate::core::merge::{Merger, Unmergeable};
use crate::core::stripe::MAX_STRIPES;
use crate::core::summary::Summary;
use crate::report::{ColorChoice, Input, Output, json_output};
use clap::Args;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The name of the files' argument.
const FILE: &str = "FILE";

#[derive(Debug, Args)]
pub struct Merge {
    /// Summaries of stripes, written by --summary-json, of at most 128 MiB each, or folders. In a folder, every summary of a stripe
    /// whose name ends with .json is read
    #[arg(required = true, value_name = "FILE", value_parser = file())]
    files: Vec<PathBuf>,

    /// Write the merged summary as JSON. `-` is standard output, which then carries nothing else
    #[arg(long, value_name = "FILE", value_parser = file(), help_heading = "Results")]
    output: Option<PathBuf>,

    /// Wait at most this long until the summary of every stripe is there. A stripe without one is then missing. SIGINT or SIGTERM
    /// ends the wait
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    wait: Option<Duration>,

    /// The number of stripes. By default, it is read from the first summary
    #[arg(long, env = "LOADGEN_STRIPES", hide_env_values = true, value_name = "N", value_parser = opt(stripes),
          allow_hyphen_values = true)]
    stripes: Option<Opt<u64>>,

    #[command(flatten)]
    color: Color,
    #[command(flatten, next_help_heading = "Results")]
    results: MergedFiles,
}

/// Summaries to be merged.
#[derive(Debug)]
pub struct MergeSetup {
    /// Files and folders, as they were given.
    files: Vec<PathBuf>,
    /// How long to wait for the summaries of all stripes. `None` if they have to be there.
    pub wait: Option<Duration>,
    stripes: Option<(u64, String)>,
    /// The files that results go to.
    pub outputs: Vec<Output>,
    /// The files that are read, as far as they are known before.
    pub inputs: Vec<Input>,
    /// When verdicts are coloured.
    pub color: ColorChoice,
}

/// The summaries that were read so far, and their sum.
#[derive(Debug)]
pub struct Gathered<'a> {
    setup: &'a MergeSetup,
    merger: Merger,
    /// The files so far. A file that is given twice is here once for each time.
    files: HashMap<(usize, PathBuf), Progress>,
    /// The last lines about files that are ignored.
    ignored: Vec<String>,
}

/// How far the reading of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It was merged or ignored.
    Done,
    /// It was no summary when it was this version, but may be a part of one that is still being copied.
    Partial(Version),
}

/// What changes when a file is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    /// `None` if the system does not report it.
    modified: Option<SystemTime>,
}

impl Version {
    fn of(path: &Path) -> Option<Version> {
        let metadata = path.metadata().ok()?;
        Some(Version {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

impl MergeSetup {
    pub(super) fn new(arguments: &Arguments<Merge>) -> Result<MergeSetup, Refusal> {
        let Merge {
            files,
            output,
            wait,
            stripes,
            color,
            results,
        } = &arguments.options;
        if let Some(dash) = files.iter().find(|path| path.as_os_str() == "-") {
            let allowed = "must be a file or a folder; standard input is not read";
            return Err(refuse(dash, allowed));
        }
        let mut outputs = results.outputs(arguments);
        outputs.extend(output.as_ref().map(|path| json_output(path, "--output")));
        let mut setup = MergeSetup {
            files: files.clone(),
            wait: *wait,
            stripes: (stripes.as_ref()).map(|stripes| (**stripes, arguments.name(stripes))),
            outputs,
            inputs: Vec::new(),
            color: color.color,
        };
        setup.inputs = setup.inputs();
        Ok(setup)
    }

    /// The files that are given. An output in a folder that is read may be there from an earlier merge.
    fn inputs(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        for path in &self.files {
            if !path.is_dir() {
                inputs.push(path.clone());
                continue;
            }
            let in_folder = in_folder(path).unwrap_or_default();
            inputs.extend(in_folder.into_iter().filter(|file| {
                let is_output = self
                    .outputs
                    .iter()
                    .any(|output| is_same(&output.path, file));
                is_output && read(file).is_ok_and(|summary| summary.stripe.is_some())
            }));
        }
        let inputs = inputs.into_iter().map(|path| Input {
            path,
            asked_by: FILE.to_owned(),
        });
        inputs.collect()
    }
}

impl<'a> Gathered<'a> {
    pub fn new(setup: &'a MergeSetup) -> Gathered<'a> {
        Gathered {
            setup,
            merger: Merger::new(uncompared()),
            files: HashMap::new(),
            ignored: Vec::new(),
        }
    }

    /// Reads and adds the summaries that are there and were not read yet. A file that is no summary is left for a later time,
    /// in which it may have been copied to its end.
    ///
    /// # Errors
    /// A folder can't be read, or a summary can't be merged with those before.
    pub fn read(&mut self) -> Result<(), Refusal> {
        self.read_all(false)
    }

    /// Reads and adds the summaries for the last time.
    ///
    /// # Errors
    /// A file can't be read, or can't be merged with those before. If the setup has a wait, a missing file is no error.
    pub fn read_last(&mut self) -> Result<(), Refusal> {
        self.read_all(true)
    }

    fn read_all(&mut self, is_last: bool) -> Result<(), Refusal> {
        let setup = self.setup;
        for (place, path) in setup.files.iter().enumerate() {
            if path.is_dir() {
                let files = in_folder(path).map_err(|error| unreadable(path, &error))?;
                for file in files {
                    self.read_file((place, file), true, is_last)?;
                }
            } else if setup.wait.is_none() || path.exists() {
                self.read_file((place, path.clone()), false, is_last)?;
            }
        }
        Ok(())
    }

    /// Reads a file that is given, or is in a folder, which may hold other results, too.
    fn read_file(
        &mut self,
        key: (usize, PathBuf),
        in_folder: bool,
        is_last: bool,
    ) -> Result<(), Refusal> {
        let file = &key.1;
        // A file that changes while it is read has another version afterwards.
        let version = Version::of(file);
        match self.files.get(&key) {
            Some(Progress::Done) => return Ok(()),
            Some(Progress::Partial(before)) if !is_last && Some(*before) == version => {
                return Ok(());
            }
            _ => {}
        }
        match read(file) {
            Ok(summary) if !in_folder || summary.stripe.is_some() => self.add(file, &summary)?,
            Ok(summary) if summary.merged.is_some() => {}
            Ok(_) => self.ignore(file, "it is the summary of a whole run"),
            Err(_) if !is_last => {
                let partial = version.map(Progress::Partial);
                self.files.extend(partial.map(|partial| (key, partial)));
                return Ok(());
            }
            Err(error) if in_folder => self.ignore(file, &error),
            Err(error) => return Err(not_a_summary(file, &error)),
        }
        self.files.insert(key, Progress::Done);
        Ok(())
    }

    fn ignore(&mut self, file: &Path, why: &str) {
        let file = printable(&file.to_string_lossy());
        self.ignored.push(format!(
            "'{file}' is no summary of a stripe and is ignored: {why}"
        ));
    }

    fn add(&mut self, path: &Path, summary: &Summary) -> Result<(), Refusal> {
        let name = printable(&path.to_string_lossy());
        let added = self.merger.add(&name, summary);
        added.map_err(|error: Unmergeable| refuse(path, &error.to_string()))?;
        let Some((stripes, asked_by)) = &self.setup.stripes else {
            return Ok(());
        };
        match self.merger.of() {
            Some(of) if of != *stripes => {
                let allowed = format!("must be {of}, since '{name}' is one of {of} stripes");
                Err(Refusal::wrong(asked_by, &stripes.to_string(), &allowed))
            }
            _ => Ok(()),
        }
    }

    /// The lines about files that are ignored, once each.
    pub fn take_ignored(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ignored)
    }

    /// How many stripes were read, and how many there are, as far as that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        let given = self.setup.stripes.as_ref().map(|(stripes, _)| *stripes);
        (self.merger.count(), given.or(self.merger.of()))
    }

    pub fn is_complete(&self) -> bool {
        let (read, of) = self.progress();
        of.is_some_and(|of| read >= of)
    }

    /// The merged summary.
    ///
    /// # Errors
    /// There is no summary of a stripe.
    pub fn merged(self) -> Result<Summary, Refusal> {
        let first = self.setup.files.first().cloned().unwrap_or_default();
        self.merger.finish().ok_or_else(|| {
            let allowed =
                "must be a summary of a stripe, or a folder with some; this folder has none";
            refuse(&first, allowed)
        })
    }
}

/// The files of a folder whose names end with `.json`, by name.
fn in_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("json")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Reads a summary. The error says why the file is none.
fn read(path: &Path) -> Result<Summary, String> {
    let text = text(path).map_err(|error| error.to_string())?;
    Summary::from_json(&text).map_err(|error| format!("it {error}"))
}

fn refuse(path: &Path, allowed: &str) -> Refusal {
    Refusal::wrong(FILE, &path.to_string_lossy(), allowed)
}

fn not_a_summary(path: &Path, why: &str) -> Refusal {
    let allowed = format!("must be the summary of a stripe, which --summary-json wrote; {why}");
    refuse(path, &allowed)
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    refuse(path, &format!("must be a folder that can be read; {error}"))
}

fn stripes(text: &str) -> Result<u64, String> {
    whole(text, 2..=MAX_STRIPES)
}
