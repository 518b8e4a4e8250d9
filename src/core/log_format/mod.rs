//! Access logs, whose lines have a form that the server's configuration gives.
//!
//! | server | form | example |
//! | --- | --- | --- |
//! | nginx | [`log_format`](https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format) | `[$time_local] "$request"` |
//! | Envoy | [command operators](https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage) | `[%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)%"` |

mod envoy;
mod line;
mod nginx;
mod path;
mod quotes;
mod time;

use crate::core::replay::{ContentParts, NotSendable};
use line::Escapes;
use path::{PathOf, Paths};
use std::borrow::Cow;
use std::str::FromStr;
use time::{Instant, LogTime};

pub use line::first_line;

/// How the lines of an access log are read.
#[derive(Debug, Clone)]
pub struct LogFormat {
    /// Texts and variables in turn. The first is a text, which may be empty, and so is the last.
    texts: Vec<Vec<u8>>,
    variables: Vec<Variable>,
    escapes: Escapes,
    /// The places of the variables with a time, at least one, those with a fraction of a second first.
    times: Vec<usize>,
}

/// A part of each line.
#[derive(Debug, Clone)]
struct Variable {
    /// As it is typed in the format.
    typed: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq)]
enum Meaning {
    /// The instant of the request.
    Time(LogTime),
    /// The time that it took, in seconds, if the instant is that of its end.
    Took,
    /// The request's first line.
    FirstLine,
    Method,
    Path(PathOf),
    /// The query alone.
    Query,
    Header(String),
    Body,
    /// It says nothing of what was sent.
    Nothing,
}

impl Meaning {
    fn is_method(&self) -> bool {
        matches!(self, Meaning::FirstLine | Meaning::Method)
    }

    fn is_path(&self) -> bool {
        matches!(self, Meaning::FirstLine | Meaning::Path(_))
    }
}

/// The formats that have a name: that of nginx, and of Apache, by default; the same without headers; and Envoy's default.
const NAMED: [(&str, &str); 3] = [
    (
        "combined",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    (
        "common",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#,
    ),
    (
        "envoy",
        r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#,
    ),
];

/// A request of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its start, in nanoseconds since 1970.
    pub at: u64,
    /// Whether the line says the instant to a fraction of a second.
    pub has_fraction: bool,
    pub parts: ContentParts,
    /// The text of the variable with its key. `None` if there is no such variable, or if it is empty.
    pub key: Option<String>,
}

impl FromStr for LogFormat {
    type Err = String;

    /// Reads a format as it stands in a server's configuration, or the name of one.
    fn from_str(text: &str) -> Result<LogFormat, String> {
        let named = NAMED.iter().find(|(name, _)| *name == text.trim());
        let text = named.map_or(text, |(_, format)| format);
        if !nginx::is_directive(text) && envoy::is_format(text) {
            let text = line_of(&envoy::unquoted(text))?.to_owned();
            return LogFormat::new(envoy::parts(&text)?, Escapes::ENVOY);
        }
        if text.contains('$') {
            let (text, escapes) = nginx::unquoted(text)?;
            return LogFormat::new(nginx::parts(line_of(&text)?)?, escapes);
        }
        Err(format!(
            "must be jsonl, csv, {}, a log_format of nginx or an access log format of Envoy",
            NAMED.map(|(name, _)| name).join(", ")
        ))
    }
}

/// The format without the ends of lines around it.
fn line_of(format: &str) -> Result<&str, String> {
    let line = format.trim_matches(['\r', '\n']);
    if line.contains(['\r', '\n']) {
        return Err(
            "must have no line break except at its end, because each line has one request"
                .to_owned(),
        );
    }
    Ok(line)
}

/// The places of the variables with a time, those with a fraction of a second first.
fn times_of(variables: &[Variable]) -> Result<Vec<usize>, String> {
    let times = variables.iter().zip(0..);
    let times = times.filter_map(|(variable, place)| match &variable.meaning {
        Meaning::Time(time) => Some((time.has_fraction(), place)),
        _ => None,
    });
    let (fine, coarse): (Vec<_>, Vec<_>) = times.partition(|(has_fraction, _)| *has_fraction);
    let places: Vec<_> = fine
        .iter()
        .chain(&coarse)
        .map(|(_, place)| *place)
        .collect();
    if places.is_empty() {
        let why = "must have the time of each request: $msec, $time_iso8601 or $time_local in a format of nginx, %START_TIME% \
                   in one of Envoy";
        return Err(why.to_owned());
    }
    Ok(places)
}

/// A text or a variable of a format.
#[derive(Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

impl LogFormat {
    fn new(parts: Vec<Part>, escapes: Escapes) -> Result<LogFormat, String> {
        let (mut texts, mut variables) = (vec![Vec::new()], Vec::<Variable>::new());
        for part in parts {
            match part {
                Part::Text(text) => {
                    texts
                        .last_mut()
                        .expect("there is one")
                        .extend_from_slice(text.as_bytes());
                }
                Part::Variable(variable) => {
                    if let Some(last) = variables.last()
                        && texts.last().is_some_and(Vec::is_empty)
                    {
                        return Err(format!(
                            "must have text between {} and {}, because nothing tells where one ends",
                            last.typed, variable.typed
                        ));
                    }
                    variables.push(variable);
                    texts.push(Vec::new());
                }
            }
        }
        Ok(LogFormat {
            times: times_of(&variables)?,
            texts,
            variables,
            escapes,
        })
    }

    /// The place of the variable that is typed like this, for [`read`](Self::read). `None` if there is none.
    pub fn variable(&self, typed: &str) -> Option<usize> {
        let is_it = |variable: &Variable| {
            let plain = |text: &str| text.replace(['{', '}'], "");
            plain(&variable.typed) == plain(typed)
                || variable.typed.trim_matches(['$', '%']) == typed
        };
        self.variables.iter().position(is_it)
    }

    /// The variables as they are typed, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.typed)
    }

    /// Reads a line, without its end. `key` is the place of the variable with the request's key.
    ///
    /// # Errors
    /// The line has another form, or a request that can't be sent. The error is the end of a sentence that begins with the
    /// line.
    pub fn read(&self, line: &[u8], key: Option<usize>) -> Result<LoggedRequest, NotSendable> {
        let values = self.values(line)?;
        let mut request = LoggedRequest::default();
        let (time, at) = self.time(&values)?;
        let (mut took, mut paths) = (0, Paths::default());
        for (place, (variable, raw)) in self.variables.iter().zip(values).enumerate() {
            if self.escapes.is_missing(raw) {
                continue;
            }
            let value = self.escapes.undone(raw);
            if key == Some(place) {
                request.key = Some(String::from_utf8_lossy(&value).into_owned());
            }
            let parts = &mut request.parts;
            match &variable.meaning {
                Meaning::Took => {
                    let time = time::seconds(&value);
                    took = time.ok_or_else(|| self.wrong(place, "is not a number of seconds"))?;
                }
                Meaning::FirstLine => {
                    let (method, path) = line::first_line(&value)?;
                    parts.set_method(method)?;
                    paths.add(PathOf::Client, Cow::Owned(path.to_vec()));
                }
                // nginx may change the method, too, when it serves the page of an error.
                Meaning::Method if parts.method.is_some() => {}
                Meaning::Method => parts.set_method(&value)?,
                Meaning::Path(of) => paths.add(*of, value),
                Meaning::Query => paths.add_query(value),
                Meaning::Header(name) => parts.add_header(name.as_bytes(), &value)?,
                Meaning::Body => parts.body = Some(value.into_owned()),
                Meaning::Time(_) | Meaning::Nothing => {}
            }
        }
        self.must_be_there(Meaning::is_method, request.parts.method.is_some())?;
        self.must_be_there(Meaning::is_path, paths.has_any())?;
        paths.put_into(&mut request.parts)?;
        request.at = time.start(at, took);
        request.has_fraction = at.has_fraction;
        Ok(request)
    }

    /// The finest time in a line with these values.
    fn time(&self, values: &[&[u8]]) -> Result<(&LogTime, Instant), NotSendable> {
        let mut coarse = None;
        for place in self.times.iter().copied() {
            let Meaning::Time(time) = &self.variables[place].meaning else {
                continue;
            };
            if self.escapes.is_missing(values[place]) {
                continue;
            }
            match time.read(&self.escapes.undone(values[place])) {
                Some(at) if at.has_fraction => return Ok((time, at)),
                Some(at) => coarse = coarse.or(Some((time, at))),
                None => return Err(self.wrong(place, "is not a time in this format")),
            }
        }
        coarse.ok_or_else(|| self.wrong(self.times[0], "is missing"))
    }

    /// Refuses a line without any value of variables with such a meaning, if the format has one. Servers write such lines for
    /// connections that brought no request: nginx, if the client sent nothing in time (408) or something else than HTTP (400).
    fn must_be_there(
        &self,
        is_such: fn(&Meaning) -> bool,
        is_there: bool,
    ) -> Result<(), NotSendable> {
        let mut variables = self.variables.iter();
        match variables.position(|variable| is_such(&variable.meaning)) {
            Some(place) if !is_there => Err(self.wrong(place, "is missing")),
            _ => Ok(()),
        }
    }

    fn wrong(&self, place: usize, why: &str) -> NotSendable {
        NotSendable::new(format!("its {} {why}", self.variables[place].typed))
    }

    /// The text of each variable in a line.
    fn values<'a>(&self, line: &'a [u8]) -> Result<Vec<&'a [u8]>, NotSendable> {
        let other = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            NotSendable::new(format!(
                "it is not in the format: there is no `{text}` where it should be"
            ))
        };
        let mut rest = line
            .strip_prefix(&*self.texts[0])
            .ok_or_else(|| other(&self.texts[0]))?;
        let mut values = Vec::with_capacity(self.variables.len());
        let (last, between) = self.texts[1..].split_last().expect("there is a variable");
        for text in between {
            let end = line::find(rest, text, self.escapes).ok_or_else(|| other(text))?;
            values.push(&rest[..end]);
            rest = &rest[end + text.len()..];
        }
        let value = line::before_last(rest, last).ok_or_else(|| other(last))?;
        let is_body = |variable: &Variable| variable.meaning == Meaning::Body;
        // Blanks at the end of a line are no part of its last value, unless that is a body.
        let is_exact = !last.trim_ascii().is_empty() || self.variables.last().is_some_and(is_body);
        values.push(if is_exact {
            value
        } else {
            value.trim_ascii_end()
        });
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
