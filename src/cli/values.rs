//! Values that several options share.
//!
//! Each function reads a value. Its error says what is allowed, as the end of a sentence that begins with the option.

use crate::base::text::{MAX_DURATION, time};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a whole file.
///
/// # Errors
/// The file can't be read, or has more than `most` bytes.
pub(super) fn read_at_most(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
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
