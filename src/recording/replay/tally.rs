//! What is learned of all requests while they are copied.

use super::parsed::Parsed;
use crate::core::replay::ContentParts;
use foldhash::quality::FixedState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use ureq::http::{HeaderName, Method, header};

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub count: u64,
    pub unreadable: u64,
    pub longest_line: usize,
    pub without_method: u64,
    pub without_path: u64,
    /// The requests that do not contain their key.
    pub hiding_key: u64,
    carriers: Carriers,
    pub replace_bodies: bool,
    pub digest: u64,
    names: HashSet<HeaderName>,
    /// The spellings of a name, with the most headers of one request that have it.
    spelled: HashMap<String, usize>,
}

/// The most spellings of names that are kept. Further ones are sent in lower case.
const MOST_SPELLED: usize = 64;

/// The most headers of one name whose spelling is kept.
const MOST_OF_ONE_NAME: usize = 8;

impl Tally {
    pub fn add(&mut self, parsed: &Parsed, key: Option<u32>) {
        let parts = &parsed.parts;
        self.count += 1;
        self.longest_line = self.longest_line.max(parts.longest_line());
        self.without_method += u64::from(parts.method.is_none());
        self.without_path += u64::from(parts.path.is_none());
        if let Some(key) = key {
            self.carriers.add(key, parts);
        }
        let key = key.and(parsed.key.as_deref());
        self.hiding_key += u64::from(key.is_some_and(|key| !parts.contain(key.as_bytes())));
        let carries_none =
            |method: &Method| ![Method::POST, Method::PUT, Method::PATCH].contains(method);
        self.replace_bodies |=
            parts.body.is_some() || parts.method.as_ref().is_some_and(carries_none);
        for (name, _) in &parts.headers {
            if !self.names.contains(name) {
                self.names.insert(name.clone());
            }
        }
        for name in &parts.spelled {
            let times = parts.spelled.iter().filter(|other| *other == name).count();
            let has_room = self.spelled.len() < MOST_SPELLED;
            let is_known = self.spelled.contains_key(name);
            if is_known || has_room && !self.is_spelled_otherwise(name) {
                let most = self.spelled.entry(name.clone()).or_default();
                *most = times.min(MOST_OF_ONE_NAME).max(*most);
            }
        }
        let key = key.map(Some);
        let headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let (method, path) = (
            parts.method.as_ref().map(Method::as_str),
            parts.path.as_ref().map(|path| path.as_str()),
        );
        let request = (
            self.digest,
            parsed.at,
            method,
            path,
            headers,
            &parts.body,
            key,
        );
        self.digest = FixedState::default().hash_one(request);
    }

    /// A header that tells all keys apart, if there is one.
    pub fn told_apart_by(&self) -> Option<HeaderName> {
        let carriers = self.carriers.headers.iter().flatten();
        let names = carriers.map(|carrier| &carrier.name);
        names.min_by_key(|name| name.as_str()).cloned()
    }

    /// Only the first spelling of a name is kept.
    fn is_spelled_otherwise(&self, name: &str) -> bool {
        self.spelled
            .keys()
            .any(|other| other.eq_ignore_ascii_case(name))
    }

    pub fn header_names(&self) -> Vec<HeaderName> {
        self.names.iter().cloned().collect()
    }

    pub fn spelled(&self) -> Vec<String> {
        let all = self.spelled.iter();
        all.flat_map(|(name, times)| std::iter::repeat_n(name.clone(), *times))
            .collect()
    }
}

/// The headers that every request has, with one value for each key, and another one for each other key.
#[derive(Debug, Default)]
struct Carriers {
    /// `None` before the first request.
    headers: Option<Vec<Carrier>>,
}

/// Headers by which no limiter knows a caller, although in a small log each caller may have its own.
const OF_PROGRAMS: [HeaderName; 6] = [
    header::USER_AGENT,
    header::REFERER,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::ACCEPT_ENCODING,
    header::CONTENT_TYPE,
];

#[derive(Debug)]
struct Carrier {
    name: HeaderName,
    /// The hash of the value for each key, and the key for each hash.
    value_of: HashMap<u32, u64>,
    key_of: HashMap<u64, u32>,
}

impl Carriers {
    fn add(&mut self, key: u32, parts: &ContentParts) {
        let carriers = self.headers.get_or_insert_with(|| {
            let names: HashSet<_> = parts.headers.iter().map(|(name, _)| name).collect();
            let names = names.into_iter().filter(|name| !OF_PROGRAMS.contains(name));
            let carrier = |name: &HeaderName| Carrier {
                name: name.clone(),
                value_of: HashMap::new(),
                key_of: HashMap::new(),
            };
            names.map(carrier).collect()
        });
        carriers.retain_mut(|carrier| {
            let mut headers = parts.headers.iter();
            let Some((_, value)) = headers.find(|(name, _)| *name == carrier.name) else {
                return false;
            };
            let value = FixedState::default().hash_one(value.as_bytes());
            *carrier.value_of.entry(key).or_insert(value) == value
                && *carrier.key_of.entry(value).or_insert(key) == key
        });
    }
}
