//! The types that every layer shares: time, requests, their outcomes, and the counts of them.

mod answer;
mod ledger;
mod mode;
mod outcome;
mod sample;
mod target;
pub mod text;
mod time;
mod token;

pub use answer::{Answer, ConnectTimes};
pub use ledger::Ledger;
pub use mode::Mode;
pub use outcome::{FailureKind, Outcome};
pub use sample::Sample;
pub use target::Target;
pub use time::{Moment, Nanos};
pub use token::{KeyId, Token};
