use super::{SCHEMA_VERSION, Summary};
use serde::Deserialize;

/// The oldest version that can be read, if no request failed.
const OLDEST: u32 = 1;

/// The reason why a text can't be read as a summary.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is not JSON: {0}")]
    NotJson(String),
    #[error("is JSON, but has no schema_version")]
    NotASummary,
    #[error(
        "is of schema_version {0}, and this loadgen reads up to {SCHEMA_VERSION}; a newer loadgen may read it"
    )]
    Newer(u64),
    #[error("is of schema_version {0}, and this loadgen reads {OLDEST} and {SCHEMA_VERSION}")]
    Older(u64),
    #[error(
        "is of schema_version {OLDEST}, whose latency is also that of failed requests: this one has {0} of them, so it can't be \
         shown or compared"
    )]
    Mixed(u64),
    #[error("does not match its schema_version: {0}")]
    Malformed(String),
}

/// The part of a summary that is the same in every version.
#[derive(Deserialize)]
struct Versioned {
    schema_version: u64,
}

impl Summary {
    /// Reads a file of `--summary-json`. Unknown fields, which later versions may add, are skipped.
    pub fn from_json(text: &str) -> Result<Summary, Unreadable> {
        let own = u64::from(SCHEMA_VERSION);
        let versioned: Result<Versioned, _> = serde_json::from_str(text);
        match versioned {
            Err(error) if error.is_data() => Err(Unreadable::NotASummary),
            Err(error) => Err(Unreadable::NotJson(error.to_string())),
            // serde would take a list for the values of the fields.
            Ok(_) if !text.trim_start().starts_with('{') => Err(Unreadable::NotASummary),
            Ok(Versioned { schema_version: v }) if v > own => Err(Unreadable::Newer(v)),
            Ok(Versioned { schema_version: v }) if v < OLDEST.into() => Err(Unreadable::Older(v)),
            Ok(_) => {
                let summary: Result<Summary, _> = serde_json::from_str(text);
                let summary = summary.map_err(|error| Unreadable::Malformed(error.to_string()))?;
                let failed = summary.requests.failed;
                if summary.schema_version == OLDEST && failed > 0 {
                    return Err(Unreadable::Mixed(failed));
                }
                Ok(summary)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_summary_is_refused_with_its_reason() {
        let unreadable = |text: &str| Summary::from_json(text).unwrap_err().to_string();
        for (text, expected) in [
            (
                "",
                "is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            (
                "{",
                "is not JSON: EOF while parsing an object at line 1 column 1",
            ),
            ("[1]", "is JSON, but has no schema_version"),
        ] {
            assert_eq!(unreadable(text), expected);
        }
        for (version, expected) in [
            (r#""1""#, "is JSON, but has no schema_version"),
            (
                "3",
                "is of schema_version 3, and this loadgen reads up to 2; a newer loadgen may read it",
            ),
            (
                "0",
                "is of schema_version 0, and this loadgen reads 1 and 2",
            ),
            (
                "1",
                "does not match its schema_version: missing field `loadgen` at line 1 column 20",
            ),
        ] {
            let text = format!(r#"{{"schema_version":{version}}}"#);
            assert_eq!(unreadable(&text), expected);
        }
    }
}
