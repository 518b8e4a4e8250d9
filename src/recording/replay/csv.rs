//! Requests in CSV, whose first row has the names of the columns.

use super::super::limited::Limited;
use super::super::row::Wrong;
use super::columns::{Role, Roles, separator};
use super::lines::Source;
use super::parsed::{
    K6_REQUESTS, KeyFrom, NotRead, PROBE, Parsed, add_header_lines, complete, time,
};
use crate::core::recorded::Unit;
use crate::core::replay::ContentParts;
use crate::report::reason;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use serde_json::value::RawValue;
use std::io::{self, Read};

pub(super) struct CsvRequests {
    reader: Reader<File>,
    record: ByteRecord,
    columns: Columns,
    /// The number of columns.
    width: usize,
    key: KeyFrom,
    roles: Roles,
}

type File = Limited<WithLastLine<Box<dyn Read>>>;

/// The places of the columns.
struct Columns {
    time: (usize, String, Unit),
    method: Option<usize>,
    path: Option<usize>,
    query: Option<usize>,
    request: Option<usize>,
    headers: Option<usize>,
    body: Option<usize>,
    key: Option<usize>,
    source: Option<usize>,
    metric: Option<usize>,
}

impl Columns {
    /// Finds the columns by their names. Notes the others in `roles`.
    fn new(names: &[String], key: &KeyFrom, roles: &mut Roles) -> Result<Columns, String> {
        let role = |name: &String| roles.of(name, |name| key.is_column(name)).0;
        let all: Vec<_> = names.iter().map(role).collect();
        let mut read = vec![false; names.len()];
        // The best of the columns whose role has a rank.
        let mut best = |rank: &dyn Fn(Role) -> Option<usize>| {
            let ranked = all
                .iter()
                .enumerate()
                .filter_map(|(place, role)| Some((rank((*role)?)?, names[place].len(), place)));
            let (_, _, place) = ranked.min()?;
            read[place] = true;
            Some(place)
        };
        let is = |wanted: Role| move |role: Role| (role == wanted).then_some(0);
        let time = best(&|role| match role {
            Role::Time { rank, .. } => Some(rank),
            _ => None,
        });
        let columns = (
            best(&|role| match role {
                Role::Method { rank } => Some(rank),
                _ => None,
            }),
            best(&|role| match role {
                Role::Path { rank } => Some(rank),
                _ => None,
            }),
            best(&is(Role::Query)),
            best(&is(Role::Headers)),
            best(&is(Role::Body)),
            best(&is(Role::Source)),
            best(&is(Role::Metric)),
        );
        let (method, path, query, headers, body, source, metric) = columns;
        let needs_line = method.is_none() || path.is_none();
        let request = needs_line.then(|| best(&is(Role::Request))).flatten();
        let own = names.iter().position(|name| key.is_column(name));
        if let KeyFrom::Column(column) = key
            && own.is_none()
        {
            return Err(format!("there is no column {column} for --replay-key"));
        }
        if let Some(place) = own {
            read[place] = true;
        }
        let time = time.ok_or_else(|| no_time(names))?;
        let (name, role) = (names[time].clone(), all[time]);
        let Some(Role::Time { unit, .. }) = role else {
            unreachable!("it was found as a time");
        };
        roles.take_time(&name);
        for (name, _) in names.iter().zip(read).filter(|(_, is_read)| !is_read) {
            roles.leave_unread(name);
        }
        Ok(Columns {
            time: (time, name, unit),
            method,
            path,
            query,
            request,
            headers,
            body,
            key: own,
            source,
            metric,
        })
    }
}

/// Says that no column has the time, and what else may be wrong with the first line.
fn no_time(names: &[String]) -> String {
    let hint = separator(&names.join(",")).map_or(String::new(), |other| {
        format!(": its columns are separated by {other}, and those of CSV by commas")
    });
    format!("there is no column time{hint}")
}

impl CsvRequests {
    pub fn new(source: Source, key: KeyFrom) -> Result<CsvRequests, Wrong> {
        let rest: Box<dyn Read> = Box::new(source.into_rest());
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .from_reader(Limited::new(WithLastLine::new(rest)));
        let first = reader.byte_headers().map_err(|error| wrong(&error))?;
        let first = first.clone();
        if is_at_end(&reader) && !is_last_line(&first) {
            return Err(Wrong::on(line_of(&reader, &first), NOT_CLOSED));
        }
        let names: Vec<_> = first
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        reader.get_mut().begin_row();
        let mut roles = Roles::default();
        Ok(CsvRequests {
            columns: Columns::new(&names, &key, &mut roles)?,
            width: names.len(),
            reader,
            record: ByteRecord::new(),
            key,
            roles,
        })
    }

    pub fn into_roles(self) -> Roles {
        self.roles
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
        let line = line_of(&self.reader, &self.record);
        match is_at_end(&self.reader) {
            true if is_last_line(&self.record) => return Ok(None),
            // Nobody knows how many requests are between the quotes, so this is not one line that can be passed over.
            true => return Err(Wrong::on(line, NOT_CLOSED)),
            false => {}
        }
        Ok(Some(self.read(line).map_err(|why| why.on(line))))
    }

    fn read(&self, line: u64) -> Result<Parsed, NotRead> {
        let Columns {
            time: (at, name, unit),
            method,
            path,
            query,
            request,
            headers,
            body,
            key,
            source,
            metric,
        } = &self.columns;
        if self.record.len() != self.width {
            let (fields, width) = (self.record.len(), self.width);
            return Err(NotRead(format!(
                "it has {fields} fields, and the first row has {width}"
            )));
        }
        let whole = |place: &usize| self.record.get(*place).filter(|cell| !cell.is_empty());
        // Blanks around a value are none of it.
        let cell = |place: &usize| {
            whole(place)
                .map(<[u8]>::trim_ascii)
                .filter(|cell| !cell.is_empty())
        };
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
        let first_line = request.as_ref().and_then(cell);
        complete(&mut parts, first_line, query.as_ref().and_then(cell))?;
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
        parts.body = body.as_ref().and_then(whole).map(<[u8]>::to_vec);
        let own_key = match key {
            Some(place) => text(place, "key")?.map(str::to_owned),
            None => self.key.in_header(&parts),
        };
        let has = |place: &Option<usize>| place.as_ref().and_then(cell);
        Ok(Parsed {
            line,
            at: time(name, *unit, text(at, name)?)?,
            parts,
            key: own_key,
            is_no_load: has(source) == Some(PROBE.as_bytes())
                || has(metric).is_some_and(|metric| metric != K6_REQUESTS.as_bytes()),
        })
    }
}

const NOT_CLOSED: &str = "it has a quote that is not closed";

/// Whether the record that was read last ends where the file with the added line ends.
fn is_at_end(reader: &Reader<File>) -> bool {
    let read = reader.position().byte();
    reader.get_ref().get_ref().is_all(read)
}

fn is_last_line(record: &ByteRecord) -> bool {
    record.len() == 1 && record.get(0) == Some(LAST_LINE)
}

/// The line with which the record begins that was read last. The record's own position is before the blank lines that were
/// passed over.
fn line_of(reader: &Reader<File>, record: &ByteRecord) -> u64 {
    let bytes = record.iter().flatten();
    let within = bytes.filter(|byte| **byte == b'\n').count() as u64;
    let is_closed = !is_at_end(reader) || is_last_line(record);
    let ends = within + u64::from(is_closed);
    reader.position().line().saturating_sub(ends)
}

/// Puts a line behind a file, and before it the end of the file's last line, if that is missing. So each record ends with a
/// line, and the added line is a record of its own, unless the file ends within quotes.
struct WithLastLine<R> {
    inner: R,
    /// The last byte that was read.
    last: u8,
    /// The bytes that were read.
    length: u64,
    /// The bytes that are still to be added. `None` until the file has ended.
    added: Option<&'static [u8]>,
}

/// The only field of the added line.
const LAST_LINE: &[u8] = b"end";

impl<R> WithLastLine<R> {
    fn new(inner: R) -> WithLastLine<R> {
        WithLastLine {
            inner,
            last: b'\n',
            length: 0,
            added: None,
        }
    }

    /// Whether the first `length` bytes are all that there are.
    fn is_all(&self, length: u64) -> bool {
        self.added.is_some_and(<[u8]>::is_empty) && self.length == length
    }
}

impl<R: Read> Read for WithLastLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        if self.added.is_none() && !buffer.is_empty() {
            read = self.inner.read(buffer)?;
            match read {
                0 => {
                    let line = b"\nend\n";
                    self.added = Some(&line[usize::from(self.last == b'\n')..]);
                }
                _ => self.last = buffer[read - 1],
            }
        }
        if let Some(added) = &mut self.added {
            read = added.read(buffer)?;
        }
        self.length += read as u64;
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
