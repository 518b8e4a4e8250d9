use super::limited::Limited;
use super::row::{BYTE_ORDER_MARK, CUT_OFF, Cells, Wrong};
use crate::report::reason;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::borrow::Cow;
use std::fs::File;
use std::iter;

/// The rows of a file in CSV, whose first row has the names of the columns. A row that has them again is passed over: it is
/// where files were joined.
#[derive(Debug)]
pub(super) struct CsvRows {
    reader: Reader<Limited<File>>,
    names: Vec<String>,
    record: ByteRecord,
    /// The places of the columns that are read, with their names.
    selected: Vec<(usize, String)>,
}

/// The number of bytes that are read at once.
const BUFFER: usize = 64 * 1024;

impl CsvRows {
    pub fn open(file: File) -> Result<CsvRows, Wrong> {
        let mut reader = ReaderBuilder::new()
            .buffer_capacity(BUFFER)
            .from_reader(Limited::new(file));
        let names = reader.byte_headers().map_err(|error| wrong(&error))?;
        let names = names
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let names = names.collect();
        reader.get_mut().begin_row();
        Ok(CsvRows {
            reader,
            names,
            record: ByteRecord::new(),
            selected: Vec::new(),
        })
    }

    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub fn select(&mut self, columns: &[String]) {
        let place = |column: &String| {
            let place = self.names.iter().position(|name| name == column);
            (place.unwrap_or(usize::MAX), column.clone())
        };
        self.selected = columns.iter().map(place).collect();
    }

    pub fn next(&mut self) -> Result<Option<(u64, Cells<'_>)>, Wrong> {
        if !self.read_row()? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let cell = |(place, name): &(usize, String)| {
            let text = self.record.get(*place).unwrap_or_default();
            match std::str::from_utf8(text) {
                Ok("") => Ok(None),
                Ok(text) => Ok(Some(Cow::Borrowed(text))),
                Err(_) => Err(Wrong::on(line, format!("{name} is not UTF-8"))),
            }
        };
        let cells: Result<_, _> = self.selected.iter().map(cell).collect();
        Ok(Some((line, cells?)))
    }

    /// Reads the next row that has not just the names. Returns false at the end.
    fn read_row(&mut self) -> Result<bool, Wrong> {
        loop {
            let begins = self.reader.position().line();
            let is_row = self.reader.read_byte_record(&mut self.record);
            let is_row = is_row.map_err(|error| {
                let Wrong { line, why } = wrong(&error);
                let is_cut_off = is_short(&error) && self.reader.get_ref().ends_within_line();
                let why = if is_cut_off { CUT_OFF.to_owned() } else { why };
                Wrong::on(line.unwrap_or(begins), why)
            });
            if !is_row? {
                return Ok(false);
            }
            self.reader.get_mut().begin_row();
            if !self.has_names() {
                return Ok(true);
            }
        }
    }

    /// Whether the row has the names of the columns, behind a mark of the byte order if an editor put one there.
    fn has_names(&self) -> bool {
        let first = self.record.get(0).unwrap_or_default();
        let first = first.strip_prefix(BYTE_ORDER_MARK).unwrap_or(first);
        let cells = iter::once(first).chain(self.record.iter().skip(1));
        cells.eq(self.names.iter().map(String::as_bytes))
    }
}

/// Whether a row has fewer cells than the first one.
fn is_short(error: &csv::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::UnequalLengths { expected_len, len, .. } if len < expected_len)
}

fn wrong(error: &csv::Error) -> Wrong {
    let line = error.position().map(csv::Position::line);
    let why = match error.kind() {
        ErrorKind::Io(error) => reason(error),
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("it has {len} fields, and the first row has {expected_len}")
        }
        _ => error.to_string(),
    };
    Wrong { line, why }
}
