//! A file by its lines, and the requests of access logs.

use super::super::file::COMPRESSED;
use super::super::row::{BYTE_ORDER_MARK, LONGEST_ROW, Wrong};
use super::ReplayFormat;
use super::columns::{is_time, separator};
use super::parsed::Parsed;
use crate::core::log_format::LogFormat;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The beginning of a file, which was looked at, and its rest.
type Whole = io::Chain<io::Cursor<Vec<u8>>, Box<dyn Read>>;

/// An open file.
pub(super) struct Source {
    file: BufReader<Whole>,
    /// The number of lines that were read.
    lines: u64,
}

/// The number of bytes that are read at once, and of those that are looked at to tell what a file is.
const BUFFER: usize = 64 * 1024;

impl Source {
    pub fn open(path: &Path) -> Result<Source, Wrong> {
        if path == Path::new("-") {
            return Source::new(Box::new(io::stdin()));
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err("it is a directory".into());
        }
        Source::new(Box::new(file))
    }

    pub fn new(mut file: Box<dyn Read>) -> Result<Source, Wrong> {
        let beginning = first_line(&mut file)?;
        if let Some((_, format)) = COMPRESSED
            .iter()
            .find(|(magic, _)| beginning.starts_with(magic))
        {
            let why =
                format!("it is compressed with {format}; decompress it first, or into --replay -");
            return Err(why.into());
        }
        let is_marked = beginning.starts_with(BYTE_ORDER_MARK);
        let file = io::Cursor::new(beginning).chain(file);
        let mut file = BufReader::with_capacity(BUFFER, file);
        if is_marked {
            file.fill_buf()?;
            file.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Source { file, lines: 0 })
    }

    /// The format that the first line shows.
    pub fn format(&mut self) -> Result<ReplayFormat, Wrong> {
        let beginning = self.file.fill_buf()?;
        let blanks = beginning
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace());
        let text = &beginning[blanks.count()..];
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if text.is_empty() {
            return Err("it has no requests".into());
        }
        if first.starts_with(b"{") {
            return Ok(ReplayFormat::JsonLines);
        }
        let first = String::from_utf8_lossy(first);
        let mut names = first.split(',');
        if names.any(|name| is_time(name.trim().trim_matches('"'))) {
            return Ok(ReplayFormat::Csv);
        }
        if first.contains('\0') {
            return Err("it is not text in UTF-8".into());
        }
        if let Some(other) = separator(&first) {
            let why =
                format!("its columns are separated by {other}, and those of CSV must be by commas");
            return Err(why.into());
        }
        Err("its first line is neither a JSON object nor names of columns, separated by commas, with time among them; give \
             --replay-format with `combined` or another format if it is an access log"
            .into())
    }

    /// What is left of the file, for a reader of another kind.
    pub fn into_rest(self) -> impl Read {
        self.file
    }

    /// Puts the next line that is not blank into `line`, without its end. Returns its number; `None` at the end.
    ///
    /// # Errors
    /// The file can't be read any more. A line that is too long is an error within the result.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<Option<Result<u64, Wrong>>, Wrong> {
        loop {
            line.clear();
            let within = self.file.by_ref().take(LONGEST_ROW);
            let read = { within }.read_until(b'\n', line)?;
            if read == 0 {
                return Ok(None);
            }
            self.lines += 1;
            if read as u64 == LONGEST_ROW && !line.ends_with(b"\n") {
                self.skip_rest_of_line()?;
                let why = format!("it has more than {LONGEST_ROW} bytes");
                return Ok(Some(Err(Wrong::on(self.lines, why))));
            }
            let last = line.iter().rposition(|byte| !b"\r\n".contains(byte));
            line.truncate(last.map_or(0, |last| last + 1));
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Ok(self.lines)));
            }
        }
    }

    fn skip_rest_of_line(&mut self) -> Result<(), Wrong> {
        loop {
            let buffer = self.file.fill_buf()?;
            let end = memchr::memchr(b'\n', buffer);
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.file.consume(length);
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }
}

/// Reads up to the end of the first line that is not blank, however little a pipe has at a time, and at most [`BUFFER`]. What
/// is read beyond it is in the result too.
fn first_line(file: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BUFFER];
    let (mut length, mut is_blank) = (0, true);
    loop {
        let read = match file.read(&mut bytes[length..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let mut new = &bytes[length..length + read];
        length += read;
        if is_blank {
            new = new.trim_ascii_start();
            is_blank = new.is_empty();
        }
        if read == 0 || memchr::memchr(b'\n', new).is_some() {
            bytes.truncate(length);
            return Ok(bytes);
        }
    }
}

/// The requests of an access log.
pub(super) struct LogRequests {
    source: Source,
    format: LogFormat,
    /// The place of the variable with the key.
    key: Option<usize>,
    line: Vec<u8>,
    /// Whether any line that was read so far has a fraction of a second.
    has_fractions: bool,
}

impl LogRequests {
    pub fn new(source: Source, format: LogFormat, key: Option<&str>) -> Result<LogRequests, Wrong> {
        let place = |key: &str| {
            let all: Vec<_> = format.variables().collect();
            let why = || {
                format!(
                    "its format has no {key} for --replay-key, but {}",
                    all.join(", ")
                )
            };
            format.variable(key).ok_or_else(why)
        };
        Ok(LogRequests {
            key: key.map(place).transpose()?,
            source,
            format,
            line: Vec::new(),
            has_fractions: false,
        })
    }

    pub fn must_have_keys(&self) -> bool {
        self.key.is_some()
    }

    /// Whether all lines that were read so far have whole seconds.
    pub fn are_whole_seconds(&self) -> bool {
        !self.has_fractions
    }

    pub fn next(&mut self) -> Result<Option<Result<Parsed, Wrong>>, Wrong> {
        let line = match self.source.next_line(&mut self.line)? {
            None => return Ok(None),
            Some(Err(wrong)) => return Ok(Some(Err(wrong))),
            Some(Ok(line)) => line,
        };
        let read = self.format.read(&self.line, self.key);
        self.has_fractions |= read.as_ref().is_ok_and(|request| request.has_fraction);
        let parsed = read.map(|request| Parsed {
            line,
            at: request.at,
            parts: request.parts,
            key: request.key,
            is_no_load: false,
        });
        Ok(Some(parsed.map_err(|why| Wrong::on(line, why.to_string()))))
    }
}
