//! The types that every layer shares: time, requests, their outcomes, and the counts of them.

mod address;
mod answer;
mod failure_cause;
mod ledger;
mod mode;
mod outcome;
mod reason;
mod sample;
mod target;
pub mod text;
mod time;
mod token;

pub use address::Address;
pub use answer::{Answer, ConnectTimes};
pub use failure_cause::FailureCause;
pub use ledger::Ledger;
pub use mode::Mode;
pub use outcome::{FailureKind, Outcome};
pub use reason::Reason;
pub use sample::Sample;
pub use target::Target;
pub(crate) use target::UNSENDABLE;
pub use time::{Moment, Nanos};
pub use token::{KeyId, Token};
