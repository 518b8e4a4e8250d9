//! Recorded requests that are sent again: when, in what form, and with which keys.
//!
//! A file is read once, before the run. Each line becomes an [`Entry`] of fixed size, in the order of the recorded
//! instants, and a [`Content`] of any size, which several entries may share. Both are in a [`Store`], which is outside of the
//! memory, so a run needs the same memory for a thousand requests as for a billion.
//!
//! A [`Replay`] gives each request's due time from its entry alone, at a [`Speed`], once or in a loop.

mod content;
mod entry;
pub mod log_format;
mod recorded_requests;
mod speed;
mod walk;

pub use content::{Content, ContentParts, NotSendable};
pub use entry::{Entry, Store, StoreFailed};
pub use recorded_requests::{RecordedKeys, RecordedRequests};
pub use speed::Speed;
pub use walk::{NoReplay, Replay, Walk};
