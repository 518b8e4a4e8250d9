//! The options of `loadgen merge`, and the files that it reads.

use super::fingerprint::uncompared;
use super::report::text;
use super::results::{Color, MergedFiles};
use super::stripes::instant;
use super::values::{duration, file};
use super::{Arguments, Opt, Refusal, opt};
use crate::base::Nanos;
use crate::base::text::{printable, whole};
use crate::core::merge::{Merger, Unmergeable, Why};
use crate::core::stripe::MAX_STRIPES;
use crate::core::summary::{Summary, timestamp};
use crate::report::{ColorChoice, Input, Output, json_output};
use clap::Args;
use jiff::Timestamp;
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

    /// Merge only stripes that started at this instant, such as 2026-01-31T12:00:00Z: the --start-at of their runs. The summary of
    /// another start is refused. With --wait, it is passed over, since it may be that of an earlier run with the same files
    #[arg(long, value_name = "INSTANT", value_parser = instant, allow_hyphen_values = true)]
    start_at: Option<Timestamp>,

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
    /// The start of the stripes, as their summaries have it. `None` if it is that of the first summary.
    start: Option<String>,
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
    /// It was not a summary of this start when it was this version, but may become one: it may be a part of one that is still being
    /// copied, or that of an earlier run.
    Passed(Version),
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
            start_at,
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
            start: start_at.map(|at| timestamp(at.into(), Nanos::ZERO)),
            outputs,
            inputs: Vec::new(),
            color: color.color,
        };
        setup.inputs = setup.inputs();
        Ok(setup)
    }

    /// The start that the stripes must have, and that of this one, if it has another one.
    fn other_start<'a>(&'a self, summary: &'a Summary) -> Option<(&'a str, String)> {
        let (start, stripe) = (self.start.as_ref()?, summary.stripe.as_ref()?);
        (stripe.start != *start).then(|| (start.as_str(), printable(&stripe.start)))
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
            Some(Progress::Passed(before)) if !is_last && Some(*before) == version => {
                return Ok(());
            }
            _ => {}
        }
        let is_done = match read(file) {
            Ok(summary) => match self.setup.other_start(&summary) {
                Some((start, other)) if self.setup.wait.is_none() => {
                    let allowed = format!(
                        "must have started at {start}, by --start-at; it started at {other}"
                    );
                    return Err(refuse(file, &allowed));
                }
                Some((start, other)) if is_last => {
                    let what = format!("started at {other}, not at {start}, and is ignored");
                    self.ignore(file, &what);
                    true
                }
                Some(_) => false,
                None => {
                    self.read_summary(file, &summary, in_folder)?;
                    true
                }
            },
            Err(_) if !is_last => false,
            Err(error) if in_folder => {
                self.ignore_no_stripe(file, &error);
                true
            }
            Err(error) => return Err(not_a_summary(file, &error)),
        };
        let progress = match is_done {
            true => Some(Progress::Done),
            false => version.map(Progress::Passed),
        };
        self.files.extend(progress.map(|progress| (key, progress)));
        Ok(())
    }

    /// Adds a summary if it is one of a stripe. In a folder, another one is ignored.
    fn read_summary(
        &mut self,
        file: &Path,
        summary: &Summary,
        in_folder: bool,
    ) -> Result<(), Refusal> {
        if !in_folder || summary.stripe.is_some() {
            return self.add(file, summary);
        }
        if summary.merged.is_none() {
            self.ignore_no_stripe(file, "it is the summary of a whole run");
        }
        Ok(())
    }

    fn ignore_no_stripe(&mut self, file: &Path, why: &str) {
        self.ignore(
            file,
            &format!("is no summary of a stripe and is ignored: {why}"),
        );
    }

    fn ignore(&mut self, file: &Path, what: &str) {
        let file = printable(&file.to_string_lossy());
        self.ignored.push(format!("'{file}' {what}"));
    }

    fn add(&mut self, path: &Path, summary: &Summary) -> Result<(), Refusal> {
        let name = printable(&path.to_string_lossy());
        let added = self.merger.add(&name, summary);
        added.map_err(|error: Unmergeable| {
            let has_hint = self.setup.wait.is_some() && matches!(error.why, Why::OtherStart { .. });
            let hint = if has_hint {
                ". --start-at INSTANT waits for the stripes of one start"
            } else {
                ""
            };
            refuse(path, &format!("{error}{hint}"))
        })?;
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

    /// Says that the summaries of all stripes were there at once, if they may be those of an earlier run. `None` if they can't be:
    /// their start is that of `--start-at`.
    pub fn were_there(&self) -> Option<String> {
        let start = self.merger.start().filter(|_| self.setup.start.is_none())?;
        let (read, _) = self.progress();
        Some(format!(
            "the summaries of all {read} stripes were there before this merge began; they started at {start}. --start-at INSTANT waits \
             for those of another start"
        ))
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
            let of_start = match &self.setup.start {
                Some(start) => format!(" that started at {start}"),
                None => String::new(),
            };
            let allowed = format!(
                "must be a summary of a stripe{of_start}, or a folder with some; this folder has none"
            );
            refuse(&first, &allowed)
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
