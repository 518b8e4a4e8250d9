use super::{or_broke, print, warn};
use crate::report::{self, ColorChoice, Display, FileError, Files, StyledText, WrittenFile};
use std::io::{self, Write};

/// Prints a result part by part: to standard output, or to standard error if a file of the result takes standard output.
pub(super) struct Printer {
    display: Display,
    to_standard_output: bool,
    /// Whether everything was printed and every file was written.
    is_whole: bool,
}

impl Printer {
    pub fn new(files: &Files, color: ColorChoice) -> Printer {
        let to_standard_output = !files.takes_standard_output();
        let colours = match to_standard_output {
            true => color.colours(&io::stdout()),
            false => color.colours(&io::stderr()),
        };
        Printer {
            display: Display::new(colours),
            to_standard_output,
            is_whole: true,
        }
    }

    pub fn print(&mut self, text: &StyledText) {
        let text = text.display(self.display) + "\n";
        if !self.to_standard_output {
            let _ = io::stderr().write_all(text.as_bytes());
        } else if let Err(error) = print(&text) {
            warn(format!("{error:#}"));
            self.is_whole = false;
        }
    }

    /// Lists the files that were written, and says on standard error why others were not.
    pub fn print_files(&mut self, files: Vec<Result<WrittenFile, FileError>>) {
        let mut written = Vec::new();
        let mut failed = Vec::new();
        for file in files {
            match file {
                Ok(file) => written.push(file),
                Err(error) => failed.push(error),
            }
        }
        if let Some(text) = report::written_files(&written) {
            self.print(&text);
        }
        for error in &failed {
            warn(error);
        }
        self.is_whole &= failed.is_empty();
    }

    /// The exit code of a result with this code.
    pub fn exit_code(&self, code: u8) -> u8 {
        if self.is_whole { code } else { or_broke(code) }
    }
}
