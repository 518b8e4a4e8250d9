//! The options of `loadgen report`, and the summaries that it reads.

use super::Refusal;
use super::values::{file, read_at_most};
use crate::core::summary::Summary;
use crate::report::Input;
use clap::Args;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the files' argument.
const FILE: &str = "FILE";

/// The largest summary that is read, in bytes. A stripe of 10 minutes to 1,000 targets has 50 MB, most of it the timeline.
const MOST: u64 = 128 * 1024 * 1024;

#[derive(Debug, Args)]
pub struct Report {
    /// A summary that --summary-json wrote, of at most 128 MiB; `-` is standard input. Several summaries are compared,
    /// each with the first
    #[arg(required = true, value_name = "FILE",
          value_parser = file())]
    files: Vec<PathBuf>,

    /// The file to write the page to; `-` is standard output
    #[arg(long, value_name = "FILE",
          value_parser = file())]
    output: Option<PathBuf>,
}

/// A saved summary with a short name of its file.
pub type Saved = (String, Summary);

impl Report {
    /// The file that the page goes to. `None` stands for standard output.
    ///
    /// # Errors
    /// None was given.
    pub fn output(&self) -> Result<Option<&Path>, Refusal> {
        let Some(output) = &self.output else {
            let line = "--output: must be given: a FILE for the page, such as --output report.html, or - for standard output";
            return Err(Refusal::Wrong(line.to_owned()));
        };
        Ok(Some(&**output).filter(|path| *path != Path::new("-")))
    }

    /// Reads the summaries, each with a short name of its file.
    ///
    /// # Errors
    /// A file can't be read, or is no summary.
    pub fn summaries(&self) -> Result<Vec<Saved>, Refusal> {
        summaries(&self.files)
    }

    /// The files that are read.
    pub fn inputs(&self) -> Vec<Input> {
        inputs(&self.files)
    }
}

/// Reads summaries, each with a short name of its file.
pub(super) fn summaries(files: &[PathBuf]) -> Result<Vec<Saved>, Refusal> {
    let mut summaries = Vec::new();
    for (name, path) in names(files).into_iter().zip(files) {
        let text = text(path).map_err(|error| refusal(path, &error))?;
        let summary = Summary::from_json(&text);
        let summary = summary.map_err(|error| refusal(path, &format!("it {error}")))?;
        summaries.push((name, summary));
    }
    Ok(summaries)
}

pub(super) fn inputs(files: &[PathBuf]) -> Vec<Input> {
    let inputs = files.iter().map(|path| Input {
        path: path.clone(),
        asked_by: FILE.to_owned(),
    });
    inputs.collect()
}

/// Short names of the files: without folders and extensions, if these differ.
fn names(files: &[PathBuf]) -> Vec<String> {
    let name = |text: &OsStr| text.to_string_lossy().into_owned();
    let stem = |path: &PathBuf| name(path.file_stem().unwrap_or(path.as_os_str()));
    let stems: Vec<_> = files.iter().map(stem).collect();
    let unique: HashSet<_> = stems.iter().collect();
    if unique.len() == files.len() {
        stems
    } else {
        files.iter().map(|path| name(path.as_os_str())).collect()
    }
}

fn refusal(path: &Path, error: &impl Display) -> Refusal {
    let allowed = format!("must be a summary that --summary-json wrote; {error}");
    Refusal::wrong(FILE, &path.to_string_lossy(), &allowed)
}

pub(super) fn text(path: &Path) -> io::Result<String> {
    let bytes = if path == Path::new("-") {
        read_at_most(io::stdin(), MOST)
    } else {
        File::open(path).and_then(|file| read_at_most(file, MOST))
    };
    String::from_utf8(bytes?).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_as_little_as_tells_them_apart() {
        let names = |files: &[&str]| names(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(
            names(&["runs/before.json", "after.json"]),
            ["before", "after"]
        );
        assert_eq!(
            names(&["a/run.json", "b/run.json"]),
            ["a/run.json", "b/run.json"]
        );
    }
}
