//! Values that several options share.
//!
//! Each function reads a value. Its error says what is allowed, as the end of a sentence that begins with the option.

use crate::base::text::{MAX_DURATION, POINT, time};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a whole file, of at most `most` bytes, a whole number of MiB.
///
/// # Errors
/// The file can't be read, or is larger.
pub(super) fn read_at_most(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let mebibytes = most >> 20;
        return Err(io::Error::other(format!(
            "it is larger than {mebibytes} MiB"
        )));
    }
    Ok(bytes)
}

/// Opens a file, and reads it with [`read_at_most`].
pub(super) fn read_file(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(File::open(file)?, most)
}

/// Accepts any name, even an empty one, which is refused when the file is opened.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

pub fn duration(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::ZERO..=MAX_DURATION,
        "0 or more, at most 3650d",
    )
}

pub fn timeout(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(1)..=Duration::from_secs(3600),
        "from 1ms to 1h",
    )
}

/// The message about a wrong number, with a hint if it has a comma.
pub(super) fn with_point(text: &str, allowed: String) -> String {
    if text.contains(',') {
        format!("{allowed}; {POINT}")
    } else {
        allowed
    }
}

pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

pub fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("must be true, false, 1, 0, yes or no".to_owned()),
    }
}
