use crate::base::Nanos;
use std::fmt::Debug;

/// When a recorded request was sent, and where the rest of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// The time since the first request of the recording.
    pub at: Nanos,
    /// The place of its [`Content`](super::Content) in the store, in bytes.
    pub content: u64,
    /// The place of its key in the list of recorded keys. It is 0 if the recording has no keys.
    pub key: u32,
}

/// The store could not be read. It knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the copy of the recording can't be read")]
pub struct StoreFailed;

/// Where the requests of a recording are kept.
pub trait Store: Debug + Send + Sync {
    /// Fills all of `into` with the entries from the one with this number on. The entries are in the order of their
    /// instants.
    ///
    /// # Errors
    /// They can't be read. From then on, [`failure`](Self::failure) says why.
    fn entries(&self, first: u64, into: &mut [Entry]) -> Result<(), StoreFailed>;

    /// Puts the bytes of the content at this place into `into`, in the place of what is there.
    ///
    /// # Errors
    /// They can't be read. From then on, [`failure`](Self::failure) says why.
    fn content(&self, place: u64, into: &mut Vec<u8>) -> Result<(), StoreFailed>;

    /// The reason why something could not be read.
    fn failure(&self) -> Option<String>;
}
