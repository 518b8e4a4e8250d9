use super::{Entry, Store, StoreFailed};
use crate::base::Nanos;
use std::sync::Arc;
use ureq::http::HeaderName;

/// All requests of a recording, at least one, and what was learned of them when they were read.
#[derive(Debug, Clone)]
pub struct RecordedRequests {
    pub store: Arc<dyn Store>,
    /// The file's name, for people.
    pub name: String,
    /// The number of requests, at least 1.
    pub count: u64,
    /// The time from the first request to the last.
    pub length: Nanos,
    /// The most requests in any second of the replay.
    pub most_in_a_second: u64,
    /// The lines that could not be read, and were passed over.
    pub unreadable: u64,
    /// Whether the file has whole seconds only, and its requests were spread within each second.
    pub is_spread: bool,
    pub keys: RecordedKeys,
    /// The greatest length of a path or a header's line, in bytes, without the target's own path.
    pub longest_line: usize,
    /// The requests without a method or a path of their own, which have those of the run.
    pub without_method: u64,
    pub without_path: u64,
    /// The columns of JSON lines or CSV that the times were read from, and those that nothing was read from.
    pub time_columns: Vec<String>,
    pub unread_columns: Vec<String>,
    /// The requests that have a key of their own and do not contain its text.
    pub hiding_key: u64,
    /// A header, such as a token, that has one value for each key, and another one for each other key.
    pub told_apart_by: Option<HeaderName>,
    /// The lines of two requests that have different keys and are the same otherwise, if such a pair was found.
    pub alike: Option<[u64; 2]>,
    /// Whether any request has a body of its own, or a method without the run's body.
    pub replace_bodies: bool,
    /// Differs if any request does.
    pub digest: u64,
    /// The names of all headers, in lower case.
    pub header_names: Vec<HeaderName>,
    /// The names of headers as they were recorded, if they have capital letters: each as often as one request has it.
    pub spelled: Vec<String>,
}

/// Whether the requests have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedKeys {
    /// The run deals its keys as it always does.
    None,
    /// Every request has one, out of so many.
    Own(u32),
}

impl RecordedRequests {
    /// The entry of this request. In a loop, the numbers go on from round to round.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn entry(&self, number: u64) -> Result<Entry, StoreFailed> {
        let mut entry = [Entry::default()];
        self.store.entries(number % self.count, &mut entry)?;
        Ok(entry[0])
    }

    /// Puts the bytes of a request's content into `into`.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn content(&self, number: u64, into: &mut Vec<u8>) -> Result<(), StoreFailed> {
        let entry = self.entry(number)?;
        self.store.content(entry.content, into)
    }

    /// Whether any request has a path of its own.
    pub fn have_paths(&self) -> bool {
        self.without_path < self.count
    }

    /// Whether the requests have keys of their own.
    pub fn have_keys(&self) -> bool {
        matches!(self.keys, RecordedKeys::Own(_))
    }
}
