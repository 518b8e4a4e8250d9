//! The file of a replay: read once before the run, line by line, into a copy on disk that has the requests in order and ready
//! to be sent.
//!
//! Nothing that happens to the file later, and no time that it takes to read its lines, has an effect on the run.

mod columns;
mod csv;
mod entry_file;
mod json;
mod lines;
mod parsed;
mod sort;
mod store;
mod tally;

use super::file::Unreadable;
use super::row::Wrong;
use crate::core::keys::{KeyList, KeyNumbers};
use crate::core::log_format::LogFormat;
use crate::core::replay::{RecordedKeys, RecordedRequests, Speed};
use lines::Source;
use parsed::{KeyFrom, Parsed};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use store::Copying;
use tally::Tally;
use ureq::http::HeaderName;

/// A file with recorded requests, and how it is read.
#[derive(Debug)]
pub struct ReplayFile {
    /// `-` is standard input.
    pub path: PathBuf,
    /// `None` to find out by the first line.
    pub format: Option<ReplayFormat>,
    /// The column, the variable or the `header:NAME` that has each request's key. By default, a column `key`.
    pub key: Option<String>,
    /// Whether lines that can't be read are passed over and counted.
    pub skips_unreadable: bool,
    pub speed: Speed,
    /// The headers that are not taken over, because the run has its own.
    pub dropped: Vec<HeaderName>,
}

/// The form of a file.
#[derive(Debug, Clone)]
pub enum ReplayFormat {
    JsonLines,
    Csv,
    Log(Box<LogFormat>),
}

impl FromStr for ReplayFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<ReplayFormat, String> {
        match text.trim() {
            "jsonl" => Ok(ReplayFormat::JsonLines),
            "csv" => Ok(ReplayFormat::Csv),
            _ => text
                .parse()
                .map(|format| ReplayFormat::Log(Box::new(format))),
        }
    }
}

/// The rows of a file.
enum Rows {
    Json(json::JsonRequests),
    Csv(Box<csv::CsvRequests>),
    Log(lines::LogRequests),
}

/// Reads the file into a copy. Returns its requests, and their keys behind those that are `listed`, if they have any.
///
/// # Errors
/// The file, or a line of it that must not be passed over, can't be read. The copy can't be written.
pub fn copy(
    file: &ReplayFile,
    listed: Option<KeyList>,
) -> Result<(RecordedRequests, Option<KeyList>), Unreadable> {
    let wrong = |wrong: Wrong| Unreadable::new(&file.path, wrong);
    copy_file(file, listed).map_err(wrong)
}

fn copy_file(
    file: &ReplayFile,
    listed: Option<KeyList>,
) -> Result<(RecordedRequests, Option<KeyList>), Wrong> {
    let mut source = Source::open(&file.path)?;
    let format = match &file.format {
        Some(format) => format.clone(),
        None => source.format()?,
    };
    let mut rows = Rows::new(source, format, file.key.as_deref())?;
    let mut seen = vec![false; listed.as_ref().map_or(0, KeyList::len)];
    let mut keys = listed.map_or_else(KeyNumbers::default, KeyNumbers::behind);
    let mut has_keys = rows.must_have_keys().then_some(true);
    let (mut tally, mut copying) = (Tally::default(), Copying::begin().map_err(unwritable)?);
    while let Some(row) = rows.next()? {
        // Passing it over would pass over each request that has a key.
        if let Ok(parsed) = &row
            && let (Some(_), Some(false), false) = (&parsed.key, has_keys, parsed.is_no_load)
        {
            return Err(Wrong::on(parsed.line, KEY_COMES_LATE));
        }
        let parsed = row.and_then(|parsed| take(parsed, &mut has_keys, &mut keys, &file.dropped));
        match parsed {
            Ok(None) => {}
            Ok(Some((parsed, key))) => {
                if let Some(seen) = key.and_then(|key| seen.get_mut(key as usize)) {
                    *seen = true;
                }
                tally.add(&parsed, key);
                copying
                    .add(parsed.at, &parsed.parts, key, parsed.line)
                    .map_err(unwritable)?;
            }
            Err(_) if file.skips_unreadable => tally.unreadable += 1,
            Err(Wrong { line, why }) => {
                let why = format!("{why}; --skip-unreadable skips and counts such lines");
                return Err(Wrong { line, why });
            }
        }
    }
    if tally.count == 0 {
        return Err(match tally.unreadable {
            0 => "it has no requests".into(),
            1 => "its only line can't be read".into(),
            lines => format!("none of its {lines} lines can be read").into(),
        });
    }
    let window = file
        .speed
        .recorded_within(crate::base::Nanos(1_000_000_000));
    let is_spread = rows.are_whole_seconds_of_a_log();
    let copied = copying.finish(is_spread, window).map_err(unwritable)?;
    let (time_columns, unread_columns) = rows.into_columns();
    let key_list = keys.into_list();
    let requests = RecordedRequests {
        name: name(&file.path),
        count: tally.count,
        length: copied.length,
        most_in_a_second: copied.most_in_window,
        unreadable: tally.unreadable,
        is_spread,
        keys: match &key_list {
            Some(keys) if has_keys == Some(true) => {
                let only_listed = seen.iter().filter(|seen| !**seen).count();
                RecordedKeys::Own((keys.len() - only_listed) as u32)
            }
            _ => RecordedKeys::None,
        },
        longest_line: tally.longest_line,
        without_method: tally.without_method,
        without_path: tally.without_path,
        time_columns,
        unread_columns,
        hiding_key: tally.hiding_key,
        told_apart_by: tally.told_apart_by(),
        alike: copied.alike.filter(|_| has_keys == Some(true)),
        replace_bodies: tally.replace_bodies,
        digest: tally.digest,
        header_names: tally.header_names(),
        spelled: tally.spelled(),
        store: Arc::new(copied.store),
    };
    Ok((requests, key_list))
}

const KEY_COMES_LATE: &str = "it has a key, and a request before it has none; with --replay-key key, requests without a key are \
                              lines that can't be read";

/// The request of a row with the number of its key. `None` if it is not one of the load.
fn take(
    parsed: Parsed,
    has_keys: &mut Option<bool>,
    keys: &mut KeyNumbers,
    dropped: &[HeaderName],
) -> Result<Option<(Parsed, Option<u32>)>, Wrong> {
    if parsed.is_no_load {
        return Ok(None);
    }
    let line = parsed.line;
    // The first request decides, since the limit of a request without a key is not known.
    let needs_key = *has_keys.get_or_insert(parsed.key.is_some());
    let key = match (&parsed.key, needs_key) {
        (Some(key), true) => Some(keys.number(key).map_err(|why| Wrong::on(line, why))?),
        (None, true) => return Err(Wrong::on(line, "it has no key, and the others have one")),
        (_, false) => None,
    };
    let mut parsed = parsed;
    parsed.parts.leave_out(dropped);
    Ok(Some((parsed, key)))
}

impl Rows {
    fn new(source: Source, format: ReplayFormat, key: Option<&str>) -> Result<Rows, Wrong> {
        Ok(match format {
            ReplayFormat::JsonLines => {
                Rows::Json(json::JsonRequests::new(source, KeyFrom::new(key)))
            }
            ReplayFormat::Csv => {
                Rows::Csv(Box::new(csv::CsvRequests::new(source, KeyFrom::new(key))?))
            }
            ReplayFormat::Log(format) => Rows::Log(lines::LogRequests::new(source, *format, key)?),
        })
    }

    /// Whether the user said where the keys are, so that a request without one can't be read.
    fn must_have_keys(&self) -> bool {
        match self {
            Rows::Json(rows) => rows.must_have_keys(),
            Rows::Csv(rows) => rows.must_have_keys(),
            Rows::Log(rows) => rows.must_have_keys(),
        }
    }

    /// The columns of times that were read, and the columns that nothing was read from.
    fn into_columns(self) -> (Vec<String>, Vec<String>) {
        match self {
            Rows::Json(rows) => rows.into_roles().into_names(),
            Rows::Csv(rows) => rows.into_roles().into_names(),
            Rows::Log(_) => (Vec::new(), Vec::new()),
        }
    }

    /// Whether this is an access log, none of whose lines that were read has a fraction of a second.
    fn are_whole_seconds_of_a_log(&self) -> bool {
        matches!(self, Rows::Log(rows) if rows.are_whole_seconds())
    }

    /// The next row, or what is wrong with it. `None` at the end.
    ///
    /// # Errors
    /// The rest of the file can't be read.
    fn next(&mut self) -> Result<Option<Result<Parsed, Wrong>>, Wrong> {
        match self {
            Rows::Json(rows) => rows.next(),
            Rows::Csv(rows) => rows.next(),
            Rows::Log(rows) => rows.next(),
        }
    }
}

fn name(path: &Path) -> String {
    match path.file_name() {
        _ if path == Path::new("-") => "standard input".to_owned(),
        Some(name) => crate::base::text::printable(&name.to_string_lossy()),
        None => crate::base::text::printable(&path.to_string_lossy()),
    }
}

fn unwritable(error: std::io::Error) -> Wrong {
    let why = crate::report::reason(&error);
    let dir = std::env::temp_dir();
    format!(
        "it is copied to a temporary file, and the directory {} refused that: {why}; TMPDIR names another directory",
        dir.display()
    )
    .into()
}

#[cfg(test)]
mod tests;
