//! Values that options of several kinds share.
//!
//! Each function reads a value or returns what it may be, as the end of a sentence that begins with the option.

use crate::base::text::{MAX_DURATION, time};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::path::PathBuf;
use std::time::Duration;

/// Any name that the system can have, an empty one too: it is refused where it is known what it is for.
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

pub fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("must be true, false, 1, 0, yes or no".to_owned()),
    }
}
