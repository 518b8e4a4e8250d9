//! Requests in CSV, whose first row has the names of the columns.

use super::super::limited::Limited;
use super::super::row::Wrong;
use super::lines::Source;
use super::parsed::{
    BODIES, HEADERS, KeyFrom, METHODS, NotRead, PATHS, Parsed, SOURCE, TIMES, add_header_lines,
    time, time_rank,
};
use crate::core::replay::ContentParts;
use crate::report::reason;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use serde_json::value::RawValue;
use std::io::{self, Read};

pub(super) struct CsvRequests {
    reader: Reader<Limited<Box<dyn Read>>>,
    record: ByteRecord,
    columns: Columns,
    /// The number of columns.
    width: usize,
    key: KeyFrom,
}

/// The places of the columns.
struct Columns {
    time: (usize, String),
    method: Option<usize>,
    path: Option<usize>,
    headers: Option<usize>,
    body: Option<usize>,
    key: Option<usize>,
    source: Option<usize>,
}

impl CsvRequests {
    pub fn new(source: Source, key: KeyFrom) -> Result<CsvRequests, Wrong> {
        let rest: Box<dyn Read> = Box::new(Terminated::new(source.into_rest()));
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .from_reader(Limited::new(rest));
        let names = reader.byte_headers().map_err(|error| wrong(&error))?;
        let names: Vec<_> = names
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        reader.get_mut().begin_row();
        let ranked = names.iter().enumerate();
        let ranked = ranked.filter_map(|(place, name)| Some((time_rank(name)?, name.len(), place)));
        let time = ranked
            .min()
            .map(|(_, _, place)| (place, names[place].clone()));
        let one_of = |wanted: &[&str]| {
            let mut wanted = wanted.iter();
            wanted.find_map(|wanted| names.iter().position(|name| name == wanted))
        };
        let key_column = key.column().and_then(|column| one_of(&[column]));
        if let KeyFrom::Column(column) = &key
            && key_column.is_none()
        {
            return Err(format!("there is no column {column} for --replay-key").into());
        }
        Ok(CsvRequests {
            columns: Columns {
                time: time.ok_or_else(|| format!("there is no column {}", TIMES.join(" or ")))?,
                method: one_of(&METHODS),
                path: one_of(&PATHS),
                headers: one_of(&HEADERS),
                body: one_of(&BODIES),
                key: key_column,
                source: one_of(&[SOURCE.0]),
            },
            width: names.len(),
            reader,
            record: ByteRecord::new(),
            key,
        })
    }

    pub fn must_have_keys(&self) -> bool {
        self.columns.key.is_some() || self.key.is_given()
    }

    pub fn next(&mut self) -> Result<Option<Result<Parsed, Wrong>>, Wrong> {
        let is_row = self.reader.read_byte_record(&mut self.record);
        if !is_row.map_err(|error| wrong(&error))? {
            return Ok(None);
        }
        self.reader.get_mut().begin_row();
        // The record's own position is before the blank lines that were passed over.
        let ends = self
            .record
            .iter()
            .flatten()
            .filter(|byte| **byte == b'\n')
            .count() as u64
            + 1;
        let line = self.reader.position().line().saturating_sub(ends);
        Ok(Some(self.read(line).map_err(|why| why.on(line))))
    }

    fn read(&self, line: u64) -> Result<Parsed, NotRead> {
        let Columns {
            time: (at, name),
            method,
            path,
            headers,
            body,
            key,
            source,
        } = &self.columns;
        if self.record.len() != self.width {
            let (fields, width) = (self.record.len(), self.width);
            return Err(NotRead(format!(
                "it has {fields} fields, and the first row has {width}"
            )));
        }
        let cell = |place: &usize| self.record.get(*place).filter(|cell| !cell.is_empty());
        let text = |place: &usize, name: &str| {
            let text = cell(place).map(str::from_utf8).transpose();
            text.map_err(|_| NotRead(format!("its {name} is not UTF-8")))
        };
        let mut parts = ContentParts::default();
        if let Some(method) = method.as_ref().and_then(cell) {
            parts.set_method(method)?;
        }
        if let Some(path) = path.as_ref().and_then(cell) {
            parts.set_path(path)?;
        }
        if let Some(place) = headers
            && let Some(headers) = text(place, "headers")?
        {
            match headers.trim_start().as_bytes().first() {
                Some(b'{' | b'[') => {
                    let raw: &RawValue = serde_json::from_str(headers)
                        .map_err(|_| "its headers begin like JSON but are not valid JSON")?;
                    super::json::add_headers(raw, &mut parts)?;
                }
                _ => add_header_lines(headers, &mut parts)?,
            }
        }
        parts.body = body.as_ref().and_then(cell).map(<[u8]>::to_vec);
        let own_key = match key {
            Some(place) => text(place, "key")?.map(str::to_owned),
            None => self.key.in_header(&parts),
        };
        let is_probe = |place: &usize| cell(place) == Some(SOURCE.1.as_bytes());
        Ok(Parsed {
            line,
            at: time(name, text(at, name)?)?,
            parts,
            key: own_key,
            is_of_a_probe: source.as_ref().is_some_and(is_probe),
        })
    }
}

/// Ends the last line, so that each record ends with a line.
struct Terminated<R> {
    inner: R,
    last: u8,
}

impl<R> Terminated<R> {
    fn new(inner: R) -> Terminated<R> {
        Terminated { inner, last: b'\n' }
    }
}

impl<R: Read> Read for Terminated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read > 0 {
            self.last = buffer[read - 1];
        } else if self.last != b'\n'
            && let Some(first) = buffer.first_mut()
        {
            *first = b'\n';
            self.last = b'\n';
            return Ok(1);
        }
        Ok(read)
    }
}

fn wrong(error: &csv::Error) -> Wrong {
    let line = error.position().map(csv::Position::line);
    let why = match error.kind() {
        ErrorKind::Io(error) => reason(error),
        _ => error.to_string(),
    };
    Wrong { line, why }
}
