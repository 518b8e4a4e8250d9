//! The names of columns, and which part of a request each has.
//!
//! Case, `_`, `-` and `@` in a name do not count: `RequestMethod` is `request_method`.

use crate::core::recorded::Unit;
use std::collections::HashMap;

/// The part of a request that a column has. If several columns have the same part, the one of the lowest rank counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The instant, in this unit if it is a number.
    Time {
        rank: usize,
        unit: Unit,
    },
    Method {
        rank: usize,
    },
    Path {
        rank: usize,
    },
    /// The query alone.
    Query,
    Headers,
    Body,
    /// The request's first line, or an object with the parts of the request.
    Request,
    /// Who sent a request of a run, in what `--requests` wrote.
    Source,
    /// What a row of k6 measured.
    Metric,
}

/// The names of an instant, the best first: a request's start is never its end, and HAR calls a duration `time`. `due_ns` is
/// that of `--requests`.
const TIMES: [&str; 8] = [
    "starttime",
    "startutc",
    "starteddatetime",
    "start",
    "due",
    "time",
    "timestamp",
    "ts",
];
const METHODS: [&str; 3] = ["method", "requestmethod", "httpmethod"];
const PATHS: [&str; 6] = [
    "path",
    "url",
    "uri",
    "requesturi",
    "requestpath",
    "requesturl",
];

/// The part of a request in a column of this name. `None` if it has none.
pub(super) fn role(name: &str) -> Option<Role> {
    let plain = plain(name);
    let place = |names: &[&str], name: &str| names.iter().position(|other| *other == name);
    if let Some(rank) = place(&TIMES, &plain) {
        let unit = Unit::Seconds;
        return Some(Role::Time { rank, unit });
    }
    // A unit is only one behind a line, as in `time_ms`.
    if let Some((base, unit)) = name.rsplit_once('_')
        && let Ok(unit) = unit.to_ascii_lowercase().parse()
        && let Some(rank) = place(&TIMES, &self::plain(base))
    {
        return Some(Role::Time { rank, unit });
    }
    if let Some(rank) = place(&METHODS, &plain) {
        return Some(Role::Method { rank });
    }
    if let Some(rank) = place(&PATHS, &plain) {
        return Some(Role::Path { rank });
    }
    Some(match &*plain {
        "query" | "querystring" | "args" | "rawquery" => Role::Query,
        "headers" | "header" | "requestheaders" => Role::Headers,
        "body" | "requestbody" | "postdata" => Role::Body,
        "request" | "requestline" | "req" | "httprequest" => Role::Request,
        "source" => Role::Source,
        "metricname" => Role::Metric,
        _ => return None,
    })
}

/// The name of a column as it is compared.
pub(super) fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !"_-@ ".contains(*c));
    kept.flat_map(char::to_lowercase).collect()
}

/// Whether a column of this name has the time.
pub(super) fn is_time(name: &str) -> bool {
    matches!(role(name), Some(Role::Time { .. }))
}

/// What else than commas separates the columns of a first line, one of which is a time.
pub(super) fn separator(line: &str) -> Option<&'static str> {
    let others = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
    let is_time = |name: &str| is_time(name.trim().trim_matches('"'));
    let found = others
        .into_iter()
        .find(|(other, _)| line.contains(*other) && line.split(*other).any(is_time));
    found.map(|(_, words)| words)
}

/// The roles of the columns that a file has, and the columns that nothing was read from.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Each name with its role, and whether it is that of the key.
    known: HashMap<String, (Option<Role>, bool)>,
    /// Each name once, in the order of the first line that has it.
    unread: Vec<String>,
    /// Those of times, in the same way.
    times: Vec<String>,
}

/// The most names of columns that are remembered.
const MOST_NAMES: usize = 1_000;

impl Roles {
    /// The role of a column, and whether it has the key, which `is_key` says of a name that is new.
    pub fn of(&mut self, name: &str, is_key: impl FnOnce(&str) -> bool) -> (Option<Role>, bool) {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let known = (role(name), is_key(name));
        if self.known.len() < MOST_NAMES {
            self.known.insert(name.to_owned(), known);
        }
        known
    }

    /// Notes that a column has nothing of what is sent.
    pub fn leave_unread(&mut self, name: &str) {
        note(&mut self.unread, name);
    }

    /// Notes that a column has the time.
    pub fn take_time(&mut self, name: &str) {
        note(&mut self.times, name);
    }

    /// The columns of times that were read, and all columns that were not.
    pub fn into_names(self) -> (Vec<String>, Vec<String>) {
        (self.times, self.unread)
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    // A file has few names, and the same ones in each line.
    if names.len() < MOST_NAMES && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_common_logs_are_those_of_parts() {
        let rank = 0;
        for (name, expected) in [
            ("Method", Some(Role::Method { rank })),
            ("RequestMethod", Some(Role::Method { rank: 1 })),
            ("request_uri", Some(Role::Path { rank: 3 })),
            ("Query-String", Some(Role::Query)),
            ("postData", Some(Role::Body)),
            ("httpRequest", Some(Role::Request)),
            ("status", None),
            ("request_time", None),
            ("time_of_day", None),
        ] {
            assert_eq!(role(name), expected, "{name}");
        }
        for (name, unit) in [
            ("@timestamp", Unit::Seconds),
            ("StartUTC", Unit::Seconds),
            ("startedDateTime", Unit::Seconds),
            ("start_time", Unit::Seconds),
            ("start_time_us", Unit::Microseconds),
            ("Time_MS", Unit::Milliseconds),
            ("due_ns", Unit::Nanoseconds),
        ] {
            let Some(Role::Time { unit: read, .. }) = role(name) else {
                panic!("{name} has no time");
            };
            assert_eq!(read, unit, "{name}");
        }
    }
}
