//! The options of `loadgen report`, and the summaries that it reads.

use super::Refusal;
use super::values::file;
use crate::core::summary::Summary;
use clap::Args;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Report {
    /// A summary that --summary-json wrote; `-` is standard input. Several summaries are compared, each with the first
    #[arg(required = true, value_name = "FILE",
          value_parser = file())]
    files: Vec<PathBuf>,

    /// The file to write the page to. Without it, or with `-`, the page goes to standard output
    #[arg(long, value_name = "FILE",
          value_parser = file())]
    output: Option<PathBuf>,
}

impl Report {
    /// The file that the page goes to. `None` stands for standard output.
    pub fn output(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|path| *path != Path::new("-"))
    }

    /// Reads the summaries, each with a short name of its file.
    ///
    /// # Errors
    /// A file can't be read, or is no summary.
    pub fn summaries(&self) -> Result<Vec<(String, Summary)>, Refusal> {
        let mut summaries = Vec::new();
        for (name, path) in names(&self.files).into_iter().zip(&self.files) {
            let text = text(path).map_err(|error| refusal(path, &error))?;
            let summary = Summary::from_json(&text).map_err(|error| refusal(path, &error))?;
            summaries.push((name, summary));
        }
        Ok(summaries)
    }

    /// The line that refuses the page's file.
    pub fn refuse_output(&self, why: &impl Display) -> Refusal {
        let path = self.output.as_deref().unwrap_or(Path::new("-"));
        let allowed = format!("must be a file that can be written; {why}");
        Refusal::wrong("--output", &path.to_string_lossy(), &allowed)
    }
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
    Refusal::wrong("FILE", &path.to_string_lossy(), &allowed)
}

fn text(path: &Path) -> io::Result<String> {
    if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    }
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
