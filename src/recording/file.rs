//! One file of rows.

use super::csv_rows::CsvRows;
use super::json_rows::JsonRows;
use super::row::{BYTE_ORDER_MARK, Wrong};
use super::rows::Rows;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A file that can't be audited.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    pub file: PathBuf,
    /// What is wrong, and on which line.
    pub why: String,
}

impl Unreadable {
    pub(super) fn new(file: &Path, wrong: impl Into<Wrong>) -> Unreadable {
        let Wrong { line, why } = wrong.into();
        let why = match line {
            Some(line) => format!("line {line}: {why}"),
            None => why,
        };
        Unreadable {
            file: file.to_owned(),
            why,
        }
    }
}

/// Opens a regular file, as CSV or as JSON lines by its first byte.
pub(super) fn open(path: &Path) -> Result<Rows, Wrong> {
    if path == Path::new("-") {
        return Err(
            "it is read twice, so it can't be standard input; write it to a file first".into(),
        );
    }
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err("it is a directory".into());
    }
    if !kind.is_file() {
        return Err("it is read twice, so it must be a regular file".into());
    }
    let mut file = File::open(path)?;
    let beginning = beginning(&mut file)?;
    let text = beginning
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(&beginning);
    if let Some((_, format)) = COMPRESSED.iter().find(|(magic, _)| text.starts_with(magic)) {
        return Err(format!("it is compressed with {format}; decompress it first").into());
    }
    if text.contains(&0) {
        return Err("it is not text in UTF-8".into());
    }
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None if beginning.len() < BEGINNING => Err("it is empty".into()),
        Some(b'{') => JsonRows::open(file).map(Rows::Json),
        _ => CsvRows::open(file).map(Rows::Csv),
    }
}

pub(super) const COMPRESSED: [(&[u8], &str); 4] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"BZh", "bzip2"),
];

/// How much of a file is looked at to tell what it is, in bytes.
const BEGINNING: usize = 4096;

fn beginning(file: &mut File) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    file.take(BEGINNING as u64).read_to_end(&mut beginning)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(beginning)
}
