use super::limited::Limited;
use super::row::{Cells, Wrong};
use crate::report::reason;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::borrow::Cow;
use std::fs::File;

/// The rows of a file in CSV, whose first row has the names of the columns.
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
        let begins = self.reader.position().line();
        let is_row = self.reader.read_byte_record(&mut self.record);
        let is_row = is_row.map_err(|error| {
            let Wrong { line, why } = wrong(&error);
            Wrong::on(line.unwrap_or(begins), why)
        });
        if !is_row? {
            return Ok(None);
        }
        self.reader.get_mut().begin_row();
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
