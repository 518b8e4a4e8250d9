use super::row::{BYTE_ORDER_MARK, CUT_OFF, Cells, LONGEST_ROW, Wrong};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The rows of a file that has one JSON object on each line. Blank lines are passed over.
#[derive(Debug)]
pub(super) struct JsonRows {
    file: BufReader<File>,
    row: Vec<u8>,
    /// The number of the line in `row`.
    line: u64,
    /// Whether `row` is the first one, which has been read for its names only.
    is_first: bool,
    names: Vec<String>,
    selected: Vec<String>,
}

/// The number of bytes that are read at once.
const BUFFER: usize = 64 * 1024;

impl JsonRows {
    pub fn open(file: File) -> Result<JsonRows, Wrong> {
        let mut rows = JsonRows {
            file: BufReader::with_capacity(BUFFER, file),
            row: Vec::new(),
            line: 0,
            is_first: true,
            names: Vec::new(),
            selected: Vec::new(),
        };
        if rows.read_row()? {
            rows.names = rows.parse(Names)?;
        }
        Ok(rows)
    }

    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub fn select(&mut self, columns: &[String]) {
        self.selected = columns.to_vec();
    }

    pub fn next(&mut self) -> Result<Option<(u64, Cells<'_>)>, Wrong> {
        if !std::mem::take(&mut self.is_first) && !self.read_row()? {
            return Ok(None);
        }
        let fields = self.parse(Fields(&self.selected))?;
        let mut cells = Vec::with_capacity(fields.len());
        for (raw, name) in fields.into_iter().zip(&self.selected) {
            let text = text(raw).map_err(|why| Wrong::on(self.line, format!("{name} {why}")));
            cells.push(text?);
        }
        Ok(Some((self.line, cells)))
    }

    /// Reads the next line that is not blank. Returns false at the end.
    fn read_row(&mut self) -> Result<bool, Wrong> {
        loop {
            self.row.clear();
            self.line += 1;
            let within = self.file.by_ref().take(LONGEST_ROW);
            let read = { within }.read_until(b'\n', &mut self.row);
            let read = read.map_err(Wrong::from)?;
            if read == 0 {
                return Ok(false);
            }
            if read as u64 == LONGEST_ROW {
                let why = format!("it has more than {LONGEST_ROW} bytes");
                return Err(Wrong::on(self.line, why));
            }
            if self.line == 1 && self.row.starts_with(BYTE_ORDER_MARK) {
                self.row.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.row.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    fn parse<'a, S: DeserializeSeed<'a>>(&'a self, seed: S) -> Result<S::Value, Wrong> {
        let mut json = serde_json::Deserializer::from_slice(&self.row);
        let parsed = seed.deserialize(&mut json);
        let parsed = parsed.and_then(|parsed| json.end().map(|()| parsed));
        parsed.map_err(|error| {
            let why = match error.is_eof() && !self.row.ends_with(b"\n") {
                true => CUT_OFF.to_owned(),
                false => format!("it is no JSON object: {error}"),
            };
            Wrong::on(self.line, why)
        })
    }
}

/// A field's text: that of a string, or a number or a boolean as it is written. `None` if it is missing, null or empty.
fn text(raw: Option<&RawValue>) -> Result<Option<Cow<'_, str>>, &'static str> {
    let Some(raw) = raw.map(RawValue::get) else {
        return Ok(None);
    };
    match raw.as_bytes().first() {
        Some(b'"') => {
            let plain = &raw[1..raw.len() - 1];
            let text = if plain.contains('\\') {
                let text: String = serde_json::from_str(raw).map_err(|_| "is no text")?;
                Cow::Owned(text)
            } else {
                Cow::Borrowed(plain)
            };
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(b'{' | b'[') => Err("is neither a text nor a number"),
        _ if raw == "null" => Ok(None),
        _ => Ok(Some(Cow::Borrowed(raw))),
    }
}

/// Reads the names of an object's fields.
struct Names;

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(names)
    }
}

/// Reads these fields of an object. A field that is there twice has its last value.
struct Fields<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = vec![None; self.0.len()];
        while let Some(place) = map.next_key_seed(Place(self.0))? {
            match place {
                Some(place) => fields[place] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// Reads a field's name as its place among those that are read.
struct Place<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|other| other == name))
    }
}
